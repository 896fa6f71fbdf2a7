"""One apology for a message that should not have gone: by the same channel, in lawful hours, to whoever still may be written to.

It stands outside the ladder and goes to those, too, who owe nothing: a paid customer was perhaps the one written to by mistake.
Two people approved it, so neither the house's own limits nor a careful start hold it back; stops and the law do.
"""

from __future__ import annotations

from policies.case import NOT_MADE, Case, law_for
from policies.contactable import first_allowed
from policies.facts import Apology, InvoiceFacts
from policies.start import APOLOGY
from policies.steps import Contact, Skip, Wait
from policies.terms import AttemptState, ContactKey


def key_of(apology: Apology) -> ContactKey:
    """The key under which it goes, once, whatever cycle the invoice is in."""
    return ContactKey(0, 0, f"{APOLOGY}-{apology.id[:8]}", 0)


def apology_step(case: Case) -> Contact | Skip | Wait | None:
    """The apology that is still to be made about this invoice, or why it is not made."""
    passed = {skipped.key for skipped in case.facts.skipped} if case.facts.apologies else set()
    for apology in case.facts.apologies:
        key = str(key_of(apology))
        done = any(c.key == key and c.state not in NOT_MADE for c in case.facts.contacts)
        if not done and key not in passed and case.now < apology.until:
            return _make(case, apology, key)
    return None


def _make(case: Case, apology: Apology, key: str) -> Contact | Skip | Wait | None:
    facts, now = case.facts, case.now
    if any(s.holds(now) for s in facts.suppressions):
        return _not_made(case, key, "contact with this customer is suppressed", "apology.suppressed")
    if facts.stopped_until is not None and now < facts.stopped_until:
        if not _nothing_owed(facts):
            return None
        ends = min(facts.stopped_until, apology.until)
        return Wait(at=ends, why="The apology waits: all sending is stopped.", rules=("apology", "stop.creditor"), until="stop")
    over = [c.address_id for c in facts.contacts if c.key == key and c.state is AttemptState.FAILED and not c.may_retry]
    reach = next(
        (
            r
            for r in facts.reach
            if (r.person_id, r.channel) == (apology.person_id, apology.channel) and r.permitted and r.address_id not in over
        ),
        None,
    )
    if reach is None:
        return _not_made(case, key, "nobody may be reached by that channel any more", "apology.unreachable")
    slot = first_allowed(
        now, channel=reach.channel, person_id=reach.person_id, budget=facts.budget, own=(facts.invoice_id, key), firm=False,
        place=case.place, limits=case.manual.limits.model_copy(update={"contacts": (), "gap_hours": None}),
        law=law_for(case, reach, now), until=apology.until,
    )  # fmt: skip
    if slot.at is None:
        return _not_made(case, key, slot.why, "apology.no_moment")
    return Contact(
        at=slot.at, why="One apology for a message that should not have gone.", rules=("apology", *slot.rules), key=key,
        rung=APOLOGY, channel=reach.channel, person_id=reach.person_id, address_id=reach.address_id, template="apology",
        instalment=0, amount_minor=0, rung_at=slot.at, window_ends=slot.window_ends,
    )  # fmt: skip


def _nothing_owed(facts: InvoiceFacts) -> bool:
    return facts.status != "open" or facts.balance_minor <= 0


def _not_made(case: Case, key: str, why: str, rule: str) -> Skip:
    return Skip(at=case.now, why=f"The apology is not made: {why}.", rules=("apology", rule), key=key, rung=APOLOGY)
