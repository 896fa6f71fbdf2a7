"""Late interest: what may be added to a late debt, line by line, each with its rule and its arithmetic (F63).

Exact decimals, rounded half up at the line (or at the day where the rule says so). Payments lower the principal first, by value
date; the day of value itself still counts, so a debt paid 50 days late bears 50 days. Interest bears no interest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import groupby
from typing import Any, Literal, NamedTuple

from policies.law.base import Rule
from policies.law.charges_model import InterestRule
from policies.law.charges_words import Said, interest_said
from policies.law.rates import ReferenceRates
from policies.manual_model import LateCharges
from policies.terms import Currency, MinorUnits, Model

ChargeKind = Literal["interest", "fixed_sum", "late_fee", "collection_cost", "legal", "nsf"]
CONTRACT = "contract"
"""Stands where a line rests on the contract and not on a rule of a pack."""
_ONE_DAY = timedelta(days=1)


class NotAllowed(ValueError):
    """A charge that the law of the debtor's place refuses; the text says which rule, the figures, and what to do."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule


class Movement(NamedTuple):
    """What raised (above 0) or lowered the principal, by value date, in minor units."""

    on: date
    amount_minor: int


class LateDebt(Model):
    """One debt with one due date, as the law of its debtor's place sees it."""

    currency: Currency
    due_on: date
    movements: tuple[Movement, ...]
    debtor: Literal["consumer", "business"]
    party: Literal["first", "third"] = "first"
    facts: dict[str, Any] = {}
    frozen: tuple[tuple[date, date], ...] = ()
    """First and last days of spans that bear no interest: a breathing space, an insolvency."""

    def principal_on(self, day: date) -> int:
        """Minor units that bear interest on that day; a payment counts from the day after its value date."""
        return max(sum(m.amount_minor for m in self.movements if m.on < day), 0)

    def bears(self, day: date) -> bool:
        """Whether interest may run on that day."""
        return not any(first <= day <= last for first, last in self.frozen)


class ChargeLine(Model):
    """One line of what was added, complete enough to be recomputed by hand."""

    what: ChargeKind
    base_minor: MinorUnits
    rate_pct: Decimal | None
    from_on: date
    until_on: date
    days: int
    year_days: int
    compounding: Literal["simple", "effective"] = "simple"
    rounding: Literal["line", "day"] = "line"
    amount_minor: MinorUnits
    currency: Currency
    rule: str
    said: Said


class Accrual(Model):
    """The lines, their sum in minor units, and why there are none (or no more) where that needs saying."""

    lines: tuple[ChargeLine, ...] = ()
    total_minor: MinorUnits = 0
    why: str = ""
    waits: bool = False
    """True when a figure is missing: nothing can be said of these days yet."""


class _Regime(NamedTuple):
    """How one day bears interest."""

    principal_minor: int
    rate_pct: Decimal
    rule: str
    year_days: int
    compounding: Literal["simple", "effective"]
    rounding: Literal["line", "day"]


class _Silent(NamedTuple):
    """Why a day bears none; `unknown`: because a figure is missing, so that the period must wait for it."""

    why: str
    unknown: bool = False


def in_force(rule: Rule, day: date) -> bool:
    """Whether a rule holds on that day."""
    return (rule.from_ is None or rule.from_ <= day) and (rule.until is None or day <= rule.until)


def accrue(
    rules: Iterable[Rule], debt: LateDebt, late: LateCharges, rates: ReferenceRates, *, first: date, last: date
) -> Accrual:
    """Interest of the days `first` to `last`, both included, for one debt.

    `rules` are those of the debtor's packs, the nearest place first: the first statutory rule that speaks is used, every cap
    holds. Where a figure is missing for any day the whole span waits, and `why` says for what. Raises NotAllowed for a contract
    rate above a cap.
    """
    if late.interest == "none":
        return Accrual(why="the manual asks for no interest")
    speaking = [r for r in rules if isinstance(r, InterestRule) and r.binds_this(debt.party, debt.debtor, debt.facts)]
    lines: list[ChargeLine] = []
    whys: dict[str, None] = {}
    for regime, days in groupby(_by_day(speaking, debt, late, rates, first, last), key=lambda each: each[1]):
        if isinstance(regime, _Silent):
            if regime.unknown:
                return Accrual(why=regime.why, waits=True)
            whys |= {regime.why: None} if regime.why else {}
            continue
        span = [day for day, _ in days]
        line = _line(debt.currency, regime, span[0], span[-1])
        if line.amount_minor:
            lines.append(line)
    return Accrual(lines=tuple(lines), total_minor=sum(line.amount_minor for line in lines), why="; ".join(whys))


def _by_day(
    rules: Sequence[InterestRule], debt: LateDebt, late: LateCharges, rates: ReferenceRates, first: date, last: date
) -> Iterator[tuple[date, _Regime | _Silent]]:
    changes = sorted({m.on for m in debt.movements})
    day = max(first, debt.due_on + _ONE_DAY)
    principal, known = 0, -1
    while day <= last:
        passed = sum(1 for on in changes if on < day)
        if passed != known:
            principal, known = debt.principal_on(day), passed
        if not principal:
            yield day, _Silent("")
        elif debt.bears(day):
            yield day, _regime(rules, debt, late, rates, day, principal)
        else:
            yield day, _Silent("interest is frozen while the debtor is protected")
        day += _ONE_DAY


def _regime(
    rules: Sequence[InterestRule], debt: LateDebt, late: LateCharges, rates: ReferenceRates, day: date, principal: int
) -> _Regime | _Silent:
    valid = [rule for rule in rules if in_force(rule, day)]
    caps = [rule for rule in valid if rule.use == "cap"]
    if late.interest == "contract":
        rate = late.contract_rate_pct or Decimal(0)
        for cap in caps:
            most = _yearly(cap, rates, day, debt)
            if most is None:
                return _Silent(_missing(cap, day), unknown=True)
            if rate > most:
                raise NotAllowed(cap.id, _above(cap, rate, most, day))
        compounding = caps[0].compounding if caps else "simple"
        return _Regime(principal, rate, CONTRACT, caps[0].year_days if caps else 365, compounding, "line")
    rule = next((each for each in valid if each.use == "statutory"), None)
    if rule is None:
        only = next((each for each in valid if each.use == "contract_only"), None)
        return _Silent(only.text if only else "the law packs of this place know no statutory interest for this debt")
    if rule.currency is not None and rule.currency != debt.currency:
        return _Silent(f"{rule.id}: its rate is for debts in {rule.currency}, and this one is in {debt.currency}")
    if late.contract_rate_pct is not None and rule.contract_wins:
        return _Silent(
            f"{rule.id}: the contract sets a rate of its own, so there is no statutory interest: use interest: contract"
        )
    if day < debt.due_on + timedelta(days=rule.starts_after_days):
        return _Silent(f"{rule.id}: interest begins {rule.starts_after_days} days after the due date")
    statutory = _yearly(rule, rates, day, debt)
    if statutory is None:
        return _Silent(_missing(rule, day), unknown=True)
    return _Regime(principal, statutory, rule.id, rule.year_days, rule.compounding, rule.rounding)


def _yearly(rule: InterestRule, rates: ReferenceRates, day: date, debt: LateDebt) -> Decimal | None:
    if rule.reference is None:
        return rule.points_pct
    asked = debt.due_on + timedelta(days=rule.starts_after_days) if rule.fixed_at_start else day
    figure = rates.on(rule.reference, asked)
    return None if figure is None else figure * rule.factor + rule.points_pct


def _missing(rule: InterestRule, day: date) -> str:
    return f"{rule.id}: {rule.reference} is not known for {day.isoformat()}; give it in the creditor's reference_rates"


def _above(cap: InterestRule, rate: Decimal, most: Decimal, day: date) -> str:
    lost = "; charging more forfeits all interest" if cap.forfeits else ""
    allowed = f"the {most.normalize():f} % that {cap.id} allows on {day.isoformat()} ({cap.citation}){lost}"
    return f"the contract's {rate.normalize():f} % a year is above {allowed}: lower contract_rate_pct"


def _line(currency: str, regime: _Regime, first: date, last: date) -> ChargeLine:
    days = (last - first).days + 1
    amount = _interest(regime, days)
    said = interest_said(
        amount, regime.principal_minor, currency, regime.rate_pct, days, first, last, regime.year_days,
        daily=regime.rounding == "day", effective=regime.compounding == "effective",
    )  # fmt: skip
    return ChargeLine(
        what="interest", base_minor=regime.principal_minor, rate_pct=regime.rate_pct, from_on=first, until_on=last, days=days,
        year_days=regime.year_days, compounding=regime.compounding, rounding=regime.rounding, amount_minor=amount,
        currency=currency, rule=regime.rule, said=said,
    )  # fmt: skip


def _interest(regime: _Regime, days: int) -> int:
    principal, rate = Decimal(regime.principal_minor), regime.rate_pct / 100
    with localcontext() as exact:
        exact.prec = 50
        if regime.compounding == "effective":
            return half_up(principal * ((1 + rate) ** (Decimal(days) / regime.year_days) - 1))
        if regime.rounding == "day":
            return half_up(principal * rate / regime.year_days) * days
        return half_up(principal * rate * days / regime.year_days)


def half_up(amount: Decimal) -> int:
    """Whole minor units, a half upwards."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The calendar months that are over by `last`, from the month of `first`: (first day, last day) of each.

    A month is over when its last day is `last` or before it.
    """
    start = first.replace(day=1)
    while True:
        following = (start + timedelta(days=32)).replace(day=1)
        if following - _ONE_DAY > last:
            return
        yield start, following - _ONE_DAY
        start = following
