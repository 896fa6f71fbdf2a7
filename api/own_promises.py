"""What the creditor promised a customer: a copy, a credit note, a call back, a repair, a document (S66, S67)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.models import Closed, DoneOut
from api.problems import responses
from api.security import Caller, caller
from ledger.own_promises import OwnPromise, keep_own_promise, own_promises_of, promise_to_customer
from ledger.reading import find_invoice
from policies.typed import Day

router = APIRouter(prefix="/v1/invoices", tags=["Our own promises"], responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Decider = Annotated[Caller, caller("decisions:write")]


class OwnPromiseIn(Closed):
    """What we owe the customer besides patience, and by which day."""

    kind: OwnPromise = Field(examples=["send_copy"])
    due_on: Day = Field(
        description="by the end of this day, on the customer's clock; at most 60 days away", examples=["2026-03-04"]
    )


class OwnPromiseOut(BaseModel):
    """A promise of ours as it stands. While one is late, the customer's firm rungs wait."""

    id: UUID
    kind: str
    due_at: datetime
    done_at: datetime | None


class OwnPromiseMade(BaseModel):
    """Its id; it is a task of that id, too."""

    id: UUID


@router.post("/{invoice_id}/own-promises", status_code=201, summary="Promise the customer something by a day")
def make(invoice_id: UUID, body: OwnPromiseIn, who: Decider, request: Request) -> OwnPromiseMade:
    """Promised again for the same day, the same one; for another day, 409 until it is kept."""
    now: datetime = request.app.state.clock.now()
    made = promise_to_customer(who.session, invoice_id, kind=body.kind, due_on=body.due_on, actor=who.actor, now=now)
    return OwnPromiseMade(id=made)


@router.get("/{invoice_id}/own-promises", summary="What we promised about an invoice")
def read(invoice_id: UUID, who: Reader) -> list[OwnPromiseOut]:
    """The open ones first."""
    find_invoice(who.session, invoice_id)
    return [OwnPromiseOut.model_validate(each, from_attributes=True) for each in own_promises_of(who.session, invoice_id)]


@router.post("/{invoice_id}/own-promises/{promise_id}/done", summary="A promise of ours is kept")
def done(invoice_id: UUID, promise_id: UUID, who: Decider, request: Request) -> DoneOut:
    """Firm rungs that waited for it go on; told again, nothing changes."""
    now: datetime = request.app.state.clock.now()
    changed = keep_own_promise(who.session, promise_id, actor=who.actor, now=now, invoice_id=invoice_id)
    return DoneOut(changed=changed)
