from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import calendars
from policies.calendars import (
    add_working_days,
    coverage,
    effective_due,
    good_friday,
    holiday_name,
    is_working_day,
    next_working_day,
)

PLACES = [("CO", ""), ("ES", "MD"), ("BR", "SP"), ("US", "CA"), ("CL", ""), ("XX", "")]


@pytest.mark.parametrize(
    ("day", "country", "region", "working"),
    [
        (date(2026, 12, 7), "CO", "", True),  # Monday
        (date(2026, 12, 8), "CO", "", False),  # Immaculate Conception
        (date(2026, 12, 5), "CO", "", False),  # Saturday
        (date(2026, 7, 13), "CO", "", False),  # Ley 2578 of 2026: 9 July, moved to Monday
        (date(2026, 7, 9), "CO", "", True),
        (date(2025, 7, 14), "CO", "", True),  # the year before that law
        (date(2026, 5, 15), "ES", "", True),
        (date(2026, 5, 15), "ES", "MD", True),  # San Isidro is a municipal day, not of the region
        (date(2026, 7, 9), "BR", "", True),
        (date(2026, 7, 9), "BR", "SP", False),  # a day of the state of Sao Paulo
        (date(2026, 7, 9), "BR", "BR-SP", False),  # ISO 3166-2 as well
        (date(2026, 12, 25), "XX", "", True),  # nothing is known of XX
    ],
)
def test_a_working_day_is_monday_to_friday_and_no_public_holiday_of_the_place(
    day: date, country: str, region: str, working: bool
) -> None:
    assert is_working_day(day, country, region) is working


def test_a_moved_holiday_has_its_name_on_the_day_it_is_kept() -> None:
    assert holiday_name(date(2026, 6, 8), "CO") is not None
    assert holiday_name(date(2026, 6, 4), "CO") is None


def test_an_unknown_country_has_only_weekends_and_says_so() -> None:
    assert "only weekends" in coverage("XX").note
    assert not is_working_day(date(2026, 12, 26), "XX")
    assert coverage("CO").note == ""


def test_an_unknown_region_has_the_national_days_and_says_so() -> None:
    known = coverage("BR", "ZZ")
    assert (known.country_known, known.region_known) == (True, False)
    assert "only national days" in known.note
    assert not is_working_day(date(2026, 12, 25), "BR", "ZZ")


@pytest.mark.parametrize(
    ("due", "basis", "effective"),
    [
        (date(2026, 2, 14), "effective", date(2026, 2, 16)),  # Saturday (the worked book of the playbook)
        (date(2026, 2, 14), "as_stated", date(2026, 2, 14)),
        (date(2026, 2, 13), "effective", date(2026, 2, 13)),
        (date(2026, 4, 2), "effective", date(2026, 4, 6)),  # Maundy Thursday, Good Friday, weekend
    ],
)
def test_the_due_date_moves_to_the_next_working_day_of_the_place_of_payment(
    due: date, basis: Literal["effective", "as_stated"], effective: date
) -> None:
    assert effective_due(due, basis, "CO") == effective


@pytest.mark.parametrize(
    ("day", "n", "expected"),
    [
        (date(2026, 12, 4), 1, date(2026, 12, 7)),  # Friday -> Monday
        (date(2026, 12, 4), 2, date(2026, 12, 9)),  # over the holiday of the 8th
        (date(2026, 12, 5), 1, date(2026, 12, 7)),  # from a Saturday
        (date(2026, 12, 5), 0, date(2026, 12, 7)),
        (date(2026, 12, 7), 0, date(2026, 12, 7)),
        (date(2026, 12, 9), -1, date(2026, 12, 7)),
        (date(2026, 12, 5), -1, date(2026, 12, 4)),
    ],
)
def test_working_days_are_counted_from_the_day_after(day: date, n: int, expected: date) -> None:
    assert add_working_days(day, n, "CO") == expected


@pytest.mark.parametrize(("year", "day"), [(2024, date(2024, 3, 29)), (2026, date(2026, 4, 3)), (2038, date(2038, 4, 23))])
def test_good_friday_is_the_friday_before_easter(year: int, day: date) -> None:
    assert good_friday(year) == day


def test_years_far_ahead_have_calendars_too() -> None:
    assert not is_working_day(date(2090, 12, 25), "CO")
    assert next_working_day(date(8999, 12, 31), "CO").year in (8999, 9000)


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.integers(-40, 40), st.sampled_from(PLACES))
def test_counting_working_days_agrees_with_counting_them_one_by_one(day: date, n: int, place: tuple[str, str]) -> None:
    found = add_working_days(day, n, *place)
    assert is_working_day(found, *place)
    low, high = (day, found) if n >= 0 else (found, day)
    between = [low + timedelta(days=i) for i in range((high - low).days + 1)]
    passed = sum(1 for d in between if is_working_day(d, *place) and d != day)
    assert passed == abs(n) if n else found == next_working_day(day, *place)


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.sampled_from(PLACES))
def test_the_next_working_day_is_the_first_one(day: date, place: tuple[str, str]) -> None:
    found = next_working_day(day, *place)
    assert is_working_day(found, *place)
    assert not any(is_working_day(day + timedelta(days=i), *place) for i in range((found - day).days))


def test_the_names_of_days_do_not_hang_on_the_machines_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for language in ("es", "C"):
        monkeypatch.setenv("LANGUAGE", language)
        calendars._holidays_of.cache_clear()
        assert calendars.holiday_name(date(2026, 12, 8), "CO") == "Immaculate Conception"
    calendars._holidays_of.cache_clear()
