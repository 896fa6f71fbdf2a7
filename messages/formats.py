"""Money and dates as people write them, by language and country."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from policies.money import exponent

# Signs that mean one currency only. "$" is a dozen, so its sums carry the code; US dollars inside the US are the exception.
_CLEAR_SIGNS: Final = frozenset({"EUR", "GBP", "BRL", "PEN", "INR"})
# Cents exist on paper and are never used; they are shown only when a balance really has them.
_NO_CENTS: Final = frozenset({"COP"})
_ENGLISH: Final = frozenset({"US", "CA", "PH", "GB", "IE", "AU", "NZ", "IN", "ZA"})
_MONTH_FIRST: Final = frozenset({"US", "CA", "PH"})


@lru_cache(maxsize=256)
def locale_for(language: str, country: str) -> Locale:
    """The customer's locale, or the language's own where the pair is unknown (English is British unless spoken there)."""
    if language == "en" and country.upper() not in _ENGLISH:
        return Locale.parse("en_GB")
    try:
        return Locale.parse(f"{language}_{country.upper()}")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_GB" if language == "en" else language)


@lru_cache(maxsize=8192)
def money(amount_minor: int, currency: str, language: str, country: str, *, plain: bool = False) -> str:
    """A sum in units of the currency. `plain` writes the code and ordinary spaces, for SMS.

    The code stands in place of "$" unless the customer is in the United States and pays in US dollars (playbook 6).
    """
    digits = exponent(currency)
    amount = Decimal(amount_minor).scaleb(-digits)
    shown = 0 if currency in _NO_CENTS and amount == amount.to_integral_value() else digits
    locale = locale_for(language, country)
    number = "#,##0" + ("." + "0" * shown if shown else "")
    if not plain and (currency in _CLEAR_SIGNS or (currency == "USD" and country.upper() == "US")):
        pattern = locale.currency_formats["standard"].pattern.split(";")[0]
        sign_first = pattern.startswith("¤")
        gap = "\u00a0" if language != "en" and not (sign_first and currency == "USD") else ""
        pattern = f"¤{gap}{number}" if sign_first else f"{number}{gap}¤"
        return format_currency(amount, currency, format=pattern, locale=locale, currency_digits=False)
    figure = format_decimal(amount, format=number, locale=locale)
    space = " " if plain else "\u00a0"
    return f"{currency}{space}{figure}" if language == "en" else f"{figure}{space}{currency}"


@lru_cache(maxsize=8192)
def day(when: date, today: date, language: str, country: str, *, year: bool = False) -> str:
    """`viernes 12 de junio`; with the year when asked for or when it is more than 300 days from `today`."""
    with_year = year or abs((when - today).days) > 300
    locale = locale_for(language, country)
    if language == "es":
        return format_date(when, "EEEE d 'de' MMMM" + (" 'de' y" if with_year else ""), locale=locale)
    if language == "pt":
        # "em 12 de junho (sexta-feira)": with the weekday first, the preposition would change with its gender.
        pattern = "d'º' 'de' MMMM" if when.day == 1 else "d 'de' MMMM"
        return format_date(when, pattern + (" 'de' y" if with_year else "") + " (EEEE)", locale=locale)
    if country.upper() in _MONTH_FIRST:
        return format_date(when, "EEEE, MMMM d" + (", y" if with_year else ""), locale=locale)
    return format_date(when, "EEEE d MMMM" + (" y" if with_year else ""), locale=locale)


@lru_cache(maxsize=8192)
def short_day(when: date, today: date, language: str, country: str, *, year: bool = False) -> str:
    """`12 de junio`, for SMS and tables; Portuguese months are cut (`12 de mar.`) so that an SMS stays in GSM-7."""
    with_year = year or abs((when - today).days) > 300
    locale = locale_for(language, country)
    if language == "es":
        return format_date(when, "d 'de' MMMM" + (" 'de' y" if with_year else ""), locale=locale)
    if language == "pt":
        return format_date(when, "d 'de' MMM" + (" 'de' y" if with_year else ""), locale=locale)
    if country.upper() in _MONTH_FIRST:
        return format_date(when, "MMMM d" + (", y" if with_year else ""), locale=locale)
    return format_date(when, "d MMMM" + (" y" if with_year else ""), locale=locale)


@lru_cache(maxsize=2048)
def letter_day(when: date, language: str, country: str) -> str:
    """The date at the head of a letter: `12 de junio de 2026`."""
    pattern = {"es": "d 'de' MMMM 'de' y", "pt": "d 'de' MMMM 'de' y"}.get(language)
    if pattern is None:
        pattern = "MMMM d, y" if country.upper() in _MONTH_FIRST else "d MMMM y"
    return format_date(when, pattern, locale=locale_for(language, country))
