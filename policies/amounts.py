"""Sums as people write them: 1.234.567,89 or 1,234.56, read strictly, because a misread separator is a hundredfold debt."""

from __future__ import annotations

import re
from decimal import Decimal

_SHAPES = {
    ".": re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?"),
    ",": re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?"),
}


def parse_amount(text: str, decimal: str) -> Decimal:
    """A sum written with that decimal sign, thousands grouped by the other one or by blanks; raises ValueError."""
    plain = re.sub(r"(?<=\d)[\s\u00a0\u202f'](?=\d{3})", "", text.strip())
    if not _SHAPES[decimal].fullmatch(plain):
        raise ValueError("not a sum")
    thousands = "," if decimal == "." else "."
    return Decimal(plain.replace(thousands, "").replace(decimal, "."))
