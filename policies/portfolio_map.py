"""Which column of a file is what: the map that `puntual import` and `puntual replay` read, and one row turned into an invoice.

A cell is text, or what a spreadsheet gives (number, date). Problems name the target (`due_on`) and its column, never a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic import Field, ValidationError

from policies.amounts import parse_amount
from policies.intake import Problem, Unreadable
from policies.intake_model import Country, InvoiceIn
from policies.money import minor_units
from policies.plain_errors import plain
from policies.terms import Currency, Model
from policies.yaml_lines import read_yaml

TOO_MANY = "\x00too many cells"
"""Not a column: under it a row carries what is wrong when it has more cells than the header."""


class MapError(ValueError):
    """A map that cannot be read; the text has one line for each problem, with its place."""


class Format(Model):
    """How the cells are written."""

    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    date: str = Field("%Y-%m-%d", description="as in Python's strptime: %m/%d/%Y")
    decimal: Literal[".", ","] = "."
    integer_ids: bool = Field(False, description="1930571429.0 in a column of references means 1930571429")


class Columns(Model):
    """The name of the column that holds each thing; what is left out comes from `defaults`, or is not known."""

    invoice: str
    debtor: str
    due_on: str
    amount: str
    issued_on: str | None = None
    settled_on: str | None = Field(None, description="when it was paid in full; only a replay reads it")
    currency: str | None = None
    kind: str | None = None
    country: str | None = None
    region: str | None = None
    zone: str | None = None
    language: str | None = None
    name: str | None = None
    salutation: str | None = None
    email: str | None = None
    sms: str | None = None
    whatsapp: str | None = None
    voice: str | None = None
    letter: str | None = None


class Defaults(Model):
    """What holds where no column says otherwise, or its cell is empty."""

    currency: Currency | None = None
    kind: Literal["business", "consumer"] = "business"
    country: Country | None = None
    region: str = ""
    zone: str | None = None
    language: str | None = None
    consent: Literal["given", "unknown"] = "given"


class MapCreditor(Model):
    """Whose portfolio it is; a replay makes this creditor, an import is told another way."""

    slug: str = "replay"
    name: str = "Replay"
    country: Country = "US"
    zone: str = "UTC"
    language: Literal["es", "pt", "en"] = "en"


class PortfolioMap(Model):
    """The whole map. `values` translates cells: `{country: {USD: US, CAD: CA}}` with `columns.country` set to the currency."""

    format: Format = Format()
    columns: Columns
    defaults: Defaults = Defaults()
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    where: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="column -> cells: only rows with one of them are taken, as {Status: [Open, Partial]}"
    )
    creditor: MapCreditor = MapCreditor()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the invoice, and when the file says that it was paid in full (None: not known to be)."""

    invoice: InvoiceIn
    debtor: str
    settled_on: date | None


def load_map(text: str, source: str) -> PortfolioMap:
    """Read a map; raises MapError with a line `source:line: place: what` for each problem."""
    document = read_yaml(text)
    problems = [f"{source}:{line}: {what}" for line, _, what in document.problems]
    if problems:
        raise MapError("\n".join(problems))
    try:
        found = PortfolioMap.model_validate(document.data)
    except ValidationError as error:
        raise MapError(
            "\n".join(
                f"{source}:{document.line_of(tuple(e['loc']))}: {'.'.join(map(str, e['loc'])) or 'map'}: {plain(e)}"
                for e in error.errors(include_url=False)
            )
        ) from None
    unknown = sorted(set(found.values) - set(Columns.model_fields))
    if unknown:
        raise MapError(f"{source}: values: {', '.join(unknown)}: use one of {', '.join(Columns.model_fields)}")
    return found


def missing_columns(how: PortfolioMap, header: list[str]) -> list[str]:
    """The columns that the map names and the file does not have."""
    wanted = [name for name in how.columns.model_dump().values() if name is not None]
    return sorted({*wanted, *how.where} - set(header))


def is_wanted(how: PortfolioMap, row: Mapping[str, Any]) -> bool:
    """Whether the map's `where` takes this row."""
    return all(str(row.get(column) or "").strip() in cells for column, cells in how.where.items())


def read_entry(how: PortfolioMap, row: Mapping[str, Any]) -> Entry:
    """One row as an invoice; raises Unreadable with every problem found."""
    if TOO_MANY in row:
        raise Unreadable([Problem("", str(row[TOO_MANY]))])  # its cells may stand under the wrong columns
    wrong: list[Problem] = []
    cells = _Cells(how, row, wrong)
    currency = cells.text("currency") or how.defaults.currency or ""
    due_on, account = cells.day("due_on"), _account(how, cells)
    body = {
        "number": cells.reference("invoice"),
        "currency": currency,
        "issued_on": (cells.day("issued_on") if how.columns.issued_on else None) or due_on,
        "due_on": due_on,
        "amount_minor": cells.amount(currency),
        "account": account,
    }
    settled_on = cells.day("settled_on", needed=False)
    if wrong:
        raise Unreadable(wrong)
    try:
        return Entry(InvoiceIn.model_validate(body), account["ref"], settled_on)
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
    return {
        "ref": cells.reference("debtor"), "kind": cells.text("kind") or how.defaults.kind,
        "country": cells.text("country") or how.defaults.country, "region": cells.text("region") or how.defaults.region,
        "zone": cells.text("zone") or how.defaults.zone, "language": cells.text("language") or how.defaults.language,
        "contacts": contacts,
    }  # fmt: skip


def _addresses(channel: str, cell: str) -> list[str]:
    """A cell may hold several addresses, separated by semicolons; a letter is one."""
    parts = [cell] if channel == "letter" else cell.split(";")
    return [part.strip() for part in parts if part.strip()]


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

    def day(self, target: str, *, needed: bool = True) -> date | None:
        value = self.raw(target)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        if value is None or value == "":
            if needed:
                self._complain(target, "is empty; a date is needed")
            return None
        try:
            return datetime.strptime(str(value), self.how.format.date).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            self._complain(target, f"is not a date like {self.how.format.date}")
            return None

    def amount(self, currency: str) -> int | None:
        value = self.raw("amount")
        if value is None or value == "":
            self._complain("amount", "is empty")
            return None
        try:
            exact = parse_amount(value, self.how.format.decimal) if isinstance(value, str) else Decimal(str(value))
            return minor_units(exact, currency)
        except (InvalidOperation, ValueError):
            self._complain("amount", f"is not an amount of {currency or 'a known currency'} with its decimals")
            return None

    def _complain(self, target: str, what: str) -> None:
        column = getattr(self.how.columns, target)
        self.wrong.append(Problem(f"/{target}", f"column {column!r} {what}"))
