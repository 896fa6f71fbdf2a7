"""A telephone that nobody confirmed, from the question to the answer: on the real ledger and over the simulated network."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger import holders
from ledger.facts import gather
from ledger.manual_contacts import Made, record
from ledger.receipts import apply_receipt
from policies.facts import Reach
from policies.holder import SILENT_DAYS
from tests import cast
from tests.activities.house import House

PHONE = cast.ANA_PHONE
SMS = [{"channel": "sms", "address": PHONE, "consent": "given"}, {"channel": "whatsapp", "address": PHONE, "consent": "given"}]


def account(channels: list[dict[str, object]] | None = None, ref: str = "C-1001") -> dict[str, object]:
    ana = {"role": "holder", "name": cast.ANA_NAME, "salutation": "Ana", "channels": channels or SMS}
    return cast.debtor_ana(ref=ref, contacts=[ana])


@pytest.fixture
def owed(house: House) -> UUID:
    """An invoice of Ana, of whom only a telephone is known that nobody confirmed; the first reminder is due."""
    house.at("2026-03-17 08:00")
    invoice = house.owes(now=house.tools.clock.now(), account=account())
    house.plan(invoice)
    house.at("2026-03-19 09:00")
    return invoice


def reach(house: House, invoice: UUID, channel: str = "sms") -> Reach:
    with Session(house.worker) as session:
        facts, _ = gather(session, invoice, house.tools.clock.now())
    return next(r for r in facts.reach if r.channel == channel)


def confirm(house: House, invoice: UUID, *, deny: bool = False) -> None:
    now, found = house.tools.clock.now(), reach(house, invoice)
    ((owner,),) = house.rows("select account_id from invoice where id = :i", i=invoice)
    with Session(house.worker) as session, session.begin():
        if deny:
            holders.deny(session, owner, found.address_id, now=now)
        else:
            holders.confirm(session, owner, found.address_id, by="reply", actor="customer", now=now)


def test_the_question_says_nothing_of_a_debt_and_the_answer_lets_the_reminder_go(house: House, owed: UUID) -> None:
    asked = house.contact(owed)
    assert (house.received(), asked.kind) == (1, "wait")
    text = house.outside.world.sent[0].text
    assert "¿Es este el contacto correcto?" in text and not any(word in text for word in ("F-1001", "250", "factura", "marzo"))
    assert house.rows("select template, amount_minor from contact") == [("holder_check", 0)]
    house.at("2026-03-20 10:00")
    confirm(house, owed)
    reminded = house.contact(owed)
    assert "S2 by sms" in reminded.did and "F-1001" in house.outside.world.sent[1].text
    assert house.rows("select kind from event where kind = 'holder_confirmed'") == [("holder_confirmed",)]


def test_the_question_counts_as_a_contact(house: House, owed: UUID) -> None:
    house.contact(owed)
    with Session(house.worker) as session:
        facts, _ = gather(session, owed, house.tools.clock.now())
    assert [(entry.template, entry.is_attempt) for entry in facts.budget] == [("holder_check", True)]
    confirm(house, owed)
    step = house.contact(owed)  # the same day: one contact a day
    assert (step.kind, house.received()) == ("contact", 1) and "more than 1" in step.why


def test_two_invoices_ask_once(house: House, owed: UUID) -> None:
    other = house.owes("F-1002", account=account())
    house.plan(other)
    house.contact(owed)
    assert (house.contact(other).kind, house.received()) == ("wait", 1)


def test_whoever_is_not_there_is_never_written_to_again_on_any_channel(house: House, owed: UUID) -> None:
    house.contact(owed)
    confirm(house, owed, deny=True)
    assert not reach(house, owed).permitted and not reach(house, owed, "whatsapp").permitted
    assert house.rows("select distinct retired_why from address") == [("wrong_person",)]
    assert house.rows("select distinct kind from task") == [("fix_contact",)]
    for _ in range(3):
        house.contact(owed)
    assert house.received() == 1


def test_the_same_number_of_another_person_stays(house: House, owed: UUID) -> None:
    other = house.owes("F-2001", account=account(ref="C-2"))
    house.contact(owed)
    confirm(house, owed, deny=True)
    assert reach(house, other).permitted and reach(house, other).checks == ()


def test_facts_know_the_checks_of_a_number_whichever_way_they_went(house: House, owed: UUID) -> None:
    assert (reach(house, owed).checks, reach(house, owed).heard_at, reach(house, owed).verified) == ((), None, False)
    house.contact(owed)
    sms, whatsapp = reach(house, owed), reach(house, owed, "whatsapp")
    assert len(sms.checks) == 1 and sms.checks == whatsapp.checks
    assert sms.number == whatsapp.number == min(sms.address_id, whatsapp.address_id)
    confirm(house, owed)
    assert reach(house, owed, "whatsapp").verified and reach(house, owed).heard_at == house.tools.clock.now()


def test_a_question_that_did_not_arrive_is_no_question(house: House, owed: UUID) -> None:
    house.contact(owed)
    ((contact,),) = house.rows("select id from contact")
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        apply_receipt(session, contact, "failed", at=now, now=now, reason="30003")
    assert reach(house, owed).checks == ()


def test_an_answer_keeps_a_telephone_confirmed_and_after_half_a_year_it_does_not(house: House, owed: UUID) -> None:
    house.contact(owed)
    confirm(house, owed)
    began = house.tools.clock.now()
    house.move(began + timedelta(days=100))
    address = reach(house, owed).address_id
    with Session(house.worker) as session, session.begin():
        holders.heard(session, [address], now=house.tools.clock.now())
    assert reach(house, owed).heard_at == began + timedelta(days=100)
    house.move(began + timedelta(days=101 + SILENT_DAYS))
    with Session(house.worker) as session, session.begin():
        holders.heard(session, [address], now=house.tools.clock.now())
    assert reach(house, owed).heard_at == began + timedelta(days=100), "who answers now may be somebody else"


@pytest.mark.parametrize(("outcome", "known"), [("conversation", True), ("voicemail", False), ("no_answer", False)])
def test_a_conversation_on_the_telephone_confirms_it(house: House, owed: UUID, outcome: str, known: bool) -> None:
    now = house.tools.clock.now()
    call = Made(ref="call-1", channel="call", direction="out", at=now, outcome=outcome)  # type: ignore[arg-type]
    with Session(house.worker) as session, session.begin():
        record(session, owed, call, now=now, actor="staff")
    assert reach(house, owed).verified is known
