"""Debts that are counted in an index or a foreign currency and paid in another one: UF, UDI, UVR, or USD paid in local currency.

The ledger keeps such a debt in its own unit, under its ISO 4217 code (UF is CLF with four decimals, UDI is MXV, UVR is COU), so
that its balance never moves by itself. A message converts what is asked at the value of its own day; a payment is converted at
the value of the day on which it was paid. Values come from the creditor; nothing is converted at a value that is not known.

Rounding, both ways: half a minor unit up, once, at the end.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final, NamedTuple

from pydantic import Field, model_validator

from policies.money import exponent, minor_units
from policies.terms import Model
from policies.typed import STORABLE, Day


class Unit(NamedTuple):
    """An index: its ISO 4217 code, what people call it, and the currency in which it is paid."""

    code: str
    name: str
    paid_in: str


UNITS: Final = {
    unit.name: unit
    for unit in (Unit("CLF", "UF", "CLP"), Unit("MXV", "UDI", "MXN"), Unit("COU", "UVR", "COP"), Unit("UYW", "UP", "UYU"))
}  # fmt: skip
INDEX_CODES: Final = frozenset(unit.code for unit in UNITS.values())
_NAMES: Final = {unit.code: unit.name for unit in UNITS.values()}
_PAID_IN: Final = {unit.code: unit.paid_in for unit in UNITS.values()}


def spoken_code(currency: str) -> str:
    """What people call it: UF for CLF; other currencies by their code."""
    return _NAMES.get(currency, currency)


VALID_DAYS_MAX: Final = 366


class IndexIn(Model):
    """A sum counted in an index."""

    code: str = Field(pattern=r"^[A-Z]{2,4}$", description="UF, UDI, UVR or UP", examples=["UF"])
    units: str = Field(pattern=r"^\d{1,12}(\.\d{1,6})?$", description="how many, as a decimal text", examples=["12.5000"])


class IndexValue(Model):
    """What one unit was worth from `on_day` to `valid_until`, both included, in the payment currency."""

    code: str = Field(pattern=r"^[A-Z]{2,4}$", description="UF, UDI, UVR, UP or the ISO 4217 code of a foreign currency")
    payment_currency: str = Field(pattern=r"^[A-Z]{3}$")
    on_day: Day
    value: Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=10, description="of one unit; as text it stays exact")]
    source: str = Field(min_length=2, max_length=60, pattern=STORABLE, description="who publishes it, as messages name it")
    valid_until: Day | None = Field(None, description="its last day, a year on at most; left out, it is for on_day only")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> IndexValue:
        if not 0 <= (self.last_day - self.on_day).days <= VALID_DAYS_MAX:
            raise ValueError(f"valid_until lies between on_day and {VALID_DAYS_MAX} days later")
        return self

    @property
    def ledger_code(self) -> str:
        """Its ISO 4217 code: CLF for UF."""
        return UNITS[self.code].code if self.code in UNITS else self.code

    @property
    def last_day(self) -> date:
        return self.valid_until or self.on_day


def payment_currency_of(currency: str, given: str | None) -> str:
    """In which currency a debt is paid, where that is not its own; empty for an ordinary debt."""
    wanted = given or _PAID_IN.get(currency, "")
    return "" if wanted == currency else wanted


def in_units(units: str, code: str) -> int:
    """The minor units of a decimal number of units; raises ValueError for an unknown index or too many decimals."""
    if code not in UNITS:
        raise ValueError(
            f"{code} is not an index that is known here: use {', '.join(UNITS)}, or a currency with payment_currency"
        )
    try:
        return minor_units(Decimal(units), UNITS[code].code)
    except ValueError:
        raise ValueError(f"{code} is counted with {exponent(UNITS[code].code)} decimals: {units} has more") from None


def to_payment(amount_minor: int, currency: str, value: Decimal, payment_currency: str) -> int:
    """Minor units of the payment currency for a sum of units at a value of one unit; half a minor unit up."""
    exact = Decimal(amount_minor).scaleb(-exponent(currency)) * value
    return int(exact.scaleb(exponent(payment_currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def to_units(paid_minor: int, payment_currency: str, value: Decimal, currency: str) -> int:
    """Minor units of the debt's own unit that money of the payment currency covers; half a minor unit up."""
    exact = Decimal(paid_minor).scaleb(-exponent(payment_currency)) / value
    return int(exact.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
