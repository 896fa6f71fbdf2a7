"""One question to the policy: the facts, the manual and the instant, and what several rules ask of them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from policies.contactable import Place, Verdict, first_allowed
from policies.facts import Agreement, Hold, InvoiceFacts, Reach
from policies.ladder import local_day, local_moment
from policies.manual import Manual
from policies.terms import AttemptState, Channel, ContactKey


class Case(NamedTuple):
    facts: InvoiceFacts
    manual: Manual
    now: datetime

    @property
    def place(self) -> Place:
        f = self.facts
        return Place(zone=f.zone, country=f.country, region=f.region, creditor_country=f.creditor_country)


NOT_MADE = (AttemptState.PLANNED, AttemptState.FAILED)


def active_holds(case: Case) -> list[Hold]:
    return [h for h in case.facts.holds if h.starts_at <= case.now < h.until]


def open_agreement(facts: InvoiceFacts) -> Agreement | None:
    return next((a for a in facts.agreements if a.state == "open"), None)


def choose(
    case: Case,
    key: ContactKey,
    channels: tuple[Channel, ...],
    asked: datetime,
    ends: datetime,
    firm: bool,
    amount_minor: int,
    rung_minimum: dict[str, int] | None = None,
) -> tuple[Reach, Verdict] | None:
    """The first channel of the rung's order that is permitted, worth its cost and has a lawful moment before `ends`."""
    facts, manual = case.facts, case.manual
    if amount_minor <= 0 or amount_minor < (rung_minimum or {}).get(facts.currency, 0):
        return None
    over = [c for c in facts.contacts if c.key == str(key) and c.state is AttemptState.FAILED and not c.may_retry]
    failed = {c.channel for c in over if not c.address_id}
    tried = {c.address_id for c in over}
    for channel in channels:
        if channel in failed or amount_minor < manual.minimums.get(channel, {}).get(facts.currency, 0):
            continue
        for reach in facts.reach:
            if reach.channel is not channel or not reach.permitted or reach.address_id in tried:
                continue
            slot = _slot(case, key, reach, asked, ends, firm)
            if slot.at is not None and slot.at < ends:
                return reach, slot
    return None


def _slot(case: Case, key: ContactKey, reach: Reach, asked: datetime, ends: datetime, firm: bool) -> Verdict:
    """The first lawful moment from `asked` on; on a later day the manual's hour, where that is lawful too."""
    facts, manual = case.facts, case.manual
    slot = first_allowed(
        asked,
        channel=reach.channel,
        person_id=reach.person_id,
        budget=facts.budget,
        own=(facts.invoice_id, str(key)),
        firm=firm,
        place=case.place,
        limits=manual.limits,
        until=ends,
    )
    if slot.at is None or local_day(slot.at, facts.zone) == local_day(asked, facts.zone):
        return slot
    hour = local_moment(local_day(slot.at, facts.zone), manual.send_at, facts.zone)
    if slot.at < hour < min(slot.window_ends, ends):
        return slot._replace(at=hour, why=f"{slot.why}; it goes at {manual.send_at}")
    return slot
