"""Sums owed once beside a late debt: the law's fixed sum, the contract's late fee, costs really borne, and their caps (F63)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal

from policies.law.base import Rule
from policies.law.charges import CONTRACT, Accrual, ChargeKind, ChargeLine, LateDebt, NotAllowed, half_up, in_force
from policies.law.charges_model import FeeRule
from policies.law.charges_words import fee_said
from policies.law.rates import ReferenceRates
from policies.manual_model import LateCharges
from policies.money import exponent


def fees(
    rules: Iterable[Rule], debt: LateDebt, late: LateCharges, *, on: date, asked: Mapping[ChargeKind, int] | None = None
) -> Accrual:
    """The sums that are owed once: the law's fixed sum, the contract's late fee, and costs that the creditor asks for.

    `debt` is the invoice as a whole, due when its first part was. `asked` are sums in minor units for `legal` or `nsf`, which the
    creditor really bore. Raises NotAllowed for a fee that a rule refuses or caps lower.
    """
    speaking = [
        r for r in rules if isinstance(r, FeeRule) and r.binds_this(debt.party, debt.debtor, debt.facts) and in_force(r, on)
    ]
    lines: list[ChargeLine] = []
    whys: list[str] = []
    if late.fixed_sum:
        found = _fixed_sum(speaking, debt, late, on)
        if isinstance(found, str):
            whys.append(found)
        else:
            lines.append(found)
    fee_on = debt.due_on + timedelta(days=late.fee_after_days)
    principal = debt.principal_on(fee_on)
    fee = late.fee_minor.get(debt.currency, 0)
    if late.fee_pct is not None:
        fee = half_up(principal * late.fee_pct / 100)
    if fee and principal and fee_on <= on:
        lines.append(_late_fee(speaking, debt, fee, late.fee_pct, principal, fee_on))
    for what, amount in (asked or {}).items():
        _refuse_unlisted(speaking, what)
        lines.append(_fee_line(what, debt, principal, None, on, amount, CONTRACT))
    return Accrual(lines=tuple(lines), total_minor=sum(line.amount_minor for line in lines), why="; ".join(whys))


def _fixed_sum(rules: Sequence[FeeRule], debt: LateDebt, late: LateCharges, on: date) -> ChargeLine | str:
    rule = next((each for each in rules if each.what == "fixed_sum"), None)
    if rule is None:
        return "the law packs of this place know no fixed sum for this debt"
    if rule.contract_wins and late.contract_rate_pct is not None:
        return f"{rule.id}: the contract sets an interest rate of its own, so the fixed sum is not owed"
    if rule.currency != debt.currency:
        return f"{rule.id}: the fixed sum is in {rule.currency} and the debt in {debt.currency}: nothing is converted"
    owed_from = debt.due_on + timedelta(days=rule.from_day)
    principal = debt.principal_on(owed_from)
    if on < owed_from or not principal:
        return f"{rule.id}: nothing was late"
    amount = next(b.amount_minor for b in rule.bands if b.up_to_minor is None or principal <= b.up_to_minor)
    return _fee_line("fixed_sum", debt, principal, None, owed_from, amount, rule.id)


def _late_fee(
    rules: Sequence[FeeRule], debt: LateDebt, fee_minor: int, pct: Decimal | None, principal: int, fee_on: date
) -> ChargeLine:
    _refuse_unlisted(rules, "late_fee")
    for cap in rules:
        if cap.what == "late_fine" and cap.max_pct is not None and fee_minor > half_up(principal * cap.max_pct / 100):
            most = f"{cap.max_pct.normalize():f} % of {principal} ({cap.id}, {cap.citation})"
            raise NotAllowed(cap.id, f"a late fee of {fee_minor} minor units is above {most}: lower it in late_charges")
    return _fee_line("late_fee", debt, principal, pct, fee_on, fee_minor, CONTRACT)


def _refuse_unlisted(rules: Sequence[FeeRule], what: ChargeKind) -> None:
    for rule in rules:
        if rule.what == "only" and what not in rule.allowed:
            listed = ", ".join(rule.allowed) or "none"
            raise NotAllowed(rule.id, f"{what} may not be added: {rule.id} allows {listed} ({rule.citation})")


def _fee_line(
    what: ChargeKind, debt: LateDebt, principal: int, pct: Decimal | None, on: date, amount: int, rule: str
) -> ChargeLine:
    return ChargeLine(
        what=what, base_minor=principal, rate_pct=pct, from_on=on, until_on=on, days=0, year_days=0, amount_minor=amount,
        currency=debt.currency, rule=rule, said=fee_said(what, amount, principal, debt.currency, on),
    )  # fmt: skip


def collection_cost(
    rules: Iterable[Rule], debt: LateDebt, rates: ReferenceRates, *, on: date, asked_minor: int, work_done: bool,
    free_notice_given: bool, spent_minor: int = 0,
) -> Accrual:  # fmt: skip
    """What collecting may cost on that day: what is asked, up to the law's cap by bands (Chile: 9/6/3 % from day 21).

    `spent_minor` was added before and counts towards the cap.

    Nothing before the rule's day, for no work, or while the unit's value is unknown; `why` then says so. Raises NotAllowed where
    a pack lists the only fees there may be and this is none of them.
    """
    speaking = [
        r for r in rules if isinstance(r, FeeRule) and r.binds_this(debt.party, debt.debtor, debt.facts) and in_force(r, on)
    ]
    _refuse_unlisted(speaking, "collection_cost")
    rule = next((each for each in speaking if each.what == "collection_cost"), None)
    if rule is None or rule.unit is None:
        return Accrual(why="the law packs of this place set no cap for collection costs, so none are added")
    if rule.currency != debt.currency:
        return Accrual(why=f"{rule.id}: the cap is in {rule.currency} and the debt in {debt.currency}: nothing is converted")
    if on < debt.due_on + timedelta(days=rule.from_day):
        return Accrual(why=f"{rule.id}: collection costs begin on day {rule.from_day} of the delay")
    if rule.only_work_done and not work_done:
        return Accrual(why=f"{rule.id}: no collection work was done")
    unit = rates.on(rule.unit, on)
    if unit is None:
        return Accrual(why=f"{rule.id}: {rule.unit} is not known for {on.isoformat()}; give it in the creditor's reference_rates")
    principal = debt.principal_on(on)
    most = max(_banded(rule, principal, unit, debt.currency, free_notice_given) - spent_minor, 0)
    amount = min(asked_minor, most)
    if amount <= 0:
        return Accrual(why=f"{rule.id}: nothing may be added")
    line = _fee_line("collection_cost", debt, principal, None, on, amount, rule.id)
    why = "" if amount == asked_minor else f"{rule.id}: {asked_minor} was asked and {most} is the most"
    return Accrual(lines=(line,), total_minor=amount, why=why)


def _banded(rule: FeeRule, principal_minor: int, unit: Decimal, currency: str, free_notice_given: bool) -> int:
    """The cap in minor units, rounded down: a cap is never passed by rounding."""
    minor_per_unit = unit.scaleb(exponent(currency))
    left, below, most = Decimal(principal_minor), Decimal(0), Decimal(0)
    for band in rule.unit_bands:
        width = left if band.up_to_units is None else (band.up_to_units - below) * minor_per_unit
        part = min(left, width)
        most += part * band.pct / 100
        left -= part
        below = band.up_to_units or below
    if not free_notice_given:
        most -= rule.no_notice_less_units * minor_per_unit
    return max(int(most.quantize(Decimal(1), rounding=ROUND_FLOOR)), 0)
