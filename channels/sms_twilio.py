"""SMS by Twilio: send, what its error codes mean, its status callbacks as receipts, its inbound messages, its signature.

Sources: Twilio "Error and Warning Dictionary", "Outbound Message Status in Status Callbacks", "Advanced Opt-Out".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from channels.keywords import read_keyword
from channels.shapes import (
    Accepted,
    ChannelsConfig,
    Keyword,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Reply,
    SendFailed,
    TryLater,
    Undeliverable,
)
from channels.signatures import read_form
from channels.signatures import verify_twilio as verify_webhook
from channels.waiting import retry_after
from policies.terms import Channel

__all__ = ["TwilioSender", "read_receipts", "read_replies", "verify_webhook"]

PROVIDER = "twilio"
_CONFIGURATION_WAIT = timedelta(minutes=15)
_BUSY_WAIT = timedelta(minutes=1)

# The address will never work: not a number, not mobile, not in service.
_ADDRESS_AT_FAULT = {
    21211: "invalid_number",
    21214: "unreachable_number",
    21217: "invalid_number",
    21401: "invalid_number",
    21614: "not_mobile",
    30005: "unknown_number",
    30006: "landline_or_unreachable_carrier",
}
_OPTED_OUT = 21610
# Our own account, sender or permissions: nothing is wrong with the customer, and it passes once somebody repairs it.
_CONFIGURATION = frozenset({20003, 20404, 21212, 21408, 21603, 21606, 21659, 21660, 30002, 30034})
_BUSY = frozenset({20429, 14107, 21611, 30001})
_FAILED_THIS_TIME = {
    30003: "handset_unreachable",
    30004: "blocked",
    30007: "filtered",
    30008: "unknown_error",
    21612: "no_route",
    21617: "too_long",
    21605: "too_long",
}

# The SDK writes a dozen lines for each request at info level, query parameters included: its logger is kept silent.
# By its level: `disabled` is undone by whoever configures logging in the same process, as an ASGI server does.
_silent = logging.getLogger("channels.sms_twilio.sdk")
_silent.setLevel(logging.CRITICAL + 1)


class RebasedHttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """Twilio's own client, which calls `base_url` instead of the host that the SDK builds in."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        super().__init__(timeout=timeout_seconds, logger=_silent)  # the SDK's own default is to wait for ever
        self._base = urlsplit(base_url)
        self._answered = threading.local()

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The same request on our base address."""
        asked = urlsplit(url)
        path = self._base.path.rstrip("/") + asked.path
        rebased = urlunsplit((self._base.scheme, self._base.netloc, path, asked.query, ""))
        self._answered.headers = None
        response: Response = super().request(method, rebased, params, data, headers, auth, timeout, allow_redirects)
        self._answered.headers = response.headers
        return response

    def last_headers(self) -> Mapping[str, str] | None:
        """The headers of this thread's last answer: the SDK's exception does not carry Retry-After."""
        headers: Mapping[str, str] | None = getattr(self._answered, "headers", None)
        return headers


class TwilioSender:
    """Sends through the real SDK; one instance serves all threads."""

    channel = Channel.SMS
    provider = PROVIDER

    def __init__(self, config: ChannelsConfig) -> None:
        needed = ("twilio_account_sid", "twilio_auth_token", "twilio_from")
        if missing := [f"PUNTUAL_{name.upper()}" for name in needed if not getattr(config, name)]:
            raise ValueError(f"Twilio is half configured: set {' and '.join(missing)} too")
        self._from = config.twilio_from
        self.http_client = RebasedHttpClient(config.twilio_base_url, config.timeout_seconds)
        self.sdk = Client(config.twilio_account_sid, config.twilio_auth_token, http_client=self.http_client)

    def send(self, outgoing: Outgoing) -> Accepted:
        """Accepted.provider_ref is the message SID."""
        callback = {"status_callback": outgoing.status_url} if outgoing.status_url else {}
        try:
            message = self.sdk.messages.create(to=outgoing.to, from_=self._from, body=outgoing.text, **callback)
        except TwilioRestException as error:
            raise _refusal(int(error.status), int(error.code or 0), self.http_client.last_headers()) from None
        except (requests.RequestException, OSError) as error:
            raise _lost(error) from None
        except ValueError:
            raise OutcomeUnknown("unreadable_answer: twilio") from None
        return Accepted(provider_ref=message.sid or "")


def _refusal(status: int, code: int, headers: Mapping[str, str] | None) -> SendFailed:
    """The status table. Twilio takes no idempotency key, so a 5xx other than 503 may hide a message that was created."""
    tail = f"twilio {status} {code or ''}".rstrip()
    if code in _ADDRESS_AT_FAULT:
        return Undeliverable(f"{_ADDRESS_AT_FAULT[code]}: {tail}", retire_address=True)
    if code == _OPTED_OUT:
        return Undeliverable(f"opted_out: {tail}", retire_address=True, opted_out=True)
    if status == 429 or code in _BUSY:
        return TryLater(retry_after(headers, _BUSY_WAIT), f"busy: {tail}")
    if status in (401, 403, 404) or 300 <= status < 400 or code in _CONFIGURATION:
        return TryLater(_CONFIGURATION_WAIT, f"configuration: {tail}; check the account, its token and its sending number")
    if status == 503:
        return TryLater(retry_after(headers, _BUSY_WAIT), f"unavailable: {tail}")
    if status >= 500:
        return OutcomeUnknown(f"server_error: {tail}")
    return Undeliverable(f"{_FAILED_THIS_TIME.get(code, 'refused')}: {tail}", retire_address=False)


def _lost(error: Exception) -> SendFailed:
    kind = type(error).__name__
    # A ConnectTimeout or a connection that could not be made carried nothing; any later loss may have carried all of it.
    reason = getattr(error.args[0], "reason", None) if error.args else None
    never_connected = isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(reason, NewConnectionError)
    if never_connected or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return TryLater(_BUSY_WAIT, f"unreachable: twilio {kind}")
    return OutcomeUnknown(f"connection_lost: twilio {kind}")


_ACCEPTED = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
_DELIVERED = frozenset({"delivered", "read"})
_FAILED = frozenset({"undelivered", "failed", "canceled"})


def read_receipts(body: bytes, *, contact_id: str, now: datetime) -> list[Receipt]:
    """The receipt in one status callback (at most one); `contact_id` is the one in the callback's own address.

    Twilio gives no time, so `now` is its time. Raises ValueError when the form has no message or no known status.
    """
    form = dict(read_form(body))
    sid, said = form.get("MessageSid") or form.get("SmsSid", ""), form.get("MessageStatus") or form.get("SmsStatus", "")
    if not sid or said not in _ACCEPTED | _DELIVERED | _FAILED:
        raise ValueError("a Twilio status callback needs MessageSid and a known MessageStatus")
    given = form.get("ErrorCode", "")
    code = int(given) if given.isdigit() else 0
    status: ReceiptStatus = "delivered" if said in _DELIVERED else "failed" if said in _FAILED else "accepted"
    word = _ADDRESS_AT_FAULT.get(code) or _FAILED_THIS_TIME.get(code) or ("opted_out" if code == _OPTED_OUT else said)
    return [
        Receipt(
            contact_id=contact_id,
            status=status,
            permanent=status == "failed" and (code in _ADDRESS_AT_FAULT or code == _OPTED_OUT),
            reason=f"{word} {code}" if code else word,
            at=now,
            event_id=f"{sid}:{said}",
            provider_ref=sid,
        )
    ]


_OPT_OUT_TYPES: Mapping[str, Keyword] = {"STOP": "stop", "START": "start"}


def read_replies(body: bytes, *, now: datetime) -> list[Reply]:
    """The customer's message in one inbound webhook; raises ValueError when the form has no message or no sender.

    Where Twilio itself took a message for a stop or a start (OptOutType), that counts; otherwise our own reading does.
    """
    form: dict[str, Any] = dict(read_form(body))
    sid, sender = form.get("MessageSid") or form.get("SmsSid", ""), str(form.get("From", ""))
    if not sid or not sender:
        raise ValueError("a Twilio inbound message needs MessageSid and From")
    channel = Channel.WHATSAPP if sender.startswith("whatsapp:") else Channel.SMS
    text = str(form.get("Body", ""))
    return [
        Reply(
            from_address=sender.removeprefix("whatsapp:"),
            channel=channel,
            text=text,
            keyword=_OPT_OUT_TYPES.get(str(form.get("OptOutType", ""))) or read_keyword(text),
            event_id=sid,
            at=now,
        )
    ]
