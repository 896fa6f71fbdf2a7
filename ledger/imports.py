"""Importing a file of invoices: in parts of 500 rows, each committed by its own transaction, so that a stopped run goes on.

Rows that make no sense stand in a report with line and column; personal values are never repeated there, nor in a log.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.acceptance import Accepted, accept_batch
from ledger.creditors import find_creditor
from ledger.credits import accept_credit
from ledger.ids import new_id
from ledger.import_files import Table, read_table
from ledger.refusals import not_found
from ledger.sealing import Sealer
from policies.instalment_rows import groups_of, together
from policies.intake import Problem, Unreadable
from policies.portfolio_groups import Read, whole_of
from policies.portfolio_map import PortfolioMap, is_wanted, load_map
from policies.portfolio_rows import Credit, Nothing, looks_like_credit, number_of, phone_notes, read_row

PART_ROWS = 500
REPORT_HEADER = ("line", "column", "value", "what is wrong and what to do")
_PERSONAL = frozenset({"debtor", "name", "salutation", "email", "sms", "whatsapp", "voice", "letter"})
_TARGETS = {"number": "invoice", "amount_minor": "amount", "instalments": "amount", "ref": "debtor"}

Transaction = Callable[[], AbstractContextManager[Session]]
"""A transaction of a role that may find creditors, committed when it is left: `sessionmaker(engine).begin`."""


class WouldBeLost(ValueError):
    """A file that is there would be overwritten or deleted; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong with one row. `value` is empty where it could be a person's."""

    line: int
    column: str
    value: str
    problem: str


@dataclass
class Imported:
    """What became of a file; the rows are accepted, repeated, refused or left out, and nothing else.

    `rows` are all lines but the header's. `repeated` were accepted before, with the same content; `left_out` are no invoices, or
    not wanted by the map's `where`: `left_why` says how many for which reason.
    """

    rows: int = 0
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    left_out: int = 0
    resumed_at: int = 0
    notes: list[str] = field(default_factory=list)
    left_why: dict[str, int] = field(default_factory=dict)
    report: Path | None = None


def run_import(
    transaction: Transaction,
    creditor: str,
    file: Path,
    map_file: Path | PortfolioMap,
    *,
    now: Callable[[], datetime],
    sealer: Sealer,
    report: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Import a .csv or .xlsx for the creditor with that slug.

    A run that was stopped goes on behind its last part; a finished one may be run again and finds everything repeated. The
    report (`FILE.errors.csv` beside the file unless named) exists only when a row was refused. Credits come after the invoices
    they may be for. Raises WouldBeLost before anything is done; MapError, UnreadableFile, Refused.
    """
    target = report_path(file, report, map_file if isinstance(map_file, Path) else None)
    how, table = read_mapped(file, map_file)
    rows = together(sorted(table.rows, key=lambda row: looks_like_credit(how, row[1])), partial(_number, how))
    with transaction() as session:
        creditor_id = find_creditor(session, creditor)
        if creditor_id is None:
            raise not_found("creditor", creditor)
        run = _begin(session, creditor_id, table, file.name, now())
    _keep_report_of(target, {line for line, _ in rows[: run.rows_done]} if run.rows_done < len(rows) else set())
    done = Imported(
        len(rows) + len(table.left_out.rows), run.accepted, run.repeated, run.refused, resumed_at=run.rows_done,
        notes=[*table.notes, *phone_notes(how, table.rows)],
    )  # fmt: skip
    for why, count in table.left_out.counts().items():
        _leave_out(done, why, count)
    for _, row in rows[: run.rows_done]:  # of a run that was stopped: what it left out is not kept
        _worth_reading(how, row, done)
    on_progress(run.rows_done, len(rows))
    at = run.rows_done
    for part in _parts(how, rows[run.rows_done :]):
        at += len(part)
        with transaction() as session:
            wrong = _import_part(session, creditor_id, run.id, how, part, done, now(), sealer)
            _advance(session, run.id, at, done, now() if at == len(rows) else None)
            _report(target, wrong)
        on_progress(at, len(rows))
    done.report = target if target.exists() else None
    return done


def report_path(file: Path, report: Path | None, map_file: Path | None) -> Path:
    """Where refused rows of a file are listed. Raises WouldBeLost when something else than an earlier list stands there."""
    target = report or file.with_name(file.name + ".errors.csv")
    if target.exists() and not target.is_file():
        raise WouldBeLost(f"{target} is not a file: name one, or none, for the list of refused rows")
    refuse_losing(target, REPORT_HEADER, "list of refused rows", [file, *([map_file] if map_file is not None else [])])
    return target


def refuse_same(target: Path, what: str, others: Sequence[Path]) -> None:
    """Raises WouldBeLost when `target`, to be written, is one of the other files, by whatever link."""
    for each in others:
        if os.path.realpath(target) == os.path.realpath(each) or (target.exists() and each.exists() and target.samefile(each)):
            raise WouldBeLost(f"{target} is the same file as {each}, which would be lost: name another path for the {what}")


def refuse_losing(target: Path, header: Sequence[str], what: str, others: Sequence[Path]) -> None:
    """Raises WouldBeLost when `target` is one of the other files, or a file that is there does not begin with that header."""
    refuse_same(target, what, others)
    if not target.is_file():
        return
    with target.open("rb") as opened:
        first = opened.readline(1_000).decode("utf-8-sig", errors="replace").strip()
    # A spreadsheet that saved it again may have put signs of its own between the names and around them. With an empty one nothing
    # is lost: mktemp makes it, and a run that was killed may leave it.
    if first and [cell.strip('" ') for cell in re.split(r"[,;\t]", first)] != list(header):
        raise WouldBeLost(f"{target} is there and is no {what}, it would be lost: name another file, or move that one away")


def read_mapped(file: Path, map_file: Path | PortfolioMap) -> tuple[PortfolioMap, Table]:
    """The map, out of a file or as it is, and the rows it finds; raises MapError, UnreadableFile."""
    if isinstance(map_file, PortfolioMap):
        return map_file, read_table(file, map_file, map_file.model_dump_json())
    map_text = map_file.read_text(encoding="utf-8")
    how = load_map(map_text, map_file.name)
    return how, read_table(file, how, map_text)


def _begin(session: Session, creditor_id: UUID, table: Table, name: str, now: datetime) -> Row[Any]:
    """The run of this very file and map: a stopped one as it stands, a finished or a new one from its first row."""
    return session.execute(
        text(
            "insert into import_run (id, creditor_id, file_hash, file_name, rows_total, started_at)"
            " values (:id, :creditor, :hash, :name, :total, :now) on conflict (creditor_id, file_hash) do update set"
            " rows_done = case when import_run.finished_at is null then import_run.rows_done else 0 end,"
            " accepted = case when import_run.finished_at is null then import_run.accepted else 0 end,"
            " repeated = case when import_run.finished_at is null then import_run.repeated else 0 end,"
            " refused = case when import_run.finished_at is null then import_run.refused else 0 end, finished_at = null"
            " returning id, rows_done, accepted, repeated, refused"
        ),
        {"id": new_id(), "creditor": creditor_id, "hash": table.digest, "name": name, "total": len(table.rows), "now": now},
    ).one()


def _advance(session: Session, run_id: UUID, rows_done: int, done: Imported, finished_at: datetime | None) -> None:
    session.execute(
        text(
            "update import_run set rows_done = :rows, accepted = :accepted, repeated = :repeated, refused = :refused,"
            " finished_at = :finished where id = :id"
        ),
        {
            "rows": rows_done, "accepted": done.accepted, "repeated": done.repeated, "refused": done.refused,
            "finished": finished_at, "id": run_id,
        },
    )  # fmt: skip


def _import_part(
    session: Session,
    creditor_id: UUID,
    run_id: UUID,
    how: PortfolioMap,
    rows: Sequence[tuple[int, dict[str, Any]]],
    done: Imported,
    now: datetime,
    sealer: Sealer,
) -> list[Wrong]:
    # Two runs of one file at once: the second waits here and then finds everything repeated.
    session.execute(text("select 1 from import_run where id = :id for update"), {"id": run_id})
    taken = [(line, row, read) for line, row in rows if (read := _worth_reading(how, row, done)) is not None]
    whole = [whole_of([read for _, _, read in group]) for group in groups_of(taken, lambda one: _number(how, one[:2]))]
    invoices = [read for group in whole for read in group.reads if not isinstance(read, Credit)]
    accepted = iter(accept_batch(session, creditor_id, invoices, now=now, sealer=sealer, actor="import"))
    wrong: list[Wrong] = []
    results: list[Accepted] = []
    for group in whole:
        found = [
            accept_credit(session, creditor_id, read, now=now, sealer=sealer) if isinstance(read, Credit) else next(accepted)
            for read in group.reads
        ]
        results += found if len(found) == group.rows else found * group.rows
    for (line, row, _), result in zip(taken, results, strict=True):
        if result.verdict == "new":
            done.accepted += 1
        elif result.verdict == "same":
            done.repeated += 1
        else:
            done.refused += 1
            problems = result.problems or [
                Problem(d.pointer, "accepted before with another content: amend that invoice, or give this one its own number")
                for d in result.differences
            ]
            wrong += [_wrong(how, line, row, problem) for problem in problems]
    return wrong


def _number(how: PortfolioMap, row: tuple[int, dict[str, Any]]) -> str:
    """The invoice number of a row: what belongs together has the same."""
    return number_of(how, row[1])


def _parts(how: PortfolioMap, rows: Sequence[tuple[int, dict[str, Any]]]) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """About PART_ROWS rows at a time; the rows of one invoice number are never torn apart."""
    part: list[tuple[int, dict[str, Any]]] = []
    for group in groups_of(rows, partial(_number, how)):
        if part and len(part) + len(group) > PART_ROWS:
            yield part
            part = []
        part += group
    if part:
        yield part


def _worth_reading(how: PortfolioMap, row: dict[str, Any], done: Imported) -> Read | None:
    """The row as it was read; None for one that is left out, which is counted."""
    if not is_wanted(how, row):
        _leave_out(done, "not wanted by the map", 1)
        return None
    try:
        read = read_row(how, row)
    except Unreadable as wrong:
        return wrong
    if isinstance(read, Nothing):
        _leave_out(done, read.why, 1)
        return None
    return read


def _leave_out(done: Imported, why: str, count: int) -> None:
    done.left_out += count
    done.left_why[why] = done.left_why.get(why, 0) + count


def _wrong(how: PortfolioMap, line: int, row: dict[str, Any], problem: Problem) -> Wrong:
    parts = [part for part in problem.pointer.split("/") if part and not part.isdigit()]
    target = next((_TARGETS.get(part, part) for part in reversed(parts) if hasattr(how.columns, _TARGETS.get(part, part))), "")
    if "channels" in parts:
        return Wrong(line, _column_of_address(how, row), "", problem.detail)
    column = getattr(how.columns, target) if target else None
    value = "" if column is None or target in _PERSONAL else str(row.get(column) or "")
    return Wrong(line, column or target or "/".join(parts), value, problem.detail)


def _column_of_address(how: PortfolioMap, row: dict[str, Any]) -> str:
    named = [getattr(how.columns, channel) for channel in ("email", "sms", "whatsapp", "voice", "letter")]
    return " or ".join(column for column in named if column and row.get(column)) or "address"


def _keep_report_of(target: Path, lines_done: set[int]) -> None:
    """Of a run that was stopped, keep what was said of the rows before its next part."""
    if not target.exists():
        return
    with target.open(encoding="utf-8", newline="") as opened:
        head, *lines = list(csv.reader(opened)) or [[]]
    kept = [one for one in lines if one and one[0].isdigit() and int(one[0]) in lines_done]
    target.unlink()
    if kept:
        with target.open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([head, *kept])


def write_report(target: Path, how: PortfolioMap, refused: Sequence[tuple[int, dict[str, Any], Unreadable]]) -> None:
    """A new report of rows that were refused, each with what is wrong; none where nothing was refused. Raises WouldBeLost."""
    refuse_losing(target, REPORT_HEADER, "list of refused rows", ())
    target.unlink(missing_ok=True)
    _report(target, [_wrong(how, line, row, problem) for line, row, wrong in refused for problem in wrong.problems])


def _report(target: Path, wrong: Sequence[Wrong]) -> None:
    if not wrong:
        return
    fresh = not target.exists()
    with target.open("a", encoding="utf-8", newline="") as opened:
        lines = csv.writer(opened)
        if fresh:
            lines.writerow(REPORT_HEADER)
        lines.writerows((one.line, one.column, _harmless(one.value), one.problem) for one in wrong)


def _harmless(value: str) -> str:
    """A cell that begins like a formula would be run by the spreadsheet that opens the report."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@")) else value
