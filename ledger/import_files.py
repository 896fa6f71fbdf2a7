"""Tables in files: CSV with its byte-order mark, separator and encoding found out, and Excel workbooks read row by row."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from policies.portfolio_map import PortfolioMap, missing_columns

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
    notes: list[str] = []
    if b"\0" in content[:4096]:
        raise UnreadableFile(f"{path} is not a text file: export it as CSV in UTF-8, or give the .xlsx itself")
    try:
        text = content.decode(how.format.encoding).removeprefix("\ufeff")
    except LookupError:
        raise UnreadableFile(f"the map's encoding {how.format.encoding!r} is not known: use utf-8 or latin-1") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = content.decode("cp1252", errors="replace")
        notes.append(f"line {line} is not {how.format.encoding}: the file is read as Latin (cp1252); check names with accents")
    header = text.split("\n", 1)[0]
    names: list[str] = []
    for separator in dict.fromkeys((how.format.delimiter, *_SEPARATORS)):
        names = next(csv.reader([header.rstrip("\r")], delimiter=separator), [])
        if not missing_columns(how, [name.strip() for name in names]):
            if separator != how.format.delimiter:
                notes.append(f"the columns are separated by {separator!r}")
            try:
                return list(_csv_rows(text, separator)), notes
            except csv.Error as error:
                hint = "look for a quotation mark that is not closed"
                raise UnreadableFile(f"{path} is not well-formed CSV ({error}): {hint}") from None
    names = next(csv.reader([header.rstrip("\r")], delimiter=how.format.delimiter), [])
    raise _lacking(path, how, [name.strip() for name in names])


def _csv_rows(text: str, separator: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names = [name.strip() for name in next(reader)]
    before = reader.line_num
    for cells in reader:
        line, before = before + 1, reader.line_num
        if any(cell.strip() for cell in cells):
            yield line, dict(zip(names, cells, strict=False))


def _workbook(path: Path, content: bytes, how: PortfolioMap) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception:  # openpyxl raises whatever its zip and XML readers do
        raise UnreadableFile(f"{path} is not an Excel workbook (.xlsx): save it again as one, or as CSV") from None
    seen: list[str] = []
    for sheet in book.worksheets:
        lines = sheet.iter_rows(values_only=True)
        names = [str(name).strip() if name is not None else "" for name in next(lines, ())]
        seen = seen or names
        if not missing_columns(how, names):
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
