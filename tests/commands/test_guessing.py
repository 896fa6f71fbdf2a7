"""Spreadsheets as they are, imported without a map: what is guessed is shown, what is in doubt is refused, no line is lost."""

from __future__ import annotations

import csv
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from openpyxl import Workbook
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.orm import Session

from commands.guessing import Wishes, best_sheet
from commands.importing import ImportAsked, import_portfolio
from ledger.facts import gather
from ledger.import_files import read_table
from policies.intake_model import InvoiceIn
from policies.next_step import next_step
from policies.portfolio_rows import read_row
from policies.sheet_guess import Asked, guess_map
from policies.steps import Close
from settings import Settings
from supervise import Trouble
from tests import cast
from tests.conftest import Database


class Desk:
    """Imports files of Brill without a map."""

    def __init__(self, database: Database, folder: Path, country: str = "CO") -> None:
        self.database, self.folder = database, folder
        cast.creditor_brill(database.worker, country=country)

    def run(self, name: str, content: str | bytes | Workbook, **wishes: Any) -> str:
        path = self.folder / name
        if isinstance(content, Workbook):
            content.save(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        said = StringIO()
        settings = Settings(worker_url=self.database.worker_url, master_key=cast.MASTER_KEY)
        asked = ImportAsked(path, None, "brill", None, Wishes(**{"yes": True, **wishes}))
        import_portfolio(asked, settings, out=Console(file=said, width=250), err=Console(file=StringIO()))
        return said.getvalue()

    def rows(self, sql: str) -> list[Any]:
        with self.database.worker.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


INVOICES = "select number, balance_minor from invoice order by number"


def _nasty() -> Workbook:
    """A logo's title over merged cells, a header of two lines, a customer merged over its rows, totals, notes, a credit."""
    book = Workbook()
    cover = book.active
    assert cover is not None
    cover.title = "Portada"
    cover.append(["Cartera de clientes"])
    sheet = book.create_sheet("Detalle")
    sheet.append(["BRILL SERVICIOS SAS", None, None, None, None, None, None, None])
    sheet.merge_cells("A1:H1")
    sheet.append(["Estado de cartera al 28/02/2026"])
    sheet.append([])
    sheet.append(["Cliente", None, "Documento", None, None, "Valores", None, "Contacto"])
    sheet.merge_cells("A4:B4")
    sheet.merge_cells("C4:E4")
    sheet.merge_cells("F4:G4")
    sheet.append(["NIT", "Razón Social", "Número", "Fecha", "Vencimiento", "Valor", "Saldo", "Correo"])
    two, three = "pagos@uno.example; Ana Gil <ana@uno.example> / tesoreria@uno.example", "pagos@dos.example"
    day = datetime(2026, 1, 15)  # noqa: DTZ001 - a workbook's dates have no zone
    sheet.append(["NIT 900.123.456-8", "Uno SAS", "F-1", day, "15/02/2026", "1.234.567,89", "1.234.567,89", two])
    sheet.append([None, None, "F-2", 46037, "01-mar-2026", "2.000,00", "500,00", two])
    sheet.merge_cells("A6:A7")
    sheet.append(["NIT", "Razón Social", "Número", "Fecha", "Vencimiento", "Valor", "Saldo", "Correo"])
    sheet.append(["Subtotal Uno", None, None, None, None, "1.236.567,89", "1.235.067,89", None])
    sheet.append(["901.234.567-1", "Total Play SA", "F-3", day, "16/02/26", "$ 700,50", "COP 700,50", three])
    sheet.append(["901234567-1", "Total Play SA", "NC-9", day, "16/02/26", "(200,50)", "(200,50)", three])
    sheet.append(["901234567-1", "Total Play SA", "F-4", day, "31/02/26", "1,00", "1,00", three])
    sheet.append(["901234567-1", "Total Play SA", "F-5", day, "16/02/26", "90,00", "0,00", three])
    sheet.append([None, "TOTAL GENERAL", None, None, None, "1.237.269,39", "1.235.669,39", None])
    sheet.append([])
    sheet.append(["Saldos sujetos a verificación"])
    return book


def test_a_nasty_workbook_is_read_by_its_guessed_map_and_every_line_is_accounted_for(desk: Desk) -> None:
    said = desk.run("cartera.xlsx", _nasty())
    assert "header: sheet 'Detalle', line 4" in said and "Documento Vencimiento" in said
    assert "14 rows: 4 accepted, 0 repeated, 1 refused, 9 left out" in said
    for line in ("2 above the header", "2 a total", "2 blank", "1 the header again", "1 a note", "1 nothing is open"):
        assert f"left out: {line}" in said, line
    assert desk.rows(INVOICES) == [("F-1", 123_456_789), ("F-2", 50_000), ("F-3", 70_050)]
    # F-2 stands under a merged tax number: the same customer as F-1, whatever the dots.
    assert desk.rows("select count(*) from account") == [(2,)]
    assert desk.rows("select source, amount_minor, unallocated_minor from payment order by source") == [
        ("carried", 150_000, 0), ("credit_note", 20_050, 20_050),
    ]  # fmt: skip
    assert desk.rows("select count(*) from address where channel = 'email'") == [(4,)]
    assert desk.rows("select due_on::text from instalment t join invoice i on i.id = t.invoice_id order by i.number") == [
        ("2026-02-15",), ("2026-03-01",), ("2026-02-16",),
    ]  # fmt: skip
    again = desk.run("cartera.xlsx", _nasty(), yes=False)
    assert "read by the map that was confirmed" in again and "0 accepted, 4 repeated, 1 refused, 9 left out" in again


HEAD = "Factura;Cliente;Vence;Importe\n"


def test_a_column_that_could_be_a_thousandfold_is_refused_until_a_person_says_which(desk: Desk) -> None:
    file = HEAD + "F1;C1;31/03/2026;1.234\nF2;C2;31/03/2026;500\n"
    with pytest.raises(Trouble, match="'Importe': 1.234 can be a thousand times"):
        desk.run("a.csv", file)
    assert desk.rows(INVOICES) == []
    desk.run("a.csv", file, decimal=",")
    assert desk.rows(INVOICES) == [("F1", 123_400), ("F2", 50_000)]


def test_days_that_can_be_read_both_ways_follow_the_custom_of_the_country_and_say_so(desk: Desk) -> None:
    said = desk.run("a.csv", HEAD + "F1;C1;03/04/2026;10,50\n")
    assert "can be read both ways; read as day/month, the custom of CO" in said
    assert desk.rows("select due_on::text from instalment") == [("2026-04-03",)]
    assert "month/day, as 03/31/2026 shows" in desk.run("b.csv", HEAD.replace("Vence", "Due date") + "F2;C2;03/31/2026;10,50\n")


def test_without_a_yes_nothing_is_imported_and_the_map_can_be_written_out(desk: Desk) -> None:
    out = desk.folder / "map.yaml"
    with pytest.raises(Trouble, match="nothing was imported: say --yes"):
        desk.run("a.csv", HEAD + "F1;C1;31/03/2026;10,50\n", yes=False, map_out=out)
    assert yaml.safe_load(out.read_text())["columns"] == {
        "invoice": "Factura", "debtor": "Cliente", "due_on": "Vence", "amount": "Importe",
    }  # fmt: skip
    assert desk.rows("select count(*) from import_run") == [(0,)]
    assert desk.rows("select settings -> 'import_maps' is null from creditor") == [(True,)]


def test_a_customer_known_only_by_name_is_opaque_and_a_latin_file_with_tabs_is_read(desk: Desk) -> None:
    file = "Nº Factura\tNombre cliente\tVencimiento\tImporte\tMoneda\nF1\tMuñoz Peña\t31/03/2026\t10,50\tPesos\n"
    assert "Latin" in desk.run("a.csv", file.encode("cp1252"))
    refs = desk.rows("select ref from account")
    assert len(refs) == 1 and "Mu" not in refs[0][0]
    assert desk.rows("select currency, balance_minor from invoice") == [("COP", 1_050)]


def test_a_credit_that_names_its_invoice_lowers_it_also_when_it_stands_before_it(desk: Desk) -> None:
    head = "Factura;Cliente;Vence;Importe;Aplica a\n"
    desk.run("a.csv", head + "NC1;C1;31/03/2026;-4,00;F1\nF1;C1;31/03/2026;10,50;\nNC2;C9;31/03/2026;-4,00;\n")
    assert desk.rows(INVOICES) == [("F1", 650)]
    with (desk.folder / "a.csv.errors.csv").open(encoding="utf-8") as opened:
        assert [row["line"] for row in csv.DictReader(opened)] == ["4"]
    assert "0 accepted, 2 repeated, 1 refused" in desk.run("a.csv", head + "NC1;C1;31/03/2026;-4,00;F1\nF1;C1;31/03/2026;10,50;\n"
                                                           "NC2;C9;31/03/2026;-4,00;\n")  # fmt: skip


def test_a_map_from_an_earlier_file_is_not_used_where_this_one_is_written_in_another_way(desk: Desk) -> None:
    """Whole numbers say nothing of decimals, and a file with the month first would be read half wrong without a word."""
    desk.run("a.csv", HEAD + "F1;C1;31/03/2026;10\n")
    with pytest.raises(Trouble, match="1.234 can be a thousand times"):
        desk.run("b.csv", HEAD + "F2;C1;31/03/2026;1.234\n")
    assert "does not suit this file" in desk.run("c.csv", HEAD + "F3;C1;03/31/2026;10,50\nF4;C1;03/04/2026;10,50\n")
    assert desk.rows("select due_on::text from instalment order by 1") == [("2026-03-04",), ("2026-03-31",), ("2026-03-31",)]
    assert "read by the map" in desk.run("d.csv", HEAD + "F5;C1;03/31/2026;1.234\n")
    assert desk.rows("select balance_minor from invoice where number = 'F5'") == [(123_400,)]


def test_an_invoice_that_a_credit_ends_is_credited_and_not_paid(desk: Desk) -> None:
    desk.run("a.csv", "Factura;Cliente;Vence;Importe;Aplica a\nF1;C1;31/03/2026;10,50;\nNC1;C1;31/03/2026;-10,50;F1\n")
    with Session(desk.database.worker) as session:
        facts, manual = gather(session, desk.rows("select id from invoice")[0][0], cast.NOW)
    assert (facts.balance_minor, facts.payments) == (0, ())
    step = next_step(facts, manual, cast.NOW)
    assert isinstance(step, Close) and step.outcome == "credited"


def test_a_file_without_a_header_of_invoices_is_refused_with_what_to_do(desk: Desk) -> None:
    with pytest.raises(Trouble, match="no line that looks like the header"):
        desk.run("a.csv", "uno;dos\n1;2\n")
    with pytest.raises(Trouble, match="no column is the due date"):
        desk.run("b.csv", "Factura;Cliente;Importe;Correo\nF1;C1;10,50;a@x.co\n")


@pytest.mark.shared
def test_the_published_workbook_is_guessed_and_all_its_rows_are_accounted_for(desk: Desk, shared_folder: Path) -> None:
    content = (shared_folder / "data" / "1_portfolio" / "ar_excelx_900rows.xlsx").read_bytes()
    said = desk.run("ar.xlsx", content)
    assert "900 rows: 900 accepted, 0 repeated, 0 refused" in said
    # Open and partly paid ones are owed; what has a day of receipt is history.
    counted = "select count(*) filter (where balance_minor > 0), count(*) filter (where balance_minor = 0) from invoice"
    assert desk.rows(counted) == [(599, 301)]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "ibm_ar_customers_A.csv",
            {"invoice": "invoiceNumber", "debtor": "customerID", "due_on": "DueDate", "amount": "InvoiceAmount",
             "issued_on": "InvoiceDate", "settled_on": "SettledDate"},
        ),
        ("highradius_open_invoices_A.csv", {"invoice": "doc_id", "debtor": "cust_number", "due_on": "due_in_date"}),
    ],
)  # fmt: skip
def test_the_published_lists_are_guessed_with_the_columns_a_person_would_name(
    shared_folder: Path, name: str, columns: dict[str, str]
) -> None:
    _, sheet, header = best_sheet(shared_folder / "data" / "1_portfolio" / name)
    guess = guess_map(sheet, header, Asked("US", "America/New_York"))
    found = {chosen.target: chosen.column for chosen in guess.chosen}
    assert {target: found.get(target) for target in columns} == columns, guess.problems
    assert guess.map is not None
    table = read_table(shared_folder / "data" / "1_portfolio" / name, guess.map)
    assert all(isinstance(read_row(guess.map, row), InvoiceIn) for _, row in table.rows[::25])
