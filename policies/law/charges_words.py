"""One sentence for each line of late charges, in the three languages, so that a customer can check the sum by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_decimal

from policies.money import exponent, major_units
from policies.terms import Model

_LOCALES = {"es": "es", "pt": "pt_BR", "en": "en_GB"}


class Said(Model):
    """The same sentence in Spanish, Portuguese and English."""

    es: str
    pt: str
    en: str


def interest_said(
    amount_minor: int, base_minor: int, currency: str, rate_pct: Decimal, days: int, first: date, last: date, year_days: int,
    *, daily: bool, effective: bool,
) -> Said:  # fmt: skip
    """Interest of one span: sum, principal, yearly rate, days, year, and how it was rounded."""
    words = {
        "es": "Interés de {sum} sobre {base} al {rate} %{ea} anual, {days} días del {first} al {last}, año de {year} días{by}.",
        "pt": "Juros de {sum} sobre {base} a {rate} %{ea} ao ano, {days} dias de {first} a {last}, ano de {year} dias{by}.",
        "en": "Interest of {sum} on {base} at {rate} %{ea} a year, {days} days, {first} to {last}, year of {year} days{by}.",
    }
    by_day = {"es": ", redondeado por día", "pt": ", arredondado por dia", "en": ", rounded by day"}
    compound = {"es": " efectivo", "pt": " efetivos", "en": " effective"}
    return Said(
        **{
            language: text.format(
                sum=_money(amount_minor, currency, language), base=_money(base_minor, currency, language),
                rate=format_decimal(rate_pct, format="#,##0.####", locale=_LOCALES[language]), days=days,
                first=_day(first, language), last=_day(last, language), year=year_days, by=by_day[language] if daily else "",
                ea=compound[language] if effective else "",
            )
            for language, text in words.items()
        }
    )  # fmt: skip


_FEES = {
    "fixed_sum": ("Suma fija por pago tardío", "Valor fixo por atraso", "Fixed sum for late payment"),
    "late_fee": ("Cargo por mora del contrato", "Multa por atraso do contrato", "Late fee of the contract"),
    "collection_cost": ("Gastos de cobranza", "Despesas de cobrança", "Collection costs"),
    "legal": ("Gastos legales", "Despesas judiciais", "Legal costs"),
    "nsf": ("Cargo por pago devuelto", "Tarifa por pagamento devolvido", "Fee for a returned payment"),
}


def fee_said(what: str, amount_minor: int, base_minor: int, currency: str, on: date) -> Said:
    """A sum owed once: what it is, how much, on which late sum, and since when."""
    es, pt, en = _FEES[what]
    words = {
        "es": f"{es}: {{amount}} sobre {{base}}, al {{on}}, una sola vez.",
        "pt": f"{pt}: {{amount}} sobre {{base}}, em {{on}}, uma única vez.",
        "en": f"{en}: {{amount}} on {{base}}, on {{on}}, once.",
    }
    return Said(
        **{
            language: text.format(
                amount=_money(amount_minor, currency, language),
                base=_money(base_minor, currency, language),
                on=_day(on, language),
            )
            for language, text in words.items()
        }
    )


def _money(amount_minor: int, currency: str, language: str) -> str:
    digits = exponent(currency)
    shape = "#,##0." + "0" * digits if digits else "#,##0"
    return f"{format_decimal(major_units(amount_minor, currency), format=shape, locale=_LOCALES[language])} {currency}"


def _day(day: date, language: str) -> str:
    return format_date(day, format="long", locale=_LOCALES[language])
