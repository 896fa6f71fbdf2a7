"""What gateways and providers report: verified on the raw body, stored once, applied once, answered after the commit (I5).

Nothing here waits for Temporal: the outbox rings later. What fails is answered with an error, so that the sender sends again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter, ValidationError
from sqlalchemy import Row, text
from sqlalchemy.orm import Session
from starlette.datastructures import State

from api.incoming import Came, Incoming, invoice_named, take_receipt, take_reply
from api.problems import Stop, responses
from api.stripe_events import apply_stripe
from channels import BadSignature, Receipt, carrier, email_sendgrid, gateways, sms_twilio
from channels.signatures import verify_sendgrid, verify_standard, verify_twilio
from clock import wall_now
from ledger import holds, inbox
from ledger.creditors import hash_token
from ledger.payments import record_payment, record_reversal
from policies.terms import Currency
from policies.typed import STORABLE, Day

router = APIRouter(prefix="/webhooks", tags=["Webhooks"], responses=responses(400, 401, 404, 413))

_T = TypeVar("_T")
# Knowing the creditor and seeing only its rows is one round trip; nothing is read or written before the signature is verified.
_ENDPOINT = text(
    "select id, creditor_id, kind, secret_sealed, set_config('puntual.creditor', creditor_id::text, true)"
    " from door_webhook(:hash)"
)
_Ref = Annotated[str, Field(min_length=1, max_length=120, pattern=STORABLE)]
_Above0 = Annotated[StrictInt, Field(gt=0, le=10**15, description="minor units")]


class _Loose(BaseModel):
    """Gateways add members as they like: what is not known is left alone, what is needed is checked."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Data(_Loose):
    """What every payment event carries."""

    id: _Ref = Field(description="the sender's own id; the same money always has the same one")
    amount_minor: _Above0
    currency: Currency


EARLIEST = date(1990, 1, 1)
PAID_AHEAD, VALUE_AHEAD = timedelta(days=2), timedelta(days=31)
"""How far after now, in any zone, a payer's and a bank's date may lie."""


class PaidData(_Data):
    """Money that came in."""

    invoice: _Ref | None = Field(None, description="invoice number, or the id Puntual gave it")
    paid_on: Day = Field(description="the payer's date")
    value_on: Day | None = Field(None, description="the bank's date; left out, the payer's")
    reference: str = Field(
        "", max_length=140, pattern=STORABLE, description="what came with the money, kept when it matches no invoice"
    )


class OnItsWayData(_Loose):
    """Money that was begun and has not come, or will not."""

    id: _Ref
    invoice: _Ref
    amount_minor: _Above0 | None = None
    currency: Currency | None = None


class ReversedData(_Data):
    """Money that went back."""

    reverses: _Ref = Field(description="the id of the payment it takes back, in whole or in part")
    paid_on: Day = Field(description="the day on which it went back")
    reason: Literal["refund", "chargeback", "bounced", "reversed"] = "reversed"


class Paid(_Loose):
    """payment.succeeded"""

    type: Literal["payment.succeeded"]
    timestamp: str = ""
    data: PaidData


class OnItsWay(_Loose):
    """payment.processing and payment.failed"""

    type: Literal["payment.processing", "payment.failed"]
    timestamp: str = ""
    data: OnItsWayData


class Reversed(_Loose):
    """payment.reversed"""

    type: Literal["payment.reversed"]
    timestamp: str = ""
    data: ReversedData


_KNOWN: TypeAdapter[Paid | OnItsWay | Reversed] = TypeAdapter(Annotated[Paid | OnItsWay | Reversed, Field(discriminator="type")])
_TYPES = ("payment.succeeded", "payment.processing", "payment.failed", "payment.reversed")


@router.post("/payments/{token}", summary="Payments, in the plain format signed by Standard Webhooks")
async def payments(token: str, request: Request) -> JSONResponse:
    """Events `payment.succeeded`, `.processing`, `.failed` and `.reversed`; others are stored and answered 200."""
    return await _gateway(token, request, "standard", _check_standard, _apply_standard)


@router.post("/stripe/{token}", summary="Stripe's events")
async def stripe(token: str, request: Request) -> JSONResponse:
    """Invoices, payment intents, checkouts, charges, refunds and disputes; others are stored and answered 200."""
    return await _gateway(token, request, "stripe", _check_stripe, apply_stripe)


@router.post("/sendgrid", summary="E-mail events")
async def sendgrid(request: Request) -> JSONResponse:
    """A batch; each event is stored and applied by itself, so a repeat of the batch does only what is missing."""
    body, state = await request.body(), request.app.state
    _genuine(lambda: verify_sendgrid(body, request.headers, public_key=state.settings.sendgrid_webhook_key, now=wall_now()))
    return await run_in_threadpool(_events, state, "sendgrid", lambda now: [
        *email_sendgrid.read_receipts(body, now=now), *email_sendgrid.read_replies(body, now=now)
    ])  # fmt: skip


@router.post("/twilio/status/{contact_id}", summary="SMS receipts")
async def twilio_status(contact_id: UUID, request: Request) -> JSONResponse:
    """One status callback of one message."""
    body, state = await request.body(), request.app.state
    _genuine(lambda: _verify_twilio(state, request, body))
    return await run_in_threadpool(
        _events, state, "twilio", lambda now: sms_twilio.read_receipts(body, contact_id=str(contact_id), now=now)
    )


@router.post("/twilio/inbound", summary="SMS replies")
async def twilio_inbound(request: Request) -> Response:
    """A customer's answer; an empty TwiML document means that nothing is answered by itself."""
    body, state = await request.body(), request.app.state
    _genuine(lambda: _verify_twilio(state, request, body))
    await run_in_threadpool(_events, state, "twilio", lambda now: sms_twilio.read_replies(body, now=now))
    return Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', media_type="text/xml")


@router.post("/carrier", summary="Receipts and replies of WhatsApp, calls and letters")
async def carrier_events(request: Request) -> JSONResponse:
    """The plain carrier's events, signed by Standard Webhooks."""
    body, state = await request.body(), request.app.state
    event_id = _genuine(
        lambda: carrier.verify_webhook(body, request.headers, secret=state.settings.carrier_secret, now=wall_now())
    )
    return await run_in_threadpool(_events, state, "carrier", lambda now: [
        *carrier.read_receipts(body, event_id=event_id, now=now), *carrier.read_replies(body, event_id=event_id, now=now)
    ])  # fmt: skip


def _genuine(check: Callable[[], _T]) -> _T:
    try:
        return check()
    except BadSignature as error:
        raise Stop(401, "signature-refused", f"{error}: check the secret and the clock of the sender") from error


def _verify_twilio(state: State, request: Request, body: bytes) -> None:
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{state.settings.public_url.rstrip('/')}{request.url.path}{query}"
    verify_twilio(url, body, request.headers, auth_token=state.settings.twilio_auth_token, now=wall_now())


def _check_standard(body: bytes, headers: Mapping[str, str], secret: str) -> tuple[str, Any]:
    event_id = verify_standard(body, headers, secret=secret, now=wall_now())
    return event_id, _read_standard(body)


def _check_stripe(body: bytes, headers: Mapping[str, str], secret: str) -> tuple[str, Any]:
    gateways.verify_stripe(body, headers, secret=secret, now=wall_now())
    event = gateways.read_stripe(body)
    return event.event_id, event


async def _gateway(
    token: str,
    request: Request,
    kind: str,
    check: Callable[[bytes, Mapping[str, str], str], tuple[str, Any]],
    apply: Callable[[Incoming, Any], str],
) -> JSONResponse:
    body = await request.body()
    return await run_in_threadpool(_one_gateway_event, request.app.state, token, body, request.headers, kind, check, apply)


def _one_gateway_event(
    state: State,
    token: str,
    body: bytes,
    headers: Mapping[str, str],
    kind: str,
    check: Callable[[bytes, Mapping[str, str], str], tuple[str, Any]],
    apply: Callable[[Incoming, Any], str],
) -> JSONResponse:
    now = state.clock.now()
    with Session(state.engine) as session, session.begin():
        endpoint: Row[Any] | None = session.execute(_ENDPOINT, {"hash": hash_token(token)}).one_or_none()
        if endpoint is None or endpoint.kind != kind:
            raise Stop(404, "not-found", "there is no such webhook address, or it was revoked")
        secret = state.sealer.unseal(endpoint.secret_sealed).decode()
        try:
            event_id, event = _genuine(lambda: check(body, headers, secret))
        except gateways.BadBody as error:
            raise Stop(400, "not-understood", str(error)) from error
        row = inbox.store(session, state.sealer, endpoint.creditor_id, kind, event_id, body, now=now, expected="applied")
        if row is None:
            return JSONResponse({"received": True, "result": "duplicate"})
        result = apply(Incoming(session, state.sealer, endpoint.creditor_id, now), event)
        if result != "applied":
            inbox.applied(session, row, result, now=now)
    return JSONResponse({"received": True, "result": result})


def _read_standard(body: bytes) -> Paid | OnItsWay | Reversed | str:
    """The event, or the name of a type that is only stored; raises BadBody naming the places that are wrong."""
    try:
        head = TypeAdapter(dict[str, Any]).validate_json(body)
    except ValidationError as error:
        raise gateways.BadBody("the body is not a JSON object") from error
    if head.get("type") not in _TYPES:
        return str(head.get("type", ""))[:60]
    try:
        return _KNOWN.validate_json(body)
    except ValidationError as error:
        places = "; ".join(f"/{'/'.join(str(p) for p in e['loc'][1:])}: {e['msg']}" for e in error.errors())
        raise gateways.BadBody(places) from error


def _refuse_strange_days(data: PaidData | OnItsWayData | ReversedData, now: datetime) -> None:
    """A payer's day that has not come yet, or a bank's far ahead, would judge promises wrongly (F66): ask the sender to look."""
    if isinstance(data, OnItsWayData):
        return
    days = [("paid_on", data.paid_on, PAID_AHEAD)]
    if isinstance(data, PaidData) and data.value_on is not None:
        days.append(("value_on", data.value_on, VALUE_AHEAD))
    for name, day, ahead in days:
        latest = (now + ahead).date()
        if not EARLIEST <= day <= latest:
            raise Stop(
                400, "not-understood", f"/data/{name}: {day} is not between {EARLIEST} and {latest}; correct it and send again"
            )


def _apply_standard(come: Incoming, event: Paid | OnItsWay | Reversed | str) -> str:
    if isinstance(event, str):
        return f"stored only: {event}"
    data = event.data
    _refuse_strange_days(data, come.now)
    if isinstance(data, ReversedData):
        done = record_reversal(
            come.session, come.creditor_id, source="standard", source_ref=data.id, payment_ref=data.reverses,
            currency=data.currency, amount_minor=data.amount_minor, reversed_on=data.paid_on, now=come.now,
            reason=data.reason,
        )  # fmt: skip
        return done.verdict
    invoice = invoice_named(come, (data.invoice,) if data.invoice else ())
    if isinstance(data, PaidData):
        done = record_payment(
            come.session, come.creditor_id, source="standard", source_ref=data.id, amount_minor=data.amount_minor, now=come.now,
            currency=data.currency, paid_on=data.paid_on, value_on=data.value_on or data.paid_on, invoice_id=invoice,
            hint=data.invoice or data.reference,
        )  # fmt: skip
        return done.verdict
    if invoice is None:
        return "no such invoice"
    change = holds.hold_in_process if event.type == "payment.processing" else holds.release_in_process
    change(come.session, invoice, money=data.id, now=come.now)
    return event.type


def _events(state: State, source: str, read: Callable[[Any], Sequence[Came]]) -> JSONResponse:
    """Each in its own short transaction, so that one that fails leaves the others done and is alone sent again."""
    now = state.clock.now()
    try:
        came = read(now)
    except (ValueError, KeyError) as error:
        raise Stop(400, "not-understood", f"the body is not what {source} sends: {type(error).__name__}") from error
    results: dict[str, int] = {}
    failed: Exception | None = None
    for item in came:
        take = take_receipt if isinstance(item, Receipt) else take_reply
        try:
            result = take(state, source, item, now)  # type: ignore[arg-type]
        except Exception as error:  # one that can never be applied must not keep those behind it from being applied
            failed = failed or error
            continue
        results[result] = results.get(result, 0) + 1
    if failed is not None:
        raise failed
    return JSONResponse({"received": True, "results": results})
