"""From a term of payment to due dates: the creditor's own codes, the texts that everybody writes, and what the law says else.

`dues_from` is asked at every intake. A stated due date needs none of this; where neither a date nor a readable term is given the
date is assumed (policies/due_defaults.py), and an assumed date allows courtesy rungs only.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Any, Literal, NamedTuple

from dateutil.relativedelta import relativedelta
from pydantic import Field, ValidationError, model_validator

from policies.calendars import add_working_days
from policies.plain_errors import plain
from policies.terms import Model
from policies.yaml_lines import read_yaml

DueSource = Literal["stated", "terms", "assumed"]
Base = Literal["issue", "reception", "acceptance"]
Percent = Annotated[Decimal, Field(gt=0, le=100, max_digits=7)]
_Days = Annotated[int, Field(ge=0, le=1100)]


class UnknownTerm(ValueError):
    """Nobody can say which day the text means; the message says what can be written instead."""


class MissingDay(ValueError):
    """The term counts from a day that was not given; `day` names the member that is missing."""

    def __init__(self, day: str, text: str) -> None:
        super().__init__(text)
        self.day = day


class Part(Model):
    """One instalment of a term: after how many days, and which share of the sum (left out everywhere: equal parts)."""

    days: _Days = 0
    months: int = Field(default=0, ge=0, le=120)
    pct: Percent | None = None


class TermRule(Model):
    """How a term leads to its day: so many days from a base, to the end of that month, so many more, then a day of payment."""

    days: _Days = Field(default=0, description="days after the base")
    months: int = Field(default=0, ge=0, le=120, description="whole calendar months after the base")
    working: bool = Field(default=False, description="`days` are working days of the place of payment")
    base: Base = Field(default="issue", description="what the days count from")
    end_of_month: bool = Field(default=False, description="then to the last day of that month")
    then_days: _Days = Field(default=0, description="days after the end of that month: `30 EOM 15`")
    pay_days: tuple[Annotated[int, Field(ge=1, le=31)], ...] = Field(
        default=(),
        max_length=8,
        description="days of the month on which the customer pays: the next one, the day itself included",
    )
    on: date | None = Field(default=None, description="a day written out in the text")
    parts: tuple[Part, ...] = Field(default=(), max_length=120, description="instalments, in place of days and months")
    remainder: Literal["first", "last"] = Field(default="last", description="which instalment takes the odd minor units")

    @model_validator(mode="after")
    def _fits(self) -> TermRule:
        if self.parts and (self.days or self.months or self.on):
            raise ValueError("give parts, or days and months, not both")
        shares = [part.pct for part in self.parts]
        if any(share is not None for share in shares):
            if any(share is None for share in shares):
                raise ValueError("give every part its pct, or none: without them the parts are equal")
            total = sum((share for share in shares if share is not None), Decimal(0))
            if total != 100:
                raise ValueError(f"the parts add up to {total} %, not to 100")
        if self.working and (self.end_of_month or self.parts or self.months):
            raise ValueError("working days stand alone: leave out months, end_of_month and parts")
        return self


class TermsTable(Model):
    """A creditor's codes. Upper and lower case and spaces make no difference; what is not in it is read as a text."""

    codes: dict[Annotated[str, Field(min_length=1, max_length=60)], TermRule] = Field(default={}, max_length=500)

    def rule_of(self, code: str) -> TermRule | None:
        """The rule of a code, or None."""
        wanted = squeezed(code)
        return next((rule for name, rule in self.codes.items() if squeezed(name) == wanted), None)


class TableError(ValueError):
    """A table that cannot be used; one line for each problem, with its place."""


class Bases(NamedTuple):
    """The days a term may count from, the place whose working days count, and what was told of the invoice."""

    issued_on: date
    received_on: date | None = None
    accepted_on: date | None = None
    country: str = ""
    region: str = ""


Due = tuple[int, date, int]
"""Number, due date, minor units."""


def squeezed(code: str) -> str:
    """A code without spaces and case."""
    return "".join(code.split()).casefold()


def load_table(text: str, source: str) -> TermsTable:
    """Read a table from YAML; raises TableError with a line `source:line: place: what` for each problem."""
    document = read_yaml(text)
    problems = [f"{source}:{line}: {what}" for line, _, what in document.problems]
    if problems:
        raise TableError("\n".join(problems))
    try:
        table = TermsTable.model_validate(_exact(document.data))
    except ValidationError as error:
        lines = [
            f"{source}:{document.line_of(tuple(e['loc']))}: {'.'.join(map(str, e['loc'])) or 'table'}: {plain(e)}"
            for e in error.errors(include_url=False)
        ]
        raise TableError("\n".join(lines)) from None
    seen: dict[str, str] = {}
    for code in table.codes:
        if squeezed(code) in seen:
            raise TableError(f"{source}: codes: {code!r} and {seen[squeezed(code)]!r} are the same code: leave one out")
        seen[squeezed(code)] = code
    return table


def _exact(value: Any) -> Any:
    """Decimals as text, so that 33.34 % stays 33.34."""
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return str(value) if isinstance(value, float) else value


def dues_from(rule: TermRule, amount_minor: int, bases: Bases) -> tuple[Due, ...]:
    """The instalments of an invoice of that sum under a rule, in order. Raises MissingDay when its base was not given."""
    base = _base(rule, bases)
    if not rule.parts:
        return ((1, _day(rule, base, rule.days, rule.months, bases), amount_minor),)
    sums = split_minor(amount_minor, [part.pct for part in rule.parts], rule.remainder)
    dated = [(_day(rule, base, part.days, part.months, bases), minor) for part, minor in zip(rule.parts, sums, strict=True)]
    kept = [(day, minor) for day, minor in sorted(dated, key=lambda d: d[0]) if minor > 0]
    return tuple((number, day, minor) for number, (day, minor) in enumerate(kept, 1))


def split_minor(amount_minor: int, shares: Sequence[Decimal | None], remainder: Literal["first", "last"] = "last") -> list[int]:
    """A sum in parts by per cent (None: equal parts), exact to the minor unit: the odd ones go to the first or the last part."""
    count = len(shares)
    if all(share is None for share in shares):
        sums = [amount_minor // count] * count
    else:
        exact = [Decimal(amount_minor) * (share or Decimal(0)) / 100 for share in shares]
        sums = [int(part.to_integral_value(ROUND_DOWN)) for part in exact]
    sums[0 if remainder == "first" else -1] += amount_minor - sum(sums)
    return sums


def _base(rule: TermRule, bases: Bases) -> date:
    if rule.base == "issue" or rule.on is not None:
        return bases.issued_on
    if rule.base == "reception":
        found, member = bases.received_on, "received_on"
    else:
        found, member = bases.accepted_on, "accepted_on"
    if found is None:
        raise MissingDay(member, f"this term counts from {rule.base}: give {member}, or the due date itself")
    return found


def _day(rule: TermRule, base: date, days: int, months: int, bases: Bases) -> date:
    if rule.on is not None:
        return rule.on
    if rule.working and days:
        return next_pay_day(add_working_days(base, days, bases.country, bases.region), rule.pay_days)
    day = base + relativedelta(months=months) + timedelta(days=days)
    if rule.end_of_month:
        day = day.replace(day=monthrange(day.year, day.month)[1])
    return next_pay_day(day + timedelta(days=rule.then_days), rule.pay_days)


def next_pay_day(day: date, pay_days: Sequence[int]) -> date:
    """The first of the customer's days of payment from `day` on; one that a month does not have is its last day."""
    if not pay_days:
        return day
    for months in (0, 1):
        first = day.replace(day=1) + relativedelta(months=months)
        last = monthrange(first.year, first.month)[1]
        for wanted in sorted(pay_days):
            found = first.replace(day=min(wanted, last))
            if found >= day:
                return found
    raise AssertionError("a day of payment comes in every month")
