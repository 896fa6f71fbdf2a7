"""What is decided about a deduction: confirmed, declined, its document came, or it was short payment after all.

Each takes the debtor's lock, changes entries and notes one fact, so that the workflow asks again. Nothing here commits.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import allocation, deductions
from ledger.deductions import task_key
from ledger.events import note_fact, tell
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor
from ledger.tasks import close_task
from policies.deductions import PARTS_FROM
from policies.money import written

_ONE = text(
    """
    select d.*, i.account_id, i.currency, i.number as invoice_number, i.status, i.outcome, i.outcome_at, a.zone,
        c.zone as creditor_zone,
        (select coalesce(sum(e.amount_minor), 0) from entry e
            where e.invoice_id = i.id and e.instalment = d.instalment) as open_minor,
        (select coalesce(sum(e.amount_minor) filter (where e.kind <> 'deduction'), 0) from entry e
            where e.invoice_id = i.id and e.instalment = d.instalment) as covers_minor
    from deduction d join invoice i on i.id = d.invoice_id join account a on a.id = i.account_id
        join creditor c on c.id = i.creditor_id
    where d.invoice_id = :invoice and d.number = :number
    """
)
_FIRST = text(
    "select number from instalment where invoice_id = :invoice and superseded_at is null order by due_on, number limit 1"
)


def confirm(
    session: Session, invoice_id: UUID | str, number: int, *, certificate_required: bool, now: datetime, actor: str
) -> bool:
    """Book a proposed gap as deducted; false when it was confirmed before.

    Raises Refused `not-found`; `not-proposed` when it was decided otherwise; `gap-changed` when less than it is owed there now.
    """
    row = _locked(session, invoice_id, number)
    if row.state == "confirmed":
        return False
    if row.state != "proposed":
        raise _state(row, "confirm")
    if row.open_minor < row.amount_minor:
        raise Refused(
            "gap-changed", f"only {row.open_minor} minor units are open there now: the deduction explains more than that"
        )
    _decide(session, row, "confirmed", now, actor, certificate_required=certificate_required)
    deductions.enter(session, row, row.instalment, -row.amount_minor, now=now, cause=f"deduction {number}: {row.kind}")
    _done(session, row, "deduction_confirmed", now, actor)
    return True


def decline(session: Session, invoice_id: UUID | str, number: int, *, now: datetime, actor: str) -> bool:
    """The gap is a short payment: the ladder goes on with it; false when it was declined before. Raises as `confirm`."""
    row = _locked(session, invoice_id, number)
    if row.state == "declined":
        return False
    if row.state != "proposed":
        raise _state(row, "decline")
    _decide(session, row, "declined", now, actor)
    _done(session, row, "deduction_declined", now, actor)
    return True


def receive_certificate(
    session: Session, invoice_id: UUID | str, number: int, *, received_on: date, ref: str, now: datetime, actor: str
) -> bool:
    """Record the certificate, or the proof that a deposit was made, which closes its part; false when it was recorded before.

    Raises Refused `not-found`; `not-deducted` when the deduction does not stand.
    """
    row = _locked(session, invoice_id, number)
    if row.state not in ("declared", "confirmed"):
        raise _state(row, "record a certificate for")
    if row.certificate_on is not None:
        return False
    session.execute(
        text(
            "update deduction set certificate_on = :on, certificate_ref = :ref where invoice_id = :invoice and number = :number"
        ),
        {"on": received_on, "ref": ref, "invoice": row.invoice_id, "number": number},
    )
    _done(session, row, "certificate_received", now, actor, received_on=received_on.isoformat())
    return True


def reclassify(session: Session, invoice_id: UUID | str, number: int, *, reason: str, now: datetime, actor: str) -> bool:
    """It was short payment after all: the debt opens again for that sum, on the first instalment; false when it was done before.

    When the net had been paid a new cycle begins, and the ladder stands where it stood that day (F13). Raises Refused
    `not-found`; `not-deducted`; `invoice-closed` for an invoice that was cancelled or written off.
    """
    row = _locked(session, invoice_id, number)
    if row.state == "reclassified":
        return False
    if row.state not in ("declared", "confirmed") or row.released_on is not None:
        raise _state(row, "reclassify")
    if row.status != "open":
        raise Refused("invoice-closed", f"invoice {row.invoice_number} is {row.status.replace('_', ' ')}: nothing is owed on it")
    own_part = row.instalment >= PARTS_FROM
    due_minor = int(row.covers_minor) if own_part else row.amount_minor
    cause = f"deduction {number} was short payment"
    _decide(session, row, "reclassified", now, actor)
    if own_part and row.open_minor:
        deductions.enter(session, row, row.instalment, -int(row.open_minor), now=now, cause=cause)
    first = session.execute(_FIRST, {"invoice": row.invoice_id}).scalar_one() if own_part else row.instalment
    if due_minor > 0:
        deductions.enter(session, row, first, due_minor, now=now, cause=cause)
    if row.settled_at is not None:
        _new_cycle(session, row, now)
    _done(session, row, "deduction_reclassified", now, actor, reason=reason, owed_again_minor=due_minor)
    return True


def _locked(session: Session, invoice_id: UUID | str, number: int) -> Row[Any]:
    account = session.execute(text("select account_id from invoice where id = :id"), {"id": str(invoice_id)}).scalar()
    if account is None:
        raise not_found("invoice", invoice_id)
    lock_debtor(session, account)
    row = session.execute(_ONE, {"invoice": str(invoice_id), "number": number}).one_or_none()
    if row is None:
        raise not_found("deduction", f"{invoice_id}/{number}")
    return row


def _state(row: Row[Any], verb: str) -> Refused:
    code = "not-proposed" if verb in ("confirm", "decline") else "not-deducted"
    return Refused(code, f"deduction {row.number} is {row.state}: there is nothing to {verb}", more={"state": row.state})


def _decide(
    session: Session, row: Row[Any], state: str, now: datetime, actor: str, *, certificate_required: bool | None = None
) -> None:
    session.execute(
        text(
            "update deduction set state = :state, decided_at = :now, decided_by = :actor, settled_at = null,"
            " certificate_required = coalesce(:required, certificate_required) where invoice_id = :invoice and number = :number"
        ),
        {
            "state": state, "now": now, "actor": actor, "required": certificate_required, "invoice": row.invoice_id,
            "number": row.number,
        },
    )  # fmt: skip


def _done(session: Session, row: Row[Any], kind: str, now: datetime, actor: str, **more: Any) -> None:
    """Settle what follows, end the tasks, and let the workflow know."""
    allocation.settle(session, row.invoice_id, now=now)
    balance_minor = allocation.refresh_balance(session, row.invoice_id)
    outcome = kind.replace("_", " ")
    keys = {"confirm_deduction": task_key(row.invoice_id, row.number)}
    for task, key in keys.items():
        close_task(session, creditor_id=row.creditor_id, kind=task, key=key, outcome=outcome, now=now)
    session.execute(
        text(
            "update task set done_at = :now, outcome = :outcome where invoice_id = :invoice and kind = 'certificate_missing'"
            " and done_at is null"
        ),
        {"now": now, "outcome": outcome, "invoice": row.invoice_id},
    )
    detail = {
        "deduction": row.number, "deducted": row.kind, "amount_minor": row.amount_minor, "currency": row.currency,
        "balance_minor": balance_minor, **more,
    }  # fmt: skip
    note = f"{row.kind} {written(row.amount_minor, row.currency)}, owed now {written(balance_minor, row.currency)}"
    note_fact(session, row.invoice_id, at=now, kind=kind, detail=detail, actor=actor, note=note)


def _new_cycle(session: Session, row: Row[Any], now: datetime) -> None:
    zone = ZoneInfo(row.zone)
    days = max((now.astimezone(zone).date() - row.settled_at.astimezone(zone).date()).days, 0)
    session.execute(
        text(
            "update invoice set outcome = null, outcome_at = null, cycle = cycle + 1, cycle_started_at = :now, cycle_notice = '',"
            " shift_days = shift_days + :days where id = :id"
        ),
        {"now": now, "days": days, "id": row.invoice_id},
    )
    tell(session, row.invoice_id, at=now, kind="reopened", detail={"was": row.outcome or "net paid", "days_closed": days})
