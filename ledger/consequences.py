"""What was done to a debt is undone when it is paid: a task for a person, once, on the day of the payment (playbook 1).

A suspension, a hold on orders, an entry in a credit record: the service holds none of these switches, a person turns them back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import tell
from ledger.tasks import open_task

UNDO_WITHIN = timedelta(days=1)
UNDONE_BY = ("paid", "credited", "cancelled", "recalled_paid", "settled_in_erp")
"""Ends of an invoice after which nothing done to the customer may last; a write-off is none."""
_DONE = text(
    """
    select d.kind, d.done_by as rung, i.creditor_id, i.account_id
    from invoice i join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id,
        lateral jsonb_to_recordset(coalesce(m.content -> 'consequences', '[]'))
            as d (kind text, done_by text, undone_on_payment boolean),
        lateral (select coalesce(max(u.created_at), '-infinity') as at from task u
            where u.invoice_id = i.id and u.kind = 'undo_' || d.kind) undone
    where i.id = :invoice and d.undone_on_payment and (
        exists (select 1 from contact k where k.invoice_id = i.id and k.rung = d.done_by and k.at_utc > undone.at
            and k.state in ('accepted', 'delivered'))
        or exists (select 1 from task t where t.invoice_id = i.id and t.created_at > undone.at
            and t.key like i.id || ':%.' || d.done_by || '.%'))
    """
)


def undo_when_paid(session: Session, invoice_id: UUID | str, *, now: datetime) -> list[str]:
    """Open a task for each consequence that was carried out on an invoice that owes nothing any more; returns their kinds.

    Carried out is what a rung said, and what a person was asked to do: whether they did it is not told to us.
    """
    asked: list[str] = []
    for row in session.execute(_DONE, {"invoice": str(invoice_id)}).all():
        kind = f"undo_{row.kind}"
        why = f"nothing is owed any more: undo the {row.kind.replace('_', ' ')} of rung {row.rung} today, if it was made"
        opened = open_task(
            session, creditor_id=row.creditor_id, invoice_id=invoice_id, account_id=row.account_id, kind=kind,
            key=f"{invoice_id}:{now.isoformat()}", why=why, due_at=now + UNDO_WITHIN, now=now,
        )  # fmt: skip
        if opened:
            asked.append(row.kind)
            tell(session, invoice_id, at=now, kind="task_opened", detail={"task": kind, "why": why})
    return asked
