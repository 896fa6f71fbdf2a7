"""A creditor's list of open items against what we know: what changes, what is only told, and when a person must look first.

What the list shows as less is settled where we could not see it, so less is asked. What it shows as more is money that we know of
and it does not yet, so nothing is raised: overdue rungs wait and operations are told (playbook 2). Sums in minor units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from policies.calendars import add_working_days
from policies.ladder import day_start

FELL_TOO_FAR_PCT = 20
"""A list that is so much shorter or smaller than the last one waits for a person."""
DECIDE_WITHIN = timedelta(days=2)
"""How long a list waits for a person; then it has expired and a newer one is wanted (I7)."""
HELD_WD = 2
"""Working days beyond the next list for which a balance that differs holds overdue rungs."""

Kind = Literal["new", "same", "lower", "higher", "back", "absent"]
KINDS: tuple[Kind, ...] = ("new", "lower", "higher", "back", "same", "absent")
Figures = Mapping[str, Mapping[str, tuple[int, int]]]
"""By currency and kind: how many, and their sum in minor units; `total` is the whole list."""


class Ours(NamedTuple):
    """One invoice as we know it.

    `as_of_minor` is its balance at the end of the list's day, without late charges, which are ours alone. `now_minor` is what is
    owed now. `adjusted_minor` is what earlier lists settled. `deducted_minor` is what the customer keeps or pays elsewhere by
    law: a list may show it as open or not.
    """

    as_of_minor: int
    now_minor: int
    adjusted_minor: int = 0
    deducted_minor: int = 0


class Change(NamedTuple):
    """What a list's balance does: `adjust_minor` below 0 lowers, above 0 takes an earlier adjustment back; `differs_minor` is
    what it shows beyond that, which is told and never raised."""

    kind: Kind
    adjust_minor: int = 0
    differs_minor: int = 0


def compare(theirs_minor: int, ours: Ours) -> Change:
    """A row of the list against the invoice it names."""
    gap = theirs_minor - ours.as_of_minor
    if gap == 0 or (ours.deducted_minor and gap == ours.deducted_minor):
        return Change("same")
    if gap < 0:
        # What was paid since may be the very same money: no more is taken off than is owed now.
        lower = min(-gap, max(ours.now_minor, 0))
        return Change("lower", -lower) if lower else Change("same")
    back = min(gap, ours.adjusted_minor)
    if back > 0:
        return Change("back", back, gap - back)
    return Change("higher", 0, gap)


def absent(ours: Ours) -> Change:
    """An invoice that was open at the end of the day and that the list does not have: it is settled there, late charges too."""
    if ours.as_of_minor <= 0 or ours.now_minor <= 0:
        return Change("same")
    return Change("absent", -ours.now_minor)


def tally(rows: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Counts and sums by currency and kind out of (currency, kind, minor units)."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for currency, kind, amount in rows:
        kinds = found.setdefault(currency, {})
        count, total = kinds.get(kind, (0, 0))
        kinds[kind] = count + 1, total + amount
    return found


def written_otherwise(new: Iterable[str], gone: Iterable[str]) -> str:
    """Why a person must look first, or "": numbers that are new and numbers that are gone differ by signs or zeros only.

    A spreadsheet makes 12345 of 000012345: the whole book would close and enter anew.
    """
    known = {_squeezed(number): number for number in gone}
    pairs = [(number, known[_squeezed(number)]) for number in new if _squeezed(number) in known]
    return f"{len(pairs)} numbers are ours but for signs or zeros, as {pairs[0][0]} and {pairs[0][1]}" if pairs else ""


def _squeezed(number: str) -> str:
    parts = re.findall(r"[a-z]+|\d+", number.casefold())
    return ".".join(part.lstrip("0") or "0" for part in parts)


def fell_too_far(before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]) -> str:
    """Why a person must look first, or "": rows, or one currency's balance, more than 20 % below the last list or open book.

    Both by currency: how many rows, and their sum.
    """
    rows_before, rows_now = (sum(count for count, _ in side.values()) for side in (before, now))
    whys = [_fall("rows", rows_before, rows_now)]
    whys += [_fall(f"{currency} balance", total, now.get(currency, (0, 0))[1]) for currency, (_, total) in sorted(before.items())]
    return "; ".join(why for why in whys if why)


def _fall(what: str, before: int, now: int) -> str:
    if before <= 0 or (before - now) * 100 <= before * FELL_TOO_FAR_PCT:
        return ""
    return f"{what} fell by {(before - now) * 100 // before} %"


def held_until(today: date, country: str, zone: str) -> datetime:
    """When a hold for a balance that differs ends by itself: two working days after the next list's day."""
    return day_start(add_working_days(today, 1 + HELD_WD, country) + timedelta(days=1), zone)
