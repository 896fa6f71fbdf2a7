"""Deductions of an invoice, decided one by one, and the values of indices and foreign currencies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.orm import Session

from api.problems import responses
from api.security import Caller, caller
from ledger import deduction_acts, index_values
from policies.indexed import IndexValue, spoken_code, to_payment
from policies.terms import MinorUnits, Model
from policies.typed import STORABLE, Day

router = APIRouter(prefix="/v1", responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Decider = Annotated[Caller, caller("decisions:write")]
Cashier = Annotated[Caller, caller("payments:write")]
Number = Annotated[int, Path(ge=1, le=100, description="the deduction's number, as GET invoice shows it")]
VALUES_MAX = 5_000


class DeductionOut(BaseModel):
    """What is withheld or deposited elsewhere; never part of what is asked. `number` names it in the routes below."""

    number: int
    kind: str
    rate: str = Field(description="percent")
    base_minor: MinorUnits
    amount_minor: MinorUnits
    open_minor: MinorUnits = Field(description="what of its own part has neither come nor been booked")
    where_paid: str
    state: Literal["declared", "proposed", "confirmed", "declined", "reclassified", "moot"]
    decide_by: datetime | None = Field(None, description="proposed: until when the rungs of that remainder wait for a person")
    certificate_required: bool
    certificate_on: date | None
    released_on: date | None = Field(None, description="a guarantee: the due date of its own instalment")


class ConversionOut(BaseModel):
    """What the payable part of an indexed or foreign debt comes to today."""

    unit: str = Field(description="UF, UDI, UVR, ... or a currency")
    payment_currency: str
    value: Decimal
    on_day: date
    valid_until: date
    source: str
    payable_minor: MinorUnits = Field(description="minor units of the payment currency")


class ConfirmIn(Model):
    """The gap was deducted, and whether its certificate is still owed."""

    certificate_required: bool = Field(False, examples=[True])


class CertificateIn(Model):
    """The certificate, or the proof of deposit, came; `ref` says where it is kept, without personal data."""

    received_on: Day = Field(examples=["2026-04-10"])
    ref: str = Field("", max_length=120, pattern=STORABLE, examples=["archive 2026-118"])


class ReclassifyIn(Model):
    """It was short payment after all."""

    reason: str = Field(
        min_length=1, max_length=200, pattern=STORABLE, description="no personal data", examples=["no certificate"]
    )


class DecidedOut(BaseModel):
    """Whether anything changed: the same decision again changes nothing."""

    changed: bool


class ValuesIn(Model):
    """Values of indices and foreign currencies; sent again, a day's value is corrected for what comes after."""

    values: tuple[IndexValue, ...] = Field(
        min_length=1, max_length=VALUES_MAX,
        examples=[[{"code": "UF", "payment_currency": "CLP", "on_day": "2026-06-12", "value": "39383.07", "source": "SII"}]],
    )  # fmt: skip


class ValuesOut(BaseModel):
    """How many values were new or corrected, and how many open invoices were asked again because of them."""

    changed: int
    invoices: int


class ValueOut(BaseModel):
    """The value that holds on a day."""

    code: str
    payment_currency: str
    on_day: date
    valid_until: date
    value: Decimal
    source: str


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock.now()
    return now


@router.post("/invoices/{invoice_id}/deductions/{number}/confirm", tags=["Deductions"], summary="Confirm a proposed deduction")
def confirm(invoice_id: UUID, number: Number, body: ConfirmIn, who: Decider, request: Request) -> DecidedOut:
    """The remainder is booked as deducted and no longer asked."""
    required = body.certificate_required
    done = deduction_acts.confirm(
        who.session, invoice_id, number, certificate_required=required, now=_now(request), actor=who.actor
    )
    return DecidedOut(changed=done)


@router.post("/invoices/{invoice_id}/deductions/{number}/decline", tags=["Deductions"], summary="Decline a proposed deduction")
def decline(invoice_id: UUID, number: Number, who: Decider, request: Request) -> DecidedOut:
    """The remainder is short payment, and the ladder goes on with it."""
    return DecidedOut(changed=deduction_acts.decline(who.session, invoice_id, number, now=_now(request), actor=who.actor))


@router.post("/invoices/{invoice_id}/deductions/{number}/certificate", tags=["Deductions"], summary="Record a certificate")
def certificate(invoice_id: UUID, number: Number, body: CertificateIn, who: Decider, request: Request) -> DecidedOut:
    """Requests for it end. For a deposit it is the proof that it was made, and closes its part."""
    done = deduction_acts.receive_certificate(
        who.session, invoice_id, number, received_on=body.received_on, ref=body.ref, now=_now(request), actor=who.actor
    )
    return DecidedOut(changed=done)


@router.post("/invoices/{invoice_id}/deductions/{number}/reclassify", tags=["Deductions"], summary="It was short payment")
def reclassify(invoice_id: UUID, number: Number, body: ReclassifyIn, who: Decider, request: Request) -> DecidedOut:
    """The debt opens again for that sum; the ladder stands where it stood when the net was paid."""
    done = deduction_acts.reclassify(who.session, invoice_id, number, reason=body.reason, now=_now(request), actor=who.actor)
    return DecidedOut(changed=done)


@router.put("/index-values", tags=["Deductions"], summary="Load values of indices and foreign currencies")
def put_index_values(body: ValuesIn, who: Cashier, request: Request) -> ValuesOut:
    """Messages that waited for a value go on; payments already converted keep theirs."""
    changed, asked = index_values.load(who.session, who.creditor_id, body.values, now=_now(request), actor=who.actor)
    return ValuesOut(changed=changed, invoices=asked)


@router.get("/index-values", tags=["Deductions"], summary="The values that hold on a day")
def get_index_values(who: Reader, request: Request, on: Annotated[Day, Query(examples=["2026-06-12"])]) -> list[ValueOut]:
    """One for each unit that has a value on that day."""
    return [
        ValueOut.model_validate(row, from_attributes=True) for row in index_values.values_on(who.session, who.creditor_id, on)
    ]


def deductions_out(rows: Sequence[Row[Any]]) -> list[DeductionOut]:
    """As GET shows them."""
    return [DeductionOut.model_validate(row, from_attributes=True) for row in rows]


def conversion_out(session: Session, creditor_id: UUID | str, row: Row[Any], now: datetime) -> ConversionOut | None:
    """What is payable comes to today, in the debtor's zone; None for an ordinary debt, or while today's value is not known."""
    if not row.payment_currency:
        return None
    today = now.astimezone(ZoneInfo(row.account_zone)).date()
    value = index_values.value_on(session, creditor_id, row.currency, row.payment_currency, today)
    if value is None:
        return None
    payable_minor = max(row.balance_minor - row.apart_minor, 0)
    return ConversionOut(
        unit=spoken_code(row.currency), payment_currency=row.payment_currency, value=value.value, on_day=value.on_day,
        valid_until=value.valid_until, source=value.source,
        payable_minor=to_payment(payable_minor, row.currency, value.value, row.payment_currency),
    )  # fmt: skip
