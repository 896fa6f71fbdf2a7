"""All that is owed beside the principal of one invoice by a certain day: which charge, for which period, with which lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from policies.law.base import Rule
from policies.law.charges import Accrual, LateDebt, NotAllowed, accrue, months
from policies.law.fees import fees
from policies.law.rates import ReferenceRates
from policies.manual_model import LateCharges

ONCE = ("fixed_sum", "late_fee")
"""What is owed once per invoice."""


class Owed(NamedTuple):
    """One charge under its key (`interest:1:2026-01`, `fixed_sum`), on the instalment that carries it, dated its last day."""

    key: str
    what: str
    instalment: int
    dated_on: date
    accrual: Accrual


class Book(NamedTuple):
    """The charges that are owed, and why others are not: for a person to read."""

    owed: tuple[Owed, ...]
    whys: tuple[str, ...]
    open: frozenset[str]
    """Keys on which nothing can be said yet: a figure is missing, or the law refuses the manual's rate."""
    refused: str = ""
    """The law refuses what the manual asks for; nothing of that kind is owed until the manual is corrected."""


def book(debts: Mapping[int, LateDebt], rules: Sequence[Rule], late: LateCharges, rates: ReferenceRates, *, over: date) -> Book:
    """The charges of every month that is over by `over` (its last day is `over` or before), and the sums owed once."""
    owed: list[Owed] = []
    whys: dict[str, None] = {}
    unsaid: set[str] = set()
    refused = ""
    for number, debt in debts.items():
        for first, last in months(debt.due_on, over) if late.interest != "none" else ():
            key = f"interest:{number}:{first:%Y-%m}"
            try:
                accrual = accrue(rules, debt, late, rates, first=first, last=last)
            except NotAllowed as against:
                refused = refused or str(against)
                unsaid.add(key)
                continue
            if accrual.why:
                whys[accrual.why] = None
            if accrual.waits:
                unsaid.add(key)
            elif accrual.lines:
                owed.append(Owed(key, "interest", number, last, accrual))
    try:
        owed.extend(once_of(debts, rules, late, over=over, whys=whys))
    except NotAllowed as against:
        refused = refused or str(against)
        unsaid.update(ONCE)
    return Book(tuple(owed), tuple(whys), frozenset(unsaid), refused)


def once_of(
    debts: Mapping[int, LateDebt], rules: Sequence[Rule], late: LateCharges, *, over: date, whys: dict[str, None]
) -> list[Owed]:
    """The fixed sum and the late fee, each on the first instalment that was late. Raises NotAllowed."""
    found: dict[str, Owed] = {}
    for number, debt in debts.items():
        accrual = fees(rules, debt, late, on=over)
        if accrual.why:
            whys[accrual.why] = None
        for line in accrual.lines:
            one = Accrual(lines=(line,), total_minor=line.amount_minor)
            found.setdefault(line.what, Owed(line.what, line.what, number, line.from_on, one))
    return list(found.values())
