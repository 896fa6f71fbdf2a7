"""The statement attached to a message about many invoices: every line and one total per currency, as a PDF and a CSV (F38)."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time
from functools import lru_cache
from importlib.resources import files

from messages.letter import compiler
from messages.render import TextError
from messages.values import Table


def statement_pdf(table: Table, *, language: str, sender: str, title: str, date_line: str, dated: date) -> bytes:
    """All lines of `table`, over as many pages as they need; the same table gives the same bytes. Raises TextError."""
    data = {
        "language": language[:2], "sender": sender, "title": title, "date": date_line, "head": list(table.head),
        "rows": [list(row) for row in table.rows], "totals": [list(total) for total in table.totals],
    }  # fmt: skip
    inputs = {"statement": json.dumps(data, ensure_ascii=False)}
    pdf = compiler().compile(_layout(), format="pdf", sys_inputs=inputs, timestamp=datetime.combine(dated, time(), UTC))
    if not isinstance(pdf, bytes):
        raise TextError("the statement could not be typeset")
    return pdf


@lru_cache(maxsize=1)
def _layout() -> bytes:
    return files("messages").joinpath("layout/statement.typ").read_bytes()


def statement_csv(table: Table) -> bytes:
    """The same lines as a spreadsheet's file: UTF-8 with its mark, semicolons, no cell that a spreadsheet would run."""
    written = io.StringIO()
    lines = csv.writer(written, delimiter=";", lineterminator="\r\n")
    lines.writerow(table.head)
    lines.writerows(tuple(f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in row) for row in table.rows)
    lines.writerows(("", *total) for total in table.totals)
    return written.getvalue().encode("utf-8-sig")
