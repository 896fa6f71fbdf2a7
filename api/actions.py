"""What staff and their systems decide: agreements, disputes, placements, unmatched money, stops. Customers use their own page.

Each is one transaction: the policy is asked under the debtor's lock, the answer is recorded, and the outbox rings later; so all
of it works while Temporal is down.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, Field, StrictInt, model_validator

from api.examples import AGREEMENTS
from api.models import DoneOut, WriteOffIn
from api.problems import problem, responses
from api.security import Caller, caller
from ledger import agreements, holds, invoices, payments, placements, stops, unmatched
from ledger.holds import DisputeReason, SuppressionReason
from ledger.refusals import Refused, not_found
from policies import negotiation
from policies.terms import Instant, MinorUnits, Model
from policies.typed import STORABLE, Day

router = APIRouter(prefix="/v1", responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Writer = Annotated[Caller, caller("invoices:write")]
Cashier = Annotated[Caller, caller("payments:write")]
Decider = Annotated[Caller, caller("decisions:write")]
Amount = Annotated[StrictInt, Field(gt=0, le=10**15)]
FileName = Annotated[Literal["file.csv", "file.json", "recall.csv", "recall.json"], Path()]


class PromiseIn(Model):
    """The customer promises to pay on a day; left out, the amount is all that is owed."""

    on: Day = Field(examples=["2026-03-20"])
    amount_minor: Amount | None = Field(None, examples=[25000000])


class MilestoneOut(BaseModel):
    """One dated sum of an agreement."""

    number: int
    due_on: date
    amount_minor: MinorUnits


class AgreedOut(BaseModel):
    """What was agreed. It is judged by what was paid by the payer's dates."""

    id: UUID
    kind: Literal["promise", "extension", "plan", "discount"]
    currency: str
    made_on: date
    grace_days: int
    waived_minor: MinorUnits = Field(description="forgiven when a discount is kept")
    milestones: list[MilestoneOut]


class DisputeIn(Model):
    """What is wrong, and which part of the balance it concerns; left out, all of it."""

    reason: DisputeReason = Field(examples=["wrong_amount"])
    amount_minor: Amount | None = Field(None, examples=[4000000])


class ClosedIn(Model):
    """How the dispute ended."""

    outcome: Literal["for_customer", "for_creditor", "corrected", "withdrawn"] = Field(examples=["corrected"])


class HeldOut(BaseModel):
    """A hold and its end."""

    until: datetime


class OpenedOut(BaseModel):
    """The id of what was opened."""

    id: UUID


class ActionDone(BaseModel):
    """It is done; `invoices` says how many open invoices it concerns, where that is more than one."""

    done: Literal[True] = True
    invoices: int | None = None


class DecisionIn(Model):
    """Who decided, by a reference without personal data."""

    by: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,40}$", examples=["staff-17"])


_NOBODY_NAMED = DecisionIn(by="")


class SuppressionIn(Model):
    """Stop all contact with an account, or with one of its people, until a review date."""

    reason: SuppressionReason = Field(examples=["insolvency"])
    evidence: str = Field(
        min_length=1,
        max_length=200,
        pattern=STORABLE,
        description="where the evidence is kept; a reference, no personal data",
        examples=["file 2026-118"],
    )
    until: Instant = Field(
        description="deceased, identity_theft, represented, cease_request and insolvency hold beyond it, until lifted",
        examples=["2026-06-01T09:00:00-05:00"],
    )
    person_id: UUID | None = Field(None, description="stop one person of the account; left out, the whole account")
    opened_on: Day | None = Field(
        None, description="insolvency only: the day it was opened; debts issued until then stop, later ones go on"
    )
    claim_by: Instant | None = Field(None, description="insolvency only: the last moment to file the claim")

    @model_validator(mode="after")
    def _insolvency_only(self) -> SuppressionIn:
        if self.reason != "insolvency" and (self.opened_on or self.claim_by):
            raise ValueError("opened_on and claim_by belong to an insolvency: leave them out for another reason")
        return self


class ExemptIn(Model):
    """Send an account no reminders until an instant, at most 366 days from now."""

    until: Instant = Field(examples=["2026-06-01T09:00:00-05:00"])
    reason: str = Field(
        min_length=1, max_length=200, pattern=STORABLE, description="no personal data", examples=["key account, pays quarterly"]
    )


class StopIn(Model):
    """Stop all sending of this creditor until an instant, at most 366 days from now."""

    until: Instant = Field(examples=["2026-03-09T08:00:00-05:00"])
    reason: str = Field(min_length=1, max_length=200, pattern=STORABLE, examples=["bank file of Friday is late"])


class ApplyIn(Model):
    """The invoice that gets the money: its id."""

    invoice_id: UUID = Field(examples=["01a200e7-0eb2-7844-8efd-31b0bd5406bf"])


class UnmatchedOut(BaseModel):
    """Money that is on no invoice, and why."""

    id: UUID
    kind: Literal["payment", "reversal"]
    why: str = Field(description="no_invoice, excess, invoice_closed, or payment_not_here for a reversal")
    source: str
    source_ref: str
    amount_minor: MinorUnits
    left_minor: MinorUnits
    currency: str
    paid_on: date
    recorded_at: datetime
    hint: str = Field(description="what came with it; it may be personal, and is kept sealed")
    invoice_id: UUID | None
    invoice_number: str | None


class AppliedOut(BaseModel):
    """How much was applied, what is left of the payment, and what the invoice still owes."""

    applied_minor: MinorUnits
    left_minor: MinorUnits
    balance_minor: MinorUnits


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock.now()
    return now


@router.post("/invoices/{invoice_id}/promise", status_code=201, tags=["Agreements"], summary="Record a promise to pay")
def promise(invoice_id: UUID, body: PromiseIn, who: Decider, request: Request) -> AgreedOut:
    """422 with `nearest` when the manual does not allow it: post that to have it. 409 when another agreement is open."""
    return _agree(who, invoice_id, negotiation.Promise(on=body.on, amount_minor=body.amount_minor), request)


@router.post("/invoices/{invoice_id}/agreement", status_code=201, tags=["Agreements"], summary="Agree terms")
def agreement(
    invoice_id: UUID, body: Annotated[negotiation.Request, Body(openapi_examples=AGREEMENTS)], who: Decider, request: Request
) -> AgreedOut:
    """`kind` says which; what the manual does not allow is refused with the nearest that it does."""
    return _agree(who, invoice_id, body, request)


@router.post("/invoices/{invoice_id}/agreement/withdraw", tags=["Agreements"], summary="Give up the open agreement")
def withdraw(invoice_id: UUID, who: Decider, request: Request) -> ActionDone:
    """The ladder goes on where the days now stand."""
    agreements.withdraw(who.session, invoice_id, actor=who.actor, now=_now(request))
    return ActionDone()


@router.post("/invoices/{invoice_id}/dispute", status_code=201, tags=["Disputes"], summary="Open a dispute, whole or in part")
def dispute(invoice_id: UUID, body: DisputeIn, who: Decider, request: Request) -> OpenedOut:
    """The disputed part is held until the manual's longest dispute is over; the rest goes on."""
    opened = holds.open_dispute(
        who.session, invoice_id, reason=body.reason, actor=who.actor, now=_now(request), amount_minor=body.amount_minor
    )
    return OpenedOut(id=opened)


@router.post("/invoices/{invoice_id}/dispute/close", tags=["Disputes"], summary="Close the dispute")
def close_dispute(invoice_id: UUID, body: ClosedIn, who: Decider, request: Request) -> ActionDone:
    """A sum found to be wrong is amended by itself (PATCH) before or after."""
    holds.close_dispute(who.session, invoice_id, outcome=body.outcome, actor=who.actor, now=_now(request))
    return ActionDone()


@router.post(
    "/invoices/{invoice_id}/already-paid", tags=["Disputes"], summary="The customer says it is paid", response_model=HeldOut
)
def already_paid(invoice_id: UUID, who: Decider, request: Request) -> HeldOut | Response:
    """Held for the manual's working days, and a task to look for the payment; said again, the task and no second hold."""
    now = _now(request)
    try:
        with who.session.begin_nested():
            return HeldOut(until=holds.say_already_paid(who.session, invoice_id, actor=who.actor, now=now))
    except Refused as refused:
        if refused.code != "said-before":
            raise
        # An answer and not an exception: the task must be committed with it.
        holds.look_again(who.session, invoice_id, now=now)
        return problem(refused.status, refused.code, refused.detail)


@router.post("/invoices/{invoice_id}/write-off", tags=["Invoices"], summary="Write off what is still owed")
def write_off(invoice_id: UUID, body: WriteOffIn, who: Decider, request: Request) -> DoneOut:
    """Nothing is asked any more; sent again, nothing changes. Later money is recorded and told, and reopens nothing."""
    return DoneOut(changed=invoices.write_off(who.session, invoice_id, reason=body.reason, now=_now(request), actor=who.actor))


@router.post("/invoices/{invoice_id}/placement/approve", tags=["Placement"], summary="Approve the placement with an agency")
def approve(invoice_id: UUID, who: Decider, request: Request, body: DecisionIn = _NOBODY_NAMED) -> OpenedOut:
    """Before the deadline; chasing stops and the file is written once."""
    return _decide(who, invoice_id, "approved", body.by, request)


@router.post("/invoices/{invoice_id}/placement/decline", tags=["Placement"], summary="Keep the debt")
def decline(invoice_id: UUID, who: Decider, request: Request, body: DecisionIn = _NOBODY_NAMED) -> OpenedOut:
    """Before the deadline; without an answer the proposal counts as declined."""
    return _decide(who, invoice_id, "declined", body.by, request)


@router.get(
    "/invoices/{invoice_id}/placement/{name}", tags=["Placement"], summary="The placement file or the recall notice",
    response_class=Response,
    responses={200: {"description": "the file", "content": {"text/csv": {"schema": {"type": "string"}},
                                                            "application/json": {"schema": {"type": "object"}}}}},
)  # fmt: skip
def placement_file(invoice_id: UUID, name: FileName, who: Decider, request: Request) -> Response:
    """Byte for byte as written. It names the debtor, so it needs `decisions:write`."""
    stem, form = name.split(".")
    kind = "placement" if stem == "file" else "recall"
    shape: Literal["csv", "json"] = "csv" if form == "csv" else "json"
    content = placements.read_file(who.session, request.app.state.sealer, invoice_id, kind, shape)
    media = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{kind}-{invoice_id}.{form}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media, headers=headers)


@router.get("/payments/unmatched", tags=["Payments"], summary="Money that is on no invoice")
def unmatched_payments(who: Reader, request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> list[UnmatchedOut]:
    """Oldest first: payments that match no invoice, account credits, reversals whose payment never came."""
    return [
        UnmatchedOut(
            id=row.id, kind=row.kind, why=_why(row), source=row.source, source_ref=row.source_ref, amount_minor=row.amount_minor,
            left_minor=row.unallocated_minor, currency=row.currency, paid_on=row.paid_on, recorded_at=row.recorded_at,
            hint=row.hint, invoice_id=row.invoice_id, invoice_number=row.number,
        )
        for row in unmatched.unmatched(who.session, who.creditor_id, request.app.state.sealer, limit=limit)
    ]  # fmt: skip


@router.post("/payments/{payment_id}/apply", tags=["Payments"], summary="Apply unmatched money or a credit to an invoice")
def apply_payment(payment_id: UUID, body: ApplyIn, who: Cashier, request: Request) -> AppliedOut:
    """The oldest instalment first; what is left stays on the payment."""
    done = payments.apply_payment(who.session, who.creditor_id, payment_id, body.invoice_id, now=_now(request), actor=who.actor)
    return AppliedOut(
        applied_minor=done.allocated_minor, left_minor=done.unallocated_minor, balance_minor=done.balance_minor or 0
    )


@router.post("/accounts/{account_ref}/suppressions", status_code=201, tags=["Stops"], summary="Stop all contact with an account")
def suppress(account_ref: str, body: SuppressionIn, who: Decider, request: Request) -> OpenedOut:
    """At once, also for what is scheduled; `account_ref` is your own reference."""
    opened = stops.suppress(
        who.session, _account(who, account_ref, request), reason=body.reason, evidence=body.evidence, until=body.until,
        actor=who.actor, now=_now(request), person_id=body.person_id, opened_on=body.opened_on, claim_by=body.claim_by,
    )  # fmt: skip
    return OpenedOut(id=opened)


@router.post("/accounts/{account_ref}/exempt", tags=["Stops"], summary="Exempt an account from reminders")
def exempt(account_ref: str, body: ExemptIn, who: Decider, request: Request) -> ActionDone:
    """At once, also for what is scheduled; said again, the new date holds (F23)."""
    account = _account(who, account_ref, request)
    held = stops.exempt(who.session, account, until=body.until, reason=body.reason, actor=who.actor, now=_now(request))
    return ActionDone(invoices=held)


@router.post("/accounts/{account_ref}/exempt/end", tags=["Stops"], summary="End an exemption before its date")
def end_exemption(account_ref: str, who: Decider, request: Request) -> ActionDone:
    """The ladder goes on; what came due meanwhile is caught up with one message."""
    account = _account(who, account_ref, request)
    return ActionDone(invoices=stops.end_exemption(who.session, account, actor=who.actor, now=_now(request)))


@router.post("/suppressions/{suppression_id}/lift", tags=["Stops"], summary="End an account's stop before its date")
def lift(suppression_id: UUID, who: Decider, request: Request) -> ActionDone:
    """The ladder goes on; what came due meanwhile is caught up with one message."""
    stops.lift(who.session, suppression_id, actor=who.actor, now=_now(request))
    return ActionDone()


@router.post("/creditor/stop", tags=["Stops"], summary="Stop all sending of this creditor")
def stop(body: StopIn, who: Decider, request: Request) -> ActionDone:
    """From the next send on (F93)."""
    held = stops.stop_creditor(
        who.session, who.creditor_id, until=body.until, reason=body.reason, actor=who.actor, now=_now(request)
    )
    return ActionDone(invoices=held)


@router.post("/creditor/resume", tags=["Stops"], summary="Send again")
def resume(who: Decider, request: Request) -> ActionDone:
    """What came due meanwhile is caught up with one message each, never with a burst."""
    return ActionDone(invoices=stops.resume_creditor(who.session, who.creditor_id, actor=who.actor, now=_now(request)))


def _account(who: Caller, account_ref: str, request: Request) -> UUID:
    refs = (account_ref, request.app.state.sealer.opaque_ref(account_ref))
    account = stops.account_by_ref(who.session, who.creditor_id, refs)
    if account is None:
        raise not_found("account", account_ref)
    return account


def _agree(who: Caller, invoice_id: UUID, wish: negotiation.Request, request: Request) -> AgreedOut:
    made = agreements.ask(who.session, invoice_id, wish, source="api", actor=who.actor, now=_now(request))
    terms: dict[str, Any] = agreements.spoken(made.terms)
    return AgreedOut(id=made.id, currency=made.currency, made_on=made.made_on, **terms)


def _decide(who: Caller, invoice_id: UUID, decision: placements.Decision, by: str, request: Request) -> OpenedOut:
    actor = f"{who.actor}: {by}" if by else who.actor
    return OpenedOut(id=placements.decide(who.session, invoice_id, decision, actor=actor, now=_now(request)))


def _why(row: unmatched.Unplaced) -> str:
    if row.kind == "reversal":
        return "payment_not_here"
    if row.invoice_id is None:
        return "no_invoice"
    return "excess" if row.status == "open" else "invoice_closed"
