"""Days as spreadsheets hold them: 31/03/26, 2026-03-31, 31-mar-2026, 31 de marzo de 2026, 46112; their order is a column's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

DateOrder = Literal["dmy", "mdy", "ymd"]
ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy", "ymd")

_MONTHS: dict[str, int] = {}
for _names in (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "january february march april may june july august september october november december",
):
    for _number, _name in enumerate(_names.split(), 1):
        _MONTHS |= {_name: _number, _name[:3]: _number}
_MONTHS |= {"set": 9, "sept": 9}

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?: \d{1,2}:.*)?")
_DAY_MONTH = re.compile(r"(\d{1,2})[-/. ]*(?:de )?([a-z]{3,10})\.?[-/., ]*(?:de |del )?(\d{4}|\d{2})")
_MONTH_DAY = re.compile(r"([a-z]{3,10})\.?[-/. ]*(\d{1,2}),?[-/. ]+(\d{4}|\d{2})")
_COMPACT = re.compile(r"(20\d{2})(0[1-9]|1[0-2])([0-3]\d)")
_EPOCH = date(1899, 12, 30)
_SERIALS = range(20_000, 80_000)
"""Excel's days from 1954 to 2119: what is outside is no date of an invoice."""


def read_day(value: Any, order: DateOrder) -> date:
    """A cell as a day, in that order where figures alone do not say; raises ValueError."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if int(value) not in _SERIALS:
            raise ValueError("not a day")
        return _EPOCH + timedelta(days=int(value))
    text = _plain(str(value))
    if re.fullmatch(r"\d{5}", text):
        return read_day(int(text), order)
    named = _named(text)
    if named is not None:
        return named
    first = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    if first is not None:
        return date(int(first[1]), int(first[2]), int(first[3]))
    last = _YEAR_LAST.fullmatch(text)
    if last is None:
        raise ValueError("not a day")
    one, two = int(last[1]), int(last[2])
    if order == "ymd":
        raise ValueError("the year does not come first")
    return date(_year(last[3]), *((two, one) if order == "dmy" else (one, two)))


def is_day(value: Any) -> bool:
    """Whether a cell can be a day in any order; numbers are not asked: they could be sums."""
    if isinstance(value, int | float):
        return False
    for order in ORDERS:
        try:
            read_day(value, order)
        except ValueError:
            continue
        return True
    return False


class ColumnOrder(NamedTuple):
    """The order of a column's days; None with why when it cannot be told. `open` is true when either order reads every cell."""

    order: DateOrder | None
    why: str
    open: bool = False


def order_of_column(cells: Iterable[Any]) -> ColumnOrder:
    """Day before month or the other way round, judged by every cell of the column that figures alone write."""
    day_first, month_first, either = "", "", ""
    for value in cells:
        found = _YEAR_LAST.fullmatch(_plain(value)) if isinstance(value, str) else None
        if found is None:
            continue
        one, two = int(found[1]), int(found[2])
        if one > 12 >= two:
            day_first = day_first or value.strip()
        elif two > 12 >= one:
            month_first = month_first or value.strip()
        elif one != two:
            either = either or value.strip()
    if day_first and month_first:
        return ColumnOrder(None, f"it holds {day_first}, with the day first, and {month_first}, with the month first")
    if day_first or month_first:
        order: DateOrder = "dmy" if day_first else "mdy"
        return ColumnOrder(order, f"{'day/month' if day_first else 'month/day'}, as {day_first or month_first} shows")
    if either:
        return ColumnOrder(None, f"{either} and all its other days can be read both ways", open=True)
    return ColumnOrder("dmy", "each day says itself what it is")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.strip().lower())
    return " ".join("".join(c for c in folded if not unicodedata.combining(c)).split())


def _named(text: str) -> date | None:
    found = _DAY_MONTH.fullmatch(text)
    if found is not None and found[2] in _MONTHS:
        return date(_year(found[3]), _MONTHS[found[2]], int(found[1]))
    found = _MONTH_DAY.fullmatch(text)
    if found is not None and found[1] in _MONTHS:
        return date(_year(found[3]), _MONTHS[found[1]], int(found[2]))
    return None


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)
