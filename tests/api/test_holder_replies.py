"""What a reply from a telephone says of its holder (I11)."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import cast
from tests.api.conftest import House
from tests.api.outside import one
from tests.api.test_webhooks import outside, twilio
from tests.cast import ANA_PHONE, accepted_invoice, debtor_ana
from tests.ledger.people import write_to

UNKNOWN = {"channel": "sms", "address": ANA_PHONE, "consent": "given"}


def wrote(house: House, *, template: str = "holder_check", number: str = "F-1001", ref: str = "C-1001") -> UUID:
    """An invoice whose last message to the unconfirmed telephone was that text."""
    account = debtor_ana(
        ref=ref, contacts=[{"role": "holder", "name": cast.ANA_NAME, "salutation": "Ana", "channels": [UNKNOWN]}]
    )
    invoice = accepted_invoice(house.database.worker, house.creditor, number, account=account)
    with Session(house.database.worker) as session, session.begin():
        contact = write_to(session, invoice, channel="sms", state="delivered")
        session.execute(text("update contact set template = :t where id = :id"), {"t": template, "id": contact})
    return invoice


def says(house: House, body: str, sid: str = "SM1") -> None:
    form = {"MessageSid": sid, "From": ANA_PHONE, "To": "+15005550006", "Body": body}
    assert twilio(outside(house), "/webhooks/twilio/inbound", form).status_code == 200


def result(house: House) -> object:
    return one(house, "select result from inbox order by id desc limit 1")


@pytest.mark.parametrize("body", ["Sí", "soy yo", "YES"])
def test_a_yes_to_the_question_confirms_the_telephone(house: House, body: str) -> None:
    wrote(house)
    says(house, body)
    assert result(house) == "confirmed" and one(house, "select verified_at = last_heard_at from address")
    assert one(house, "select signal from outbox where signal is not null") == "holder_confirmed"
    assert one(house, "select count(*) from task") == 0


def test_a_yes_to_anything_else_is_read_by_a_person(house: House) -> None:
    wrote(house, template="pre_due")
    says(house, "Sí")
    assert (result(house), one(house, "select kind from task")) == ("for a person", "read_reply")
    assert one(house, "select verified_at from address") is None


@pytest.mark.parametrize("body", ["no soy yo", "No"])
def test_a_no_to_the_question_retires_the_telephone_of_that_person_alone(house: House, body: str) -> None:
    wrote(house, number="F-2001", ref="C-2")
    wrote(house)  # the last one
    with Session(house.database.worker) as session, session.begin():
        session.execute(text("update contact k set at_utc = at_utc - interval '1 hour' from invoice i where i.id = k.invoice_id"
                             " and i.number = 'F-2001'"))  # fmt: skip
    says(house, body)
    assert result(house) == "not their telephone"
    gone = "select array_agg(i.number) from address a join person p on p.id = a.person_id join invoice i on i.account_id ="
    assert one(house, f"{gone} p.account_id where a.retired_why = 'wrong_person'") == ["F-1001"]


def test_no_soy_yo_counts_whatever_was_written(house: House) -> None:
    wrote(house, template="pre_due")
    says(house, "No soy yo")
    assert one(house, "select retired_why from address") == "wrong_person"


def test_a_bare_no_to_a_reminder_is_read_by_a_person(house: House) -> None:
    wrote(house, template="pre_due")
    says(house, "no")
    assert result(house) == "for a person" and one(house, "select retired_at from address") is None


def test_any_answer_is_a_sign_of_life_of_a_confirmed_telephone_only(house: House) -> None:
    wrote(house, template="pre_due")
    says(house, "¿me llaman el lunes?")
    assert one(house, "select last_heard_at from address") is None
    with Session(house.database.worker) as session, session.begin():
        session.execute(text("update address set verified_at = :now"), {"now": house.clock.now()})
    says(house, "¿me llaman el martes?", "SM2")
    assert one(house, "select last_heard_at from address") == house.clock.now()


@pytest.mark.parametrize(("body", "seems"), [("la factura está en aprobación", "waiting approval"), ("¿me llaman?", "")])
def test_the_reader_is_told_which_reason_a_reply_seems_to_give(house: House, body: str, seems: str) -> None:
    wrote(house, template="pre_due")
    says(house, body)
    why = str(one(house, "select why from task where kind = 'read_reply'"))
    assert why.endswith(f"it seems to say: {seems}" if seems else "read it and answer")
