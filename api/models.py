"""What the invoice routes take and give, beside the posted invoice itself (policies/intake.py)."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from api.deductions import ConversionOut, DeductionOut
from policies.intake_model import AmountMinor, InstalmentIn, InvoiceIn
from policies.terms import Instant
from policies.typed import STORABLE, Day


def impersonal(text: str) -> str:
    """The text itself; raises ValueError when an address or a telephone number stands in it."""
    if "@" in text or re.search(r"(\d[\s.-]?){8,}", text):
        raise ValueError("a reason is read in histories: leave out addresses and telephone numbers")
    return text


Reason = Annotated[
    str,
    Field(
        min_length=2,
        max_length=120,
        pattern=STORABLE,
        description="a few words for the history, no personal data",
        examples=["price agreed"],
    ),
    AfterValidator(impersonal),
]


ClientRef = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._:/-]+$")]
"""An id of the caller's own: letters, digits and `. _ : / -`, so that it cannot be a person's text."""
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
"""One word of the caller's own list."""


class Closed(BaseModel):
    """Refuses members it does not know, so that a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid")


class AmendIn(Closed):
    """What changes. `due_on` and `amount_minor` suit an invoice of one due date; `instalments` replaces them all."""

    due_on: Day | None = Field(None, examples=["2026-04-15"])
    amount_minor: AmountMinor | None = Field(None, examples=[24000000])
    instalments: tuple[InstalmentIn, ...] = Field((), max_length=120)
    reason: Reason


class CancelIn(Closed):
    """Why nothing is owed any more; may be left out."""

    reason: Reason = "cancelled by the creditor"


class WriteOffIn(Closed):
    """Why what is still owed is given up."""

    reason: Reason = Field(examples=["cheaper than to go on"])


class PauseIn(Closed):
    """No pause without an end (F74)."""

    until: Instant = Field(examples=["2026-04-01T09:00:00-05:00"])
    reason: Reason


class ResumeIn(Closed):
    """Why it goes on before the pause ended."""

    reason: str = Field("", max_length=120, pattern=STORABLE, examples=["proof received"])


class BatchIn(Closed):
    """Up to 10,000 invoices; each stands for itself."""

    invoices: list[InvoiceIn] = Field(max_length=10_000)


class InvoiceAccepted(BaseModel):
    """The invoice is in the ledger, and its workflow starts by itself."""

    id: UUID
    number: str
    status: Literal["created", "same"] = Field(description="`same`: it was accepted before, with the same content")


class BatchResult(BaseModel):
    """What became of one invoice of a batch."""

    index: int
    status: Literal["created", "same", "different", "refused"]
    id: UUID | None = Field(description="missing only for a refused one")
    problem: dict[str, Any] | None = Field(description="for `different` and `refused`: problem details as a single post answers")


class BatchOut(BaseModel):
    """One result for each invoice, in the order they were sent."""

    created: int
    same: int
    different: int
    refused: int
    results: list[BatchResult]


class DueOut(BaseModel):
    """An instalment with what is left of it."""

    number: int
    due_on: date = Field(description="as stated, or as its terms say")
    effective_due_on: date = Field(
        description="the day deadlines count from: moved to the next working day of the place of payment, unless the manual"
        " counts as stated"
    )
    amount_minor: int
    balance_minor: int
    due_source: Literal["stated", "terms", "assumed"] = Field(
        "stated", description="assumed: courtesy only, until it is confirmed"
    )
    due_terms: str = Field("", description="the terms it follows from, or the rule by which it is assumed")


class AccountOut(BaseModel):
    """Who owes, without personal data."""

    id: UUID
    ref: str
    kind: str
    country: str
    zone: str


class NextOut(BaseModel):
    """What comes next, when and why; at `at` it is checked again."""

    kind: str
    at: datetime | None
    rung: str | None
    channel: str | None
    why: str | None


class HoldOut(BaseModel):
    """A stop with its end."""

    id: UUID
    kind: str
    until: datetime
    amount_minor: int | None = Field(description="the part held; null for all of it")
    reason: str


class InvoiceRow(BaseModel):
    """An invoice as a list shows it."""

    id: UUID
    number: str
    account: AccountOut
    currency: str
    issued_on: date
    state: str = Field(
        description="open, paid, cancelled, written_off, credited, ladder_ended, recalled_paid, returned or settled_in_erp"
    )
    balance_minor: int = Field(description="what is owed in all, with what is withheld or deposited elsewhere")
    payable_minor: int = Field(description="what may be asked: the balance less deductions that are still to come")
    payment_currency: str | None = Field(None, description="an indexed or foreign debt is paid in this currency")
    instalments: list[DueOut]
    next: NextOut | None
    held_why: str | None = Field(description="why the last contact was held back")
    entered_at: datetime
    workflow_id: str


class ManualOut(BaseModel):
    """The manual the invoice follows, pinned when it came in."""

    id: str
    name: str
    origin: dict[str, str] = Field(description="for each part the level it came from: creditor, account or invoice (F16)")
    content: dict[str, Any]


class InvoiceOut(InvoiceRow):
    """An invoice in full."""

    outcome_at: datetime | None
    cycle: int = Field(description="grows when a breach or a reversal begins the ladder anew")
    revision: int = Field(description="grows with each fact")
    holds: list[HoldOut]
    deductions: list[DeductionOut] = []
    conversion: ConversionOut | None = Field(None, description="what is payable comes to today; null while no value is known")
    manual: ManualOut


class InvoicePage(BaseModel):
    """Some of the list; `cursor` fetches what follows and is null at its end."""

    invoices: list[InvoiceRow]
    cursor: str | None


class PlannedStep(BaseModel):
    """One thing that will happen if no new fact comes."""

    invoice_id: UUID
    number: str
    what: str = Field(description="contact, wait, skip, judge, ask, handoff, place, recall or close")
    at: datetime
    at_local: datetime = Field(description="the same moment on the debtor's clock")
    rung: str | None = None
    channel: str | None = None
    amount_minor: int | None = None
    why: str
    rules: list[str]
    depends_on: list[str] = Field(description="numbers of the debtor's other invoices whose contacts moved this step")
    together_with: str | None = Field(None, description="number of the invoice in whose message this one goes")
    cancelled_by: list[str] = Field(description="what would cancel or move it")


class Plan(BaseModel):
    """The steps to come of one invoice, in order."""

    invoice_id: UUID
    as_of: datetime
    until: datetime
    steps: list[PlannedStep]


class ReceiptOut(BaseModel):
    """What a provider said about a contact."""

    status: str
    at: datetime
    reason: str


class ContactMadeOut(BaseModel):
    """The contact that an event of the history tells of, with what its provider said since."""

    id: UUID
    key: str = Field(description="instalment.cycle.rung.occurrence: delivered at most once")
    rung: str
    channel: str
    state: str = Field(description="planned, claimed, calling, accepted, delivered, failed or unknown")
    amount_minor: int
    currency: str
    at_local: datetime = Field(description="on the customer's clock, without its offset")
    zone: str
    late_days: int
    template: str
    text_version: str | None
    provider: str | None
    attempt: int
    receipts: list[ReceiptOut]


class EventOut(BaseModel):
    """One thing that happened, and why."""

    id: int
    at: datetime
    what: str = Field(description="accepted, contacted, payment_received, held_back, closed, ...")
    by: str = Field(description="puntual, customer, or the key or person who did it")
    why: str = Field(description="the reason of the decision, or as the one who did it gave it; empty where nobody gave one")
    rules: list[str] = Field(description="ids of the rules that decided")
    versions: dict[str, str | dict[str, str]] = Field(
        description="of manual, policy, tzdata and holidays at that decision, and under `law` of each law pack that spoke"
    )
    detail: dict[str, JsonValue] = Field(description="ids, sums, dates and states of this kind of event; never personal data")
    contact: ContactMadeOut | None = None


class HistoryOut(BaseModel):
    """What happened to one invoice, in order."""

    invoice_id: UUID
    events: list[EventOut]


class AmendedOut(BaseModel):
    """After an amendment, with the steps to come before and after it (F7)."""

    changed: bool
    balance_minor: int
    freed_minor: int = Field(description="paid money that no longer has a debt to lie on, now unallocated")
    plan_before: Plan | None = Field(description="null where the account has more than 120 open invoices")
    plan_after: Plan | None


class DoneOut(BaseModel):
    """`changed` is false when it was so before."""

    changed: bool


class PausedOut(BaseModel):
    """The pause."""

    id: UUID
    until: datetime
