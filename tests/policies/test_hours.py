from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from policies.hours import Place, calendar_note, closed, local_spans, open_spans, zone_of
from policies.manual import Limits, builtin_manual
from policies.terms import Channel

ANA = Place("America/Bogota", "CO", "", "CO")
CONSUMER = builtin_manual("b2c_subscription").limits
COMPANY = builtin_manual("b2b_sme").limits


def at(zone: str, text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def inside(moment: datetime, limits: Limits, channel: Channel, place: Place) -> bool:
    day = moment.astimezone(ZoneInfo(place.zone)).date()
    return any(span.start <= moment < span.end for span in open_spans(day, limits, channel, place))


@pytest.mark.parametrize(
    ("zone", "local", "channel", "may"),
    [
        ("America/Bogota", "2026-03-10 08:59:59", Channel.SMS, False),
        ("America/Bogota", "2026-03-10 09:00:00", Channel.SMS, True),
        ("America/Bogota", "2026-03-10 18:59:59", Channel.SMS, True),
        ("America/Bogota", "2026-03-10 19:00:00", Channel.SMS, False),
        ("Europe/Madrid", "2026-03-10 18:59:00", Channel.SMS, True),
        ("Europe/Madrid", "2026-03-10 19:00:00", Channel.SMS, False),
        ("America/Bogota", "2026-03-14 09:59:00", Channel.SMS, False),  # Saturday
        ("America/Bogota", "2026-03-14 10:00:00", Channel.SMS, True),
        ("America/Bogota", "2026-03-14 10:00:00", Channel.VOICE, False),  # messages only
        ("America/Bogota", "2026-03-13 10:00:00", Channel.VOICE, True),  # a channel's own windows bind only the days they name
        ("America/Bogota", "2026-03-14 12:59:00", Channel.EMAIL, True),
        ("America/Bogota", "2026-03-14 13:00:00", Channel.EMAIL, False),
        ("America/Bogota", "2026-03-15 11:00:00", Channel.EMAIL, False),  # Sunday
    ],
)
def test_a_window_takes_its_opening_minute_and_leaves_its_closing_one(zone: str, local: str, channel: Channel, may: bool) -> None:
    assert inside(at(zone, local), CONSUMER, channel, ANA._replace(zone=zone)) is may


@pytest.mark.parametrize(
    ("day", "limits", "firm", "place", "rules"),
    [
        (date(2026, 12, 7), CONSUMER, False, ANA, []),
        (date(2026, 12, 8), CONSUMER, False, ANA, ["hours.holiday"]),
        (date(2026, 12, 7), CONSUMER, True, ANA, ["hours.firm_eve"]),
        (date(2026, 4, 3), CONSUMER, False, ANA, ["hours.closed_day", "hours.holiday"]),  # Good Friday
        (date(2026, 4, 4), CONSUMER, False, ANA, []),
        (date(2026, 12, 24), CONSUMER, False, ANA, ["hours.closed_day"]),
        (date(2026, 12, 23), CONSUMER, False, ANA, []),
        (date(2026, 3, 12), CONSUMER, True, ANA, []),  # Thursday
        (date(2026, 3, 13), CONSUMER, True, ANA, ["hours.firm_day"]),  # Friday
        (date(2026, 3, 13), CONSUMER, False, ANA, []),
        (date(2026, 3, 15), CONSUMER, False, ANA, ["hours.window"]),  # Sunday
        (date(2026, 12, 22), COMPANY, True, ANA, []),
        (date(2026, 12, 23), COMPANY, True, ANA, ["hours.firm_closed_day"]),
        (date(2026, 12, 23), COMPANY, False, ANA, []),
        (date(2029, 1, 2), COMPANY, True, ANA, ["hours.firm_closed_day"]),
        (date(2029, 1, 3), COMPANY, True, ANA, []),
        (date(2026, 9, 16), CONSUMER, False, ANA._replace(creditor_country="MX"), ["hours.holiday"]),  # the sender's holiday
        (date(2026, 9, 16), CONSUMER, False, ANA, []),
        (date(2026, 7, 9), CONSUMER, False, Place("America/Sao_Paulo", "BR", "SP", "BR"), ["hours.holiday"]),
        (date(2026, 7, 9), CONSUMER, False, Place("America/Sao_Paulo", "BR", "RJ", "BR"), []),
    ],
)
def test_a_day_is_closed_by_every_rule_that_says_so(
    day: date, limits: Limits, firm: bool, place: Place, rules: list[str]
) -> None:
    assert [c.rule for c in closed(day, limits, Channel.EMAIL, place, firm=firm)] == rules


def spans_of(zone: str, day: date, window: tuple[int, int]) -> list[tuple[str, str]]:
    return [(f"{s.start:%H:%M}", f"{s.end:%H:%M}") for s in local_spans(zone, day, *window)]


def test_the_hour_that_spring_skips_does_not_open() -> None:
    assert spans_of("America/New_York", date(2026, 3, 8), (120, 180)) == []
    assert spans_of("America/New_York", date(2026, 3, 7), (120, 180)) == [("07:00", "08:00")]
    assert spans_of("America/New_York", date(2026, 3, 8), (90, 210)) == [("06:30", "07:00"), ("07:00", "07:30")]


def test_the_hour_that_autumn_repeats_opens_both_times() -> None:
    assert spans_of("America/New_York", date(2026, 11, 1), (75, 105)) == [("05:15", "05:45"), ("06:15", "06:45")]
    assert spans_of("America/New_York", date(2026, 11, 1), (60, 120)) == [("05:00", "06:00"), ("06:00", "07:00")]
    whole = Limits(windows={"sun": ("01:00-02:00",)})
    joined = open_spans(date(2026, 11, 1), whole, Channel.EMAIL, Place("America/New_York", "US", "NY", "US"))
    assert [(f"{s.start:%H:%M}", f"{s.end:%H:%M}") for s in joined] == [("05:00", "07:00")]


def test_a_day_that_the_date_line_swallowed_has_no_moment() -> None:
    assert local_spans("Pacific/Apia", date(2011, 12, 30), 0, 1440) == []
    assert len(local_spans("Pacific/Apia", date(2011, 12, 31), 0, 1440)) == 1


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("America/Santiago", date(2026, 9, 6), 23 * 60),  # skips its first hour
        ("America/Santiago", date(2026, 4, 4), 25 * 60),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24 * 60 + 30),
        ("Europe/Madrid", date(2026, 10, 25), 25 * 60),
        ("Asia/Kathmandu", date(2026, 10, 25), 24 * 60),
        ("America/St_Johns", date(2010, 11, 6), 24 * 60 + 59),  # went back at one minute past midnight
    ],
)
def test_the_spans_of_a_whole_day_are_as_long_as_the_day(zone: str, day: date, minutes: int) -> None:
    spans = local_spans(zone, day, 0, 1440)
    assert sum((s.end - s.start for s in spans), timedelta()) == timedelta(minutes=minutes)
    tz = ZoneInfo(zone)
    assert all(s.start.astimezone(tz).date() == day for s in spans)


def test_the_pinned_zone_tables_are_used_and_not_those_of_the_system() -> None:
    # From November 2026 British Columbia keeps UTC-7 all year (tzdata 2026b); older tables open it an hour late.
    assert at("America/Vancouver", "2027-01-15 07:00").hour == 14


def test_an_unknown_zone_is_named_with_what_to_write() -> None:
    with pytest.raises(ValueError, match="'Bogota' is not a time zone: write an IANA name"):
        zone_of("Bogota")


def test_a_place_without_a_calendar_is_mentioned() -> None:
    assert "only weekends" in calendar_note(Place("UTC", "XX", "", "CO"))
    assert calendar_note(ANA) == ""
