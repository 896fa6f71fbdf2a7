"""A due date that was assumed becomes certain by a person's word: as it stands, or corrected."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.invoices import amend, due_list
from ledger.refusals import Refused, not_found
from ledger.tasks import close_task
from policies.readiness import CONFIRM_DUE_DATE

_CONFIRM = text(
    "update instalment set due_source = 'stated' where invoice_id = :id and superseded_at is null and due_source = 'assumed'"
    " returning number"
)


def confirm_due_date(
    session: Session, invoice_id: UUID | str, *, due_on: date | None = None, now: datetime, actor: str = "api"
) -> bool:
    """The due date is as assumed, or `due_on`; False when it was certain and the same.

    Raises Refused `not-found`, `invoice-closed`, `several-due-dates` when one day is given for several instalments.
    """
    dues = due_list(session, invoice_id)
    if not dues:
        raise not_found("invoice", invoice_id)
    if due_on is not None and len(dues) > 1:
        why = f"this invoice has {len(dues)} instalments: amend them all, or confirm them as they stand"
        raise Refused("several-due-dates", why, status=422)
    wanted = dues if due_on is None else [(number, due_on, amount) for number, _, amount in dues]
    done = amend(session, invoice_id, wanted, reason="due date confirmed", now=now, actor=actor, said_at="/due_on")
    changed = done.changed
    confirmed = list(session.execute(_CONFIRM, {"id": str(invoice_id)}).scalars())
    if confirmed and not changed:
        days = [day.isoformat() for _, day, _ in wanted]
        detail = {"instalments": sorted(confirmed), "due_on": days}
        note_fact(session, invoice_id, at=now, kind="due_date_confirmed", detail=detail, actor=actor, note=days[0])
    if confirmed or changed:
        close_confirmed(session, invoice_id, now)
    return bool(confirmed) or changed


def close_confirmed(session: Session, invoice_id: UUID | str, now: datetime) -> None:
    """Nobody has to confirm a date any more, where none is assumed."""
    creditor = session.execute(
        text(
            "select i.creditor_id from invoice i where i.id = :id and not exists (select 1 from instalment t"
            " where t.invoice_id = i.id and t.superseded_at is null and t.due_source = 'assumed')"
        ),
        {"id": str(invoice_id)},
    ).scalar()
    if creditor is not None:
        close_task(session, creditor_id=creditor, kind=CONFIRM_DUE_DATE, key=str(invoice_id), outcome="confirmed", now=now)
