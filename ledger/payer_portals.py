"""What became of an invoice in its payer's portal: submitted, rejected, approved, scheduled (playbook 4.4)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import agreements
from ledger.delivery import record_delivery
from ledger.events import note_fact
from ledger.holds import locked_invoice, must_owe
from ledger.ids import new_id
from ledger.refusals import Refused
from ledger.tasks import close_task
from policies.delivery_facts import DeliveryKind
from policies.ladder import local_day
from policies.payer_portal import SUBMIT

PortalState = Literal["submitted", "rejected", "approved", "scheduled"]
SOURCE = "portal"
_SHOWS: dict[PortalState, DeliveryKind] = {"submitted": "delivered", "rejected": "rejected", "approved": "accepted"}
_ADD = text(
    "insert into portal_step (id, creditor_id, invoice_id, state, on_day, scheduled_for, ref, actor, recorded_at)"
    " select :id, creditor_id, id, :state, :on, :scheduled, :ref, :actor, :now from invoice where id = :invoice"
    " on conflict (invoice_id, state, on_day, ref) do update set scheduled_for = excluded.scheduled_for"
    " where portal_step.scheduled_for is distinct from excluded.scheduled_for returning id"
)


def record_portal(
    session: Session, invoice_id: UUID | str, state: PortalState, on: date, *, scheduled_for: date | None = None, ref: str = "",
    actor: str, now: datetime,
) -> agreements.Agreed | None:  # fmt: skip
    """Record a step in the payer's portal and what it means; the same again changes nothing.

    Submitted is evidence of delivery, approved of acceptance; rejected holds the invoice and asks a person to issue it again;
    scheduled with a date is a promise for that date, which is returned. `ref` is the portal's own, without personal data.
    Raises Refused: `not-found`, `invoice-closed`, `portal-day`, `portal-scheduled`, and what `record_delivery` refuses.
    """
    invoice = locked_invoice(session, invoice_id)
    must_owe(invoice)
    if on > local_day(now, invoice.zone):
        raise Refused("portal-day", "on: the day on which the portal showed it is not in the future", status=422)
    if (state == "scheduled") != (scheduled_for is not None):
        raise Refused(
            "portal-scheduled", "scheduled_for: the payment date belongs to the state scheduled, and to no other", status=422
        )
    given = {
        "id": new_id(), "invoice": invoice.id, "state": state, "on": on, "scheduled": scheduled_for, "ref": ref, "actor": actor,
        "now": now,
    }  # fmt: skip
    if session.execute(_ADD, given).scalar() is None:
        return None
    detail = {"state": state, "on": on.isoformat(), "scheduled_for": scheduled_for and scheduled_for.isoformat(), "ref": ref}
    note_fact(session, invoice.id, at=now, kind="portal_state", detail=detail, actor=actor, note=f"{state} on {on.isoformat()}")
    if state != "rejected":
        close_task(session, creditor_id=invoice.creditor_id, kind=SUBMIT, key=str(invoice.id), outcome=state, now=now)
    if state in _SHOWS:
        record_delivery(session, invoice.id, _SHOWS[state], on, source=SOURCE, actor=actor, now=now)
    if scheduled_for is None:
        return None
    return agreements.schedule(session, invoice.id, scheduled_for, actor=actor, now=now)
