"""Tables in files: CSV with its byte-order mark, separator and encoding found out, and Excel workbooks read row by row."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from policies.portfolio_map import TOO_MANY, PortfolioMap, missing_columns

_SAID_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_SEPARATORS = (";", ",", "\t", "|")


class UnreadableFile(ValueError):
    """The file as a whole cannot be read; the text says what to do."""


@dataclass(frozen=True)
class Table:
    """A file's rows, each with its line (the first row under the header is line 2), and what is to be known about reading it."""

    rows: list[tuple[int, dict[str, Any]]]
    notes: list[str]
    digest: bytes
    """sha256 of the file and its map: the same import again is known by it."""


def read_table(path: Path, how: PortfolioMap, map_text: str = "") -> Table:
    """Read the file; raises UnreadableFile when it is none, or lacks a column of the map."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from None
    digest = hashlib.sha256(hashlib.sha256(content).digest() + map_text.encode()).digest()
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        rows, notes = _workbook(path, content, how)
    else:
        rows, notes = _csv(path, content, how)
    return Table(rows, notes, digest)


def _csv(path: Path, content: bytes, how: PortfolioMap) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    text, notes = _decoded(path, content, how)
    said = _SAID_SEPARATOR.match(text)  # Excel's own first line, `sep=;`
    skipped, text = (1, text[said.end() :]) if said else (0, text)
    for separator in dict.fromkeys((said[1] if said else how.format.delimiter, how.format.delimiter, *_SEPARATORS)):
        names = _header(text, separator)
        if not missing_columns(how, names):
            _refuse_doubled(path, how, names)
            if separator != how.format.delimiter:
                notes.append(f"the columns are separated by {separator!r}")
            return list(_csv_rows(path, text, separator, skipped)), notes
    raise _lacking(path, how, _header(text, how.format.delimiter))


def _decoded(path: Path, content: bytes, how: PortfolioMap) -> tuple[str, list[str]]:
    """The text of the file, and what is to be known about reading it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace"), ["the file is read as UTF-16"]
    if b"\0" in content[:4096]:
        raise UnreadableFile(f"{path} is not a text file: export it as CSV in UTF-8, or give the .xlsx itself")
    try:
        return content.decode(how.format.encoding).removeprefix("\ufeff"), []
    except LookupError:
        raise UnreadableFile(f"the map's encoding {how.format.encoding!r} is not known: use utf-8 or latin-1") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        note = f"line {line} is not {how.format.encoding}: the file is read as Latin (cp1252); check names with accents"
        return content.decode("cp1252", errors="replace"), [note]


def _header(text: str, separator: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])]
    except csv.Error:
        return []


def _csv_rows(path: Path, text: str, separator: str, skipped: int) -> Iterator[tuple[int, dict[str, Any]]]:
    # Strict, because a quotation mark that is not closed would else swallow the rows behind it without a word.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        before = reader.line_num
        for cells in reader:
            line, before = before + 1 + skipped, reader.line_num
            if any(cell.strip() for cell in cells):
                row: dict[str, Any] = dict(zip(names, cells, strict=False))
                if any(cell.strip() for cell in cells[len(names) :]):
                    row[TOO_MANY] = f"this row has {len(cells)} cells and the header {len(names)}: put quotation marks around"
                    row[TOO_MANY] += f" a cell that holds {separator!r}"
                yield line, row
    except csv.Error as error:
        where = f"{path}, the row that ends on line {reader.line_num + skipped}"
        raise UnreadableFile(f"{where}: {error}; look for a quotation mark that is not closed or not doubled") from None


def _refuse_doubled(path: Path, how: PortfolioMap, names: list[str]) -> None:
    """Raises UnreadableFile when a column of the map stands twice in the header: nobody could say which is meant."""
    doubled = sorted({name for name in names if names.count(name) > 1} & {*how.columns.model_dump().values(), *how.where})
    if doubled:
        raise UnreadableFile(f"{path} has column {', '.join(doubled)} more than once: rename the others")


def _workbook(path: Path, content: bytes, how: PortfolioMap) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception:  # openpyxl raises whatever its zip and XML readers do
        raise UnreadableFile(f"{path} is not an Excel workbook (.xlsx): save it again as one, or as CSV") from None
    seen: list[str] = []
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs write a wrong one, and all but its cells would be unseen
        lines = sheet.iter_rows(values_only=True)
        names = [str(name).strip() if name is not None else "" for name in next(lines, ())]
        seen = seen or names
        if not missing_columns(how, names):
            _refuse_doubled(path, how, names)
            rows = [
                (number, {name: _cell(value) for name, value in zip(names, cells, strict=False) if name})
                for number, cells in enumerate(lines, 2)
                if any(cell is not None and cell != "" for cell in cells)
            ]
            return rows, [] if sheet is book.worksheets[0] else [f"read from sheet {sheet.title!r}"]
    raise _lacking(path, how, seen)


def _cell(value: Any) -> Any:
    """Whole numbers without their point; dates stay dates."""
    if isinstance(value, datetime | date | str) or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _lacking(path: Path, how: PortfolioMap, names: list[str]) -> UnreadableFile:
    missing = ", ".join(missing_columns(how, names))
    return UnreadableFile(f"{path} has no column {missing}: it has {', '.join(n for n in names if n) or 'none'}; correct the map")
