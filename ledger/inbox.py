"""What came in from outside, stored once by the sender's own event id and applied once, in one transaction (I5, F55)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.sealing import Sealer

_STORE = text(
    "insert into inbox (creditor_id, source, event_id, received_at, payload, applied_at, result)"
    " values (:creditor, :source, :event, :now, :payload, case when :result <> '' then cast(:now as timestamptz) end,"
    " nullif(:result, ''))"
    " on conflict (creditor_id, source, event_id) do nothing returning id"
)
_APPLIED = text("update inbox set applied_at = :now, result = :result where id = :id")
_EMPTY = text("update inbox set payload = null where payload is not null and applied_at is not null and received_at < :before")


def store(
    session: Session, sealer: Sealer, creditor_id: UUID | str, source: str, event_id: str, payload: bytes, *, now: datetime,
    expected: str = "",
) -> int | None:  # fmt: skip
    """Keep an event sealed under the master key; returns its row, or None when it was stored before.

    `expected` is what will have become of it when the caller's transaction commits; another result is said by `applied`.
    A second delivery that runs at the same moment waits here for the first, so that it answers only what is committed.
    """
    return session.execute(
        _STORE,
        {
            "creditor": str(creditor_id), "source": source, "event": event_id, "now": now, "payload": sealer.seal(payload),
            "result": expected,
        },
    ).scalar()  # fmt: skip


def applied(session: Session, inbox_id: int, result: str, *, now: datetime) -> None:
    """Say in a word or two, without personal data, what became of a stored event."""
    session.execute(_APPLIED, {"id": inbox_id, "result": result[:200], "now": now})


def empty_payloads(session: Session, before: datetime) -> int:
    """Forget the content of what was applied and came before that instant; its id stays, so a repeat is still known."""
    found = session.execute(
        text("with emptied as (" + _EMPTY.text + " returning 1) select count(*) from emptied"), {"before": before}
    ).scalar_one()
    return int(found)
