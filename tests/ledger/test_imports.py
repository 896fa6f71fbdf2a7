"""Files of invoices: read, mapped, imported in parts, resumed, and reported by line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from ledger.import_files import UnreadableFile
from ledger.imports import Imported, run_import
from tests import cast
from tests.conftest import Database

MAP = """\
format: {date: "%d/%m/%Y", decimal: ","}
columns: {invoice: Factura, debtor: Cliente, issued_on: Fecha, due_on: Vence, amount: Importe, name: Nombre, email: Correo}
defaults: {currency: EUR, country: ES, region: MD, kind: business}
"""
HEAD = "Factura;Cliente;Fecha;Vence;Importe;Nombre;Correo\n"


def _row(number: int, amount: str = "1.234,56", email: str = "pagos@cliente.example") -> str:
    return f"F-{number:04};00{number};01/03/2026;31/03/2026;{amount};Muñoz y Cía;{email}\n"


class Desk:
    """Runs imports of Brill's files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.creditor = cast.creditor_brill(database.worker, country="ES")

    def write(self, content: str | bytes, name: str = "facturas.csv", how: str = MAP) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (self.folder / "map.yaml").write_text(how, encoding="utf-8")
        return path

    def run(self, path: Path, **change: Any) -> Imported:
        transaction: Callable[[], AbstractContextManager[Session]] = sessionmaker(self.database.worker).begin
        given = {"now": lambda: cast.NOW, "sealer": cast.sealer(), **change}
        return run_import(transaction, "brill", path, self.folder / "map.yaml", **given)

    def column(self, sql: str) -> list[Any]:
        with self.database.worker.connect() as connection:
            return list(connection.execute(text(sql)).scalars())


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def _counts(done: Imported) -> tuple[int, int, int]:
    return done.accepted, done.repeated, done.refused


def test_a_spanish_file_with_mark_and_semicolons_is_read_and_once_more_finds_everything_repeated(desk: Desk) -> None:
    path = desk.write(b"\xef\xbb\xbf" + (HEAD + _row(1) + "\n" + _row(2, "12,00")).encode())
    first, again = desk.run(path), desk.run(path)
    assert (_counts(first), _counts(again)) == ((2, 0, 0), (0, 2, 0))
    assert desk.column("select balance_minor from invoice order by number") == [123_456, 1_200]
    assert desk.column("select ref from account order by ref") == ["001", "002"]
    assert first.report is None and not list(desk.folder.glob("*.errors.csv"))
    assert desk.column("select accepted + repeated from import_run") == [2]


def test_what_is_wrong_stands_in_a_report_by_line_and_column_without_personal_values(desk: Desk) -> None:
    no_such_day = _row(4).replace("31/03/2026", "31/02/2026")
    bad = _row(2, "1.23,4") + _row(3, email="pagos.cliente.example") + no_such_day + _row(5, "-5,0,0")
    path = desk.write(HEAD + _row(1) + bad + _row(6))
    done = desk.run(path)
    assert _counts(done) == (2, 0, 4)
    assert done.report is not None
    with done.report.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [(row["line"], row["column"], row["value"]) for row in rows] == [
        ("3", "Importe", "1.23,4"), ("4", "Correo", ""), ("5", "Vence", "31/02/2026"), ("6", "Importe", "'-5,0,0"),
    ]  # fmt: skip
    assert all(row["what is wrong and what to do"] for row in rows)
    assert "pagos.cliente" not in done.report.read_text(encoding="utf-8")


def test_a_stopped_run_goes_on_behind_its_last_part_and_loses_no_line_of_its_report(desk: Desk) -> None:
    rows = [_row(n, "x" if n in (3, 700, 1_100) else "10,00") for n in range(1, 1_201)]
    path = desk.write(HEAD + "".join(rows))

    def fail_late(done: int, total: int) -> None:
        if done == 1_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.run(path, on_progress=fail_late)
    seen: list[int] = []
    done = desk.run(path, on_progress=lambda rows_done, total: seen.append(rows_done))
    assert (done.resumed_at, seen) == (1_000, [1_000, 1_200])
    assert _counts(done) == (1_197, 0, 3)
    assert done.report is not None
    assert [line.split(",")[0] for line in done.report.read_text().splitlines()[1:]] == ["4", "701", "1101"]
    assert desk.column("select count(*) from outbox") == [1_197]


def test_a_part_that_fails_leaves_nothing_of_it(desk: Desk) -> None:
    path = desk.write(HEAD + "".join(_row(n) for n in range(1, 601)))
    calls = iter([cast.NOW, cast.NOW])

    def now() -> datetime:
        return next(calls)  # the second part asks once more and fails

    with pytest.raises((StopIteration, RuntimeError)):
        desk.run(path, now=now)
    assert desk.column("select rows_done from import_run") == desk.column("select count(*) from invoice") == [500]


def test_a_changed_row_is_refused_and_told_apart_from_a_repeated_one(desk: Desk) -> None:
    desk.run(desk.write(HEAD + _row(1) + _row(2)))
    done = desk.run(desk.write(HEAD + _row(1) + _row(2, "99,00"), "marzo.csv"))
    assert _counts(done) == (0, 1, 1)
    assert done.report is not None and "another content" in done.report.read_text()


def test_a_file_in_latin_letters_is_read_and_said_to_be(desk: Desk) -> None:
    done = desk.run(desk.write((HEAD + _row(1)).encode("latin-1")))
    assert _counts(done) == (1, 0, 0) and "line 2" in done.notes[0] and "Latin" in done.notes[0]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("a;b\n1;2\n", "x.csv", "has no column Cliente, Correo, Factura"),
        (b"PK\x03\x04\x00\x00", "x.csv", "not a text file"),
        (b"not a workbook", "x.xlsx", "not an Excel workbook"),
        ("", "x.csv", "has no column"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(desk: Desk, content: str | bytes, name: str, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        desk.run(desk.write(content, name))


def test_a_workbook_keeps_dates_whole_numbers_and_leading_zeros_and_takes_only_the_wanted_rows(desk: Desk) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Factura", "Cliente", "Fecha", "Vence", "Importe", "Nombre", "Correo", "Estado"])
    day = datetime(2026, 3, 1)  # noqa: DTZ001 - a workbook's dates have no zone
    sheet.append([1930571429.0, "007", day, day, 61.74, None, None, "Open"])
    sheet.append([1930571430.0, "007", day, day, 10, None, None, "Received"])
    path = desk.write(b"", "facturas.xlsx", MAP + "where: {Estado: [Open, Partial]}\n")
    book.save(path)
    done = desk.run(path)
    assert (_counts(done), done.left_out) == ((1, 0, 0), 1)
    assert desk.column("select number from invoice") == ["1930571429"]
    assert desk.column("select ref from account") == ["007"]
    assert desk.column("select amount_minor from entry") == [6_174]


@pytest.mark.shared
def test_the_published_portfolios_are_imported_whole(desk: Desk, shared_folder: Path) -> None:
    maps = {
        "ibm_ar_customers_A.csv": (
            'format: {date: "%m/%d/%Y"}\ncolumns: {invoice: invoiceNumber, debtor: customerID, issued_on: InvoiceDate,'
            " due_on: DueDate, amount: InvoiceAmount}\ndefaults: {currency: USD, country: US, region: NY}\n",
            1_267,
        ),
        "ar_excelx_900rows.xlsx": (
            "columns: {invoice: ARID, debtor: Customer, issued_on: InvoiceDate, due_on: DueDate, amount: Amount,"
            " currency: Currency}\ndefaults: {country: US, region: NY}\nwhere: {Status: [Open, Partial]}\n",
            None,
        ),
        "highradius_open_invoices_A.csv": (
            "format: {integer_ids: true}\ncolumns: {invoice: doc_id, debtor: cust_number, issued_on: document_create_date,"
            " due_on: due_in_date, amount: total_open_amount, currency: invoice_currency, country: invoice_currency}\n"
            "values: {country: {USD: US, CAD: CA}}\ndefaults: {zone: America/New_York}\n",
            6_043,
        ),
    }
    for name, (how, expected) in maps.items():
        (desk.folder / "map.yaml").write_text(how)
        path = shared_folder / "data" / "1_portfolio" / name
        done = desk.run(path, report=desk.folder / f"{name}.errors.csv")
        assert done.refused == 0, done.report and done.report.read_text()[:2000]
        assert done.accepted + done.left_out == done.rows and (expected is None or done.accepted == expected)
