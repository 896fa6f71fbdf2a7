"""A creditor's map guessed from the words of its header and from what stands in its columns; shown to a person before use.

What money or a day could be misread by is never guessed: a column in doubt is a problem, with what to say to resolve it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from babel.core import get_global
from babel.numbers import get_territory_currencies

from policies.amounts import DecimalSign, decimal_of_column, is_amount
from policies.due_texts import read_terms
from policies.portfolio_map import Columns, Defaults, Format, PortfolioMap
from policies.portfolio_rows import WITHHELD
from policies.sheet import Cells, Header, LeftOut, Sheet, best_header, fold, is_empty, rows_under
from policies.sheet_dates import ORDERS, DateOrder, is_day, order_of_column
from policies.sheet_words import targets_of

_NEEDED = 3
_WEIGHTS = {"invoice": 4, "due_on": 4, "amount": 3, "balance": 3, "debtor": 3, "tax_number": 3, "name": 2}
_DAYS = ("issued_on", "due_on", "received_on", "settled_on", "last_contact_on", "promised_on", "hold_until")
_SUMS = ("amount", "balance", "promised_minor", "withheld")
_MONTH_FIRST = frozenset({"US", "PH", "FM", "PW", "MH", "GU", "PR"})
_EITHER_WAY = frozenset({"CA", "KE", "GH", "ZA", "MY"})
"""Countries in which both orders are customary."""
_MONEY_WORDS = {
    "dolares": "USD", "dolar": "USD", "us$": "USD", "u$s": "USD", "dollars": "USD", "euros": "EUR", "euro": "EUR", "€": "EUR",
    "reais": "BRL", "real": "BRL", "r$": "BRL", "soles": "PEN", "s/": "PEN",
}  # fmt: skip
_TAX_NUMBER = re.compile(r"(NIT|RUT|CNPJ|CPF|CUIT|RFC|NIF|RUC)?[\s:.]*"
                         r"(\d{1,3}([.\s]\d{3}){2,3}[-/\s]?[\d/K-]{1,8}|\d{7,14}-[\dKk]"
                         r"|[A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3}|[A-Z]\d{7}[0-9A-Z]|\d{8}[A-Z]|\d{2}-\d{8}-\d)")  # fmt: skip


class Chosen(NamedTuple):
    """One column of the map: what it is taken for, why, and its first cell that is filled."""

    target: str
    column: str
    why: str
    sample: str


@dataclass
class Guess:
    """A guessed map and what a person must see of it. With `problems` it cannot be used as it stands."""

    map: PortfolioMap | None
    header: Header
    chosen: list[Chosen] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Asked(NamedTuple):
    """What is known beside the file: the creditor's country and zone, and what a person has said ("" and None: nothing)."""

    country: str
    zone: str
    currency: str = ""
    kind: Literal["business", "consumer"] | None = None
    decimal: DecimalSign | None = None
    date_order: DateOrder | None = None


def score(names: Sequence[str]) -> int:
    """How much of a receivables list a line of names speaks of; 0 unless three of its columns are known."""
    found: set[str] = set()
    for name in names:
        targets = targets_of(name) if name and len(name) <= 60 else {}
        if targets:
            found.add(max(targets, key=lambda t: (targets[t], t not in found)))
    return sum(_WEIGHTS.get(target, 1) for target in found) if len(found) >= _NEEDED else 0


def find_header(sheet: Sheet) -> tuple[int, Header] | None:
    """The line (or two) that looks most like the header of a receivables list, with its score."""
    return best_header(sheet, score)


def guess_map(sheet: Sheet, header: Header, asked: Asked) -> Guess:
    """The map of a sheet; look at `problems` before using it."""
    guess = Guess(None, header)
    rows = [cells for _, cells in rows_under(sheet, header, invoice="", due_on=None, left_out=LeftOut())]
    columns = {name: _column(rows, at) for at, name in enumerate(header.names) if name and header.names.count(name) == 1}
    found = _by_words(columns)
    _by_content(columns, found)
    who = _debtor(columns, found, guess)
    if "balance" in found and "amount" not in found:
        found["amount"] = found.pop("balance")
    elif "balance" in found:
        guess.assumed.append("what is owed is the open balance; the difference to the sum counts as paid before")
    for target, what in (("invoice", "the invoice's number"), ("due_on", "the due date"), ("amount", "the sum")):
        if target not in found and not (target == "due_on" and {"terms", "issued_on"} <= found.keys()):
            guess.problems.append(f"no column is {what}: name it in a map")
    if who is None:
        guess.problems.append("no column is the customer's reference, tax number or name: name it in a map")
    decimal = _decimal(columns, found, asked, guess)
    order = _order(columns, found, asked, guess)
    currency, values = _currency(columns, found, asked, guess)
    _say(columns, found, guess)
    kind = asked.kind or "business"
    if asked.kind is None:
        guess.assumed.append("the customers are businesses; say otherwise with --kind consumer")
    if guess.problems or who is None:
        return guess
    fields = {target: column for target, (column, _) in found.items() if target in Columns.model_fields}
    whole = any(re.fullmatch(r"\d+\.0", str(c)) for t in ("invoice", "debtor") for c in columns[fields[t]] if isinstance(c, str))
    guess.map = PortfolioMap(
        format=Format(date=order, integer_ids=whole, debtor=who, **({"decimal": decimal} if decimal is not None else {})),
        columns=Columns(**fields),
        defaults=Defaults(
            currency=currency,
            kind=kind,
            country=asked.country,
            zone=asked.zone,
            **_withheld_kind(found.get("withheld", ("", ""))[0], guess),
        ),
        values=values,
    )
    return guess


_Columns = dict[str, list[Any]]
_Found = dict[str, tuple[str, str]]


def _column(rows: Sequence[Cells], at: int) -> list[Any]:
    return [row[at] for row in rows if at < len(row) and not is_empty(row[at])]


def _by_words(columns: _Columns) -> _Found:
    """For each target the column whose header says it best and whose cells do not contradict."""
    wishes = [
        (-rank, place, target, name)
        for place, name in enumerate(columns)
        for target, rank in targets_of(name).items()
        if _fits(target, columns[name])
    ]
    found: _Found = {}
    used: set[str] = set()
    for _, _, target, name in sorted(wishes):
        if target not in found and name not in used:
            found[target] = name, "its header says so"
            used.add(name)
    return found


def _fits(target: str, cells: list[Any]) -> bool:
    if target in _DAYS:
        return _share(cells, lambda c: isinstance(c, date | datetime) or is_day(c) or _is_serial(c)) >= 0.6
    if target == "terms":
        return bool(cells) and _share(cells, lambda c: read_terms(str(c)) is not None) >= 0.6
    if target in _SUMS:
        return _share(cells, lambda c: _is_number(c) or (isinstance(c, str) and is_amount(c))) >= 0.6
    if target == "email":
        return not cells or _share(cells, lambda c: "@" in str(c)) >= 0.3
    if target in ("sms", "whatsapp", "voice"):
        return not cells or _share(cells, lambda c: sum(x.isdigit() for x in str(c)) >= 7) >= 0.3
    if target == "country":
        return _share(cells, lambda c: re.fullmatch(r"[A-Z]{2}", str(c).strip()) is not None) >= 0.8
    if target == "region":
        return _share(cells, lambda c: re.fullmatch(r"([A-Z]{2}-)?[A-Z0-9]{1,3}", str(c).strip()) is not None) >= 0.8
    if target == "series":  # a number alone is a branch or a till; letters tell one numbering from another
        return bool(cells) and _share(cells, lambda c: re.search(r"[A-Za-z]", str(c)) is not None) >= 0.5
    if target == "invoice":
        return len({str(c) for c in cells}) >= 0.5 * len(cells)
    return bool(cells)


def _by_content(columns: _Columns, found: _Found) -> None:
    """What no header named, where the cells speak for themselves."""
    used = {column for column, _ in found.values()}
    free = [name for name in columns if name not in used and columns[name]]
    mails = [name for name in free if _share(columns[name], lambda c: "@" in str(c)) >= 0.5]
    if "email" not in found and len(mails) == 1:
        found["email"] = mails[0], "its cells are e-mail addresses"
    days = [name for name in free if _share(columns[name], lambda c: isinstance(c, date | datetime) or is_day(c)) >= 0.9]
    if "due_on" not in found and len(days) == 1:
        found["due_on"] = days[0], "it is the only other column of days"
    if not {"debtor", "tax_number"} & found.keys():
        tax = [n for n in free if _share(columns[n], lambda c: _TAX_NUMBER.fullmatch(str(c).strip()) is not None) >= 0.8]
        if len(tax) == 1:
            found["tax_number"] = tax[0], "its cells look like tax numbers"


def _debtor(columns: _Columns, found: _Found, guess: Guess) -> Literal["reference", "tax_number", "name"] | None:
    """Which column tells customers apart: a reference, else a tax number, else a name. Sets `debtor` and `name` in `found`."""
    tax, given, name = found.pop("tax_number", None), found.get("debtor"), found.get("name")
    if given is not None and _share(columns[given[0]], _is_code) < 0.8:
        found.setdefault("name", given)  # the column called customer holds names
        name, given = found["name"], None
    if given is not None:
        looks = _share(columns[given[0]], lambda c: _TAX_NUMBER.fullmatch(str(c).strip()) is not None) >= 0.8
        return "tax_number" if looks else "reference"
    if tax is not None:
        found["debtor"] = tax
        return "tax_number"
    if name is None:
        found.pop("debtor", None)
        return None
    found["debtor"] = name[0], "it is the only thing that tells customers apart; it stays out of sight as a name does"
    return "name"


def _is_code(cell: Any) -> bool:
    return (
        _is_number(cell)
        or re.fullmatch(r"(?=.*\d)[\w./-]{1,40}", str(cell).strip()) is not None
        or bool(_TAX_NUMBER.fullmatch(str(cell).strip()))
    )


def against(how: PortfolioMap, sheet: Sheet, header: Header) -> list[str]:
    """What in a file's columns speaks against a map that was confirmed for an earlier file: sums or days written another way.

    A map from a file whose sums had no separators does not know how this one's are meant: "." is then only its default.
    """
    rows = [cells for _, cells in rows_under(sheet, header, invoice="", due_on=None, left_out=LeftOut())]
    told: list[str] = []
    for target in (*_SUMS, *_DAYS):
        column = getattr(how.columns, target)
        cells = _column(rows, header.names.index(column)) if column in header.names else []
        if target in _SUMS:
            sums = decimal_of_column(c for c in cells if isinstance(c, str))
            if "both" in sums.why or (sums.sign not in (None, how.format.decimal) and "separators" not in sums.why):
                told.append(f"column {column!r}: {sums.why}, and the map reads {how.format.decimal} before the decimals")
            elif sums.sign is None and "decimal" not in how.format.model_fields_set:
                told.append(f"column {column!r}: {sums.why}")
        elif how.format.date in ORDERS:
            days = order_of_column(cells)
            if (days.order is None and not days.open) or ("shows" in days.why and days.order != how.format.date):
                told.append(f"column {column!r}: {days.why}, and the map reads {how.format.date}")
    return told


def _decimal(columns: _Columns, found: _Found, asked: Asked, guess: Guess) -> DecimalSign | None:
    """The sign before the decimals; None where no sum of the file needs one."""
    if asked.decimal is not None:
        return asked.decimal
    signs: dict[DecimalSign, str] = {}
    for target in _SUMS:
        column = found.get(target, ("", ""))[0]
        texts = [c for c in columns.get(column, ()) if isinstance(c, str)]
        if not texts:
            continue
        told = decimal_of_column(texts)
        if told.sign is None:
            guess.problems.append(f"column {column!r}: {told.why} (--decimal , or --decimal .)")
        elif "separators" not in told.why:
            signs.setdefault(told.sign, column)
            guess.assumed.append(f"column {column!r}: {told.why}, so {told.sign} is before the decimals")
    if len(signs) == 2:
        guess.problems.append(
            f"columns {signs['.']!r} and {signs[',']!r} write their sums in different ways: write a map for each"
        )
    return next(iter(signs), None)


def _order(columns: _Columns, found: _Found, asked: Asked, guess: Guess) -> DateOrder:
    if asked.date_order is not None:
        return asked.date_order
    decided: dict[DateOrder, str] = {}
    in_doubt: list[tuple[str, str]] = []
    for target in _DAYS:
        column = found.get(target, ("", ""))[0]
        told = order_of_column(columns.get(column, ()))
        if told.open:
            in_doubt.append((column, told.why))
        elif told.order is None:
            guess.problems.append(f"column {column!r}: {told.why}: write all its days in one order")
        elif "shows" in told.why:
            decided.setdefault(told.order, column)
            guess.assumed.append(f"column {column!r} is read as {told.why}")
    if len(decided) == 2:
        guess.problems.append(f"columns {decided['dmy']!r} and {decided['mdy']!r} write days in different orders")
    if not in_doubt:
        return next(iter(decided), "dmy")
    names, why = ", ".join(repr(column) for column, _ in in_doubt), in_doubt[0][1]
    if decided:
        order, shown = next(iter(decided.items()))
        guess.assumed.append(f"{names}: {why}; read like column {shown!r}")
        return order
    if asked.country in _EITHER_WAY:
        guess.problems.append(f"{names}: {why}, and in {asked.country} both are customary: say --dates dmy or --dates mdy")
        return "dmy"
    custom: DateOrder = "mdy" if asked.country in _MONTH_FIRST else "dmy"
    said = "month/day" if custom == "mdy" else "day/month"
    guess.assumed.append(f"{names}: {why}; read as {said}, the custom of {asked.country} (else say --dates)")
    return custom


@cache
def _codes() -> frozenset[str]:
    return frozenset(get_global("all_currencies"))


def _currency(columns: _Columns, found: _Found, asked: Asked, guess: Guess) -> tuple[str | None, dict[str, dict[str, str]]]:
    """The currency where no cell says one, and words of the column that stand for codes."""
    own = (get_territory_currencies(asked.country) or [""])[0]
    default = asked.currency or next(
        (code for target in _SUMS for code in re.findall(r"\b[A-Z]{3}\b", found.get(target, ("", ""))[0]) if code in _codes()), ""
    )
    column = found.get("currency", ("", ""))[0]
    words: dict[str, str] = {}
    for cell in {str(c).strip() for c in columns.get(column, ())}:
        if cell.upper() in _codes():
            continue
        meant = _MONEY_WORDS.get(fold(cell)) or (
            own if fold(cell) in ("pesos", "peso", "$", "mn", "m.n.", "moneda nacional") else ""
        )
        if meant:
            words[cell] = meant
        else:
            guess.problems.append(
                f"column {column!r} has {cell!r}, which is no currency: write its ISO code, or name it in a map"
            )
    if column or default:
        return default or None, {"currency": words} if words else {}
    guess.assumed.append(f"no column says the currency: {own}, that of {asked.country} (else say --currency)")
    return own or None, {}


def _withheld_kind(column: str, guess: Guess) -> dict[str, Any]:
    """What a header like ReteFuente says of the sums under it."""
    if not column:
        return {}
    kind = next((kind for kind, pattern in WITHHELD.items() if re.search(pattern, fold(column))), "other")
    guess.assumed.append(f"column {column!r} is what the customer withholds by law ({kind}): the rest is asked for")
    return {"withheld_kind": kind}


def _say(columns: _Columns, found: _Found, guess: Guess) -> None:
    order = list(Columns.model_fields)
    for target, (column, why) in sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99):
        cells = columns.get(column, [])
        guess.chosen.append(Chosen(target, column, why, str(cells[0])[:40] if cells else ""))
    unread = [name for name in columns if columns[name] and name not in {column for column, _ in found.values()}]
    if unread:
        guess.assumed.append(f"not read: {', '.join(unread)}")


def _share(cells: Iterable[Any], test: Callable[[Any], bool]) -> float:
    seen = [test(cell) for cell in cells]
    return sum(seen) / len(seen) if seen else 0.0


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _is_serial(cell: Any) -> bool:
    return _is_number(cell) and 20_000 <= cell < 80_000
