"""What was added to a late invoice, line by line, and until when it can be sued for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.problems import responses
from api.security import Caller, caller
from ledger.charges import charges_of
from ledger.facts import gather
from ledger.reading import find_invoice
from policies.law.late_debts import money_rules
from policies.law.limitation import Unknown, limitation_of

router = APIRouter(prefix="/v1/invoices", tags=["Explain"], responses=responses(401, 403, 404, 422, 429))


class Sentences(BaseModel):
    """The same sentence in three languages."""

    es: str
    pt: str
    en: str


class ChargeLineOut(BaseModel):
    """One line with its arithmetic: base times rate times days, by which rule."""

    what: str
    base_minor: int
    rate_pct: Decimal | None = Field(None, description="percent a year for interest")
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
    corrected_at: datetime | None = None
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


_ID = "01a200bd-7838-7c19-9aef-e6c7f409367f"
_LINE = {
    "what": "interest", "base_minor": 1000000, "rate_pct": "10.15", "from_on": "2026-01-01", "until_on": "2026-01-31", "days": 31,
    "year_days": 365, "compounding": "simple", "rounding": "line", "amount_minor": 8621, "rule": "ES.interest",
    "said": {
        "es": "Interés de 86,21 EUR sobre 10.000,00 EUR al 10,15 % anual, 31 días del 1 de enero de 2026 al 31 de enero de 2026,"
        " año de 365 días.",
        "pt": "Juros de 86,21 EUR sobre 10.000,00 EUR a 10,15 % ao ano, 31 dias de 1 de janeiro de 2026 a 31 de janeiro de 2026,"
        " ano de 365 dias.",
        "en": "Interest of 86.21 EUR on 10,000.00 EUR at 10.15 % a year, 31 days, 1 January 2026 to 31 January 2026, year of 365"
        " days.",
    },
}  # fmt: skip
_CHARGES = {
    "invoice_id": _ID, "currency": "EUR", "total_minor": 8621,
    "charges": [
        {"key": "interest:1:2026-01", "what": "interest", "instalment": 1, "amount_minor": 8621,
         "posted_at": "2026-02-02T09:00:00Z", "lines": [_LINE]},
    ],
}  # fmt: skip
_LIMITATION = {
    "invoice_id": _ID, "state": "known", "last_day": "2030-12-31", "counted_from": "2025-12-31", "rule": "ES.limitation",
    "basis": "house", "confidence": "medium",
    "why": "A contract debt in Spain can be sued for during five years; each demand or acknowledgement begins them anew."
    " Counted from the due date.",
}  # fmt: skip


def _example(body: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": body}}}}


@router.get("/{invoice_id}/charges", summary="Late interest and fees, line by line", responses=_example(_CHARGES))
def read_charges(invoice_id: UUID, who: Annotated[Caller, caller("invoices:read")]) -> ChargesOut:
    """Late interest and fees, each with its lines: sum, days, rate, rule, and a sentence in three languages."""
    currency = find_invoice(who.session, invoice_id).row.currency
    rows = charges_of(who.session, invoice_id)
    return ChargesOut(
        invoice_id=invoice_id, currency=currency, total_minor=sum(row.amount_minor for row in rows),
        charges=[ChargeOut.model_validate(row, from_attributes=True) for row in rows],
    )  # fmt: skip


@router.get("/{invoice_id}/limitation", summary="Until when it can be sued for", responses=_example(_LIMITATION))
def read_limitation(invoice_id: UUID, request: Request, who: Annotated[Caller, caller("invoices:read")]) -> LimitationOut:
    """Until when the invoice can be sued for, by which rule; past it nothing firm is sent, and no word of court."""
    find_invoice(who.session, invoice_id)
    facts, _ = gather(who.session, invoice_id, request.app.state.clock.now())
    found = limitation_of(money_rules(facts.law) if facts.law else (), facts)
    if isinstance(found, Unknown):
        return LimitationOut(invoice_id=invoice_id, state="unknown", why=found.why)
    return LimitationOut(invoice_id=invoice_id, state="known", **found.model_dump(exclude={"kind"}))
