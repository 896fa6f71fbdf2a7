"""How messages speak of deductions, deposits elsewhere, and debts counted in an index: short labels, lines and one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from babel.numbers import format_decimal

from messages.formats import locale_for, money
from policies.indexed import spoken_code, to_payment

LABELS: Final[dict[str, dict[str, str]]] = {
    "es": {
        "retefuente": "retención en la fuente", "reteiva": "retención de IVA", "reteica": "retención de ICA",
        "isr_retenido": "retención de ISR", "iva_retenido": "retención de IVA", "irpf": "retención de IRPF",
        "detraccion": "detracción", "retencion_igv": "retención de IGV", "ir_retenido": "retención de Impuesto a la Renta",
        "retencion_garantia": "retención de garantía", "ritenuta": "retención (ritenuta)", "iss_retido": "retención de ISS",
        "irrf": "retención de IRRF", "retencion_honorarios": "retención de honorarios", "other": "retención",
    },
    "pt": {
        "retefuente": "retenção na fonte", "reteiva": "retenção de IVA", "reteica": "retenção de ICA",
        "isr_retenido": "retenção de ISR", "iva_retenido": "retenção de IVA", "irpf": "retenção de IRPF",
        "detraccion": "detração", "retencion_igv": "retenção de IGV", "ir_retenido": "retenção de imposto de renda",
        "retencion_garantia": "retenção de garantia", "ritenuta": "retenção (ritenuta)", "iss_retido": "ISS retido",
        "irrf": "IRRF retido", "retencion_honorarios": "retenção de honorários", "other": "retenção",
    },
    "en": {
        "retefuente": "withholding tax (retefuente)", "reteiva": "VAT withheld (reteIVA)", "reteica": "ICA tax withheld",
        "isr_retenido": "income tax withheld (ISR)", "iva_retenido": "VAT withheld", "irpf": "income tax withheld (IRPF)",
        "detraccion": "detracción", "retencion_igv": "IGV withheld", "ir_retenido": "income tax withheld",
        "retencion_garantia": "guarantee retention", "ritenuta": "withholding tax (ritenuta)", "iss_retido": "ISS withheld",
        "irrf": "income tax withheld (IRRF)", "retencion_honorarios": "withholding on fees", "other": "withholding",
    },
}  # fmt: skip
"""What each kind of deduction is called."""
_WORDS: Final[dict[str, dict[str, str]]] = {
    "es": {
        "certificate": "el certificado de {what}", "proof": "la constancia de depósito de la {what}", "some": "un documento",
        "and": " y ", "net": "A pagar", "to": "{what} (cuenta {account})",
        "conversion": "{units} × {rate} ({source}, {day}, {until})", "until": "vale hasta el {day}", "today": "vale hoy",
    },
    "pt": {
        "certificate": "o comprovante de {what}", "proof": "o comprovante de depósito da {what}", "some": "um documento",
        "and": " e ", "net": "A pagar", "to": "{what} (conta {account})",
        "conversion": "{units} × {rate} ({source}, {day}, {until})", "until": "vale até {day}", "today": "vale hoje",
    },
    "en": {
        "certificate": "the certificate of {what}", "proof": "the proof of deposit of the {what}", "some": "a document",
        "and": " and ", "net": "To pay", "to": "{what} (account {account})",
        "conversion": "{units} × {rate} ({source}, {day}, {until})", "until": "valid until {day}", "today": "valid today",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DeductionLine:
    """A deduction as a message shows it, in minor units. `account` is where it is deposited; empty when it is withheld."""

    kind: str
    amount_minor: int
    open_minor: int = 0
    account: str = ""
    missing: bool = False
    """Its document, or the deposit itself, has still to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What one unit of a debt's currency is worth on the day of the message."""

    currency: str
    payment_currency: str
    value: Decimal
    on_day: date
    valid_until: date
    source: str


Rows = tuple[tuple[str, str], ...]
Money = Callable[[int], str]


def capital(text: str) -> str:
    """The first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def documents(lines: Sequence[DeductionLine], language: str) -> str:
    """What is missing, as a list in words: `el certificado de retención en la fuente y la constancia de ...`."""
    words = _WORDS[language]
    named = [
        words["proof" if one.account else "certificate"].format(what=LABELS[language].get(one.kind, LABELS[language]["other"]))
        for one in lines
        if one.missing
    ]
    named = list(dict.fromkeys(named))
    if not named:
        return words["some"]
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + words["and"] + named[-1]


def deposit(lines: Sequence[DeductionLine]) -> tuple[int, str]:
    """What has still to be deposited, in minor units, and the account it goes to; (0, "") when nothing is."""
    return next(((one.open_minor, one.account) for one in lines if one.account and one.open_minor > 0), (0, ""))


def deduction_rows(lines: Sequence[DeductionLine], language: str, say: Money) -> Rows:
    """A line for each deduction: its name, the account it is deposited to, and its sum."""
    labels, words = LABELS[language], _WORDS[language]
    rows = []
    for one in lines:
        what = capital(labels.get(one.kind, labels["other"]))
        rows.append((words["to"].format(what=what, account=one.account) if one.account else what, say(one.amount_minor)))
    return tuple(rows)


def units(
    amount_minor: int, currency: str, language: str, country: str, conversions: Sequence[Conversion] = (), *, plain: bool = False
) -> str:
    """A sum in the unit people know (`12,5000 UF` for CLF) and, where there is room, what it comes to today."""
    said = money(amount_minor, currency, language, country, plain=plain).replace(currency, spoken_code(currency))
    rate = next((one for one in conversions if one.currency == currency and not plain), None)
    if rate is None:
        return said
    paid = to_payment(amount_minor, currency, rate.value, rate.payment_currency)
    return f"{said} ({money(paid, rate.payment_currency, language, country)})"


def net_label(lines: Sequence[DeductionLine], language: str) -> str:
    """How the sum to pay is called where something is deducted from the invoice; empty where nothing is."""
    return _WORDS[language]["net"] if lines else ""


def conversion_rows(
    sums: Mapping[str, int], conversions: Sequence[Conversion], language: str, country: str, day: Callable[[date], str]
) -> Rows:
    """How each sum to pay comes about, and that sum: units, value, its source and day, and until when it holds."""
    words, rows = _WORDS[language], []
    for rate in conversions:
        if rate.currency not in sums:
            continue
        value = format_decimal(rate.value, format="#,##0.00########", locale=locale_for(language, country))
        holds = words["today"] if rate.valid_until == rate.on_day else words["until"].format(day=day(rate.valid_until))
        said = words["conversion"].format(
            units=units(sums[rate.currency], rate.currency, language, country), rate=f"{value} {rate.payment_currency}",
            source=rate.source, day=day(rate.on_day), until=holds,
        )  # fmt: skip
        paid = to_payment(sums[rate.currency], rate.currency, rate.value, rate.payment_currency)
        rows.append((said, money(paid, rate.payment_currency, language, country)))
    return tuple(rows)


def about(lines: Sequence[DeductionLine], language: str, say: Money) -> dict[str, str]:
    """What a text may name: the documents that are missing, the sum still to deposit and the account for it."""
    open_minor, account = deposit(lines)
    return {
        "documents": documents(lines, language), "deposit": say(open_minor) if open_minor else "", "deposit_account": account,
    }  # fmt: skip


def worth(
    sums: Mapping[str, int], conversions: Sequence[Conversion], language: str, country: str, day: Callable[[date], str]
) -> str:
    """The same in one line, for a channel without a table; empty for ordinary debts."""
    return "; ".join(" = ".join(row) for row in conversion_rows(sums, conversions, language, country, day))
