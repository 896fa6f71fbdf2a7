"""A letter as a PDF of one page, typeset by typst with the fonts inside its wheel (no system font, no network, no own time)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, time
from functools import lru_cache
from importlib.resources import files
from threading import local

import typst

from messages.render import TextError
from messages.values import Rendered

_own = local()


def letter_pdf(
    rendered: Rendered, *, language: str, address_lines: Sequence[str], reference: str, sender_lines: Sequence[str] = ()
) -> bytes:
    """The PDF of a message rendered for the letter channel; TextError for a message of another channel.

    `address_lines` is the block that shows in the envelope's window (name first), `reference` the number to quote in an
    answer, `sender_lines` what stands under the sender's name (address, tax number, telephone).
    The same letter gives the same bytes: its date is its own.
    """
    parts = rendered.letter
    if parts is None:
        raise TextError("this message was not rendered for the letter channel: render it with channel=Channel.LETTER")
    table = parts.table
    data = {
        "language": language[:2],
        "subject": rendered.subject,
        "sender": parts.signature[1],
        "sender_lines": list(sender_lines),
        "to": list(address_lines),
        "date": parts.date_line,
        "reference_label": parts.reference_label,
        "reference": reference,
        "greeting": parts.greeting,
        "paragraphs": list(parts.paragraphs),
        "after": list(parts.after),
        "head": list(table.head) if table else [],
        "rows": [list(row) for row in table.rows] if table else [],
        "totals": [list(total) for total in table.totals] if table else [],
        "note": table.note if table else "",
        "ways": [list(way) for way in parts.ways],
        "signature": [line for line in parts.signature if line],
        "notices": parts.notices,
        "footer": parts.footer,
        "stop": ": ".join(filter(None, parts.stop)),
    }
    inputs = {"letter": json.dumps(data, ensure_ascii=False)}
    pdf = compiler().compile(_layout(), format="pdf", sys_inputs=inputs, timestamp=datetime.combine(parts.dated, time(), UTC))
    if not isinstance(pdf, bytes):
        raise TextError("the letter could not be typeset")
    return pdf


def compiler() -> typst.Compiler:
    """One compiler a thread, as it is not said to be safe to share; it keeps the fonts."""
    kept: typst.Compiler | None = getattr(_own, "compiler", None)
    if kept is None:
        kept = _own.compiler = typst.Compiler(ignore_system_fonts=True)
    return kept


@lru_cache(maxsize=1)
def _layout() -> bytes:
    return files("messages").joinpath("layout/letter.typ").read_bytes()
