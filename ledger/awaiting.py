"""What waits for a person, a page at a time: open tasks, and debts for which the agency is proposed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.cursors import cursor_after, read_cursor

PlacementState = Literal["proposed", "lapsed", "approved", "declined", "placed", "recalled", "returned"]
_PAGE = (
    " and (cast(:after_at as timestamptz) is null or ({at}, {id}) > (:after_at, cast(:after_id as uuid)))"
    " order by {at}, {id} limit :limit"
)

_TASKS = text(
    "select t.id, t.kind, t.invoice_id, i.number, a.ref as account_ref, t.why, t.due_at, t.created_at, t.assigned_to"
    " from task t left join invoice i on i.id = t.invoice_id left join account a on a.id = coalesce(t.account_id, i.account_id)"
    " where t.done_at is null and (cast(:kind as text) is null or t.kind = :kind)" + _PAGE.format(at="t.due_at", id="t.id")
)
# The deadline of an unanswered proposal passes without a word, and so does its cycle when the ladder begins anew.
_STATE = (
    "case when p.state = 'proposed' and (p.decide_by <= :now or p.cycle <> i.cycle or i.outcome is not null) then 'lapsed'"
    " else p.state end"
)
_PLACEMENTS = text(
    f"select p.id, p.invoice_id, i.number, i.currency, a.ref as account_ref, {_STATE} as state, p.recommend, p.figures,"
    " greatest(i.balance_minor - i.apart_minor, 0) as payable_minor, p.proposed_at, p.decide_by, p.decided_by, p.decided_at,"
    " p.placed_at, p.return_by, p.ended_at"
    " from placement p join invoice i on i.id = p.invoice_id join account a on a.id = i.account_id"
    f" where {_STATE} = :state" + _PAGE.format(at="p.decide_by", id="p.id")
)


@dataclass(frozen=True)
class Page:
    """Some of the list, and where it goes on; None at its end."""

    rows: list[Row[Any]]
    cursor: str | None


def tasks_page(session: Session, *, kind: str | None, limit: int, cursor: str | None) -> Page:
    """Open tasks, the most urgent first. Raises Refused `bad-cursor`."""
    rows = session.execute(_TASKS, {"kind": kind} | _place(limit, cursor)).all()
    return Page(list(rows[:limit]), cursor_after(rows[limit - 1].due_at, rows[limit - 1].id) if len(rows) > limit else None)


def placements_page(session: Session, *, state: PlacementState, now: datetime, limit: int, cursor: str | None) -> Page:
    """Placements in that state, the earliest deadline first. Raises Refused `bad-cursor`."""
    rows = session.execute(_PLACEMENTS, {"state": state, "now": now} | _place(limit, cursor)).all()
    return Page(list(rows[:limit]), cursor_after(rows[limit - 1].decide_by, rows[limit - 1].id) if len(rows) > limit else None)


def _place(limit: int, cursor: str | None) -> dict[str, Any]:
    after_at, after_id = read_cursor(cursor) if cursor is not None else (None, None)
    return {"limit": limit + 1, "after_at": after_at, "after_id": after_id}
