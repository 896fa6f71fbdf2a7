"""The one way a fact becomes known: a row in the timeline, a higher revision, and a ring for the workflow, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

_NOTE = text(
    """
    with changed as (
        update invoice set revision = revision + 1, changed_at = clock_timestamp() where id = :invoice
        returning id, creditor_id, number
    ), told as (
        insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)
        select creditor_id, id, :at, :kind, :detail, :actor from changed
    )
    insert into outbox (creditor_id, invoice_id, workflow_id, signal, note)
    select c.creditor_id, c.id, 'invoice:' || k.slug || ':' || c.number, :signal, :note
    from changed c join creditor k on k.id = c.creditor_id where cast(:signal as text) is not null
    """
).bindparams(bindparam("detail", type_=JSONB))

_TELL = text(
    "insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)"
    " select creditor_id, id, :at, :kind, :detail, :actor from invoice where id = :invoice"
).bindparams(bindparam("detail", type_=JSONB))


def note_fact(
    session: Session,
    invoice_id: UUID | str,
    *,
    at: datetime,
    kind: str,
    detail: Mapping[str, Any],
    actor: str = "puntual",
    note: str = "",
) -> None:
    """Record a fact that may change what comes next, and ring the workflow with a signal of the same name.

    `detail` and `note` hold ids, sums, dates and states, never personal data: the note is shown in the Temporal UI.
    """
    session.execute(
        _NOTE,
        {
            "invoice": str(invoice_id),
            "at": at,
            "kind": kind,
            "detail": dict(detail),
            "actor": actor,
            "signal": kind,
            "note": note,
        },
    )


def tell(
    session: Session, invoice_id: UUID | str, *, at: datetime, kind: str, detail: Mapping[str, Any], actor: str = "puntual"
) -> None:
    """Record for the timeline something that changes nothing to come (a decision's own work, a receipt)."""
    session.execute(_TELL, {"invoice": str(invoice_id), "at": at, "kind": kind, "detail": dict(detail), "actor": actor})
