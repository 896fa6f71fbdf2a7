"""One question to the policy: the facts, the manual and the instant, and what several rules ask of them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from policies.contactable import Place, Verdict, first_allowed
from policies.facts import Agreement, Hold, InvoiceFacts, Reach
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
    failed = {c.channel for c in facts.contacts if c.key == str(key) and c.state is AttemptState.FAILED and not c.may_retry}
    for channel in channels:
        if channel in failed or amount_minor < manual.minimums.get(channel, {}).get(facts.currency, 0):
            continue
        for reach in facts.reach:
            if reach.channel is not channel or not reach.permitted:
                continue
            slot = first_allowed(
                asked,
                channel=channel,
                person_id=reach.person_id,
                budget=facts.budget,
                own=(facts.invoice_id, str(key)),
                firm=firm,
                place=case.place,
                limits=manual.limits,
                until=ends,
            )
            if slot.at is not None and slot.at < ends:
                return reach, slot
    return None
