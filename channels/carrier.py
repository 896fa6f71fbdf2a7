"""WhatsApp, voice and letters by a plain carrier: JSON over HTTP out, Standard Webhooks back.

Out: `POST {carrier}/{channel}/messages` with `Idempotency-Key: <contact id>`; 202 answers `{"id": ...}`, a refusal answers
`{"code": ...}`. Back: `message.accepted`, `message.delivered`, `message.failed` and `message.received`, each
`{"type", "timestamp", "data"}` under the id in `webhook-id`. The real providers will take this page's place.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from channels.keywords import read_keyword
from channels.shapes import (
    Accepted,
    ChannelsConfig,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Reply,
    SendFailed,
    TryLater,
    Undeliverable,
)
from channels.signatures import verify_standard as verify_webhook
from channels.waiting import retry_after
from policies.terms import Channel

__all__ = ["CarrierSender", "read_receipts", "read_replies", "verify_webhook"]

PROVIDER = "carrier"
_CONFIGURATION_WAIT = timedelta(minutes=15)
_BUSY_WAIT = timedelta(minutes=1)
_ADDRESS_AT_FAULT = frozenset({"invalid_address", "unknown_address", "not_on_channel"})
_CODES_KEPT = frozenset({"opted_out", "refused", "too_long", "no_answer", "busy", "returned", "blocked", "expired"})

# httpx logs each address it calls; nothing of a customer is in it, but a line per message helps nobody.
logging.getLogger("httpx").setLevel(logging.WARNING)


class CarrierSender:
    """One of the plain channels; one instance serves all threads."""

    provider = PROVIDER

    def __init__(self, config: ChannelsConfig, channel: Channel) -> None:
        self.channel = channel
        self.http_client = httpx.Client(base_url=config.carrier_url.rstrip("/"), timeout=config.timeout_seconds)

    def send(self, outgoing: Outgoing) -> Accepted:
        """Accepted.provider_ref is the carrier's id; the same contact id sent twice gets the same one."""
        try:
            response = self.http_client.post(
                f"/{self.channel.value}/messages", json=_message(outgoing), headers={"Idempotency-Key": outgoing.contact_id}
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TryLater(_BUSY_WAIT, f"unreachable: carrier {type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"connection_lost: carrier {type(error).__name__}") from None
        if not response.is_success:
            raise _refusal(response)
        return Accepted(provider_ref=str(_object(response).get("id", "")))


def _message(outgoing: Outgoing) -> dict[str, Any]:
    message: dict[str, Any] = {
        "contact_id": outgoing.contact_id,
        "to": outgoing.to,
        "sender_name": outgoing.sender_name,
        "language": outgoing.language,
        "subject": outgoing.subject,
        "text": outgoing.text,
        "html": outgoing.html,
        "reply_to": outgoing.reply_to,
        "attachments": [
            {"name": file.name, "type": file.media_type, "content": base64.b64encode(file.content).decode()}
            for file in outgoing.attachments
        ],
    }
    return {name: value for name, value in message.items() if value}


def _refusal(response: httpx.Response) -> SendFailed:
    status, code = response.status_code, _word(_object(response).get("code"))
    tail = f"carrier {status}"
    if status == 429:
        return TryLater(retry_after(response.headers, _BUSY_WAIT), f"busy: {tail}")
    if status in (401, 403, 404) or status < 400:
        return TryLater(_CONFIGURATION_WAIT, f"configuration: {tail}; check PUNTUAL_CARRIER_URL and the channel's contract")
    if status in (502, 504):
        return OutcomeUnknown(f"gateway: {tail}")
    if status >= 500:
        return TryLater(retry_after(response.headers, _BUSY_WAIT), f"unavailable: {tail}")
    opted_out = code == "opted_out"
    return Undeliverable(f"{code}: {tail}", retire_address=opted_out or code in _ADDRESS_AT_FAULT, opted_out=opted_out)


def _object(response: httpx.Response) -> Mapping[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _word(code: object) -> str:
    """Only words we know: a carrier's free text could quote the address."""
    return str(code) if code in _ADDRESS_AT_FAULT | _CODES_KEPT else "refused"


_STATUSES: Mapping[str, ReceiptStatus] = {
    "message.accepted": "accepted",
    "message.delivered": "delivered",
    "message.failed": "failed",
}


def read_receipts(body: bytes, *, event_id: str, now: datetime) -> list[Receipt]:
    """The receipt in one event, or none when it is a reply. `event_id` is the `webhook-id` that the signature check returned.

    Raises ValueError when the event is not of the form in this page's head.
    """
    kind, data, at = _event(body, now)
    if kind not in _STATUSES:
        return []
    status = _STATUSES[kind]
    word = _word(data.get("code")) if status == "failed" else status
    return [
        Receipt(
            contact_id=str(data["contact_id"]),
            status=status,
            permanent=status == "failed" and (word in _ADDRESS_AT_FAULT or word == "opted_out"),
            reason=word,
            at=at,
            event_id=event_id,
            provider_ref=str(data.get("id", "")),
        )
    ]


def read_replies(body: bytes, *, event_id: str, now: datetime) -> list[Reply]:
    """The customer's answer in one event, or none when it is a receipt. Same errors as the receipts."""
    kind, data, at = _event(body, now)
    if kind != "message.received":
        return []
    text = str(data.get("text", ""))
    return [
        Reply(
            from_address=str(data["from"]),
            channel=Channel(data["channel"]),
            text=text,
            keyword=read_keyword(text),
            event_id=event_id,
            at=at,
            contact_id=str(data.get("contact_id", "")),
        )
    ]


def _event(body: bytes, now: datetime) -> tuple[str, Mapping[str, Any], datetime]:
    event = json.loads(body)
    data = event.get("data") if isinstance(event, dict) else None
    kind = event.get("type") if isinstance(event, dict) else None
    if not isinstance(data, dict) or not isinstance(kind, str):
        raise ValueError("a carrier event is a JSON object with type and data")
    needed = ("from", "channel") if kind == "message.received" else ("contact_id",)
    missing = [name for name in needed if not data.get(name)]
    if missing:
        raise ValueError(f"a carrier event {kind} needs data.{', data.'.join(missing)}")
    stamp = event.get("timestamp")
    at = datetime.fromisoformat(stamp) if isinstance(stamp, str) else now
    return kind, data, at if at.tzinfo is not None else now
