"""What gateways and providers report: verified on the raw body, stored once, applied once, answered when it is on disk (I5).

A gateway's event is stored, answered, and applied a moment later (api/handover.py): its sender waits for one round trip.
Receipts and replies are applied before they are answered; what fails is answered with an error, so that the sender sends again.
Nothing here waits for Temporal: the outbox rings later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.datastructures import State

from activities.payment_events import named_by, read_standard, refuse_strange_days
from api import webhook_bodies as bodies
from api.incoming import Came, take_receipt, take_reply
from api.problems import Stop, responses
from channels import BadSignature, Receipt, carrier, email_sendgrid, gateways, sms_twilio, wompi
from channels.signatures import verify_sendgrid, verify_standard, verify_twilio
from clock import wall_now
from ledger import inbox
from ledger.creditors import hash_token

router = APIRouter(prefix="/webhooks", tags=["Webhooks"], responses=responses(400, 401, 404, 413))

_T = TypeVar("_T")


class ReceivedOut(BaseModel):
    """The event is on disk, and applied a moment later; sent again, it is a `duplicate` and changes nothing."""

    received: Literal[True]
    result: Literal["stored", "duplicate"]


class ReceivedManyOut(BaseModel):
    """How many of the events ended how."""

    received: Literal[True]
    results: dict[str, int]


ADDRESSES_MOST = 10_000
"""How many webhook addresses this process remembers."""
AMOUNT_MOST = 10**15
"""The largest sum of a gateway's event in minor units, as in the plain format."""


@router.post(
    "/payments/{token}",
    summary="Payments, in the plain format signed by Standard Webhooks",
    response_model=ReceivedOut,
    openapi_extra=bodies.PAYMENTS,
)
async def payments(token: str, request: Request) -> JSONResponse:
    """Events `payment.succeeded`, `.processing`, `.failed` and `.reversed`; others are stored and answered 200."""
    return await _gateway(token, request, "standard")


@router.post("/stripe/{token}", summary="Stripe's events", response_model=ReceivedOut, openapi_extra=bodies.STRIPE)
async def stripe(token: str, request: Request) -> JSONResponse:
    """Invoices, payment intents, checkouts, charges, refunds and disputes; others are stored and answered 200."""
    return await _gateway(token, request, "stripe")


@router.post("/wompi/{token}", summary="Wompi's events", response_model=ReceivedOut, openapi_extra=bodies.WOMPI)
async def wompi_events(token: str, request: Request) -> JSONResponse:
    """Transactions of Wompi: approved, pending (on their way), declined and voided."""
    return await _gateway(token, request, "wompi")


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
        raise _not_genuine(error) from error


def _not_genuine(error: BadSignature) -> Stop:
    return Stop(401, "signature-refused", f"{error}: check the secret and the clock of the sender")


def _verify_twilio(state: State, request: Request, body: bytes) -> None:
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{state.settings.public_url.rstrip('/')}{request.url.path}{query}"
    verify_twilio(url, body, request.headers, auth_token=state.settings.twilio_auth_token, now=wall_now())


class _Read(NamedTuple):
    """What the door must know of an event: the sender's id of it, and by which references it names an invoice."""

    event_id: str
    references: tuple[str, ...]


_Check = Callable[[bytes, Mapping[str, str], str, datetime], _Read]
"""Verifies and reads a body. Raises BadSignature, then BadBody."""


def _check_standard(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> _Read:
    event_id = verify_standard(body, headers, secret=secret, now=wall_now())
    event = read_standard(body)
    refuse_strange_days(event, now)
    return _Read(event_id, named_by(event))


def _check_stripe(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> _Read:
    gateways.verify_stripe(body, headers, secret=secret, now=wall_now())
    return _storable(gateways.read_stripe(body))


def _check_wompi(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> _Read:
    wompi.verify_wompi(body, headers, secret=secret, now=wall_now())
    return _storable(wompi.read_wompi(body))


def _storable(event: gateways.GatewayEvent) -> _Read:
    """What no ledger could hold is refused while its sender still listens: acknowledged, it could never be applied."""
    if event.amount_minor > AMOUNT_MOST:
        raise gateways.BadBody(f"the amount is above {AMOUNT_MOST} in minor units")
    words = (event.event_id, event.money, *event.aliases, *event.references, event.payer, event.currency, event.reversal)
    if not all(word.isprintable() for word in words):
        raise gateways.BadBody("an id, a currency or a reference has a control character")
    return _Read(event.event_id, event.references)


_CHECKS: dict[str, _Check] = {"standard": _check_standard, "stripe": _check_stripe, "wompi": _check_wompi}


async def _gateway(token: str, request: Request, kind: str) -> JSONResponse:
    body = await request.body()
    return await run_in_threadpool(_one_gateway_event, request.app.state, token, body, request.headers, kind)


def _one_gateway_event(state: State, token: str, body: bytes, headers: Mapping[str, str], kind: str) -> JSONResponse:
    now, key, refused = state.clock.now(), hash_token(token), None
    for address in _addresses(state, key):
        if address.kind != kind:
            continue
        try:
            read = _CHECKS[kind](body, headers, state.sealer.unseal(address.secret_sealed).decode(), now)
        except BadSignature as error:
            refused = error
            continue
        except gateways.BadBody as error:
            raise Stop(400, "not-understood", str(error)) from error
        kept = inbox.keep(
            state.engine, state.sealer, key, address.secret_sealed, read.event_id, body, now=now, references=read.references
        )
        if kept is None:
            continue
        if kept.row is None:
            return JSONResponse({"received": True, "result": "duplicate"})
        state.handover.put(kept.creditor_id, kept.row, about=kept.account_id)
        return JSONResponse({"received": True, "result": "stored"})
    if refused is not None:
        raise _not_genuine(refused) from refused
    raise Stop(404, "not-found", "there is no such webhook address, or it was revoked")


def _addresses(state: State, key: bytes) -> Iterator[inbox.Address]:
    """The address as this process remembers it, which saves a round trip; then, where that did not do, as the ledger has it now.

    The statement that stores an event asks again whether its address stands, so one that was revoked opens nothing.
    """
    known: inbox.Address | None = state.addresses.get(key)
    if known is not None:
        yield known
    now = inbox.address(state.engine, key)
    if now is None:
        state.addresses.pop(key, None)
    elif now != known:
        if len(state.addresses) >= ADDRESSES_MOST:
            state.addresses.clear()
        state.addresses[key] = now
        yield now


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
