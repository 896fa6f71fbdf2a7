"""Every sender against real servers: what is handed over, what each answer means, and what is not known afterwards."""

from __future__ import annotations

import base64
import json
import logging
import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from channels import ChannelsConfig, OutcomeUnknown, Sender, SendFailed, TryLater, Undeliverable, build_senders
from channels.email_sendgrid import SendGridSender
from channels.sms_twilio import TwilioSender
from policies.terms import Channel
from rehearsal.simulator.faults import Faults
from rehearsal.simulator.keys import simulated_keys
from rehearsal.simulator.world import WorldConfig
from tests.channels.outside import Listener, Simulator, free_address, listener, simulator, to_ana

ADDRESSES = {
    Channel.EMAIL: "ana.rojas@cliente.example",
    Channel.SMS: "+573001112233",
    Channel.WHATSAPP: "+573001112233",
    Channel.VOICE: "+573001112233",
    Channel.LETTER: "Ana Rojas\nCalle 12 # 3-45\nBogotá",
}


KEYS = simulated_keys(WorldConfig(api_url="").seed)


def config_for(url: str, *, timeout_seconds: float = 10.0) -> ChannelsConfig:
    return ChannelsConfig(
        sendgrid_api_key="SG.simulated",
        sendgrid_base_url=url,
        sender_email="cobros@puntual.example",
        twilio_account_sid=KEYS.twilio_account_sid,
        twilio_auth_token=KEYS.twilio_auth_token,
        twilio_base_url=url,
        twilio_from=KEYS.twilio_from,
        carrier_url=url,
        timeout_seconds=timeout_seconds,
    )


@pytest.fixture(scope="module")
def outside() -> Iterator[Simulator]:
    with simulator(WorldConfig(api_url=free_address(), receipts="none")) as running:
        yield running


@pytest.fixture(autouse=True)
def without_faults(outside: Simulator) -> Iterator[None]:
    yield
    outside.world.dice.faults = Faults()


@pytest.fixture(scope="module")
def scripted() -> Iterator[Listener]:
    with listener() as running:
        yield running


@pytest.fixture
def provider(scripted: Listener) -> Listener:
    scripted.forget()
    return scripted


def message(channel: Channel, contact_id: str) -> Any:
    status_url = f"https://cobros.example/webhooks/twilio/status/{contact_id}"
    return to_ana(contact_id, to=ADDRESSES[channel], status_url=status_url)


def outcome(sender: Sender, contact_id: str = "c-1") -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        sender.send(message(sender.channel, contact_id))
    return caught.value


@pytest.mark.parametrize("channel", Channel)
def test_a_message_reaches_the_outside_once_under_its_contact_id(outside: Simulator, channel: Channel) -> None:
    accepted = build_senders(config_for(outside.url))[channel].send(message(channel, f"once-{channel}"))
    [place] = outside.world.places[f"once-{channel}"]
    got = outside.world.sent[place]
    assert (got.channel, got.to, got.ref) == (channel, ADDRESSES[channel], accepted.provider_ref)
    assert accepted.provider_ref


@pytest.mark.parametrize("channel", Channel)
def test_an_answer_lost_after_acceptance_is_unknown_and_was_sent(outside: Simulator, channel: Channel) -> None:
    outside.world.dice.faults = Faults(drop_after_accept_pct=100)
    failure = outcome(build_senders(config_for(outside.url))[channel], f"lost-{channel}")
    assert isinstance(failure, OutcomeUnknown)
    assert outside.world.counts[f"lost-{channel}"] == 1


@pytest.mark.parametrize("channel", Channel)
def test_a_connection_cut_before_acceptance_looks_the_same_and_was_not_sent(outside: Simulator, channel: Channel) -> None:
    outside.world.dice.faults = Faults(drop_before_accept_pct=100)
    failure = outcome(build_senders(config_for(outside.url))[channel], f"cut-{channel}")
    assert isinstance(failure, OutcomeUnknown)
    assert outside.world.counts[f"cut-{channel}"] == 0


@pytest.mark.parametrize("channel", Channel)
def test_no_answer_in_time_is_unknown(outside: Simulator, channel: Channel) -> None:
    outside.world.dice.faults = Faults(delay_ms=400)
    assert isinstance(
        outcome(build_senders(config_for(outside.url, timeout_seconds=0.1))[channel], f"slow-{channel}"), OutcomeUnknown
    )


@pytest.mark.parametrize("channel", Channel)
def test_nobody_at_the_address_is_surely_not_sent(channel: Channel) -> None:
    failure = outcome(build_senders(config_for(free_address()))[channel])
    assert isinstance(failure, TryLater)
    assert failure.reason.startswith("unreachable")


@pytest.mark.parametrize("channel", Channel)
def test_a_busy_provider_says_how_long_to_wait(outside: Simulator, channel: Channel) -> None:
    outside.world.dice.faults = Faults(busy_pct=100, retry_after_seconds=7)
    failure = outcome(build_senders(config_for(outside.url))[channel], f"busy-{channel}")
    assert isinstance(failure, TryLater)
    assert failure.after == timedelta(seconds=7)
    assert outside.world.counts[f"busy-{channel}"] == 0


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.VOICE])
def test_an_impossible_address_is_retired(outside: Simulator, channel: Channel) -> None:
    sender = build_senders(config_for(outside.url))[channel]
    with pytest.raises(Undeliverable) as caught:
        sender.send(replace(message(channel, f"bad-{channel}"), to="nobody"))
    assert caught.value.retire_address
    assert not caught.value.opted_out


def test_a_channel_without_its_settings_has_no_sender() -> None:
    assert build_senders(ChannelsConfig()) == {}
    assert set(build_senders(replace(config_for("http://x"), carrier_url=""))) == {Channel.EMAIL, Channel.SMS}


@pytest.mark.parametrize("missing", ["sender_email", "twilio_account_sid", "twilio_auth_token", "twilio_from"])
def test_a_half_configured_provider_is_refused_at_start(missing: str) -> None:
    broken: dict[str, Any] = {missing: ""}
    with pytest.raises(ValueError, match="PUNTUAL_"):
        build_senders(replace(config_for("http://x"), **broken))


def test_both_sdk_clients_have_a_time_out() -> None:
    senders = build_senders(config_for("http://x"))
    mail, sms = senders[Channel.EMAIL], senders[Channel.SMS]
    assert isinstance(mail, SendGridSender)
    assert isinstance(sms, TwilioSender)
    assert mail.sdk.client.timeout == 10
    assert mail.sdk.client.mail.send.timeout == 10
    assert sms.http_client.timeout == 10


def test_nothing_of_a_customer_reaches_a_log_or_an_error(outside: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for sender in build_senders(config_for(outside.url)).values():
        sender.send(message(sender.channel, f"log-{sender.channel}"))
        told = str(message(sender.channel, "c-1"))
        assert not any(secret in told for secret in ("ana.rojas", "+5730", "Ana"))
    outside.world.dice.faults = Faults(error_pct=100)
    for sender in build_senders(config_for(outside.url)).values():
        failure = outcome(sender)
        assert not any(secret in repr(failure) for secret in ("ana.rojas", "+5730", "Ana"))
        assert failure.__cause__ is None
    assert not any(secret in caplog.text for secret in ("ana.rojas", "+5730", "Ana"))


def test_failures_travel_between_processes_whole() -> None:
    for failure in (Undeliverable("bounce", True, True), TryLater(timedelta(seconds=3), "busy"), OutcomeUnknown("lost")):
        again = pickle.loads(pickle.dumps(failure))
        assert (type(again), vars(again)) == (type(failure), vars(failure))


def test_an_email_carries_its_contact_its_answer_address_and_its_one_click_stop(provider: Listener) -> None:
    provider.answers = [(202, "", {"X-Message-Id": "ref-1"})]
    assert SendGridSender(config_for(provider.url)).send(to_ana("c-9")).provider_ref == "ref-1"
    [got] = provider.got
    mail = json.loads(got.body)
    assert got.path == "/v3/mail/send"
    assert got.headers["authorization"] == "Bearer SG.simulated"
    assert mail["personalizations"] == [{"to": [{"email": "ana.rojas@cliente.example"}], "custom_args": {"contact_id": "c-9"}}]
    assert mail["from"] == {"email": "cobros@puntual.example", "name": "Luz del Sur"}
    assert mail["reply_to"] == {"email": "cobranza@luzdelsur.example"}
    assert mail["headers"] == {
        "List-Unsubscribe": "<https://pagos.example/p/abc/stop>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert [part["type"] for part in mail["content"]] == ["text/plain", "text/html"]
    assert mail["categories"] == ["S3"]


BAD_TO = json.dumps({"errors": [{"message": "ana@x is not valid", "field": "personalizations.0.to.0.email"}]})
BAD_FROM = json.dumps({"errors": [{"message": "from is not valid", "field": "from.email"}]})


@pytest.mark.parametrize(
    ("status", "body", "kind", "retire", "word"),
    [
        (400, BAD_TO, Undeliverable, True, "invalid_address"),
        (400, BAD_FROM, Undeliverable, False, "refused"),
        (400, "not json", Undeliverable, False, "refused"),
        (400, "[]", Undeliverable, False, "refused"),
        (413, "", Undeliverable, False, "too_large"),
        (401, "", TryLater, None, "configuration"),
        (403, "", TryLater, None, "configuration"),
        (404, "", TryLater, None, "configuration"),
        (429, "", TryLater, None, "busy"),
        (500, "", TryLater, None, "unavailable"),
        (503, "", TryLater, None, "unavailable"),
        (502, "", OutcomeUnknown, None, "gateway"),
        (504, "", OutcomeUnknown, None, "gateway"),
        (200, "a page", TryLater, None, "configuration"),
    ],
)
def test_the_status_table_of_email(
    provider: Listener, status: int, body: str, kind: type[SendFailed], retire: bool | None, word: str
) -> None:
    provider.answers = [(status, body, {})]
    failure = outcome(SendGridSender(config_for(provider.url)))
    assert type(failure) is kind
    assert failure.reason.split(":")[0] == word
    assert "ana" not in failure.reason
    assert getattr(failure, "retire_address", None) is retire


def test_an_sms_carries_the_address_of_its_receipts(provider: Listener) -> None:
    provider.answers = [(201, json.dumps({"sid": "SM1"}), {"Content-Type": "application/json"})]
    assert TwilioSender(config_for(provider.url)).send(message(Channel.SMS, "c-9")).provider_ref == "SM1"
    [got] = provider.got
    assert got.path == f"/2010-04-01/Accounts/{KEYS.twilio_account_sid}/Messages.json"
    assert base64.b64decode(got.headers["authorization"].removeprefix("Basic ")).endswith(f":{KEYS.twilio_auth_token}".encode())
    form = {name: values[0] for name, values in parse_qs(got.body.decode()).items()}
    assert form["StatusCallback"] == "https://cobros.example/webhooks/twilio/status/c-9"
    assert (form["To"], form["From"]) == ("+573001112233", "+15005550006")
    assert form["Body"].startswith("Hola Ana")


@pytest.mark.parametrize(
    ("status", "code", "kind", "retire", "word"),
    [
        (400, 21211, Undeliverable, True, "invalid_number"),
        (400, 21614, Undeliverable, True, "not_mobile"),
        (400, 21610, Undeliverable, True, "opted_out"),
        (400, 21617, Undeliverable, False, "too_long"),
        (400, 21612, Undeliverable, False, "no_route"),
        (400, 99999, Undeliverable, False, "refused"),
        (400, 21606, TryLater, None, "configuration"),
        (400, 21408, TryLater, None, "configuration"),
        (401, 20003, TryLater, None, "configuration"),
        (404, 20404, TryLater, None, "configuration"),
        (429, 20429, TryLater, None, "busy"),
        (503, 20503, TryLater, None, "unavailable"),
        (500, 20500, OutcomeUnknown, None, "server_error"),
        (502, 0, OutcomeUnknown, None, "server_error"),
        (302, 0, TryLater, None, "configuration"),
    ],
)
def test_the_error_table_of_sms(
    provider: Listener, status: int, code: int, kind: type[SendFailed], retire: bool | None, word: str
) -> None:
    provider.answers = [(status, json.dumps({"code": code, "message": "+573001112233 ...", "status": status}), {})]
    failure = outcome(TwilioSender(config_for(provider.url)))
    assert type(failure) is kind
    assert failure.reason.split(":")[0] == word
    assert "+57" not in failure.reason
    assert getattr(failure, "retire_address", None) is retire
    assert getattr(failure, "opted_out", False) is (code == 21610)


@pytest.mark.parametrize(("status", "word"), [(201, "unreadable_answer"), (502, "server_error")])
def test_a_page_instead_of_an_answer_leaves_an_sms_unknown(provider: Listener, status: int, word: str) -> None:
    provider.answers = [(status, "<html>something in between</html>", {})]
    failure = outcome(TwilioSender(config_for(provider.url)))
    assert isinstance(failure, OutcomeUnknown)
    assert failure.reason.split(":")[0] == word


@pytest.mark.parametrize(
    ("status", "code", "kind", "retire", "word"),
    [
        (422, "invalid_address", Undeliverable, True, "invalid_address"),
        (422, "opted_out", Undeliverable, True, "opted_out"),
        (422, "calls +573001112233", Undeliverable, False, "refused"),
        (401, "", TryLater, None, "configuration"),
        (429, "", TryLater, None, "busy"),
        (500, "", TryLater, None, "unavailable"),
        (504, "", OutcomeUnknown, None, "gateway"),
        (302, "", TryLater, None, "configuration"),
    ],
)
def test_the_status_table_of_the_plain_carrier(
    provider: Listener, status: int, code: str, kind: type[SendFailed], retire: bool | None, word: str
) -> None:
    provider.answers = [(status, json.dumps({"code": code}), {})]
    failure = outcome(build_senders(config_for(provider.url))[Channel.WHATSAPP])
    assert type(failure) is kind
    assert failure.reason.split(":")[0] == word
    assert getattr(failure, "retire_address", None) is retire


def test_the_plain_carrier_takes_one_contact_once_however_often_it_is_sent(outside: Simulator) -> None:
    sender = build_senders(config_for(outside.url))[Channel.LETTER]
    first, second = (sender.send(message(Channel.LETTER, "twice")) for _ in range(2))
    assert first == second
    assert outside.world.counts["twice"] == 1
