"""What was added to a late invoice, line by line, and until when it can be sued for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.security import Caller, caller
from ledger.charges import charges_of
from ledger.facts import gather
from ledger.reading import find_invoice
from policies.law.late_debts import money_rules
from policies.law.limitation import Unknown, limitation_of

router = APIRouter(prefix="/v1/invoices", tags=["explain"])


class Sentences(BaseModel):
    """The same sentence in three languages."""

    es: str
    pt: str
    en: str


class ChargeLineOut(BaseModel):
    """One line with its arithmetic: base times rate times days, by which rule."""

    what: str
    base_minor: int
    rate_pct: Decimal | None = Field(description="percent a year for interest")
    from_on: date
    until_on: date
    days: int
    year_days: int
    compounding: str
    rounding: str = Field(description="line: the sum is rounded half up; day: each day's interest is")
    amount_minor: int
    rule: str = Field(description="id of the law pack's rule, or `contract`")
    said: Sentences


class ChargeOut(BaseModel):
    """One charge, posted once per period. A payment that turns out to be older lowers it."""

    key: str = Field(examples=["interest:1:2026-01"])
    what: str
    instalment: int
    amount_minor: int
    posted_at: datetime
    corrected_at: datetime | None
    lines: list[ChargeLineOut]


class ChargesOut(BaseModel):
    """Everything that was added to an invoice."""

    invoice_id: UUID
    currency: str
    total_minor: int
    charges: list[ChargeOut]


class LimitationOut(BaseModel):
    """The last day on which the invoice can be sued for; `unknown` where the law packs give none."""

    invoice_id: UUID
    state: Literal["known", "unknown"]
    last_day: date | None = None
    counted_from: date | None = None
    rule: str | None = None
    basis: str | None = Field(None, description="law, guidance or house")
    confidence: str | None = None
    why: str


@router.get("/{invoice_id}/charges")
def read_charges(invoice_id: UUID, who: Annotated[Caller, caller("invoices:read")]) -> ChargesOut:
    """Late interest and fees, each with its lines: sum, days, rate, rule, and a sentence in three languages."""
    currency = find_invoice(who.session, invoice_id).row.currency
    rows = charges_of(who.session, invoice_id)
    return ChargesOut(
        invoice_id=invoice_id, currency=currency, total_minor=sum(row.amount_minor for row in rows),
        charges=[ChargeOut.model_validate(row, from_attributes=True) for row in rows],
    )  # fmt: skip


@router.get("/{invoice_id}/limitation")
def read_limitation(invoice_id: UUID, request: Request, who: Annotated[Caller, caller("invoices:read")]) -> LimitationOut:
    """Until when the invoice can be sued for, by which rule; past it nothing firm is sent, and no word of court."""
    find_invoice(who.session, invoice_id)
    facts, _ = gather(who.session, invoice_id, request.app.state.clock.now())
    found = limitation_of(money_rules(facts.law) if facts.law else (), facts)
    if isinstance(found, Unknown):
        return LimitationOut(invoice_id=invoice_id, state="unknown", why=found.why)
    return LimitationOut(invoice_id=invoice_id, state="known", **found.model_dump(exclude={"kind"}))
