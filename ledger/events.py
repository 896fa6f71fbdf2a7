"""The one way a fact becomes known: a row in the timeline, a higher revision, and a ring for the workflow, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from ledger.session import Prepared

ACCOUNT_CHANGED = "account_changed"
"""The kind of fact: something about who owes is known better now."""

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

_NOTE_ACCOUNTS = text(
    """
    with r as (
        select * from json_to_recordset(cast(:rows as json)) as r(account uuid, detail jsonb)
    ), mine as materialized (
        select i.id, r.detail from r join account a on r.account in (a.id, a.payer_id)
            join invoice i on i.account_id = a.id and i.outcome is null order by i.id
        for no key update of i
    ), changed as (
        update invoice i set revision = i.revision + 1, changed_at = clock_timestamp() from mine where i.id = mine.id
        returning i.id, i.creditor_id, i.number, mine.detail
    ), told as (
        insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)
        select creditor_id, id, :at, :kind, detail, :actor from changed order by id
    ), rung as (
        insert into outbox (creditor_id, invoice_id, workflow_id, signal, note)
        select c.creditor_id, c.id, 'invoice:' || k.slug || ':' || c.number, :kind, :note
        from changed c join creditor k on k.id = c.creditor_id order by c.id
    )
    select count(*) from changed
    """
)

_TELL = Prepared(
    "tell",
    "insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)"
    " select creditor_id, id, :at, :kind, :detail, :actor from invoice where id = :invoice",
    invoice="uuid", at="timestamptz", kind="text", detail="jsonb", actor="text",
)  # fmt: skip


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


def note_accounts(
    session: Session, details: Mapping[str, Mapping[str, Any]], *, at: datetime, kind: str, actor: str, note: str = ""
) -> int:
    """`note_fact` for every open invoice of many accounts in one statement: details by account id; returns how many it rang."""
    rows = to_json([{"account": account, "detail": dict(detail)} for account, detail in details.items()]).decode()
    done = session.execute(_NOTE_ACCOUNTS, {"rows": rows, "at": at, "kind": kind, "actor": actor, "note": note})
    return int(done.scalar_one())


def tell(
    session: Session, invoice_id: UUID | str, *, at: datetime, kind: str, detail: Mapping[str, Any], actor: str = "puntual"
) -> None:
    """Record for the timeline something that changes nothing to come (a decision's own work, a receipt)."""
    said = to_json(dict(detail)).decode()
    _TELL.later(session, {"invoice": str(invoice_id), "at": at, "kind": kind, "detail": said, "actor": actor})
