"""Work for a person: opened once by its key, with a deadline."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session


def open_task(
    session: Session, *, creditor_id: UUID | str, kind: str, key: str, why: str, due_at: datetime, now: datetime,
    invoice_id: UUID | str | None = None, account_id: UUID | str | None = None,
) -> bool:  # fmt: skip
    """Ask a person to do something; a second task of the same kind and key is the same one, and opens none: False.

    A firm rung ahead is for the account's owner.
    `why` holds no personal data.
    """
    added = session.execute(
        text(
            "insert into task (id, creditor_id, invoice_id, account_id, kind, key, why, due_at, created_at, assigned_to)"
            " values (:id, :creditor, :invoice, :account, :kind, :key, :why, :due, :now, case when :kind in"
            " ('firm_rung_ahead', 'firm_rung_yes') then (select owner_staff from account where id = cast(:account as uuid)) end)"
            " on conflict (creditor_id, kind, key) do nothing returning id"
        ),
        {
            "id": uuid4(), "creditor": str(creditor_id), "invoice": str(invoice_id) if invoice_id else None,
            "account": str(account_id) if account_id else None, "kind": kind, "key": key, "why": why, "due": due_at, "now": now,
        },
    )  # fmt: skip
    return added.scalar() is not None


def close_task(session: Session, *, creditor_id: UUID | str, kind: str, key: str, outcome: str, now: datetime) -> bool:
    """Mark an open task as done, with how it ended (no personal data); false when none of that kind and key is open."""
    done = session.execute(
        text(
            "update task set done_at = :now, outcome = :outcome where creditor_id = :creditor and kind = :kind and key = :key"
            " and done_at is null returning id"
        ),
        {"now": now, "outcome": outcome, "creditor": str(creditor_id), "kind": kind, "key": key},
    ).scalar()
    return done is not None
