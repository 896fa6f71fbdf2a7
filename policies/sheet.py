"""A sheet as it was exported: where its header stands under titles and merged cells, and which of its rows are no invoices."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

HEADER_WITHIN = 60
"""How many lines of titles may stand above a header."""

Cells = list[Any]

_TOTAL = re.compile(
    r"\W*(sub\s*-?\s*totals?|sub\s*-?\s*totales|gran total|grand total|totals?|totales|totais|total geral|suma|sumas|soma|sum"
    r"|saldo total|saldo final|saldo anterior|van|vienen)\b.*"
)


@dataclass(frozen=True)
class Sheet:
    """The lines of one sheet with their numbers in the file (1 is the first), blank ones too.

    `merged` are blocks of cells that were merged: first line, first column, last line, last column; columns count from 0.
    """

    title: str
    lines: list[tuple[int, Cells]]
    merged: tuple[tuple[int, int, int, int], ...] = ()


class Header(NamedTuple):
    """Where the header stands in `Sheet.lines`, over how many of them, and the name of each column."""

    at: int
    height: int
    names: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The same for every file with these columns in this order, whatever their capitals and accents."""
        return hashlib.sha256("\x1f".join(fold(name) for name in self.names).encode()).hexdigest()[:32]


@dataclass
class LeftOut:
    """Rows that are no invoices: their line, and why."""

    rows: list[tuple[int, str]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many by reason, the most frequent first."""
        found: dict[str, int] = {}
        for _, why in self.rows:
            found[why] = found.get(why, 0) + 1
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def fold(value: Any) -> str:
    """A cell's text in small letters, without accents and doubled blanks: `Fecha  Emisión` is `fecha emision`."""
    text = unicodedata.normalize("NFKD", str(value if value is not None else "").lower())
    return " ".join("".join(c for c in text if not unicodedata.combining(c)).split())


def is_empty(value: Any) -> bool:
    """Whether a cell shows nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def possible_headers(sheet: Sheet) -> Iterator[Header]:
    """Each line that could be a header, alone and with the next one under it, from the top down."""
    lines = sheet.lines[:HEADER_WITHIN]
    for at, (_, cells) in enumerate(lines):
        if sum(not is_empty(cell) for cell in cells) < 2:
            continue
        yield Header(at, 1, tuple(_name(cell) for cell in cells))
        if at + 1 < len(lines) and _could_be_words(cells) and _could_be_words(lines[at + 1][1]):
            yield Header(at, 2, _two_lines(sheet, at))


def best_header(sheet: Sheet, score: Callable[[Sequence[str]], int]) -> tuple[int, Header] | None:
    """The header with the highest score, the first of equals and one line before two; None when none scores above 0."""
    best: tuple[int, Header] | None = None
    for header in possible_headers(sheet):
        points = score(header.names)
        if points > (best[0] if best else 0):
            best = points, header
    return best


def rows_under(sheet: Sheet, header: Header, *, invoice: str, due_on: str | None, left_out: LeftOut) -> list[tuple[int, Cells]]:
    """The rows that may be invoices. Every other line of the sheet but the header goes to `left_out` with its reason.

    Blank lines behind the last row are nothing and are not counted.
    """
    merged_down = any(last > first for first, _, last, _ in sheet.merged)
    lines = _filled_down(sheet, header) if merged_down else sheet.lines
    last = max((at for at, (_, cells) in enumerate(lines) if not all(map(is_empty, cells))), default=-1)
    names = list(header.names)
    heads = [cells for _, cells in sheet.lines[header.at : header.at + header.height]]
    keys = _places(names, invoice), _places(names, due_on) if due_on else None
    rows: list[tuple[int, Cells]] = []
    for at, (line, cells) in enumerate(lines[: last + 1]):
        if header.at <= at < header.at + header.height:
            continue
        why = "above the header" if at < header.at else _no_invoice(names, cells, *keys)
        if at > header.at and any(_same_words(cells, above) for above in heads):
            why = "the header again"
        if all(map(is_empty, cells)):
            why = "blank"
        if why:
            left_out.rows.append((line, why))
        else:
            rows.append((line, cells))
    return rows


def _no_invoice(names: Sequence[str], cells: Cells, invoice: int | None, due_on: int | None) -> str:
    shown = [(at, cell) for at, cell in enumerate(cells) if not is_empty(cell)]
    number = cells[invoice] if invoice is not None and invoice < len(cells) else None
    day = cells[due_on] if due_on is not None and due_on < len(cells) else None
    words = [fold(cell) for _, cell in shown if isinstance(cell, str)]
    total = any(_TOTAL.fullmatch(word) for word in words)
    if total and (is_empty(day) or _TOTAL.fullmatch(fold(day))) and (is_empty(number) or _TOTAL.fullmatch(fold(number))):
        return "a total"
    if len(shown) == 1 and len(names) > 2:
        text = str(shown[0][1]).strip()
        if " " in text or not any(c.isdigit() for c in text):
            return "a note"
    sums = [cell for _, cell in shown if not isinstance(cell, str) or not re.fullmatch(r"\*+|[A-Z]{3}", cell.strip())]
    if sums and is_empty(number) and is_empty(day) and all(map(_is_number, sums)):  # * and the currency stand beside SAP's sums
        return "a sum without an invoice"
    return ""


def _same_words(cells: Cells, above: Cells) -> bool:
    """Whether a line repeats a line of the header: a report prints it on each of its pages."""
    shown = [(at, cell) for at, cell in enumerate(cells) if not is_empty(cell)]
    return len(shown) >= 2 and all(at < len(above) and fold(cell) == fold(above[at]) for at, cell in shown)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or isinstance(value, date | datetime):
        return False
    if isinstance(value, int | float):
        return True
    return re.fullmatch(r"[-+(]?[\s$€£A-Z]{0,5}[\d.,'\s]+[-)]?", str(value).strip()) is not None


def _places(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None


def _name(cell: Any) -> str:
    return str(cell).strip() if cell is not None else ""


def _could_be_words(cells: Cells) -> bool:
    """Whether a line holds names of columns only: no days, sums or addresses."""
    shown = [cell for cell in cells if not is_empty(cell)]
    return bool(shown) and all(isinstance(c, str) and "@" not in c and not re.search(r"\d{3}", c) for c in shown)


def _two_lines(sheet: Sheet, at: int) -> tuple[str, ...]:
    """The names of a header of two lines: what stands above several columns is said of each."""
    above, below = (list(sheet.lines[at + i][1]) for i in (0, 1))
    width = max(len(above), len(below))
    above += [None] * (width - len(above))
    below += [None] * (width - len(below))
    line = sheet.lines[at][0]
    spans = {first: last for r1, first, _, last in sheet.merged if r1 == line and last > first}
    over = ""
    until = -1
    names: list[str] = []
    for column in range(width):
        if not is_empty(above[column]):
            over, until = _name(above[column]), spans.get(column, column if sheet.merged else width)
        elif column > until:
            over = ""
        said = [over if column <= until else "", _name(below[column])]
        names.append(" ".join(part for part in said if part))
    return tuple(names)


def _filled_down(sheet: Sheet, header: Header) -> list[tuple[int, Cells]]:
    """The lines with each cell that was merged over several rows repeated in each of them."""
    lines = [(line, list(cells)) for line, cells in sheet.lines]
    place = {line: at for at, (line, _) in enumerate(lines)}
    for first, column, last, last_column in sheet.merged:
        at = place.get(first)
        if at is None or at < header.at + header.height or last == first or last_column != column:
            continue
        value = lines[at][1][column] if column < len(lines[at][1]) else None
        for line in range(first + 1, last + 1):
            cells = lines[place[line]][1] if line in place else []
            if column < len(cells):
                cells[column] = value
    return lines
