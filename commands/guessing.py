"""The map of a file that came without one: the one confirmed for its header before, or a guess that a person sees first."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import typer
import yaml
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.creditors import find_creditor
from ledger.import_files import File, open_file, whole
from ledger.refusals import not_found
from ledger.saved_maps import save_map, saved_map
from policies.portfolio_map import PortfolioMap
from policies.sheet import Header, Sheet
from policies.sheet_guess import Asked, Guess, against, find_header, guess_map
from supervise import Trouble

Transaction = Callable[[], AbstractContextManager[Session]]


class Wishes(NamedTuple):
    """What a person said about a file whose map is guessed; "" and None leave it to the guess."""

    currency: str = ""
    kind: str = ""
    decimal: str = ""
    dates: str = ""
    yes: bool = False
    map_out: Path | None = None


def map_for(
    file: Path, creditor: str, wishes: Wishes, transaction: Transaction, now: Callable[[], datetime], *, out: Console
) -> PortfolioMap:
    """The map to read the file with; a guessed one is shown, confirmed and kept for the next file with this header.

    Raises Trouble when the file has no header of a receivables list, a column is in doubt, or nobody confirmed.
    """
    opened, sheet, header = best_sheet(file)
    with transaction() as session:
        row = session.execute(text("select id, country, zone from creditor where slug = :slug"), {"slug": creditor}).one_or_none()
        if row is None:
            raise not_found("creditor", creditor)
        kept = saved_map(session, row.id, header.fingerprint)
    said = any((wishes.currency, wishes.kind, wishes.decimal, wishes.dates))
    full = whole(opened, sheet)
    if kept is not None and not said:
        told = against(kept[0], full, header)
        if not told:
            out.print(f"read by the map that was confirmed for this header on {kept[1]}", markup=False)
            return _written(kept[0], wishes)
        out.print(f"the map that was confirmed for this header on {kept[1]} does not suit this file:", markup=False)
        for line in told:
            out.print(f"- {line}", markup=False, soft_wrap=True)
    guess = guess_map(full, header, _asked(wishes, row.country, row.zone))
    _show(guess, sheet, opened, out)
    if guess.map is None:
        raise Trouble("\n".join([f"the map of {file.name} cannot be guessed:", *(f"- {each}" for each in guess.problems)]))
    how = guess.map
    if not opened.is_workbook:
        how = how.model_copy(update={"format": how.format.model_copy(update={"delimiter": sheet.title})})
    how = _written(how, wishes)
    if not wishes.yes and not (sys.stdin.isatty() and typer.confirm("Import with this map?")):
        raise Trouble(
            "nothing was imported: say --yes when the map is right, or correct it (--map-out FILE) and give it with --map"
        )
    with transaction() as session:
        creditor_id = find_creditor(session, creditor)
        assert creditor_id is not None
        save_map(session, creditor_id, header.fingerprint, how, now=now())
    return how


def best_sheet(file: Path) -> tuple[File, Sheet, Header]:
    """The sheet (or the separator) whose header says most; the one with more lines of equals."""
    opened = open_file(file)
    found = [(points[0], len(sheet.lines), -at, sheet, points[1]) for at, sheet in enumerate(opened.sheets)
             if (points := find_header(sheet)) is not None]  # fmt: skip
    if not found:
        raise Trouble(f"{file.name} has no line that looks like the header of open invoices: name its columns with --map")
    _, _, _, sheet, header = max(found, key=lambda each: each[:3])
    return opened, sheet, header


def _asked(wishes: Wishes, country: str, zone: str) -> Asked:
    if wishes.kind not in ("", "business", "consumer"):
        raise Trouble(f"--kind {wishes.kind}: say business or consumer")
    if wishes.decimal not in ("", ".", ","):
        raise Trouble(f"--decimal {wishes.decimal}: say . or ,")
    if wishes.dates not in ("", "dmy", "mdy", "ymd"):
        raise Trouble(f"--dates {wishes.dates}: say dmy, mdy or ymd")
    return Asked(
        country, zone, wishes.currency.upper(), kind=wishes.kind or None, decimal=wishes.decimal or None,  # type: ignore[arg-type]
        date_order=wishes.dates or None,  # type: ignore[arg-type]
    )  # fmt: skip


def _show(guess: Guess, sheet: Sheet, opened: File, out: Console) -> None:
    where = f"sheet {sheet.title!r}, " if opened.is_workbook else ""
    out.print(f"header: {where}line {sheet.lines[guess.header.at][0]}", markup=False)
    table = Table("what", "column", "first cell", "why")
    for each in guess.chosen:
        table.add_row(each.target.replace("_", " "), each.column, each.sample, each.why)
    out.print(table)
    for line in guess.assumed:
        out.print(f"- {line}", markup=False, soft_wrap=True)


def _written(how: PortfolioMap, wishes: Wishes) -> PortfolioMap:
    if wishes.map_out is not None:
        text_of_map = yaml.safe_dump(how.model_dump(mode="json", exclude_defaults=True), allow_unicode=True, sort_keys=False)
        wishes.map_out.write_text(text_of_map, encoding="utf-8")
    return how
