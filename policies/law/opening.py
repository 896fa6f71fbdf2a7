"""When one rule opens: the windows of a day, the debtor's own hours, full days, waits and rests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from policies.hours import changes_offset, local_date_of, local_spans
from policies.law.base import holds
from policies.law.count import FOR_EVER, CountedDays
from policies.law.days import Holidays, dated, day_start
from policies.law.model import Hours, Moratorium, NoticeWait
from policies.law.vocabulary import plain
from policies.manual_model import WEEKDAYS, Weekday, parse_window

HORIZON_DAYS = 400
"""How far ahead a moment is looked for."""
Opens = Callable[[datetime], "datetime | None"]
"""The first instant from the given one on that a rule allows; None when it never does."""
_ONE_DAY = timedelta(days=1)
_DAYS_KEPT = 2000


def always(at: datetime) -> datetime:
    """The answer of a rule that allows everything."""
    return at


def never(at: datetime) -> datetime | None:
    """The answer of a rule that allows nothing."""
    return None


class DaysOpen:
    """Allowed on the local days that are not full."""

    def __init__(self, zone: str, full: CountedDays) -> None:
        self._zone, self._full = zone, full

    def __call__(self, at: datetime) -> datetime | None:
        day = local_date_of(at, self._zone)
        if not self._full.refuses(day):
            return at
        for _ in range(HORIZON_DAYS):
            day += _ONE_DAY
            if not self._full.refuses(day):
                return max(at, day_start(self._zone, day))
        return None

    def closes(self, at: datetime) -> datetime:
        """When the next local day begins, if it is full; else the day after it, which nobody asked about."""
        day = local_date_of(at, self._zone) + _ONE_DAY
        return day_start(self._zone, day if self._full.refuses(day) else day + _ONE_DAY)


def by_days(zone: str, full: CountedDays | None) -> Opens:
    """Allowed on the local days that are not full; always where nothing counts."""
    return always if full is None else DaysOpen(zone, full)


def stretches(opens: str, closes: str) -> list[tuple[int, int]]:
    """The minutes of the day from one time to another; past midnight it is the end of the day and its beginning."""
    if opens < closes:
        return [parse_window(f"{opens}-{closes}")]
    night = [parse_window(f"{opens}-24:00")]
    return night if closes == "00:00" else [*night, parse_window(f"00:00-{closes}")]


class HoursOpen:
    """The windows of a rule of hours in one zone."""

    def __init__(self, rule: Hours, holidays: Holidays, zone: str, facts: Mapping[str, Any]) -> None:
        self._windows = {day: [parse_window(text) for text in rule.windows.get(day, ())] for day in WEEKDAYS}
        self._closed_on = holidays.name if rule.holidays == "closed" else None
        self._zone = zone
        self._known: dict[date, list[tuple[datetime, datetime]]] = {}
        agreed = facts.get("agreed_hours")
        if agreed and rule.agreed is not None and holds(rule.agreed, facts):
            # A day that is closed as a whole stays closed: other hours were agreed, not other days.
            also = stretches(*agreed)
            self._windows = {day: [*windows, *also] if windows else windows for day, windows in self._windows.items()}

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        found = self._known.get(day)
        if found is None:
            if len(self._known) > _DAYS_KEPT:
                self._known.clear()
            found = self._known[day] = self._find(day)
        return found

    def _find(self, day: date) -> list[tuple[datetime, datetime]]:
        windows = self._windows[WEEKDAYS[day.weekday()]]
        if not windows or (self._closed_on is not None and self._closed_on(day) is not None):
            return []
        return [(s.start, s.end) for opens, closes in windows for s in local_spans(self._zone, day, opens, closes)]

    def __call__(self, at: datetime) -> datetime | None:
        return first_in_spans(at, self._zone, self._spans)

    def closes(self, at: datetime) -> datetime:
        """When the window that holds `at` ends; `at` itself outside of all."""
        return _span_end(at, self._zone, self._spans)


class WishesOpen:
    """The debtor's own hours in one zone."""

    def __init__(self, facts: Mapping[str, Any], zone: str) -> None:
        self._zone = zone
        wanted = facts.get("preferred_window")
        self._wanted = stretches(*wanted) if wanted else [(0, 24 * 60)]
        self._unwanted: dict[str, list[tuple[int, int]]] = {day: [] for day in WEEKDAYS}
        for block in facts.get("inconvenient") or ():
            evening, *morning = stretches(block["from"], block["to"])
            for day in block.get("days") or WEEKDAYS:
                named = str(day)[:3].lower()
                self._unwanted[named].append(evening)
                # The night of a Monday ends on Tuesday morning.
                self._unwanted[_next_weekday(named)].extend(morning)

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        free = self._wanted
        for start, end in self._unwanted[WEEKDAYS[day.weekday()]]:
            halves = [half for low, high in free for half in ((low, min(high, start)), (max(low, end), high))]
            free = [(low, high) for low, high in halves if low < high]
        return [(s.start, s.end) for low, high in free for s in local_spans(self._zone, day, low, high)]

    def __call__(self, at: datetime) -> datetime | None:
        return first_in_spans(at, self._zone, self._spans)

    def closes(self, at: datetime) -> datetime:
        """When the stretch of wanted time that holds `at` ends."""
        return _span_end(at, self._zone, self._spans)


def _next_weekday(day: str) -> Weekday:
    return WEEKDAYS[(WEEKDAYS.index(day) + 1) % len(WEEKDAYS)]


def first_in_spans(at: datetime, zone: str, spans: Callable[[date], list[tuple[datetime, datetime]]]) -> datetime | None:
    """The first instant at or after `at` inside the spans of the local days."""
    day = local_date_of(at, zone) - _ONE_DAY
    best: datetime | None = None
    for _ in range(HORIZON_DAYS + 4):
        later = [max(start, at) for start, end in spans(day) if end > at]
        if later:
            best = min(later) if best is None else min(best, *later)
        # Where the clocks change at midnight two local days may interleave: then the next day is looked at too.
        if best is not None and not changes_offset(zone, day):
            return best
        day += _ONE_DAY
    return best


def _span_end(at: datetime, zone: str, spans: Callable[[date], list[tuple[datetime, datetime]]]) -> datetime:
    today = local_date_of(at, zone)
    ends = [end for start, end in spans(today) if start <= at < end]
    return max(ends, default=at)


def notice(rule: NoticeWait, facts: Mapping[str, Any], zone: str) -> Opens:
    """The wait after a notice. The first one went out long ago unless the facts say otherwise; that of an action did not."""
    sent = facts.get(rule.notice)
    of_action = rule.notice == "action_notice_sent"
    missing = plain("action_notice_missing" if of_action else "notice_never_sent", facts)
    if missing or (not sent and (of_action or rule.notice in facts)):
        return never
    if not sent:
        return always
    start = day_start(zone, dated(sent, zone) + timedelta(days=rule.days))
    return lambda at: max(at, start)


def moratorium(rule: Moratorium, facts: Mapping[str, Any], zone: str) -> Opens:
    """The rest that the facts state; an end that is stated alone says that it has begun."""
    start = facts.get(rule.start)
    end = facts.get(rule.end) if rule.end is not None else None
    if not start and not end:
        # A rest that lasts until something ends, of which nobody knows when it began or ends, is going on.
        return always if rule.end is None else never
    first = dated(start, zone) if start else date.min
    if rule.end is None:
        return Resting(zone, first, first + timedelta(days=rule.days))
    return Resting(zone, first, dated(end, zone) + timedelta(days=rule.days + 1) if end else None)


class Resting:
    """Closed from the local day `first` until the local day `free` begins; for good when nobody knows the end."""

    def __init__(self, zone: str, first: date, free: date | None) -> None:
        self._zone, self._first, self._free = zone, first, free

    def __call__(self, at: datetime) -> datetime | None:
        day = local_date_of(at, self._zone)
        if day < self._first or (self._free is not None and day >= self._free):
            return at
        return None if self._free is None else max(at, day_start(self._zone, self._free))

    def closes(self, at: datetime) -> datetime:
        """When the rest begins, if it is still to come."""
        return day_start(self._zone, self._first) if local_date_of(at, self._zone) < self._first else FOR_EVER
