"""SMS lengths: one segment holds 160 GSM-7 characters, or 70 when one character falls outside that alphabet."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
_PLAIN: Final = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}
)


def is_gsm7(text: str) -> bool:
    """Whether every character is in the GSM-7 alphabet or its extension."""
    return all(c in _BASIC or c in _EXTENDED for c in text)


def segments(text: str) -> int:
    """How many SMS segments a text takes: 160 then 153 each in GSM-7, 70 then 67 each in UCS-2."""
    if is_gsm7(text):
        size, one, each = sum(2 if c in _EXTENDED else 1 for c in text), 160, 153
    else:
        size, one, each = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if size <= one else -(-size // each)


def to_gsm7(text: str) -> str:
    """A name or a date in GSM-7: letters outside the alphabet lose their accent (`Bogotá` becomes `Bogota`, `Peña` stays)."""
    out = []
    for c in text.translate(_PLAIN):
        if c in _BASIC or c in _EXTENDED:
            out.append(c)
        else:
            base = unicodedata.normalize("NFD", c)[0]
            out.append(base if base in _BASIC else "?")
    return "".join(out)


def first_that_fits(candidates: Sequence[str]) -> str:
    """The first text of one segment, else the one with the fewest segments. Candidates come best first and are not empty."""
    for text in candidates:
        if segments(text) == 1:
            return text
    return min(candidates, key=segments)
