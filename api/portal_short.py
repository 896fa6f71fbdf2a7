"""The customer's page about what is deducted or deposited elsewhere, and about debts counted in an index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy.orm import Session

from activities.short import deduction_lines
from ledger.index_values import value_on
from messages import short
from policies.deduction_rules import missing_documents
from policies.facts import InvoiceFacts
from policies.indexed import to_payment

Row = tuple[str, str, str]


def deducted(facts: InvoiceFacts, language: str, settled: str, say: Callable[[int], str]) -> list[Row]:
    """A row for each deduction: what it is, its sum, and what of a deposit is still open."""
    lines = deduction_lines(facts)
    rows = short.deduction_rows(lines, language, say)
    return [
        (what, total, (say(line.open_minor) if line.open_minor > 0 else settled) if line.account else "")
        for (what, total), line in zip(rows, lines, strict=True)
    ]


def documents_missing(facts: InvoiceFacts, language: str) -> str:
    """The documents that are missing once all else is paid, in words; empty when none is."""
    return short.documents(deduction_lines(facts), language) if missing_documents(facts) else ""


def worth(
    session: Session, facts: InvoiceFacts, today: date, language: str, country: str, day: Callable[[date], str]
) -> tuple[list[Row], tuple[int, str] | None]:
    """How the sum in the payment currency comes about, and that sum (minor units, currency) for the payment link.

    An ordinary debt has no rows and its own sum; None where today's value is not known: then no link asks for a sum.
    """
    if not facts.payment_currency:
        return [], (facts.balance_minor, facts.currency)
    value = value_on(session, facts.creditor_id, facts.currency, facts.payment_currency, today)
    if value is None:
        return [], None
    rate = short.Conversion(
        currency=facts.currency, payment_currency=facts.payment_currency, value=value.value, on_day=value.on_day,
        valid_until=value.valid_until, source=value.source,
    )  # fmt: skip
    rows = short.conversion_rows({facts.currency: facts.balance_minor}, (rate,), language, country, day)
    paid = to_payment(facts.balance_minor, facts.currency, value.value, facts.payment_currency)
    return [(how, total, "") for how, total in rows], (paid, facts.payment_currency)
