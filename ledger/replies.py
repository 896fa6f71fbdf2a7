"""A customer answered in words that only a person understands: no rung goes out until somebody has answered (playbook 2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.session import lock_debtor
from policies.calendars import add_working_days
from policies.ladder import day_start, local_day

TASK = "read_reply"

_OPEN = text(
    "select i.id, i.creditor_id, i.place_of_payment, i.place_of_payment_region, a.zone,"
    " coalesce((m.content -> 'pauses' ->> 'reply_wd')::int, 5) as days from invoice i join account a on a.id = i.account_id"
    " join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id"
    " where i.account_id = :account and i.outcome is null and i.balance_minor > 0 order by i.id"
)


def hold_until_answered(session: Session, account_id: UUID | str, *, reply: str, now: datetime) -> int:
    """Hold every open invoice of the customer until the reply (its event's id) is answered, for the manual's working days at
    most; returns how many were held. The same reply holds once."""
    lock_debtor(session, account_id)
    held = 0
    for row in session.execute(_OPEN, {"account": str(account_id)}).all():
        last = add_working_days(local_day(now, row.zone), row.days, row.place_of_payment, row.place_of_payment_region)
        until = day_start(last + timedelta(days=1), row.zone)
        added = session.execute(
            text(
                "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, money_ref, actor, created_at)"
                " select :id, :creditor, :invoice, 'reply', :now, :until, 'a reply waits for an answer', :ref, 'customer', :now"
                " where not exists (select 1 from hold where invoice_id = :invoice and kind = 'reply' and money_ref = :ref)"
                " returning id"
            ),
            {"id": uuid4(), "creditor": row.creditor_id, "invoice": row.id, "now": now, "until": until, "ref": reply},
        ).scalar()
        if added is not None:
            detail = {"hold": str(added), "until": until.isoformat()}
            note_fact(session, row.id, at=now, kind="customer_replied", detail=detail, actor="customer", note=f"until {last}")
            held += 1
    return held


def answered(session: Session, creditor_id: UUID | str, reply: str, *, actor: str, outcome: str, now: datetime) -> int:
    """A person answered the reply: what it held goes on; returns how many invoices. Said again, 0."""
    rows = session.execute(
        text(
            "update hold set released_at = :now, release_why = :why where creditor_id = :creditor and kind = 'reply'"
            " and money_ref = :ref and released_at is null and until > :now returning invoice_id"
        ),
        {"now": now, "why": outcome[:200], "creditor": str(creditor_id), "ref": reply},
    )
    invoices = sorted(rows.scalars())
    for invoice_id in invoices:
        note_fact(session, invoice_id, at=now, kind="reply_answered", detail={"outcome": outcome}, actor=actor, note=outcome)
    return len(invoices)
