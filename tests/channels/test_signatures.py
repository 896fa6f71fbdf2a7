"""Genuine webhooks pass, anything else is refused with a reason; published vectors and our own at both sides of each edge."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from channels import BadSignature
from channels.signatures import verify_sendgrid, verify_standard, verify_twilio
from rehearsal.simulator.courier import sendgrid_webhook, standard_webhook, twilio_webhook
from rehearsal.simulator.keys import simulated_keys

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
KEYS = simulated_keys(7)
SCHEMES = {"twilio-x-signature": 8, "sendgrid-event-ecdsa": 4, "standard-webhooks-v1": 7}


def judged(vector: dict[str, Any]) -> str:
    """What our check says of a published vector."""
    body, headers = vector["body"].encode(), vector["headers"]
    stamp = headers.get("X-Twilio-Email-Event-Webhook-Timestamp", "")
    seconds = vector.get("now_unix") or (int(stamp) if stamp.isdigit() else 1_600_112_502)
    now = datetime.fromtimestamp(seconds, tz=UTC)
    try:
        if vector["scheme"] == "twilio-x-signature":
            verify_twilio(vector["url"], body, headers, auth_token=vector["secret"], now=now)
        elif vector["scheme"] == "sendgrid-event-ecdsa":
            verify_sendgrid(body, headers, public_key=vector["public_key"], now=now)
        else:
            verify_standard(body, headers, secret=vector["secret"], now=now)
    except BadSignature:
        return "invalid"
    return "valid"


@pytest.mark.shared
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_published_vector_is_judged_as_published(scheme: str, shared_folder: Path) -> None:
    vectors = json.loads((shared_folder / "data" / "3_signatures" / "vectors.json").read_text())
    ours = [vector for vector in vectors if vector["scheme"] == scheme]
    assert len(ours) == SCHEMES[scheme]
    assert {vector["id"]: judged(vector) for vector in ours} == {vector["id"]: vector["expect"] for vector in ours}


def test_an_event_batch_passes_until_25_hours_after_its_signature() -> None:
    call = sendgrid_webhook("http://house", [{"event": "delivered", "email": "ñandú@cliente.example"}], KEYS, "b")
    headers, body = call.sign(NOW), call.body.encode()
    verify_sendgrid(body, headers, public_key=KEYS.sendgrid_webhook_key, now=NOW + timedelta(hours=25))
    verify_sendgrid(body, headers, public_key=KEYS.sendgrid_webhook_key, now=NOW - timedelta(minutes=5))
    with pytest.raises(BadSignature, match="older"):
        verify_sendgrid(body, headers, public_key=KEYS.sendgrid_webhook_key, now=NOW + timedelta(hours=25, seconds=1))
    with pytest.raises(BadSignature, match="future"):
        verify_sendgrid(body, headers, public_key=KEYS.sendgrid_webhook_key, now=NOW - timedelta(minutes=5, seconds=1))


@pytest.mark.parametrize("change", ["body", "stamp", "signature", "key", "no_header", "not_utf8"])
def test_a_changed_event_batch_is_refused(change: str) -> None:
    call = sendgrid_webhook("http://house", [{"event": "delivered"}], KEYS, "b")
    headers, body, key = dict(call.sign(NOW)), call.body.encode(), KEYS.sendgrid_webhook_key
    if change == "body":
        body = body.replace(b"delivered", b"processed")
    elif change == "stamp":
        headers["X-Twilio-Email-Event-Webhook-Timestamp"] = str(int(NOW.timestamp()) + 1)
    elif change == "signature":
        headers["X-Twilio-Email-Event-Webhook-Signature"] = "%%%"
    elif change == "key":
        key = simulated_keys(8).sendgrid_webhook_key
    elif change == "no_header":
        del headers["X-Twilio-Email-Event-Webhook-Signature"]
    else:
        body = b"\xff\xfe"
    with pytest.raises(BadSignature):
        verify_sendgrid(body, headers, public_key=key, now=NOW)


@pytest.mark.parametrize("key", ["", "not base64", "AAAA"])
def test_an_unusable_public_key_refuses_instead_of_accepting(key: str) -> None:
    call = sendgrid_webhook("http://house", [{"event": "delivered"}], KEYS, "b")
    with pytest.raises(BadSignature, match="public key"):
        verify_sendgrid(call.body.encode(), call.sign(NOW), public_key=key, now=NOW)


def test_a_standard_webhook_passes_within_five_minutes_either_way() -> None:
    call = standard_webhook("http://house", KEYS.carrier_secret, "payment.succeeded", NOW, {"note": "señal"}, "evt_1")
    headers, body = call.sign(NOW), call.body.encode()
    for minutes in (5.0, -5.0):
        assert verify_standard(body, headers, secret=KEYS.carrier_secret, now=NOW + timedelta(minutes=minutes)) == "evt_1"
    for minutes, why in ((5.1, "older"), (-5.1, "future")):
        with pytest.raises(BadSignature, match=why):
            verify_standard(body, headers, secret=KEYS.carrier_secret, now=NOW + timedelta(minutes=minutes))


def test_one_of_several_signatures_is_enough_while_a_secret_is_changed() -> None:
    call = standard_webhook("http://house", KEYS.carrier_secret, "payment.succeeded", NOW, {}, "evt_1")
    headers = dict(call.sign(NOW))
    headers["webhook-signature"] = "v1a,xyz v1,b3RoZXI= " + headers["webhook-signature"]
    assert verify_standard(call.body.encode(), headers, secret=KEYS.carrier_secret, now=NOW) == "evt_1"


@pytest.mark.parametrize("change", ["body", "id", "stamp", "signature", "secret", "empty_secret", "not_utf8"])
def test_a_changed_standard_webhook_is_refused(change: str) -> None:
    call = standard_webhook("http://house", KEYS.carrier_secret, "payment.succeeded", NOW, {"amount_minor": 100}, "evt_1")
    headers, body, secret = dict(call.sign(NOW)), call.body.encode(), KEYS.carrier_secret
    if change == "body":
        body = body.replace(b"100", b"900")
    elif change == "id":
        headers["webhook-id"] = "evt_2"
    elif change == "stamp":
        headers["webhook-timestamp"] = str(int(NOW.timestamp()) + 1)
    elif change == "signature":
        headers["webhook-signature"] = "v1"
    elif change == "secret":
        secret = simulated_keys(8).carrier_secret
    elif change == "empty_secret":
        secret = ""
    else:
        body = b"\xff"
    with pytest.raises(BadSignature):
        verify_standard(body, headers, secret=secret, now=NOW)


def test_what_claims_to_be_of_twilio_is_refused_where_no_token_is_kept() -> None:
    """A signature with an empty token is one that anybody can make."""
    url, form = "https://cobros.example/webhooks/twilio/replies", {"From": "+573001112233", "Body": "STOP"}
    signed = RequestValidator("").compute_signature(url, form)
    with pytest.raises(BadSignature, match="no auth token"):
        verify_twilio(url, urlencode(form).encode(), {"X-Twilio-Signature": signed}, auth_token="", now=NOW)


def test_twilio_signs_the_public_address_and_every_field() -> None:
    url, form = "https://cobros.example/webhooks/twilio/status/c-1", {"MessageSid": "SM1", "MessageStatus": "delivered"}
    call = twilio_webhook(url, form, KEYS, "t")
    headers, body = call.sign(NOW), call.body.encode()
    verify_twilio(url, body, headers, auth_token=KEYS.twilio_auth_token, now=NOW)
    for other_url, other_body in (
        (url.replace("c-1", "c-2"), body),
        (url.replace("https", "http"), body),
        (url, body.replace(b"delivered", b"failed")),
        (url, body + b"&ErrorCode=30005"),
    ):
        with pytest.raises(BadSignature):
            verify_twilio(other_url, other_body, headers, auth_token=KEYS.twilio_auth_token, now=NOW)


def test_a_json_body_that_nothing_signs_is_refused() -> None:
    url = "https://cobros.example/webhooks/twilio/inbound"
    signature = RequestValidator(KEYS.twilio_auth_token).compute_signature(url, {})
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
    with pytest.raises(BadSignature, match="bodySHA256"):
        verify_twilio(url, b'{"Body": "STOP"}', headers, auth_token=KEYS.twilio_auth_token, now=NOW)
