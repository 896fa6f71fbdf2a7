"""What the creditor's own system settled, as dated entries; taken back when the real money, or the open item, appears.

The caller holds the debtor's lock. An adjustment is an entry without a payment, so that it is never taken for money received.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import allocation, charges
from ledger.events import tell
from policies.deductions import PARTS_FROM

_OPEN = text(
    "select e.instalment, sum(e.amount_minor) as owed, min(t.due_on) as due_on from entry e left join instalment t"
    " on t.invoice_id = e.invoice_id and t.number = e.instalment and t.superseded_at is null"
    " where e.invoice_id = :invoice and (:elsewhere or e.instalment < :from) group by e.instalment having sum(e.amount_minor) > 0"
    " order by min(t.due_on) nulls last, e.instalment"
)
_ADJUSTED = text(
    "select instalment, dated_on, -sum(amount_minor) as taken from entry where invoice_id = :invoice and kind = 'erp_adjustment'"
    " group by instalment, dated_on having sum(amount_minor) < 0 order by dated_on desc, instalment desc"
)
_ENTER = text(
    "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on, recorded_at,"
    " cause) select creditor_id, account_id, id, :instalment, 'erp_adjustment', :amount, currency, :day, :now, :cause"
    " from invoice where id = :invoice"
)


def lower(
    session: Session, invoice_id: UUID, amount_minor: int, *, dated_on: date, now: datetime, cause: str, whole: bool = False
) -> int:
    """Take a sum off an invoice, the oldest instalment first, dated as the list is; returns the balance after it.

    `whole`: what is paid elsewhere by law is settled too.
    """
    rest = amount_minor
    for row in session.execute(_OPEN, {"invoice": invoice_id, "elsewhere": whole, "from": PARTS_FROM}).all():
        part = min(rest, int(row.owed))
        if part > 0:
            _enter(session, invoice_id, row.instalment, -part, dated_on, now, cause)
            rest -= part
    return _settled(session, invoice_id, now)


def take_back(session: Session, invoice_id: UUID, amount_minor: int, *, now: datetime, cause: str, settle: bool = True) -> int:
    """Undo adjustments up to a sum, the latest first, each on its own day; returns the balance after it.

    `settle`: let money that lies free on the invoice take the place at once.
    """
    rest = amount_minor
    for row in session.execute(_ADJUSTED, {"invoice": invoice_id}).all():
        part = min(rest, int(row.taken))
        if part > 0:
            _enter(session, invoice_id, row.instalment, part, row.dated_on, now, cause)
            rest -= part
    return _settled(session, invoice_id, now, settle=settle)


def give_back(session: Session, payment: Row[Any], invoice_id: UUID, *, now: datetime) -> int:
    """Before a payment is applied: it takes the place of an adjustment, so that the same money is not counted twice.

    A payment from before the list's day is what the list knew of, whole. A later one is new money; only what the invoice cannot
    take without it is. Returns the minor units given back.
    """
    adjusted = session.execute(_ADJUSTED, {"invoice": invoice_id}).all()
    if not adjusted:
        return 0
    free = int(payment.unallocated_minor)
    if min(payment.paid_on, payment.value_on) > max(row.dated_on for row in adjusted):
        balance = session.execute(text("select balance_minor from invoice where id = :id"), {"id": invoice_id}).scalar_one()
        free -= max(int(balance), 0)
    given = min(sum(int(row.taken) for row in adjusted), free)
    if given <= 0:
        return 0
    take_back(session, invoice_id, given, now=now, cause=f"payment {payment.id} took its place", settle=False)
    tell(session, invoice_id, at=now, kind="adjustment_replaced", detail={"payment": str(payment.id), "amount_minor": given})
    return given


def reopened(session: Session, invoice_id: UUID, *, was: str, closed_at: datetime | None, now: datetime) -> None:
    """An item that the list had settled is open again: the ladder goes on where it was, with fresh notice (F13)."""
    days = max((now - (closed_at or now)) // timedelta(days=1), 0)
    session.execute(
        text(
            "update invoice set outcome = null, outcome_at = null, cycle = cycle + 1, cycle_started_at = :now,"
            " cycle_notice = 'reopened', shift_days = shift_days + :days where id = :id"
        ),
        {"now": now, "days": days, "id": invoice_id},
    )
    tell(session, invoice_id, at=now, kind="reopened", detail={"was": was, "days_closed": days})


def _settled(session: Session, invoice_id: UUID, now: datetime, *, settle: bool = True) -> int:
    if settle:
        allocation.settle(session, invoice_id, now=now)
        if charges.correct(session, invoice_id, now=now):
            allocation.settle(session, invoice_id, now=now)
    return allocation.refresh_balance(session, invoice_id)


def _enter(session: Session, invoice_id: UUID, instalment: int, amount: int, day: date, now: datetime, cause: str) -> None:
    session.execute(
        _ENTER, {"invoice": invoice_id, "instalment": instalment, "amount": amount, "day": day, "now": now, "cause": cause}
    )
