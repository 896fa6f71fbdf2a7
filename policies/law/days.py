"""Local days: the holidays of a pack, and where a debtor's day begins and ends in UTC."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from dateutil.easter import easter

from policies.calendars import holiday_name
from policies.hours import local_date_of, local_spans
from policies.law.model import Calendar, DayEntry, Pack
from policies.manual_model import WEEKDAYS

_ONE_DAY = timedelta(days=1)
_MINUTES = 24 * 60


def _dated(year: int, month_day: str) -> date:
    """That day of the year; where it has no 29 February, 1 March."""
    month, _, number = month_day.partition("-")
    return date(year, int(month), 1) + timedelta(days=int(number) - 1)


def _names(entry: DayEntry, day: date) -> bool:
    if (entry.from_ is not None and day < entry.from_) or (entry.until is not None and day > entry.until):
        return False
    if entry.day == "sunday":
        return day.weekday() == 6
    if entry.day == "saturday":
        return day.weekday() == 5
    if entry.day.startswith("easter"):
        return day == easter(day.year) + timedelta(days=int(entry.day.removeprefix("easter")))
    if ">=" in entry.day:
        weekday, _, first = entry.day.partition(">=")
        return WEEKDAYS[day.weekday()] == weekday and any(
            0 <= (day - _dated(year, first)).days < len(WEEKDAYS) for year in (day.year, day.year - 1)
        )
    return entry.day in (f"{day:%m-%d}", day.isoformat())


class Holidays:
    """The days a pack calls holidays; asked often, so remembered."""

    def __init__(self, pack: Pack) -> None:
        self._calendar: Calendar = pack.calendar
        self._known: dict[date, str | None] = {}

    def name(self, day: date) -> str | None:
        """The holiday's name, or None on an ordinary day."""
        if day not in self._known:
            self._known[day] = self._find(day)
        return self._known[day]

    def _find(self, day: date) -> str | None:
        calendar = self._calendar
        for entry in calendar.extra:
            if _names(entry, day):
                return entry.name
        if not calendar.country or any(_names(entry, day) for entry in calendar.drop):
            return None
        return holiday_name(day, calendar.country, calendar.region)


def dated(given: Any, zone: str) -> date:
    """The local date that a fact states; of an instant, the debtor's day. Raises ValueError for what is neither."""
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise ValueError(f"{given!r} is not a date or an instant: write 2026-12-08 or 2026-12-08T09:00:00-05:00") from None
    if not isinstance(given, datetime):
        day: date = given
        return day
    return given.date() if given.tzinfo is None else local_date_of(given, zone)


@lru_cache(maxsize=65536)
def day_start(zone: str, day: date) -> datetime:
    """The first instant of a local day, in UTC (a day that a zone skipped begins with the next one)."""
    while True:
        spans = local_spans(zone, day, 0, _MINUTES)
        if spans:
            return min(span.start for span in spans)
        day += _ONE_DAY
