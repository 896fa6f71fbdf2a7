"""`puntual import --snapshot`: a creditor's whole list of open items, previewed, begun, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import snapshot_book, snapshot_store
from ledger.import_files import Table
from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from ledger.snapshot_book import Day
from ledger.snapshot_store import Item, NewRun
from policies.instalment_rows import are_instalments, as_one
from policies.intake import Problem, Unreadable
from policies.intake_model import InvoiceIn
from policies.portfolio_map import PortfolioMap, is_wanted
from policies.portfolio_rows import Credit, Nothing, read_row
from policies.snapshot import absent, compare, fell_too_far, tally, written_otherwise


@dataclass
class Listed:
    """The rows of a list as they were read: items, what was left out and why, and what was refused by its line."""

    items: list[Item] = field(default_factory=list)
    left_why: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[int, dict[str, Any], Unreadable]] = field(default_factory=list)
    rows: int = 0


@dataclass(frozen=True)
class Preview:
    """What a list would do, by currency and kind, and why a person must look first ("": nobody)."""

    as_of: date
    figures: dict[str, dict[str, tuple[int, int]]]
    why: str
    close_absent: bool


def read_list(how: PortfolioMap, table: Table) -> Listed:
    """Every row of the file as an item, left out, or refused; several rows of one number are its instalments."""
    listed = Listed(rows=len(table.rows) + len(table.left_out.rows), left_why=dict(table.left_out.counts()))
    found: dict[str, list[tuple[int, dict[str, Any], InvoiceIn | Credit]]] = {}
    for line, row in table.rows:
        try:
            read = read_row(how, row) if is_wanted(how, row) else Nothing("not wanted by the map")
        except Unreadable as wrong:
            listed.refused.append((line, row, wrong))
            continue
        if isinstance(read, Nothing):
            listed.left_why[read.why] = listed.left_why.get(read.why, 0) + 1
        else:
            found.setdefault(read.number, []).append((line, row, read))
    for rows in found.values():
        try:
            listed.items.append(_item([read for _, _, read in rows]))
        except Unreadable as wrong:
            listed.refused += [(line, row, wrong) for line, row, _ in rows]
    return listed


def preview(session: Session, slug: str, listed: Listed, *, as_of: date, absent_anyway: bool, now: datetime) -> Preview:
    """Compare a list with our book and write nothing. Raises Refused `not-found`, `snapshot-day`."""
    creditor = _creditor(session, slug)
    day = Day(creditor.id, as_of, creditor.zone)
    if as_of > now.astimezone(ZoneInfo(creditor.zone)).date():
        raise Refused("snapshot-day", f"{as_of} is still to come: say with --as-of on which day the list was drawn", status=422)
    before = snapshot_store.last_applied(session, creditor.id)
    if before is not None and before.as_of > as_of:
        raise Refused("snapshot-day", f"a later list, of {before.as_of}, was applied already: draw a new one")
    close_absent = absent_anyway or not listed.refused
    known = snapshot_book.by_number(session, day, [item.number for item in listed.items])
    rows: list[tuple[str, str, int]] = []
    for item in listed.items:
        if item.balance_minor < 0:
            rows.append((item.currency, "credit", item.balance_minor))
            continue
        if item.balance_minor > 0:
            rows.append((item.currency, "total", item.balance_minor))
        mine = known.get(item.number)
        if mine is None:
            rows.append((item.currency, "new" if item.balance_minor else "history", item.balance_minor))
            continue
        change = compare(item.balance_minor, snapshot_book.ours(mine))
        rows.append((item.currency, change.kind, change.adjust_minor or change.differs_minor))
    there = {item.number for item in listed.items}
    book = snapshot_book.open_items(session, day)
    for mine in book:
        change = absent(snapshot_book.ours(mine))
        if mine.number not in there and change.adjust_minor:
            rows.append((mine.currency, "absent", change.adjust_minor))
    figures = tally(rows)
    fell = fell_too_far(_base(before, book), _totals(figures))
    odd = written_otherwise(there - known.keys(), (mine.number for mine in book if mine.number not in there))
    return Preview(as_of, figures, "; ".join(filter(None, (fell, odd))), close_absent)


def begin(
    session: Session, slug: str, listed: Listed, seen: Preview, *, file: Path, digest: bytes, now: datetime, sealer: Sealer
) -> Row[Any]:
    """Keep the list: to be applied at once, or to wait for a person. The same file for the same day goes on with its own run.

    A list that waits gives way to a newer one, and so does one that was stopped half way: what it changed is compared anew.
    Raises Refused `not-found`; `snapshot-open` when the half applied one is of a later day.
    """
    creditor = _creditor(session, slug)
    snapshot_store.expire(session, now=now)
    there = snapshot_store.open_run(session, creditor.id)
    if there is not None and bytes(there.file_hash) == digest and there.as_of == seen.as_of:
        return there
    if there is not None and there.state == "applying" and there.as_of > seen.as_of:
        said = f"the list of {there.as_of} ({there.id}) is half applied: go on with `puntual snapshot confirm {there.id}` first"
        raise Refused("snapshot-open", said)
    if there is not None:
        snapshot_store.discard(session, there.id, actor="a newer list", now=now)
    new = NewRun(digest, file.name, seen.as_of, seen.close_absent, seen.figures, seen.why)
    return snapshot_store.run_of(session, snapshot_store.begin(session, creditor.id, new, listed.items, now=now, sealer=sealer))


def differences(session: Session, creditor_id: UUID | str) -> list[Row[Any]]:
    """Invoices for which the last applied list shows more than we know to be owed, the largest gap first."""
    return list(
        session.execute(
            text(
                "select s.number, s.currency, s.balance_minor as erp_minor, s.differs_minor, i.id as invoice_id,"
                " i.balance_minor, coalesce(i.outcome, i.status) as state, r.as_of from snapshot_item s"
                " join snapshot_run r on r.id = s.run_id and r.state = 'applied'"
                " join invoice i on i.creditor_id = s.creditor_id and i.number = s.number"
                " where s.creditor_id = :creditor and s.differs_minor > 0 order by s.differs_minor desc, s.number"
            ),
            {"creditor": str(creditor_id)},
        )
    )


def _item(rows: list[InvoiceIn | Credit]) -> Item:
    """The rows of one number as one item."""
    first = rows[0]
    if isinstance(first, Credit):
        if len(rows) > 1:
            raise Unreadable([Problem("/number", "this credit stands twice: give each row its own number")])
        return Item(first.number, first.currency, -first.amount_minor, None, first)
    if len(rows) == 1:
        return Item(first.number, first.currency, _open_of(first), first.due_on, first)
    parts = [row for row in rows if isinstance(row, InvoiceIn)]
    if len(parts) < len(rows) or not are_instalments(parts):
        said = "this number stands in several rows that are not its instalments: give each its own number or due date"
        raise Unreadable([Problem("/number", said)])
    return Item(first.number, first.currency, sum(_open_of(row) for row in parts), None, as_one(parts))


def _open_of(row: InvoiceIn) -> int:
    carried = row.carried
    if carried is not None and carried.settled_on is not None:
        return 0
    if carried is not None and carried.balance_minor is not None:
        return carried.balance_minor
    return row.amount_minor or 0


def _base(before: Row[Any] | None, book: list[Row[Any]]) -> dict[str, tuple[int, int]]:
    """What a list is measured against: the last one, else our open book."""
    if before is not None:
        return {currency: tuple(kinds.get("total", (0, 0))) for currency, kinds in before.figures.items()}
    rows = ((row.currency, "total", int(row.as_of_minor)) for row in book if row.as_of_minor > 0)
    return {currency: kinds["total"] for currency, kinds in tally(rows).items()}


def _totals(figures: dict[str, dict[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    return {currency: kinds.get("total", (0, 0)) for currency, kinds in figures.items()}


def _creditor(session: Session, slug: str) -> Row[Any]:
    found = session.execute(text("select id, zone, country from creditor where slug = :slug"), {"slug": slug}).one_or_none()
    if found is None:
        raise not_found("creditor", slug)
    return found
