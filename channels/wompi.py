"""Wompi (Colombia): is an event genuine, and what does it say of a payment? Sums come in cents, as ISO 4217 counts the peso.

docs.wompi.co/docs/colombia/eventos: the checksum is SHA-256 over the values that `signature.properties` names, in that order,
then the timestamp and the events secret. The timestamp is seconds of the epoch; newer events write milliseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.gateways import BadBody, GatewayEvent, What, json_object
from channels.shapes import BadSignature
from policies.clearing import meaning

HEADER = "x-event-checksum"
OLDEST = timedelta(days=3)
"""Wompi tries again for a day; an older event is somebody's copy."""
_WHAT: dict[str, What] = {"paid": "paid", "in_process": "in_process", "failed": "not_paid", "issued": "nothing"}


def verify_wompi(body: bytes, headers: Mapping[str, str], *, secret: str, now: datetime | None = None) -> None:
    """Check the event's checksum against the events secret; with `now`, its age too. Raises BadSignature."""
    event = json_object(body)
    signature, stamp = event.get("signature"), event.get("timestamp")
    if not isinstance(signature, dict) or not isinstance(signature.get("properties"), list) or not isinstance(stamp, int):
        raise BadSignature("the event carries no signature with properties, or no timestamp")
    values = [_value(event.get("data"), str(name)) for name in signature["properties"]]
    if not values:
        raise BadSignature("the signature covers nothing")
    due = hashlib.sha256(f"{''.join(values)}{stamp}{secret}".encode()).hexdigest()
    given = {name.lower(): value for name, value in headers.items()}
    claimed = [str(signature.get("checksum", "")), *([given[HEADER]] if HEADER in given else [])]
    if not all(hmac.compare_digest(due.encode(), one.strip().lower().encode()) for one in claimed):
        raise BadSignature("the checksum is not the one of this event")
    if now is not None and now - _instant(stamp) > OLDEST:
        raise BadSignature(f"the event is older than {OLDEST.days} days")


def read_wompi(body: bytes) -> GatewayEvent:
    """What a verified event says; `nothing` for events that are no transaction. Raises BadBody."""
    event = json_object(body)
    thing = (event.get("data") or {}).get("transaction") if isinstance(event.get("data"), dict) else None
    at = _instant(event["timestamp"]) if isinstance(event.get("timestamp"), int) else datetime.fromtimestamp(0, tz=UTC)
    kind = str(event.get("event", ""))
    if kind != "transaction.updated" or not isinstance(thing, dict):
        return GatewayEvent(hashlib.sha256(body).hexdigest(), "nothing", kind[:60], at)
    try:
        status, method = str(thing["status"]), str(thing.get("payment_method_type") or "").lower()
        amount = thing["amount_in_cents"]
        if type(amount) is not int or amount <= 0:
            raise BadBody("transaction.amount_in_cents is not a whole number above 0")
        meant = meaning("wompi", status, method)
        if meant == "unknown":
            raise BadBody("transaction.status is none that Wompi documents")
        # A void takes back what was approved before; of a payment that never was, there is nothing to take.
        what: What = "taken_back" if status == "VOIDED" else _WHAT[meant]
        return GatewayEvent(
            f"{thing['id']}:{status}", what, f"{kind} {status}", at, money=str(thing["id"]), amount_minor=amount,
            currency=str(thing["currency"]), references=(str(thing["reference"]),), method=method,
            reversal="void" if what == "taken_back" else "",
        )  # fmt: skip
    except KeyError as error:
        raise BadBody(f"transaction lacks a field it must have: {error}") from error


def _value(data: Any, path: str) -> str:
    for name in path.split("."):
        if not isinstance(data, dict) or name not in data:
            raise BadSignature("the signature names a value that the event does not have")
        data = data[name]
    return json.dumps(data) if isinstance(data, bool) or data is None else str(data)


def _instant(stamp: int) -> datetime:
    try:
        return datetime.fromtimestamp(stamp / 1000 if stamp > 10**11 else stamp, tz=UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise BadSignature("the timestamp is no instant") from error
