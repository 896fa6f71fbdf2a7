"""`puntual replay` as a person runs it: what it reads, what it refuses before anything is played, and what it counts."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text

from policies.portfolio_map import load_map
from rehearsal import replay_command
from rehearsal.portfolio_csv import read_portfolio
from rehearsal.replay_command import ReplayAsked, replay
from rehearsal.replay_report import COLUMNS
from rehearsal.simulator.world import WorldConfig
from settings import Settings
from supervise import Trouble
from tests.channels.outside import simulator
from tests.conftest import Database, TemporalServer
from tests.journeys.stage import end_workflows, stage_settings
from tests.rehearsal.test_replay import HEADER, MAP, map_of

ROWS = f"""{HEADER},phone
1,C-1,,P-1,1/2/2012,2/1/2012,100.00,No,2/5/2012,
1,C-2,,P-2,1/2/2012,2/1/2012,10.00,No,1/30/2012,llamar a Juan
1,C-1,,P-1,1/2/2012,4/2/2012,50.00,No,4/5/2012,
1,C-3,,P-3,1/2/2012,x,20.00,No,,
1,C-3,,P-4,1/2/2012,2/1/2012,20.00,No,,
1,C-3,,P-4,1/2/2012,x,20.00,No,,
"""


def _asked(folder: Path, **change: Any) -> ReplayAsked:
    return ReplayAsked(folder / "p.csv", "unlimited", folder / "map.yaml", **{"out": folder / "contacts.csv", **change})


def _said(asked: ReplayAsked) -> tuple[dict[str, Any], str]:
    out, err = StringIO(), StringIO()
    replay(asked, out=Console(file=out, width=500), err=Console(file=err, width=500))
    return json.loads(out.getvalue()), err.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "p.csv").write_text(ROWS.replace(",", ";"), encoding="utf-8")
    (tmp_path / "map.yaml").write_text(MAP.read_text().replace("columns:\n", "columns:\n  sms: phone\n"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    def up(**_: Any) -> None:
        raise AssertionError("the stack was brought up")

    monkeypatch.setattr(replay_command, "scratch_stack", up)


def test_the_instalments_of_an_invoice_are_played_and_paid_each_on_its_day(
    files: Path, database: Database, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = map_of(database).creditor.slug
    (files / "map.yaml").write_text((files / "map.yaml").read_text().replace("slug: ibm", f"slug: {slug}"))
    with simulator(WorldConfig(api_url="http://127.0.0.1:1", receipts="none")) as outside:

        @contextmanager
        def stack(**_: Any) -> Iterator[tuple[Settings, Path]]:
            yield stage_settings(database, temporal, outside.url), files

        monkeypatch.setattr(replay_command, "scratch_stack", stack)
        try:
            told, err = _said(_asked(files, as_json=True))
        finally:
            asyncio.run(_end(temporal, database))
    # Three rows make no sense: one has no day, and so has a part of P-4, without which the other part is none.
    assert (told["invoices"], told["refused"], told["unreadable"]) == (2, 0, 3)
    assert (told["paid"], told["outcomes"]) == (2, {"paid": 2})
    notes = ("the columns are separated by ';'", "column 'phone' holds text without a telephone number in line 3: ")
    for line in (*notes, "p.csv:5: ", "p.csv:6: ", "p.csv:7: "):
        assert line in err
    with database.worker.connect() as connection:
        payments = connection.execute(
            text("select source_ref, amount_minor, paid_on::text, unallocated_minor from payment order by paid_on")
        ).all()
    assert [tuple(row) for row in payments] == [
        ("P-2", 1_000, "2012-01-30", 0), ("P-1@1", 10_000, "2012-02-05", 0), ("P-1@2", 5_000, "2012-04-05", 0),
    ]  # fmt: skip
    with (files / "contacts.csv").open(newline="") as opened:
        made = [(row["invoice"], row["rung"], row["at_local"][:10], row["amount_minor"]) for row in csv.DictReader(opened)]
    assert made == [
        ("P-1", "U1", "2012-01-25", "10000"), ("P-2", "U1", "2012-01-25", "1000"), ("P-1", "U2", "2012-02-01", "10000"),
        ("P-1", "U1", "2012-03-26", "5000"), ("P-1", "U2", "2012-04-02", "5000"),
    ]  # fmt: skip


async def _end(temporal: TemporalServer, database: Database) -> None:
    await end_workflows(await temporal.client(), database)


def test_rows_of_one_number_become_one_entry_and_notes_are_no_unreadable_rows(files: Path, database: Database) -> None:
    how = map_of(database)
    found = read_portfolio(files / "p.csv", how)
    assert [(entry.invoice.number, len(entry.parts)) for entry in found.entries] == [("P-1", 2), ("P-2", 0)]
    assert [line.split(": ")[0] for line in found.unreadable] == ["p.csv:5", "p.csv:6", "p.csv:7"]
    assert found.notes == ["the columns are separated by ';'"]
    assert [len(entry.parts) for entry in read_portfolio(files / "p.csv", how, first=2).entries] == [0, 0]


@pytest.mark.parametrize(
    ("amounts", "played"),
    [(["100.00", "-10.00"], [10_000]), (["100.00", "0.00"], [10_000]), (["100.00", "0.00", "50.00"], [10_000, 5_000])],
)
def test_a_credit_or_a_sum_of_zero_beside_an_invoice_leaves_it_whole(
    tmp_path: Path, amounts: list[str], played: list[int]
) -> None:
    rows = [f"F-1,C-1,2026-0{month}-01,{amount}" for month, amount in enumerate(amounts, 1)]
    (tmp_path / "p.csv").write_text("\n".join(["N,D,V,A", *rows]))
    how = load_map("columns: {invoice: N, debtor: D, due_on: V, amount: A}\ndefaults: {currency: USD, country: US}\n", "m.yaml")
    read = read_portfolio(tmp_path / "p.csv", how)
    [entry] = read.entries
    sums: list[int | None] = [part.amount_minor for part in entry.invoice.instalments]
    assert (
        (sums or [entry.invoice.amount_minor]) == played
        and len(read.unreadable) == 1
        and "a replay leaves it out" in read.unreadable[0]
    )


@pytest.mark.usefixtures("no_stack")
def test_what_is_read_and_what_is_no_file_of_contacts_is_never_overwritten(files: Path) -> None:
    (files / "link.csv").symlink_to(files / "p.csv")
    for out in (files / "p.csv", files / "link.csv", files / "map.yaml"):
        with pytest.raises(Trouble, match=r"is the same file as .*: name another path for the file of contacts"):
            replay(_asked(files, out=out), out=Console(file=StringIO()), err=Console(file=StringIO()))
    other = files / "other.csv"
    other.write_text("invoice,debtor\nmine,C-1\n")
    with pytest.raises(Trouble, match=r"other\.csv is there and is no file of contacts, it would be lost: name another"):
        replay(_asked(files, out=other), out=Console(file=StringIO()), err=Console(file=StringIO()))
    assert (files / "p.csv").read_text() == ROWS.replace(",", ";") and other.read_text().endswith("mine,C-1\n")
    for earlier in (",".join(COLUMNS) + "\nP-1\n", ""):
        (files / "contacts.csv").write_text(earlier)
        with pytest.raises(AssertionError, match="the stack was brought up"):
            replay(_asked(files), out=Console(file=StringIO()), err=Console(file=StringIO()))


_NEW_YORK = "US, zone: America/New_York"


@pytest.mark.usefixtures("no_stack")
@pytest.mark.parametrize(
    ("change", "late", "says"),
    [
        ((f"USD, country: {_NEW_YORK}", "USD, country: US, zone: Mars/Base"), False, r"map\.yaml:11: defaults\.zone: "),
        ((f"Replay, country: {_NEW_YORK}", "R, country: US, zone: Mars/Base"), False, r"map\.yaml:12: creditor\.zone: "),
        (("Replay, country: US", "R, country: XX"), False, r"map\.yaml:12: creditor\.country: there is no such country"),
        (("", ""), True, "has invoices with a row for each instalment, and --late-bank plays whole ones"),
    ],
)
def test_what_cannot_be_played_is_told_before_a_stack_comes_up(
    files: Path, change: tuple[str, str], late: bool, says: str
) -> None:
    (files / "map.yaml").write_text((files / "map.yaml").read_text().replace(*change))
    with pytest.raises(Trouble, match=says):
        replay(_asked(files, late_bank=late), out=Console(file=StringIO()), err=Console(file=StringIO()))
