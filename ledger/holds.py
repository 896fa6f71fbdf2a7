"""Stops with an end (I7): disputes, "I already paid", money on its way, and the stops of an account or of a whole creditor.

A reason is a word of a list, never a customer's own text: it is read in histories and in the Temporal UI.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.facts import gather
from ledger.refusals import Refused, not_found
from ledger.same_money import came_and_stayed
from ledger.session import lock_debtor
from ledger.tasks import open_task
from policies.calendars import add_working_days
from policies.clearing import clears_by
from policies.money import written

AGAIN_BY_CUSTOMER = 2
"""How often a customer may dispute an invoice again once a dispute of it is closed; then a person decides."""

DisputeReason = Literal["wrong_amount", "not_received", "quality", "already_credited", "not_mine", "other"]
SuppressionReason = Literal[
    "deceased",
    "insolvency",
    "vulnerable",
    "identity_theft",
    "minor",
    "disaster",
    "represented",
    "complaint",
    "court",
    "cease_request",
    "breathing_space",
    "dispute",
    "other",
]

_OPEN = text(
    "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, amount_minor, reason, money_ref, actor, created_at)"
    " select :id, creditor_id, id, :kind, :now, :until, :amount, :reason, :money, :actor, :now from invoice where id = :invoice"
)
_RELEASE = text(
    "update hold set released_at = :now, release_why = :why where invoice_id = :invoice and kind = :kind and released_at is null"
    " and until > :now and (cast(:money as text[]) is null or money_ref = any(:money)) returning id"
)


def locked_invoice(session: Session, invoice_id: UUID | str) -> Row[Any]:
    """Take the debtor's lock and read the invoice; raises Refused `not-found`."""
    account = session.execute(text("select account_id from invoice where id = :id"), {"id": str(invoice_id)}).scalar()
    if account is None:
        raise not_found("invoice", invoice_id)
    lock_debtor(session, account)
    return session.execute(
        text(
            "select i.id, i.creditor_id, i.account_id, i.number, i.currency, i.status, i.outcome, i.balance_minor, a.zone,"
            " i.balance_minor - i.apart_minor as payable_minor, i.place_of_payment, i.place_of_payment_region"
            " from invoice i join account a on a.id = i.account_id where i.id = :id"
        ),
        {"id": str(invoice_id)},
    ).one()


def must_owe(invoice: Row[Any]) -> None:
    """Raise Refused `invoice-closed` unless there is something left to talk about."""
    if invoice.status != "open" or invoice.balance_minor <= 0:
        raise Refused("invoice-closed", f"nothing is owed on invoice {invoice.number}: it is {invoice.outcome or invoice.status}")


def open_dispute(
    session: Session, invoice_id: UUID | str, *, reason: DisputeReason, actor: str, now: datetime, amount_minor: int | None = None
) -> UUID:
    """Hold the invoice, or the disputed part of it, until the manual's longest dispute is over (F82, F84); returns the hold's id.

    Raises Refused: `not-found`, `invoice-closed`, `amount` when the part is not from 1 to what is payable, `already-disputed`;
    `disputed-before` when the customer (actor `customer`) has disputed it again often enough.
    """
    invoice = locked_invoice(session, invoice_id)
    must_owe(invoice)
    if amount_minor is not None and not 0 < amount_minor <= invoice.payable_minor:
        said = f"the disputed part must be from 1 to {invoice.payable_minor}, what is payable in minor units"
        raise Refused("amount", said, status=422, more={"payable_minor": invoice.payable_minor})
    if _active(session, invoice_id, "dispute", now):
        raise Refused("already-disputed", f"invoice {invoice.number} is disputed already; close that dispute first")
    if actor == "customer" and _times_disputed(session, invoice_id) > AGAIN_BY_CUSTOMER:
        raise Refused("disputed-before", f"invoice {invoice.number} was disputed before and answered: a person decides now")
    _, manual = gather(session, invoice_id, now)
    until = now + timedelta(days=manual.pauses.dispute_days_max)
    hold_id = _open(session, invoice_id, "dispute", until, reason, actor, now, amount_minor)
    detail = {"hold": str(hold_id), "reason": reason, "until": until.isoformat(), "amount_minor": amount_minor}
    part = "all of it" if amount_minor is None else written(amount_minor, invoice.currency)
    note_fact(session, invoice_id, at=now, kind="dispute_opened", detail=detail, actor=actor, note=f"{part}: {reason}")
    open_task(
        session, creditor_id=invoice.creditor_id, invoice_id=invoice.id, account_id=invoice.account_id, kind="answer_dispute",
        key=str(hold_id), why=f"the customer disputes {part} ({reason}): answer before the hold ends", due_at=until, now=now,
    )  # fmt: skip
    return hold_id


def close_dispute(session: Session, invoice_id: UUID | str, *, outcome: str, actor: str, now: datetime) -> None:
    """End the dispute, for the customer or not; the ladder goes on. Raises Refused `not-found`, `no-dispute`."""
    invoice = locked_invoice(session, invoice_id)
    released = _release(session, invoice_id, "dispute", outcome, now)
    if not released:
        raise Refused("no-dispute", f"invoice {invoice.number} has no open dispute")
    session.execute(
        text(
            "update task set done_at = :now, outcome = :outcome"
            " where kind = 'answer_dispute' and key = any(:keys) and done_at is null"
        ),
        {"now": now, "outcome": outcome, "keys": [str(r) for r in released]},
    )
    note_fact(session, invoice_id, at=now, kind="dispute_closed", detail={"outcome": outcome}, actor=actor, note=outcome)


def say_already_paid(session: Session, invoice_id: UUID | str, *, actor: str, now: datetime) -> datetime:
    """Hold the invoice for the manual's working days while the payment is looked for (F57); returns the end.

    Said again while the hold lasts, the same end. Raises Refused `not-found`, `invoice-closed`; `said-before` when it was
    said before and no payment came since: then the ladder goes on; the door, which undoes what is refused, calls `look_again`.
    """
    invoice = locked_invoice(session, invoice_id)
    must_owe(invoice)
    active = _active(session, invoice_id, "already_paid", now)
    if active:
        return max(until for _, until, _ in active)
    facts, manual = gather(session, invoice_id, now)
    if _unproved(session, invoice_id):
        raise Refused("said-before", "the payment was looked for once and not found: send the proof of it, or pay", status=409)
    today = now.astimezone(ZoneInfo(facts.zone)).date()
    last = add_working_days(today, manual.pauses.already_paid_wd, facts.place_of_payment, facts.place_of_payment_region)
    until = datetime.combine(last + timedelta(days=1), datetime.min.time(), ZoneInfo(facts.zone)).astimezone(UTC)
    hold_id = _open(session, invoice_id, "already_paid", until, "says_paid", actor, now, None)
    detail = {"hold": str(hold_id), "until": until.isoformat()}
    note = f"held until {last.isoformat()}"
    note_fact(session, invoice_id, at=now, kind="already_paid_said", detail=detail, actor=actor, note=note)
    _search_task(session, invoice, now, again=False)
    return until


def look_again(session: Session, invoice_id: UUID | str, *, now: datetime) -> None:
    """Ask a person to look for a payment that was not found the first time."""
    _search_task(session, locked_invoice(session, invoice_id), now, again=True)


def hold_in_process(
    session: Session, invoice_id: UUID | str, *, money: str, now: datetime, method: str = "", actor: str = "gateway",
    source: str = "", names: Sequence[str] = (),
) -> datetime | None:  # fmt: skip
    """Money is on its way: nothing is asked until it settles, fails, or its method's clearing time is over; returns that end.

    Nothing owed, nothing done: None; nor where the money came already from `source` under one of these `names`, and its sender's
    events only changed places. Told again, the first end stands.
    """
    invoice = locked_invoice(session, invoice_id)
    if invoice.status != "open" or invoice.balance_minor <= 0:
        return None
    if names and came_and_stayed(session, invoice.creditor_id, source, names):
        return None
    before = [until for _, until, ref in _active(session, invoice_id, "payment_in_process", now) if ref == money]
    if before:
        return max(before)
    until = clears_by(method, now, invoice.zone, invoice.place_of_payment, invoice.place_of_payment_region)
    _open(session, invoice_id, "payment_in_process", until, "clearing", actor, now, None, money)
    detail = {"money": money, "until": until.isoformat()}
    note = f"{method or 'method unknown'}, until {until.date().isoformat()}"
    note_fact(session, invoice_id, at=now, kind="payment_in_process", detail=detail, note=note, actor=actor)
    return until


def release_in_process(session: Session, invoice_id: UUID | str, *, money: Sequence[str], now: datetime) -> None:
    """The money that was on its way under one of these names did not come; other money that is on its way still may."""
    locked_invoice(session, invoice_id)
    if _release(session, invoice_id, "payment_in_process", "the payment failed", now, money):
        note_fact(session, invoice_id, at=now, kind="payment_failed", detail={"money": money[0]}, note="the payment failed")


def _unproved(session: Session, invoice_id: UUID | str) -> bool:
    """True when an "already paid" ran out and nothing was paid after it was said."""
    return bool(
        session.execute(
            text(
                "select exists (select 1 from hold h where h.invoice_id = :id and h.kind = 'already_paid'"
                " and h.released_at is null and not exists (select 1 from entry e where e.invoice_id = h.invoice_id"
                " and e.kind = 'payment' and e.recorded_at >= h.starts_at))"
            ),
            {"id": str(invoice_id)},
        ).scalar_one()
    )


def _search_task(session: Session, invoice: Row[Any], now: datetime, *, again: bool) -> None:
    key = f"{invoice.id}:{'again' if again else 'first'}:{now.date().isoformat()}"
    open_task(
        session, creditor_id=invoice.creditor_id, invoice_id=invoice.id, account_id=invoice.account_id,
        kind="find_payment", key=key,
        why=f"the customer says invoice {invoice.number} is paid{', again' if again else ''}: look for the payment",
        due_at=now + timedelta(days=2), now=now,
    )  # fmt: skip


def _times_disputed(session: Session, invoice_id: UUID | str) -> int:
    """How often the customer disputed the invoice."""
    asked = text("select count(*) from hold where invoice_id = :id and kind = 'dispute' and actor = 'customer'")
    return int(session.execute(asked, {"id": str(invoice_id)}).scalar_one())


def _active(session: Session, invoice_id: UUID | str, kind: str, now: datetime) -> list[tuple[UUID, datetime, str]]:
    rows = session.execute(
        text(
            "select id, until, money_ref from hold where invoice_id = :id and kind = :kind and released_at is null"
            " and until > :now"
        ),
        {"id": str(invoice_id), "kind": kind, "now": now},
    )
    return [(row.id, row.until, row.money_ref) for row in rows]


def _open(
    session: Session,
    invoice_id: UUID | str,
    kind: str,
    until: datetime,
    reason: str,
    actor: str,
    now: datetime,
    amount_minor: int | None,
    money_ref: str = "",
) -> UUID:
    hold_id = uuid4()
    session.execute(
        _OPEN,
        {
            "id": hold_id, "invoice": str(invoice_id), "kind": kind, "until": until, "reason": reason, "actor": actor, "now": now,
            "amount": amount_minor, "money": money_ref,
        },
    )  # fmt: skip
    return hold_id


def _release(
    session: Session, invoice_id: UUID | str, kind: str, why: str, now: datetime, money: Sequence[str] | None = None
) -> list[UUID]:
    given = None if money is None else list(money)
    done = session.execute(_RELEASE, {"invoice": str(invoice_id), "kind": kind, "now": now, "why": why, "money": given})
    return list(done.scalars())
