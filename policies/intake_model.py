"""The shape of an invoice as a billing system posts it, and of the account behind it; `policies.intake` checks the sense."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictInt

from policies.account_model import WhoChange, WhoIn
from policies.carried import CarriedIn
from policies.deductions import DeductionIn
from policies.indexed import IndexIn
from policies.manual_model import parse_window
from policies.papers import DocumentIn, SourceWord
from policies.terms import Channel, Currency, DebtorKind, Instant, Model
from policies.typed import NUMBER, ONE_LINE, STORABLE, Day, storable

AmountMinor = Annotated[
    StrictInt,
    Field(gt=0, le=10**15, description="integer count of the currency's minor unit: 125000 is 1,250.00 USD or 125,000 CLP"),
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
Patch = Annotated[dict[str, Any], AfterValidator(storable)]
_WORD = r"^[a-z_]{0,40}$"


class ChannelIn(Model):
    """One way to reach a contact."""

    channel: Channel
    address: str = Field(
        min_length=3,
        max_length=500,
        pattern=STORABLE,
        description="e-mail address, telephone number (E.164 or national), or the lines of a letter",
    )
    consent: Literal["given", "unknown", "withdrawn"] = "unknown"
    consent_at: Instant | None = None
    proof: str = Field(
        "", max_length=200, pattern=STORABLE, description="where the consent is recorded; a reference, not the person's words"
    )
    verified: bool = Field(False, description="whether somebody has answered from this address before")
    verified_at: Instant | None = Field(None, description="when; a telephone is nobody's again after 180 days of silence")


class ContactIn(Model):
    """A person or a desk of the account."""

    role: str = Field(
        "payables", pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="payables, approver, treasury, owner, legal, director, holder, guardian, guarantor, sales, employee, ...",
    )  # fmt: skip
    name: str = Field("", max_length=200, pattern=STORABLE)
    salutation: str = Field(
        "", max_length=100, pattern=STORABLE, description="whom to greet, as it is printed: Ana, Sra. Gómez; never all capitals"
    )
    language: str | None = Field(None, pattern=r"^(es|pt|en)(-[A-Z]{2})?$")
    channels: tuple[ChannelIn, ...] = Field((), max_length=20)


def _hours(given: tuple[str, str]) -> tuple[str, str]:
    parse_window("-".join(given))
    return given


class PreferencesIn(Model):
    """What the debtor asked for: heeded from the first contact on (F34)."""

    hours: Annotated[tuple[str, str], AfterValidator(_hours)] | None = Field(
        None, description='the only hours wanted, as ["18:00", "20:00"] by the debtor\'s clock'
    )
    channel: Channel | None = Field(None, description="the channel to try first wherever a rung offers it")


class AccountIn(WhoIn):
    """Who owes. The first invoice of an account makes it; later ones add what was missing and never overwrite."""

    ref: str = Field(
        min_length=1,
        max_length=120,
        pattern=ONE_LINE,
        description="the creditor's own reference",
    )
    ref_is_personal: bool | None = Field(
        None, description="true makes the reference opaque everywhere; left out, e-mails, telephones and tax ids are recognised"
    )
    kind: DebtorKind
    country: Country
    region: str = Field("", max_length=12, pattern=STORABLE, description="ISO 3166-2, with or without the country: CO-ANT or ANT")
    zone: str | None = Field(None, max_length=60, description="IANA zone; left out, it follows from country, region or telephone")
    language: str | None = Field(None, pattern=r"^(es|pt|en)(-[A-Z]{2})?$")
    treatment: str = Field(
        "", alias="register", pattern=r"^[a-zúê]{0,20}$", description="usted, tu, vos, voce, ...; left out, the country's custom"
    )
    manual: str | None = Field(
        None, max_length=80, pattern=STORABLE, description="name of another manual of the creditor for this account"
    )
    manual_patch: Patch | None = Field(None, description="what differs from the manual for this account")
    city: str = Field("", max_length=80, pattern=STORABLE, description="for places whose city has rules of its own: New York")
    debt_type: str = Field("", pattern=_WORD, description="regulated_credit, trade, ...: rules of some places bind only these")
    notice_sent_on: Day | None = Field(
        None, description="the day on which the creditor sent the notice that some places ask for before other contacts"
    )
    loan_type: str = Field("", pattern=_WORD, description="consumer_credit, microcredit, farm_credit, ...")
    preferences: PreferencesIn | None = None
    contacts: tuple[ContactIn, ...] = Field((), max_length=20)


class AccountChange(WhoChange):
    """What is corrected about a known account: only the members given."""

    kind: DebtorKind | None = None
    region: str | None = Field(None, max_length=12, pattern=STORABLE, description="ISO 3166-2", examples=["CO-ANT"])
    zone: str | None = Field(None, max_length=60, description="IANA zone; left out, it follows a new region")
    city: str | None = Field(None, max_length=80, pattern=STORABLE)
    debt_type: str | None = Field(None, pattern=_WORD)
    loan_type: str | None = Field(None, pattern=_WORD)
    notice_sent_on: Day | None = Field(None, examples=["2026-03-02"])
    preferences: PreferencesIn | None = None


class InstalmentIn(Model):
    """One due date of an invoice."""

    number: int = Field(ge=1, le=999)
    due_on: Day
    amount_minor: AmountMinor


class InvoiceIn(Model):
    """An invoice to collect: one due date and sum, or instalments."""

    number: str = Field(
        min_length=1, max_length=64, pattern=NUMBER,
        description="the creditor's invoice number; unique for the creditor",
    )  # fmt: skip
    currency: Currency
    issued_on: Day
    due_on: Day | None = Field(None, description="left out, it follows from terms, else from the law, and then it is assumed")
    amount_minor: AmountMinor | None = None
    instalments: tuple[InstalmentIn, ...] = Field((), max_length=120)
    account: AccountIn
    place_of_payment: str | None = Field(
        None, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,6})?$", description="whose working days move the due date; the creditor's country"
    )
    manual_patch: Patch | None = Field(None, description="what differs from the manual for this invoice")
    terms: str | None = Field(
        None, max_length=200, pattern=STORABLE, description="a code of the creditor's table, or a text: Net 45, 30/60/90"
    )
    received_on: Day | None = Field(None, description="when the customer received it, where the terms count from there")
    delivered_on: Day | None = None
    accepted_on: Day | None = None
    rejected_on: Day | None = None
    delivery_source: SourceWord | None = Field(None, description="who says so, in a word: tax_authority, portal, courier")
    documents: tuple[DocumentIn, ...] = Field((), max_length=10)
    replaces: str | None = Field(None, min_length=1, max_length=64, description="number of the invoice that this one replaces")
    keep_age: bool = Field(True, description="false: a replacing invoice counts from its own due date")
    carried: CarriedIn | None = Field(None, description="where it stands when it comes over from another system; told once")
    deductions: tuple[DeductionIn, ...] = Field((), max_length=20, description="what is withheld or deposited elsewhere")
    index: IndexIn | None = Field(None, description="the sum is counted in an index and paid in `currency`; with due_on alone")
    payment_currency: Currency | None = Field(None, description="a debt in another currency than the one it is paid in")
