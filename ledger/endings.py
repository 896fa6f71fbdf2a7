"""How an invoice ends from the creditor's side: cancelled or written off; and what every change of an invoice begins with."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.allocation import refresh_balance, settle
from ledger.events import note_fact
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor
from policies.money import written


def cancel(session: Session, invoice_id: UUID | str, *, reason: str, now: datetime, actor: str = "api") -> bool:
    """Bring an invoice to nothing; what was paid is left unallocated. False when it was cancelled before."""
    invoice = locked_row(session, invoice_id)
    if invoice.status == "cancelled":
        return False
    if invoice.status != "open":
        raise closed(invoice, "cancel")
    charged = session.execute(
        text(
            "select instalment, sum(amount_minor) as charged from entry where invoice_id = :id and payment_id is null"
            " group by instalment having sum(amount_minor) <> 0 order by instalment"
        ),
        {"id": invoice.id},
    ).all()
    for row in charged:
        enter(session, invoice, row.instalment, "cancellation", -int(row.charged), now, reason)
    moved = settle(session, invoice.id, now=now)
    session.execute(text("update invoice set status = 'cancelled' where id = :id"), {"id": invoice.id})
    refresh_balance(session, invoice.id)
    detail = {"reason": reason, "freed_minor": max(-moved, 0)}
    note_fact(session, invoice.id, at=now, kind="cancelled", detail=detail, actor=actor)
    return True


def write_off(session: Session, invoice_id: UUID | str, *, reason: str, now: datetime, actor: str = "api") -> bool:
    """Give up what is still owed; what was paid stays where it lies. False when it was written off before.

    Money that comes afterwards is recorded and told, and reopens nothing. Raises Refused `not-found`, `invoice-closed` when
    nothing is owed.
    """
    invoice = locked_row(session, invoice_id)
    if invoice.status == "written_off":
        return False
    if invoice.status != "open":
        raise closed(invoice, "write off")
    if invoice.balance_minor <= 0:
        detail = f"nothing is owed on invoice {invoice.number}: there is nothing to write off"
        raise Refused("invoice-closed", detail, more={"state": "paid"})
    owed = session.execute(
        text(
            "select instalment, sum(amount_minor) as owed from entry where invoice_id = :id group by instalment"
            " having sum(amount_minor) > 0 order by instalment"
        ),
        {"id": invoice.id},
    ).all()
    for row in owed:
        enter(session, invoice, row.instalment, "write_off", -int(row.owed), now, reason)
    session.execute(text("update invoice set status = 'written_off' where id = :id"), {"id": invoice.id})
    refresh_balance(session, invoice.id)
    given_up = sum(int(row.owed) for row in owed)
    detail_of = {"reason": reason, "amount_minor": given_up, "currency": invoice.currency}
    note = f"{written(given_up, invoice.currency)} given up"
    note_fact(session, invoice.id, at=now, kind="written_off", detail=detail_of, actor=actor, note=note)
    return True


def locked_row(session: Session, invoice_id: UUID | str) -> Row[Any]:
    """The invoice's row, read again under its debtor's lock."""
    account = session.execute(text("select account_id from invoice where id = :id"), {"id": str(invoice_id)}).scalar()
    if account is None:
        raise not_found("invoice", invoice_id)
    lock_debtor(session, account)
    return session.execute(
        text(
            "select i.id, i.creditor_id, i.account_id, i.number, i.currency, i.issued_on, i.status, i.manual_id, i.balance_minor,"
            " c.zone as creditor_zone from invoice i join creditor c on c.id = i.creditor_id where i.id = :id for update of i"
        ),
        {"id": str(invoice_id)},
    ).one()


def closed(invoice: Row[Any], verb: str) -> Refused:
    """The refusal to do something to an invoice that is not open."""
    state = invoice.status.replace("_", " ")
    detail = f"invoice {invoice.number} is {state}: there is nothing to {verb}"
    return Refused("invoice-closed", detail, more={"state": invoice.status})


def enter(session: Session, invoice: Row[Any], instalment: int, kind: str, amount_minor: int, now: datetime, cause: str) -> None:
    """An entry of that kind, dated today in the creditor's zone."""
    session.execute(
        text(
            "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
            " recorded_at, cause) values (:creditor, :account, :invoice, :instalment, :kind, :amount, :currency, :dated_on, :now,"
            " :cause)"
        ),
        {
            "creditor": invoice.creditor_id, "account": invoice.account_id, "invoice": invoice.id, "instalment": instalment,
            "kind": kind, "amount": amount_minor, "currency": invoice.currency, "now": now, "cause": cause,
            "dated_on": now.astimezone(ZoneInfo(invoice.creditor_zone)).date(),
        },
    )  # fmt: skip
