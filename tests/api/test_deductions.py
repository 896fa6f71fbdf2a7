"""Deductions and index values as a billing system sees them: what is asked, what is decided, what it comes to today."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from activities.payment_events import Paid, read_standard
from channels.gateways import BadBody
from ledger.deductions import propose
from tests.api.conftest import House
from tests.api.console_desk import Page as Read
from tests.api.console_desk import sign_in
from tests.api.test_portal import Page
from tests.cast import accepted_invoice, invoice_body
from tests.ledger.money import pay, row_of
from tests.ledger.test_deductions import DEPOSITED, WITHHELD


def paid(house: House, invoice: UUID, amount: int, **more: Any) -> None:
    with Session(house.database.worker) as session, session.begin():
        pay(session, house.creditor.id, f"p-{amount}", amount, invoice, **more)


def seen(house: House, invoice: UUID) -> dict[str, Any]:
    found: dict[str, Any] = house.client.get(f"/v1/invoices/{invoice}").json()
    return found


def decide(house: House, invoice: UUID, number: int, what: str, body: dict[str, Any] | None = None) -> Any:
    return house.client.post(f"/v1/invoices/{invoice}/deductions/{number}/{what}", json=body)


def test_an_invoice_shows_what_is_owed_and_what_may_be_asked(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=1000, deductions=[WITHHELD, DEPOSITED])
    found = seen(house, invoice)
    assert (found["balance_minor"], found["payable_minor"], found["instalments"][0]["balance_minor"]) == (1000, 845, 845)
    assert [(d["number"], d["kind"], d["state"], d["open_minor"]) for d in found["deductions"]] == [
        (1, "retefuente", "declared", 35), (2, "detraccion", "declared", 120),
    ]  # fmt: skip


def test_a_wrong_sum_is_refused_at_its_place(house: House) -> None:
    body = invoice_body(amount_minor=1000, deductions=[WITHHELD | {"amount_minor": 53}])
    answer = house.client.post("/v1/invoices", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/deductions/0/amount_minor")


def test_another_deduction_is_another_invoice(house: House) -> None:
    body = invoice_body(amount_minor=1000, deductions=[WITHHELD])
    assert house.client.post("/v1/invoices", json=body).status_code == 201
    assert house.client.post("/v1/invoices", json=body).status_code == 200
    answer = house.client.post("/v1/invoices", json=body | {"deductions": [WITHHELD | {"certificate_required": False}]})
    assert answer.status_code == 409


def test_a_proposed_deduction_is_confirmed_once_and_its_certificate_recorded_once(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=119_000)
    paid(house, invoice, 116_500)
    assert seen(house, invoice)["deductions"][0]["state"] == "proposed"
    confirmed = [decide(house, invoice, 1, "confirm", {"certificate_required": True}).json() for _ in range(2)]
    assert confirmed == [{"changed": True}, {"changed": False}]
    found = seen(house, invoice)
    assert (found["payable_minor"], found["deductions"][0]["state"], found["deductions"][0]["certificate_on"]) == (
        0, "confirmed", None,
    )  # fmt: skip
    assert decide(house, invoice, 1, "decline").status_code == 409
    body = {"received_on": "2026-03-02", "ref": "file 7"}
    assert [decide(house, invoice, 1, "certificate", body).json()["changed"] for _ in range(2)] == [True, False]
    assert seen(house, invoice)["deductions"][0]["certificate_on"] == "2026-03-02"


def test_a_declined_deduction_is_owed_and_not_proposed_again(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=119_000)
    paid(house, invoice, 116_500)
    assert decide(house, invoice, 1, "decline").json() == {"changed": True}
    found = seen(house, invoice)
    assert (found["payable_minor"], found["deductions"][0]["state"]) == (2_500, "declined")
    with Session(house.database.worker) as session, session.begin():
        assert propose(session, invoice, now=house.clock.at) == []
    assert len(seen(house, invoice)["deductions"]) == 1
    assert decide(house, invoice, 1, "confirm", {}).json()["type"].endswith("/not-proposed")


def test_a_deduction_that_was_short_payment_opens_the_debt_again(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=1000, deductions=[WITHHELD])
    paid(house, invoice, 965)
    assert (seen(house, invoice)["balance_minor"], seen(house, invoice)["cycle"]) == (0, 1)
    assert decide(house, invoice, 1, "reclassify", {"reason": "no certificate"}).json() == {"changed": True}
    found = seen(house, invoice)
    assert (found["balance_minor"], found["payable_minor"], found["cycle"]) == (35, 35, 2)
    assert found["instalments"][0]["balance_minor"] == 35 and found["deductions"][0]["open_minor"] == 0
    assert decide(house, invoice, 1, "reclassify", {"reason": "no certificate"}).json() == {"changed": False}
    paid(house, invoice, 35)
    assert seen(house, invoice)["balance_minor"] == 0


def test_before_the_net_is_paid_a_refused_deduction_joins_what_is_asked_without_a_new_cycle(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=1000, deductions=[WITHHELD])
    decide(house, invoice, 1, "reclassify", {"reason": "not entitled"})
    found = seen(house, invoice)
    assert (found["balance_minor"], found["payable_minor"], found["cycle"]) == (1000, 1000, 1)


def test_the_proof_of_a_deposit_closes_its_part(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=1000, deductions=[DEPOSITED])
    paid(house, invoice, 880)
    assert seen(house, invoice)["balance_minor"] == 120
    decide(house, invoice, 1, "certificate", {"received_on": "2026-03-02", "ref": "constancia 9"})
    assert seen(house, invoice)["balance_minor"] == 0


def test_a_deduction_that_is_not_there_is_not_found(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    assert decide(house, invoice, 1, "decline").status_code == 404


# -- index values

UF = {"code": "UF", "payment_currency": "CLP", "on_day": "2026-03-02", "value": "39383.07", "source": "SII"}


def test_an_indexed_debt_shows_what_it_comes_to_today_once_the_value_is_known(house: House) -> None:
    invoice = accepted_invoice(
        house.database.worker, house.creditor, currency="CLP", amount_minor=None, index={"code": "UF", "units": "12.5000"}
    )
    found = seen(house, invoice)
    assert (found["currency"], found["balance_minor"], found["payment_currency"], found["conversion"]) == (
        "CLF",
        125_000,
        "CLP",
        None,
    )
    loaded = [house.client.put("/v1/index-values", json={"values": [UF]}).json() for _ in range(2)]
    assert loaded == [{"changed": 1, "invoices": 1}, {"changed": 0, "invoices": 0}]
    shown = seen(house, invoice)["conversion"]
    assert (shown["unit"], shown["payable_minor"], shown["on_day"], shown["source"]) == ("UF", 492_288, "2026-03-02", "SII")
    assert [one["code"] for one in house.client.get("/v1/index-values?on=2026-03-02").json()] == ["CLF"]
    assert house.client.get("/v1/index-values?on=2026-03-03").json() == []


def test_a_payment_in_local_currency_is_converted_at_the_value_of_its_day(house: House) -> None:
    invoice = accepted_invoice(
        house.database.worker, house.creditor, currency="CLP", amount_minor=None, index={"code": "UF", "units": "12.5"}
    )
    house.client.put("/v1/index-values", json={"values": [UF]})
    paid(house, invoice, 492_288, currency="CLP")
    with Session(house.database.worker) as session:
        assert row_of(session, invoice).balance_minor == 0


def test_a_value_ends_after_it_begins(house: House) -> None:
    wrong = UF | {"valid_until": "2026-03-01"}
    assert house.client.put("/v1/index-values", json={"values": [wrong]}).status_code == 422


# -- what people see


def test_the_customers_page_asks_the_net_and_shows_both_destinations(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=100_000, deductions=[
        WITHHELD | {"base_minor": 100_000, "amount_minor": 3_500}, DEPOSITED | {"base_minor": 100_000, "amount_minor": 12_000},
    ])  # fmt: skip
    page = Page(house, invoice)
    shown = page.text()
    assert "Saldo pendiente 845 COP" in shown
    assert "Detracción (cuenta 00-068-123456) 120 COP 120 COP" in shown
    assert "Retención en la fuente 35 COP" in shown
    paid(house, invoice, 84_500)
    after = page.text()
    assert "Falta un documento" in after and "la constancia de depósito de la detracción" in after
    assert "Saldo pendiente" not in after


def test_the_payment_link_asks_the_net_in_the_currency_that_is_paid(house: House) -> None:
    with house.database.worker.begin() as connection:
        connection.exec_driver_sql(
            'update creditor set settings = settings || \'{"pay_url": "https://pay.example/{invoice}/{amount_minor}/{currency}"}\''
        )
    plain = accepted_invoice(house.database.worker, house.creditor, amount_minor=1000, deductions=[WITHHELD])
    assert "https://pay.example/F-1001/965/COP" in Page(house, plain).get().text
    uf = accepted_invoice(
        house.database.worker, house.creditor, "F-2", currency="CLP", amount_minor=None, index={"code": "UF", "units": "12.5"}
    )
    assert "https://pay.example" not in Page(house, uf).get().text
    house.client.put("/v1/index-values", json={"values": [UF]})
    assert "https://pay.example/F-2/492288/CLP" in Page(house, uf).get().text
    assert "12,5000 UF × 39.383,07 CLP (SII," in Page(house, uf).text()


def test_a_payment_event_may_name_the_state_bank_as_its_destination() -> None:
    event = read_standard(
        b'{"type": "payment.succeeded", "data": {"id": "p-1", "amount_minor": 120, "currency": "PEN", "paid_on": "2026-03-02",'
        b' "destination": "detraccion"}}'
    )
    assert isinstance(event, Paid) and event.data.destination == "detraccion"
    with pytest.raises(BadBody, match="destination"):
        read_standard(
            b'{"type": "payment.succeeded", "data": {"id": "p-1", "amount_minor": 120, "currency": "PEN",'
            b' "paid_on": "2026-03-02", "destination": "elsewhere"}}'
        )


def test_the_console_shows_the_payable_part_and_each_deduction(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=100_000, deductions=[
        WITHHELD | {"base_minor": 100_000, "amount_minor": 3_500}, DEPOSITED | {"base_minor": 100_000, "amount_minor": 12_000},
    ])  # fmt: skip
    desk = sign_in(house.public, house.creditor.key.key)
    shown = " ".join(Read(desk.get(f"/console/invoices/{invoice}").text).text.split())
    assert "owed now COP 845.00" in shown and "Deducted or deposited elsewhere" in shown
    assert "retefuente 3.5 % declared missing 35.00 35.00" in shown and "to 00-068-123456" in shown
