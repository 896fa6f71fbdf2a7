"""The body of `puntual replay`: read, bring a scratch stack up, play with a progress bar, write the file and the summary."""

from __future__ import annotations

import json
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands.common import manual_of
from ledger.imports import WouldBeLost, refuse_losing
from ledger.session import make_engine
from policies.portfolio_map import MapError, PortfolioMap, load_map
from rehearsal.advance import Stalled
from rehearsal.late_bank import LateBank
from rehearsal.late_bank import told as late_bank_told
from rehearsal.portfolio_csv import read_portfolio, with_addresses
from rehearsal.replay import Looks, Played, play
from rehearsal.replay_report import COLUMNS, contacts_made, summary, write_contacts
from rehearsal.scratch import scratch_stack
from settings import Settings
from supervise import Trouble


@dataclass(frozen=True)
class ReplayAsked:
    """The options of the command."""

    portfolio: Path
    manual: str
    map: Path
    out: Path
    as_of: date | None = None
    days: int | None = None
    first: int | None = None
    keep: bool = False
    as_json: bool = False
    late_bank: bool = False


def replay(asked: ReplayAsked, *, out: Console, err: Console) -> dict[str, Any]:
    """Run it; raises Trouble for what a person can put right."""
    manual, how = manual_of(asked.manual), _map(asked.map)
    _refuse_unwritable(asked)
    portfolio = read_portfolio(asked.portfolio, how, first=asked.first)
    for line in [*portfolio.notes, *portfolio.unreadable[:20]]:
        err.print(line, markup=False, soft_wrap=True)
    if not portfolio.entries:
        raise Trouble(f"{asked.portfolio} has no invoice that can be read: correct the file or the map")
    if asked.late_bank and any(entry.parts for entry in portfolio.entries):
        raise Trouble(
            f"{asked.portfolio} has invoices with a row for each instalment, and --late-bank plays whole ones: replay it without"
        )
    entries = with_addresses(portfolio.entries)
    err.print(f"{len(entries)} invoices; bringing a scratch stack up", markup=False)
    with scratch_stack(keep=asked.keep) as (settings, home):
        engine = make_engine(settings.worker_url, pool_size=2, name="puntual-replay-report")
        try:
            with _bar(err) as bar:
                task = bar.add_task("", total=1.0, date="", contacts=0, paid=0)

                def show(looks: Looks) -> None:
                    bar.update(
                        task, completed=looks.share, date=f"{looks.now:%Y-%m-%d}", contacts=looks.contacts, paid=looks.paid
                    )

                played = _played(
                    play(
                        settings,
                        entries,
                        manual,
                        how.creditor,
                        as_of=asked.as_of,
                        days=asked.days,
                        late_bank=asked.late_bank,
                        show=show,
                    )
                )
            made = contacts_made(engine, played)
            write_contacts(asked.out, made, entries)
            told = summary(engine, played, made, manual) | {"unreadable": len(portfolio.unreadable)}
            if isinstance(played.schedule, LateBank):
                told |= late_bank_told(engine, played.schedule)
        finally:
            engine.dispose()
        _kept(asked, settings, home, err)
    for line in played.schedule.refused[:20]:
        err.print(line, markup=False, soft_wrap=True)
    if asked.as_json:
        out.print(json.dumps(told, indent=1), markup=False, soft_wrap=True)
    else:
        out.print(_table(told))
    return told


def _played(playing: Coroutine[Any, Any, Played]) -> Played:
    try:
        return uvloop.run(playing)
    except Stalled as stalled:
        raise Trouble(str(stalled)) from None


def _refuse_unwritable(asked: ReplayAsked) -> None:
    """Before anything is played: what takes minutes must not end in a file that cannot be written, or is lost by it."""
    out = asked.out
    folder = out.absolute().parent
    if out.is_dir() or not folder.is_dir() or not os.access(out if out.exists() else folder, os.W_OK):
        raise Trouble(f"{out} cannot be written: give with --out a file in a folder that is there and that you may write")
    try:
        refuse_losing(out, COLUMNS, "file of contacts", [asked.portfolio, asked.map])
    except OSError as error:
        raise Trouble(f"{out} cannot be read ({error.strerror}): name another file with --out") from None
    except WouldBeLost as lost:
        raise Trouble(str(lost)) from None


def _map(path: Path) -> PortfolioMap:
    try:
        return load_map(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise Trouble(f"{path} cannot be read ({error.strerror}): give the YAML that names the columns") from None
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not text in UTF-8: save it again as UTF-8") from None
    except MapError as error:
        raise Trouble(str(error)) from None


def _bar(err: Console) -> Progress:
    return Progress(
        TextColumn("{task.fields[date]}"), BarColumn(None), TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[contacts]} contacts, {task.fields[paid]} paid"), TimeElapsedColumn(),
        console=err, transient=True,
    )  # fmt: skip


def _kept(asked: ReplayAsked, settings: Settings, home: Path, err: Console) -> None:
    if asked.keep:
        err.print(f"kept: {home} (the database is {settings.worker_url} while its server runs)", markup=False, soft_wrap=True)


def _table(told: dict[str, Any]) -> Table:
    table = Table("what", "how many", show_header=False)
    for what, value in told.items():
        shown = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else value
        if isinstance(value, list):
            shown = (
                "; ".join(f"at most {v['max']} in {v['days']} days per {v['per']}: {v['most']} at the most" for v in value)
                or "none"
            )
        table.add_row(what.replace("_", " "), str(shown))
    return table
