"""Files as people really export them: what can be read is read, and no row is lost or misread without a word."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from ledger.import_files import UnreadableFile, read_table
from policies.intake import Unreadable
from policies.portfolio_map import load_map
from policies.portfolio_rows import read_entry

MAP = load_map(
    "columns: {invoice: Number, debtor: Customer, due_on: Due, amount: Amount}\n"
    "defaults: {currency: USD, country: CO, zone: America/Bogota}\n",
    "map.yaml",
)
_HEADER = "Number,Customer,Due,Amount\n"
_ROW = "F1,C1,2026-03-16,100.50\n"


def _read(folder: Path, content: str | bytes, name: str = "file.csv") -> list[tuple[int, str, int | None]]:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    entries = [(line, read_entry(MAP, row).invoice) for line, row in read_table(file, MAP).rows]
    return [(line, invoice.number, invoice.amount_minor) for line, invoice in entries]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (_HEADER + _ROW, 2),
        ((_HEADER + _ROW).replace("\n", "\r"), 2),
        ((_HEADER + _ROW).encode("utf-16"), 2),
        ("sep=;\r\n" + (_HEADER + _ROW).replace(",", ";"), 3),
        ('"Number",Customer,Due,"Amount"\n\n' + _ROW, 3),
        (_HEADER.replace("Customer", '"Note\nof ours",Customer') + "F1,,C1,2026-03-16,100.50\n", 3),
        (_HEADER + _ROW.strip() + ",,\n", 2),
    ],
    ids=["plain", "old Mac", "UTF-16", "named separator", "blank line", "header of two lines", "empty cells at the end"],
)
def test_a_file_is_read_with_its_own_line_numbers(tmp_path: Path, content: str | bytes, line: int) -> None:
    assert _read(tmp_path, content) == [(line, "F1", 10050)]


def test_a_row_with_too_many_cells_is_refused_and_not_read_by_its_first_ones(tmp_path: Path) -> None:
    """Unquoted, `1,234.56` would be a debt of one dollar."""
    with pytest.raises(Unreadable, match="5 cells and the header 4: put quotation marks"):
        _read(tmp_path, _HEADER + "F1,C1,2026-03-16,1,234.56\n")


def test_a_quotation_mark_that_is_not_closed_loses_no_row_in_silence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="line 4: .*not closed"):
        _read(tmp_path, _HEADER + _ROW + 'F2,"C2,2026-03-16,5\nF3,"C3",2026-03-16,5\n')


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="Amount more than once"):
        _read(tmp_path, _HEADER.strip() + ",Amount\n" + _ROW.strip() + ",9\n")


def test_a_workbook_whose_dimension_is_wrong_is_read_whole(tmp_path: Path) -> None:
    book = Workbook()
    for cells in (["Number", "Customer", "Due", "Amount"], ["F1", "C1", "2026-03-16", 100.5]):
        book.worksheets[0].append(cells)
    whole = io.BytesIO()
    book.save(whole)
    wrong = io.BytesIO()
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(wrong, "w") as target:
        for name in source.namelist():
            target.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', source.read(name)))
    assert _read(tmp_path, wrong.getvalue(), "file.xlsx") == [(2, "F1", 10050)]


def test_a_stray_cell_at_the_end_of_the_sheet_makes_no_million_lines(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    for cells in (["Number", "Customer", "Due", "Amount"], [], ["F1", "C1", "2026-03-16", 100.5]):
        sheet.append(cells)
    sheet["XFD1048576"] = " "
    last: tuple[str | int, ...] = ("F2", "C1", "2026-03-17", 7)
    for column, value in zip("ABCD", last, strict=True):
        sheet[f"{column}1048576"] = value
    whole = io.BytesIO()
    book.save(whole)
    (tmp_path / "file.xlsx").write_bytes(whole.getvalue())
    table = read_table(tmp_path / "file.xlsx", MAP)
    assert [line for line, _ in table.rows] == [3, 1_048_576]


def test_a_workbook_that_unpacks_to_more_than_the_machine_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.import_files._UNPACKED_MAX", 1_000_000)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_001)
    assert len(bomb.getvalue()) < 2_000
    with pytest.raises(UnreadableFile, match="unpacks to more than 1 MB"):
        _read(tmp_path, bomb.getvalue(), "file.xlsx")
