"""Which column of a file is what: the map that `puntual import` and `puntual replay` read.

policies/portfolio_rows.py reads rows by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from policies.deductions import Kind as DeductionKind
from policies.intake_model import Country
from policies.places import known_zones, zones_of_countries
from policies.plain_errors import plain
from policies.terms import Currency, Model
from policies.yaml_lines import read_yaml

TOO_MANY = "\x00too many cells"
"""Not a column: under it a row carries what is wrong when it has more cells than the header."""


class MapError(ValueError):
    """A map that cannot be read; the text has one line for each problem, with its place."""


def _known_country(given: str) -> str:
    if given not in zones_of_countries():
        raise ValueError("there is no such country: write its two capital letters, like CO, MX or ES (ISO 3166-1)")
    return given


def _known_zone(given: str) -> str:
    if given not in known_zones():
        raise ValueError("there is no such time zone: write its IANA name, like America/Bogota")
    return given


KnownCountry = Annotated[Country, AfterValidator(_known_country)]
KnownZone = Annotated[str, AfterValidator(_known_zone)]


class Format(Model):
    """How the cells are written."""

    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    date: str = Field(
        "%Y-%m-%d", description="as in Python's strptime: %m/%d/%Y; or dmy, mdy, ymd: any way of writing days, in that order"
    )
    decimal: Literal[".", ","] = "."
    integer_ids: bool = Field(False, description="1930571429.0 in a column of references means 1930571429")
    debtor: Literal["reference", "tax_number", "name"] = Field(
        "reference", description="what the column `debtor` holds: tax numbers lose dots and dashes, names stay out of sight"
    )


class Columns(Model):
    """The name of the column that holds each thing; what is left out comes from `defaults`, or is not known."""

    invoice: str
    debtor: str
    due_on: str | None = Field(None, description="each row of one invoice number with another day is an instalment of it")
    amount: str
    terms: str | None = Field(None, description="terms of payment, where a row has no due date: Net 45, 30/60/90, a code")
    received_on: str | None = Field(None, description="when the customer received it, where the terms count from there")
    issued_on: str | None = None
    settled_on: str | None = Field(None, description="when it was paid in full: such an invoice comes in as history")
    series: str | None = Field(None, description="stands before the number, which begins anew in each: A and 1001 is A-1001")
    balance: str | None = Field(None, description="what is still open of the amount")
    withheld: str | None = Field(None, description="what the customer withholds of the amount by law; the rest is asked for")
    withheld_kind: str | None = Field(None, description="what it is: retefuente, reteica, irpf, iss_retido, ...")
    applies_to: str | None = Field(None, description="the invoice that a credit (a sum below 0) is for")
    last_contact_on: str | None = None
    last_contact_channel: str | None = None
    stage: str | None = Field(None, description="the last rung that was used, or how many reminders were sent")
    promised_on: str | None = None
    promised_minor: str | None = Field(None, description="the promised sum, written as the amounts are")
    disputed: str | None = None
    hold_until: str | None = None
    hold_reason: str | None = None
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

    @model_validator(mode="after")
    def _a_day_or_terms(self) -> Columns:
        if self.due_on is None and (self.terms is None or self.issued_on is None):
            raise ValueError("name the column due_on, or the columns terms and issued_on")
        return self


class Defaults(Model):
    """What holds where no column says otherwise, or its cell is empty."""

    currency: Currency | None = None
    kind: Literal["business", "consumer"] = "business"
    country: KnownCountry | None = None
    region: str = ""
    zone: KnownZone | None = None
    language: str | None = None
    consent: Literal["given", "unknown"] = "given"
    withheld_kind: DeductionKind = "other"


class MapCreditor(Model):
    """Whose portfolio it is; a replay makes this creditor, an import is told another way."""

    slug: str = "replay"
    name: str = "Replay"
    country: KnownCountry = "US"
    zone: KnownZone = "UTC"
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
