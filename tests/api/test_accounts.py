"""Consent recorded by itself, and what is corrected about an account, as a client does it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.facts import gather
from ledger.tasks import open_task
from tests import cast
from tests.api.conftest import House
from tests.ledger.people import write_to

_CONSENTS, _ACCOUNT = "/v1/accounts/C-1001/consents", "/v1/accounts/C-1001"


def _ask(house: House, sql: str) -> list[Any]:
    with house.database.worker.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql)).all()]


def _said(consent: str, **change: Any) -> dict[str, Any]:
    return {"channel": "sms", "consent": consent, "at": "2026-03-02T14:00:00Z", "proof": "call-7"} | change


def test_a_withdrawal_is_applied_at_once_and_a_later_consent_ends_it_and_the_task(house: House) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor)
    account = cast.account_of(house.database.worker, invoice)
    with Session(house.database.worker) as session, session.begin():
        write_to(session, invoice, channel="sms", state="planned")
        open_task(
            session, creditor_id=house.creditor.id, account_id=account, kind="get_consent", key=str(account), why="ask",
            due_at=cast.NOW, now=cast.NOW,
        )  # fmt: skip
    changed = [
        house.client.post(_CONSENTS, json=body).json()["changed"]
        for body in (
            _said("withdrawn", address="300 123 4567"), _said("withdrawn"), _said("given"),
            _said("given", at="2026-03-02T14:30:00Z"), _said("withdrawn"),
        )
    ]  # fmt: skip
    assert changed == [1, 0, 0, 1, 0]
    assert _ask(house, "select consent, consent_proof from address where channel = 'sms'") == [("given", "call-7")]
    assert _ask(house, "select state from contact") == [("failed",)]
    assert _ask(house, "select outcome from task") == [("consent given",)]
    assert _ask(house, "select signal from outbox where signal is not null order by id") == [("opted_out",), ("opted_in",)]
    assert "call-7" not in str(_ask(house, "select e::text from event e"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_said("given", channel="whatsapp"), "no-such-address"),
        (_said("given", address="300 765 4321"), "no-such-address"),
        (_said("given", address="12"), "invalid"),
        (_said("given", address="12345"), "bad-address"),
        (_said("given", person_id="01a200e7-0eb1-7c19-9aef-e6c7f409367f"), "no-such-address"),
        (_said("given", at="2026-03-02T15:00:01Z"), "at"),
        (_said("given", at="2026-03-02T14:00:00"), "invalid"),
        (_said("given", proof="ana@correo.example"), "invalid"),
    ],
)
def test_a_consent_about_no_address_of_the_account_is_refused_in_words(house: House, body: dict[str, Any], code: str) -> None:
    cast.accepted_invoice(house.database.worker, house.creditor)
    answer = house.client.post(_CONSENTS, json=body)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, code), answer.text


def test_a_correction_changes_the_account_and_rings_every_open_invoice_once(house: House) -> None:
    first = cast.accepted_invoice(house.database.worker, house.creditor)
    cast.accepted_invoice(house.database.worker, house.creditor, "F-2")
    body = {"kind": "business", "city": "Cali", "notice_sent_on": "2026-02-01", "preferences": {"hours": ["10:00", "12:00"]}}
    answers = [house.client.patch(_ACCOUNT, json=body).json() for _ in range(2)]
    assert answers == [{"changed": ["city", "hours", "kind", "notice_sent"], "invoices": 2}, {"changed": [], "invoices": 0}]
    with Session(house.database.worker) as session:
        facts, _ = gather(session, first, cast.NOW)
    assert facts.law is not None and (facts.kind, facts.law.facts["notice_sent"]) == ("business", "2026-02-01")
    assert _ask(house, "select actor like 'key %' from event where kind = 'account_changed'") == [(True,)] * 2
    assert _ask(house, "select count(*) from outbox where signal = 'account_changed'") == [(2,)]
    assert house.client.patch(_ACCOUNT, json={"city": "", "preferences": None}).json()["changed"] == ["city", "hours"]


def test_a_new_region_moves_the_zone_and_keeps_in_doubt_what_points_elsewhere(house: House) -> None:
    phone = [{"name": "Luis", "channels": [{"channel": "sms", "address": "+12125550123"}]}]
    account = cast.debtor_ana(country="US", region="NY", contacts=phone)
    cast.accepted_invoice(house.database.worker, house.creditor, account=account)
    assert house.client.patch(_ACCOUNT, json={"region": "US-CA"}).json()["changed"] == ["region", "zone", "zones"]
    place = "select region, zone, terms -> 'zones' from account"
    assert _ask(house, place) == [("CA", "America/Los_Angeles", ["America/New_York"])]
    house.client.patch(_ACCOUNT, json={"zone": "America/Denver"})
    assert _ask(house, place) == [("CA", "America/Denver", ["America/Los_Angeles", "America/New_York"])]
    for wrong in ({"zone": "Mars/Olympus"}, {"region": "XX"}):
        answer = house.client.patch(_ACCOUNT, json=wrong)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "unknown-zone")
