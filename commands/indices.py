"""`puntual index`: values of indices and foreign currencies out of a file, for debts that are counted in them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy.orm import Session

from commands.common import creditor_of, out
from ledger.index_values import load
from ledger.session import make_engine
from policies.indexed import IndexValue
from policies.plain_errors import plain
from stack import settings_here
from supervise import Trouble
from worker import build_clock

index_app = typer.Typer(no_args_is_help=True, help="Values of indices (UF, UDI, UVR) and of foreign currencies.")
COLUMNS = ("code", "payment_currency", "on_day", "value", "source", "valid_until")
WRONG_SHOWN = 10


@index_app.callback()
def _index() -> None:
    """One command so far; the callback keeps its name a subcommand."""


@index_app.command("load")
def load_values(
    file: Annotated[Path, typer.Argument(help=f"A CSV with the columns {', '.join(COLUMNS)}; the last may be left out.")],
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
) -> None:
    """Load values; invoices whose messages waited for one go on. Loading a file again changes nothing."""
    values = read_values(file)
    settings = settings_here()
    engine = make_engine(settings.worker_url, pool_size=2, name="puntual-index")
    try:
        now = build_clock(settings, engine).now()
        with Session(engine) as session, session.begin():
            changed, asked = load(session, creditor_of(session, creditor), values, now=now, actor="operator")
    finally:
        engine.dispose()
    out.print(f"{len(values)} values read, {changed} new or corrected; {asked} open invoices are asked again")


def read_values(file: Path) -> list[IndexValue]:
    """Every row of the file; raises Trouble naming each line that is wrong, and then none is loaded."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Trouble(f"{file} cannot be read as a CSV in UTF-8 ({type(error).__name__})") from None
    values, wrong = [], []
    for line, row in enumerate(rows, 2):
        given = {name: text.strip() for name, text in row.items() if name in COLUMNS and text and text.strip()}
        try:
            values.append(IndexValue.model_validate(given))
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(str(p) for p in e['loc']) or 'row'}: {plain(e)}" for e in error.errors())
            wrong.append(f"line {line}: {said}")
    if wrong or not values:
        listed = "\n".join(wrong[:WRONG_SHOWN]) or f"no rows: the first line names {', '.join(COLUMNS)}"
        raise Trouble(f"{file} was not loaded\n{listed}")
    return values
