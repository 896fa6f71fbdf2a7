"""What leaves carries the notices of its debtor's law, and a channel that cannot say them gives way to the next (F54)."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.creditors import describe_creditor
from tests import cast
from tests.activities.house import House
from tests.ledger.people import write_to


def _owes(house: House, country: str, region: str, **law: Any) -> UUID:
    house.at("2026-03-02 10:00")
    with Session(house.worker) as session, session.begin():
        describe_creditor(session, house.creditor.id, {}, law)
    return house.owes(account=cast.debtor_ana(country=country, region=region))


def _say(house: House, **said: str) -> None:
    with Session(house.worker) as session, session.begin():
        describe_creditor(session, house.creditor.id, said, {})


def _sent(house: House, invoice: UUID) -> list[str]:
    """The texts that went out for an invoice, in order."""
    rows = house.rows(
        "select m.sealed, p.data_key from contact k join message_body m on m.contact_id = k.id"
        " join person p on p.id = k.person_id where k.invoice_id = :i order by k.at_utc, k.attempt",
        i=invoice,
    )
    sealer = house.tools.sealer
    return [json.loads(sealer.unseal_under(sealer.unwrap(row.data_key), row.sealed))["text"] for row in rows]


def _contact_at(house: House, invoice: UUID, moment: str) -> str:
    house.plan(invoice)
    house.at(moment)
    return house.contact(invoice).did


def test_a_message_to_a_consumer_in_chile_tells_what_was_added_to_the_debt(house: House) -> None:
    invoice = _owes(house, "CL", "CL-RM")
    with house.worker.begin() as connection:
        connection.execute(
            text(
                "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
                " recorded_at) select creditor_id, account_id, id, 1, k.kind, k.sum, currency, '2026-03-01', :now from invoice,"
                " (values ('interest', 20000), ('fee', 5000)) k(kind, sum)"
            ),
            {"now": cast.NOW},
        )
    assert "accepted" in _contact_at(house, invoice, "2026-03-13 12:00")
    [said] = _sent(house, invoice)
    assert "no es un procedimiento de ejecución" in said and "sernac.cl" in said
    assert "Incluye 200" in said.replace("\u00a0", " ") and "gastos de cobranza" in said


def test_without_the_suppliers_tax_number_nothing_goes_out_in_brazil_and_the_command_is_told(house: House) -> None:
    invoice = _owes(house, "BR", "BR-RJ")
    _contact_at(house, invoice, "2026-03-13 09:00")
    tried = house.rows("select channel, state, why_failed from contact where invoice_id = :i order by attempt, at_utc", i=invoice)
    assert (tried[0].channel, tried[0].state) == ("email", "failed")
    assert "puntual creditor set brill --say address=..." in tried[0].why_failed
    assert [(row.channel, row.state) for row in tried[1:]] == [("sms", "accepted")], "an SMS is no document"
    _say(house, address="Rua das Flores 1, Rio de Janeiro", tax_id="12.345.678/0001-95")
    house.at("2026-03-19 09:00")
    house.contact(invoice)
    assert "12.345.678/0001-95" in _sent(house, invoice)[-1] and house.contacts(invoice)[-1][1] == "email"


def test_the_first_words_of_an_agency_are_said_until_a_message_has_carried_them(house: House) -> None:
    invoice = _owes(house, "US", "US-TX", party="third")
    with Session(house.worker) as session, session.begin():
        session.execute(
            text("update contact set channel = 'voice' where id = :id"),
            {"id": write_to(session, invoice, rung="X", state="accepted")},
        )
    assert "accepted" in _contact_at(house, invoice, "2026-03-13 11:00")
    assert "accepted" in _contact_at(house, invoice, "2026-03-20 11:00")
    first, later = _sent(house, invoice)
    assert "intento de cobrar una deuda" in first and "cobrador de deudas" not in first
    assert "cobrador de deudas" in later and "intento de cobrar" not in later
