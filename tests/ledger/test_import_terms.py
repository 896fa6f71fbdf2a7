"""Terms of payment and instalments in a file: a column instead of due dates, and several rows that are one invoice."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from ledger import imports
from ledger.imports import Imported, run_import
from policies.portfolio_map import MapError, load_map
from tests import cast
from tests.conftest import Database

MAP = """
format: {date: "%Y-%m-%d"}
columns: {invoice: Factura, debtor: Cliente, issued_on: Emision, due_on: Vence, terms: Plazo, amount: Total, balance: Saldo}
defaults: {currency: COP, country: CO, region: CO-DC, kind: consumer}
"""
HEAD = ("Factura", "Cliente", "Emision", "Vence", "Plazo", "Total", "Saldo")


class Desk:
    """Files that are imported for Brill."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        cast.creditor_brill(database.worker)
        (folder / "map.yaml").write_text(MAP, encoding="utf-8")

    def imports(self, *rows: tuple[str, ...]) -> Imported:
        with (self.folder / "open.csv").open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([HEAD, *rows])
        return run_import(
            sessionmaker(self.database.worker).begin, "brill", self.folder / "open.csv", self.folder / "map.yaml",
            now=lambda: cast.NOW, sealer=cast.sealer(),
        )  # fmt: skip

    def dues(self, number: str) -> list[tuple[str, int, str]]:
        sql = text(
            "select t.due_on::text, t.amount_minor, t.due_source from instalment t join invoice i on i.id = t.invoice_id"
            " where i.number = :number order by t.number"
        )
        with self.database.worker.connect() as connection:
            return [tuple(row) for row in connection.execute(sql, {"number": number})]


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def row(
    number: str, due: str, terms: str = "", total: str = "100", saldo: str = "", issued: str = "2026-03-01"
) -> tuple[str, ...]:
    """One line of the file."""
    return (number, "C-1", issued, due, terms, total, saldo)


def test_a_row_without_a_due_date_is_due_by_its_terms(desk: Desk) -> None:
    done = desk.imports(row("F-1", "", "Net 45"), row("F-2", "2026-03-20", "Net 45"), row("F-3", "", "30/60"), row("F-4", ""))
    assert (done.accepted, done.refused) == (4, 0)
    assert desk.dues("F-1") == [("2026-04-15", 10_000, "terms")]
    assert desk.dues("F-2") == [("2026-03-20", 10_000, "stated")]
    assert [due for due, _, _ in desk.dues("F-3")] == ["2026-03-31", "2026-04-30"]
    assert desk.dues("F-4") == [("2026-03-31", 10_000, "assumed")]
    assert desk.imports(row("F-9", "", "as agreed")).refused == 1


def test_rows_of_one_number_with_other_due_dates_are_its_instalments_wherever_they_stand(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_ROWS", 2)
    rows = (row("F-1", "2026-05-01", total="30"), row("F-2", "2026-03-20"), row("F-1", "2026-04-01", total="40"),
            row("F-3", "2026-03-20"), row("F-1", "2026-06-01", total="30.01"))  # fmt: skip
    done = desk.imports(*rows)
    assert (done.rows, done.accepted, done.refused) == (5, 5, 0)
    assert desk.dues("F-1") == [("2026-04-01", 4_000, "stated"), ("2026-05-01", 3_000, "stated"), ("2026-06-01", 3_001, "stated")]
    assert len(desk.dues("F-2")) == 1
    again = desk.imports(*rows)
    assert (again.accepted, again.repeated) == (0, 5)


def test_what_is_open_of_the_parts_adds_up_and_the_same_day_twice_is_no_instalment(desk: Desk) -> None:
    done = desk.imports(
        row("F-1", "2026-04-01", saldo="100"), row("F-1", "2026-03-15", saldo="40"),
        row("F-2", "2026-04-01"), row("F-2", "2026-04-01"), row("F-3", "2026-04-01"), row("F-3", "2026-04-01", total="90"),
    )  # fmt: skip
    assert (done.accepted, done.repeated, done.refused) == (4, 1, 1)
    with desk.database.worker.connect() as connection:
        assert connection.execute(text("select balance_minor from invoice where number = 'F-1'")).scalar_one() == 14_000


def test_a_part_that_cannot_be_read_refuses_the_invoice_and_not_the_others(desk: Desk) -> None:
    done = desk.imports(row("F-1", "2026-04-01"), row("F-1", "no day"), row("F-2", "2026-04-01"))
    assert (done.accepted, done.refused) == (1, 2)
    assert desk.dues("F-1") == []
    other: Any = ("F-5", "C-2", "2026-03-01", "2026-05-01", "", "10", "")
    assert desk.imports(row("F-5", "2026-04-01"), other).refused == 2  # two customers cannot owe one invoice


def test_a_map_needs_due_dates_or_terms_with_the_day_of_issue() -> None:
    load_map("columns: {invoice: N, debtor: D, amount: A, terms: T, issued_on: I}", "m")
    for columns in ("{invoice: N, debtor: D, amount: A}", "{invoice: N, debtor: D, amount: A, terms: T}"):
        with pytest.raises(MapError, match="due_on"):
            load_map(f"columns: {columns}", "m")
