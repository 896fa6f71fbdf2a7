"""From the ledger's entries to the debts that bear interest: one for each due date, with its principal by value date.

Money pays principal first, the oldest due date first, and only then interest and fees: the customer never pays interest on
interest, and the same money leads to the same interest in whatever order it was told. What was taken off the bill by correction
counts as never owed; what was added counts from its own day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from policies.facts import LawTerms
from policies.law.base import Rule
from policies.law.charges import LateDebt, Movement
from policies.law.packs import shipped_law

ADDED = ("interest", "fee")
"""Kinds of entries that are charges and no principal."""
MONEY = ("payment", "reversal", "erp_adjustment")


class Entered(NamedTuple):
    """One entry of the ledger: instalment, kind, minor units (below 0 lowers the debt), and its value date."""

    instalment: int
    kind: str
    amount_minor: int
    on: date


def late_debts(
    parts: Sequence[tuple[int, date]],
    entries: Iterable[Entered],
    *,
    currency: str,
    law: LawTerms,
    frozen: Sequence[tuple[date, date]] = (),
) -> dict[int, LateDebt]:
    """By instalment number, oldest due date first. `parts` are the present instalments with their effective due dates."""
    owed: dict[int, list[Movement]] = {}
    money: dict[date, int] = {}
    booked = list(entries)
    ordered = sorted(parts, key=lambda part: (part[1], part[0]))
    for number, due_on in ordered:
        own = [e for e in booked if e.instalment == number and e.kind not in (*ADDED, *MONEY)]
        later = [Movement(max(e.on, due_on), e.amount_minor) for e in own if e.kind == "amendment" and e.amount_minor > 0]
        first = sum(e.amount_minor for e in own) - sum(move.amount_minor for move in later)
        owed[number] = [Movement(due_on, first), *later]
    for entry in booked:
        if entry.kind in MONEY:
            money[entry.on] = money.get(entry.on, 0) - entry.amount_minor
    _spread(owed, money)
    return {
        number: LateDebt(
            currency=currency, due_on=due_on, movements=tuple(owed[number]), debtor=law.debtor.value, party=law.party,
            facts=dict(law.facts), frozen=tuple(frozen),
        )
        for number, due_on in ordered
    }  # fmt: skip


def _spread(owed: dict[int, list[Movement]], money: Mapping[date, int]) -> None:
    """Lay the money of each value date on the oldest principal."""
    principal = {number: max(sum(move.amount_minor for move in moves), 0) for number, moves in owed.items()}
    laid = dict.fromkeys(owed, 0)
    total = 0
    for on in sorted(money):
        total += money[on]
        left = total
        for number, most in principal.items():
            part = min(max(left, 0), most)
            left -= part
            if part != laid[number]:
                owed[number].append(Movement(on, laid[number] - part))
                laid[number] = part


def money_rules(law: LawTerms) -> tuple[Rule, ...]:
    """The rules of the packs that speak for a debt, the nearest place first, as the creditor's choices leave them."""
    heard = shipped_law(law.settings)
    return tuple(
        rule
        for pack in reversed(heard.layers(law.packs))
        for rule in pack.rules
        if not rule.setting or heard.chosen(pack, rule.setting) == rule.value
    )
