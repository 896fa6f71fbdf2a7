"""When one rule opens: the windows of a day, the debtor's own hours, full days, waits and rests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from policies.hours import changes_offset, local_date_of, local_spans
from policies.law.base import holds
from policies.law.count import CountedDays
from policies.law.days import Holidays, day_start
from policies.law.model import Hours, Moratorium, NoticeWait
from policies.law.vocabulary import plain
from policies.manual_model import WEEKDAYS, parse_window

HORIZON_DAYS = 400
"""How far ahead a moment is looked for."""
Opens = Callable[[datetime], "datetime | None"]
"""The first instant from the given one on that a rule allows; None when it never does."""
_ONE_DAY = timedelta(days=1)


def always(at: datetime) -> datetime:
    """The answer of a rule that allows everything."""
    return at


def never(at: datetime) -> datetime | None:
    """The answer of a rule that allows nothing."""
    return None


def by_days(zone: str, full: CountedDays | None) -> Opens:
    """Allowed on the local days that are not full."""
    if full is None:
        return always

    def opens(at: datetime) -> datetime | None:
        day = local_date_of(at, zone)
        if not full.refuses(day):
            return at
        for _ in range(HORIZON_DAYS):
            day += _ONE_DAY
            if not full.refuses(day):
                return max(at, day_start(zone, day))
        return None

    return opens


class HoursOpen:
    """The windows of a rule of hours in one zone."""

    def __init__(self, rule: Hours, holidays: Holidays, zone: str, facts: Mapping[str, Any]) -> None:
        self._windows = {day: [parse_window(text) for text in rule.windows.get(day, ())] for day in WEEKDAYS}
        self._closed_on = holidays.name if rule.holidays == "closed" else None
        self._zone = zone
        agreed = facts.get("agreed_hours")
        if agreed and rule.agreed is not None and holds(rule.agreed, facts):
            also = parse_window(f"{agreed[0]}-{agreed[1]}")
            self._windows = {day: [*windows, also] if windows else windows for day, windows in self._windows.items()}

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
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
        self._wanted = parse_window(f"{wanted[0]}-{wanted[1]}") if wanted else (0, 24 * 60)
        self._unwanted: dict[str, list[tuple[int, int]]] = {day: [] for day in WEEKDAYS}
        for block in facts.get("inconvenient") or ():
            for day in block.get("days") or WEEKDAYS:
                self._unwanted[str(day)[:3].lower()].append(parse_window(f"{block['from']}-{block['to']}"))

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        free = [self._wanted]
        for start, end in self._unwanted[WEEKDAYS[day.weekday()]]:
            halves = [half for low, high in free for half in ((low, min(high, start)), (max(low, end), high))]
            free = [(low, high) for low, high in halves if low < high]
        return [(s.start, s.end) for low, high in free for s in local_spans(self._zone, day, low, high)]

    def __call__(self, at: datetime) -> datetime | None:
        return first_in_spans(at, self._zone, self._spans)

    def closes(self, at: datetime) -> datetime:
        """When the stretch of wanted time that holds `at` ends."""
        return _span_end(at, self._zone, self._spans)


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
    sent = facts.get(rule.notice)
    if rule.notice == "action_notice_sent":
        missing = not sent
    else:
        missing = bool(plain("notice_never_sent", facts))
    if missing:
        return never
    if not sent:
        return always
    return _from_day(zone, _as_date(sent) + timedelta(days=rule.days))


def moratorium(rule: Moratorium, facts: Mapping[str, Any], zone: str) -> Opens:
    start = facts.get(rule.start)
    if not start and (rule.end is None or not facts.get(rule.end)):
        return always
    first = _as_date(start) if start else date.min
    if rule.end is not None:
        end = facts.get(rule.end)
        return _between(zone, first, _as_date(end) + timedelta(days=rule.days + 1) if end else None)
    return _between(zone, first, first + timedelta(days=rule.days))


def _from_day(zone: str, day: date) -> Opens:
    start = day_start(zone, day)
    return lambda at: max(at, start)


def _between(zone: str, first: date, free: date | None) -> Opens:
    """Closed from `first` until the local day `free` begins; for good when nobody knows the end."""

    def opens(at: datetime) -> datetime | None:
        day = local_date_of(at, zone)
        if day < first or (free is not None and day >= free):
            return at
        return None if free is None else max(at, day_start(zone, free))

    return opens


def _as_date(given: Any) -> date:
    return given if isinstance(given, date) and not isinstance(given, datetime) else date.fromisoformat(str(given)[:10])
