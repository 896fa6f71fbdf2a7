"""Why an invoice is not paid, told by staff or their systems; customers tell it on their own page (playbook 5)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StrictInt

from api.actions import AgreedOut
from api.models import Closed
from api.problems import responses
from api.security import Caller, caller
from ledger.agreements import Agreed, spoken
from ledger.reasons import About, Document, Said, give_reason
from policies.reasons import Reason
from policies.typed import Day

router = APIRouter(prefix="/v1/invoices", tags=["Reasons"], responses=responses(401, 403, 404, 409, 422, 429))
Decider = Annotated[Caller, caller("decisions:write")]


class ReasonIn(Closed):
    """A reason of the customer's own list, and what came with it. Leave what else was said in your own system."""

    reason: Reason = Field(description="consumers and companies have lists of their own", examples=["payment_run"])
    on: Day | None = Field(
        None, description="the day of the run, of the approval, of the payment, of the opening", examples=["2026-03-20"]
    )
    amount_minor: Annotated[StrictInt, Field(gt=0, le=10**15)] | None = Field(
        None, description="which part of the balance it is about; left out, all of it"
    )
    count: int | None = Field(None, ge=2, le=60, description="in how many parts the customer would pay")
    document: Document = Field("document", description="waiting_document: which")
    about: About = Field("price", description="difference: what differs")


class ReasonOut(BaseModel):
    """What it set off (promise, plan, dispute, pause, task, own_promise, restart, stop, find_payment), and what may follow."""

    did: list[str]
    first_offer: str
    second_offer: str = Field(description="empty where there is none")
    agreement: AgreedOut | None


@router.post("/{invoice_id}/reason", status_code=201, summary="Record why the customer does not pay")
def reason(invoice_id: UUID, body: ReasonIn, who: Decider, request: Request) -> ReasonOut:
    """Each reason does at once what stands for it: a date is a promise, a difference a dispute, a document a promise of ours.

    422 where the reason needs a day or a sum, or the manual does not allow what is wished; then `nearest` says what it does.
    """
    now: datetime = request.app.state.clock.now()
    said = Said(body.reason, body.on, body.amount_minor, body.count, body.document, body.about)
    done = give_reason(who.session, invoice_id, said, source="api", actor=who.actor, now=now)
    agreed = None if done.agreement is None else _agreed(done.agreement)
    return ReasonOut(did=list(done.did), first_offer=done.first, second_offer=done.second, agreement=agreed)


def _agreed(made: Agreed) -> AgreedOut:
    return AgreedOut.model_validate({"id": made.id, "currency": made.currency, "made_on": made.made_on, **spoken(made.terms)})
