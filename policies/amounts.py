"""Sums as people write them: 1.234.567,89, (1.234,56), 1.234,56-, CLP 1.234; read strictly, because a misread separator is a
hundredfold debt. Which sign is the decimal one is decided by a whole column, never by one cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Literal, NamedTuple

from babel.core import get_global

DecimalSign = Literal[".", ","]

_SHAPES = {
    ".": re.compile(r"(\d+|\d{1,3}(,\d{3})+)(\.\d+)?"),
    ",": re.compile(r"(\d+|\d{1,3}(\.\d{3})+)(,\d+)?"),
}
_DOUBTFUL = re.compile(r"\d{1,3}[.,]\d{3}")
_SIGNS = {
    "US$": "USD",
    "U$S": "USD",
    "R$": "BRL",
    "€": "EUR",
    "£": "GBP",
    "S/": "PEN",
    "S/.": "PEN",
    "$": "",
    "₡": "CRC",
    "₲": "PYG",
}
"""Marks of money and the currency that each says; `$` says none by itself."""
_MARK = "|".join(re.escape(mark) for mark in sorted(_SIGNS, key=len, reverse=True))
_MARKED = re.compile(rf"(?P<sign>[-+\u2212]?)\s*(?P<before>{_MARK}|[A-Z]{{3}})?\s*(?P<rest>.*?)\s*(?P<after>{_MARK}|[A-Z]{{3}})?")


class Written(NamedTuple):
    """A sum without its marks: whether it is below 0, its figures with their separators, and the currency it names ("": none)."""

    negative: bool
    figures: str
    currency: str


@cache
def _codes() -> frozenset[str]:
    return frozenset(get_global("all_currencies"))


def bare(text: str) -> Written:
    """Take sign, parentheses and currency from a written sum; raises ValueError where a word stands beside the figures."""
    plain = text.strip().replace("\u00a0", " ").replace("\u202f", " ")
    negative = False
    if plain.startswith("(") and plain.endswith(")"):
        plain, negative = plain[1:-1].strip(), True
    found = _MARKED.fullmatch(plain)
    if found is None:
        raise ValueError("not a sum")
    marks = [mark for mark in (found["before"], found["after"]) if mark]
    named = {_SIGNS.get(mark, mark) for mark in marks} - {""}
    rest = found["rest"]
    signs = found["sign"]
    if rest.endswith(("-", "\u2212")):
        rest, signs = rest[:-1].rstrip(), signs + "-"
    elif rest.startswith(("-", "+", "\u2212")):  # the sign stands behind the currency: $ -5
        rest, signs = rest[1:].lstrip(), signs + rest[0]
    if len(signs) > 1 or (signs and negative) or len(named) > 1 or any(m not in _SIGNS and m not in _codes() for m in marks):
        raise ValueError("not a sum")
    negative = negative or signs in ("-", "\u2212")
    return Written(negative, re.sub(r"(?<=\d)[\s'](?=\d{3}(?!\d))", "", rest), next(iter(named), ""))


def parse_amount(text: str, decimal: str) -> Decimal:
    """A sum written with that decimal sign, thousands grouped by the other one or by blanks; raises ValueError."""
    written = bare(text)
    if not _SHAPES[decimal].fullmatch(written.figures):
        raise ValueError("not a sum")
    thousands = "," if decimal == "." else "."
    value = Decimal(written.figures.replace(thousands, "").replace(decimal, "."))
    return -value if written.negative else value


def is_amount(text: str) -> bool:
    """Whether a text is a sum in either way of writing."""
    try:
        figures = bare(text).figures
    except ValueError:
        return False
    return any(shape.fullmatch(figures) for shape in _SHAPES.values())


class ColumnDecimal(NamedTuple):
    """The decimal sign of a column, or None with why it cannot be told."""

    sign: DecimalSign | None
    why: str


def decimal_of_column(cells: Iterable[str]) -> ColumnDecimal:
    """Which sign the texts of a column write decimals with, judged by all of them.

    `1.234` alone can be one thousand or one and a bit: a column with nothing plainer is told to be in doubt, and never guessed.
    """
    only: dict[DecimalSign, str] = {}
    doubtful = ""
    for text in cells:
        try:
            figures = bare(text).figures
        except ValueError:
            continue
        fits: list[DecimalSign] = [sign for sign in (".", ",") if _SHAPES[sign].fullmatch(figures)]
        if len(fits) == 1:
            only.setdefault(fits[0], text.strip())
        elif len(fits) == 2 and _DOUBTFUL.fullmatch(figures):
            doubtful = doubtful or text.strip()
    if len(only) == 2:
        return ColumnDecimal(None, f"it holds both {only['.']} and {only[',']}: write all its sums in one way")
    if only:
        sign, text = next(iter(only.items()))
        return ColumnDecimal(sign, f"its sums are written like {text}")
    if doubtful:
        said = f"{doubtful} can be a thousand times as much or as little, and no other cell of the column says which"
        return ColumnDecimal(None, f"{said}: say what the decimals are written with")
    return ColumnDecimal(".", "its sums have no separators")
