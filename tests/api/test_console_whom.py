"""Whom a collector may call: the payer's people, by the caps of people, and nobody who wants no calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page
from tests.api.staff_desk import Desk, at_desk
from tests.api.test_console_acts import act, call, one, shown


@pytest.fixture
def desk(house: House) -> Desk:
    return at_desk(house, "collector")


def change(house: House, sql: str) -> None:
    with house.database.worker.begin() as connection:
        connection.execute(text(sql))


def may_be_called(desk: Desk, invoice: UUID) -> bool:
    return "may be called now" in desk.get(f"/console/invoices/{invoice}/call").text


def of_a_branch(house: House) -> UUID:
    """An invoice of a branch, with people of its own, whose payer is Luis' firm."""
    accept = cast.accepted_invoice
    accept(house.database.worker, house.creditor, "HQ-1", account=cast.debtor_luis(ref="HQ"))
    return accept(house.database.worker, house.creditor, "B-1", account=cast.debtor_ana(ref="NORTH", payer="HQ"))


def test_for_a_branch_the_payers_people_are_called_and_what_they_say_is_logged(house: House, desk: Desk) -> None:
    invoice = of_a_branch(house)
    page = Page(desk.get(f"/console/invoices/{invoice}/call").text).text
    luis = str(one(house, "select n.id from person n join account a on a.id = n.account_id where a.ref = 'HQ'"))
    assert cast.ANA_NAME not in page and cast.LUIS_EMAIL in page
    assert "The call is logged" in shown(desk, call(desk, invoice, "no_answer", person=luis, words="asks for Luis"))
    assert str(one(house, "select person_id from manual_contact")) == luis
    old = str(one(house, "select min(id::text) from address where person_id = cast(:p as uuid) and channel = 'email'", p=luis))
    wanted: dict[str, Any] = {"person": luis, "channel": "email", "address": "cobros@firma.example.com", "instead_of": old}
    assert "The contact is corrected" in shown(desk, act(desk, invoice, "contact", **wanted))


def test_a_call_by_a_person_is_asked_by_the_caps_of_people(house: House, desk: Desk) -> None:
    limits = [{"max": 0, "days": 1, "per": "person", "channels": ["voice"], "by": "machine"}]
    limits += [{"max": 1, "days": 7, "per": "person", "channels": ["voice"], "by": "person"}]
    invoice = cast.accepted_invoice(
        house.database.worker, house.creditor, manual_patch={"limits": {"contacts": limits, "gap_hours": 1}}
    )
    assert may_be_called(desk, invoice)
    shown(desk, call(desk, invoice, "no_answer"))
    house.clock.at += timedelta(hours=3)
    assert not may_be_called(desk, invoice)


def test_who_wants_no_calls_is_called_on_no_number_also_one_that_was_kept_for_messages(house: House, desk: Desk) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor)
    assert one(house, "select count(*) from address where channel = 'voice'") == 0 and may_be_called(desk, invoice)
    assert "No more calls" in shown(desk, call(desk, invoice, "no_more_calls"))
    page = desk.get(f"/console/invoices/{invoice}/call").text
    assert "asked for no calls" in page and "tel:" not in page and not may_be_called(desk, invoice)
    assert one(house, "select consent from address where channel = 'voice'") == "withdrawn"
    assert one(house, "select count(*) from address where channel <> 'voice' and consent = 'withdrawn'") == 0


def test_a_number_that_was_silent_for_half_a_year_is_shown_as_not_confirmed(house: House, desk: Desk) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor)
    address = f"/console/invoices/{invoice}/call"
    change(house, "update address set verified_at = '2026-02-20T12:00:00Z', last_heard_at = null")
    assert "not confirmed" not in desk.get(address).text
    change(house, "update address set verified_at = '2025-08-20T12:00:00Z'")
    assert "not confirmed" in desk.get(address).text
    said = house.client.get(f"/v1/debtors/{cast.debtor_ana()['ref']}/contactability", params={"channel": "sms"}).json()
    assert [each["confirmed"] for each in said["people"]] == [False] and "nobody confirmed this telephone" in said["why"]
    by_mail = house.client.get(f"/v1/debtors/{cast.debtor_ana()['ref']}/contactability", params={"channel": "email"}).json()
    assert [each["confirmed"] for each in by_mail["people"]] == [True]


def test_a_minor_is_not_called_and_neither_is_the_family(house: House, desk: Desk) -> None:
    def person(role: str, name: str, number: str) -> dict[str, Any]:
        return {"role": role, "name": name, "channels": [{"channel": "sms", "address": number, "consent": "given"}]}

    contacts = [person("holder", "Ana Niña", "+573001112233"), person("guardian", "Tutora Rosa", "+573004445566")]
    contacts += [person("family_member", "Tío Pepe", "+573007778899")]
    account = cast.debtor_ana(contacts=contacts, minor=True)
    invoice = cast.accepted_invoice(house.database.worker, house.creditor, account=account)
    page = Page(desk.get(f"/console/invoices/{invoice}/call").text)
    assert [link for link in page.hrefs() if link.startswith("tel:")] == ["tel:+573004445566"]
    assert page.text.count("Not to be spoken with about this invoice.") == 2 and "¿Hablo con Tutora Rosa?" in page.text
