"""How many segments an SMS costs: 160 characters of GSM 03.38, or 70 of UCS-2 once one character is outside it.

The tables are those of 3GPP TS 23.038 (6.2.1). A message in several segments loses room to its header: 153 and 67.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")


class SmsLength(NamedTuple):
    """`units` are septets for GSM-7 (an extended character takes two) and 16-bit code units for UCS-2."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int


def sms_length(text: str) -> SmsLength:
    """Encoding, length and number of segments of `text`; an empty text is one segment."""
    if all(c in _BASIC or c in _EXTENDED for c in text):
        widths, single, joined = [2 if c in _EXTENDED else 1 for c in text], 160, 153
        encoding: Literal["gsm7", "ucs2"] = "gsm7"
    else:
        widths, single, joined = [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67
        encoding = "ucs2"
    units = sum(widths)
    return SmsLength(encoding, units, 1 if units <= single else _segments(widths, joined))


def _segments(widths: list[int], room: int) -> int:
    """Segments of `room` units, where a character of two units is never split over two of them."""
    segments, used = 1, 0
    for width in widths:
        if used + width > room:
            segments, used = segments + 1, 0
        used += width
    return segments
