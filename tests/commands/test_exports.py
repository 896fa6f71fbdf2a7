"""Lists as programs of accounts export them: which column is what, and every row with its right sum, day and customer."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from commands.guessing import best_sheet
from ledger.import_files import read_table, whole
from ledger.imports import read_mapped
from ledger.snapshots import read_list
from policies.intake_model import InvoiceIn
from policies.portfolio_map import PortfolioMap
from policies.portfolio_rows import Credit, read_row
from policies.sheet_guess import Asked, guess_map


class Read(NamedTuple):
    """A file by its guessed map: (number, customer, minor units, issued, due), and how many lines were left out for what."""

    how: PortfolioMap
    rows: list[tuple[str, str, int, str, str]]
    left: dict[str, int]
    reads: list[InvoiceIn | Credit]


def read(folder: Path, text: str, country: str, zone: str = "UTC") -> Read:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    opened, sheet, header = best_sheet(path)
    guess = guess_map(whole(opened, sheet), header, Asked(country, zone))
    assert guess.map is not None, guess.problems
    how = guess.map.model_copy(update={"format": guess.map.format.model_copy(update={"delimiter": sheet.title})})
    table = read_table(path, how)
    rows, reads = [], []
    for _, row in table.rows:
        one = read_row(how, row)
        assert isinstance(one, InvoiceIn | Credit)
        due = str(one.due_on) if isinstance(one, InvoiceIn) else ""
        sum_minor = -one.amount_minor if isinstance(one, Credit) else one.amount_minor or 0
        rows.append((one.number, one.account.ref, sum_minor, str(one.issued_on), due))
        reads.append(one)
    return Read(how, rows, table.left_out.counts(), reads)


def test_saps_line_items_between_bars_with_trailing_signs_and_starred_sums(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """Customer Line Item Display
|St|Customer  |Document Number|Ty|Doc. Date |Net due dt|Amount in doc. curr.|Curr.|Reference |
|  |100023    |1800001234     |RV|15.03.2026|14.04.2026|        12.345,67   |EUR  |90001111  |
|  |100023    |1800001235     |RV|16.03.2026|15.04.2026|         1.000,00-  |EUR  |90001112  |
|  |100024    |1800001236     |RV|17.03.2026|16.04.2026|           500,00   |EUR  |90001113  |
|* |          |               |  |          |          |        11.845,67   |EUR  |          |
""",
        "ES",
    )
    assert found.rows == [
        ("1800001234", "100023", 1_234_567, "2026-03-15", "2026-04-14"), ("1800001235", "100023", -100_000, "2026-03-16", ""),
        ("1800001236", "100024", 50_000, "2026-03-17", "2026-04-16"),
    ]  # fmt: skip
    assert found.left == {"above the header": 1, "a sum without an invoice": 1}


def test_one_folio_in_two_series_is_two_invoices_and_a_total_may_stand_under_the_due_date(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """EMPRESA DEMO SA DE CV,,,,,,,
Codigo,Razon Social,RFC,Serie,Folio,Fecha,Vencimiento,Total,Pendiente
C001,ACEROS SA,ADN010203AB1,A,1001,01/05/2026,31/05/2026,"$ 11,600.00","$ 11,600.00"
C001,ACEROS SA,ADN010203AB1,B,1001,03/05/2026,02/06/2026,"$ 2,320.50","$ 1,000.50"
C002,MUEBLES,LOPJ800101XX1,NC,55,06/05/2026,06/05/2026,"($ 100.00)","($ 100.00)"
,,,,,,TOTAL,"$ 13,820.50","$ 12,500.50"
""",
        "MX",
    )
    assert [row[:3] for row in found.rows] == [
        ("A-1001", "ADN010203AB1", 1_160_000), ("B-1001", "ADN010203AB1", 232_050), ("NC-55", "LOPJ800101XX1", -10_000),
    ]  # fmt: skip
    assert found.left == {"above the header": 1, "a total": 1}
    path = tmp_path / "list.csv"
    used, table = read_mapped(path, found.how)
    assert [item.number for item in read_list(used, table).items] == ["A-1001", "B-1001", "NC-55"]


def test_the_account_of_the_books_is_no_customer_where_another_column_is(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """Cuenta;Tercero;Documento;Fecha elaboración;Vencimiento;Débito;Crédito;Saldo
130505;900123456;FV-10;01/03/2026;31/03/2026;1.000.000,00;0,00;1.000.000,00
130505;900123457;FV-11;02/03/2026;01/04/2026;50,5;0;50,5
""",
        "CO",
    )
    assert [row[:4] for row in found.rows] == [
        ("FV-10", "900123456", 100_000_000, "2026-03-01"), ("FV-11", "900123457", 5_050, "2026-03-02"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("withheld", "balance", "rate", "left"),
    [("35.000,00", "1.000.000", "3.5", None), ("-35.000,00", "965.000,00", "3.5", None),
     ("33.333,00", "400.000,00", "3.3333", 40_000_000), ("", "1.000.000", "", None)],
)  # fmt: skip
def test_a_column_of_what_is_withheld_lowers_what_is_asked(
    tmp_path: Path, withheld: str, balance: str, rate: str, left: int | None
) -> None:
    header = "NIT;Factura;Fecha;Vencimiento;Valor total;Rete Fuente;Saldo\n"
    line = f"900123456-7;F-1;01/03/2026;31/03/2026;1.000.000;{withheld};{balance}\n"
    found = read(tmp_path, header + line, "CO")
    (one,) = found.reads
    assert isinstance(one, InvoiceIn) and one.amount_minor == 100_000_000
    assert [(d.kind, d.rate, d.base_minor) for d in one.deductions] == ([("retefuente", rate, 100_000_000)] if rate else [])
    assert (one.carried.balance_minor if one.carried else None) == left


def test_what_is_withheld_of_each_instalment_is_withheld_of_the_invoice(tmp_path: Path) -> None:
    header = "NIT;Factura;Fecha;Vencimiento;Valor total;Retención;Tipo de retención\n"
    lines = [f"900123456-7;F-1;01/03/2026;{day}/03/2026;1.000,00;{held};ReteICA\n" for day, held in ((20, "9,66"), (31, "9,67"))]
    found = read(tmp_path, header + "".join(lines), "CO")
    used, table = read_mapped(tmp_path / "list.csv", found.how)
    (item,) = read_list(used, table).items
    assert isinstance(item.given, InvoiceIn)
    assert [(d.kind, d.amount_minor) for d in item.given.deductions] == [("reteica", 966), ("reteica", 967)]
