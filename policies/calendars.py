"""Working days and public holidays, from the pinned `holidays` package, with a country and region for each question (F10).

A working day is Monday to Friday and no public holiday. Where the package knows no calendar for a country or a region, only
what is known counts (at the least, weekends), and `coverage` says so.
"""

from __future__ import annotations

import importlib.metadata
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

import holidays
from dateutil.easter import easter

HOLIDAYS_VERSION = importlib.metadata.version("holidays")
_ONE_DAY = timedelta(days=1)
_LAST_YEAR = 9000
"""Beyond this no calendar is asked: only weekends count."""


class Coverage(NamedTuple):
    """What is known of a place's holidays; `note` is empty when both country and region are known."""

    country_known: bool
    region_known: bool
    note: str


@lru_cache(maxsize=1)
def _regions() -> dict[str, frozenset[str]]:
    return {code: frozenset(subdivisions) for code, subdivisions in holidays.list_supported_countries(True).items()}


@lru_cache(maxsize=1)
def _languages() -> dict[str, list[str]]:
    """In which languages the names of a country's days are known; without a choice the machine's locale would decide."""
    return holidays.list_localized_countries()


def _bare(country: str, region: str) -> str:
    code = region.strip()
    return code[len(country) + 1 :] if code.upper().startswith(f"{country}-") else code


@lru_cache(maxsize=1024)
def _known_place(country: str, region: str) -> tuple[str, str]:
    """(country, region) as the package writes them; an empty string for what it does not know."""
    code = country.strip().upper()
    regions = _regions().get(code)
    if regions is None:
        return "", ""
    bare = _bare(code, region)
    return code, next((known for known in (bare, bare.upper()) if known in regions), "")


@lru_cache(maxsize=1024)
def coverage(country: str, region: str = "") -> Coverage:
    """Whether the calendar of this place is known, with a sentence for people when it is not."""
    known_country, known_region = _known_place(country, region)
    if not known_country:
        return Coverage(False, False, f"no holiday calendar is known for {country or 'an unnamed country'}: only weekends count")
    if region and not known_region and _regions()[known_country]:
        return Coverage(True, False, f"no holiday calendar is known for {region} in {known_country}: only national days count")
    return Coverage(True, True, "")


@lru_cache(maxsize=4096)
def _holidays_of(country: str, region: str, year: int) -> dict[date, str]:
    """The public holidays of one place and year, by day; empty when nothing is known."""
    known_country, known_region = _known_place(country, region)
    if not known_country or year > _LAST_YEAR:
        return {}
    language = "en_US" if "en_US" in _languages().get(known_country, ()) else None
    return dict(holidays.country_holidays(known_country, subdiv=known_region or None, years=year, language=language).items())


def holiday_name(day: date, country: str, region: str = "") -> str | None:
    """The name of the public holiday on that day, or None."""
    return _holidays_of(country, region, day.year).get(day)


def is_working_day(day: date, country: str, region: str = "") -> bool:
    """Monday to Friday and no public holiday of the place."""
    return day.weekday() < 5 and day not in _holidays_of(country, region, day.year)


@lru_cache(maxsize=65536)
def next_working_day(day: date, country: str, region: str = "") -> date:
    """The day itself when it is a working day, else the first one after it."""
    while not is_working_day(day, country, region):
        day += _ONE_DAY
    return day


@lru_cache(maxsize=65536)
def add_working_days(day: date, n: int, country: str, region: str = "") -> date:
    """The n-th working day after `day` (before it when n is below 0); 0 is `day` or the next working day after it.

    `day` itself is never counted: one working day after a Saturday is Monday, one before it is Friday.
    """
    if n == 0:
        return next_working_day(day, country, region)
    step = _ONE_DAY if n > 0 else -_ONE_DAY
    for _ in range(abs(n)):
        day += step
        while not is_working_day(day, country, region):
            day += step
    return day


def effective_due(due_on: date, basis: Literal["effective", "as_stated"], country: str, region: str = "") -> date:
    """The day deadlines count from: the due date, moved to the next working day of the place of payment (playbook 1)."""
    return due_on if basis == "as_stated" else next_working_day(due_on, country, region)


@lru_cache(maxsize=512)
def good_friday(year: int) -> date:
    """Good Friday of the western churches."""
    return easter(year) - timedelta(days=2)
