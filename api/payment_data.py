"""What keeps us from chasing the paid: where payments are told and how fresh that is, money on its way, papers, ceded debts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field, StrictInt
from sqlalchemy import text

from api.models import ClientRef, Closed
from api.problems import responses
from api.security import Caller, caller
from ledger import avoidable, cessions, feeds, holds, instruments
from ledger.refusals import Refused
from ledger.tasks import open_task
from policies import clearing
from policies.facts import Feed
from policies.feeds import is_late
from policies.terms import Instant
from policies.typed import Day

router = APIRouter(prefix="/v1", tags=["Payment data"], responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Writer = Annotated[Caller, caller("invoices:write")]
Cashier = Annotated[Caller, caller("payments:write")]
Decider = Annotated[Caller, caller("decisions:write")]
Above0 = Annotated[StrictInt, Field(gt=0, le=10**15)]
_NAME = r"^[a-z0-9][a-z0-9_-]{0,39}$"
SourceName = Annotated[str, Path(pattern=_NAME)]


class SourceIn(Closed):
    """A source of payments that is relied on: while it is late, overdue rungs and verdicts on promises wait."""

    name: str = Field(pattern=_NAME, description="your own; a gateway's webhooks count as seen for stripe, wompi and standard")
    kind: Literal["bank", "gateway", "erp"] = Field(examples=["bank"])
    fresh_minutes: int = Field(60, ge=1, le=60 * 24 * 31, description="gateway, erp: how long it may be silent")
    expected_by: str = Field(
        "10:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="bank: your local hour from which a missing file of the last bank working day becomes a task",
    )  # fmt: skip


class ToldIn(Closed):
    """How far a source is: for a bank the last day of which all is known; a gateway or an ERP only says that it is there."""

    complete_to: Day | None = Field(None, examples=["2026-03-13"])


class SourceOut(BaseModel):
    """A source and what it told; `late` as of now."""

    name: str
    kind: Literal["bank", "gateway", "erp"]
    complete_to: date | None
    seen_at: datetime | None
    fresh_minutes: int
    expected_by: str
    late: bool
    invoices_rung: int = Field(0, description="invoices that waited for it and are asked again")


class SourcesOut(BaseModel):
    """Every declared source, by name."""

    sources: list[SourceOut]


class InProcessIn(Closed):
    """Money that was begun and has not settled, in the words of its method and gateway."""

    ref: ClientRef = Field(description="your id, or the gateway's, of this money", examples=["chq-118"])
    method: str = Field("", max_length=40, pattern=r"^[a-z0-9_]*$", examples=["cheque"])
    gateway: Literal["", "stripe", "wompi", "mercado_pago"] = ""
    state: str = Field("", max_length=40, pattern=r"^[A-Za-z_]*$", description="with a gateway: its own word", examples=[""])


class InProcessOut(BaseModel):
    """`held` until then; `issued`: a voucher that nobody has paid yet holds nothing; `released`: it did not come."""

    result: Literal["held", "issued", "released", "nothing_owed"]
    until: datetime | None = None


class InstrumentIn(Closed):
    """A paper with a maturity that you hold for the debt or a part of it."""

    ref: ClientRef = Field(examples=["cheque-2026-31"])
    kind: instruments.Kind = Field(examples=["post_dated_cheque"])
    amount_minor: Above0 = Field(examples=[25000000])
    matures_on: Day = Field(examples=["2026-04-15"])


class InstrumentOut(BaseModel):
    """The paper, and until when the debt rests for it: maturity and clearing."""

    id: UUID
    until: datetime
    status: Literal["created", "same"]


class InstrumentEndIn(Closed):
    """How the paper ended. A business's debt grows by what the bank charged for one that came back."""

    how: Literal["cleared", "returned", "given_back"] = Field(examples=["returned"])
    bank_cost_minor: int = Field(0, ge=0, le=10**12)


class CessionIn(Closed):
    """The debt was sold or factored; we rest until it comes back or the review date."""

    assignee_ref: ClientRef = Field(description="your own reference of the new creditor", examples=["factor-3"])
    ceded_on: Day = Field(examples=["2026-03-20"])
    notified_on: Day | None = Field(None, description="the day of the cession notice to the customer")
    review_at: Instant = Field(examples=["2026-06-20T09:00:00-05:00"])


class CessionEndIn(Closed):
    """Why the debt is yours again."""

    how: Literal["recourse", "buy_back", "cancelled"] = Field(examples=["recourse"])


class DeadlineIn(Closed):
    """A day by which somebody else wants to hear of this debt; it becomes a task that no pause or hold moves."""

    kind: Literal["insurer_notice", "guarantor_notice", "claim_filing"] = Field(examples=["insurer_notice"])
    on: Day = Field(examples=["2026-05-31"])
    ref: ClientRef = Field(examples=["policy-77"])


class MadeOut(BaseModel):
    """The id of what was recorded."""

    id: UUID


class DoneFlag(BaseModel):
    """It is done; said again, nothing more happens."""

    done: Literal[True] = True


class AvoidableOut(BaseModel):
    """A contact that asked for money which the bank had already."""

    contact_id: UUID
    number: str
    rung: str
    channel: str
    contacted_on: date
    value_on: date


class ConductOut(BaseModel):
    """Contacts of the days asked for; `avoidable` should be empty."""

    since: date
    until: date
    contacts: int
    avoidable: list[AvoidableOut]


@router.get("/payment-sources", summary="Where payments are told, and how fresh each source is")
def get_sources(who: Reader, request: Request) -> SourcesOut:
    """By name; `late` ones hold overdue rungs now."""
    found = feeds.feeds_of(who.session, who.creditor_id)
    return SourcesOut(sources=[_source(feed, who, request) for feed in found])


@router.post("/payment-sources", summary="Rely on a source of payments")
def post_source(body: SourceIn, who: Cashier, request: Request) -> SourceOut:
    """Declared again, its terms change and what it told stays. A bank counts as complete up to the day before."""
    feed = feeds.declare(
        who.session, who.creditor_id, name=body.name, kind=body.kind, fresh_minutes=body.fresh_minutes,
        expected_by=body.expected_by, now=request.app.state.clock.now(),
    )  # fmt: skip
    return _source(feed, who, request)


@router.post("/payment-sources/{source}/told", summary="Say how far a source is")
def post_told(source: SourceName, body: ToldIn, who: Cashier, request: Request) -> SourceOut:
    """Post the payments first, then this: what waited for them is asked again at once. A day never goes back."""
    done = feeds.told(
        who.session, who.creditor_id, source, now=request.app.state.clock.now(), complete_to=body.complete_to, actor=who.actor
    )
    return _source(done.feed, who, request, done.rung)


@router.delete("/payment-sources/{source}", summary="Rely on a source no more")
def delete_source(source: SourceName, who: Decider, request: Request) -> DoneFlag:
    """What waited for it goes on."""
    feeds.withdraw(who.session, who.creditor_id, source, now=request.app.state.clock.now(), actor=who.actor)
    return DoneFlag()


@router.post("/invoices/{invoice_id}/payments-in-process", summary="Money for this invoice is on its way")
def post_in_process(invoice_id: UUID, body: InProcessIn, who: Cashier, request: Request) -> InProcessOut:
    """A cheque at the bank, a direct debit, a transfer that was begun: nothing is asked for its method's clearing time.

    With `gateway` and `state` its own word decides: a voucher that was only issued holds nothing, a failure releases.
    """
    now = request.app.state.clock.now()
    meant = clearing.meaning(body.gateway, body.state, body.method) if body.gateway else "in_process"
    if meant == "unknown":
        raise Refused("state", f"{body.state!r} is no state of {body.gateway} that says where the money is", status=422)
    if meant == "issued":
        return InProcessOut(result="issued")
    if meant == "failed":
        holds.release_in_process(who.session, invoice_id, money=(body.ref,), now=now)
        return InProcessOut(result="released")
    until = holds.hold_in_process(
        who.session, invoice_id, money=body.ref, now=now, method=body.method, actor=who.actor
    )  # fmt: skip
    return InProcessOut(result="nothing_owed" if until is None else "held", until=until)


@router.post("/invoices/{invoice_id}/instruments", status_code=201, summary="Hold a paper with a maturity for a debt")
def post_instrument(invoice_id: UUID, body: InstrumentIn, who: Cashier, request: Request, response: Response) -> InstrumentOut:
    """The sum it covers rests until maturity and clearing. Idempotent by `ref`: 201 new, 200 the same again."""
    held = instruments.hold_instrument(
        who.session, invoice_id, kind=body.kind, ref=body.ref, amount_minor=body.amount_minor, matures_on=body.matures_on,
        actor=who.actor, now=request.app.state.clock.now(),
    )  # fmt: skip
    response.status_code = 201 if held.new else 200
    return InstrumentOut(id=held.id, until=held.until, status="created" if held.new else "same")


@router.post("/invoices/{invoice_id}/instruments/{instrument_id}/end", summary="Say how a paper ended")
def post_instrument_end(invoice_id: UUID, instrument_id: UUID, body: InstrumentEndIn, who: Cashier, request: Request) -> DoneFlag:
    """Cleared: post its payment too. Returned: the ladder reopens at its first firm rung."""
    instruments.end_instrument(
        who.session, invoice_id, instrument_id, how=body.how, bank_cost_minor=body.bank_cost_minor, actor=who.actor,
        now=request.app.state.clock.now(),
    )  # fmt: skip
    return DoneFlag()


@router.post("/invoices/{invoice_id}/cession", status_code=201, summary="The debt was ceded to another creditor")
def post_cession(invoice_id: UUID, body: CessionIn, who: Decider, request: Request) -> MadeOut:
    """Nothing is sent until it comes back or the review date; a payment that comes to you becomes a task to forward it."""
    made = cessions.cede(
        who.session, invoice_id, assignee_ref=body.assignee_ref, ceded_on=body.ceded_on, notified_on=body.notified_on,
        review_at=body.review_at, actor=who.actor, now=request.app.state.clock.now(),
    )  # fmt: skip
    return MadeOut(id=made)


@router.post("/invoices/{invoice_id}/cession/end", summary="The ceded debt is yours again")
def post_cession_end(invoice_id: UUID, body: CessionEndIn, who: Decider, request: Request) -> DoneFlag:
    """By recourse, buy-back, or because the cession was cancelled."""
    cessions.end_cession(who.session, invoice_id, how=body.how, actor=who.actor, now=request.app.state.clock.now())
    return DoneFlag()


@router.post("/invoices/{invoice_id}/deadlines", summary="A deadline of somebody else's")
def post_deadline(invoice_id: UUID, body: DeadlineIn, who: Writer, request: Request) -> DoneFlag:
    """Opens a task due at the end of that day, whatever holds the invoice; it is done by itself when nothing is owed."""
    invoice = holds.locked_invoice(who.session, invoice_id)
    holds.must_owe(invoice)
    due = datetime.combine(body.on + timedelta(days=1), datetime.min.time(), ZoneInfo(invoice.zone))
    open_task(
        who.session, creditor_id=who.creditor_id, invoice_id=invoice.id, account_id=invoice.account_id, kind=body.kind,
        key=f"{invoice.id}:{body.ref}:{body.on.isoformat()}", due_at=due, now=request.app.state.clock.now(),
        why=f"{body.kind.replace('_', ' ')} by {body.on.isoformat()} ({body.ref}): no hold or pause moves this deadline",
    )  # fmt: skip
    return DoneFlag()


@router.get("/reports/conduct", summary="Contacts made, and those that came after the money")
def get_conduct(
    who: Reader, since: Annotated[date, Query(examples=["2026-03-01"])], until: Annotated[date, Query(examples=["2026-03-31"])]
) -> ConductOut:
    """Figure 20 of the weekly page: contacts made after a payment whose bank date was earlier. The target is none."""
    if not timedelta(0) <= until - since <= timedelta(days=366):
        raise Refused("span", "until must lie from 0 to 366 days after since", status=422)
    found = avoidable.conduct(who.session, who.creditor_id, since=since, until=until)
    return ConductOut(
        since=since, until=until, contacts=found.contacts, avoidable=[AvoidableOut(**each._asdict()) for each in found.avoidable]
    )


def _source(feed: Feed, who: Caller, request: Request, rung: int = 0) -> SourceOut:
    creditor = who.session.execute(text("select zone, country from creditor where id = :id"), {"id": str(who.creditor_id)}).one()
    late = is_late(feed, request.app.state.clock.now(), creditor.zone, creditor.country)
    return SourceOut(**feed.model_dump(), late=late, invoices_rung=rung)
