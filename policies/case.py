"""One question to the policy: the facts, the manual and the instant, and what several rules ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from policies.contactable import Place, Verdict, first_allowed
from policies.facts import Agreement, BudgetEntry, Hold, InvoiceFacts, LawTerms, Reach
from policies.folding import SLOT, TOGETHER, about, carries, counted, shared_slots
from policies.holder import HOLDER_CHECK, confirmed
from policies.hours import day_text, open_spans, zone_of
from policies.ladder import local_day, local_moment
from policies.law.place import recipient_of
from policies.manual import Manual
from policies.messages import bundle_of
from policies.recipients import tiers
from policies.spread import spread_out
from policies.tally import besides
from policies.terms import AttemptState, Channel, ContactKey


class Case(NamedTuple):
    facts: InvoiceFacts
    manual: Manual
    now: datetime

    @property
    def place(self) -> Place:
        f = self.facts
        return Place(zone=f.zone, country=f.country, region=f.region, creditor_country=f.creditor_country)


OPTED_OUT = "opted out"
"""Why a reach is not permitted when its person closed it; a notice that the law requires goes out all the same."""
_WRITTEN = (Channel.LETTER, Channel.EMAIL)
_ARRIVED = (AttemptState.ACCEPTED, AttemptState.DELIVERED)
NOT_MADE = (AttemptState.PLANNED, AttemptState.FAILED)


def active_holds(case: Case) -> list[Hold]:
    return [h for h in case.facts.holds if h.starts_at <= case.now < h.until]


def open_agreement(facts: InvoiceFacts) -> Agreement | None:
    return next((a for a in facts.agreements if a.state == "open"), None)


def addressed(facts: InvoiceFacts, roles: Sequence[str] = (), *, courtesy: bool = True) -> list[list[Reach]]:
    """The people a message of the invoice is for, best first."""
    return tiers(facts.reach, roles, minor=facts.minor, courtesy=courtesy)


def choose(
    case: Case,
    key: ContactKey,
    channels: tuple[Channel, ...],
    asked: datetime,
    ends: datetime,
    firm: bool,
    amount_minor: int,
    rung_minimum: dict[str, int] | None = None,
    template: str = "",
    legal_notice: bool = False,
    ways: Sequence[Sequence[Reach]] | None = None,
) -> tuple[Reach, Verdict] | None:
    """The first channel of the rung's order that is permitted, worth its cost and has a lawful moment before `ends`.

    `ways`: whom to try, best first (left out: the account's people in the house's order). A telephone whose holder is not
    confirmed is passed over, but for the question whether it is theirs. With a `template` that others can share, a message that
    leaves now or a slot reserved for one may be that moment (F38).
    """
    facts, manual = case.facts, case.manual
    bundle = bundle_of(template) if manual.limits.fold else ""
    if amount_minor <= 0 or amount_minor < (rung_minimum or {}).get(facts.currency, 0):
        return None
    over = [c for c in facts.contacts if c.key == str(key) and c.state is AttemptState.FAILED and not c.may_retry]
    failed = {c.channel for c in over if not c.address_id}
    tried = {c.address_id for c in over}
    order = sorted(channels, key=lambda c: c is not facts.preferred)
    for channel, tier in ((c, t) for t in (addressed(facts) if ways is None else ways) for c in order):
        if channel in failed or amount_minor < manual.minimums.get(channel, {}).get(facts.currency, 0):
            continue
        for reach in tier:
            if template != HOLDER_CHECK and not confirmed(reach, asked):
                continue
            if legal_notice and reach.why_not in ("", OPTED_OUT):
                # By post it needs no consent; elsewhere only the refusal of messages is overridden, never a missing consent.
                post = reach.authorised or channel is Channel.LETTER
                permitted = reach.permitted or reach.why_not == OPTED_OUT
                reach = reach.model_copy(update={"permitted": permitted, "authorised": post})
            if reach.channel is not channel or not reach.permitted or reach.address_id in tried:
                continue
            slot = _moment(case, key, reach, asked, ends, firm, bundle)
            if slot.at is not None and slot.at < ends:
                return reach, slot
    return None


def _moment(case: Case, key: ContactKey, reach: Reach, asked: datetime, ends: datetime, firm: bool, bundle: str) -> Verdict:
    """When this person can be reached at this address: with a message that leaves now, on one's own, or in a shared slot."""
    ride = case.facts.ride
    if ride is not None and bundle and carries(ride, reach.person_id, reach.address_id, reach.channel, bundle):
        mine = about(case.facts.budget, case.facts.invoice_id)
        together = _allowed(case, key, reach, case.now, ends, firm, mine)
        if together.allowed:
            return together._replace(rules=(TOGETHER,), why="it goes in one message with other invoices of this customer")
    alone = _slot(case, key, reach, asked, ends, firm)
    return _shared(case, key, reach, asked, ends, firm, bundle, alone) if bundle else alone


def _shared(
    case: Case, key: ContactKey, reach: Reach, asked: datetime, ends: datetime, firm: bool, bundle: str, alone: Verdict
) -> Verdict:
    """A slot that another invoice reserved, where it comes sooner than a moment of one's own."""
    own = (case.facts.invoice_id, str(key))
    for reserved, entries in shared_slots(case.facts.budget, own, reach, bundle):
        at = max(reserved, asked)
        if at > reserved and local_day(at, case.facts.zone) != local_day(reserved, case.facts.zone):
            continue  # it passed: nobody used it that day
        if at >= ends or (alone.at is not None and alone.at <= at):
            break
        together = _allowed(case, key, reach, at, ends, firm, besides(counted(case.facts.budget, own), entries))
        if together.allowed:
            local = at.astimezone(zone_of(case.facts.zone))
            said = f"{alone.why}; it goes in one message with another invoice on {day_text(local.date())} at {local:%H:%M}"
            return together._replace(allowed=False, rules=(*alone.rules, SLOT), why=said)
    return alone


def _slot(case: Case, key: ContactKey, reach: Reach, asked: datetime, ends: datetime, firm: bool) -> Verdict:
    """The first lawful moment from `asked` on; on a later day the manual's hour, where that is lawful too."""
    facts, manual = case.facts, case.manual
    slot = _allowed(case, key, reach, asked, ends, firm, spoken_for(case, key))
    if slot.at is None:
        return slot
    day = local_day(slot.at, facts.zone)
    hour = local_moment(day, manual.send_at, facts.zone)
    if day != local_day(asked, facts.zone) and slot.at < hour < min(slot.window_ends, ends):
        slot = slot._replace(at=hour, why=f"{slot.why}; it goes at {manual.send_at}")
    return _spread(case, reach, slot, asked, min(slot.window_ends, ends)) if manual.limits.spread_minutes else slot


def _spread(case: Case, reach: Reach, slot: Verdict, asked: datetime, ends: datetime) -> Verdict:
    """The debtor's own moment after the opening or the hour asked for; the same for all its invoices, so that they still fold."""
    facts, limits = case.facts, case.manual.limits
    at = slot.at or asked
    day = local_day(at, facts.zone)
    starts = [local_moment(day, case.manual.send_at, facts.zone)]
    starts += [span.start for span in open_spans(day, limits, reach.channel, case.place) if span.start <= at < span.end]
    if at != asked:
        starts.append(at)
    own = spread_out(
        at, starts=starts, ends=ends, account_id=facts.account_id, day=day, spread=timedelta(minutes=limits.spread_minutes)
    )
    return slot if own == at else slot._replace(at=own)


def spoken_for(case: Case, key: ContactKey) -> Sequence[BudgetEntry]:
    """What limits are counted on for this rung; slots that are one message count once."""
    budget = case.facts.budget
    return counted(budget, (case.facts.invoice_id, str(key))) if case.manual.limits.fold else budget


def law_for(case: Case, reach: Reach, asked: datetime) -> LawTerms | None:
    """What the law packs must know of this wish: the account's terms, how late the debt is, and what this person agreed to."""
    terms = case.facts.law
    if terms is None:
        return None
    found: dict[str, str | bool | int | tuple[str, ...]] = {
        "channel_authorised": reach.authorised,
        "electronic_consent": reach.authorised,
        "recipient": recipient_of(reach.role, case.facts.kind),
    }
    if reach.channel is Channel.VOICE:
        # Our calls play a recorded voice, and nobody says what kind of line it is: the strictest reading holds.
        found |= {"prerecorded": True, "number_type": ("mobile", "home", "landline")}
    dues = [i.due_on for i in case.facts.instalments if i.balance_minor > 0]
    if dues:
        late = (local_day(asked, case.facts.zone) - min(dues)).days
        found |= {"days_past_due": late, "in_debt_collection_procedures": late > 0}
    if "notice_sent" not in terms.facts:
        sent = _first_notice(case.facts)
        found |= {"notice_sent": sent.isoformat()} if sent is not None else {"notice_never_sent": True}
    return terms.model_copy(update={"facts": {**terms.facts, **found}})


def _first_notice(facts: InvoiceFacts) -> date | None:
    """The day of the first thing about this debt that reached the debtor in writing: where a notice comes first, that is it."""
    return min((c.local_date for c in facts.contacts if c.channel in _WRITTEN and c.state in _ARRIVED), default=None)


def _allowed(
    case: Case, key: ContactKey, reach: Reach, asked: datetime, ends: datetime, firm: bool, budget: Sequence[BudgetEntry]
) -> Verdict:
    return first_allowed(
        asked,
        channel=reach.channel,
        person_id=reach.person_id,
        budget=budget,
        own=(case.facts.invoice_id, str(key)),
        firm=firm,
        place=case.place,
        limits=case.manual.limits,
        law=law_for(case, reach, asked),
        until=ends,
    )
