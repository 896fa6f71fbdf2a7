"""Payment gateways: is a webhook genuine, and what does it say in plain terms? Stripe's page, and the plain standard format.

Sums come in minor units; Stripe counts three currencies otherwise than ISO 4217, which is put right here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from stripe import SignatureVerificationError, WebhookSignature

from channels.shapes import BadSignature
from policies.clearing import DELAYED_DEBITS

STRIPE_TOLERANCE = timedelta(minutes=5)

# docs.stripe.com/currencies: UGX and ISK are written with two decimals although they have none, MGA without although it has two.
_STRIPE_TO_ISO = {"UGX": (1, 100), "ISK": (1, 100), "MGA": (100, 1)}

What = Literal["paid", "in_process", "not_paid", "refunded_total", "taken_back", "given_back", "nothing"]


class BadBody(ValueError):
    """Genuine, but not what this kind of event must look like. The message names the field and quotes no value."""


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """One event of Stripe in our words. `money` names the same money in every event that reports it.

    `references` are looked up in this order: our invoice id or number from the metadata, then the gateway's own number.
    """

    event_id: str
    what: What
    why: str
    at: datetime
    money: str = ""
    aliases: tuple[str, ...] = ()
    """Other names under which the same money may have been reported before."""
    amount_minor: int = 0
    currency: str = ""
    references: tuple[str, ...] = ()
    payer: str = ""
    """The gateway's own id of its customer."""
    method: str = ""
    """How it is paid, in the gateway's own word: how long it may be on its way hangs on it."""
    reversal: str = ""
    """Names a dispute; the same in each of its events."""


def verify_stripe(
    body: bytes, headers: Mapping[str, str], *, secret: str, now: datetime, tolerance: timedelta = STRIPE_TOLERANCE
) -> None:
    """Check Stripe-Signature on the raw body; raises BadSignature. The library compares, the age is judged by `now`."""
    given = {name.lower(): value for name, value in headers.items()}
    header = given.get("stripe-signature", "")
    try:
        WebhookSignature.verify_header(body, header, secret)
    except SignatureVerificationError as error:
        raise BadSignature(str(error).split(".")[0]) from error
    except UnicodeDecodeError as error:
        raise BadSignature("the body is not UTF-8") from error
    stamp = next(int(part[2:]) for part in header.split(",") if part.startswith("t="))
    if abs(now.timestamp() - stamp) > tolerance.total_seconds():
        raise BadSignature(f"signed {round(now.timestamp() - stamp)} seconds ago, which is more than {tolerance} from now")


def read_stripe(body: bytes) -> GatewayEvent:
    """What a verified Stripe event says; `nothing` for types that are only stored. Raises BadBody."""
    event = json_object(body)
    kind, thing = event.get("type"), event.get("data", {})
    thing = thing.get("object") if isinstance(thing, dict) else None
    if not isinstance(event.get("id"), str) or not isinstance(kind, str) or not isinstance(thing, dict):
        raise BadBody("a Stripe event has id, type and data.object")
    created = event.get("created")
    at = datetime.fromtimestamp(created, tz=UTC) if isinstance(created, int) else datetime.fromtimestamp(0, tz=UTC)
    reader = _READERS.get(kind)
    if reader is None:
        return GatewayEvent(event["id"], "nothing", kind, at)
    try:
        return reader(event["id"], kind, thing, at)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadBody(f"{kind} lacks a field it must have: {error}") from error


def stripe_minor(amount: int, currency: str) -> tuple[int, str]:
    """Stripe's amount in minor units of ISO 4217; raises BadBody when Stripe's own rule (a multiple of 100) is broken."""
    code = currency.upper()
    times, parts = _STRIPE_TO_ISO.get(code, (1, 1))
    if (amount * times) % parts:
        raise BadBody(f"the amount in {code} has a fraction that the currency does not have")
    return amount * times // parts, code


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a body is; raises BadBody."""
    try:
        event = json.loads(body)
    except ValueError as error:
        raise BadBody("the body is not JSON") from error
    if not isinstance(event, dict):
        raise BadBody("the body is not a JSON object")
    return event


def _id(value: Any) -> str:
    """An id, or the id of the expanded object; empty when there is none."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) else ""


def _references(thing: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = thing.get("metadata") or {}
    named = [metadata.get("puntual_invoice"), metadata.get("invoice_number"), thing.get("client_reference_id")]
    if thing.get("object") == "invoice":
        named.append(thing.get("number"))
    return tuple(dict.fromkeys(str(n) for n in named if n))


def _event(event_id: str, what: What, why: str, at: datetime, amount: int, thing: Mapping[str, Any], **more: Any) -> GatewayEvent:
    amount_minor, currency = stripe_minor(amount, thing["currency"])
    if amount_minor <= 0 and what == "paid":
        what = "nothing"
    return GatewayEvent(
        event_id,
        what,
        why,
        at,
        amount_minor=amount_minor,
        currency=currency,
        references=_references(thing),
        payer=_id(thing.get("customer")),
        **more,
    )


def _payment_intent(event_id: str, kind: str, thing: dict[str, Any], at: datetime) -> GatewayEvent:
    what: What = {"payment_intent.succeeded": "paid", "payment_intent.processing": "in_process"}.get(kind, "not_paid")  # type: ignore[assignment]
    amount = thing["amount_received"] if what == "paid" else thing["amount"]
    method = _only(thing.get("payment_method_types"))
    aliases = _some(_id(thing.get("invoice")))
    return _event(event_id, what, kind, at, amount, thing, money=thing["id"], aliases=aliases, method=method)


def _charge_paid(event_id: str, kind: str, thing: dict[str, Any], at: datetime) -> GatewayEvent:
    money = _id(thing.get("payment_intent")) or thing["id"]
    amount = thing.get("amount_captured", thing["amount"])
    what: What = "paid" if thing.get("paid") and thing.get("captured", True) else "nothing"
    return _event(event_id, what, kind, at, amount, thing, money=money, aliases=_some(_id(thing.get("invoice"))))


def _invoice_paid(event_id: str, kind: str, thing: dict[str, Any], at: datetime) -> GatewayEvent:
    listed = [
        _id((item.get("payment") or {}).get("payment_intent")) or _id((item.get("payment") or {}).get("charge"))
        for item in (thing.get("payments") or {}).get("data", [])
    ]
    if thing.get("paid_out_of_band"):
        return _event(event_id, "paid", kind, at, thing["amount_paid"], thing, money=f"out_of_band:{thing['id']}")
    money = _id(thing.get("payment_intent")) or next(filter(None, listed), "") or _id(thing.get("charge")) or thing["id"]
    aliases = _some(*(name for name in (_id(thing.get("charge")), thing["id"]) if name != money))
    return _event(event_id, "paid", kind, at, thing["amount_paid"], thing, money=money, aliases=aliases)


def _checkout(event_id: str, kind: str, thing: dict[str, Any], at: datetime) -> GatewayEvent:
    if thing.get("mode") == "setup" or thing.get("amount_total") is None or thing.get("currency") is None:
        return GatewayEvent(event_id, "nothing", kind, at)
    money = _id(thing.get("payment_intent")) or _id(thing.get("invoice")) or thing["id"]
    methods = thing.get("payment_method_types") or []
    what: What = "paid"
    if thing.get("payment_status") != "paid":
        # A voucher that was handed out, or a page that was left, is not money on its way; a direct debit is.
        what = "in_process" if methods and DELAYED_DEBITS.issuperset(methods) else "nothing"
    if kind == "checkout.session.async_payment_failed":
        what = "not_paid"
    aliases = _some(*(name for name in (_id(thing.get("invoice")), thing["id"]) if name != money))
    method = _only(methods)
    return _event(event_id, what, kind, at, thing["amount_total"], thing, money=money, aliases=aliases, method=method)


def _refunded(event_id: str, kind: str, thing: dict[str, Any], at: datetime) -> GatewayEvent:
    money = _id(thing.get("payment_intent")) or thing["id"]
    what: What = "refunded_total" if thing["amount_refunded"] > 0 else "nothing"
    return _event(event_id, what, kind, at, thing["amount_refunded"], thing, money=money, aliases=_some(thing["id"]))


def _dispute(event_id: str, kind: str, thing: dict[str, Any], at: datetime) -> GatewayEvent:
    """An inquiry (status warning_...) moves no money; a dispute does when it begins, and a won one moves it back."""
    status = str(thing.get("status", ""))
    what: What = "taken_back"
    if status.startswith("warning"):
        what = "nothing"
    elif kind == "charge.dispute.funds_reinstated" or (kind == "charge.dispute.closed" and status == "won"):
        what = "given_back"
    money = _id(thing.get("payment_intent")) or _id(thing["charge"])
    aliases = _some(_id(thing["charge"]))
    return _event(event_id, what, kind, at, thing["amount"], thing, money=money, aliases=aliases, reversal=thing["id"])


def _only(methods: Any) -> str:
    """The one method that was offered, where there was only one."""
    return str(methods[0]) if isinstance(methods, list) and len(methods) == 1 else ""


def _some(*names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name)


_READERS = {
    "payment_intent.succeeded": _payment_intent,
    "payment_intent.processing": _payment_intent,
    "payment_intent.payment_failed": _payment_intent,
    "payment_intent.canceled": _payment_intent,
    "charge.succeeded": _charge_paid,
    "charge.captured": _charge_paid,
    "invoice.paid": _invoice_paid,
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "checkout.session.async_payment_failed": _checkout,
    "charge.refunded": _refunded,
    "charge.dispute.created": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
}
