"""The outside world behaves: each character, in played time and in order, with signed webhooks that are repeated until heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qs

import httpx
import pytest

from channels import carrier, email_sendgrid, sms_twilio
from channels.gateways import read_stripe, verify_stripe
from clock import wall_now
from policies.terms import Channel
from rehearsal.simulator.app import create_simulator
from rehearsal.simulator.keeping import load
from rehearsal.simulator.people import CHARACTERS, Character
from rehearsal.simulator.world import WorldConfig
from tests.channels.outside import Listener, free_address, listener, simulator
from tests.rehearsal.playing import ADDRESSES, SECRET, START, Played, filled, playing


@pytest.fixture(scope="module")
def listening() -> Iterator[Listener]:
    with listener() as house:
        yield house


@pytest.fixture
def played(listening: Listener) -> Iterator[Played]:
    with playing(listening) as running:
        yield running


def test_every_character_can_be_registered_and_reacts_or_stays_silent(played: Played) -> None:
    assert set(CHARACTERS) == set(get_args(Character))
    for number, character in enumerate(CHARACTERS):
        played.post("/sim/debtors", {"ref": f"d{number}", "character": character, "addresses": {"email": f"d{number}@x.example"}})
    assert played.get("/sim/state")["debtors"] == len(CHARACTERS)


def test_the_punctual_pay_by_the_due_date_without_a_message(played: Played) -> None:
    played.debtor("punctual", due_on="2026-03-10")
    heard = played.play(10)
    [payment] = played.payments()
    assert (payment["type"], payment["amount_minor"], payment["currency"], payment["invoice"]) == (
        "payment.succeeded", 9_000_000, "COP", "F-100",
    )  # fmt: skip
    assert "2026-03-07" <= payment["paid_on"] <= "2026-03-10"
    assert payment["value_on"] > payment["paid_on"]
    assert [at.astimezone(UTC).date().isoformat() for at, _ in heard] == [payment["paid_on"]]


def test_the_forgetful_pay_some_days_after_the_first_overdue_message(played: Played) -> None:
    played.debtor("forgetful", days=3)
    played.play(20)
    assert played.payments() == []
    played.remind()
    played.remind()
    played.play(10)
    [payment] = played.payments()
    assert payment["paid_on"] == "2026-03-25"


def test_a_message_before_the_due_date_does_not_make_the_forgetful_pay(played: Played) -> None:
    played.debtor("forgetful", due_on="2026-03-20")
    played.remind()
    played.play(30)
    assert played.payments() == []


@pytest.mark.parametrize(("rest", "paid"), [("later", [3_600_000, 5_400_000]), ("never", [3_600_000])])
def test_the_partial_payer_pays_a_share_and_the_rest_later_or_never(played: Played, rest: str, paid: list[int]) -> None:
    played.debtor("partial", share_pct=40, rest=rest, days=2, pays_after_chases=3)
    for _ in range(5):
        played.remind()
        played.play(7)
    assert [payment["amount_minor"] for payment in played.payments()] == paid
    assert played.get("/sim/debtors/ana")["bills"][0]["owed_minor"] == 9_000_000 - sum(paid)


def test_the_charger_back_takes_the_payment_back(played: Played) -> None:
    played.debtor("charges_back", days=1, reversal_days=6)
    played.remind()
    played.play(10)
    payment, reversal = played.payments()
    assert (reversal["type"], reversal["reverses"], reversal["amount_minor"]) == ("payment.reversed", payment["id"], 9_000_000)
    assert played.get("/sim/debtors/ana")["bills"][0]["owed_minor"] == 9_000_000


def test_stripe_debtors_are_told_in_stripes_format(played: Played) -> None:
    played.debtor("charges_back", gateway="stripe", days=1, reversal_days=6)
    played.remind()
    played.play(10)
    paid, opened, withdrawn = [one for one in played.house.got if "/payments/" in one.path]
    for one in (paid, opened, withdrawn):
        verify_stripe(one.body, one.headers, secret=SECRET, now=wall_now())
    first, second, third = (read_stripe(one.body) for one in (paid, opened, withdrawn))
    assert (first.what, first.amount_minor, first.currency, first.references) == ("paid", 9_000_000, "COP", ("F-100",))
    assert (second.what, third.what) == ("taken_back", "taken_back")
    assert second.reversal == third.reversal, "one dispute, told twice"
    assert second.money == first.money


def test_the_claimer_says_so_by_sms_and_may_pay_later(played: Played) -> None:
    played.debtor("claims_paid", has_paid=1, days=3)
    played.remind(Channel.SMS)
    played.play(5)
    [inbound] = [one for one in played.house.got if one.path == "/webhooks/twilio/inbound"]
    sms_twilio.verify_webhook(
        f"{played.house.url}{inbound.path}", inbound.body, inbound.headers,
        auth_token=played.outside.keys.twilio_auth_token, now=wall_now(),
    )  # fmt: skip
    [reply] = sms_twilio.read_replies(inbound.body, now=START)
    assert (reply.keyword, reply.from_address) == ("paid", ADDRESSES["sms"])
    assert len(played.payments()) == 1


def test_the_stopper_answers_stop_and_the_carrier_refuses_what_comes_after(played: Played) -> None:
    played.debtor("stopper")
    played.remind(Channel.SMS)
    played.play(1)
    [inbound] = [one for one in played.house.got if one.path == "/webhooks/twilio/inbound"]
    assert sms_twilio.read_replies(inbound.body, now=START)[0].keyword == "stop"
    with pytest.raises(Exception, match="opted_out"):
        played.remind(Channel.SMS)


def test_the_stopper_of_emails_uses_the_one_click_address(played: Played) -> None:
    played.debtor("stopper")
    played.remind(Channel.EMAIL)
    played.play(1)
    assert filled(played, "/p/abc/stop") == {"List-Unsubscribe": "One-Click"}


def test_receipts_are_signed_and_say_what_happened(played: Played) -> None:
    played.debtor("silent")
    keys = played.outside.keys
    mail, sms, whatsapp = (played.remind(channel) for channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP))
    assert datetime.fromisoformat(played.get("/sim/next")["next_at"]) == START, "instant receipts are due at once"
    assert played.advance(START)["fired"] == 3
    statuses: dict[str, list[str]] = {}
    for one in played.house.got:
        url = f"{played.house.url}{one.path}"
        if one.path == "/webhooks/sendgrid":
            email_sendgrid.verify_events(one.body, one.headers, public_key=keys.sendgrid_webhook_key, now=wall_now())
            receipts = email_sendgrid.read_receipts(one.body, now=START)
        elif one.path.startswith("/webhooks/twilio/status/"):
            sms_twilio.verify_webhook(url, one.body, one.headers, auth_token=keys.twilio_auth_token, now=wall_now())
            receipts = sms_twilio.read_receipts(one.body, contact_id=one.path.rsplit("/", 1)[-1], now=START)
        else:
            event_id = carrier.verify_webhook(one.body, one.headers, secret=keys.carrier_secret, now=wall_now())
            receipts = carrier.read_receipts(one.body, event_id=event_id, now=START)
        for receipt in receipts:
            statuses.setdefault(receipt.contact_id, []).append(receipt.status)
            assert receipt.at == START
    assert statuses == {contact: ["accepted", "delivered"] for contact in (mail, sms, whatsapp)}


@pytest.mark.parametrize(
    ("character", "channel"),
    [("bouncer", Channel.EMAIL), ("wrong_number", Channel.SMS), ("wrong_number", Channel.WHATSAPP)],
)  # fmt: skip
def test_a_dead_address_fails_for_good(played: Played, character: str, channel: Channel) -> None:
    played.debtor(character, wrong="dead")
    contact_id = played.remind(channel)
    played.advance(START)
    last = played.house.got[-1]
    if channel is Channel.EMAIL:
        receipt = email_sendgrid.read_receipts(last.body, now=START)[-1]
    elif channel is Channel.SMS:
        receipt = sms_twilio.read_receipts(last.body, contact_id=contact_id, now=START)[0]
    else:
        receipt = carrier.read_receipts(last.body, event_id="e", now=START)[0]
    assert (receipt.contact_id, receipt.status, receipt.permanent) == (contact_id, "failed", True)


def test_at_one_instant_payments_come_first_then_receipts_then_replies(played: Played) -> None:
    played.debtor("claims_paid", has_paid=0)
    hook = {"url": f"{played.house.url}/webhooks/payments/token", "secret": SECRET}
    bill = {"number": "F-7", "amount_minor": 500, "currency": "USD", "due_on": "2026-03-01", "payment_webhook": hook}
    known = {
        "ref": "bo", "character": "silent", "invoices": [bill],
        "payments": [{"number": "F-7", "amount_minor": 500, "at": (START + timedelta(hours=2)).isoformat()}],
    }  # fmt: skip
    played.remind(Channel.SMS)  # the reply comes two hours later
    played.advance(START)
    before = len(played.house.got)
    played.advance(START + timedelta(hours=1, minutes=59))
    played.outside.world.played_now = START + timedelta(hours=2)
    played.remind(Channel.SMS)  # its receipts are due at the instant of the reply
    played.post("/sim/debtors", known)
    played.advance(START + timedelta(hours=2))
    paths = [one.path.rsplit("/c-", 1)[0] for one in played.house.got[before:]]
    assert paths == [
        "/webhooks/payments/token", "/webhooks/twilio/status", "/webhooks/twilio/status", "/webhooks/twilio/inbound",
    ]  # fmt: skip


def test_a_webhook_is_repeated_until_it_is_acknowledged(played: Played) -> None:
    played.house.answers = [(503, "", {}), (500, "", {}), (200, "", {})]
    played.debtor("punctual", due_on="2026-03-03", days=0)
    played.play(3)
    ids = [one.headers["webhook-id"] for one in played.house.got]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert played.get("/sim/state")["webhooks"]["given_up"] == []


def test_what_is_refused_again_and_again_is_given_up_and_can_be_sent_by_hand(played: Played) -> None:
    played.house.answers = [(400, "", {}), (400, "", {}), (400, "", {}), (200, "", {})]
    played.debtor("punctual", due_on="2026-03-03", days=0)
    played.play(3)
    assert len(played.get("/sim/state")["webhooks"]["given_up"]) == 1
    assert played.post("/sim/redeliver", {}) == {"acknowledged": 1, "given_up": 0}


def test_webhooks_can_come_twice_and_in_another_order(played: Played) -> None:
    played.post("/sim/faults", {"duplicate_webhooks_pct": 100, "shuffle_webhooks": True})
    played.debtor("silent")
    played.remind(Channel.SMS)
    played.advance(START)
    said = [parse_qs(one.body.decode())["MessageStatus"][0] for one in played.house.got]
    assert said == ["delivered", "delivered", "sent", "sent"]


def test_receipts_can_be_lost(played: Played) -> None:
    played.post("/sim/faults", {"lose_receipts_pct": 100})
    played.debtor("silent")
    played.remind(Channel.SMS)
    played.advance(START)
    assert played.house.got == []


def test_what_was_sent_can_be_asked_by_contact_by_address_and_in_bulk(played: Played) -> None:
    for _ in range(3):
        played.remind(Channel.SMS)
    one = played.get("/sim/sent", contact_id="c-2")
    assert (one["count"], one["messages"][0]["channel"], one["messages"][0]["to"]) == (1, "sms", ADDRESSES["sms"])
    assert played.get("/sim/sent", contact_id="nobody")["count"] == 0
    assert [message["n"] for message in played.get("/sim/sent", after=1, limit=1)["messages"]] == [1]
    assert played.get("/sim/sent/counts") == {"c-1": 1, "c-2": 1, "c-3": 1}


def test_played_time_never_goes_back(played: Played) -> None:
    answer = played.http.post("/sim/advance", json={"now": (START - timedelta(seconds=1)).isoformat()})
    assert answer.status_code == 409
    assert played.http.post("/sim/advance", json={"now": "2026-03-02T15:00:00"}).status_code == 422, "a time needs its zone"


def test_the_same_seed_plays_the_same_life(played: Played) -> None:
    lives = []
    for _ in range(2):
        with simulator(WorldConfig(api_url=played.house.url, seed=3)) as again, httpx.Client(base_url=again.url) as http:
            other = Played(again, played.house, played.senders, http)
            other.advance(START)
            played.house.got.clear()
            other.debtor("punctual", due_on="2026-03-20")
            other.play(30)
            lives.append([json.loads(one.body) for one in played.house.got])
    assert lives[0] == lives[1]
    assert lives[0]


def test_a_stopped_simulator_goes_on_where_it_was(played: Played, tmp_path: Path) -> None:
    config = WorldConfig(api_url=played.house.url, seed=3, state_file=str(tmp_path / "world.json"))
    with simulator(config) as first, httpx.Client(base_url=first.url) as http:
        before = Played(first, played.house, played.senders, http)
        before.advance(START)
        before.debtor("punctual", due_on="2026-03-20")
        planned = before.get("/sim/next")["next_at"]
    with simulator(config) as second, httpx.Client(base_url=second.url) as http:
        after = Played(second, played.house, played.senders, http)
        assert after.get("/sim/next") == {"next_at": planned, "now": "2026-03-02T14:00:00Z"}
        played.house.got.clear()
        after.play(30)
    assert len(played.payments()) == 1


def test_a_damaged_file_of_the_world_says_what_to_do(tmp_path: Path) -> None:
    config = WorldConfig(api_url="http://127.0.0.1:1", state_file=str(tmp_path / "world.json"))
    (tmp_path / "world.json").write_text("{")
    with pytest.raises(ValueError, match=r"world\.json is damaged: remove it"):
        load(create_simulator(config).state.world, tmp_path / "world.json")


def test_on_the_wall_clock_it_runs_by_itself_and_one_deaf_address_stops_nothing(played: Played) -> None:
    config = WorldConfig(api_url=played.house.url, seed=3, real_time=True)
    with simulator(config) as running, httpx.Client(base_url=running.url) as http:
        live = Played(running, played.house, played.senders, http)
        for ref, house, seconds in (("deaf", free_address(), 0.1), ("bo", played.house.url, 0.3)):
            at = (wall_now() + timedelta(seconds=seconds)).isoformat()
            hook = {"url": f"{house}/webhooks/payments/token", "secret": SECRET}
            bill = {"number": "F-7", "amount_minor": 500, "currency": "USD", "due_on": "2026-03-01", "payment_webhook": hook}
            known = {"number": "F-7", "amount_minor": 500, "at": at}
            live.post("/sim/debtors", {"ref": ref, "character": "silent", "invoices": [bill], "payments": [known]})
        until = wall_now() + timedelta(seconds=10)
        while not played.house.got and wall_now() < until:
            live.get("/sim/state")
        assert live.get("/sim/state")["webhooks"]["last_error"], "the deaf one was called and is still being tried"
        assert http.post("/sim/advance", json={"now": START.isoformat()}).status_code == 409
    assert [payment["amount_minor"] for payment in played.payments()] == [500]
