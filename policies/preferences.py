"""What a customer asks for, against what may be done: hours in which nobody may write are no hours (F34, S16)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from policies.case import Case, law_for
from policies.contactable import Verdict, first_allowed
from policies.facts import InvoiceFacts, LawTerms, Reach
from policies.hours import zone_of
from policies.manual import Manual
from policies.terms import Channel

LOOK_AHEAD_DAYS = 14
"""Two weeks hold every weekday twice; hours without a moment in them never come."""


class OpenHours(NamedTuple):
    """Hours of one of the next days in which we may write, by the debtor's clock: `08:00`, `19:00`."""

    first: str
    last: str


def hours_refused(facts: InvoiceFacts, manual: Manual, now: datetime, *, channel: Channel | None) -> OpenHours | None:
    """None where some moment of the next two weeks is inside the wished hours in `facts` and allowed; else hours that would do.

    With `channel` only its addresses are asked about. Where nothing is allowed with or without the wish, the wish is not to
    blame: None.
    """
    ways = [r for r in facts.reach if r.permitted and channel in (None, r.channel)] or [r for r in facts.reach if r.permitted]
    found: OpenHours | None = None
    for reach in ways:
        law = law_for(Case(facts, manual, now), reach, now)
        if law is None or _verdict(facts, manual, reach, now, law).at is not None:
            return None
        without = law.model_copy(update={"facts": {k: v for k, v in law.facts.items() if k != "preferred_window"}})
        tomorrow = _local_midnight(facts, now)
        free = _verdict(facts, manual, reach, tomorrow, without)
        if free.at is not None and found is None:
            zone = zone_of(facts.zone)
            found = OpenHours(f"{free.at.astimezone(zone):%H:%M}", f"{free.window_ends.astimezone(zone):%H:%M}")
    return found


def _local_midnight(facts: InvoiceFacts, now: datetime) -> datetime:
    """The beginning of the debtor's next day, so that a whole day's hours are told and not the rest of this one."""
    local = now.astimezone(zone_of(facts.zone)) + timedelta(days=1)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _verdict(facts: InvoiceFacts, manual: Manual, reach: Reach, at: datetime, law: LawTerms) -> Verdict:
    case = Case(facts, manual, at)
    return first_allowed(
        at, channel=reach.channel, person_id=reach.person_id, budget=(), own=("", ""), firm=False, place=case.place,
        limits=manual.limits, law=law, until=at + timedelta(days=LOOK_AHEAD_DAYS),
    )  # fmt: skip
