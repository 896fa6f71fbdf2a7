"""Days and minutes by plain comparison: times of the day, weeks, runs of days and the holidays of a pack."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from policies.calendars import holiday_name
from policies.law import model
from policies.manual_model import WEEKDAYS

ALL_MINUTES = frozenset(range(24 * 60))
NONE = frozenset[int]()


def minute_of(text: str) -> int:
    """`09:30` as minutes of the day; `24:00` is the end of it."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def between(opens: str, closes: str) -> frozenset[int]:
    """The minutes of a half-open stretch of the day; one that ends before it begins goes over midnight."""
    first, last = minute_of(opens), minute_of(closes)
    if first < last:
        return frozenset(range(first, last))
    return frozenset(range(first, 24 * 60)) | frozenset(range(0, last))


def easter_sunday(year: int) -> date:
    """Western Easter by the anonymous Gregorian computus."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, f = b // 4, b % 4, (b + 8) // 25
    h = (19 * a + b - d - (b - f + 1) // 3 + 15) % 30
    k = (32 + 2 * e + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    n = h + k - 7 * m + 114
    return date(year, n // 31, n % 31 + 1)


def _names_day(entry: model.DayEntry, day: date) -> bool:
    if entry.from_ is not None and day < entry.from_:
        return False
    if entry.until is not None and day > entry.until:
        return False
    text = entry.day
    if text in ("sunday", "saturday"):
        return day.weekday() == {"saturday": 5, "sunday": 6}[text]
    if text.startswith("easter"):
        return day - easter_sunday(day.year) == timedelta(days=int(text.removeprefix("easter")))
    if ">=" in text:
        weekday, month_day = text.split(">=")
        starts = [_on_or_after(year, month_day) for year in (day.year - 1, day.year)]
        return WEEKDAYS[day.weekday()] == weekday and any(0 <= (day - start).days < 7 for start in starts)
    return text in (day.isoformat(), day.isoformat()[5:])


def _on_or_after(year: int, month_day: str) -> date:
    """That day of the year; 29 February of an ordinary year is 1 March."""
    month, number = map(int, month_day.split("-"))
    return date(year, month, 1) + timedelta(days=number - 1)


def is_holiday(calendar: model.Calendar, day: date) -> bool:
    """Whether the pack's calendar calls the day a holiday."""
    if any(_names_day(entry, day) for entry in calendar.extra):
        return True
    if any(_names_day(entry, day) for entry in calendar.drop):
        return False
    return bool(calendar.country) and holiday_name(day, calendar.country, calendar.region) is not None


def monday(day: date) -> date:
    """The first day of the week that holds this one."""
    return day - timedelta(days=day.weekday())


def run_is_full(dates: Sequence[date], day: date, length: int, most: int) -> bool:
    """Whether some run of `length` local dates that holds `day` would hold more than `most` with one more on `day`."""
    for back in range(length):
        first = day - timedelta(days=back)
        last = first + timedelta(days=length - 1)
        if sum(first <= on <= last for on in dates) + 1 > most:
            return True
    return False
