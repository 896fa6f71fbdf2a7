"""What a person does with a task: takes it, gives it to somebody, says how it ended."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import insolvency, replies, unapplied
from ledger.events import note_fact, tell
from ledger.own_promises import OWN, keep_own_promise
from ledger.refusals import Refused, not_found
from ledger.staff import may
from policies.owner_notice import YES_TASK

ENDS_ELSEWHERE = {
    "answer_dispute": "close the dispute on the invoice's page",
    "approve_placement": "approve or decline the placement",
    "approve_missent": "approve or decline the batch on the page of mis-sent batches",
    "confirm_snapshot": "confirm or discard the list of open items",
    "review_stop": "lift or renew the stop",
}
"""Tasks that end with the act they ask for; calling them done would leave that act undone."""
_OUTCOME = re.compile(r"[a-z][a-z_]{1,39}")


def take_task(session: Session, task_id: UUID | str, login: str | None, *, now: datetime) -> None:
    """Give an open task to a login, or to nobody. Raises Refused `not-found`, `task-done`."""
    row = _open(session, task_id)
    session.execute(text("update task set assigned_to = :login where id = :id"), {"login": login, "id": row.id})


def finish_task(session: Session, task_id: UUID | str, *, outcome: str, actor: str, now: datetime, role: str = "") -> bool:
    """Say that a task is done and how; False when it was done before. A promise of ours that is kept lets its rungs go on.

    `outcome` is a word of a list, never a text; a key account's firm rung wants a yes or a no, of its owner or a lead (`role`).
    Raises Refused `not-found`, `task-outcome`, `task-ends-elsewhere`, `not-the-owner`.
    """
    if not _OUTCOME.fullmatch(outcome):
        raise Refused("task-outcome", "say how it ended in one word of the list", status=422)
    row = session.execute(
        text("select id, creditor_id, account_id, kind, key, invoice_id, done_at, assigned_to from task where id = :id"),
        {"id": str(task_id)},
    ).one_or_none()
    if row is None:
        raise not_found("task", task_id)
    if row.kind in ENDS_ELSEWHERE:
        raise Refused("task-ends-elsewhere", f"this task ends by itself: {ENDS_ELSEWHERE[row.kind]}")
    if row.kind == YES_TASK:
        _check_yes(row, outcome, actor, role)
    if row.kind.startswith(OWN):
        return keep_own_promise(session, row.id, actor=actor, now=now)
    if row.kind == replies.TASK and row.done_at is None:
        replies.answered(session, row.creditor_id, row.key, actor=actor, outcome=outcome, now=now)
    if row.kind == insolvency.TASK and row.done_at is None:
        insolvency.answered(session, row.account_id, outcome, actor=actor, now=now)
    if row.kind == "match_payment" and outcome == "not_ours":
        unapplied.release(session, row.key, now=now, why="a person looked: the receipt is for something else")
    done = session.execute(
        text("update task set done_at = :now, outcome = :outcome, done_by = :by where id = :id and done_at is null returning id"),
        {"now": now, "outcome": outcome, "by": actor, "id": row.id},
    ).scalar()
    if done is not None and row.invoice_id is not None:
        detail = {"task": row.kind, "outcome": outcome}
        if row.kind == YES_TASK:
            note = f"{outcome} to a firm rung"
            note_fact(session, row.invoice_id, at=now, kind="task_done", detail=detail, actor=actor, note=note)
        else:
            tell(session, row.invoice_id, at=now, kind="task_done", detail=detail, actor=actor)
    return done is not None


def _check_yes(row: Row[Any], outcome: str, actor: str, role: str) -> None:
    if outcome not in ("yes", "no"):
        raise Refused("task-outcome", "this task wants a yes or a no", status=422)
    if actor.startswith("staff:") and not may(role, "lead") and actor != f"staff:{row.assigned_to}":
        raise Refused("not-the-owner", "this yes is for the account's owner or a lead: ask one of them", status=403)


def _open(session: Session, task_id: UUID | str) -> Row[tuple[UUID, datetime | None]]:
    row = session.execute(text("select id, done_at from task where id = :id for update"), {"id": str(task_id)}).one_or_none()
    if row is None:
        raise not_found("task", task_id)
    if row.done_at is not None:
        raise Refused("task-done", "this task is done already")
    return row
