"""What providers say later: receipts that settle a contact, and the stops and answers of customers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from channels import carrier, email_sendgrid, sms_twilio
from policies.terms import Channel

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
THEN = datetime(2026, 3, 2, 14, 59, 30, tzinfo=UTC)


def event(**fields: Any) -> bytes:
    base = {
        "email": "ana@cliente.example", "timestamp": int(THEN.timestamp()), "contact_id": "c-1", "sg_event_id": "e-1",
        "sg_message_id": "ref-1.recvd-abc-0",
    }  # fmt: skip
    return json.dumps([base | fields]).encode()


@pytest.mark.parametrize(
    ("fields", "status", "permanent", "reason"),
    [
        ({"event": "processed"}, "accepted", False, "processed"),
        ({"event": "deferred", "response": "400 try again"}, "accepted", False, "deferred"),
        ({"event": "delivered"}, "delivered", False, "delivered"),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, "failed", True, "bounce 5.1.1"),
        ({"event": "bounce", "status": "5.0.0"}, "failed", True, "bounce 5.0.0"),
        ({"event": "bounce", "type": "blocked", "status": "5.7.1"}, "failed", False, "blocked 5.7.1"),
        ({"event": "bounce", "type": "bounce", "status": "4.2.2"}, "failed", False, "blocked 4.2.2"),
        ({"event": "dropped", "reason": "Bounced Address"}, "failed", True, "dropped bounced_address"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "failed", False, "dropped unsubscribed_address"),
        ({"event": "dropped", "reason": "write to ana@cliente.example"}, "failed", False, "dropped other"),
    ],
)
def test_each_email_event_settles_its_contact(fields: dict[str, Any], status: str, permanent: bool, reason: str) -> None:
    [receipt] = email_sendgrid.read_receipts(event(**fields), now=NOW)
    assert (receipt.contact_id, receipt.status, receipt.permanent, receipt.reason) == ("c-1", status, permanent, reason)
    assert (receipt.at, receipt.event_id, receipt.provider_ref) == (THEN, "e-1", "ref-1")


@pytest.mark.parametrize("kind", ["open", "click", "group_resubscribe", "something new"])
def test_what_settles_nothing_is_left_out(kind: str) -> None:
    assert email_sendgrid.read_receipts(event(event=kind), now=NOW) == []
    assert email_sendgrid.read_replies(event(event=kind), now=NOW) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "unsubscribe"}, {"event": "group_unsubscribe"}, {"event": "spamreport"},
        {"event": "dropped", "reason": "Unsubscribed Address"}, {"event": "dropped", "reason": "Spam Reporting Address"},
    ],
)  # fmt: skip
def test_each_way_to_leave_by_email_is_a_stop(fields: dict[str, Any]) -> None:
    [reply] = email_sendgrid.read_replies(event(**fields), now=NOW)
    assert (reply.keyword, reply.channel, reply.from_address, reply.contact_id) == (
        "stop",
        Channel.EMAIL,
        "ana@cliente.example",
        "c-1",
    )
    assert reply.event_id != "e-1", "a receipt of the same event must not hide the stop"


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"nothing"])
def test_a_batch_that_is_none_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        email_sendgrid.read_receipts(body, now=NOW)


@pytest.mark.shared
def test_the_documented_batch_is_read_whole(shared_folder: Path) -> None:
    batch = json.loads((shared_folder / "data" / "4_events" / "sendgrid" / "docs_full_batch.json").read_text())
    body = json.dumps([one | {"contact_id": "c-1"} for one in batch]).encode()
    assert [receipt.status for receipt in email_sendgrid.read_receipts(body, now=NOW)] == [
        "accepted", "accepted", "delivered", "failed", "failed",
    ]  # fmt: skip
    assert [reply.keyword for reply in email_sendgrid.read_replies(body, now=NOW)] == ["stop"] * 3


@pytest.mark.shared
def test_another_libraries_events_without_our_contact_id_are_not_ours(shared_folder: Path) -> None:
    body = (shared_folder / "data" / "4_events" / "sendgrid" / "anymail_events_a.json").read_bytes()
    assert email_sendgrid.read_receipts(body, now=NOW) == []
    ours = json.dumps([one | {"contact_id": one["sg_event_id"]} for one in json.loads(body)]).encode()
    read = email_sendgrid.read_receipts(ours, now=NOW)
    assert [(one.status, one.permanent) for one in read] == [
        ("accepted", False), ("delivered", False), ("failed", True), ("failed", True), ("delivered", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "code", "status", "permanent", "reason"),
    [
        ("queued", "", "accepted", False, "queued"),
        ("sent", "", "accepted", False, "sent"),
        ("delivered", "", "delivered", False, "delivered"),
        ("read", "", "delivered", False, "read"),
        ("undelivered", "30003", "failed", False, "handset_unreachable 30003"),
        ("undelivered", "30005", "failed", True, "unknown_number 30005"),
        ("undelivered", "30006", "failed", True, "landline_or_unreachable_carrier 30006"),
        ("undelivered", "30007", "failed", False, "filtered 30007"),
        ("failed", "30008", "failed", False, "unknown_error 30008"),
        ("failed", "21610", "failed", True, "opted_out 21610"),
        ("failed", "77777", "failed", False, "failed 77777"),
    ],
)
def test_each_sms_status_settles_its_contact(said: str, code: str, status: str, permanent: bool, reason: str) -> None:
    body = urlencode({"MessageSid": "SM1", "MessageStatus": said, "ErrorCode": code, "To": "+573001112233"}).encode()
    [receipt] = sms_twilio.read_receipts(body, contact_id="c-1", now=NOW)
    assert (receipt.contact_id, receipt.status, receipt.permanent, receipt.reason) == ("c-1", status, permanent, reason)
    assert (receipt.event_id, receipt.provider_ref, receipt.at) == (f"SM1:{said}", "SM1", NOW)


@pytest.mark.parametrize("body", [b"", b"MessageSid=SM1", b"MessageStatus=sent", b"MessageSid=SM1&MessageStatus=dancing"])
def test_a_status_without_a_message_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        sms_twilio.read_receipts(body, contact_id="c-1", now=NOW)


def test_an_inbound_sms_is_read_by_its_words_or_by_what_the_provider_made_of_it() -> None:
    form = {"MessageSid": "SM2", "From": "+573001112233", "To": "+15005550006", "Body": "Ya pagué"}
    [reply] = sms_twilio.read_replies(urlencode(form).encode(), now=NOW)
    assert (reply.keyword, reply.channel, reply.from_address, reply.text) == ("paid", Channel.SMS, "+573001112233", "Ya pagué")
    [reply] = sms_twilio.read_replies(urlencode(form | {"Body": "arrêt", "OptOutType": "STOP"}).encode(), now=NOW)
    assert reply.keyword == "stop"
    [reply] = sms_twilio.read_replies(urlencode(form | {"Body": "baja", "OptOutType": "HELP"}).encode(), now=NOW)
    assert reply.keyword == "stop", "their word for help does not hide a stop"


@pytest.mark.shared
def test_published_whatsapp_forms_are_read(shared_folder: Path) -> None:
    forms = json.loads((shared_folder / "data" / "4_events" / "twilio" / "whatsapp_forms_botbuilder.json").read_text())
    inbound, statuses = forms[:3], forms[3:]
    replies = [sms_twilio.read_replies(form["body"].encode(), now=NOW)[0] for form in inbound]
    assert {(reply.channel, reply.from_address) for reply in replies} == {(Channel.WHATSAPP, "+31612345678")}
    read = [sms_twilio.read_receipts(form["body"].encode(), contact_id="c-1", now=NOW)[0].status for form in statuses]
    assert read == ["delivered", "accepted"]


def carried(kind: str, **data: Any) -> bytes:
    return json.dumps({"type": kind, "timestamp": THEN.isoformat(), "data": data}).encode()


@pytest.mark.parametrize(
    ("kind", "code", "status", "permanent", "reason"),
    [
        ("message.accepted", "", "accepted", False, "accepted"),
        ("message.delivered", "", "delivered", False, "delivered"),
        ("message.failed", "no_answer", "failed", False, "no_answer"),
        ("message.failed", "not_on_channel", "failed", True, "not_on_channel"),
        ("message.failed", "opted_out", "failed", True, "opted_out"),
        ("message.failed", "Ana hung up", "failed", False, "refused"),
    ],
)
def test_each_carrier_event_settles_its_contact(kind: str, code: str, status: str, permanent: bool, reason: str) -> None:
    body = carried(kind, contact_id="c-1", id="m-1", code=code)
    [receipt] = carrier.read_receipts(body, event_id="evt_1", now=NOW)
    assert (receipt.status, receipt.permanent, receipt.reason, receipt.at) == (status, permanent, reason, THEN)
    assert (receipt.contact_id, receipt.provider_ref, receipt.event_id) == ("c-1", "m-1", "evt_1")
    assert carrier.read_replies(body, event_id="evt_1", now=NOW) == []


def test_a_carrier_reply_is_read() -> None:
    body = carried("message.received", channel="whatsapp", **{"from": "+573001112233", "text": "BAJA", "contact_id": "c-1"})
    [reply] = carrier.read_replies(body, event_id="evt_2", now=NOW)
    assert (reply.channel, reply.keyword, reply.from_address, reply.event_id) == (
        Channel.WHATSAPP,
        "stop",
        "+573001112233",
        "evt_2",
    )
    assert carrier.read_receipts(body, event_id="evt_2", now=NOW) == []


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"nothing", carried("message.delivered"), carried("message.received", channel="sms"),
             carried("message.received", channel="pigeon", **{"from": "x"})],
)  # fmt: skip
def test_a_carrier_event_without_what_it_needs_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        carrier.read_receipts(body, event_id="e", now=NOW)
        carrier.read_replies(body, event_id="e", now=NOW)
