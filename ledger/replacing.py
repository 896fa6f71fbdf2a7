"""A re-issued invoice: in one transaction the old one is cancelled and the new one carries on where it stood.

Carried are the age, the cycle and what was said in it, the open agreement (at most what is still owed), what holds it, and the
money that was paid. Evidence that the old one was delivered is none for the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.allocation import refresh_balance, settle
from ledger.endings import cancel
from ledger.events import note_fact, tell
from ledger.session import lock_debtor

_OLD = text(
    "select i.id, i.account_id, i.number, i.status, i.currency, r.new_invoice_id from invoice i"
    " left join replacement r on r.old_invoice_id = i.id"
    " where i.creditor_id = :creditor and i.number = any(cast(:numbers as text[]))"
)
_STANDS = text(
    "select i.id, i.creditor_id, i.account_id, i.number, i.status, i.cycle, i.cycle_started_at, i.cycle_notice, i.shift_days,"
    " coalesce(r.age_from, (select min(t.due_on) from instalment t where t.invoice_id = i.id and t.superseded_at is null))"
    " as age, coalesce(r.chain, '{}') as chain"
    " from invoice i left join replacement r on r.new_invoice_id = i.id where i.id = :id for update of i"
)
_LINK = text(
    "insert into replacement (old_invoice_id, new_invoice_id, creditor_id, age_from, chain, at_utc)"
    " values (:old, :new, :creditor, :age, :chain, :now)"
)
_CARRY_ON = text(
    "update invoice set cycle = :cycle, cycle_started_at = :started, cycle_notice = :notice, shift_days = :shift where id = :id"
)
# A rejection of the old invoice is answered by the new one; everything else that holds goes on.
_ANSWERED = text(
    "update hold set released_at = :now, release_why = :why where invoice_id = :old and kind = 'dispute'"
    " and reason = 'not_accepted' and released_at is null"
)
_MOVE_HOLDS = text(
    "update hold set invoice_id = :new where invoice_id = :old and released_at is null and until > :now returning id, kind"
)
_MOVE_OTHERS = (
    text("update instrument set invoice_id = :new where invoice_id = :old and state = 'held'"),
    text("update cession set invoice_id = :new where invoice_id = :old and ended_at is null"),
    text(
        "update task set invoice_id = :new where invoice_id = :old and done_at is null"
        " and kind in ('answer_dispute', 'find_payment', 'own_copy', 'own_credit_note', 'own_call_back')"
    ),
)
_MOVE_AGREEMENT = text(
    "update agreement set invoice_id = :new where invoice_id = :old and state = 'open' returning id, waived_minor"
)
_PAID = text(
    "select p.id from payment p where p.kind = 'payment' and (p.invoice_id = :old or exists (select 1 from entry e"
    " where e.payment_id = p.id and e.invoice_id = :old)) order by p.recorded_at, p.id"
)


class Wanted(NamedTuple):
    """A replacement that an intake asks for; `account_id` and `currency` are the new invoice's."""

    replaces: str
    account_id: str
    currency: str


class Known(NamedTuple):
    """The old invoice, or why it cannot be replaced."""

    id: str
    why_not: str


def look_up(session: Session, creditor_id: UUID | str, wanted: Sequence[Wanted]) -> list[Known]:
    """For each replacement the id of the old invoice, or why not: unknown, another account or currency, replaced, written off."""
    rows = session.execute(_OLD, {"creditor": str(creditor_id), "numbers": [one.replaces for one in wanted]})
    there = {row.number: row for row in rows}
    return [_known(one, there) for one in wanted]


def _known(wanted: Wanted, there: Mapping[str, Row[Any]]) -> Known:
    old = there.get(wanted.replaces)
    if old is None:
        return Known("", "no invoice of that number is known: post the old one first, or leave replaces out")
    if str(old.account_id) != wanted.account_id:
        return Known("", "that invoice belongs to another account: a re-issued invoice stays with its account")
    if old.new_invoice_id is not None:
        return Known("", "that invoice was replaced before: name the invoice that took its place")
    if old.currency != wanted.currency:
        return Known("", f"that invoice is in {old.currency}: cancel it and post this one by itself")
    if old.status == "written_off":
        return Known("", "that invoice was written off: nothing of it is carried on")
    return Known(str(old.id), "")


def replace(session: Session, old_id: UUID | str, new_id: UUID | str, *, keep_age: bool, now: datetime, actor: str) -> None:
    """Cancel the old invoice and let the new one carry on; the caller looked both up in this transaction."""
    account = session.execute(text("select account_id from invoice where id = :id"), {"id": str(new_id)}).scalar_one()
    lock_debtor(session, account)
    old = session.execute(_STANDS, {"id": str(old_id)}).one()
    number = session.execute(text("select number from invoice where id = :id"), {"id": str(new_id)}).scalar_one()
    both: dict[str, Any] = {"old": str(old_id), "new": str(new_id), "now": now}
    age = old.age if keep_age else None
    session.execute(_LINK, {**both, "creditor": old.creditor_id, "age": age, "chain": [old.id, *old.chain]})
    session.execute(_ANSWERED, {**both, "why": f"issued again as {number}"})
    holds = session.execute(_MOVE_HOLDS, both).all()
    for move in _MOVE_OTHERS:
        session.execute(move, both)
    agreement = session.execute(_MOVE_AGREEMENT, both).one_or_none()
    if old.status == "open":
        cancel(session, old.id, reason=f"replaced by {number}", now=now, actor=actor)
    session.execute(
        _CARRY_ON,
        {
            "id": str(new_id), "cycle": old.cycle, "notice": old.cycle_notice,
            "started": old.cycle_started_at if keep_age else now, "shift": old.shift_days if keep_age else 0,
        },
    )  # fmt: skip
    moved_minor = _move_money(session, old.id, UUID(str(new_id)), now)
    balance_minor = refresh_balance(session, UUID(str(new_id)))
    _cap_holds(session, [row.id for row in holds], balance_minor)
    if agreement is not None:
        _cap_agreement(session, agreement, balance_minor)
    tell(session, old.id, at=now, kind="replaced", detail={"by": str(new_id), "number": number}, actor=actor)
    detail = {
        "invoice": str(old.id), "number": old.number, "age_from": age.isoformat() if age else None, "paid_minor": moved_minor,
        "holds": sorted({row.kind for row in holds}), "agreement": str(agreement.id) if agreement else None,
    }  # fmt: skip
    note_fact(session, new_id, at=now, kind="replaces", detail=detail, actor=actor, note=f"in place of {old.number}")


def _move_money(session: Session, old_id: UUID, new_id: UUID, now: datetime) -> int:
    """What was paid on the old invoice pays the new one, the oldest first; what is left over stays unallocated."""
    both = {"old": str(old_id), "new": str(new_id)}
    payments = list(session.execute(_PAID, both).scalars())
    session.execute(text("update payment set invoice_id = :new where invoice_id = :old"), both)
    return sum(settle(session, new_id, now=now, lend=payment) for payment in payments)


def _cap_holds(session: Session, holds: Sequence[UUID], balance_minor: int) -> None:
    session.execute(
        text("update hold set amount_minor = null where id = any(:ids) and amount_minor >= :balance"),
        {"ids": list(holds), "balance": balance_minor},
    )


def _cap_agreement(session: Session, agreement: Row[Any], balance_minor: int) -> None:
    """At most what is still owed is promised: the last sums give way first; with nothing left the agreement is withdrawn."""
    left = max(balance_minor - agreement.waived_minor, 0)
    if left == 0:
        session.execute(text("update agreement set state = 'withdrawn' where id = :id"), {"id": agreement.id})
        return
    parts = session.execute(
        text("select number, amount_minor from milestone where agreement_id = :id order by number"), {"id": agreement.id}
    ).all()
    for part in parts:
        kept = min(part.amount_minor, left)
        left -= kept
        change = "update milestone set amount_minor = :kept" if kept else "delete from milestone"
        if kept < part.amount_minor:
            values = {"id": agreement.id, "n": part.number, **({"kept": kept} if kept else {})}
            session.execute(text(f"{change} where agreement_id = :id and number = :n"), values)


def standing(session: Session, invoice_id: UUID) -> UUID:
    """The invoice that stands where this one stood: itself, or the last of those that replaced it."""
    found: UUID | None = session.execute(
        text("select new_invoice_id from replacement where :id = any(chain) order by cardinality(chain) desc limit 1"),
        {"id": invoice_id},
    ).scalar()
    return found or invoice_id


def links_of(session: Session, invoice_id: UUID | str) -> tuple[Row[Any] | None, Row[Any] | None]:
    """The invoice that this one replaces, and the one that replaces it: id and number, or None."""
    rows = session.execute(
        text(
            "select r.new_invoice_id = :id as newer, i.id, i.number from replacement r join invoice i"
            " on i.id = case when r.new_invoice_id = :id then r.old_invoice_id else r.new_invoice_id end"
            " where :id in (r.old_invoice_id, r.new_invoice_id)"
        ),
        {"id": UUID(str(invoice_id))},
    ).all()
    return next((row for row in rows if row.newer), None), next((row for row in rows if not row.newer), None)
