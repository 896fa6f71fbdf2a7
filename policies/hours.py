"""When a contact may start by the clock and the calendar of the debtor's place (F45).

A window is half-open, [open, close), and is read off the debtor's wall clock: an instant is inside when its local time is. So a
window in the hour that spring skips does not open that day, and one in the hour that autumn repeats opens twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, reset_tzpath

from policies.calendars import coverage, good_friday, holiday_name
from policies.manual import WEEKDAYS, Limits, Weekday, parse_window
from policies.terms import Channel

# The pinned tzdata package, never the system's tables (they are wrong for parts of Canada).
reset_tzpath(to=[])

_ONE_DAY = timedelta(days=1)
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Place(NamedTuple):
    """Where the debtor is (IANA zone, ISO country, region) and where the sender is, for holidays."""

    zone: str
    country: str
    region: str
    creditor_country: str


class Span(NamedTuple):
    """From an instant (included) to another (excluded), in UTC."""

    start: datetime
    end: datetime


class Closed(NamedTuple):
    """Why no contact may start on a whole local day."""

    rule: str
    why: str


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name; raises ValueError that says what to write."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone: write an IANA name such as America/Bogota") from error


@lru_cache(maxsize=16384)
def local_date_of(at: datetime, zone: str) -> date:
    """The debtor's calendar day at that instant."""
    return at.astimezone(zone_of(zone)).date()


@lru_cache(maxsize=4096)
def day_text(day: date) -> str:
    """`Tuesday 8 December 2026`, for reasons."""
    return f"{_DAY_NAMES[day.weekday()]} {day.day} {day:%B %Y}"


@lru_cache(maxsize=16384)
def _offsets(zone: str, day: date) -> tuple[tuple[datetime, datetime, timedelta], ...]:
    """The stretches of constant UTC offset around a local day: (start, end, offset), wide enough to hold all of the day."""
    tz = zone_of(zone)
    noon = datetime.combine(day, time(12), tzinfo=UTC)
    marks = [noon + timedelta(hours=hours) for hours in range(-30, 31, 10)]
    found: list[tuple[datetime, datetime, timedelta]] = []
    start = marks[0]
    for earlier, later in zip(marks, marks[1:], strict=False):
        before, after = _offset(earlier, tz), _offset(later, tz)
        if before != after:
            change = _change(earlier, later, tz)
            found.append((start, change, before))
            start = change
    found.append((start, marks[-1], _offset(marks[-1], tz)))
    return tuple(found)


def _offset(at: datetime, tz: ZoneInfo) -> timedelta:
    offset = at.astimezone(tz).utcoffset()
    assert offset is not None, "a ZoneInfo always has an offset"
    return offset


def _change(earlier: datetime, later: datetime, tz: ZoneInfo) -> datetime:
    """The first whole second in (earlier, later] that has the later offset."""
    new = _offset(later, tz)
    low, high = 0, int((later - earlier).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(earlier + timedelta(seconds=middle), tz) == new:
            high = middle
        else:
            low = middle
    return earlier + timedelta(seconds=high)


def changes_offset(zone: str, day: date) -> bool:
    """True near a change of the clocks, where local days may not follow each other in order."""
    return len(_offsets(zone, day)) > 1


def local_spans(zone: str, day: date, opens: int, closes: int) -> list[Span]:
    """The instants of a local day whose wall clock is in [opens, closes) minutes; none, one or (in a fold) two spans."""
    midnight = datetime.combine(day, time(0), tzinfo=UTC)
    found: list[Span] = []
    for start, end, offset in _offsets(zone, day):
        span_start = max(midnight + timedelta(minutes=opens) - offset, start)
        span_end = min(midnight + timedelta(minutes=closes) - offset, end)
        if span_start < span_end:
            found.append(Span(span_start, span_end))
    return found


def windows_of(limits: Limits, channel: Channel, day: date) -> tuple[str, ...]:
    """The windows of that weekday: the channel's own where it names the weekday, else those for all channels."""
    weekday: Weekday = WEEKDAYS[day.weekday()]
    own = limits.channel_windows.get(channel)
    if own is not None and weekday in own:
        return own[weekday]
    return limits.windows.get(weekday, ())


@lru_cache(maxsize=16384)
def _in_list(day: date, closed: tuple[str, ...]) -> str | None:
    """The entry of a list of closed days that names this day."""
    month_day = f"{day:%m-%d}"
    for entry in closed:
        if entry == "good_friday":
            if day == good_friday(day.year):
                return entry
        elif ".." in entry:
            first, last = entry.split("..")
            if (first <= month_day <= last) if first <= last else (month_day >= first or month_day <= last):
                return entry
        elif entry in (month_day, day.isoformat()):
            return entry
    return None


def _holiday(day: date, place: Place) -> str | None:
    name = holiday_name(day, place.country, place.region)
    if name is not None:
        return f"{name} ({place.country})"
    if place.creditor_country and place.creditor_country != place.country:
        name = holiday_name(day, place.creditor_country)
        if name is not None:
            return f"{name} (sender's place, {place.creditor_country})"
    return None


def closed(day: date, limits: Limits, channel: Channel, place: Place, *, firm: bool) -> list[Closed]:
    """Every rule that closes the whole local day for this channel; empty when some window of it may open."""
    found: list[Closed] = []
    on = day_text(day)
    if not windows_of(limits, channel, day):
        found.append(Closed("hours.window", f"{on} has no window for {channel}"))
    entry = _in_list(day, limits.closed_days)
    if entry is not None:
        found.append(Closed("hours.closed_day", f"{on} is a closed day of the house ({entry})"))
    if limits.holidays:
        holiday = _holiday(day, place)
        if holiday is not None:
            found.append(Closed("hours.holiday", f"{on} is a public holiday: {holiday}"))
    if firm:
        found.extend(_firm(day, on, limits, place))
    return found


def _firm(day: date, on: str, limits: Limits, place: Place) -> list[Closed]:
    found: list[Closed] = []
    if WEEKDAYS[day.weekday()] not in limits.firm_days:
        found.append(Closed("hours.firm_day", f"{on} is not a day for a firm rung"))
    entry = _in_list(day, limits.firm_closed_days)
    if entry is not None:
        found.append(Closed("hours.firm_closed_day", f"{on} is closed for firm rungs ({entry})"))
    if not limits.firm_eves:
        eve = _holiday(day + _ONE_DAY, place)
        if eve is not None:
            found.append(Closed("hours.firm_eve", f"{on} is the eve of a public holiday: {eve}"))
    return found


def open_spans(day: date, limits: Limits, channel: Channel, place: Place) -> list[Span]:
    """The instants of the local day inside the channel's windows, in order and joined where they touch."""
    return list(_spans(place.zone, day, windows_of(limits, channel, day)))


@lru_cache(maxsize=16384)
def _spans(zone: str, day: date, windows: tuple[str, ...]) -> tuple[Span, ...]:
    return tuple(_joined(sorted(span for window in windows for span in local_spans(zone, day, *parse_window(window)))))


def _joined(spans: Sequence[Span]) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def calendar_note(place: Place) -> str:
    """What is not known of the debtor's holidays, as a sentence; empty when all is."""
    return coverage(place.country, place.region).note
