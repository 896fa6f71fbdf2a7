"""Whether an invoice reached its customer, as billing systems and people tell it (F42)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.facts import gather
from ledger.holds import locked_invoice
from ledger.ids import new_id
from ledger.refusals import Refused
from ledger.tasks import open_task
from policies.delivery_facts import DeliveryKind

NOT_ACCEPTED = "not_accepted"
"""Why an invoice rests that came back: a dispute until it is issued again, accepted after all, or its time is over."""
REISSUE_DAYS = 3

_ADD = text(
    "insert into delivery (id, creditor_id, invoice_id, kind, on_day, source, reason, actor, recorded_at)"
    " select :id, creditor_id, id, :kind, :on, :source, :reason, :actor, :now from invoice where id = :invoice"
    " on conflict (invoice_id, kind, on_day, source) do nothing returning id"
)
_HOLD = text(
    "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
    " select :id, creditor_id, id, 'dispute', :now, :until, 'not_accepted', :actor, :now from invoice where id = :invoice"
)
_RELEASE = text(
    "update hold set released_at = :now, release_why = :why where invoice_id = :invoice and kind = 'dispute'"
    " and reason = 'not_accepted' and released_at is null"
)
_ASKED = text(
    "update task set done_at = :now, outcome = :outcome where invoice_id = :invoice and done_at is null and kind = any(:kinds)"
)


def record_delivery(
    session: Session, invoice_id: UUID | str, kind: DeliveryKind, on: date, *, source: str, actor: str, now: datetime,
    reason: str = "",
) -> bool:  # fmt: skip
    """Record that the invoice was delivered, accepted, rejected or that proof is waived; False when that was known.

    `source` is a word, `reason` a few words without personal data. A rejection holds the invoice and asks a person to issue it
    again; any of the others ends that. Raises Refused `not-found`, `invoice-closed`, `delivery-day`, `delivery-reason`.
    """
    invoice = locked_invoice(session, invoice_id)
    if invoice.status != "open":
        raise Refused(
            "invoice-closed", f"invoice {invoice.number} is {invoice.status.replace('_', ' ')}: delivery no longer matters"
        )
    issued_on = session.execute(text("select issued_on from invoice where id = :id"), {"id": invoice.id}).scalar_one()
    if not issued_on <= on <= now.astimezone(ZoneInfo(invoice.zone)).date():
        raise Refused(
            "delivery-day", f"the day must lie between {issued_on.isoformat()}, the day of issue, and today", status=422
        )
    if kind == "waived" and len(reason.strip()) < 2:
        raise Refused("delivery-reason", "a person who waives the proof says why, in a few words", status=422)
    return add_told(session, invoice_id, kind, on, source=source, actor=actor, now=now, reason=reason)


def add_told(
    session: Session, invoice_id: UUID | str, kind: DeliveryKind, on: date, *, source: str, actor: str, now: datetime,
    reason: str = "",
) -> bool:  # fmt: skip
    """`record_delivery` without its checks, for an invoice that the caller has locked or just made."""
    given: dict[str, Any] = {"invoice": str(invoice_id), "now": now, "actor": actor}
    added = session.execute(
        _ADD, {**given, "id": new_id(), "kind": kind, "on": on, "source": source, "reason": reason}
    ).scalar_one_or_none()  # fmt: skip
    if added is None:
        return False
    if kind == "rejected":
        _rejected(session, invoice_id, on, actor, now)
    else:
        session.execute(_RELEASE, {**given, "why": f"{kind} on {on.isoformat()}"})
        session.execute(_ASKED, {**given, "outcome": kind, "kinds": ["prove_delivery", "reissue"]})
    detail = {"on": on.isoformat(), "source": source, "reason": reason}
    note_fact(
        session, invoice_id, at=now, kind=f"delivery_{kind}", detail=detail, actor=actor, note=f"{on.isoformat()}, {source}"
    )
    return True


def _rejected(session: Session, invoice_id: UUID | str, on: date, actor: str, now: datetime) -> None:
    facts, manual = gather(session, invoice_id, now)
    until = now + timedelta(days=manual.pauses.dispute_days_max)
    session.execute(_HOLD, {"id": new_id(), "invoice": str(invoice_id), "now": now, "until": until, "actor": actor})
    open_task(
        session, creditor_id=facts.creditor_id, invoice_id=invoice_id, account_id=facts.account_id, kind="reissue",
        key=f"{facts.invoice_id}:{on.isoformat()}", due_at=now + timedelta(days=REISSUE_DAYS), now=now,
        why=f"invoice {facts.order} was not accepted: issue it again with `replaces`, or show that it stands",
    )  # fmt: skip


def told_of_delivery(session: Session, invoice_id: UUID | str) -> Sequence[Row[Any]]:
    """What was told, in order: kind, on_day, source, reason, actor, recorded_at."""
    return session.execute(
        text(
            "select kind, on_day, source, reason, actor, recorded_at from delivery where invoice_id = :id"
            " order by recorded_at, on_day, kind"
        ),
        {"id": str(invoice_id)},
    ).all()
