"""How a payer pays: its payment runs, and what its last payments show of them (playbook 4.4, 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from policies.calendars import next_working_day
from policies.manual_model import WEEKDAYS, Weekday
from policies.terms import Model

LAST = 6
"""How many payments a proposal is drawn from."""
SHARE_PCT = 80
"""How many of them must agree."""
_LOOK_DAYS = 70
"""Further ahead than any run: monthly runs are at most 31 days apart, and a cut-off adds less."""


class Portal(Model):
    """Where the payer wants its invoices handed in."""

    name: str
    url: str | None = None


class Habits(Model):
    """The payment runs of a payer: weekdays or days of the month (31: the last), and by when an invoice must be registered."""

    payment_days: tuple[Weekday | int, ...] = ()
    cut_off_wd: int = 0
    portal: Portal | None = None


class Place(NamedTuple):
    """Whose working days count."""

    country: str
    region: str


def runs(habits: Habits, first: date, count: int, place: Place) -> list[date]:
    """The next `count` payment runs on or after a day, each moved to a working day; none where no days are known.

    A run on a closed day is made on the next working day.
    """
    found: list[date] = []
    day = first - timedelta(days=10)  # a run of a holiday before may be made from `first` on
    while habits.payment_days and len(found) < count and (day - first).days < _LOOK_DAYS * count:
        if _is_run(habits, day):
            made = next_working_day(day, place.country, place.region)
            if made >= first and made not in found:
                found.append(made)
        day += timedelta(days=1)
    return found


def run_for(habits: Habits, due_on: date, place: Place) -> date | None:
    """The payment run that carries an invoice due on that day: the first on or after it; None where no days are known."""
    found = runs(habits, due_on, 1, place)
    return found[0] if found else None


def _is_run(habits: Habits, day: date) -> bool:
    last = (day + timedelta(days=1)).month != day.month
    return any(
        WEEKDAYS[day.weekday()] == run if isinstance(run, str) else day.day == run or (last and run > day.day)
        for run in habits.payment_days
    )


def proposed(paid_on: Iterable[date], known: Habits) -> dict[str, Any] | None:
    """The payment days that at least 80 % of the last six payments show, for a person to accept; None where nothing is plain.

    Payments of one day are one run. A weekday is looked for first, then up to two days of the month.
    """
    days = sorted(set(paid_on))[-LAST:]
    if len(days) < LAST or known.payment_days:
        return None
    found = _plain([WEEKDAYS[day.weekday()] for day in days], 1) or _plain([day.day for day in days], 2)
    return {"payment_days": found} if found else None


def _plain(seen: Sequence[str] | Sequence[int], most: int) -> list[Any]:
    common = Counter(seen).most_common(most)
    chosen = [value for value, times in common if times > 1]
    shown = sum(times for _, times in common if times > 1)
    return sorted(chosen) if shown * 100 >= SHARE_PCT * len(seen) else []
