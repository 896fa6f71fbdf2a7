"""Money that nobody can place yet: listed, and asked about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.sealing import Sealer
from ledger.tasks import open_task
from policies.money import written

MATCH_WITHIN = timedelta(days=2)
"""How long a person has to say whose an unmatched payment is."""


@dataclass(frozen=True)
class Unplaced:
    """Money that is on no invoice. `hint` is what came with it, for the one who must say whose it is: it may be personal."""

    id: UUID
    kind: Literal["payment", "reversal"]
    source: str
    source_ref: str
    amount_minor: int
    unallocated_minor: int
    currency: str
    paid_on: date
    recorded_at: datetime
    reverses_ref: str
    account_id: UUID | None
    invoice_id: UUID | None
    number: str | None
    status: str | None
    hint: str = field(repr=False)


def unmatched(session: Session, creditor_id: UUID | str, sealer: Sealer, *, limit: int = 200) -> list[Unplaced]:
    """Money that is on no invoice, oldest first: payments without one, account credits, reversals whose payment never came."""
    rows = session.execute(
        text(
            "select p.id, p.kind, p.source, p.source_ref, p.amount_minor, p.unallocated_minor, p.currency, p.paid_on,"
            " p.recorded_at, p.reverses_ref, p.account_id, p.invoice_id, i.number, i.status, p.reason, p.hint_sealed"
            " from payment p left join invoice i on i.id = p.invoice_id"
            " where p.creditor_id = :creditor and p.unallocated_minor > 0 order by p.recorded_at, p.id limit :limit"
        ),
        {"creditor": str(creditor_id), "limit": limit},
    ).mappings()
    found = []
    for row in rows:
        given = dict(row)
        reason, sealed = given.pop("reason"), given.pop("hint_sealed")
        found.append(Unplaced(**given, hint=reason if sealed is None else sealer.unseal(bytes(sealed)).decode()))
    return found


def ask_which_sum(session: Session, payment: Row[Any], amount_minor: int, currency: str, now: datetime) -> None:
    """One payment was reported with two sums: the first stands until a person says otherwise."""
    why = (
        f"{payment.source} {payment.source_ref} was first {written(payment.amount_minor, payment.currency)}, now"
        f" {written(amount_minor, currency)}: the first was kept, say which is right"
    )
    _task(session, payment, "check_payment", why, now)


def ask_whose(session: Session, payment: Row[Any], now: datetime, may_be: str = "") -> None:
    """Open the task to match a payment, once; `may_be` says which open invoices it equals."""
    why = f"{written(payment.amount_minor, payment.currency)} came by {payment.source} and matches no invoice: say whose it is"
    why += f" ({may_be})" if may_be else ""
    _task(session, payment, "match_payment", why, now)


def settled(session: Session, payment: Row[Any], now: datetime, outcome: str) -> None:
    """The payment found its invoice: its task is done."""
    session.execute(
        text(
            "update task set done_at = :now, outcome = :outcome where creditor_id = :creditor and kind = 'match_payment'"
            " and key = :key and done_at is null"
        ),
        {"now": now, "outcome": outcome, "creditor": payment.creditor_id, "key": str(payment.id)},
    )


def _task(session: Session, payment: Row[Any], kind: str, why: str, now: datetime) -> None:
    open_task(
        session, creditor_id=payment.creditor_id, account_id=payment.account_id, kind=kind, key=str(payment.id), why=why,
        due_at=now + MATCH_WITHIN, now=now,
    )  # fmt: skip
