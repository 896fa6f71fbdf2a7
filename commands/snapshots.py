"""`puntual import --snapshot` and `puntual snapshot`: a creditor's whole list of open items, looked at, applied, confirmed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from clock import Clock
from commands.guessing import Transaction, map_for
from commands.importing import ImportAsked, checked_report
from ledger import snapshot_store, snapshots
from ledger.creditors import find_creditor
from ledger.imports import read_mapped, write_report
from ledger.refusals import not_found
from ledger.sealing import Sealer
from ledger.session import make_engine
from ledger.snapshot_apply import Applied, apply_run
from policies.money import written
from policies.portfolio_rows import phone_notes
from policies.snapshot import KINDS
from settings import Settings
from stack import settings_here
from supervise import Trouble
from worker import build_clock

snapshot_app = typer.Typer(no_args_is_help=True, help="Lists of open items that wait, and what differs from them.")
_out = Console(highlight=False)
_SAID = {
    "new": "new here", "lower": "less than we have: adjusted", "higher": "more than we have: held and told", "back": "open again",
    "same": "the same", "absent": "not in the list: settled in the ERP", "history": "paid, as history", "credit": "credits",
    "total": "the list",
}  # fmt: skip


def import_snapshot(asked: ImportAsked, settings: Settings, *, as_of: date | None, absent_anyway: bool, out: Console) -> None:
    """Show what a list would do, then apply it; raises Trouble for what a person can put right."""
    if not asked.file.is_file():
        raise Trouble(f"{asked.file} is not a file: give the list of open items")
    report = checked_report(asked)
    with _ledger(settings) as (begin, clock):
        how = asked.column_map or map_for(asked.file, asked.creditor, asked.wishes, begin, clock.now, out=out)
        try:
            used, table = read_mapped(asked.file, how)
        except ValueError as error:
            raise Trouble(str(error)) from None
        listed = snapshots.read_list(used, table)
        with begin() as session:
            day = as_of or _yesterday(session, asked.creditor, clock)
            seen = snapshots.preview(session, asked.creditor, listed, as_of=day, absent_anyway=absent_anyway, now=clock.now())
        write_report(report, used, listed.refused)
        _show(listed, seen, out)
        for note in phone_notes(used, table.rows):
            out.print(note, markup=False, soft_wrap=True)
        if listed.refused:
            out.print(f"refused rows, each with its line and what to do: {report}", markup=False, soft_wrap=True)
        if not asked.wishes.yes and not (sys.stdin.isatty() and typer.confirm("Apply this list?")):
            raise Trouble("nothing was changed: say --yes when this is right")
        sealer = Sealer(settings.master_key)
        with begin() as session:
            run = snapshots.begin(
                session, asked.creditor, listed, seen, file=asked.file, digest=table.digest, now=clock.now(), sealer=sealer
            )
        if run.state == "pending":
            out.print(f"it waits for a person until {run.expires_at:%Y-%m-%d %H:%M} UTC: {run.why}", markup=False)
            out.print(f"puntual snapshot confirm {run.id}, or discard", markup=False, soft_wrap=True)
            return
        _say(apply_run(begin, run.id, now=clock.now, sealer=sealer), out)


@snapshot_app.command("confirm")
def snapshot_confirm(
    run: Annotated[UUID, typer.Argument(help="The list's id, as it was shown.")],
    by: Annotated[str, typer.Option(help="Who looked at it.")] = "cli",
) -> None:
    """Apply a list that waits, or go on with one that was stopped."""
    settings = settings_here()
    with _ledger(settings) as (begin, clock):
        with begin() as session:
            snapshot_store.confirm(session, run, actor=by, now=clock.now())
        _say(apply_run(begin, run, now=clock.now, sealer=Sealer(settings.master_key)), _out)


@snapshot_app.command("discard")
def snapshot_discard(
    run: Annotated[UUID, typer.Argument(help="The list's id, as it was shown.")],
    by: Annotated[str, typer.Option(help="Who looked at it.")] = "cli",
) -> None:
    """Do not apply a list that waits."""
    with _ledger(settings_here()) as (begin, clock), begin() as session:
        snapshot_store.discard(session, run, actor=by, now=clock.now())
    _out.print("discarded")


@snapshot_app.command("differences")
def snapshot_differences(creditor: Annotated[str, typer.Option(help="Short name of the creditor.")]) -> None:
    """Invoices for which the last list shows more than we know to be owed."""
    with _ledger(settings_here()) as (begin, _), begin() as session:
        creditor_id = find_creditor(session, creditor)
        if creditor_id is None:
            raise not_found("creditor", creditor)
        show_differences(session, creditor_id, _out)


def show_differences(session: Session, creditor_id: UUID, out: Console) -> None:
    """Print them, the largest gap first."""
    table = Table("invoice", "in the ERP", "here", "more there", "state", "list of")
    for row in snapshots.differences(session, creditor_id):
        sums = (written(int(each), row.currency) for each in (row.erp_minor, row.balance_minor, row.differs_minor))
        table.add_row(row.number, *sums, row.state.replace("_", " "), str(row.as_of))
    out.print(table if table.row_count else "our balances are those of the last list")


@contextmanager
def _ledger(settings: Settings) -> Iterator[tuple[Transaction, Clock]]:
    engine = make_engine(settings.worker_url, pool_size=2, name="puntual-snapshot")
    try:
        yield sessionmaker(engine).begin, build_clock(settings, engine)
    finally:
        engine.dispose()


def _yesterday(session: Session, creditor: str, clock: Clock) -> date:
    zone = session.execute(text("select zone from creditor where slug = :slug"), {"slug": creditor}).scalar()
    if zone is None:
        raise not_found("creditor", creditor)
    return clock.now().astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def _show(listed: snapshots.Listed, seen: snapshots.Preview, out: Console) -> None:
    table = Table(f"open items of {seen.as_of}", "currency", "count", "sum")
    for currency, kinds in sorted(seen.figures.items()):
        for kind in ("total", *KINDS, "history", "credit"):
            if kind in kinds:
                count, total = kinds[kind]
                table.add_row(_SAID[kind], currency, str(count), written(int(total), currency))
    out.print(table)
    left = sum(listed.left_why.values())
    taken = listed.rows - left - len(listed.refused)
    out.print(f"{listed.rows} rows: {taken} taken, {len(listed.refused)} refused, {left} left out")
    for why, count in listed.left_why.items():
        out.print(f"left out: {count} {why}", markup=False)
    if not seen.close_absent:
        out.print("because rows were refused, nothing absent is closed; correct them, or say --absent-anyway")
    if seen.why:
        out.print(f"a person must look first: {seen.why}", markup=False)


def _say(applied: Applied, out: Console) -> None:
    done = ", ".join(f"{count} {_SAID.get(result, result)}" for result, count in applied.results.items())
    out.print(f"applied: {done or 'nothing was left to do'}", markup=False)
    for number, why in applied.refused:
        out.print(f"{number}: {why}", markup=False, soft_wrap=True)
