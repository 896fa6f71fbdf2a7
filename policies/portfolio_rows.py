"""One row of a file as an invoice, a credit, or nothing that is owed.

A cell is text, or what a spreadsheet gives (number, date). Problems name the target (`due_on`) and its column, never a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from policies.amounts import bare, parse_amount
from policies.carried import CarriedIn
from policies.deductions import of_base
from policies.intake import Problem, Unreadable
from policies.intake_model import AccountIn, InvoiceIn
from policies.money import exponent, minor_units
from policies.plain_errors import plain
from policies.portfolio_map import TOO_MANY, PortfolioMap, is_wanted
from policies.sheet import fold
from policies.sheet_addresses import emails_in, no_phone_in, phones_in, says_nothing, tax_number
from policies.sheet_dates import ORDERS, read_day

_Shape = TypeVar("_Shape", InvoiceIn, AccountIn)
ROUNDED = Decimal("0.000001")
"""A spreadsheet's own arithmetic leaves so much too much or too little: 61.7400000001 is 61.74."""
_PHONES = ("sms", "whatsapp", "voice")
_LINES_NAMED = 20


class Payment(NamedTuple):
    """Money that the file says came in, in minor units, under a reference of its own; `last` is what settles the invoice."""

    ref: str
    amount_minor: int
    on: date
    last: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An invoice, and when the file says that it was paid in full (None: not known to be).

    `parts` are the sums (minor units) and days of payment of its instalments by due date, where each has a row of its own.
    """

    invoice: InvoiceIn
    debtor: str
    settled_on: date | None
    parts: tuple[tuple[int, date | None], ...] = ()

    @property
    def payments(self) -> list[Payment]:
        """What came in for it, the earliest first: each part on its own day."""
        number = self.invoice.number
        if not self.parts:
            sums = [(self.invoice.amount_minor or 0, self.settled_on, number)]
        else:  # no number holds an @, so no other invoice has such a reference
            sums = [(amount, on, f"{number}@{at}") for at, (amount, on) in enumerate(self.parts, 1)]
        told = sorted(((on, amount, ref) for amount, on, ref in sums if on is not None), key=lambda each: each[0])
        return [Payment(ref, amount, on, at == len(sums)) for at, (on, amount, ref) in enumerate(told, 1)]


@dataclass(frozen=True, slots=True)
class Credit:
    """A row below 0: money that the creditor owes back. `amount_minor` is above 0."""

    number: str
    account: AccountIn
    currency: str
    amount_minor: int
    issued_on: date
    applies_to: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """A row of which nothing is owed and nothing can be learnt, with why."""

    why: str


class NoInvoice(Unreadable):
    """A row that makes sense and is no invoice: a credit, or a sum of 0. A replay leaves it out."""


def read_entry(how: PortfolioMap, row: Mapping[str, Any]) -> Entry:
    """One row as an invoice; raises NoInvoice, or Unreadable with every problem found."""
    cells = _cells(how, row)
    body = _body(cells)
    settled_on = cells.day("settled_on", needed=False)
    if cells.wrong:
        raise Unreadable(cells.wrong)
    if body["amount_minor"] <= 0:
        raise NoInvoice([Problem("/amount_minor", "a sum of 0 or below is no invoice: a replay leaves it out")])
    return Entry(_validated(InvoiceIn, body), str(body["account"]["ref"]), settled_on)


def read_row(how: PortfolioMap, row: Mapping[str, Any]) -> InvoiceIn | Credit | Nothing:
    """One row with all that it brings along; raises Unreadable with every problem found.

    A sum below 0 is a credit, never an invoice. With a column for what is open, that is what is owed and the amount is where it
    began. A paid row without a day teaches nothing.
    """
    cells = _cells(how, row)
    body = _body(cells)
    amount, balance = body["amount_minor"], cells.amount("balance", str(body["currency"]), needed=False)
    withheld = abs(cells.amount("withheld", str(body["currency"]), needed=False) or 0)
    settled_on = cells.day("settled_on", needed=False)
    if cells.wrong:
        raise Unreadable(cells.wrong)
    owed = amount if balance is None else balance
    if amount < 0 or owed < 0:
        if amount > 0:
            raise Unreadable([Problem("/balance", "less than nothing is open: give the credit its own row")])
        if owed == 0:
            return Nothing("a credit that is used up")
        account = _validated(AccountIn, body["account"])
        number, applies_to = str(body["number"]), cells.text("applies_to")
        return Credit(number, account, str(body["currency"]), -owed, body["issued_on"], applies_to)
    if amount == 0 and not owed:
        return Nothing("its sum is 0")
    if owed == 0 and settled_on is None:
        return Nothing("nothing is open, and no day says when it was paid")
    if withheld and amount > 0:
        body["deductions"] = [withholding(cells.withheld_kind(), withheld, amount)]
        balance = amount if balance == amount - withheld else balance  # what is open is told without what is withheld
    carried = _carried(cells, amount, balance, settled_on)
    if cells.wrong:
        raise Unreadable(cells.wrong)
    return _validated(InvoiceIn, body | ({"carried": carried} if carried else {}))


def withholding(kind: str, withheld_minor: int, gross_minor: int) -> dict[str, Any]:
    """A sum that is withheld as a deduction of the invoice; its rate of the gross where six decimals say it, else of itself."""
    rate = round(Decimal(withheld_minor) * 100 / gross_minor, 6)
    exact = abs(of_base(gross_minor, rate) - withheld_minor) <= 1
    base, told = (gross_minor, f"{rate.normalize():f}") if exact else (withheld_minor, "100")
    return {"kind": kind, "rate": told, "base_minor": base, "amount_minor": withheld_minor}


def number_of(how: PortfolioMap, row: Mapping[str, Any]) -> str:
    """The invoice number of a row, with its series; "" where it has none."""
    return _Cells(how, row, []).number()


def phone_notes(how: PortfolioMap, rows: Iterable[tuple[int, Mapping[str, Any]]]) -> list[str]:
    """A note for each column of telephones in which rows (with their lines) say something that is no number; never what."""
    found: dict[str, list[int]] = {}
    mapped = [target for target in _PHONES if getattr(how.columns, target) is not None]
    for line, row in rows if mapped else ():
        if TOO_MANY in row or not is_wanted(how, row):
            continue
        cells = _Cells(how, row, [])
        for column in {getattr(how.columns, target): None for target in mapped if no_phone_in(cells.text(target))}:
            found.setdefault(column, []).append(line)
    return [
        f"column {column!r} holds text without a telephone number in {_lines(lines)}: nothing is taken from there;"
        " write the number, or leave the cell empty"
        for column, lines in found.items()
    ]


def _lines(lines: list[int]) -> str:
    named = ", ".join(map(str, lines[:_LINES_NAMED]))
    more = f" and {len(lines) - _LINES_NAMED} more" if len(lines) > _LINES_NAMED else ""
    return f"line{'s' if len(lines) > 1 else ''} {named}{more}"


def looks_like_credit(how: PortfolioMap, row: Mapping[str, Any]) -> bool:
    """Whether a row's sum is below 0 at first sight."""
    for column in (how.columns.balance, how.columns.amount):
        value = row.get(column) if column is not None else None
        if isinstance(value, str):
            try:
                return bare(value).negative
            except ValueError:
                return False
        if isinstance(value, int | float):
            return value < 0
    return False


def _cells(how: PortfolioMap, row: Mapping[str, Any]) -> _Cells:
    if TOO_MANY in row:
        raise Unreadable([Problem("", str(row[TOO_MANY]))])  # its cells may stand under the wrong columns
    return _Cells(how, row, [])


def _body(cells: _Cells) -> dict[str, Any]:
    how = cells.how
    currency = cells.text("currency").upper() or cells.said_currency() or how.defaults.currency or ""
    due_on, account = cells.day("due_on", needed=how.columns.terms is None), _account(how, cells)
    return {
        "number": cells.number(),
        "currency": currency,
        "issued_on": (cells.day("issued_on") if how.columns.issued_on else None) or due_on,
        "due_on": due_on,
        "terms": cells.text("terms")[:200] or None,
        "received_on": cells.day("received_on", needed=False),
        "amount_minor": cells.amount("amount", currency),
        "account": account,
    }


def _validated(model: type[_Shape], body: dict[str, Any]) -> _Shape:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise Unreadable([Problem("/" + "/".join(map(str, e["loc"])), plain(e)) for e in error.errors()]) from None


def _account(how: PortfolioMap, cells: _Cells) -> dict[str, Any]:
    ways = [
        {"channel": channel, "address": address, "consent": how.defaults.consent}
        for channel in ("email", "sms", "whatsapp", "voice", "letter")
        for address in _addresses(channel, cells.text(channel))
    ]
    name, salutation = cells.text("name"), cells.text("salutation")
    contacts = [{"name": name, "salutation": salutation, "channels": ways}] if ways or name else []
    ref = cells.reference("debtor")
    return {
        "ref": tax_number(ref) if how.format.debtor == "tax_number" else ref,
        "kind": cells.text("kind") or how.defaults.kind,
        "country": cells.text("country") or how.defaults.country, "region": cells.text("region") or how.defaults.region,
        "zone": cells.text("zone") or how.defaults.zone, "language": cells.text("language") or how.defaults.language,
        "contacts": contacts,
        **({"ref_is_personal": True} if how.format.debtor == "name" else {}),
    }  # fmt: skip


def _addresses(channel: str, cell: str) -> list[str]:
    """A cell may hold several addresses with names and labels; a letter is one."""
    if channel == "email":
        return emails_in(cell)
    if channel == "letter":
        return [] if says_nothing(cell) else [cell]
    return phones_in(cell)


def _carried(cells: _Cells, amount: int, balance: int | None, settled_on: date | None) -> dict[str, Any]:
    stage = cells.text("stage")
    currency = cells.text("currency").upper() or cells.said_currency() or cells.how.defaults.currency or ""
    found = {
        "balance_minor": balance if balance is not None and 0 < balance != amount else None,
        "settled_on": settled_on,
        "last_contact_on": cells.day("last_contact_on", needed=False),
        "last_contact_channel": cells.word("last_contact_channel", _CHANNELS),
        "stage": int(stage) if stage.isdigit() else stage or None,
        "promised_on": cells.day("promised_on", needed=False),
        "promised_minor": cells.amount("promised_minor", currency, needed=False),
        "disputed": cells.word("disputed", _DISPUTES, otherwise="other"),
        "hold_until": cells.day("hold_until", needed=False),
        "hold_reason": re.sub(r"[^a-z0-9]+", "_", fold(cells.text("hold_reason")))[:40].strip("_") or None,
    }  # fmt: skip
    given = {name: value for name, value in found.items() if value is not None}
    if settled_on is not None:  # what was disputed, promised or held of it is over
        given = {name: value for name, value in given.items() if name in _OF_PAID}
    if "last_contact_on" not in given:
        given.pop("last_contact_channel", None)
    if "hold_until" not in given:
        given.pop("hold_reason", None)
    if set(given) - set(CarriedIn.model_fields):
        raise AssertionError(f"not carried: {sorted(given)}")
    return given


WITHHELD = {
    "retefuente": r"rete ?-?fuente|retencion (en|de) la fuente|rte ?fte", "reteiva": r"rete ?-?iva", "reteica": r"rete ?-?ica",
    "isr_retenido": r"\bisr\b", "iva_retenido": r"\biva\b", "irpf": r"\birpf\b", "retencion_igv": r"\bigv\b",
    "iss_retido": r"\biss\b",
    "irrf": r"\birrf\b", "ritenuta": "ritenuta", "retencion_honorarios": "honorarios", "detraccion": "detraccion",
}  # fmt: skip
"""Words by which a cell, or a header, names a kind of deduction."""
_OF_PAID = ("settled_on", "last_contact_on", "last_contact_channel")
_CHANNELS = {
    "email": "e?-?mail|correo.*", "sms": "sms|mensaje.*", "whatsapp": "whats.*|wsp|wa",
    "voice": "llamada.*|call|phone|tel.*|voz|ligacao",
    "letter": "carta.*|letter|correo postal", "visit": "visit.*",
}  # fmt: skip
_NO = "no|n|0|false|falso|nao|ninguna?|-"
_DISPUTES = {
    "": _NO, "wrong_amount": ".*(monto|importe|valor|precio|preco|amount|price).*",
    "quality": ".*(calidad|qualidade|quality|defect).*",
    "not_received": ".*(no recib|no entreg|nao receb|not received|entrega).*",
    "already_credited": ".*(nota de credito|credit note|ya acredit).*", "not_mine": ".*(no es m|not mine|no corresponde).*",
}  # fmt: skip


@dataclass(frozen=True)
class _Cells:
    """One row, read by target."""

    how: PortfolioMap
    row: Mapping[str, Any]
    wrong: list[Problem]

    def raw(self, target: str) -> Any:
        column = getattr(self.how.columns, target)
        value = self.row.get(column) if column is not None else None
        if isinstance(value, str):
            value = value.strip()
        translated = self.how.values.get(target)
        return translated.get(str(value), value) if translated and value is not None else value

    def text(self, target: str) -> str:
        value = self.raw(target)
        return "" if value is None else str(value)

    def word(self, target: str, words: Mapping[str, str], *, otherwise: str | None = None) -> str | None:
        """A cell as one of some words, each known by a pattern; `otherwise` for what is none of them."""
        text = fold(self.text(target))
        if not text:
            return None
        found = next((word for word, pattern in words.items() if word == text or re.fullmatch(pattern, text)), otherwise)
        if found is None:
            self._complain(target, f"is none of {', '.join(words)}")
        return found or None

    def reference(self, target: str) -> str:
        value = self.raw(target)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = "" if value is None else str(value)
        if self.how.format.integer_ids and text.endswith(".0") and text[:-2].isdigit():
            text = text[:-2]
        if not text:
            self._complain(target, "is empty")
        return text

    def number(self) -> str:
        number, series = self.reference("invoice"), self.text("series")
        return f"{series}-{number}" if number and series else number

    def withheld_kind(self) -> str:
        """The kind of deduction that the cell names, else the map's own."""
        text = fold(self.text("withheld_kind"))
        return next((kind for kind, pattern in WITHHELD.items() if re.search(pattern, text)), self.how.defaults.withheld_kind)

    def day(self, target: str, *, needed: bool = True) -> date | None:
        value = self.raw(target)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        if value is None or value == "" or (not needed and says_nothing(str(value))):
            if needed:
                self._complain(target, "is empty; a date is needed")
            return None
        style = self.how.format.date
        try:
            if style in ORDERS:
                return read_day(value, style)
            return datetime.strptime(str(value), style).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            self._complain(target, f"is not a date like {style}")
            return None

    def amount(self, target: str, currency: str, *, needed: bool = True) -> int | None:
        """Minor units; the cell's own currency, where it names one, must be the row's."""
        value = self.raw(target)
        if value is None or value == "":
            if needed:
                self._complain(target, "is empty")
            return None
        try:
            if isinstance(value, str):
                if bare(value).currency not in ("", currency):
                    self._complain(target, f"names another currency than {currency or 'the row'}")
                    return None
                return minor_units(parse_amount(value, self.how.format.decimal), currency)
            return minor_units(_exact(value, currency), currency)
        except (InvalidOperation, ValueError):
            self._complain(target, f"is not an amount of {currency or 'a known currency'} with its decimals")
            return None

    def said_currency(self) -> str:
        """The currency that the sum's own cell names."""
        value = self.raw("amount")
        try:
            return bare(value).currency if isinstance(value, str) else ""
        except ValueError:
            return ""

    def _complain(self, target: str, what: str) -> None:
        column = getattr(self.how.columns, target)
        self.wrong.append(Problem(f"/{target}", f"column {column!r} {what}"))


def _exact(value: Any, currency: str) -> Decimal:
    """A number of a spreadsheet without the noise of its arithmetic."""
    exact = Decimal(str(value))
    near = round(exact, exponent(currency)) if currency else exact
    return near if abs(near - exact) < ROUNDED else exact
