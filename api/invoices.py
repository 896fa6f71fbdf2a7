"""For billing systems: post invoices, one or many, read them, and say what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import text

from api.deductions import conversion_out, deductions_out
from api.examples import AMENDMENT, BATCH, INVOICE, INVOICE_IN_INSTALMENTS
from api.models import (
    AccountOut,
    AmendedOut,
    AmendIn,
    BatchOut,
    CancelIn,
    DoneOut,
    DueOut,
    HoldOut,
    InvoiceAccepted,
    InvoicePage,
    InvoiceRow,
    ManualOut,
    NextOut,
    PausedOut,
    PauseIn,
    ResumeIn,
)
from api.papers import InvoiceWithPapers, papers_of
from api.plan import foresee
from api.problems import BASE, Stop, problem, responses, validation_spots
from api.security import Caller, caller
from ledger import invoices as ledger
from ledger.acceptance import Accepted
from ledger.canonical import Difference
from ledger.deductions import deductions_of
from ledger.due_dates import confirm_due_date
from ledger.overview import book_size
from ledger.reading import Filter, State, View, find_invoice, holds_of, list_invoices, manual_of
from policies.intake import Problem, Unreadable
from policies.intake_model import AccountIn, InvoiceIn
from policies.manual import Manual
from policies.terms import Instant
from policies.typed import NUMBER, STORABLE

router = APIRouter(prefix="/v1/invoices", tags=["Invoices"])
Reader = Annotated[Caller, caller("invoices:read")]
Writer = Annotated[Caller, caller("invoices:write")]
BATCH_MAX = 10_000
BOOK_MAX = 120
"""Open invoices that a plan plays at most while an amendment holds the customer's lock; each takes about 20 ms."""
_CANCEL, _RESUME = CancelIn(), ResumeIn(reason="")
"""What is meant when no body is sent."""
_one = TypeAdapter(InvoiceIn)
_FINE = ("new", "same")
_STATUS = {"new": "created", "same": "same", "different": "different", "refused": "refused"}


@router.post(
    "", status_code=201, response_model=InvoiceAccepted, summary="Post an invoice to collect",
    responses={200: {"model": InvoiceAccepted, "description": "accepted before, with the same content"},
               **responses(401, 403, 409, 413, 415, 422, 429)},
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": {
        "one due date": {"value": INVOICE}, "instalments": {"value": INVOICE_IN_INSTALMENTS}}}}}},
)  # fmt: skip
def post_invoice(body: InvoiceIn, who: Writer, request: Request, response: Response) -> Any:
    """Idempotent by creditor and number: 201 new, 200 the same again, 409 another content, with what differs.

    The comparison is with the body first accepted, not with what amendments made of it since.
    """
    state = request.app.state
    found = ledger.accept(who.session, who.creditor_id, body, now=state.clock.now(), sealer=state.sealer, actor=who.actor)
    if found.verdict == "different":
        sent = {"instalments": body.instalments, "index": body.index}
        return JSONResponse(_problem(found, sent), 409, media_type="application/problem+json")
    response.headers["Location"] = f"/v1/invoices/{found.id}"
    response.status_code = 201 if found.verdict == "new" else 200
    return {"id": found.id, "number": body.number, "status": _STATUS[found.verdict]}


async def _raw_body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/batch", response_model=BatchOut, summary="Post up to 10,000 invoices",
    responses=responses(400, 401, 403, 413, 415, 422, 429),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/BatchIn"}, "example": BATCH}}}},
)  # fmt: skip
def post_batch(raw: Annotated[bytes, Depends(_raw_body)], who: Writer, request: Request) -> Response:
    """One result for each, in order; a bad one never loses the others, and sending the whole again does no harm."""
    state = request.app.state
    items = _batch(raw)
    found = ledger.accept_batch(
        who.session, who.creditor_id, _each(items), now=state.clock.now(), sealer=state.sealer, actor=who.actor
    )
    results = [
        {"index": index, "status": _STATUS[one.verdict], "id": one.id,
         "problem": None if one.verdict in _FINE else _problem(one, items[index])}
        for index, one in enumerate(found)
    ]  # fmt: skip
    counts = Counter(result["status"] for result in results)
    return Response(to_json({**{s: counts[s] for s in _STATUS.values()}, "results": results}), media_type="application/json")


@router.get("", response_model=InvoicePage, summary="List invoices", responses=responses(401, 403, 422, 429))
def get_invoices(
    who: Reader,
    request: Request,
    status: Annotated[State | None, Query(description="`closed` is all that is not open")] = None,
    number: Annotated[
        str | None, Query(max_length=64, pattern=NUMBER, description="the invoice's number, exactly as you posted it")
    ] = None,
    account: Annotated[
        str | None, Query(max_length=120, pattern=STORABLE, description="the account's reference, as you posted it")
    ] = None,
    overdue: Annotated[
        bool | None, Query(description="whether an open invoice has money left past its effective due date")
    ] = None,
    next_before: Annotated[Instant | None, Query(description="whose next step comes before this instant")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> InvoicePage:
    """In the order they came in; follow `cursor` for more."""
    # A reference that is personal was made opaque when it came in; both forms find the account.
    refs = () if account is None else (account, request.app.state.sealer.opaque_ref(account))
    wanted = Filter(status, refs, overdue, next_before, _today(who, request), number)
    page = list_invoices(who.session, wanted, limit=limit, cursor=cursor)
    return InvoicePage(invoices=[InvoiceRow(**_row(view)) for view in page.views], cursor=page.cursor)


@router.get(
    "/{invoice_id}", response_model=InvoiceWithPapers, summary="Read an invoice", responses=responses(401, 403, 404, 422, 429)
)
def get_invoice(invoice_id: UUID, who: Reader, request: Request) -> InvoiceWithPapers:
    """Its balance, what comes next and why, what holds it, and the manual it follows with the level each part came from."""
    view = find_invoice(who.session, invoice_id)
    manual = manual_of(who.session, view.row.manual_id)
    origin = dict.fromkeys(Manual.model_fields, "creditor") | manual.origin
    held = holds_of(who.session, invoice_id, request.app.state.clock.now())
    holds = [HoldOut.model_validate(hold, from_attributes=True) for hold in held]
    return InvoiceWithPapers(
        **_row(view), outcome_at=view.row.outcome_at, cycle=view.row.cycle, revision=view.row.revision, holds=holds,
        manual=ManualOut(id=manual.id, name=manual.name, origin=origin, content=manual.content),
        deductions=deductions_out(deductions_of(who.session, [invoice_id]).get(invoice_id, [])),
        conversion=conversion_out(who.session, who.creditor_id, view.row, request.app.state.clock.now()),
        **papers_of(who.session, invoice_id),
    )  # fmt: skip


@router.patch(
    "/{invoice_id}", response_model=AmendedOut, summary="Amend due dates or sums",
    responses=responses(401, 403, 404, 409, 415, 422, 429),
    openapi_extra={"requestBody": {"content": {"application/json": {"example": AMENDMENT}}}},
)  # fmt: skip
def patch_invoice(invoice_id: UUID, body: AmendIn, who: Writer, request: Request) -> AmendedOut:
    """The plan is drawn anew from the changed dates, and both plans are answered, the year to come (F7). Sending the same again
    changes nothing. Where a plan would play very many invoices both are null: ask for `/plan`."""
    account, now = find_invoice(who.session, invoice_id).row.account_id, request.app.state.clock.now()
    dues = _amended_dues(body, ledger.due_list(who.session, invoice_id))
    drawn = book_size(who.session, account) <= BOOK_MAX
    before = foresee(who.session, account, invoice_id, now=now) if drawn else None
    said_at = "/instalments" if body.instalments else "/due_on"
    done = ledger.amend(who.session, invoice_id, dues, reason=body.reason, now=now, actor=who.actor, said_at=said_at)
    if body.due_on is not None or body.instalments:  # a day that is said is assumed no longer
        confirm_due_date(who.session, invoice_id, now=now, actor=who.actor)
    after = foresee(who.session, account, invoice_id, now=now) if done.changed and drawn else before
    return AmendedOut(
        changed=done.changed, balance_minor=done.balance_minor, freed_minor=done.freed_minor, plan_before=before, plan_after=after
    )


@router.post("/{invoice_id}/cancel", response_model=DoneOut, summary="Cancel", responses=responses(401, 403, 404, 409, 422, 429))
def cancel_invoice(invoice_id: UUID, who: Writer, request: Request, body: CancelIn = _CANCEL) -> DoneOut:
    """Nothing is owed any more; what was paid becomes unallocated."""
    done = ledger.cancel(who.session, invoice_id, reason=body.reason, now=request.app.state.clock.now(), actor=who.actor)
    return DoneOut(changed=done)


@router.post(
    "/{invoice_id}/pause", response_model=PausedOut, summary="Pause until an instant",
    responses=responses(401, 403, 404, 409, 422, 429),
)  # fmt: skip
def pause_invoice(invoice_id: UUID, body: PauseIn, who: Writer, request: Request) -> PausedOut:
    """Nothing is sent until then; it resumes by itself (F74). A new pause replaces the present one. 409 once it is over."""
    hold = ledger.pause(
        who.session, invoice_id, until=body.until, reason=body.reason, now=request.app.state.clock.now(), actor=who.actor
    )
    return PausedOut(id=hold, until=body.until)


@router.post("/{invoice_id}/resume", response_model=DoneOut, summary="Resume now", responses=responses(401, 403, 404, 422, 429))
def resume_invoice(invoice_id: UUID, who: Writer, request: Request, body: ResumeIn = _RESUME) -> DoneOut:
    """Ends the present pause; without one, nothing changes."""
    now = request.app.state.clock.now()
    return DoneOut(changed=ledger.resume(who.session, invoice_id, now=now, reason=body.reason, actor=who.actor))


def _batch(raw: bytes) -> list[Any]:
    try:
        document = from_json(raw)
    except ValueError as wrong:
        raise Stop(400, "not-json", f"the body is not JSON: {wrong}") from None
    invoices = document.get("invoices") if isinstance(document, dict) else None
    if not isinstance(invoices, list) or set(document) != {"invoices"}:
        raise Unreadable([Problem("/invoices", 'a batch is {"invoices": [...]} and nothing else')])
    if len(invoices) > BATCH_MAX:
        raise Unreadable([Problem("/invoices", f"at most {BATCH_MAX:,} at a time; this has {len(invoices):,}")])
    return invoices


def _each(items: list[Any]) -> Iterator[InvoiceIn | Unreadable]:
    """Each invoice with its shape checked; those that say the same of their account share one object of it."""
    accounts: dict[str, AccountIn] = {}
    for item in items:
        said = repr(item["account"]) if isinstance(item, dict) and isinstance(item.get("account"), dict) else ""
        body = _validated(item | {"account": accounts[said]} if said in accounts else item)
        if said and isinstance(body, InvoiceIn):
            accounts[said] = body.account
        yield body


def _validated(item: Any) -> InvoiceIn | Unreadable:
    try:
        return _one.validate_python(item)
    except ValidationError as wrong:
        spots = validation_spots(wrong.errors(include_url=False, include_input=False))
        return Unreadable([Problem(spot["pointer"], spot["detail"]) for spot in spots])


def _problem(accepted: Accepted, sent: dict[str, Any]) -> dict[str, Any]:
    """The answer to a posted invoice that was not accepted; of its body, `sent` holds at least instalments and index."""
    if accepted.verdict == "refused":
        return _invalid([{"where": "body", "pointer": p.pointer, "detail": p.detail} for p in accepted.problems])
    found = _where_sent(accepted.differences, sent)
    paths = ", ".join(d.pointer for d in found[:5])
    detail = f"this number was accepted before with another content ({paths}): amend that invoice, or give this its own number"
    shown = [difference.as_dict() for difference in found]
    return _body(problem(409, "invoice-differs", detail, id=str(accepted.id), differences=shown))


def _where_sent(found: Sequence[Difference], sent: dict[str, Any]) -> list[Difference]:
    """The differences with pointers into what was sent: the ledger keeps a single due date as the first instalment."""
    if sent.get("instalments"):
        return list(found)
    amount = "/index/units" if sent.get("index") else "/amount_minor"
    places = {"/instalments/0/due_on": "/due_on", "/instalments/0/amount_minor": amount}
    # Its number is of our making; it differs only where a due date stands on one side alone, which is told.
    told = (one for one in found if one.pointer != "/instalments/0/number")
    return [replace(one, pointer=places.get(one.pointer, one.pointer)) for one in told]


def _invalid(errors: list[dict[str, str]]) -> dict[str, Any]:
    detail = "; ".join(f"{e['pointer']}: {e['detail']}" for e in errors[:3])
    title = "This invoice makes no sense as it is"
    return {"type": BASE + "invalid", "title": title, "status": 422, "detail": detail, "errors": errors}


def _body(response: JSONResponse) -> dict[str, Any]:
    body: dict[str, Any] = from_json(bytes(response.body))
    return body


def _row(view: View) -> dict[str, Any]:
    row = view.row
    step = None
    if row.next_kind is not None:
        step = NextOut(kind=row.next_kind, at=row.next_at, rung=row.next_rung, channel=row.next_channel, why=row.next_why)
    return {
        "id": row.id, "number": row.number, "currency": row.currency, "issued_on": row.issued_on, "state": row.state,
        "account": AccountOut(
            id=row.account_id, ref=row.account_ref, kind=row.account_kind, country=row.account_country, zone=row.account_zone
        ),
        "balance_minor": row.balance_minor, "payable_minor": max(row.balance_minor - row.apart_minor, 0), "next": step,
        "payment_currency": row.payment_currency, "held_why": row.held_why, "entered_at": row.entered_at,
        "instalments": [DueOut(**due._mapping, effective_due_on=view.effective_due(due.due_on)) for due in view.dues],
        "workflow_id": row.workflow_id,
    }  # fmt: skip


def _amended_dues(body: AmendIn, present: list[tuple[int, date, int]]) -> list[tuple[int, date, int]]:
    if body.instalments:
        if body.due_on is not None or body.amount_minor is not None:
            raise Unreadable([Problem("/instalments", "give either instalments, or due_on and amount_minor")])
        return [(i.number, i.due_on, i.amount_minor) for i in body.instalments]
    if body.due_on is None and body.amount_minor is None:
        raise Unreadable([Problem("", "nothing to amend: give due_on, amount_minor or instalments")])
    if len(present) != 1:
        raise Unreadable([Problem("/instalments", f"this invoice has {len(present)} instalments: give the whole list")])
    number, due_on, amount = present[0]
    return [(number, body.due_on or due_on, body.amount_minor or amount)]


def _today(who: Caller, request: Request) -> date:
    zone = who.session.execute(text("select zone from creditor")).scalar_one()
    today: date = request.app.state.clock.now().astimezone(ZoneInfo(zone)).date()
    return today
