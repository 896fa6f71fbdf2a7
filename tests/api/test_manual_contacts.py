"""What people did counts as what we did: told once, seen by limits and ladder, listed beside our own (F6, F36, F48)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy.orm import Session

from ledger.facts import gather
from policies.facts import InvoiceFacts
from policies.ladder import candidates
from policies.manual import load_manual
from policies.next_step import next_step
from policies.steps import Contact
from tests import cast
from tests.api.conftest import House
from tests.api.outside import change, one
from tests.cast import NOW, accepted_invoice


@pytest.fixture
def invoice(house: House) -> UUID:
    return accepted_invoice(house.database.worker, house.creditor)


def told(house: House, invoice: UUID, ref: str = "c-1", **more: Any) -> Response:
    """A call of this morning in which somebody spoke with Ana."""
    body = {"ref": ref, "channel": "call", "at": "2026-03-02T09:30:00-05:00", "outcome": "conversation"} | more
    answer: Response = house.client.post(f"/v1/invoices/{invoice}/contacts", json=body)
    return answer


def facts(house: House, invoice: UUID) -> InvoiceFacts:
    with Session(house.database.worker) as session:
        return gather(session, invoice, house.clock.at)[0]


def test_a_contact_is_kept_once_by_its_ref_and_another_content_is_refused(house: House, invoice: UUID) -> None:
    first, again = told(house, invoice), told(house, invoice)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"id": first.json()["id"], "status": "same"}
    other = told(house, invoice, outcome="voicemail", at="2026-03-02T09:31:00-05:00")
    assert (other.status_code, other.json()["differs"]) == (409, ["at", "outcome"])
    elsewhere = accepted_invoice(house.database.worker, house.creditor, "F-1002", account=cast.debtor_ana(ref="C-2"))
    assert told(house, elsewhere).json()["differs"] == ["invoice", "person_id"]
    assert one(house, "select count(*) from event where kind = 'manual_contact'") == 1
    assert one(house, "select signal from outbox where signal is not null") == "manual_contact", "the workflow is rung"
    house.clock.at = NOW + timedelta(days=200)
    assert told(house, invoice).status_code == 200, "told again long after, it is still the same"


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"at": "2026-03-02T15:00:01Z"}, 422, "at"),
        ({"at": "2025-12-02T14:59:59Z"}, 422, "at"),
        ({"at": "2026-03-02T09:30:00"}, 422, "invalid"),
        ({"channel": "pigeon"}, 422, "invalid"),
        ({"outcome": "shouted"}, 422, "invalid"),
        ({"note_code": "she was angry"}, 422, "invalid"),
        ({"text": "she was angry"}, 422, "invalid"),
        ({"person_id": str(uuid4())}, 404, "not-found"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(
    house: House, invoice: UUID, wrong: dict[str, Any], status: int, code: str
) -> None:
    answer = told(house, invoice, **wrong)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, code)
    assert one(house, "select count(*) from manual_contact") == 0


def test_it_counts_towards_the_limits_of_the_person_on_every_invoice(house: House, invoice: UUID) -> None:
    other = accepted_invoice(house.database.worker, house.creditor, "F-1002")
    for ref, more in {
        "c-1": {"channel": "visit", "outcome": "no_answer"}, "c-2": {"outcome": "not_connected"},
        "c-3": {"outcome": "wrong_number"}, "c-4": {"direction": "in"},
    }.items():  # fmt: skip
        assert told(house, other, ref, **more).status_code == 201
    spent = facts(house, invoice).budget
    assert [(e.channel, e.outcome, e.inbound, e.manual, e.is_attempt) for e in sorted(spent, key=lambda e: e.outcome)] == [
        ("voice", "conversation", True, True, False),
        ("visit", "no_answer", False, True, True),
        ("voice", "not_connected", False, True, False),
    ]
    assert {e.person_id for e in spent} == {str(one(house, "select id from person"))}
    assert {e.local_date for e in spent} == {date(2026, 3, 2)}


def test_a_message_waits_for_the_next_day_after_a_call_of_today(house: House, invoice: UUID) -> None:
    house.clock.at = now = datetime(2026, 3, 13, 14, 0, tzinfo=UTC)
    step = next_step(facts(house, invoice), cast.manual_brill(), now)
    assert isinstance(step, Contact) and step.at == now, "S1 falls on this hour and nothing stands against it"
    other = accepted_invoice(house.database.worker, house.creditor, "F-1002")
    assert told(house, other, at="2026-03-13T08:30:00-05:00", outcome="no_answer").status_code == 201
    held = next_step(facts(house, invoice), cast.manual_brill(), now)
    assert isinstance(held, Contact) and held.at > now and "budget.1d.person" in held.rules


def test_days_after_the_last_contact_count_from_a_conversation_too(house: House, invoice: UUID) -> None:
    text = cast.MANUAL_BRILL.replace("day: D+10,", "day: D+10, after_contact_days: 40,")
    manual = load_manual(text, "brill.yaml")

    def s3() -> date:
        return next(c.day for c in candidates(facts(house, invoice), manual) if c.rung.rung == "S3")

    assert s3() == date(2026, 3, 26)
    told(house, invoice, "c-1", outcome="voicemail")
    assert s3() == date(2026, 3, 26), "nobody was spoken with"
    told(house, invoice, "c-2")
    assert s3() == date(2026, 4, 11)


def test_a_wrong_number_retires_the_number_whichever_way_it_answers_and_asks_for_another(house: House, invoice: UUID) -> None:
    assert told(house, invoice, outcome="wrong_number").status_code == 201
    with house.database.worker.connect() as connection:
        rows = connection.exec_driver_sql("select channel, retired_why from address order by channel").all()
    assert [tuple(row) for row in rows] == [("email", None), ("sms", "wrong_number")]
    assert one(house, "select kind from task") == "fix_contact"
    assert facts(house, invoice).budget == (), "it counts as no contact"


def test_of_several_numbers_the_wrong_one_must_be_named(house: House) -> None:
    ways = [{"channel": "voice", "address": number, "consent": "given"} for number in ("+573001234567", "+573001234568")]
    ways.append({"channel": "sms", "address": "+573001234568", "consent": "given"})
    account = cast.debtor_ana(contacts=[{"role": "holder", "name": cast.ANA_NAME, "channels": ways}])
    invoice = accepted_invoice(house.database.worker, house.creditor, account=account)
    answer = told(house, invoice, outcome="wrong_number")
    assert (answer.status_code, len(answer.json()["addresses"])) == (422, 2)
    assert one(house, "select count(*) from manual_contact") == 0
    named = answer.json()["addresses"][1]["id"]
    assert told(house, invoice, outcome="wrong_number", address_id=named).status_code == 201
    gone = "select string_agg(channel, ' ' order by channel) from address where retired_at is not null"
    assert one(house, gone) == "sms voice", "one number, whichever way it answers"
    assert one(house, "select count(*) from address where id = :id and retired_at is null", id=named) == 0


def test_the_list_holds_what_we_sent_and_what_people_did_page_by_page(house: House, invoice: UUID) -> None:
    change(
        house,
        "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel,"
        " template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
        " select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, a.id, '1.1.S1.0', 1, 'S1', 'email', 'pre_due',"
        " 'delivered', 25000000, 'COP', '2026-03-01T15:00:00Z', 'America/Bogota', '2026-03-01T10:00:00', '2026-03-01', -300"
        " from invoice i, person p, address a where a.channel = 'email'",
    )
    for number in (1, 2):
        told(house, invoice, f"c-{number}", at=f"2026-03-02T0{number}:30:00-05:00", note_code="promised")
    found, cursor = [], None
    while True:
        page = house.client.get(f"/v1/invoices/{invoice}/contacts", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))
        assert page.status_code == 200, page.text
        found += page.json()["contacts"]
        cursor = page.json()["cursor"]
        if cursor is None:
            break
    assert [(c["made"], c["channel"], c["outcome"], c["rung"], c["ref"], c["note_code"]) for c in found] == [
        ("automatic", "email", "delivered", "S1", None, ""),
        ("manual", "voice", "conversation", None, "c-1", "promised"),
        ("manual", "voice", "conversation", None, "c-2", "promised"),
    ]
    assert found[1]["recorded_by"] == f"key {house.creditor.key.prefix}"
    assert house.client.get(f"/v1/invoices/{invoice}/contacts", params={"cursor": "AAAA"}).status_code == 422
