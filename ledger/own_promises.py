"""What we promised a customer: a copy, a credit note, a call back, a repair, a document, by a day (S66, S67).

Each is a task of a kind that begins with `own_`. While one is late, that customer's firm rungs wait.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple, get_args
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.holds import locked_invoice
from ledger.refusals import Refused, not_found
from ledger.tasks import open_task
from policies.ladder import day_start, local_day

OwnPromise = Literal["send_copy", "credit_note", "call_back", "repair", "document"]
OWN_PROMISES: tuple[str, ...] = get_args(OwnPromise)
OWN = "own_"
"""What the kind of each such task begins with."""
DAYS_MAX = 60
"""How far away a promise of ours may be: beyond that nobody remembers it."""

_WHAT: dict[str, str] = {
    "send_copy": "send a copy of the invoice", "credit_note": "issue the credit note", "call_back": "call back",
    "repair": "repair or replace", "document": "send the document that was asked for",
}  # fmt: skip


class Ours(NamedTuple):
    """A promise of ours as it stands."""

    id: UUID
    kind: str
    due_at: datetime
    done_at: datetime | None


def promise_to_customer(
    session: Session, invoice_id: UUID | str, *, kind: OwnPromise | str, due_on: date, actor: str, now: datetime
) -> UUID:
    """Promise the customer something by the end of a day, on the customer's clock; the same again is the same one.

    Raises Refused: `not-found`, `own-promise-kind`, `own-promise-date` (before today, or over 60 days away),
    `own-promise-open` when the same is promised for another day and was not kept yet.
    """
    if kind not in OWN_PROMISES:
        raise Refused("own-promise-kind", f"we promise one of {', '.join(OWN_PROMISES)}", status=422)
    invoice = locked_invoice(session, invoice_id)
    today = local_day(now, invoice.zone)
    if not today <= due_on <= today + timedelta(days=DAYS_MAX):
        latest = (today + timedelta(days=DAYS_MAX)).isoformat()
        raise Refused("own-promise-date", f"choose a day from {today.isoformat()} to {latest}", status=422)
    due_at = day_start(due_on + timedelta(days=1), invoice.zone).astimezone(UTC)
    present = session.execute(
        text("select id, due_at from task where invoice_id = :id and kind = :kind and done_at is null"),
        {"id": invoice.id, "kind": OWN + kind},
    ).one_or_none()
    if present is not None:
        if present.due_at == due_at:
            same: UUID = present.id
            return same
        before = (local_day(present.due_at, invoice.zone) - timedelta(days=1)).isoformat()
        said = f"the same was promised by {before} and is not done: keep that first, then promise again"
        raise Refused("own-promise-open", said, more={"id": str(present.id)})
    key = str(uuid4())
    open_task(
        session, creditor_id=invoice.creditor_id, invoice_id=invoice.id, account_id=invoice.account_id, kind=OWN + kind, key=key,
        why=f"we promised the customer to {_WHAT[kind]} by {due_on.isoformat()}", due_at=due_at, now=now,
    )  # fmt: skip
    task_id: UUID = session.execute(
        text("select id from task where creditor_id = :creditor and kind = :kind and key = :key"),
        {"creditor": invoice.creditor_id, "kind": OWN + kind, "key": key},
    ).scalar_one()
    detail = {"task": str(task_id), "promise": kind, "due_on": due_on.isoformat()}
    note = f"{kind} by {due_on.isoformat()}"
    note_fact(session, invoice.id, at=now, kind="own_promise_made", detail=detail, actor=actor, note=note)
    return task_id


def keep_own_promise(
    session: Session, task_id: UUID | str, *, actor: str, now: datetime, invoice_id: UUID | str | None = None
) -> bool:
    """It is done; False when it was before. Raises Refused `not-found`, also when it is not this invoice's."""
    row = session.execute(
        text("select id, invoice_id, kind, due_at, done_at from task where id = :id and starts_with(kind, :own)"),
        {"id": str(task_id), "own": OWN},
    ).one_or_none()
    if row is None or (invoice_id is not None and str(row.invoice_id) != str(invoice_id)):
        raise not_found("promise of ours", task_id)
    invoice = locked_invoice(session, row.invoice_id)
    done = session.execute(
        text("update task set done_at = :now, outcome = 'kept', done_by = :by where id = :id and done_at is null returning id"),
        {"now": now, "by": actor, "id": row.id},
    ).scalar()
    if done is None:
        return False
    late = now >= row.due_at
    detail = {"task": str(row.id), "promise": row.kind.removeprefix(OWN), "late": late}
    note = f"{row.kind.removeprefix(OWN)}{', late' if late else ''}"
    note_fact(session, invoice.id, at=now, kind="own_promise_kept", detail=detail, actor=actor, note=note)
    return True


def own_promises_of(session: Session, invoice_id: UUID | str) -> list[Ours]:
    """Every promise of ours about an invoice, the open ones first, by their day."""
    rows = session.execute(
        text(
            "select id, kind, due_at, done_at from task where invoice_id = :id and starts_with(kind, :own)"
            " order by done_at is not null, due_at, id"
        ),
        {"id": str(invoice_id), "own": OWN},
    )
    return [Ours(row.id, row.kind.removeprefix(OWN), row.due_at, row.done_at) for row in rows]
