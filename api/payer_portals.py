"""The payer's own portal: what a person did there and saw there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.models import Closed
from api.problems import responses
from api.security import Caller, caller
from ledger.payer_portals import PortalState, record_portal
from policies.typed import Day

router = APIRouter(prefix="/v1/invoices", tags=["Payer's portal"], responses=responses(401, 403, 404, 409, 422, 429))
Writer = Annotated[Caller, caller("invoices:write")]


class PortalIn(Closed):
    """What the payer's portal shows of an invoice."""

    state: PortalState = Field(examples=["scheduled"])
    on: Day = Field(description="the day on which it was done or seen; not in the future", examples=["2026-03-02"])
    scheduled_for: Day | None = Field(None, description="scheduled only: the payment date", examples=["2026-03-20"])
    ref: str = Field("", pattern=r"^[A-Za-z0-9_./-]{0,60}$", description="the portal's own number", examples=["4500017731"])


class PortalOut(BaseModel):
    """It is recorded; `agreement` is the promise that a scheduled date is."""

    state: PortalState
    agreement: UUID | None


@router.post("/{invoice_id}/portal", summary="Record what became of the invoice in the payer's portal")
def portal(invoice_id: UUID, body: PortalIn, who: Writer, request: Request) -> PortalOut:
    """submitted shows delivery, approved acceptance; rejected holds the invoice until it is issued again; scheduled with a date
    is a promise for that date. The same again changes nothing."""
    now: datetime = request.app.state.clock.now()
    made = record_portal(
        who.session, invoice_id, body.state, body.on, scheduled_for=body.scheduled_for, ref=body.ref, actor=who.actor, now=now
    )
    return PortalOut(state=body.state, agreement=made.id if made else None)
