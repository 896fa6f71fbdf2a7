"""The same money reported under several names: found again, so that it is applied once.

A gateway tells of one payment as an intent, a charge, a checkout and an invoice. Where an event names the others, the names
decide. Where a gateway's invoice no longer names its payment, equal sums within a day are taken for the same money when both are
of one customer of the gateway, or on one invoice of ours: whichever came first is kept, under the stronger name. Equal sums of
different customers are different money.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

TWIN_WITHIN = timedelta(days=1)
_STRENGTH = ("pi_", "py_", "ch_", "cs_", "in_")
_WEAK = "in_"
_PAIRED = ("pi_", "py_", "ch_", "in_")


def stronger(one: str, other: str) -> str:
    """Which of two names a later refund or dispute is more likely to use."""
    return min(one, other, key=_rank)


def find_same(
    session: Session, creditor_id: UUID | str, source: str, names: Sequence[str], *, invoice_id: UUID | None, payer_ref: str,
    amount_minor: int, currency: str, at: datetime,
) -> Row[Any] | None:  # fmt: skip
    """The payment that reports this money already, or None; `names[0]` is the event's own name for it.

    Holds a lock on the sum, so that two reports never miss each other. A payment found by its sum is marked, and found so once.
    """
    session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 1))"),
        {"key": f"sum:{creditor_id}:{source}:{currency}:{amount_minor}"},
    )
    found = named(session, creditor_id, source, names)
    if found is not None or not names[0].startswith(_PAIRED):
        return found
    weak = names[0].startswith(_WEAK)
    return session.execute(
        text(
            "update payment set twin = true where id = (select id from payment where creditor_id = :creditor"
            " and source = :source and kind = 'payment' and amount_minor = :amount and currency = :currency and not twin"
            " and starts_with(source_ref, :weak) = :other and recorded_at between :since and :until"
            " and (cast(:invoice as uuid) is null or invoice_id is null or invoice_id = cast(:invoice as uuid))"
            " and (:payer = '' or payer_ref = '' or payer_ref = :payer)"
            " and ((:payer <> '' and payer_ref = :payer) or invoice_id = cast(:invoice as uuid))"
            " order by (invoice_id is null), recorded_at, id limit 1) returning *"
        ),
        {
            "creditor": str(creditor_id), "source": source, "amount": amount_minor, "currency": currency, "weak": _WEAK,
            "other": not weak, "since": at - TWIN_WITHIN, "until": at + TWIN_WITHIN, "invoice": invoice_id, "payer": payer_ref,
        },
    ).one_or_none()  # fmt: skip


def named(session: Session, creditor_id: UUID | str, source: str, names: Sequence[str]) -> Row[Any] | None:
    """The payment that is kept under one of these names, or None."""
    return session.execute(
        text(
            "select * from payment where creditor_id = :creditor and source = :source and kind = 'payment'"
            " and source_ref = any(:names) order by recorded_at, id limit 1"
        ),
        {"creditor": str(creditor_id), "source": source, "names": list(names)},
    ).one_or_none()


def came_and_stayed(session: Session, creditor_id: UUID | str, source: str, names: Sequence[str]) -> bool:
    """Whether money is recorded under one of these names of which nothing went back."""
    return bool(
        session.execute(
            text(
                "select exists (select 1 from payment where creditor_id = :creditor and source = :source and kind = 'payment'"
                " and source_ref = any(:names)) and not exists (select 1 from payment where creditor_id = :creditor"
                " and source = :source and kind = 'reversal' and reverses_ref = any(:names))"
            ),
            {"creditor": str(creditor_id), "source": source, "names": list(names)},
        ).scalar_one()
    )


def rename(session: Session, payment_id: UUID, name: str) -> None:
    """Keep a payment under a stronger name."""
    session.execute(text("update payment set source_ref = :name where id = :id"), {"name": name, "id": payment_id})


def _rank(name: str) -> int:
    return next((place for place, prefix in enumerate(_STRENGTH) if name.startswith(prefix)), len(_STRENGTH))
