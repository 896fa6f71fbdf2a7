from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contactable import Place, Verdict, first_allowed
from policies.facts import BudgetEntry
from policies.manual import WEEKDAYS, Cap, Limits, Weekday, builtin_manual
from policies.terms import AttemptState, Channel
from tests.policies.samples import NOW, entry, every

ANA = Place("America/Bogota", "CO", "", "CO")
CONSUMER = builtin_manual("b2c_subscription").limits
OWN = ("mine", "1.1.S4.0")


def ask(
    asked: datetime,
    limits: Limits = CONSUMER,
    entries: Sequence[BudgetEntry] = (),
    *,
    place: Place = ANA,
    firm: bool = False,
    channel: Channel = Channel.EMAIL,
    until: datetime | None = None,
) -> Verdict:
    return first_allowed(
        asked, channel=channel, person_id="ana", budget=entries, own=OWN, firm=firm, place=place, limits=limits, until=until
    )


def bogota(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/Bogota")).astimezone(UTC)


@pytest.mark.parametrize(
    ("asked", "firm", "first", "rules"),
    [
        ("2026-03-10 09:00", False, "2026-03-10 09:00", ()),
        ("2026-03-10 08:59", False, "2026-03-10 09:00", ("hours.window",)),
        ("2026-03-10 19:00", False, "2026-03-11 09:00", ("hours.window",)),
        ("2026-03-14 13:00", False, "2026-03-16 09:00", ("hours.window",)),  # Saturday afternoon -> Monday
        ("2026-12-08 10:00", False, "2026-12-09 09:00", ("hours.holiday",)),
        ("2026-12-07 10:00", True, "2026-12-09 09:00", ("hours.firm_eve",)),
        ("2026-04-02 10:00", False, "2026-04-04 10:00", ("hours.holiday",)),  # Maundy Thursday, Good Friday -> Saturday
        ("2026-03-12 18:59", True, "2026-03-12 18:59", ()),
        ("2026-03-12 19:00", True, "2026-03-16 09:00", ("hours.window",)),  # no firm rung on a Friday
        ("2026-12-31 10:00", False, "2027-01-02 10:00", ("hours.closed_day",)),
    ],
)
def test_it_waits_for_the_first_moment_that_hours_and_days_allow(
    asked: str, firm: bool, first: str, rules: tuple[str, ...]
) -> None:
    verdict = ask(bogota(asked), firm=firm)
    assert (verdict.at, verdict.rules, verdict.allowed) == (bogota(first), rules, not rules)


def test_it_waits_until_the_cap_and_the_gap_have_room() -> None:
    made = [entry(bogota("2026-03-09 10:00")), entry(bogota("2026-03-06 10:00"))]
    verdict = ask(bogota("2026-03-10 10:00"), entries=made)
    assert verdict.rules == ("budget.7d.person", "budget.gap")
    assert verdict.at == bogota("2026-03-13 09:00")  # the 6th has left the seven dates
    assert "Friday 13 March 2026 at 09:00" in verdict.why


def test_the_gap_may_end_in_the_middle_of_a_window() -> None:
    verdict = ask(bogota("2026-03-11 09:00"), entries=[entry(bogota("2026-03-09 15:30"))])
    assert (verdict.at, verdict.rules) == (bogota("2026-03-11 15:30"), ("budget.gap",))


def test_a_slot_reserved_later_is_respected() -> None:
    planned = entry(bogota("2026-03-11 10:00"), state=AttemptState.PLANNED)
    verdict = ask(bogota("2026-03-10 10:00"), entries=[planned])
    assert (verdict.allowed, verdict.at) == (False, bogota("2026-03-13 10:00"))


def test_the_window_ends_when_the_day_closes_or_the_gap_to_a_reserved_slot_begins() -> None:
    assert ask(bogota("2026-03-10 10:00")).window_ends == bogota("2026-03-10 19:00")
    planned = entry(bogota("2026-03-12 12:00"), state=AttemptState.PLANNED)
    ends = ask(bogota("2026-03-10 10:00"), entries=[planned]).window_ends
    assert ends == bogota("2026-03-10 12:00") + timedelta(microseconds=1)


def test_every_rule_that_refuses_is_named() -> None:
    verdict = ask(bogota("2026-12-06 20:00"), entries=[entry(bogota("2026-12-06 10:00"))], firm=True)
    assert verdict.rules == ("hours.window", "hours.firm_day", "budget.1d.person", "budget.gap")


def test_nothing_at_or_after_the_end_counts() -> None:
    assert ask(bogota("2026-03-10 08:00"), until=bogota("2026-03-10 09:00")).at is None
    assert ask(bogota("2026-03-10 08:00"), until=bogota("2026-03-10 09:01")).at == bogota("2026-03-10 09:00")
    refused = ask(bogota("2026-03-10 10:00"), until=bogota("2026-03-10 10:00"))
    assert (refused.at, refused.window_ends) == (None, bogota("2026-03-10 10:00"))


def test_what_never_opens_is_said_and_not_searched_for_ever() -> None:
    never = ask(NOW, Limits(contacts=(Cap(max=0, days=1),)))
    assert (never.allowed, never.at) == (False, None)
    assert "no allowed moment before" in never.why


def test_an_unknown_calendar_is_mentioned_in_the_reason() -> None:
    verdict = ask(bogota("2026-03-10 08:00"), place=Place("America/Bogota", "XX", "", "CO"))
    assert "only weekends count" in verdict.why


def test_a_naive_instant_is_an_error() -> None:
    with pytest.raises(ValueError, match="aware"):
        ask(datetime(2026, 3, 10, 9, 0))  # noqa: DTZ001


def test_a_verdict_is_quick() -> None:
    few, many = every(3, 50, NOW - timedelta(days=75)), every(1, 2_500, NOW - timedelta(days=1_250))
    for entries, most_seconds in ((few, 0.005), (many, 0.050)):  # many times what an idle machine needs
        took = []
        for _ in range(5):
            started = time.perf_counter()
            ask(NOW, entries=entries, until=NOW + timedelta(days=30))
            took.append(time.perf_counter() - started)
        assert min(took) < most_seconds


ST_JOHNS = Place("America/St_Johns", "CA", "NL", "CA")
# On 7 November 2010 the clocks there went back from 00:01 to 23:01 of the day before, at 02:31 UTC.


def test_a_moment_of_yesterday_may_come_after_midnight() -> None:
    limits = Limits(windows={"sat": ("23:00-24:00",)})
    verdict = ask(datetime(2010, 11, 7, 2, 30, tzinfo=UTC), limits, place=ST_JOHNS)
    assert (verdict.allowed, verdict.at) == (False, datetime(2010, 11, 7, 2, 31, tzinfo=UTC))


def test_a_minute_of_tomorrow_may_come_before_the_end_of_today() -> None:
    limits = Limits(windows={"sat": ("23:10-23:20",), "sun": ("00:00-00:30",)})
    verdict = ask(datetime(2010, 11, 7, 2, 0, tzinfo=UTC), limits, place=ST_JOHNS)
    assert (verdict.at, verdict.window_ends) == (
        datetime(2010, 11, 7, 2, 30, tzinfo=UTC),
        datetime(2010, 11, 7, 2, 31, tzinfo=UTC),
    )


# --- against an independent checker that walks minute by minute ---------------------------------------------------------

_EDGES: list[tuple[str, str, str, str]] = [
    ("America/Bogota", "CO", "", "2026-12-07"),
    ("America/New_York", "US", "NY", "2026-03-08"),
    ("America/New_York", "US", "NY", "2026-11-01"),
    ("America/Santiago", "CL", "", "2026-09-06"),
    ("America/Santiago", "CL", "", "2026-04-04"),
    ("America/Havana", "CU", "", "2026-11-01"),
    ("America/Asuncion", "PY", "", "2024-03-24"),
    ("America/St_Johns", "CA", "NL", "2010-11-07"),
    ("Australia/Lord_Howe", "AU", "NSW", "2026-04-05"),
    ("Pacific/Apia", "WS", "", "2011-12-30"),
    ("Pacific/Kiritimati", "KI", "", "1994-12-31"),
    ("Europe/Madrid", "ES", "MD", "2026-10-25"),
    ("Asia/Beirut", "LB", "", "2026-10-25"),
    ("Asia/Kathmandu", "NP", "", "2026-05-29"),
    ("America/Vancouver", "CA", "BC", "2026-11-01"),
    ("Atlantic/Azores", "PT", "20", "2026-03-29"),
]
_WINDOWS = ["00:00-24:00", "00:00-00:30", "00:15-01:15", "01:30-02:30", "02:00-03:00", "09:00-19:00", "23:00-24:00"]
SPAN_MINUTES = 60 * 60


def slowly_allowed(at: datetime, limits: Limits, entries: Sequence[BudgetEntry], place: Place, firm: bool) -> bool:
    """Is this minute allowed? Written from the rules alone, without anything of the engine."""
    local = at.astimezone(ZoneInfo(place.zone))
    weekday = WEEKDAYS[local.weekday()]
    clock = f"{local:%H:%M}"
    if not any(window[:5] <= clock < window[6:] for window in limits.windows.get(weekday, ())):
        return False
    if firm and weekday not in limits.firm_days:
        return False
    if limits.holidays and _is_holiday(local.date(), place):
        return False
    for cap in limits.contacts:
        counted = [e.local_date for e in entries if cap.per == "account" or e.person_id == "ana"]
        for back in range(cap.days):
            first = local.date() - timedelta(days=back)
            if sum(first <= day <= first + timedelta(days=cap.days - 1) for day in counted) + 1 > cap.max:
                return False
    gap = timedelta(hours=limits.gap_hours or 0)
    return not any(abs(at - e.at) < gap for e in entries if e.person_id == "ana")


def _is_holiday(day: date, place: Place) -> bool:
    return day in _days_of(place.country, place.region, day.year) or day in _days_of(place.creditor_country, "", day.year)


@cache
def _days_of(country: str, region: str, year: int) -> frozenset[date]:
    try:
        return frozenset(holidays.country_holidays(country, years=year, subdiv=region or None))
    except NotImplementedError:
        return frozenset()


@st.composite
def situations(draw: st.DrawFn) -> tuple[datetime, Limits, list[BudgetEntry], Place, bool]:
    zone, country, region, edge = draw(st.sampled_from(_EDGES))
    start = datetime.fromisoformat(edge).replace(tzinfo=UTC) + timedelta(minutes=draw(st.integers(-36 * 60, 36 * 60)))
    windows: dict[Weekday, tuple[str, ...]] = {
        day: (draw(st.sampled_from(_WINDOWS)),) for day in WEEKDAYS if draw(st.integers(0, 5)) > 0
    }
    caps = tuple(
        Cap(max=draw(st.integers(1, 2)), days=draw(st.integers(1, 7)), per=draw(st.sampled_from(["person", "account"])))
        for _ in range(draw(st.integers(0, 2)))
    )
    limits = Limits(
        windows=windows,
        holidays=draw(st.booleans()),
        contacts=caps,
        gap_hours=draw(st.sampled_from([None, 1, 24, 48])),
        firm_days=draw(st.sampled_from([WEEKDAYS, ("mon", "wed"), ("sun", "sat")])),
    )
    made = [
        entry(
            start + timedelta(minutes=draw(st.integers(-6 * 1440, 5 * 1440))),
            zone=zone,
            person=draw(st.sampled_from(["ana", "ana", "luis"])),
            state=draw(st.sampled_from([AttemptState.PLANNED, AttemptState.UNKNOWN])),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    return start, limits, made, Place(zone, country, region, draw(st.sampled_from(["CO", "ES"]))), draw(st.booleans())


@given(situations())
def test_verdict_and_first_moment_agree_with_walking_minute_by_minute(
    situation: tuple[datetime, Limits, list[BudgetEntry], Place, bool],
) -> None:
    start, limits, made, place, firm = situation
    verdict = ask(start, limits, made, place=place, firm=firm)
    assert verdict.allowed is slowly_allowed(start, limits, made, place, firm)
    assert verdict.allowed is (verdict.rules == ())
    end = start + timedelta(minutes=SPAN_MINUTES)
    minutes = (start + timedelta(minutes=i) for i in range(SPAN_MINUTES))
    first = next((m for m in minutes if slowly_allowed(m, limits, made, place, firm)), None)
    if first is None:
        assert verdict.at is None or verdict.at >= end
        return
    assert verdict.at == first
    last = min(verdict.window_ends - timedelta(microseconds=1), end)
    for moment in (first + (last - first) * k / 8 for k in range(9)):
        assert slowly_allowed(moment, limits, made, place, firm), f"{moment} is before {verdict.window_ends} and not allowed"


@given(situations(), st.integers(2, 12))
def test_slots_reserved_one_after_the_other_break_no_cap_and_no_gap(
    situation: tuple[datetime, Limits, list[BudgetEntry], Place, bool], wishes: int
) -> None:
    start, limits, _, place, firm = situation
    made: list[BudgetEntry] = []
    for wish in range(wishes):
        asked = start + timedelta(hours=(wish * 37) % 96)
        verdict = ask(asked, limits, made, place=place, firm=firm)
        if verdict.at is None:
            continue
        assert verdict.at >= asked
        assert slowly_allowed(verdict.at, limits, made, place, firm)
        made.append(entry(verdict.at, zone=place.zone, state=AttemptState.PLANNED, key=f"1.1.S{wish}.0"))
