"""What came in from outside, stored once by the sender's own event id and applied once (I5, F55).

Receipts and replies are stored and applied in one transaction. A gateway's event is stored first, which is what its sender
waits for, and applied a moment later; until then no claim on the customer whom it is about passes it (I3), nor on any customer
of its creditor where the door could not tell whom, and whoever finds it applies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine, Row, text
from sqlalchemy.orm import Session

from direct import ask_alone
from ledger.ids import is_id
from ledger.sealing import Sealer

_STORE = text(
    "insert into inbox (creditor_id, source, event_id, received_at, payload) values (:creditor, :source, :event, :now, :payload)"
    " on conflict (creditor_id, source, event_id) do nothing returning id"
)
_DOOR = "select creditor_id, kind, secret_sealed from door_webhook(%(hash)s)"
_KEEP = (
    "select stands, creditor_id, kept, account_id from keep_webhook(%(hash)s, %(secret)s, %(event)s, %(now)s::timestamptz,"
    " %(payload)s, %(numbers)s::text[], %(ids)s::uuid[])"
)
_APPLIED = text("update inbox set applied_at = :now, result = :result where id = :id")
# Two statements in one round trip: a role under row-level security sees the row only after the first.
_TAKE = text(
    "select set_config('puntual.creditor', :creditor, true);"
    " select id, creditor_id, source, event_id, received_at, payload, tries from inbox"
    " where id = :id and result is null for update skip locked"
)
_WAITING = text(
    "select creditor_id, id from inbox where result is null"
    " and try_at <= clock_timestamp() - make_interval(secs => :rested) order by id limit :most"
)
_WAITING_FOR = text(
    "select b.creditor_id, b.id from invoice i join account a on a.id = i.account_id"
    " join inbox b on b.creditor_id = i.creditor_id left join account g on g.id = b.account_id"
    " where i.id = :invoice and b.result is null and b.try_at <= clock_timestamp()"
    " and (b.account_id is null or coalesce(g.payer_id, g.id) = coalesce(a.payer_id, a.id)) order by b.id limit :most"
)
_AGAIN = text(
    "update inbox set tries = tries + 1, try_at = clock_timestamp() + make_interval(secs => power(:base, tries + 1)::int),"
    " result = case when tries + 1 >= :most then cast(:failed as text) end where id = :id and result is null"
    " returning result is not null"
)
_EMPTY = text("update inbox set payload = null where payload is not null and result is not null and received_at < :before")

TRIES = 6
_BASE = 3
"""Seconds to the power of the tries: an event that cannot be applied is given to a person after six minutes."""


class Address(NamedTuple):
    """A webhook's address that stands: whose it is, which gateway's, and its secret as it is stored."""

    creditor_id: UUID
    kind: str
    secret_sealed: bytes


class Kept(NamedTuple):
    """What became of an event at the door: whose it is, its row, and about whom; no row when it was stored before.

    `account_id` is None where the event names no invoice, or not that of one customer.
    """

    creditor_id: UUID
    row: int | None
    account_id: UUID | None = None


def address(engine: Engine, token_hash: bytes) -> Address | None:
    """The webhook address of that token, or None when there is none or it was revoked."""
    row = ask_alone(engine, _DOOR, {"hash": token_hash})
    return None if row is None else Address(row[0], row[1], bytes(row[2]))


def keep(
    engine: Engine, sealer: Sealer, token_hash: bytes, secret_sealed: bytes, event_id: str, payload: bytes, *, now: datetime,
    references: Sequence[str] = (),
) -> Kept | None:  # fmt: skip
    """Store a gateway's event, sealed and on disk when this returns; None when its address no longer stands with that secret.

    `references`: by which it names an invoice. A second delivery that runs at the same moment waits here for the first, so that
    it answers only what is committed.
    """
    given = {
        "hash": token_hash, "secret": secret_sealed, "event": event_id, "now": now, "payload": sealer.seal(payload),
        "numbers": list(references), "ids": [reference for reference in references if is_id(reference)],
    }  # fmt: skip
    row = ask_alone(engine, _KEEP, given)
    return Kept(row[1], row[2], row[3]) if row is not None and row[0] else None


def store(
    session: Session, sealer: Sealer, creditor_id: UUID | str, source: str, event_id: str, payload: bytes, *, now: datetime
) -> int | None:
    """Keep an event sealed under the master key, to be applied in this transaction; None when it was stored before."""
    return session.execute(
        _STORE,
        {
            "creditor": str(creditor_id), "source": source, "event": event_id, "now": now, "payload": sealer.seal(payload),
        },
    ).scalar()  # fmt: skip


def waiting(session: Session, *, most: int = 200, rested_seconds: float = 0.0) -> Sequence[Row[Any]]:
    """The events to be applied now (`creditor_id`, `id`), of all creditors; `rested_seconds`: stored so long ago."""
    return session.execute(_WAITING, {"most": most, "rested": rested_seconds}).all()


def waiting_for(session: Session, invoice_id: UUID | str, *, most: int = 200) -> Sequence[Row[Any]]:
    """Those that may be about the customer who owes that invoice."""
    return session.execute(_WAITING_FOR, {"invoice": str(invoice_id), "most": most}).all()


def take(session: Session, creditor_id: UUID, inbox_id: int) -> Row[Any] | None:
    """Take one waiting event in this transaction; None when it was applied, or another is applying it."""
    return session.execute(_TAKE, {"creditor": str(creditor_id), "id": inbox_id}).one_or_none()


def applied(session: Session, inbox_id: int, result: str, *, now: datetime) -> None:
    """Say in a word or two, without personal data, what became of a stored event."""
    session.execute(_APPLIED, {"id": inbox_id, "result": result[:200], "now": now})


def not_applied(session: Session, inbox_id: int, *, why: str) -> bool:
    """Note a try that failed; true when it was the last, and the event is a person's now. `why` holds no personal data."""
    given = {"id": inbox_id, "base": _BASE, "most": TRIES, "failed": f"failed: {why}"[:200]}
    return bool(session.execute(_AGAIN, given).scalar())


def received_at(session: Session, inbox_id: int) -> datetime:
    """When an event came, in business time."""
    at: datetime = session.execute(text("select received_at from inbox where id = :id"), {"id": inbox_id}).scalar_one()
    return at


def empty_payloads(session: Session, before: datetime) -> int:
    """Forget the content of what is over and came before that instant; its id stays, so a repeat is still known."""
    found = session.execute(
        text("with emptied as (" + _EMPTY.text + " returning 1) select count(*) from emptied"), {"before": before}
    ).scalar_one()
    return int(found)
