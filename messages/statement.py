"""The statement attached to a message about many invoices: every line and one total per currency, as a PDF (F38)."""

from __future__ import annotations

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
