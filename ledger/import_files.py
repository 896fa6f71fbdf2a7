"""Tables in files: CSV with its byte-order mark, separator and encoding found out, and Excel workbooks with their merged cells.

The header may stand under titles and over two lines; what is no invoice (titles, totals, notes, the header again) is counted
with its reason, so that every line of a file is accounted for.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook

from policies.portfolio_map import TOO_MANY, PortfolioMap, missing_columns
from policies.sheet import HEADER_WITHIN, Cells, Header, LeftOut, Sheet, is_empty, possible_headers, rows_under

_SAID_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
SEPARATORS = (";", ",", "\t", "|")
_WHOLE_BYTES = 8_000_000
"""A larger workbook is read line by line, without its merged cells."""
_WHOLE_UNPACKED = 100_000_000
_UNPACKED_MAX = 1_000_000_000
_COLUMNS, _GAP = 512, 1000
"""Cells further to the right are none of a list of invoices; a longer run of empty lines is left out."""


class UnreadableFile(ValueError):
    """The file as a whole cannot be read; the text says what to do."""


@dataclass(frozen=True)
class Table:
    """A file's rows, each with its line (the first line is 1), and what is to be known about reading it."""

    rows: list[tuple[int, dict[str, Any]]]
    notes: list[str]
    digest: bytes
    """sha256 of the file and its map: the same import again is known by it."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """The lines that are no invoices, each with its reason."""


@dataclass(frozen=True)
class File:
    """A file that was opened: its sheets (for CSV one for each separator it may have), and what is to be known about that."""

    path: Path
    content: bytes
    sheets: list[Sheet]
    notes: list[str]

    @property
    def is_workbook(self) -> bool:
        """Whether it is an Excel workbook."""
        return self.path.suffix.lower() in (".xlsx", ".xlsm")


def open_file(path: Path, *, encoding: str = "utf-8-sig", separator: str = ";") -> File:
    """Read a file's lines; raises UnreadableFile when it is none. A CSV's sheet is titled by its separator."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from None
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return File(path, content, list(_workbook(path, content)), [])
    text, notes = _decoded(path, content, encoding)
    said = _SAID_SEPARATOR.match(text)  # Excel's own first line, `sep=;`
    skipped, text = (1, text[said.end() :]) if said else (0, text)
    known = dict.fromkeys((said[1] if said else separator, separator, *SEPARATORS))
    sheets = [Sheet(each, list(_csv_lines(path, text, each, skipped, first=HEADER_WITHIN))) for each in known]
    return File(path, content, sheets, notes)


def whole(file: File, sheet: Sheet, *, encoding: str = "utf-8-sig") -> Sheet:
    """A sheet with all its lines: of a CSV only the first were read to find its separator. Raises UnreadableFile."""
    if file.is_workbook:
        return sheet
    text, _ = _decoded(file.path, file.content, encoding)
    said = _SAID_SEPARATOR.match(text)
    skipped, text = (1, text[said.end() :]) if said else (0, text)
    return Sheet(sheet.title, list(_csv_lines(file.path, text, sheet.title, skipped)))


def read_table(path: Path, how: PortfolioMap, map_text: str = "") -> Table:
    """Read the file; raises UnreadableFile when it is none, or lacks a column of the map."""
    file = open_file(path, encoding=how.format.encoding, separator=how.format.delimiter)
    digest = hashlib.sha256(hashlib.sha256(file.content).digest() + map_text.encode()).digest()
    notes = list(file.notes)
    fits = [(sheet, header) for sheet in file.sheets if (header := _header_of(how, sheet)) is not None]
    if not fits:
        raise _lacking(path, how, _first_names(file.sheets[0]) if file.sheets else [])
    sheet, header = fits[0]
    _refuse_doubled(path, how, header.names)
    if not file.is_workbook and sheet.title != how.format.delimiter:
        notes.append(f"the columns are separated by {sheet.title!r}")
    elif file.is_workbook and sheet is not file.sheets[0]:
        notes.append(f"read from sheet {sheet.title!r}")
    if file.is_workbook and len(fits) > 1:
        notes.append(f"not read, though they have the same columns: sheets {', '.join(repr(s.title) for s, _ in fits[1:])}")
    sheet = whole(file, sheet, encoding=how.format.encoding)
    if header.at or header.height > 1:
        notes.append(f"the header stands in line {sheet.lines[header.at][0]}{' and the next' if header.height > 1 else ''}")
    left_out = LeftOut()
    rows = rows_under(sheet, header, invoice=how.columns.invoice, due_on=how.columns.due_on, left_out=left_out)
    return Table([(line, _row(header, cells, sheet.title, file)) for line, cells in rows], notes, digest, left_out)


def _header_of(how: PortfolioMap, sheet: Sheet) -> Header | None:
    """The first line, or two, with every column of the map."""
    return next((header for header in possible_headers(sheet) if not missing_columns(how, list(header.names))), None)


def _row(header: Header, cells: Cells, separator: str, file: File) -> dict[str, Any]:
    row: dict[str, Any] = {name: _cell(value) for name, value in zip(header.names, cells, strict=False) if name}
    if not file.is_workbook and any(not is_empty(cell) for cell in cells[len(header.names) :]):
        row[TOO_MANY] = f"this row has {len(cells)} cells and the header {len(header.names)}: put quotation marks around"
        row[TOO_MANY] += f" a cell that holds {separator!r}"
    return row


def _decoded(path: Path, content: bytes, encoding: str) -> tuple[str, list[str]]:
    """The text of the file, and what is to be known about reading it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace"), ["the file is read as UTF-16"]
    if b"\0" in content[:4096]:
        raise UnreadableFile(f"{path} is not a text file: export it as CSV in UTF-8, or give the .xlsx itself")
    try:
        return content.decode(encoding).removeprefix("\ufeff"), []
    except LookupError:
        raise UnreadableFile(f"the map's encoding {encoding!r} is not known: use utf-8 or latin-1") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        note = f"line {line} is not {encoding}: the file is read as Latin (cp1252); check names with accents"
        return content.decode("cp1252", errors="replace"), [note]


def _csv_lines(path: Path, text: str, separator: str, skipped: int, *, first: int | None = None) -> Iterator[tuple[int, Cells]]:
    """The lines with their numbers. With `first` only so many, up to what cannot be read; else that raises UnreadableFile."""
    # Strict, because a quotation mark that is not closed would else swallow the rows behind it without a word.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    try:
        for count, cells in enumerate(reader):
            if first is not None and count >= first:
                return
            line, before = before + 1 + skipped, reader.line_num
            yield line, cells
    except csv.Error as error:
        if first is not None:
            return
        where = f"{path}, the row that ends on line {reader.line_num + skipped}"
        raise UnreadableFile(f"{where}: {error}; look for a quotation mark that is not closed or not doubled") from None


def _refuse_doubled(path: Path, how: PortfolioMap, names: tuple[str, ...]) -> None:
    """Raises UnreadableFile when a column of the map stands twice in the header: nobody could say which is meant."""
    doubled = sorted({name for name in names if names.count(name) > 1} & {*how.columns.model_dump().values(), *how.where})
    if doubled:
        raise UnreadableFile(f"{path} has column {', '.join(doubled)} more than once: rename the others")


def _workbook(path: Path, content: bytes) -> Iterator[Sheet]:
    small = _unpacked(path, content) <= _WHOLE_UNPACKED and len(content) <= _WHOLE_BYTES
    try:
        book = load_workbook(io.BytesIO(content), read_only=not small, data_only=True)
    except Exception:  # openpyxl raises whatever its zip and XML readers do
        raise UnreadableFile(f"{path} is not an Excel workbook (.xlsx): save it again as one, or as CSV") from None
    for sheet in book.worksheets:
        if not small:
            sheet.reset_dimensions()  # some programs write a wrong one, and all but its cells would be unseen
        merged = tuple((r.min_row, r.min_col - 1, r.max_row, r.max_col - 1) for r in sheet.merged_cells.ranges) if small else ()
        lines = (
            _filled(sheet) if small else ((n, list(row[:_COLUMNS])) for n, row in enumerate(sheet.iter_rows(values_only=True), 1))
        )
        yield Sheet(sheet.title, list(lines), merged)


def _unpacked(path: Path, content: bytes) -> int:
    """How many bytes a workbook unpacks to, as its zip says. Raises UnreadableFile for one that would fill the machine."""
    try:
        size = sum(part.file_size for part in ZipFile(io.BytesIO(content)).infolist())
    except BadZipFile:
        return 0  # what it is instead is said by who reads it
    if size > _UNPACKED_MAX:
        raise UnreadableFile(f"{path} unpacks to more than {_UNPACKED_MAX // 10**6} MB: save it again, or export it as CSV")
    return size


def _filled(sheet: Any) -> Iterator[tuple[int, Cells]]:
    """The lines up to the last one with a value; one stray cell far below or beside must not make a million empty ones."""
    filled: dict[int, dict[int, Any]] = {}
    for (row, column), cell in sheet._cells.items():
        if cell.value is not None and column <= _COLUMNS:
            filled.setdefault(row, {})[column] = cell.value
    width, before = max((max(cells) for cells in filled.values()), default=0), 0
    for row in sorted(filled):
        if row - before <= _GAP:
            yield from ((n, [None] * width) for n in range(before + 1, row))
        yield row, [filled[row].get(column) for column in range(1, width + 1)]
        before = row


def _cell(value: Any) -> Any:
    """Whole numbers without their point; dates stay dates."""
    if isinstance(value, datetime | date | str) or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _first_names(sheet: Sheet) -> list[str]:
    return next((list(header.names) for header in possible_headers(sheet)), [])


def _lacking(path: Path, how: PortfolioMap, names: list[str]) -> UnreadableFile:
    missing = ", ".join(missing_columns(how, names))
    return UnreadableFile(f"{path} has no column {missing}: it has {', '.join(n for n in names if n) or 'none'}; correct the map")
