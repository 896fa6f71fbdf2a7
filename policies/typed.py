"""Two checks of what others send: a day is written as a day, and a text can be stored.

Without them `"20260316"` would be read as a number of seconds, which is a day in 1970, and one U+0000 that PostgreSQL cannot
keep would lose the whole batch it stands in.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

STORABLE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""Any text without control characters; tabs and the ends of lines may stand in it."""
_OFF_THE_LINE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e"
"""Control characters, line ends of every kind, and marks that turn the direction in which a line is read."""
ONE_LINE = rf"^[^\s{_OFF_THE_LINE}]([^{_OFF_THE_LINE}]*[^\s{_OFF_THE_LINE}])?$"
NUMBER = rf"^[^\s@{_OFF_THE_LINE}]([^@{_OFF_THE_LINE}]*[^\s@{_OFF_THE_LINE}])?$"
"""It stands in subjects and in workflow ids, so it is one line."""
_STORABLE = re.compile(STORABLE)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DEEPEST = 40


def _written_as_a_day(value: Any) -> Any:
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("write the day as 2026-12-08, as text and without a time")


Day = Annotated[date, BeforeValidator(_written_as_a_day)]
"""A calendar day: ISO 8601, with dashes, and nothing else."""


def storable(value: Any, depth: int = 0) -> Any:
    """The JSON value itself; raises ValueError when a text in it cannot be stored or it is nested without end."""
    if depth > _DEEPEST:
        raise ValueError(f"nested more than {_DEEPEST} levels deep")
    if isinstance(value, str):
        if not _STORABLE.fullmatch(value) or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("a text in it holds a control character or half a character: leave it out")
    elif isinstance(value, dict):
        for key, inner in value.items():
            storable(key, depth + 1)
            storable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            storable(inner, depth + 1)
    return value
