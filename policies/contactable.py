"""May we contact now, and if not, from when on: the one question that hours, budgets and law packs answer together.

Every layer must agree; all that refuse are named; the moment given is the first at which none of them does (F46).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from policies.budget import Budget, Refusal, budget_of
from policies.facts import BudgetEntry, LawTerms
from policies.hours import (
    Place,
    calendar_note,
    changes_offset,
    closed,
    day_text,
    local_date_of,
    open_spans,
    zone_of,
)
from policies.law.days import day_start
from policies.law.engine import Hearing
from policies.law.wish import hangs_on, hearing
from policies.manual import Limits
from policies.tally import Counted
from policies.terms import Channel

__all__ = ["HORIZON_DAYS", "Place", "Verdict", "first_allowed"]

HORIZON_DAYS = 400
"""How far ahead a moment is looked for."""
_SMALL = frozenset("A After An At Before Every In More No Nobody On Only The".split())
_ONE_DAY = timedelta(days=1)


class Verdict(NamedTuple):
    """The answer for one asked moment."""

    allowed: bool
    """The asked moment itself is allowed."""
    at: datetime | None
    """The first allowed moment from the asked one on (UTC); None when there is none in time."""
    window_ends: datetime
    """The first moment after `at` that is no longer allowed (the asked moment when `at` is None)."""
    rules: tuple[str, ...]
    """Ids of all rules that refused the asked moment."""
    why: str
    """One plain sentence with the debtor's local date."""


class _Asks(NamedTuple):
    asked: datetime
    last: datetime
    channel: Channel
    person_id: str
    own: tuple[str, str]
    firm: bool
    place: Place
    by: Literal["machine", "person"]


class _Wish(NamedTuple):
    channel: Channel
    firm: bool
    place: Place
    limits: Limits
    budget: Budget
    law: Hearing | None


def first_allowed(
    asked: datetime,
    *,
    channel: Channel,
    person_id: str,
    budget: Sequence[BudgetEntry],
    own: tuple[str, str],
    firm: bool,
    place: Place,
    limits: Limits,
    law: LawTerms | None = None,
    until: datetime | None = None,
    by: Literal["machine", "person"] = "machine",
) -> Verdict:
    """The verdict on contacting `person_id` by `channel` at `asked`, and the first moment at or after it that is allowed.

    `budget` is the account's contacts and reserved slots over all invoices; the one named by `own` (invoice id, key) is not
    counted. `law` says which law packs speak and what they must know. `by` says whether it would go out by itself or a person
    makes it: some caps are for one of them. A moment at or after `until`, or more than 400 days ahead, does not count. Raises
    ValueError for a naive instant or an unknown zone.
    """
    if asked.tzinfo is None:
        raise ValueError("asked must be an aware instant")
    asked = asked.astimezone(UTC)
    last = asked + timedelta(days=HORIZON_DAYS)
    last = min(last, until.astimezone(UTC)) if until is not None else last
    asks = _Asks(asked, last, channel, person_id, own, firm, place, by)
    if not isinstance(budget, Counted):
        return _verdict(asks, budget, limits, law)
    on = hangs_on(law, own) if law is not None else None
    key = "verdict", asks._replace(own=("", "")), id(limits), on
    found: tuple[Limits, Verdict] | None = budget.made.get(key)
    if found is None:
        found = budget.made[key] = limits, _verdict(asks, budget, limits, law)  # with the limits: their identity is in the key
    return found[1]


def _verdict(asks: _Asks, budget: Sequence[BudgetEntry], limits: Limits, law: LawTerms | None) -> Verdict:
    asked, last, channel, person_id, own, firm, place, by = asks
    counted = budget_of(budget, limits, channel=channel, person_id=person_id, own=own, since=asked, by=by)
    heard = hearing(law, asked, channel=channel, person_id=person_id, budget=budget, own=own) if law is not None else None
    wish = _Wish(channel, firm, place, limits, counted, heard)
    today = local_date_of(asked, place.zone)
    span_ends, refusals = _refusals(wish, asked, today)
    found = _search(wish, asked, today, last) if refusals else _now(wish, asked, span_ends, last)
    if found is None:
        return Verdict(not refusals, None, asked, _ids(refusals), _no_moment(refusals, last, place))
    at, ends = found
    return Verdict(not refusals, at, ends, _ids(refusals), _why(_binding(wish, refusals, asked, at), at, place))


def _ids(refusals: Sequence[Refusal]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(refusal.rule for refusal in refusals))


def _binding(wish: _Wish, refusals: list[Refusal], asked: datetime, at: datetime) -> list[Refusal]:
    """Of several rules against the asked moment, those that refused to the last: a reader wants to know what it waits for."""
    if len(refusals) < 2:
        return refusals
    # Limits that count days end at midnight, also where the house opens later.
    before = max(asked, min(at, day_start(wish.place.zone, local_date_of(at, wish.place.zone))) - timedelta(microseconds=1))
    last = {refusal.rule for refusal in _refusals(wish, before, local_date_of(before, wish.place.zone))[1]}
    return [refusal for refusal in refusals if refusal.rule in last] or refusals


def _refusals(wish: _Wish, asked: datetime, today: date) -> tuple[datetime, list[Refusal]]:
    """When the window that holds the asked moment closes, and every rule against that moment."""
    ends = asked
    shut = closed(today, wish.limits, wish.channel, wish.place, firm=wish.firm)
    found = [Refusal(rule, why) for rule, why in shut]
    if not any(refusal.rule == "hours.window" for refusal in found):
        for span in open_spans(today, wish.limits, wish.channel, wish.place):
            if span.start <= asked < span.end:
                ends = span.end
        if ends == asked:
            local = asked.astimezone(zone_of(wish.place.zone))
            found.append(Refusal("hours.window", f"{local:%H:%M} on {day_text(today)} is outside the window for {wish.channel}"))
    found.extend(wish.budget.refusals_on(today))
    too_close = wish.budget.too_close(asked)
    if too_close is not None:
        found.append(too_close)
    if wish.law is not None:
        found.extend(Refusal(refusal.rule, _clause(refusal.why)) for refusal in wish.law.refusals(asked))
        if not found:
            ends = max(asked, wish.law.closes(asked, ends))
    return ends, found


def _clause(sentence: str) -> str:
    """A rule's sentence as a part of a longer one."""
    first, _, rest = sentence.rstrip(".").partition(" ")
    return f"{first.lower() if first in _SMALL else first} {rest}"


def _now(wish: _Wish, asked: datetime, ends: datetime, last: datetime) -> tuple[datetime, datetime] | None:
    return (asked, wish.budget.clear_until(asked, ends)) if asked < last else None


def _search(wish: _Wish, asked: datetime, today: date, last: datetime) -> tuple[datetime, datetime] | None:
    """The first allowed moment in [asked, last) and when it ends: the house and the law asked in turn until they agree."""
    while (found := _search_house(wish, asked, today, last)) is not None:
        at, ends = found
        if wish.law is None:
            return found
        lawful = wish.law.first(at, until=last)
        if lawful is None:
            return None
        if lawful == at:
            return at, max(at, wish.law.closes(at, ends))
        asked, today = lawful, local_date_of(lawful, wish.place.zone)
    return None


def _search_house(wish: _Wish, asked: datetime, today: date, last: datetime) -> tuple[datetime, datetime] | None:
    """The first moment in [asked, last) that the house's own limits allow, and when it ends."""
    day = today - _ONE_DAY
    best: tuple[datetime, datetime] | None = None
    # The day after the last one is looked at too, as far as clocks may have changed; a later one begins after `last`.
    for _ in range(min((local_date_of(last, wish.place.zone) - day).days + 2, HORIZON_DAYS + 4)):
        found = _on_day(wish, day, asked)
        if found is not None and (best is None or found < best):
            best = found
        # Where the clocks change at midnight two local days may interleave: then the next day is looked at too.
        if best is not None and (found is None or not changes_offset(wish.place.zone, day)):
            break
        day += _ONE_DAY
    return best if best is not None and best[0] < last else None


def _on_day(wish: _Wish, day: date, asked: datetime) -> tuple[datetime, datetime] | None:
    if wish.budget.full_on(day) or closed(day, wish.limits, wish.channel, wish.place, firm=wish.firm):
        return None
    for span in open_spans(day, wish.limits, wish.channel, wish.place):
        at = wish.budget.clear_from(max(span.start, asked))
        if at < span.end:
            return at, wish.budget.clear_until(at, span.end)
    return None


def _why(refusals: Sequence[Refusal], at: datetime, place: Place) -> str:
    local = at.astimezone(zone_of(place.zone))
    moment = f"{day_text(local.date())} at {local:%H:%M}"
    if not refusals:
        return f"allowed on {moment}"
    return f"{_reasons(refusals, place)}; first allowed on {moment}"


def _no_moment(refusals: Sequence[Refusal], last: datetime, place: Place) -> str:
    before = day_text(local_date_of(last, place.zone))
    if not refusals:
        return f"there is no moment left before {before}"
    return f"{_reasons(refusals, place)}; no allowed moment before {before}"


def _reasons(refusals: Sequence[Refusal], place: Place) -> str:
    note = calendar_note(place)
    reasons = "; ".join(refusal.why for refusal in refusals)
    return f"{reasons} ({note})" if note else reasons
