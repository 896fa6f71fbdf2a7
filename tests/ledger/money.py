"""What the tests of money share: instalments, payments in few words, and what the ledger then says."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.payments import PaymentResult, record_payment, record_reversal
from tests.cast import NOW

PAID_ON = date(2026, 3, 2)
PARTS: dict[str, Any] = {
    "due_on": None,
    "amount_minor": None,
    "instalments": [
        {"number": 1, "due_on": "2026-03-16", "amount_minor": 500},
        {"number": 2, "due_on": "2026-04-16", "amount_minor": 500},
    ],
}
"""Changes that turn the cast's invoice into two parts of 500 minor units."""


def pay(
    session: Session, creditor: UUID, ref: str, amount: int, invoice: UUID | None, *, currency: str = "COP", now: datetime = NOW,
    source: str = "standard", **more: Any,
) -> PaymentResult:  # fmt: skip
    """Record a payment of 2 March."""
    return record_payment(
        session, creditor, source=source, source_ref=ref, amount_minor=amount, currency=currency, paid_on=PAID_ON,
        value_on=PAID_ON, now=now, invoice_id=invoice, **more,
    )  # fmt: skip


def take(
    session: Session,
    creditor: UUID,
    ref: str,
    of: str,
    amount: int,
    *,
    now: datetime = NOW,
    source: str = "standard",
    **more: Any,
) -> PaymentResult:
    """Record that money went back."""
    return record_reversal(
        session, creditor, source=source, source_ref=ref, payment_ref=of, amount_minor=amount,
        currency=more.pop("currency", "COP"), reversed_on=now.date(), now=now, **more,
    )  # fmt: skip


def balances(session: Session, invoice: UUID) -> dict[int, int]:
    """What each instalment owes, by its entries; the invoice's cached balance is checked against their sum."""
    rows = session.execute(
        text("select instalment, sum(amount_minor) as owed from entry where invoice_id = :id group by instalment"),
        {"id": invoice},
    )
    owed = {row.instalment: int(row.owed) for row in rows}
    cached = session.execute(text("select balance_minor from invoice where id = :id"), {"id": invoice}).scalar_one()
    assert cached == sum(owed.values()), "the cached balance left the entries"
    return owed


def row_of(session: Session, invoice: UUID) -> Any:
    """The invoice's row."""
    return session.execute(text("select * from invoice where id = :id"), {"id": invoice}).one()


def kinds(session: Session, invoice: UUID) -> list[str]:
    """The timeline's kinds, in order."""
    return list(session.execute(text("select kind from event where invoice_id = :id order by id"), {"id": invoice}).scalars())


def rings(session: Session, invoice: UUID) -> list[tuple[str, str]]:
    """The signals waiting for the workflow, with what they say."""
    rows = session.execute(
        text("select signal, note from outbox where invoice_id = :id and signal is not null order by id"), {"id": invoice}
    )
    return [(row.signal, row.note) for row in rows]
