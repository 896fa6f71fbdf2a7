"""Whether an invoice is shown to have reached its customer, since when, and what that does to the days of the ladder (F42).

Evidence is what was told (`delivered`, `accepted`, `waived`), what the customer did with it (a promise, money, "already paid", a
dispute of its content), a delivered message that carried the document, and a delivered check to which nobody objected within
five working days. An objection (`rejected`, `not_received`) undoes all evidence from before it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policies.calendars import add_working_days
from policies.delivery_facts import DELIVERY_CHECK
from policies.facts import InvoiceFacts, PastContact
from policies.manual_model import Manual
from policies.remembered import OncePerFacts
from policies.terms import AttemptState, Channel, ContactKey

NO_OBJECTION_WD = 5
"""Working days of the customer's place after which nobody's objection is an answer (playbook 4.3, 5)."""
CARRIES = frozenset({"delivery_check", "pre_due", "instalment_reminder", "due_soon_statement"})
"""Messages that take the invoice's document along when they go by e-mail."""
_FOR = frozenset({"delivered", "accepted", "waived", "known"})
_MADE = frozenset({AttemptState.ACCEPTED, AttemptState.DELIVERED, AttemptState.UNKNOWN})


class Proof(NamedTuple):
    """From which day on the invoice counts as delivered. `sure` is False while only a check is on its way."""

    day: date
    source: str
    sure: bool


def objections(facts: InvoiceFacts) -> list[datetime]:
    """When the invoice came back or was said not to have come, in order."""
    return sorted(fact.at for fact in facts.delivery if fact.kind in ("rejected", "not_received"))


def proof_of(facts: InvoiceFacts, manual: Manual) -> Proof | None:
    """The earliest sure evidence since the last objection, else the check that is out, else None."""
    return _proof_of(facts, manual)


def _find_proof(facts: InvoiceFacts, manual: Manual) -> Proof | None:
    against = objections(facts)
    since = against[-1] if against else None
    found = [Proof(day, source, True) for day, at, source in _evidence(facts) if since is None or at > since]
    out: list[Proof] = []
    for contact in _checks(facts, manual, since):
        day = add_working_days(contact.local_date, NO_OBJECTION_WD, facts.country, facts.region)
        arrived = contact.state is AttemptState.DELIVERED
        (found if arrived else out).append(Proof(day, "no_objection", arrived))
    return min(found or out, default=None)


def _evidence(facts: InvoiceFacts) -> list[tuple[date, datetime, str]]:
    zone = ZoneInfo(facts.zone)
    told = [(f.on or f.at.astimezone(zone).date(), f.at, f.source or f.kind) for f in facts.delivery if f.kind in _FOR]
    agreed = [(a.made_on, a.made_at, a.kind) for a in facts.agreements]
    paid = [(p.recorded_at.astimezone(zone).date(), p.recorded_at, "payment") for p in facts.payments if p.amount_minor > 0]
    carried = [
        (c.local_date, c.at, "document")
        for c in facts.contacts
        if c.carried and not c.earlier and c.state is AttemptState.DELIVERED
    ]
    return [*told, *agreed, *paid, *carried]


def _checks(facts: InvoiceFacts, manual: Manual, since: datetime | None) -> list[PastContact]:
    """The checks that went out by e-mail or letter since the last objection."""
    rungs = {DELIVERY_CHECK, *(r.rung for r in manual.ladder if r.template == DELIVERY_CHECK and r.action == "contact")}
    return [
        c
        for c in facts.contacts
        if c.state in _MADE and not c.earlier and c.channel in (Channel.EMAIL, Channel.LETTER)
        and ContactKey.parse(c.key).rung in rungs and (since is None or c.at > since)
    ]  # fmt: skip


PROOF_HANGS_ON = ("delivery", "agreements", "payments", "contacts", "zone", "country", "region", "entered_at")
"""The facts that the evidence and the days without it are told from; a test reads no other."""
_proof_of = OncePerFacts(_find_proof, PROOF_HANGS_ON, size=8192)


def stood_still_days(facts: InvoiceFacts, manual: Manual, due_on: date) -> int:
    """How long overdue rungs stood still because the invoice was not shown to be delivered.

    Counted from the effective due date, or from the day of entry where that came later.
    """
    if manual.delivery != "required":
        return 0
    proof = proof_of(facts, manual)
    if proof is None:
        return 0
    entered = facts.entered_at.astimezone(ZoneInfo(facts.zone)).date()
    return max((proof.day - max(due_on, entered)).days, 0)
