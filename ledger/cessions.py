"""Debts that were sold or factored: our chase rests, what is paid to us is forwarded (playbook 3)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.holds import locked_invoice, must_owe
from ledger.refusals import Refused
from ledger.tasks import open_task
from policies.money import written

REVIEW_WITHIN = timedelta(days=366)


def cede(
    session: Session, invoice_id: UUID | str, *, assignee_ref: str, ceded_on: date, notified_on: date | None, review_at: datetime,
    actor: str, now: datetime,
) -> UUID:  # fmt: skip
    """The debt is somebody else's now: nothing is sent until recourse, buy-back or the review date. Told again, the same.

    `assignee_ref` is the creditor's own reference. Raises Refused: `not-found`; `invoice-closed`; `until` when the review is
    not in the next 366 days; `ceded` when it is ceded to another.
    """
    invoice = locked_invoice(session, invoice_id)
    known = session.execute(
        text("select id, assignee_ref from cession where invoice_id = :invoice and ended_at is null"), {"invoice": invoice.id}
    ).one_or_none()
    if known is not None:
        if known.assignee_ref != assignee_ref:
            raise Refused("ceded", f"invoice {invoice.number} is ceded to another already: end that cession first")
        found: UUID = known.id
        return found
    must_owe(invoice)
    if not now < review_at <= now + REVIEW_WITHIN:
        raise Refused("until", "the review date must lie in the next 366 days", status=422)
    hold_id, cession_id = uuid4(), uuid4()
    session.execute(
        text(
            "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
            " values (:id, :creditor, :invoice, 'ceded', :now, :until, 'ceded to another creditor', :actor, :now)"
        ),
        {"id": hold_id, "creditor": invoice.creditor_id, "invoice": invoice.id, "now": now, "until": review_at, "actor": actor},
    )
    session.execute(
        text(
            "insert into cession (id, creditor_id, invoice_id, hold_id, ceded_on, assignee_ref, notified_on, recorded_at)"
            " values (:id, :creditor, :invoice, :hold, :on, :ref, :notified, :now)"
        ),
        {
            "id": cession_id, "creditor": invoice.creditor_id, "invoice": invoice.id, "hold": hold_id, "on": ceded_on,
            "ref": assignee_ref, "notified": notified_on, "now": now,
        },
    )  # fmt: skip
    open_task(
        session, creditor_id=invoice.creditor_id, invoice_id=invoice.id, account_id=invoice.account_id, kind="review_cession",
        key=str(cession_id), due_at=review_at, now=now, why=f"invoice {invoice.number} is ceded: has it come back?",
    )  # fmt: skip
    detail = {"cession": str(cession_id), "until": review_at.isoformat(), "notified_on": str(notified_on or "")}
    note_fact(session, invoice.id, at=now, kind="ceded", detail=detail, actor=actor, note=f"until {review_at.date().isoformat()}")
    return cession_id


def end_cession(
    session: Session, invoice_id: UUID | str, *, how: Literal["recourse", "buy_back", "cancelled"], actor: str, now: datetime
) -> None:
    """The debt is the creditor's again; the ladder goes on. Raises Refused `not-found`, `not-ceded`."""
    invoice = locked_invoice(session, invoice_id)
    row = session.execute(
        text(
            "update cession set ended_at = :now, end_why = :how where invoice_id = :invoice and ended_at is null"
            " returning id, hold_id"
        ),
        {"now": now, "how": how, "invoice": invoice.id},
    ).one_or_none()
    if row is None:
        raise Refused("not-ceded", f"invoice {invoice.number} is not ceded")
    session.execute(
        text("update hold set released_at = :now, release_why = :how where id = :id and released_at is null"),
        {"now": now, "how": how, "id": row.hold_id},
    )
    session.execute(
        text(
            "update task set done_at = :now, outcome = :how where creditor_id = :creditor and kind = 'review_cession'"
            " and key = :key and done_at is null"
        ),
        {"now": now, "how": how, "creditor": invoice.creditor_id, "key": str(row.id)},
    )
    note_fact(session, invoice.id, at=now, kind="cession_ended", detail={"how": how}, actor=actor, note=how.replace("_", " "))


def forward_if_ceded(
    session: Session, invoice_id: UUID | str, *, payment_id: UUID, amount_minor: int, currency: str, now: datetime
) -> None:
    """Money came to us for a debt that is another's: a person forwards it."""
    row = session.execute(
        text(
            "select c.id, c.creditor_id, i.account_id, i.number from cession c join invoice i on i.id = c.invoice_id"
            " where c.invoice_id = :invoice and c.ended_at is null"
        ),
        {"invoice": str(invoice_id)},
    ).one_or_none()
    if row is not None:
        open_task(
            session, creditor_id=row.creditor_id, invoice_id=invoice_id, account_id=row.account_id, kind="forward_payment",
            key=str(payment_id), due_at=now + timedelta(days=2), now=now,
            why=f"{written(amount_minor, currency)} came for {row.number}, which is ceded: forward it to its new creditor",
        )  # fmt: skip
