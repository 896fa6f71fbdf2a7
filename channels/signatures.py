"""Is a webhook from whom it says? Three schemes, each checked on the raw bytes and against a `now` that is given.

Freshness is a matter of transport: callers pass the machine's time, also where business time is played.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import ec
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook
from twilio.request_validator import SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, RequestValidator, get_signature_algorithm

from channels.shapes import BadSignature

STANDARD_TOLERANCE = timedelta(minutes=5)
# SendGrid repeats a batch for a day and does not say that it signs it anew. Each event is stored once by its own id, so an old
# batch sent again changes nothing, while a refused one would lose receipts after a long outage of ours.
EVENT_TOLERANCE = timedelta(hours=25)
FUTURE_TOLERANCE = timedelta(minutes=5)


class _FormValues(dict[str, list[str]]):
    """A form in which a name may repeat, in the shape Twilio's validator reads (it asks for `getlist`)."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def read_form(body: bytes) -> list[tuple[str, str]]:
    """The pairs of a form-encoded body, in order; raises ValueError when the body is not UTF-8."""
    return parse_qsl(body.decode("utf-8"), keep_blank_values=True)


def verify_standard(body: bytes, headers: Mapping[str, str], *, secret: str, now: datetime) -> str:
    """Check a Standard Webhooks signature and return its `webhook-id`; raises BadSignature.

    `secret` is base64 with or without `whsec_`. The header may carry several signatures, of which one must match.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, stamp, signatures = (given.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not (message_id and stamp and signatures):
        raise BadSignature("a webhook-id, webhook-timestamp or webhook-signature header is missing")
    at = _instant(stamp, "webhook-timestamp")
    _check_age(at, now, STANDARD_TOLERANCE)
    try:
        # The library's own verify() reads the machine's clock; its sign() gives the same bytes to compare with.
        expected = Webhook(secret).sign(message_id, at, body.decode("utf-8"))
    except (EmptyWebhookSecretError, binascii.Error, RuntimeError) as error:
        raise BadSignature("the webhook secret kept here is not usable: it must be base64 behind whsec_") from error
    except UnicodeDecodeError as error:
        raise BadSignature("the body is not UTF-8") from error
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures.split(" ")):
        raise BadSignature("no webhook-signature matches the body")
    return message_id


def verify_sendgrid(body: bytes, headers: Mapping[str, str], *, public_key: str, now: datetime) -> None:
    """Check the ECDSA signature of an event batch; raises BadSignature. `public_key` is the base64 shown in the settings."""
    given = {name.lower(): value for name, value in headers.items()}
    signature = given.get(EventWebhookHeader.SIGNATURE.lower(), "")
    stamp = given.get(EventWebhookHeader.TIMESTAMP.lower(), "")
    if not (signature and stamp):
        raise BadSignature("the event signature or its timestamp header is missing")
    _check_age(_instant(stamp, "event timestamp"), now, EVENT_TOLERANCE)
    try:
        genuine = EventWebhook().verify_signature(body.decode("utf-8"), signature, stamp, _public_key(public_key))
    except UnicodeDecodeError as error:
        raise BadSignature("the body is not UTF-8") from error
    except binascii.Error as error:
        raise BadSignature("the event signature is not base64") from error
    if not genuine:
        raise BadSignature("the event signature does not match the body")


def verify_twilio(url: str, body: bytes, headers: Mapping[str, str], *, auth_token: str, now: datetime) -> None:
    """Check X-Twilio-Signature; raises BadSignature. `url` is the public one that Twilio called, with its query.

    The scheme carries no time, so `now` is not used: repeats are caught by the message id and status.
    """
    given = {name.lower(): value for name, value in headers.items()}
    signature = given.get(SIGNATURE_HEADER.lower(), "")
    if not signature:
        raise BadSignature("the X-Twilio-Signature header is missing")
    if not auth_token:
        raise BadSignature("no auth token of Twilio is kept here, so nothing that claims to be of Twilio can be checked")
    json_body = given.get("content-type", "").split(";")[0].strip().lower() == "application/json"
    if json_body and "bodySHA256=" not in url:
        raise BadSignature("a JSON body needs bodySHA256 in its URL: without it nothing signs the body")
    algorithm = get_signature_algorithm(given.get(SIGNATURE_SETTINGS_HEADER.lower(), ""))
    try:
        params = body.decode("utf-8") if json_body else _form_values(body)
        genuine = RequestValidator(auth_token).validate(url, params, signature, algorithm)
    except UnicodeDecodeError as error:
        raise BadSignature("the body is not UTF-8") from error
    if not genuine:
        raise BadSignature("X-Twilio-Signature does not match this URL and body")


def _form_values(body: bytes) -> _FormValues:
    values = _FormValues()
    for name, value in read_form(body):
        values.setdefault(name, []).append(value)
    return values


@lru_cache(maxsize=8)
def _public_key(public_key: str) -> ec.EllipticCurvePublicKey:
    try:
        key = EventWebhook(public_key).public_key
    except ValueError as error:
        raise BadSignature("the event public key kept here is not usable: copy it from the provider's settings") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadSignature("the event public key kept here is not of an elliptic curve, or is empty")
    return key


def _instant(stamp: str, name: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(stamp), tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadSignature(f"the {name} is not a number of seconds") from error


def _check_age(at: datetime, now: datetime, tolerance: timedelta) -> None:
    if at < now - tolerance:
        raise BadSignature(f"signed at {at.isoformat()}, which is older than {tolerance}")
    if at > now + FUTURE_TOLERANCE:
        raise BadSignature(f"signed at {at.isoformat()}, which is in the future: compare the two machines' clocks")
