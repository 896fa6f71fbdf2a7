"""A confirmed list applied to the ledger, in parts that are committed one by one and may be applied again without harm.

Each invoice is compared anew under its debtor's lock: a payment that came since the preview counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import feeds, snapshot_adjust, snapshot_book, snapshot_store
from ledger.acceptance import Accepted, accept_batch
from ledger.credits import follow_credit, use_up_absent
from ledger.events import note_fact
from ledger.ids import new_id
from ledger.invoices import amend
from ledger.sealing import Sealer
from ledger.session import lock_debtor
from ledger.snapshot_book import Day
from ledger.tasks import open_task
from policies.calendars import add_working_days
from policies.intake import Unreadable
from policies.money import written
from policies.portfolio_rows import Credit
from policies.snapshot import Change, absent, compare, held_until

PART_ITEMS = 200
ACTOR = "snapshot"
TASK = "balance_differences"

Transaction = Callable[[], Any]
"""`sessionmaker(engine).begin`."""


@dataclass
class Applied:
    """What a list did: how many of each result. `refused` are (number, why); differences are in minor units by currency."""

    results: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def add(self, result: str) -> str:
        """Count one."""
        self.results[result] = self.results.get(result, 0) + 1
        return result


_DONE = text(
    "update snapshot_item set result = :result, differs_minor = :differs, sealed = null"
    " where run_id = :run and position = :position"
)
_QUIET = text(
    "update snapshot_item set result = 'same', sealed = null where run_id = :run and position = any(cast(:positions as int[]))"
)
_HOLD = text(
    "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
    " select :id, creditor_id, id, 'balance_differs', :now, :until, 'erp_shows_more', :actor, :now from invoice"
    " where id = :invoice"
)
_EXTEND = text(
    "update hold set until = greatest(until, :until) where invoice_id = :invoice and kind = 'balance_differs'"
    " and released_at is null and until > :now returning id"
)
_RELEASE = text(
    "update hold set released_at = :now, release_why = 'balances agree' where invoice_id = :invoice and kind = 'balance_differs'"
    " and released_at is null returning until"
)


def apply_run(
    transaction: Transaction, run_id: UUID | str, *, now: Callable[[], datetime], sealer: Sealer,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Applied:  # fmt: skip
    """Apply a list that is confirmed, or go on with one that was stopped; an applied one does nothing more.

    Raises Refused `not-found`, `snapshot-over`.
    """
    applied = Applied()
    while True:
        with transaction() as session:
            run = snapshot_store.run_of(session, run_id, lock=True)
            if run.state == "pending":
                snapshot_store.confirm(session, run_id, actor=ACTOR, now=now())
            elif run.state != "applying":
                break
            items = session.execute(
                text("select * from snapshot_item where run_id = :id and position >= :at order by position limit :limit"),
                {"id": run.id, "at": run.items_done, "limit": PART_ITEMS},
            ).all()
            if items:
                _apply_part(session, run, items, now(), sealer, applied)
                done = run.items_done + len(items)
                session.execute(text("update snapshot_run set items_done = :n where id = :id"), {"n": done, "id": run.id})
                on_progress(done, run.items_total)
        if not items:
            break
    if run.state in ("pending", "applying"):
        _close_absent(transaction, run, now, applied)
        with transaction() as session:
            _finish(session, run.id, now())
    return applied


def _apply_part(
    session: Session, run: Row[Any], items: Sequence[Row[Any]], now: datetime, sealer: Sealer, applied: Applied
) -> None:
    day, country = _day_of(session, run)
    known = snapshot_book.by_number(session, day, [item.number for item in items])
    fresh = [item for item in items if item.number not in known]
    _accept(session, run, fresh, now, sealer, applied)
    by_number = {item.number: item for item in items}
    quiet = {number for number, row in known.items() if _nothing_new(row, by_number[number])}
    session.execute(_QUIET, {"run": run.id, "positions": [by_number[number].position for number in quiet]})
    for _ in quiet:
        applied.add("same")
    for number, row in known.items():  # in the order of accounts, so that two runs wait for each other and never deadlock
        if number in quiet:
            continue
        item = by_number[number]
        if item.currency != row.currency:
            applied.refused.append((number, f"the list says {item.currency}, we have {row.currency}"))
            _note_item(session, item, applied.add("refused"), 0)
            continue
        change = _change(session, day, country, row, item, now)
        _note_item(session, item, applied.add(change.kind), change.differs_minor)


def _nothing_new(row: Row[Any], item: Row[Any]) -> bool:
    """Whether an invoice is as the list says, looked at without its debtor's lock: what comes meanwhile does not matter."""
    if row.status != "open" or row.held or row.currency != item.currency or _due_moved(row, item):
        return False
    return compare(item.balance_minor, snapshot_book.ours(row)).kind == "same"


def _due_moved(row: Row[Any], item: Row[Any]) -> bool:
    """Whether what is still owed of one due date has another one in the list."""
    one = item.due_on is not None and row.dues is not None and len(row.dues) == 1
    return one and row.balance_minor > 0 and bool(row.dues[0] != item.due_on)


def _accept(session: Session, run: Row[Any], items: Sequence[Row[Any]], now: datetime, sealer: Sealer, applied: Applied) -> None:
    """Rows that are new here: invoices at the rung that suits their age (F9), then credits."""
    given = [(item, snapshot_store.unsealed(sealer, bytes(item.sealed))) for item in items]
    bodies = [body for _, body in given if not isinstance(body, Credit)]
    accepted = iter(accept_batch(session, run.creditor_id, bodies, now=now, sealer=sealer, actor=ACTOR))
    results: list[tuple[Row[Any], Accepted, str]] = []
    for item, body in given:
        if not isinstance(body, Credit):
            results.append((item, next(accepted), "new" if item.balance_minor > 0 else "history"))
    for item, body in given:
        if isinstance(body, Credit):
            results.append(
                (item, follow_credit(session, run.creditor_id, body, as_of=run.as_of, now=now, sealer=sealer), "credit")
            )
    for item, result, what in results:
        if result.verdict == "refused":
            why = "; ".join(f"{problem.pointer}: {problem.detail}" for problem in result.problems)
            applied.refused.append((item.number, why))
            what = "refused"
        _note_item(session, item, applied.add(what), 0)


def _change(session: Session, day: Day, country: str, row: Row[Any], item: Row[Any], now: datetime) -> Change:
    """Compare one known invoice under its debtor's lock, and do what follows."""
    lock_debtor(session, row.account_id)
    row = snapshot_book.one(session, day, row.id)
    change = compare(item.balance_minor, snapshot_book.ours(row))
    if row.status != "open":
        # Cancelled or given up here and open there: told, and nothing is asked.
        return Change("higher", 0, item.balance_minor) if item.balance_minor > 0 else Change("same")
    if change.adjust_minor < 0:
        _lower(session, day, row, -change.adjust_minor, now)
    elif change.adjust_minor > 0:
        _back(session, day, row, change.adjust_minor, now)
    _hold(session, day, country, row, change.differs_minor, now)
    if _due_moved(row, item):
        _move_due(session, row, item, now)
    return change


def _lower(session: Session, day: Day, row: Row[Any], amount_minor: int, now: datetime, *, whole: bool = False) -> None:
    cause = f"open items of {day.as_of}"
    balance = snapshot_adjust.lower(session, row.id, amount_minor, dated_on=day.as_of, now=now, cause=cause, whole=whole)
    detail = {
        "as_of": day.as_of.isoformat(), "amount_minor": amount_minor, "balance_minor": balance, "absent": whole,
    }  # fmt: skip
    note = f"{written(amount_minor, row.currency)} settled in the ERP, owed now {written(balance, row.currency)}"
    note_fact(session, row.id, at=now, kind="settled_in_erp", detail=detail, actor=ACTOR, note=note)


def _back(session: Session, day: Day, row: Row[Any], amount_minor: int, now: datetime) -> None:
    cause = f"open again in the items of {day.as_of}"
    balance = snapshot_adjust.take_back(session, row.id, amount_minor, now=now, cause=cause)
    if row.outcome is not None and balance > 0:
        snapshot_adjust.reopened(session, row.id, was=row.outcome, closed_at=row.outcome_at, now=now)
    detail = {"as_of": day.as_of.isoformat(), "amount_minor": amount_minor, "balance_minor": balance}
    note = f"{written(amount_minor, row.currency)} open again in the ERP"
    note_fact(session, row.id, at=now, kind="open_again_in_erp", detail=detail, actor=ACTOR, note=note)


def _hold(session: Session, day: Day, country: str, row: Row[Any], differs_minor: int, now: datetime) -> None:
    """Hold while the list shows more than we know; end the hold when they agree."""
    if differs_minor <= 0:
        ended = session.execute(_RELEASE, {"invoice": row.id, "now": now}).all() if row.held else []
        if any(hold.until > now for hold in ended):
            note_fact(session, row.id, at=now, kind="balance_agrees", detail={"as_of": day.as_of.isoformat()}, actor=ACTOR)
        return
    if row.balance_minor <= 0:
        return  # nothing is asked: it is only told
    until = held_until(now.astimezone(ZoneInfo(day.zone)).date(), country, day.zone)
    detail = {"as_of": day.as_of.isoformat(), "differs_minor": differs_minor, "until": until.isoformat()}
    given = {"invoice": row.id, "until": until, "now": now}
    if session.execute(_EXTEND, given).first() is None:
        session.execute(_HOLD, {**given, "id": new_id(), "actor": ACTOR})
    note = f"the ERP shows {written(differs_minor, row.currency)} more"
    note_fact(session, row.id, at=now, kind="balance_differs", detail=detail, actor=ACTOR, note=note)


def _move_due(session: Session, row: Row[Any], item: Row[Any], now: datetime) -> None:
    amount = session.execute(
        text("select amount_minor from instalment where invoice_id = :id and superseded_at is null"), {"id": row.id}
    ).scalar_one()
    try:
        amend(session, row.id, [(1, item.due_on, int(amount))], reason="open items", now=now, actor=ACTOR)
    except Unreadable:
        return  # a date that makes no sense moves nothing


def _close_absent(transaction: Transaction, run: Row[Any], now: Callable[[], datetime], applied: Applied) -> None:
    """What was open at the end of the day and the list does not have is settled there."""
    if not run.close_absent:
        return
    after: UUID | None = None
    while True:
        with transaction() as session:
            if snapshot_store.run_of(session, run.id, lock=True).state != "applying":
                return  # a newer list has taken its place
            day, _ = _day_of(session, run)
            part = snapshot_book.open_items(session, day, after=after, limit=PART_ITEMS)
            if not part:
                use_up_absent(session, run.id, run.creditor_id, as_of=run.as_of, ends=day.ends, now=now())
                return
            after = part[-1].id
            listed = set(
                session.execute(
                    text("select number from snapshot_item where run_id = :id and number = any(cast(:numbers as text[]))"),
                    {"id": run.id, "numbers": [row.number for row in part]},
                ).scalars()
            )
            for row in sorted((row for row in part if row.number not in listed), key=lambda row: (row.account_id, row.id)):
                lock_debtor(session, row.account_id)
                found = snapshot_book.one(session, day, row.id)
                change = absent(snapshot_book.ours(found))
                if change.adjust_minor and found.status == "open":
                    _lower(session, day, found, -change.adjust_minor, now(), whole=True)
                    _hold(session, day, "", found, 0, now())
                    applied.add("absent")


def _finish(session: Session, run_id: UUID, now: datetime) -> None:
    """The run is done; operations are told once of what differs, and the rows of older lists are forgotten."""
    run = snapshot_store.run_of(session, run_id, lock=True)
    if run.state != "applying":
        return
    session.execute(
        text("update snapshot_run set state = 'applied', finished_at = :now where id = :id"), {"now": now, "id": run_id}
    )
    snapshot_store.finished(session, run, "applied", now)
    _erp_was_heard(session, run, now)
    session.execute(
        text("delete from snapshot_item where creditor_id = :creditor and run_id <> :id"),
        {"creditor": run.creditor_id, "id": run_id},
    )
    rows = session.execute(
        text(
            "select currency, count(*) as items, sum(differs_minor) as more from snapshot_item where run_id = :id"
            " and differs_minor > 0 group by currency order by currency"
        ),
        {"id": run_id},
    ).all()
    if rows:
        said = ", ".join(f"{row.items} by {written(int(row.more), row.currency)}" for row in rows)
        open_task(
            session, creditor_id=run.creditor_id, kind=TASK, key=run.as_of.isoformat(), now=now, due_at=run.expires_at,
            why=f"the ERP's open items of {run.as_of} show more than we know of: {said}; see `puntual snapshot differences`",
        )  # fmt: skip


def _erp_was_heard(session: Session, run: Row[Any], now: datetime) -> None:
    """A list of the last working day or later is word of the creditor's own system, where that is a declared source."""
    day, country = _day_of(session, run)
    if add_working_days(run.as_of, 1, country) < now.astimezone(ZoneInfo(day.zone)).date():
        return
    for feed in feeds.feeds_of(session, run.creditor_id):
        if feed.kind == "erp":
            feeds.told(session, run.creditor_id, feed.name, now=now, actor=ACTOR)


def _day_of(session: Session, run: Row[Any]) -> tuple[Day, str]:
    creditor = session.execute(text("select zone, country from creditor where id = :id"), {"id": run.creditor_id}).one()
    return Day(run.creditor_id, run.as_of, creditor.zone), creditor.country


def _note_item(session: Session, item: Row[Any], result: str, differs_minor: int) -> None:
    session.execute(_DONE, {"result": result, "differs": differs_minor, "run": item.run_id, "position": item.position})
