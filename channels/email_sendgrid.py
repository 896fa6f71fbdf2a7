"""E-mail by SendGrid: send (v3 mail/send), what its answers mean, its event webhook as receipts and stops, its signature.

Sources: SendGrid v3 API reference (mail send, errors) and "Event Webhook Reference".
"""

from __future__ import annotations

import base64
import errno
import http.client
import json
import logging
import socket
import ssl
import urllib.error
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

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
from channels.signatures import verify_sendgrid as verify_events
from channels.waiting import retry_after
from policies.terms import Channel

__all__ = ["SendGridSender", "read_receipts", "read_replies", "verify_events"]

PROVIDER = "sendgrid"
_CONFIGURATION_WAIT = timedelta(minutes=15)
_BUSY_WAIT = timedelta(minutes=1)
# Nothing was sent when the connection itself could not be made.
_NEVER_CONNECTED = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)

# The SDK writes each request's body at debug level: names and addresses would reach a log.
logging.getLogger("python_http_client").setLevel(logging.WARNING)


class SendGridSender:
    """Sends through the real SDK; one instance serves all threads."""

    channel = Channel.EMAIL
    provider = PROVIDER

    def __init__(self, config: ChannelsConfig) -> None:
        if not config.sender_email:
            raise ValueError("the sender's e-mail address is not set: PUNTUAL_SENDER_EMAIL")
        self._from = config.sender_email
        self.sdk = SendGridAPIClient(config.sendgrid_api_key, host=config.sendgrid_base_url.rstrip("/"))
        self.sdk.client.timeout = config.timeout_seconds  # the SDK's own default is to wait for ever

    def send(self, outgoing: Outgoing) -> Accepted:
        """Accepted.provider_ref is the X-Message-Id, with which SendGrid's sg_message_id begins."""
        try:
            response = self.sdk.client.mail.send.post(request_body=_mail(outgoing, self._from))
        except HTTPError as error:
            raise _refusal(error.status_code, error.body, error.headers) from None
        except urllib.error.URLError as error:
            raise _lost(error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise _lost(error) from None
        if response.status_code != 202:
            # 200 is the sandbox, or a page that a redirect led to: nothing was queued.
            raise TryLater(
                _CONFIGURATION_WAIT, f"configuration: sendgrid answered {response.status_code}, not 202; check its base address"
            )
        return Accepted(provider_ref=response.headers.get("X-Message-Id") or "")


def _mail(outgoing: Outgoing, sender: str) -> dict[str, Any]:
    mail: dict[str, Any] = {
        "personalizations": [{"to": [{"email": outgoing.to}], "custom_args": {"contact_id": outgoing.contact_id}}],
        "from": {"email": sender, "name": outgoing.sender_name},
        "subject": outgoing.subject,
        "content": [{"type": "text/plain", "value": outgoing.text}],
    }
    if outgoing.html:
        mail["content"].append({"type": "text/html", "value": outgoing.html})
    if outgoing.reply_to:
        mail["reply_to"] = {"email": outgoing.reply_to}
    if outgoing.category:
        mail["categories"] = [outgoing.category]
    if outgoing.attachments:
        mail["attachments"] = [
            {
                "content": base64.b64encode(file.content).decode(), "filename": file.name, "type": file.media_type,
                "disposition": "attachment",
            }
            for file in outgoing.attachments
        ]  # fmt: skip
    if outgoing.stop_url:
        mail["headers"] = {"List-Unsubscribe": f"<{outgoing.stop_url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return mail


def _refusal(status: int, body: Any, headers: Any) -> SendFailed:
    """The status table. 502 and 504 come from something between us, so what happened behind it is not known."""
    if status in (401, 403):
        return TryLater(_CONFIGURATION_WAIT, f"configuration: sendgrid answered {status}; check the key and the verified sender")
    if status == 429:
        return TryLater(retry_after(headers, _BUSY_WAIT), "busy: sendgrid 429")
    if status in (400, 413):
        field = _refused_field(body)
        at_fault = field.startswith("personalizations") and ".to" in field
        word = "invalid_address" if at_fault else "too_large" if status == 413 else "refused"
        return Undeliverable(f"{word}: sendgrid {status} {field}".rstrip(), retire_address=at_fault)
    if status in (502, 504):
        return OutcomeUnknown(f"gateway: sendgrid {status}")
    if status >= 500:
        return TryLater(_BUSY_WAIT, f"unavailable: sendgrid {status}")
    return TryLater(_CONFIGURATION_WAIT, f"configuration: sendgrid answered {status}; check its base address")


def _refused_field(body: Any) -> str:
    """The field SendGrid names (`personalizations.0.to.0.email`); its message may quote the address, so it is not kept."""
    try:
        errors = json.loads(body).get("errors") or [{}]
        return str(errors[0].get("field") or "")
    except (ValueError, AttributeError, IndexError, TypeError):
        return ""


def _lost(error: object) -> SendFailed:
    kind = type(error).__name__
    if isinstance(error, _NEVER_CONNECTED) or (isinstance(error, OSError) and error.errno in _UNREACHABLE):
        return TryLater(_BUSY_WAIT, f"unreachable: sendgrid {kind}")
    return OutcomeUnknown(f"connection_lost: sendgrid {kind}")


# Dropped means SendGrid kept the message back because of what it knew of the address before.
_DROPPED_FOR_GOOD = ("bounced address", "invalid")
_DROPPED_BY_STOP = ("unsubscribed address", "spam reporting address")
_STOP_EVENTS = frozenset({"unsubscribe", "group_unsubscribe", "spamreport"})


def read_receipts(body: bytes, *, now: datetime) -> list[Receipt]:
    """The receipts in an event batch; opens, clicks and events without our contact id are left out.

    Raises ValueError when the body is not a list of events.
    """
    return [receipt for event in _events(body) if (receipt := _receipt(event, now)) is not None]


def read_replies(body: bytes, *, now: datetime) -> list[Reply]:
    """The stops in an event batch: unsubscribed, reported as spam, or dropped because of either. Same errors as the receipts."""
    return [
        Reply(
            from_address=str(event.get("email", "")),
            channel=Channel.EMAIL,
            text="",
            keyword="stop",
            event_id=f"{event.get('sg_event_id', '')}:stop",
            at=_at(event, now),
            contact_id=str(event.get("contact_id", "")),
        )
        for event in _events(body)
        if event.get("event") in _STOP_EVENTS or _dropped_by_stop(event)
    ]


def _events(body: bytes) -> list[Mapping[str, Any]]:
    events = json.loads(body)
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("a SendGrid event batch is a JSON list of objects")
    return events


def _receipt(event: Mapping[str, Any], now: datetime) -> Receipt | None:
    contact_id, kind = event.get("contact_id"), event.get("event")
    if not contact_id:
        return None
    code = str(event.get("status", ""))
    permanent = False
    status: ReceiptStatus = "failed"
    if kind in ("processed", "deferred"):
        status, reason = "accepted", str(kind)
    elif kind == "delivered":
        status, reason = "delivered", "delivered"
    elif kind == "bounce":
        # `blocked` is a refusal of this message (reputation, content, full box); the address itself may be good.
        blocked = event.get("type") == "blocked" or code.startswith("4")
        permanent, reason = not blocked, f"{'blocked' if blocked else 'bounce'} {code}".rstrip()
    elif kind == "dropped":
        why = str(event.get("reason", "")).casefold()
        permanent, reason = any(word in why for word in _DROPPED_FOR_GOOD), f"dropped {_dropped_word(why)}"
    else:
        return None
    return Receipt(
        contact_id=str(contact_id),
        status=status,
        permanent=permanent,
        reason=reason,
        at=_at(event, now),
        event_id=str(event.get("sg_event_id", "")),
        provider_ref=str(event.get("sg_message_id", "")).split(".", 1)[0],
    )


def _dropped_word(why: str) -> str:
    known = (*_DROPPED_FOR_GOOD, *_DROPPED_BY_STOP, "spam content", "recipient list over package quota")
    return next((word for word in known if word in why), "other").replace(" ", "_")


def _dropped_by_stop(event: Mapping[str, Any]) -> bool:
    why = str(event.get("reason", "")).casefold()
    return event.get("event") == "dropped" and any(word in why for word in _DROPPED_BY_STOP)


def _at(event: Mapping[str, Any], now: datetime) -> datetime:
    stamp = event.get("timestamp")
    return datetime.fromtimestamp(stamp, tz=UTC) if isinstance(stamp, int | float) else now
