"""What gateways and providers report: verified on the raw body, stored once, applied once, answered after the commit (I5).

Nothing here waits for Temporal: the outbox rings later. What fails is answered with an error, so that the sender sends again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy import Row, text
from sqlalchemy.orm import Session
from starlette.datastructures import State

from api import webhook_bodies as bodies
from api.gateway_events import apply_gateway
from api.incoming import Came, Incoming, take_receipt, take_reply
from api.payment_events import apply_standard, read_standard
from api.problems import Stop, responses
from channels import BadSignature, Receipt, carrier, email_sendgrid, gateways, sms_twilio, wompi
from channels.signatures import verify_sendgrid, verify_standard, verify_twilio
from clock import wall_now
from ledger import inbox
from ledger.creditors import hash_token

router = APIRouter(prefix="/webhooks", tags=["Webhooks"], responses=responses(400, 401, 404, 413))

_T = TypeVar("_T")


class ReceivedOut(BaseModel):
    """The event is stored, and applied if it was new; sent again, it is a `duplicate`."""

    received: Literal[True]
    result: str


class ReceivedManyOut(BaseModel):
    """How many of the events ended how."""

    received: Literal[True]
    results: dict[str, int]


# Knowing the creditor and seeing only its rows is one round trip; nothing is read or written before the signature is verified.
_ENDPOINT = text(
    "select id, creditor_id, kind, secret_sealed, set_config('puntual.creditor', creditor_id::text, true)"
    " from door_webhook(:hash)"
)


@router.post(
    "/payments/{token}",
    summary="Payments, in the plain format signed by Standard Webhooks",
    response_model=ReceivedOut,
    openapi_extra=bodies.PAYMENTS,
)
async def payments(token: str, request: Request) -> JSONResponse:
    """Events `payment.succeeded`, `.processing`, `.failed` and `.reversed`; others are stored and answered 200."""
    return await _gateway(token, request, "standard", _check_standard, apply_standard)


@router.post("/stripe/{token}", summary="Stripe's events", response_model=ReceivedOut, openapi_extra=bodies.STRIPE)
async def stripe(token: str, request: Request) -> JSONResponse:
    """Invoices, payment intents, checkouts, charges, refunds and disputes; others are stored and answered 200."""
    return await _gateway(token, request, "stripe", _check_stripe, partial(apply_gateway, source="stripe"))


@router.post("/wompi/{token}", summary="Wompi's events", response_model=ReceivedOut, openapi_extra=bodies.WOMPI)
async def wompi_events(token: str, request: Request) -> JSONResponse:
    """Transactions of Wompi: approved, pending (on their way), declined and voided."""
    return await _gateway(token, request, "wompi", _check_wompi, partial(apply_gateway, source="wompi"))


@router.post("/sendgrid", summary="E-mail events", response_model=ReceivedManyOut, openapi_extra=bodies.SENDGRID)
async def sendgrid(request: Request) -> JSONResponse:
    """A batch; each event is stored and applied by itself, so a repeat of the batch does only what is missing."""
    body, state = await request.body(), request.app.state
    _genuine(lambda: verify_sendgrid(body, request.headers, public_key=state.settings.sendgrid_webhook_key, now=wall_now()))
    return await run_in_threadpool(_events, state, "sendgrid", lambda now: [
        *email_sendgrid.read_receipts(body, now=now), *email_sendgrid.read_replies(body, now=now)
    ])  # fmt: skip


@router.post(
    "/twilio/status/{contact_id}", summary="SMS receipts", response_model=ReceivedManyOut, openapi_extra=bodies.TWILIO_STATUS
)
async def twilio_status(contact_id: UUID, request: Request) -> JSONResponse:
    """One status callback of one message."""
    body, state = await request.body(), request.app.state
    _genuine(lambda: _verify_twilio(state, request, body))
    return await run_in_threadpool(
        _events, state, "twilio", lambda now: sms_twilio.read_receipts(body, contact_id=str(contact_id), now=now)
    )


@router.post(
    "/twilio/inbound", summary="SMS replies", response_class=Response, openapi_extra=bodies.TWILIO_INBOUND,
    responses={200: {"description": "an empty TwiML document", "content": {"text/xml": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def twilio_inbound(request: Request) -> Response:
    """A customer's answer; an empty TwiML document means that nothing is answered by itself."""
    body, state = await request.body(), request.app.state
    _genuine(lambda: _verify_twilio(state, request, body))
    await run_in_threadpool(_events, state, "twilio", lambda now: sms_twilio.read_replies(body, now=now))
    return Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', media_type="text/xml")


@router.post(
    "/carrier",
    summary="Receipts and replies of WhatsApp, calls and letters",
    response_model=ReceivedManyOut,
    openapi_extra=bodies.CARRIER,
)
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
    return event_id, read_standard(body)


def _check_stripe(body: bytes, headers: Mapping[str, str], secret: str) -> tuple[str, Any]:
    gateways.verify_stripe(body, headers, secret=secret, now=wall_now())
    event = gateways.read_stripe(body)
    return event.event_id, event


def _check_wompi(body: bytes, headers: Mapping[str, str], secret: str) -> tuple[str, Any]:
    wompi.verify_wompi(body, headers, secret=secret, now=wall_now())
    event = wompi.read_wompi(body)
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
