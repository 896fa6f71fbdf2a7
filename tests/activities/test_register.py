"""How a customer is addressed: a thread keeps its register; a salutation, a short name or nothing is greeted (playbook 6)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import cast
from tests.activities.house import House


def written(house: House) -> str:
    return house.outside.world.sent[-1].text


def begun(house: House, **account: Any) -> UUID:
    """An invoice of a customer in Spain whose first message went out."""
    house.at("2026-03-02 10:00")
    fields = {"country": "ES", "region": "", "register": ""} | account
    invoice = house.owes(now=house.tools.clock.now(), account=cast.debtor_ana(**fields))
    house.plan(invoice)
    house.at("2026-03-13 11:00")
    assert "accepted" in house.contact(invoice).did
    return invoice


def change(house: House, **columns: str) -> None:
    with Session(house.worker) as session, session.begin():
        for column, value in columns.items():
            session.execute(text(f"update account set {column} = :value"), {"value": value})


def test_a_thread_goes_on_in_the_register_it_began_in(house: House) -> None:
    invoice = begun(house)
    assert "tu factura" in written(house)
    change(house, kind="business")  # whose custom is usted
    house.at("2026-03-19 11:00")
    house.contact(invoice)
    assert "tu pago" in written(house) and house.rows("select distinct register from contact") == [("tu",)]


def test_another_register_begins_with_another_thread(house: House) -> None:
    begun(house)
    change(house, register="usted")
    other = house.owes("F-1002", account=cast.debtor_ana(country="ES", region="", register=""), due_on="2026-03-20")
    house.plan(other)
    house.at("2026-03-17 11:00")
    house.contact(other)
    assert "su factura" in written(house)
    assert house.rows("select register from contact order by at_utc") == [("tu",), ("usted",)]


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({"country": "MX", "loan_type": "consumer_credit"}, "su factura"), ({"country": "MX"}, "tu factura"),
        ({"country": "ES", "register": "voce"}, "tu factura"), ({"country": "ES", "register": "usted"}, "su factura"),
    ],
)  # fmt: skip
def test_country_kind_and_credit_choose_and_the_customer_overrides(house: House, account: dict[str, Any], said: str) -> None:
    begun(house, **({"region": "MX-CMX"} if account["country"] == "MX" else {}), **account)
    assert said in written(house)


@pytest.mark.parametrize(
    ("account", "salutation", "greeting"),
    [
        ({"short_name": "Andina", "kind": "business"}, "", "Hola, Andina:"), ({}, "", "Hola:"),
        ({"short_name": "Andina", "kind": "business"}, "Ana", "Hola, Ana:"), ({}, "Hola, Ana:", "Hola, Ana:"),
    ],
)  # fmt: skip
def test_the_greeting_is_the_salutation_else_the_short_name_else_plain(
    house: House, account: dict[str, Any], salutation: str, greeting: str
) -> None:
    ana = {"role": "holder", "name": "RESTREPO GIL ANA", "salutation": salutation, "channels": [
        {"channel": "email", "address": cast.ANA_EMAIL, "consent": "given"}]}  # fmt: skip
    begun(house, contacts=[ana], **account)
    assert written(house).startswith(greeting) and "RESTREPO" not in written(house)
