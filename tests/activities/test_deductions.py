"""From the deduction on an invoice to the words the customer reads: the net, the document, the deposit, the value of the day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from activities.wire import Next
from ledger.deduction_acts import decline, receive_certificate, reclassify
from ledger.index_values import load
from ledger.payments import record_payment
from policies.indexed import IndexValue
from tests.activities.house import House

WITHHELD = {"kind": "retefuente", "rate": "2.5", "base_minor": 20_000_000, "amount_minor": 500_000, "certificate_required": True}
DEPOSITED = {
    "kind": "detraccion",
    "rate": "10",
    "base_minor": 25_000_000,
    "amount_minor": 2_500_000,
    "where_paid": "state_bank:00-068-1",
}


def due(house: House, number: str = "F-1001", **change: Any) -> UUID:
    """Ana's invoice at the moment of its first overdue reminder (S2, 19 March, 09:00)."""
    house.at("2026-03-17 08:00")
    invoice = house.owes(number, now=house.tools.clock.now(), **change)
    house.plan(invoice)
    house.at("2026-03-19 09:00")
    return invoice


def until_contact(house: House, invoice: UUID) -> Next:
    """Wait through whatever rests the invoice (a part payment rests it for some days) until a contact is due, and make it."""
    for _ in range(6):
        step = house.plan(invoice)
        house.move(house.rows("select next_at from invoice where id = :i", i=invoice)[0].next_at)
        if step.kind == "contact":
            return house.contact(invoice)
    raise AssertionError("no contact came")


def said(house: House) -> str:
    """The text of the last message that really left, with ordinary blanks."""
    return house.outside.world.sent[-1].text.replace("\xa0", " ")


def test_the_message_asks_the_net_and_shows_what_is_withheld(house: House) -> None:
    invoice = due(house, deductions=[WITHHELD])
    assert house.contact(invoice).did == "S2 by email, COP 245,000.00, accepted"
    text = said(house)
    assert "245.000" in text and "Retención en la fuente: 5.000" in text and "250.000" not in text
    assert [row.amount_minor for row in house.rows("select amount_minor from contact")] == [24_500_000]


def test_once_the_net_is_paid_only_the_document_is_asked_for_each_month_and_it_ends(house: House) -> None:
    invoice = due(house, deductions=[WITHHELD])
    house.pays(invoice, 24_500_000)
    assert house.plan(invoice).rung == "certificate_request"
    assert until_contact(house, invoice).did.startswith("certificate_request by email")
    text = said(house)
    assert "el certificado de retención en la fuente" in text
    assert not any(word in text.lower() for word in ("venció", "pendiente", "deuda", "mora", "saldo"))
    following = house.rows("select next_at, next_rung from invoice")[0]
    assert following.next_rung == "certificate_request" and following.next_at > house.tools.clock.now() + timedelta(days=30)
    with Session(house.worker) as session, session.begin():
        now = house.tools.clock.now()
        receive_certificate(session, invoice, 1, received_on=now.date(), ref="file 7", now=now, actor="test")
    assert house.plan(invoice).kind == "close"
    assert house.rows("select outcome from invoice")[0].outcome == "paid"


def test_what_turns_out_to_be_short_payment_is_chased_again(house: House) -> None:
    invoice = due(house, deductions=[WITHHELD])
    house.pays(invoice, 24_500_000)
    house.plan(invoice)
    with Session(house.worker) as session, session.begin():
        reclassify(session, invoice, 1, reason="no certificate", now=house.tools.clock.now(), actor="test")
    did = until_contact(house, invoice).did
    assert "COP 5,000.00, accepted" in did and "certificate_request" not in did


def test_an_unpaid_deposit_is_asked_for_by_its_own_name_and_account(house: House) -> None:
    invoice = due(house, deductions=[DEPOSITED])
    assert house.contact(invoice).did == "S2 by email, COP 225,000.00, accepted"
    assert "Detracción (cuenta 00-068-1): 25.000" in said(house)
    house.pays(invoice, 22_500_000)
    until_contact(house, invoice)
    text = said(house)
    assert "La detracción es de 25.000" in text and "cuenta 00-068-1" in text
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        record_payment(
            session, house.creditor.id, source="manual", source_ref="d-1", amount_minor=2_500_000, currency="COP",
            paid_on=now.date(), value_on=now.date(), now=now, invoice_id=invoice, destination="detraccion",
        )  # fmt: skip
    assert house.plan(invoice).kind == "close"


def test_a_likely_deduction_waits_for_a_person_and_goes_on_when_it_is_declined(house: House) -> None:
    invoice = due(house)
    house.pays(invoice, 25_000_000 - 875_000)
    waits = house.plan(invoice)
    assert (waits.kind, waits.why) == ("wait", "The remainder looks like retefuente: a person confirms or declines it.")
    with Session(house.worker) as session, session.begin():
        decline(session, invoice, 1, now=house.tools.clock.now(), actor="test")
    assert "COP 8,750.00, accepted" in until_contact(house, invoice).did


def test_a_message_waits_for_the_value_of_its_day_and_shows_how_the_sum_comes_about(house: House) -> None:
    invoice = due(house, currency="CLP", amount_minor=None, index={"code": "UF", "units": "12.5"})
    waits = house.contact(invoice)
    assert waits.kind == "wait" and house.received() == 0
    assert [row.kind for row in house.rows("select kind from task")] == ["load_index_value"]
    value = IndexValue.model_validate(
        {"code": "UF", "payment_currency": "CLP", "on_day": "2026-03-19", "value": "39383.07", "source": "SII"}
    )
    with Session(house.worker) as session, session.begin():
        assert load(session, house.creditor.id, [value], now=house.tools.clock.now(), actor="test") == (1, 1)
    assert house.rows("select done_at is not null as done from task")[0].done
    assert house.contact(invoice).did == "S2 by email, CLF 12.5000, accepted"
    text = said(house)
    assert "12,5000 UF (492.288 CLP)" in text
    assert "12,5000 UF × 39.383,07 CLP (SII, jueves 19 de marzo, vale hoy): 492.288 CLP" in text
    assert value.on_day == date(2026, 3, 19)
