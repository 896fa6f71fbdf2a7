"""What a message must show of deductions, and of today's value of what a debt is counted in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy.orm import Session

from ledger.index_values import value_on
from messages.catalogue import TextError
from messages.short import Conversion, DeductionLine
from policies.deduction_rules import WITHOUT_SUMS
from policies.deductions import STATE_BANK
from policies.facts import InvoiceFacts


def deduction_lines(facts: InvoiceFacts) -> tuple[DeductionLine, ...]:
    """Each deduction that lowers what is asked, with the account it is deposited to."""
    return tuple(
        DeductionLine(
            kind=one.kind, amount_minor=one.amount_minor, open_minor=one.open_minor, missing=one.document_missing,
            account=one.where_paid.removeprefix(STATE_BANK) if one.deposited else "",
        )
        for one in facts.deductions
        if one.stands
    )  # fmt: skip


def conversions(session: Session, told: Iterable[InvoiceFacts], today: date, template: str) -> tuple[Conversion, ...]:
    """Today's value of each unit the message speaks of; raises TextError when one is not known: nothing is guessed.

    The policy has waited for the value before, so this only happens when a message is written on another day than planned.
    """
    found: dict[str, Conversion] = {}
    for facts in told:
        if not facts.payment_currency or facts.currency in found or template in WITHOUT_SUMS:
            continue
        row = value_on(session, facts.creditor_id, facts.currency, facts.payment_currency, today)
        if row is None:
            raise TextError(f"the value of {facts.currency} on {today} is not known")
        found[facts.currency] = Conversion(
            currency=facts.currency, payment_currency=row.payment_currency, value=row.value, on_day=row.on_day,
            valid_until=row.valid_until, source=row.source,
        )  # fmt: skip
    return tuple(found.values())
