"""The runs of a creditor's lists of open items and their rows: begun, waited for, confirmed, discarded, expired, done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from ledger.ids import new_id
from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from ledger.tasks import close_task, open_task
from policies.intake_model import AccountIn, InvoiceIn
from policies.portfolio_rows import Credit
from policies.snapshot import DECIDE_WITHIN

TASK = "confirm_snapshot"
HALF_APPLIED = "finish_snapshot"
"""The task that stands open while a list is applied: of a run that was stopped half way it is what tells a person."""
HALF_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the list. `balance_minor` is below 0 for a credit; `due_on` is None where it has several dates."""

    number: str
    currency: str
    balance_minor: int
    due_on: date | None
    given: InvoiceIn | Credit


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run begins with."""

    file_hash: bytes
    file_name: str
    as_of: date
    close_absent: bool
    figures: dict[str, dict[str, tuple[int, int]]]
    why: str
    """Why a person must look first; "" when nothing waits."""


_BEGIN = text(
    "insert into snapshot_run (id, creditor_id, file_hash, file_name, as_of, state, close_absent, figures, why, items_total,"
    " created_at, expires_at) values (:id, :creditor, :hash, :name, :as_of, :state, :absent, :figures, :why, :total, :now, :ends)"
).bindparams(bindparam("figures", type_=JSONB))
_ITEMS = text(
    "insert into snapshot_item (run_id, creditor_id, position, number, currency, balance_minor, due_on, sealed)"
    " select :run, :creditor, r.position, r.number, r.currency, r.balance, r.due_on, decode(r.sealed, 'hex')"
    " from json_to_recordset(cast(:rows as json)) as r(position int, number text, currency text, balance bigint, due_on date,"
    " sealed text)"
)


def begin(session: Session, creditor_id: UUID, new: NewRun, items: Sequence[Item], *, now: datetime, sealer: Sealer) -> UUID:
    """Keep a list with its rows, sealed; where a person must look first, it waits for that with a task."""
    run_id = new_id()
    session.execute(
        _BEGIN,
        {
            "id": run_id, "creditor": creditor_id, "hash": new.file_hash, "name": new.file_name, "as_of": new.as_of,
            "state": "pending" if new.why else "applying", "absent": new.close_absent, "figures": new.figures, "why": new.why,
            "total": len(items), "now": now, "ends": now + DECIDE_WITHIN,
        },
    )  # fmt: skip
    rows = [
        {
            "position": at, "number": item.number, "currency": item.currency, "balance": item.balance_minor,
            "due_on": item.due_on,
            "sealed": sealer.seal(_written(item.given)).hex(),
        }
        for at, item in enumerate(items)
    ]  # fmt: skip
    session.execute(_ITEMS, {"run": run_id, "creditor": creditor_id, "rows": to_json(rows).decode()})
    if new.why:
        why = f"the list of {new.as_of} is not like the last one ({new.why}): confirm or discard it"
        open_task(session, creditor_id=creditor_id, kind=TASK, key=str(run_id), why=why, due_at=now + DECIDE_WITHIN, now=now)
    else:
        _ask_to_finish(session, creditor_id, run_id, new.as_of, now)
    return run_id


def open_run(session: Session, creditor_id: UUID) -> Row[Any] | None:
    """The run of a creditor that waits or is half applied; there is at most one."""
    return session.execute(
        text("select * from snapshot_run where creditor_id = :creditor and state in ('pending', 'applying')"),
        {"creditor": creditor_id},
    ).one_or_none()


def last_applied(session: Session, creditor_id: UUID) -> Row[Any] | None:
    """The latest list that was applied."""
    return session.execute(
        text(
            "select * from snapshot_run where creditor_id = :creditor and state = 'applied'"
            " order by as_of desc, created_at desc limit 1"
        ),
        {"creditor": creditor_id},
    ).one_or_none()


def run_of(session: Session, run_id: UUID | str, *, lock: bool = False) -> Row[Any]:
    """A run by its id, locked until the end of the transaction when asked; raises Refused `not-found`."""
    found = session.execute(
        text(f"select * from snapshot_run where id = :id{' for update' if lock else ''}"), {"id": str(run_id)}
    ).one_or_none()
    if found is None:
        raise not_found("snapshot", run_id)
    return found


def confirm(session: Session, run_id: UUID | str, *, actor: str, now: datetime) -> None:
    """A person has looked: the list may be applied. Raises Refused `not-found`, `snapshot-over` when it no longer waits."""
    run = run_of(session, run_id, lock=True)
    if run.state == "applying":
        return
    if run.state != "pending" or run.expires_at <= now:
        over = "expired" if run.state == "pending" else run.state
        raise Refused("snapshot-over", f"the list of {run.as_of} is {over}: import a newer one")
    _end(session, run, "applying", actor, now)
    session.execute(
        text("update snapshot_run set expires_at = :ends where id = :id"), {"ends": now + DECIDE_WITHIN, "id": run.id}
    )
    _ask_to_finish(session, run.creditor_id, run.id, run.as_of, now)


def discard(session: Session, run_id: UUID | str, *, actor: str, now: datetime) -> None:
    """A list that waits is not wanted, or one that was stopped half way is not gone on with: what it did stands, and a newer
    list puts right what it left. Raises Refused `not-found`, `snapshot-over` when it is over."""
    run = run_of(session, run_id, lock=True)
    if run.state not in ("pending", "applying"):
        raise Refused("snapshot-over", f"the list of {run.as_of} is {run.state}: only one that waits can be discarded")
    _end(session, run, "discarded", actor, now)


def expire(session: Session, *, now: datetime) -> int:
    """End the lists that nobody confirmed, or went on with, in time (I7); returns how many."""
    late = session.execute(
        text("select * from snapshot_run where state in ('pending', 'applying') and expires_at <= :now for update skip locked"),
        {"now": now},
    ).all()
    for run in late:
        _end(session, run, "expired", "puntual", now)
    return len(late)


def unsealed(sealer: Sealer, sealed: bytes) -> InvoiceIn | Credit:
    """The row of an item as it was read."""
    body = json.loads(sealer.unseal(sealed))
    if "credit" not in body:
        return InvoiceIn.model_validate(body)
    given = body["credit"]
    account = AccountIn.model_validate(given["account"])
    return Credit(
        given["number"], account, given["currency"], given["amount_minor"], date.fromisoformat(given["issued_on"]),
        given["applies_to"],
    )  # fmt: skip


def _end(session: Session, run: Row[Any], state: str, actor: str, now: datetime) -> None:
    over = state != "applying"
    session.execute(
        text(
            "update snapshot_run set state = :state, decided_by = :actor, finished_at = case when :over then"
            " cast(:now as timestamptz) end where id = :id"
        ),
        {"state": state, "actor": actor, "over": over, "now": now, "id": run.id},
    )
    if over:
        session.execute(text("delete from snapshot_item where run_id = :id"), {"id": run.id})
        finished(session, run, state, now)
    close_task(session, creditor_id=run.creditor_id, kind=TASK, key=str(run.id), outcome=state, now=now)


def finished(session: Session, run: Row[Any], outcome: str, now: datetime) -> None:
    """Nobody has to go on with this list any more."""
    close_task(session, creditor_id=run.creditor_id, kind=HALF_APPLIED, key=str(run.id), outcome=outcome, now=now)


def _ask_to_finish(session: Session, creditor_id: UUID | str, run_id: UUID, as_of: date, now: datetime) -> None:
    why = f"the list of {as_of} is not applied to its end: go on with `puntual snapshot confirm {run_id}`, or import a newer one"
    open_task(session, creditor_id=creditor_id, kind=HALF_APPLIED, key=str(run_id), why=why, due_at=now + HALF_WITHIN, now=now)


def _written(given: InvoiceIn | Credit) -> bytes:
    if isinstance(given, InvoiceIn):
        return given.model_dump_json(exclude_defaults=True, by_alias=True).encode()
    body = {
        "number": given.number, "account": given.account.model_dump(mode="json", exclude_defaults=True, by_alias=True),
        "currency": given.currency, "amount_minor": given.amount_minor, "issued_on": given.issued_on,
        "applies_to": given.applies_to,
    }  # fmt: skip
    return to_json({"credit": body})
