"""The bodies of webhooks as the API's description shows them; the routes read the raw bytes, whose signature they check first."""

from __future__ import annotations

from typing import Any

from activities.payment_events import EVENTS

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_REFS = "#/components/schemas/{model}"


def _body(media: str, schema: dict[str, Any], **examples: Any) -> dict[str, Any]:
    shown = {name.replace("_", " "): {"value": value} for name, value in examples.items()}
    return {"requestBody": {"required": True, "content": {media: {"schema": schema, "examples": shown}}}}


def _object(description: str, needed: tuple[str, ...], **members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "required": list(needed), "properties": members}


_EVENTS = EVENTS.json_schema(ref_template=_REFS)
SCHEMAS: dict[str, Any] = _EVENTS.pop("$defs")
"""What the bodies refer to; the description's components hold it."""
_TEXT: dict[str, Any] = {"type": "string"}
_AT: dict[str, Any] = {"type": "string", "format": "date-time"}
_CONTACT: dict[str, Any] = {"type": "string", "format": "uuid", "description": "the contact, as it was given with the message"}
_ID = "01a200e7-0eb2-7844-8efd-31b0bd5406bf"
_PAID = {"id": "pay-1", "amount_minor": 25000000, "currency": "COP", "paid_on": "2026-03-14", "invoice": "F-1001"}

PAYMENTS = _body(
    JSON, _EVENTS,
    paid={"type": "payment.succeeded", "timestamp": "2026-03-14T15:00:00Z", "data": _PAID},
    on_its_way={"type": "payment.processing", "data": {"id": "pay-2", "invoice": "F-1001", "method": "boleto"}},
    failed={"type": "payment.failed", "data": {"id": "pay-2", "invoice": "F-1001"}},
    taken_back={"type": "payment.reversed", "data": {
        "id": "rev-1", "reverses": "pay-1", "amount_minor": 25000000, "currency": "COP", "paid_on": "2026-03-20",
        "reason": "chargeback"}},
)  # fmt: skip
STRIPE = _body(
    JSON,
    _object(
        "An event as Stripe sends it", ("id", "type", "data"), id=_TEXT, type=_TEXT, created={"type": "integer"},
        data=_object("Holds the object that the event is about", ("object",), object={"type": "object"}),
    ),
    paid={"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": 1773500400, "data": {"object": {
        "id": "pi_1", "object": "payment_intent", "amount_received": 25000000, "currency": "cop",
        "metadata": {"invoice_number": "F-1001"}}}},
)  # fmt: skip
WOMPI = _body(
    JSON,
    _object(
        "An event as Wompi sends it", ("event", "data", "signature", "timestamp"), event=_TEXT, timestamp={"type": "integer"},
        data=_object("Holds the transaction", ("transaction",), transaction={"type": "object"}),
        signature=_object("What is signed, and the checksum", ("properties", "checksum"), checksum=_TEXT,
                          properties={"type": "array", "items": _TEXT}),
    ),
    pending={"event": "transaction.updated", "timestamp": 1773500400, "sent_at": "2026-03-14T15:00:00Z", "data": {"transaction": {
        "id": "1234-1610641025-49201", "status": "PENDING", "amount_in_cents": 25000000, "currency": "COP",
        "payment_method_type": "PSE", "reference": "F-1001"}}, "signature": {"checksum": "5a18ec5e", "properties": [
        "transaction.id", "transaction.status", "transaction.amount_in_cents"]}},
)  # fmt: skip
SENDGRID = _body(
    JSON,
    {"type": "array", "items": _object(
        "One event; those without our contact_id are left alone", ("event",), event=_TEXT, sg_event_id=_TEXT, contact_id=_CONTACT,
        timestamp={"type": "integer"}, email=_TEXT, reason=_TEXT,
    )},
    delivered=[{"event": "delivered", "sg_event_id": "ev-1", "contact_id": _ID, "timestamp": 1773500400}],
)  # fmt: skip
TWILIO_STATUS = _body(
    FORM, _object("A status callback", ("MessageSid", "MessageStatus"), MessageSid=_TEXT, MessageStatus=_TEXT, ErrorCode=_TEXT),
    delivered={"MessageSid": "SM1", "MessageStatus": "delivered"},
)  # fmt: skip
TWILIO_INBOUND = _body(
    FORM,
    _object("A customer's message", ("MessageSid", "From"), MessageSid=_TEXT, From=_TEXT, To=_TEXT, Body=_TEXT, OptOutType=_TEXT),
    stop={"MessageSid": "SM2", "From": "+573001234567", "To": "+15005550006", "Body": "ALTO"},
)  # fmt: skip
CARRIER = _body(
    JSON,
    _object(
        "message.accepted, message.delivered, message.failed or message.received", ("type", "data"), type=_TEXT, timestamp=_AT,
        data=_object("Which message, and how it ended", (), contact_id=_CONTACT, id=_TEXT, code=_TEXT, channel=_TEXT, text=_TEXT,
                     **{"from": _TEXT}),
    ),
    failed={"type": "message.failed", "timestamp": "2026-03-14T15:00:00Z", "data": {"contact_id": _ID, "code": "no_answer"}},
    reply={"type": "message.received", "data": {"from": "+573001234567", "channel": "whatsapp", "text": "ya pagué"}},
)  # fmt: skip
