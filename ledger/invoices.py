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
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import charges
from ledger.acceptance import Accepted, accept, accept_batch
from ledger.allocation import refresh_balance, settle
from ledger.canonical import Difference
from ledger.events import note_fact
from ledger.ids import new_id
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor
from policies.intake import Problem, Unreadable, check_dues
from policies.manual import Manual
from policies.money import written

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
) -> Amended:
    """Give an open invoice other due dates or sums (F7); the same ones again change nothing.

    The old instalments stay, superseded; the difference is an `amendment` entry. Paid money above the new sum is left
    unallocated. Raises Unreadable for dues that make no sense, Refused when the invoice is not open.
    """
    invoice = _open_invoice(session, invoice_id, "amend")
    wrong: list[Problem] = []
    check_dues(tuple(dues), invoice.issued_on, "/instalments", wrong)
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
                "insert into instalment (id, creditor_id, invoice_id, number, due_on, amount_minor)"
                " values (:id, :creditor, :invoice, :number, :due_on, :amount)"
            ),
            {
                "id": new_id(), "creditor": invoice.creditor_id, "invoice": invoice.id, "number": number, "due_on": due_on,
                "amount": amount,
            },
        )  # fmt: skip
    old = {number: amount for number, _, amount in before}
    new = {number: amount for number, _, amount in dues}
    for number in sorted(old.keys() | new.keys()):
        change = new.get(number, 0) - old.get(number, 0)
        if change:
            _enter(session, invoice, number, "amendment", change, now, reason)
    moved = settle(session, invoice.id, now=now)
    if charges.correct(session, invoice.id, now=now):
        moved += settle(session, invoice.id, now=now)
    balance = refresh_balance(session, invoice.id)
    detail = {"was": _shown(before), "now": _shown(dues), "freed_minor": max(-moved, 0), "reason": reason}
    note = f"{sum(new.values())} {invoice.currency}, due {', '.join(str(due_on) for _, due_on, _ in dues)}"
    note_fact(session, invoice.id, at=now, kind="amended", detail=detail, actor=actor, note=note)
    return Amended(True, balance, max(-moved, 0))


def cancel(session: Session, invoice_id: UUID | str, *, reason: str, now: datetime, actor: str = "api") -> bool:
    """Bring an invoice to nothing; what was paid is left unallocated. False when it was cancelled before."""
    invoice = _locked(session, invoice_id)
    if invoice.status == "cancelled":
        return False
    if invoice.status != "open":
        raise _closed(invoice, "cancel")
    charged = session.execute(
        text(
            "select instalment, sum(amount_minor) as charged from entry where invoice_id = :id and payment_id is null"
            " group by instalment having sum(amount_minor) <> 0 order by instalment"
        ),
        {"id": invoice.id},
    ).all()
    for row in charged:
        _enter(session, invoice, row.instalment, "cancellation", -int(row.charged), now, reason)
    moved = settle(session, invoice.id, now=now)
    session.execute(text("update invoice set status = 'cancelled' where id = :id"), {"id": invoice.id})
    refresh_balance(session, invoice.id)
    detail = {"reason": reason, "freed_minor": max(-moved, 0)}
    note_fact(session, invoice.id, at=now, kind="cancelled", detail=detail, actor=actor)
    return True


def write_off(session: Session, invoice_id: UUID | str, *, reason: str, now: datetime, actor: str = "api") -> bool:
    """Give up what is still owed; what was paid stays where it lies. False when it was written off before.

    Money that comes afterwards is recorded and told, and reopens nothing. Raises Refused `not-found`, `invoice-closed` when
    nothing is owed.
    """
    invoice = _locked(session, invoice_id)
    if invoice.status == "written_off":
        return False
    if invoice.status != "open":
        raise _closed(invoice, "write off")
    if invoice.balance_minor <= 0:
        detail = f"nothing is owed on invoice {invoice.number}: there is nothing to write off"
        raise Refused("invoice-closed", detail, more={"state": "paid"})
    owed = session.execute(
        text(
            "select instalment, sum(amount_minor) as owed from entry where invoice_id = :id group by instalment"
            " having sum(amount_minor) > 0 order by instalment"
        ),
        {"id": invoice.id},
    ).all()
    for row in owed:
        _enter(session, invoice, row.instalment, "write_off", -int(row.owed), now, reason)
    session.execute(text("update invoice set status = 'written_off' where id = :id"), {"id": invoice.id})
    refresh_balance(session, invoice.id)
    given_up = sum(int(row.owed) for row in owed)
    detail_of = {"reason": reason, "amount_minor": given_up, "currency": invoice.currency}
    note = f"{written(given_up, invoice.currency)} given up"
    note_fact(session, invoice.id, at=now, kind="written_off", detail=detail_of, actor=actor, note=note)
    return True


def pause(session: Session, invoice_id: UUID | str, *, until: datetime, reason: str, now: datetime, actor: str = "api") -> UUID:
    """Hold an open invoice until an instant (F74); returns the hold's id, the same one for the same pause again.

    The end lies in the future and within the manual's `pause_days_max`. A new pause takes the place of the present one.
    """
    invoice = _open_invoice(session, invoice_id, "pause")
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
    invoice = _locked(session, invoice_id)
    present = _present_pause(session, invoice.id, now)
    if present is None:
        return False
    _release(session, present.id, reason or "resumed", now)
    detail = {"hold": str(present.id), "reason": reason}
    note_fact(session, invoice.id, at=now, kind="resumed", detail=detail, actor=actor)
    return True


def _locked(session: Session, invoice_id: UUID | str) -> Row[Any]:
    """The invoice's row, read again under its debtor's lock."""
    account = session.execute(text("select account_id from invoice where id = :id"), {"id": str(invoice_id)}).scalar()
    if account is None:
        raise not_found("invoice", invoice_id)
    lock_debtor(session, account)
    return session.execute(
        text(
            "select i.id, i.creditor_id, i.account_id, i.number, i.currency, i.issued_on, i.status, i.manual_id, i.balance_minor,"
            " c.zone as creditor_zone from invoice i join creditor c on c.id = i.creditor_id where i.id = :id for update of i"
        ),
        {"id": str(invoice_id)},
    ).one()


def _open_invoice(session: Session, invoice_id: UUID | str, verb: str) -> Row[Any]:
    invoice = _locked(session, invoice_id)
    if invoice.status != "open":
        raise _closed(invoice, verb)
    return invoice


def _closed(invoice: Row[Any], verb: str) -> Refused:
    state = invoice.status.replace("_", " ")
    detail = f"invoice {invoice.number} is {state}: there is nothing to {verb}"
    return Refused("invoice-closed", detail, more={"state": invoice.status})


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


def _enter(session: Session, invoice: Row[Any], instalment: int, kind: str, amount_minor: int, now: datetime, cause: str) -> None:
    session.execute(
        text(
            "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
            " recorded_at, cause) values (:creditor, :account, :invoice, :instalment, :kind, :amount, :currency, :dated_on, :now,"
            " :cause)"
        ),
        {
            "creditor": invoice.creditor_id, "account": invoice.account_id, "invoice": invoice.id, "instalment": instalment,
            "kind": kind, "amount": amount_minor, "currency": invoice.currency, "now": now, "cause": cause,
            "dated_on": now.astimezone(ZoneInfo(invoice.creditor_zone)).date(),
        },
    )  # fmt: skip


def _shown(dues: Sequence[tuple[int, date, int]]) -> list[dict[str, Any]]:
    return [{"number": number, "due_on": due_on.isoformat(), "amount_minor": amount} for number, due_on, amount in dues]
