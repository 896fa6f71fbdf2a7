"""A webhook is verified on its raw body, stored once, applied once, in any order, and answered after the commit (I5)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from twilio.request_validator import RequestValidator

from activities.arrived import apply_waiting
from api.app import create_app
from clock import wall_now
from direct import ask_alone
from ledger.creditors import revoke_webhook_endpoint
from ledger.session import make_engine
from rehearsal.simulator.courier import sendgrid_webhook
from rehearsal.simulator.keys import simulated_keys
from settings import Settings
from tests import cast
from tests.api.conftest import House, StoppedClock
from tests.api.outside import STANDARD_SECRET, change, gateway, one, standard_headers
from tests.cast import ANA_EMAIL, ANA_PHONE, NOW, accepted_invoice
from tests.ledger.people import write_to

KEYS = simulated_keys(7)
BALANCE = "select balance_minor from invoice where number = 'F-1001'"


@pytest.fixture
def invoice(house: House) -> UUID:
    return accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)


def test_a_signed_payment_lowers_the_balance_once_however_often_it_is_sent(house: House, invoice: UUID) -> None:
    door = gateway(house)
    assert door.paid("p1", 400).json() == {"received": True, "result": "applied"}
    assert door.paid("p1", 400).json() == {"received": True, "result": "duplicate"}
    assert door.paid("p1", 400, event_id="another").json()["result"] == "duplicate"
    assert one(house, BALANCE) == 600
    assert one(house, "select count(*) from inbox") == 2
    assert one(house, "select count(*) from outbox where signal = 'payment_received'") == 1


def test_a_wrong_signature_an_old_one_and_an_unknown_address_change_nothing(house: House, invoice: UUID) -> None:
    door = gateway(house)
    body = {"type": "payment.succeeded", "data": {"id": "p1"}}
    for answer in (door.send(body, secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), door.send(body, age_seconds=400)):
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (401, "signature-refused")
    assert house.public.post("/webhooks/payments/nothing", content="{}").status_code == 404
    stripes = gateway(house, "stripe")
    assert house.public.post(stripes.path.replace("stripe", "payments"), content="{}").status_code == 404
    assert one(house, "select count(*) from inbox") == 0


def test_the_body_is_not_read_before_its_signature(house: House) -> None:
    door = gateway(house)
    assert door.send("not json", secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").status_code == 401
    assert door.send("not json").status_code == 400
    answer = door.send({"type": "payment.succeeded", "data": {"id": "p1", "amount_minor": "12", "currency": "COP"}})
    assert answer.status_code == 400 and "amount_minor" in answer.json()["detail"]
    assert one(house, "select count(*) from inbox") == 0


@pytest.mark.parametrize(
    ("days", "status"), [({"paid_on": "2026-03-04"}, 200), ({"paid_on": "2026-03-05"}, 400), ({"paid_on": "0001-01-01"}, 400),
                         ({"value_on": "2026-04-02"}, 200), ({"value_on": "2026-04-03"}, 400)],
)  # fmt: skip
def test_a_payers_day_that_has_not_come_is_refused_with_its_place(
    house: House, invoice: UUID, days: dict[str, str], status: int
) -> None:
    answer = gateway(house).paid("p1", 400, **days)
    assert answer.status_code == status
    if status == 400:
        assert next(iter(days)) in answer.json()["detail"] and one(house, "select count(*) from inbox") == 0


def test_a_body_that_is_too_large_is_refused(house: House) -> None:
    assert gateway(house).send("x" * 5_000_000).status_code == 413


def test_an_unknown_event_type_is_stored_and_answered(house: House) -> None:
    assert gateway(house).send({"type": "customer.created", "data": {}}).json()["result"] == "stored only: customer.created"
    assert one(house, "select result from inbox") == "stored only: customer.created"


def test_a_gateway_waits_for_one_round_trip_and_the_event_is_on_disk(house: House, invoice: UUID) -> None:
    """Once the address is known to the process: the statement that stores is also the one that asks whether it stands."""
    door, app = gateway(house), house.public.app
    door.paid("p0", 1)
    app.state.handover.close()  # type: ignore[attr-defined]
    with mock.patch("ledger.inbox.ask_alone", side_effect=ask_alone) as asked:
        assert door.paid("p1", 999).json() == {"received": True, "result": None}
    assert asked.call_count == 1 and "keep_webhook" in asked.call_args.args[1]
    assert one(house, "select count(*) from inbox where result is null") == 1 and one(house, BALANCE) == 999
    assert apply_waiting(house.database.worker, cast.sealer()) == 1 and one(house, BALANCE) == 0


def test_applying_a_payment_asks_the_ledger_eight_times(house: House, invoice: UUID) -> None:
    """A claim may wait for it: the event, the invoice, locks and what they guard, the payment, what it pays, the entries, the
    fact, the event's end."""
    door, asked = gateway(house), []
    engine = house.public.app.state.engine  # type: ignore[attr-defined]

    def note(*args: Any) -> None:
        asked.append(args[2])

    door.paid("p0", 1)  # the first of a minute also says that the gateway is there
    event.listen(engine, "before_cursor_execute", note)
    assert door.paid("p1", 999).json()["result"] == "applied"
    event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 8, asked


def test_an_address_that_was_revoked_opens_nothing_although_the_process_remembers_it(house: House, invoice: UUID) -> None:
    door = gateway(house)
    assert door.paid("p1", 100).status_code == 200
    with Session(house.database.worker) as session, session.begin():
        revoke_webhook_endpoint(session, door.path.rsplit("/", 1)[-1], NOW)
    assert door.paid("p2", 100).status_code == 404
    assert one(house, "select count(*) from inbox") == 1


def test_an_address_with_a_new_secret_takes_only_that_one(house: House, invoice: UUID) -> None:
    door, fresh = gateway(house), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert door.paid("p1", 100).status_code == 200
    change(house, "update webhook_endpoint set secret_sealed = :s", s=cast.sealer().seal(fresh.encode()))
    body = {"type": "payment.succeeded", "data": {"id": "p2", "amount_minor": 1, "currency": "COP", "paid_on": "2026-03-02"}}
    assert door.send(body, event_id="old").status_code == 401  # genuine by the secret that this process remembers, and no more
    assert door.send(body, event_id="new", secret=fresh).status_code == 200
    assert one(house, "select count(*) from inbox") == 2


def test_what_is_stored_is_sealed(house: House, invoice: UUID) -> None:
    gateway(house).paid("p1", 400, reference="Ana Restrepo Gil")
    payload = bytes(one(house, "select payload from inbox"))
    assert b"Restrepo" not in payload and b"Ana Restrepo Gil" in cast.sealer().unseal(payload)


def test_money_for_nobody_is_kept_listed_and_applied_by_hand(house: House, invoice: UUID) -> None:
    assert gateway(house).paid("p1", 400, invoice="F-77").json()["result"] == "unmatched"
    listed = house.client.get("/v1/payments/unmatched").json()
    assert [(row["why"], row["left_minor"], row["hint"]) for row in listed] == [("no_invoice", 400, "F-77")]
    done = house.client.post(f"/v1/payments/{listed[0]['id']}/apply", json={"invoice_id": str(invoice)})
    assert done.json() == {"applied_minor": 400, "left_minor": 0, "balance_minor": 600}
    assert house.client.get("/v1/payments/unmatched").json() == []


def test_a_reversal_may_come_before_its_payment(house: House, invoice: UUID) -> None:
    door = gateway(house)
    back = {"id": "r1", "reverses": "p1", "amount_minor": 100, "currency": "COP", "paid_on": "2026-03-03", "reason": "refund"}
    assert door.send({"type": "payment.reversed", "data": back}, event_id="e1").json()["result"] == "pending"
    door.paid("p1", 400)
    assert one(house, BALANCE) == 700


def test_money_on_its_way_holds_the_invoice_until_it_fails_or_comes(house: House, invoice: UUID) -> None:
    door = gateway(house)
    for kind, held in (("payment.processing", 1), ("payment.failed", 0), ("payment.processing", 1)):
        door.send({"type": kind, "data": {"id": "p1", "invoice": "F-1001"}}, event_id=str(uuid4()))
        assert one(house, "select count(*) from hold where released_at is null") == held
    door.paid("p1", 400)
    assert one(house, "select count(*) from hold where released_at is null") == 0


def test_one_creditors_gateway_never_touches_anothers_invoice(house: House, invoice: UUID) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    theirs = accepted_invoice(house.database.worker, other, "O-1", amount_minor=1000)
    door = gateway(house)
    for name in ("O-1", str(theirs)):
        assert door.paid(name, 400, invoice=name).json()["result"] == "unmatched"
    assert one(house, "select balance_minor from invoice where number = 'O-1'") == 1000


def contact_for(house: House, invoice: UUID, *, channel: str = "email", state: str = "accepted") -> UUID:
    """A message to Ana that a provider has taken."""
    with Session(house.database.worker) as session, session.begin():
        return write_to(session, invoice, channel=channel, state=state)


def outside(house: House) -> TestClient:
    """The same ledger behind an API that knows its providers' secrets."""
    settings = Settings(
        api_url=house.database.api_url, master_key=cast.MASTER_KEY, twilio_auth_token="12345", public_url="https://cobros.example",
        carrier_secret=STANDARD_SECRET, sendgrid_webhook_key=KEYS.sendgrid_webhook_key,
    )  # fmt: skip
    return TestClient(create_app(settings, clock=StoppedClock(NOW)), raise_server_exceptions=False)


def twilio(client: TestClient, path: str, form: dict[str, str], token: str = "12345") -> Any:
    signature = RequestValidator(token).compute_signature(f"https://cobros.example{path}", form)
    return client.post(path, data=form, headers={"X-Twilio-Signature": signature})


def test_an_sms_receipt_is_signed_over_the_public_address(house: House, invoice: UUID) -> None:
    contact = contact_for(house, invoice, channel="sms")
    client, path = outside(house), f"/webhooks/twilio/status/{contact}"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    assert twilio(client, path, form, token="wrong").status_code == 401
    assert twilio(client, path, form).json() == {"received": True, "results": {"delivered": 1}}
    assert twilio(client, path, form).json() == {"received": True, "results": {"duplicate": 1}}
    assert one(house, "select state from contact") == "delivered"


def test_stop_by_sms_counts_at_once_for_every_creditor_of_that_number(house: House, invoice: UUID) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    accepted_invoice(house.database.worker, other, "O-1")
    client = outside(house)
    form = {"MessageSid": "SM2", "From": ANA_PHONE, "To": "+15005550006", "Body": "BAJA"}
    answer = twilio(client, "/webhooks/twilio/inbound", form)
    assert (answer.status_code, answer.text.endswith("<Response/>")) == (200, True)
    with Session(house.database.worker) as session:
        rows = session.execute(text("select channel, consent from address order by channel")).all()
    assert [(row.channel, row.consent) for row in rows] == [("email", "given")] * 2 + [("sms", "withdrawn")] * 2
    assert one(house, "select count(*) from outbox where signal = 'opted_out'") == 2


def test_ya_pague_holds_the_invoice_last_written_about(house: House, invoice: UUID) -> None:
    contact_for(house, invoice, channel="sms", state="delivered")
    form = {"MessageSid": "SM3", "From": ANA_PHONE, "To": "+15005550006", "Body": "Hola, ya pagué"}
    twilio(outside(house), "/webhooks/twilio/inbound", form)
    assert one(house, "select kind from hold") == "already_paid"
    # three working days after Monday 2 March, whole days of Bogotá
    assert one(house, "select until from hold") == datetime(2026, 3, 6, 5, 0, tzinfo=UTC)


def test_ya_pague_is_for_the_creditor_who_wrote_last_and_stays_with_it(house: House, invoice: UUID) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    theirs = accepted_invoice(house.database.worker, other, "O-1")
    with Session(house.database.worker) as session, session.begin():
        write_to(session, invoice, channel="sms", state="delivered", at=NOW - timedelta(days=2))
        write_to(session, theirs, channel="sms", state="delivered", at=NOW - timedelta(days=1))
    form = {"MessageSid": "SM5", "From": ANA_PHONE, "To": "+15005550006", "Body": "ya pagué"}
    twilio(outside(house), "/webhooks/twilio/inbound", form)
    with Session(house.database.worker) as session, session.begin():
        write_to(session, invoice, rung="S2", channel="sms", state="delivered", at=NOW)
    twilio(outside(house), "/webhooks/twilio/inbound", form)
    assert one(house, "select array_agg(i.number) from hold h join invoice i on i.id = h.invoice_id") == ["O-1"]
    assert one(house, "select count(*) from inbox") == 1
    twilio(outside(house), "/webhooks/twilio/inbound", form | {"MessageSid": "SM6"})
    held = "select array_agg(i.number order by h.created_at, i.number) from hold h join invoice i on i.id = h.invoice_id"
    assert sorted(one(house, held)) == ["F-1001", "O-1"]


def test_a_reply_that_no_rule_understands_waits_for_a_person(house: House, invoice: UUID) -> None:
    contact_for(house, invoice, channel="sms", state="delivered")
    form = {"MessageSid": "SM4", "From": ANA_PHONE, "To": "+15005550006", "Body": "¿me llaman el lunes?"}
    twilio(outside(house), "/webhooks/twilio/inbound", form)
    assert one(house, "select kind from task") == "read_reply"
    assert one(house, "select kind from hold") == "reply", "no rung goes until somebody has answered"
    answered = house.client.post(f"/v1/tasks/{one(house, 'select id from task')}/done", json={"outcome": "answered"})
    assert answered.status_code == 200
    assert one(house, "select count(*) from hold where released_at is null") == 0


def test_a_batch_of_email_events_does_only_what_is_missing_when_it_comes_again(house: House, invoice: UUID) -> None:
    contact, client = contact_for(house, invoice), outside(house)

    def send(*events: dict[str, Any]) -> Any:
        call = sendgrid_webhook("https://cobros.example", list(events), KEYS, "batch")
        return client.post("/webhooks/sendgrid", content=call.body, headers=call.sign(wall_now())).json()["results"]

    at = {"email": ANA_EMAIL, "contact_id": str(contact), "timestamp": 1772463600}
    delivered = at | {"event": "delivered", "sg_event_id": "e1"}
    spam = at | {"event": "spamreport", "sg_event_id": "e2"}
    stranger = {"event": "delivered", "sg_event_id": "e3", "contact_id": str(uuid4()), "timestamp": 1772463600}
    assert send(delivered, stranger) == {"delivered": 1, "unknown contact": 1}
    assert send(delivered, spam) == {"duplicate": 1, "stop": 1}
    assert one(house, "select consent from address where channel = 'email'") == "withdrawn"
    call = sendgrid_webhook("https://cobros.example", [delivered], KEYS, "batch")
    assert client.post("/webhooks/sendgrid", content=call.body + " ", headers=call.sign(wall_now())).status_code == 401


def test_a_carriers_receipt_and_reply(house: House, invoice: UUID) -> None:
    contact = contact_for(house, invoice)
    client = outside(house)
    data = {"id": "m1", "contact_id": str(contact), "channel": "whatsapp"}
    raw = json.dumps({"type": "message.delivered", "timestamp": "2026-03-02T15:00:00Z", "data": data})
    assert client.post("/webhooks/carrier", content=raw, headers=standard_headers(raw, "c1", STANDARD_SECRET)).status_code == 200
    assert one(house, "select state from contact") == "delivered"
    assert client.post("/webhooks/carrier", content=raw, headers=standard_headers(raw, "c1", "whsec_AAAA")).status_code == 401


def test_webhooks_answer_503_and_keep_nothing_while_the_ledger_is_away(house: House) -> None:
    settings = Settings(api_url=house.database.api_url, master_key=cast.MASTER_KEY)
    app = create_app(settings, clock=StoppedClock(NOW))
    door = gateway(house)
    app.state.engine = make_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    client = TestClient(app, raise_server_exceptions=False)
    raw = json.dumps({"type": "payment.succeeded", "data": {}})
    answer = client.post(door.path, content=raw, headers=standard_headers(raw, "e1", STANDARD_SECRET))
    assert answer.status_code == 503
