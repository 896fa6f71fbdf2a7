"""Minor units and back, by ISO 4217; babel counts the digits that people print, which differ for a few currencies."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from babel.numbers import get_currency_precision

_TWO = "RSD IRR LBP SYP YER ALL AFN LAK MMK KPW MGA SLL SOS COP HUF IDR PKR CRC TWD"
_ISO_4217_EXPONENTS = {**dict.fromkeys(_TWO.split(), 2), "IQD": 3}


@lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """Digits after the point of a currency's minor unit: 2 for EUR, 0 for CLP, 3 for KWD (ISO 4217)."""
    return _ISO_4217_EXPONENTS.get(currency, get_currency_precision(currency))


def major_units(amount_minor: int, currency: str) -> Decimal:
    """An exact amount in whole units: 120000 minor COP are 1200.00."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def written(amount_minor: int, currency: str) -> str:
    """`COP 120,000.00`, `CLP 1,890,000`: for people who work with the ledger; customers read sums in their own language."""
    return f"{currency} {major_units(amount_minor, currency):,f}"


def minor_units(amount: Decimal, currency: str) -> int:
    """The integer minor units of an exact amount; raises ValueError when it has more decimals than the currency."""
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} has more than {exponent(currency)} decimals")
    return int(scaled)
