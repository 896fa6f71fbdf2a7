"""The customer's page asks why only where it may, does what stands for the reason, and lets a person confirm a telephone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests import cast
from tests.api.conftest import House
from tests.api.test_portal import Page
from tests.api.test_reasons import rows
from tests.cast import ANA_EMAIL, ANA_PHONE, accepted_invoice, debtor_ana

UNKNOWN = {"channel": "sms", "address": ANA_PHONE, "consent": "given"}
MAIL = {"channel": "email", "address": ANA_EMAIL, "consent": "given"}


def page(house: House, *, phone: bool = False, **account: Any) -> Page:
    ana = {"role": "holder", "salutation": "Ana", "channels": [MAIL, UNKNOWN] if phone else [MAIL]}
    given = debtor_ana(**({"country": "ES", "region": "", "contacts": [ana]} | account))
    return Page(house, accepted_invoice(house.database.worker, house.creditor, account=given))


@pytest.mark.parametrize(
    ("kind", "offers", "others"), [("business", "pago programado", "imprevisto"), ("consumer", "imprevisto", "pago programado")]
)
def test_each_kind_of_customer_sees_its_own_reasons(house: House, kind: str, offers: str, others: str) -> None:
    shown = page(house, kind=kind).text()
    assert offers in shown and others not in shown


def test_in_colombia_nobody_is_asked_why_and_what_is_said_is_recorded(house: House) -> None:
    asked = page(house, country="CO", region="CO-DC")
    assert "reason" not in asked.verbs() and "imprevisto" not in asked.text()


def test_a_reason_does_what_stands_for_it(house: House) -> None:
    firm = page(house, kind="business")
    assert firm.send("reason", reason="payment_run", on="2026-03-06").status_code == 303
    assert rows(house, "select kind, source, actor from agreement") == [("promise", "portal", "customer")]
    assert "reason" in firm.verbs()


def test_an_insolvency_that_a_customer_claims_holds_for_two_working_days_once_while_a_person_looks(house: House) -> None:
    firm = page(house, kind="business")
    held = "select reason, until, lifted_at is null from suppression order by created_at, reason desc"
    assert firm.send("reason", reason="insolvent", on="2030-01-01").status_code == 303
    [(reason, until, stands)] = rows(house, held)
    assert (reason, stands) == ("insolvency_claimed", True) and timedelta(days=1) < until - cast.NOW < timedelta(days=6)
    assert rows(house, "select kind, due_at from task") == [("confirm_insolvency", until)]
    house.clock.at = until + timedelta(days=1)
    assert firm.send("reason", reason="insolvent").status_code == 303
    assert len(rows(house, held)) == 1, "said again, it stops nothing again"
    asked = [each for (each,) in rows(house, "select id from task where kind = 'confirm_insolvency' order by created_at")]
    assert len(asked) == 2

    def says(task: UUID, outcome: str) -> Any:
        return house.client.post(f"/v1/tasks/{task}/done", json={"outcome": outcome}).status_code

    assert says(asked[0], "done") == 422 and says(asked[0], "not_confirmed") == 200
    assert rows(house, held) == [("insolvency_claimed", until, False)]
    assert says(asked[1], "confirmed") == 200
    assert [row[0] for row in rows(house, held) if row[2]] == ["insolvency"]


def test_what_a_customer_says_again_is_heard_and_holds_nothing_again(house: House) -> None:
    firm = page(house, kind="business")
    pauses = "select reason from hold where kind = 'pause'"
    said = "select detail -> 'did' from event where kind = 'reason_given' order by id"
    for _ in range(3):
        assert firm.send("reason", reason="waiting_approval").status_code == 303
        house.clock.at += timedelta(days=8)
    assert rows(house, pauses) == [("waiting_approval",)]
    assert rows(house, said) == [(["pause", "task"],), (["task"],), (["task"],)]


def test_not_received_starts_the_ladder_again_once(house: House) -> None:
    firm = page(house, kind="business")
    house.clock.at = cast.NOW + timedelta(days=22)
    for _ in range(2):
        assert firm.send("reason", reason="not_received").status_code == 303
        [(task,)] = rows(house, "select id from task where kind = 'own_send_copy' and done_at is null")
        assert house.client.post(f"/v1/tasks/{task}/done", json={"outcome": "done"}).status_code == 200
        house.clock.at += timedelta(days=9)
    assert rows(house, "select cycle from invoice") == [(2,)]


@pytest.mark.parametrize(
    "fields",
    [{"reason": "payment_run"}, {"reason": "forgot"}, {"reason": "payment_run", "on": "soon"}, {"reason": "tax_withheld"}],
)
def test_a_reason_that_lacks_something_is_refused_in_words(house: House, fields: dict[str, str]) -> None:
    answer = page(house, kind="business").send("reason", **fields)
    assert answer.status_code == 422 and "Falta un dato" in answer.text
    assert rows(house, "select count(*) from agreement") == [(0,)]


def test_a_person_confirms_a_telephone_or_says_that_it_is_another_s(house: House) -> None:
    mine = page(house, phone=True)
    assert f"termina en {ANA_PHONE[-2:]}" in mine.text() and ANA_PHONE[-4:] not in mine.text()
    assert mine.send("phone", whose="mine").status_code == 303
    assert rows(house, "select verified_at is not null from address where channel = 'sms'") == [(True,)]
    assert "phone" not in mine.verbs()


def test_a_telephone_of_somebody_else_is_retired_at_once(house: House) -> None:
    mine = page(house, phone=True)
    assert mine.send("phone", whose="other").status_code == 303
    assert rows(house, "select retired_why from address where channel = 'sms'") == [("wrong_person",)]
    assert "phone" not in mine.verbs()


@pytest.mark.parametrize("number", ["", "nothing", "01a200bd-7838-7c19-9aef-e6c7f409367f"])
def test_only_ones_own_telephone_is_confirmed(house: House, number: str) -> None:
    assert page(house, phone=True).send("phone", number=number, whose="mine").status_code in (404, 422)
    assert rows(house, "select verified_at from address where channel = 'sms'") == [(None,)]
