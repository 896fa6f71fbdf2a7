"""What happens to an accepted invoice from the creditor's side: amended, cancelled, written off, paused, resumed.

Accepting is in ledger/acceptance.py and is offered here too, so that callers know one address. Each function takes the debtor's
lock before it touches money, notes one fact, and never commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import charges
from ledger.acceptance import Accepted, accept, accept_batch
from ledger.allocation import refresh_balance, settle
from ledger.canonical import Difference
from ledger.endings import cancel, closed, enter, locked_row, write_off
from ledger.events import note_fact
from ledger.ids import new_id
from ledger.refusals import Refused
from policies.intake import Problem, Unreadable, check_dues
from policies.manual import Manual

__all__ = ["Accepted", "Amended", "Difference", "accept", "accept_batch", "amend", "cancel", "due_list", "pause", "resume",
           "write_off"]  # fmt: skip


@dataclass(frozen=True)
class Amended:
    """The invoice after an amendment; sums in minor units. `freed_minor` is paid money that no longer has a debt to lie on."""

    changed: bool
    balance_minor: int
    freed_minor: int


def due_list(session: Session, invoice_id: UUID | str) -> list[tuple[int, date, int]]:
    """The present instalments: number, due date, minor units."""
    rows = session.execute(
        text(
            "select number, due_on, amount_minor from instalment where invoice_id = :id and superseded_at is null order by number"
        ),
        {"id": str(invoice_id)},
    )
    return [(row.number, row.due_on, row.amount_minor) for row in rows]


def amend(
    session: Session,
    invoice_id: UUID | str,
    dues: Sequence[tuple[int, date, int]],
    *,
    reason: str,
    now: datetime,
    actor: str = "api",
    said_at: str = "/instalments",
) -> Amended:
    """Give an open invoice other due dates or sums (F7); the same ones again change nothing.

    The old instalments stay, superseded; a date that does not change stays as certain as it was; the difference is an
    `amendment` entry. Paid money above the new sum is left unallocated. Raises Unreadable for dues that make no sense (its
    pointer is `said_at`, the place where the caller gave them), Refused when the invoice is not open.
    """
    invoice = _open_invoice(session, invoice_id, "amend")
    wrong: list[Problem] = []
    check_dues(tuple(dues), invoice.issued_on, said_at, wrong)
    if not dues or any(amount <= 0 for _, _, amount in dues):
        wrong.append(Problem("/instalments", "each sum is above 0: to bring an invoice to nothing, cancel it"))
    if wrong:
        raise Unreadable(wrong)
    before = due_list(session, invoice.id)
    if before == list(dues):
        return Amended(False, invoice.balance_minor, 0)
    session.execute(
        text("update instalment set superseded_at = :now where invoice_id = :id and superseded_at is null"),
        {"now": now, "id": invoice.id},
    )
    for number, due_on, amount in dues:
        session.execute(
            text(
                "insert into instalment (id, creditor_id, invoice_id, number, due_on, amount_minor, due_source, due_terms)"
                " select :id, :creditor, :invoice, :number, :due_on, :amount, coalesce(was.due_source, 'stated'),"
                " coalesce(was.due_terms, '') from (select 1) one left join (select due_source, due_terms from instalment"
                " where invoice_id = :invoice and number = :number and due_on = :due_on and superseded_at = :now limit 1) was"
                " on true"
            ),
            {
                "id": new_id(), "creditor": invoice.creditor_id, "invoice": invoice.id, "number": number, "due_on": due_on,
                "amount": amount, "now": now,
            },
        )  # fmt: skip
    old = {number: amount for number, _, amount in before}
    new = {number: amount for number, _, amount in dues}
    for number in sorted(old.keys() | new.keys()):
        change = new.get(number, 0) - old.get(number, 0)
        if change:
            enter(session, invoice, number, "amendment", change, now, reason)
    moved = settle(session, invoice.id, now=now)
    if charges.correct(session, invoice.id, now=now):
        moved += settle(session, invoice.id, now=now)
    balance = refresh_balance(session, invoice.id)
    detail = {"was": _shown(before), "now": _shown(dues), "freed_minor": max(-moved, 0), "reason": reason}
    note = f"{sum(new.values())} {invoice.currency}, due {', '.join(str(due_on) for _, due_on, _ in dues)}"
    note_fact(session, invoice.id, at=now, kind="amended", detail=detail, actor=actor, note=note)
    return Amended(True, balance, max(-moved, 0))


def pause(session: Session, invoice_id: UUID | str, *, until: datetime, reason: str, now: datetime, actor: str = "api") -> UUID:
    """Hold an open invoice until an instant (F74); returns the hold's id, the same one for the same pause again.

    The end lies in the future and within the manual's `pause_days_max`. A new pause takes the place of the present one. Raises
    Refused `not-found`, `invoice-closed` once nothing is owed or the ladder has ended, `pause-end`.
    """
    invoice = _open_invoice(session, invoice_id, "pause")
    ended = _ended(session, invoice)
    if ended is not None:
        said = f"invoice {invoice.number} is {ended.replace('_', ' ')}: nothing is sent any more, so there is nothing to pause"
        raise Refused("invoice-closed", said, more={"state": ended})
    if until <= now:
        raise Refused("pause-end", f"a pause ends in the future; {until.isoformat()} is past", status=422)
    days_max = _manual_of(session, invoice).pauses.pause_days_max
    if until > now + timedelta(days=days_max):
        latest = (now + timedelta(days=days_max)).isoformat()
        raise Refused(
            "pause-end", f"this invoice's manual allows a pause of at most {days_max} days: choose an end before {latest}",
            status=422, more={"latest": latest, "pause_days_max": days_max},
        )  # fmt: skip
    present = _present_pause(session, invoice.id, now)
    if present is not None and present.until == until and present.reason == reason:
        same: UUID = present.id
        return same
    if present is not None:
        _release(session, present.id, "replaced by another pause", now)
    hold_id = new_id()
    session.execute(
        text(
            "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
            " values (:id, :creditor, :invoice, 'pause', :now, :until, :reason, :actor, :now)"
        ),
        {
            "id": hold_id, "creditor": invoice.creditor_id, "invoice": invoice.id, "now": now, "until": until, "reason": reason,
            "actor": actor,
        },
    )  # fmt: skip
    detail = {"hold": str(hold_id), "until": until.isoformat(), "reason": reason}
    note_fact(session, invoice.id, at=now, kind="paused", detail=detail, actor=actor, note=f"until {until.isoformat()}")
    return hold_id


def resume(session: Session, invoice_id: UUID | str, *, now: datetime, reason: str = "", actor: str = "api") -> bool:
    """End the present pause; false when there is none."""
    invoice = locked_row(session, invoice_id)
    present = _present_pause(session, invoice.id, now)
    if present is None:
        return False
    _release(session, present.id, reason or "resumed", now)
    detail = {"hold": str(present.id), "reason": reason}
    note_fact(session, invoice.id, at=now, kind="resumed", detail=detail, actor=actor)
    return True


def _open_invoice(session: Session, invoice_id: UUID | str, verb: str) -> Row[Any]:
    invoice = locked_row(session, invoice_id)
    if invoice.status != "open":
        raise closed(invoice, verb)
    return invoice


def _ended(session: Session, invoice: Row[Any]) -> str | None:
    """The state in which an invoice that nobody cancelled or wrote off has ended; None while its ladder goes on."""
    # An outcome with a debt left is as old as the last decision: a fact that came since may have opened the ladder again.
    known = text("select outcome from invoice where id = :id and (balance_minor <= 0 or revision = seen_revision)")
    outcome: str | None = session.execute(known, {"id": invoice.id}).scalar()
    return outcome or ("paid" if invoice.balance_minor <= 0 else None)


def _manual_of(session: Session, invoice: Row[Any]) -> Manual:
    content = session.execute(
        text("select content from manual where creditor_id = :creditor and id = :id"),
        {"creditor": invoice.creditor_id, "id": invoice.manual_id},
    ).scalar_one()
    return Manual.model_validate(content)


def _present_pause(session: Session, invoice_id: UUID, now: datetime) -> Row[Any] | None:
    return session.execute(
        text(
            "select id, until, reason from hold where invoice_id = :id and kind = 'pause' and released_at is null"
            " and until > :now order by starts_at desc limit 1"
        ),
        {"id": invoice_id, "now": now},
    ).one_or_none()


def _release(session: Session, hold_id: UUID, why: str, now: datetime) -> None:
    session.execute(
        text("update hold set released_at = :now, release_why = :why where id = :id"), {"now": now, "why": why, "id": hold_id}
    )


def _shown(dues: Sequence[tuple[int, date, int]]) -> list[dict[str, Any]]:
    return [{"number": number, "due_on": due_on.isoformat(), "amount_minor": amount} for number, due_on, amount in dues]
