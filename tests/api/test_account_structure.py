"""Payers, branches and parents: told with an invoice, shown, corrected, and refused where they make no sense."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.payments import record_payment
from tests import cast
from tests.api.conftest import House


def post(house: House, number: str, ref: str, **account: Any) -> Any:
    given = cast.debtor_luis(ref=ref, **account)
    return house.client.post("/v1/invoices", json=cast.invoice_body(number, account=given))


def account(house: House, ref: str) -> dict[str, Any]:
    answer = house.client.get(f"/v1/accounts/{ref}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def links(house: House, ref: str) -> tuple[str | None, str | None, str | None]:
    found = account(house, ref)
    return found["payer"], found["bill_to"], found["parent"]


def test_a_structure_told_with_an_invoice_is_shown_from_both_ends(house: House) -> None:
    assert post(house, "N-1", "NORTH", payer="HQ", parent="HQ", bill_to="SHARED").status_code == 201
    assert links(house, "NORTH") == ("HQ", "SHARED", "HQ")
    top = account(house, "HQ")
    assert (top["pays_for"], top["branches"], top["people"], top["kind"]) == (["NORTH"], ["NORTH"], [], "business")
    assert cast.LUIS_EMAIL not in str(account(house, "NORTH")) and account(house, "NORTH")["people"][0]["role"] == "payables"


def test_a_later_invoice_adds_what_was_missing_and_overwrites_nothing(house: House) -> None:
    post(house, "N-1", "NORTH")
    post(house, "N-2", "NORTH", payer="HQ")
    post(house, "N-3", "NORTH", payer="OTHER", parent="OTHER")
    assert links(house, "NORTH") == ("HQ", None, "OTHER")
    with house.database.worker.connect() as connection:
        told = connection.execute(text('select count(*) from event where detail = \'{"changed": ["payer"]}\'')).scalar()
    assert told == 1, "the open invoice was told once, when the payer came"


def test_a_payer_of_a_payer_and_a_circle_of_parents_are_refused_with_their_place(house: House) -> None:
    post(house, "N-1", "NORTH", payer="HQ", parent="HQ")
    chained = post(house, "S-1", "SOUTH", payer="NORTH")
    assert (chained.status_code, chained.json()["errors"][0]["pointer"]) == (422, "/account/payer")
    assert "pays in the end" in chained.text
    paid = post(house, "H-1", "HQ", payer="SOUTH")
    assert paid.status_code == 422 and "pays for others" in paid.text
    circle = post(house, "H-2", "HQ", parent="NORTH")
    assert (circle.status_code, circle.json()["errors"][0]["pointer"]) == (422, "/account/parent")
    assert post(house, "X-1", "SELF", parent="SELF").status_code == 422
    assert post(house, "H-3", "HQ").status_code == 201 and links(house, "HQ") == (None, None, None)


def test_the_structure_is_corrected_and_forgotten(house: House) -> None:
    for number, ref in (("N-1", "NORTH"), ("H-1", "HQ")):
        post(house, number, ref)
    change = house.client.patch("/v1/accounts/NORTH", json={"payer": "HQ", "minor": None, "short_name": "Andina"})
    assert (change.status_code, change.json()) == (200, {"changed": ["payer", "short_name"], "invoices": 1})
    assert links(house, "NORTH") == ("HQ", None, None)
    assert house.client.patch("/v1/accounts/NORTH", json={"payer": "HQ"}).json() == {"changed": [], "invoices": 0}
    assert house.client.patch("/v1/accounts/NORTH", json={"payer": None}).json()["changed"] == ["payer"]
    assert links(house, "NORTH") == (None, None, None) and account(house, "NORTH")["short_name"] == "Andina"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"payer": "NOBODY"}, "unknown-account", "there is no account"),
        ({"payer": "NORTH"}, "account-links", "its own payer"),
        ({"short_name": "COMERCIAL ANDINA"}, "invalid", "capitals"),
        ({"habits": {"payment_days": ["fri", 10]}}, "invalid", "not both"),
        ({"habits": {"payment_days": [32]}}, "invalid", ""),
        ({"register": "thou"}, "invalid", ""),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(house: House, body: dict[str, Any], code: str, said: str) -> None:
    post(house, "N-1", "NORTH")
    answer = house.client.patch("/v1/accounts/NORTH", json=body)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (422, code)
    assert said in answer.text


def test_register_minor_related_and_habits_are_kept(house: House) -> None:
    post(house, "N-1", "NORTH")
    habits = {"payment_days": ["fri"], "cut_off_wd": 3, "portal": {"name": "Ariba"}}
    body = {"register": "tu", "related": "shareholder", "minor": True, "habits": habits}
    done = house.client.patch("/v1/accounts/NORTH", json=body).json()
    assert done["changed"] == ["habits", "minor", "register", "related"]
    found = account(house, "NORTH")
    assert {name: found[name] for name in body} == body


def test_a_habit_that_payments_show_is_proposed_until_it_is_accepted(house: House) -> None:
    post(house, "N-1", "NORTH")
    assert account(house, "NORTH")["proposed_habits"] is None
    with Session(house.database.worker) as session, session.begin():
        invoice = session.execute(text("select id from invoice")).scalar_one()
        for week in range(6):
            on = date(2026, 1, 9) + timedelta(days=7 * week)
            record_payment(
                session, house.creditor.id, source="manual", source_ref=f"p{week}", amount_minor=100, currency="COP", paid_on=on,
                value_on=on, now=cast.NOW, invoice_id=invoice,
            )  # fmt: skip
    shown = account(house, "NORTH")["proposed_habits"]
    assert shown == {"payment_days": ["fri"]}
    house.client.patch("/v1/accounts/NORTH", json={"habits": shown})
    assert account(house, "NORTH")["proposed_habits"] is None


def test_an_account_of_nobody_is_not_found(house: House) -> None:
    assert house.client.get("/v1/accounts/NOBODY").status_code == 404
