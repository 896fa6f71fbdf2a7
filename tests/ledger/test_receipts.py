"""Receipts move a contact forward only; a dead address is retired; a stop counts at once (I2, I11, F36, F49)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.receipts import Status, addresses_of, apply_receipt, opt_in, opt_out, retire_address, told_of
from policies.terms import Channel
from tests.cast import NOW, Creditor, accepted_invoice, account_of, creditor_brill
from tests.conftest import Database
from tests.ledger.money import kinds, rings
from tests.ledger.people import address, write_to


class Stage(NamedTuple):
    """Ana with two open invoices, and a session as the worker."""

    database: Database
    creditor: Creditor
    invoice: UUID
    other: UUID
    session: Session


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor = creditor_brill(database.worker)
    invoice = accepted_invoice(database.worker, creditor)
    other = accepted_invoice(database.worker, creditor, "F-1002")
    with Session(database.worker) as session:
        yield Stage(database, creditor, invoice, other, session)


def state_of(session: Session, contact: UUID) -> str:
    return str(session.execute(text("select state from contact where id = :id"), {"id": contact}).scalar_one())


@pytest.mark.parametrize(
    ("was", "said", "becomes"),
    [
        ("calling", "accepted", "accepted"), ("calling", "delivered", "delivered"), ("accepted", "delivered", "delivered"),
        ("accepted", "failed", "failed"), ("unknown", "accepted", "accepted"), ("unknown", "delivered", "delivered"),
        ("unknown", "failed", "failed"), ("accepted", "accepted", "accepted"), ("delivered", "accepted", "delivered"),
        ("delivered", "failed", "delivered"), ("failed", "delivered", "failed"), ("failed", "accepted", "failed"),
    ],
)  # fmt: skip
def test_a_receipt_moves_a_contact_forward_only(stage: Stage, was: str, said: Status, becomes: str) -> None:
    contact = write_to(stage.session, stage.invoice, state=was)
    done = apply_receipt(stage.session, contact, said, at=NOW, now=NOW, reason="test 1")
    assert done is not None and (done.state, done.moved) == (becomes, was != becomes)
    assert state_of(stage.session, contact) == becomes
    assert stage.session.execute(text("select count(*) from receipt")).scalar() == 1


def test_a_failure_that_may_pass_asks_again_and_keeps_the_address(stage: Stage) -> None:
    contact = write_to(stage.session, stage.invoice)
    apply_receipt(stage.session, contact, "failed", at=NOW, now=NOW, reason="blocked")
    assert rings(stage.session, stage.invoice)[-1] == ("contact_failed", "email 1.1.S1.0 failed")
    assert address(stage.session, "email").retired_at is None
    assert stage.session.execute(text("select count(*) from task")).scalar() == 0


def test_a_failure_for_good_retires_the_address_asks_for_another_and_rings_every_invoice(stage: Stage) -> None:
    contact = write_to(stage.session, stage.invoice)
    slot = write_to(stage.session, stage.other, state="planned", at=NOW + timedelta(days=2))
    sms = write_to(stage.session, stage.other, rung="S2", channel="sms", state="planned", at=NOW + timedelta(days=3))
    done = apply_receipt(stage.session, contact, "failed", at=NOW, now=NOW, permanent=True, reason="bounce 5.1.1")
    assert done is not None and done.retired
    row = address(stage.session, "email")
    assert (row.retired_at, row.retired_why) == (NOW, "bounce 5.1.1")
    task = stage.session.execute(text("select kind, key from task")).one()
    assert (task.kind, task.key) == ("fix_contact", str(row.id))
    for invoice in (stage.invoice, stage.other):
        assert rings(stage.session, invoice)[-1] == ("address_retired", "email address retired: bounce 5.1.1")
    assert (state_of(stage.session, slot), state_of(stage.session, sms)) == ("failed", "planned")


def test_a_late_bounce_of_a_delivered_message_retires_the_address_and_leaves_the_contact(stage: Stage) -> None:
    contact = write_to(stage.session, stage.invoice, state="delivered")
    done = apply_receipt(stage.session, contact, "failed", at=NOW, now=NOW, permanent=True, reason="bounce")
    assert done is not None and (done.state, done.retired) == ("delivered", True)
    again = apply_receipt(stage.session, contact, "failed", at=NOW, now=NOW, permanent=True, reason="bounce")
    assert again is not None and not again.retired


def test_an_unknown_outcome_that_is_settled_rings(stage: Stage) -> None:
    contact = write_to(stage.session, stage.invoice, state="unknown")
    apply_receipt(stage.session, contact, "delivered", at=NOW, now=NOW)
    assert rings(stage.session, stage.invoice)[-1][0] == "outcome_known"
    delivered = write_to(stage.session, stage.other)
    before = rings(stage.session, stage.other)
    apply_receipt(stage.session, delivered, "delivered", at=NOW, now=NOW)
    assert rings(stage.session, stage.other) == before and kinds(stage.session, stage.other)[-1] == "contact_delivered"


def test_a_receipt_for_nobody_is_nothing(stage: Stage) -> None:
    assert apply_receipt(stage.session, UUID(int=1), "delivered", at=NOW, now=NOW) is None


def test_a_stop_frees_what_is_reserved_on_that_channel_only_and_rings_every_invoice(stage: Stage) -> None:
    account = account_of(stage.database.worker, stage.invoice)
    email = write_to(stage.session, stage.invoice, state="planned", at=NOW + timedelta(days=1))
    sms = write_to(stage.session, stage.other, channel="sms", state="planned", at=NOW + timedelta(days=2))
    person = address(stage.session, "email").person_id
    ids = addresses_of(stage.session, person, Channel.EMAIL)
    assert opt_out(stage.session, account, ids, now=NOW, proof="portal") == 1
    row = address(stage.session, "email")
    assert (row.consent, row.consent_at, row.consent_proof) == ("withdrawn", NOW, "portal")
    assert (state_of(stage.session, email), state_of(stage.session, sms)) == ("failed", "planned")
    for invoice in (stage.invoice, stage.other):
        assert rings(stage.session, invoice)[-1] == ("opted_out", "opted out of email")
    assert opt_out(stage.session, account, ids, now=NOW, proof="again") == 0
    assert opt_out(stage.session, account, addresses_of(stage.session, person), now=NOW, proof="all") == 1
    assert opt_in(stage.session, account, ids, now=NOW, proof="reply") == 1
    assert address(stage.session, "email").consent == "given"


def test_a_reply_without_a_reference_is_about_the_last_message(stage: Stage) -> None:
    ids = [address(stage.session, "email").id]
    assert told_of(stage.session, ids) == []
    write_to(stage.session, stage.invoice, at=NOW)
    write_to(stage.session, stage.other, at=NOW + timedelta(days=1))
    write_to(stage.session, stage.invoice, rung="S2", state="failed", at=NOW + timedelta(days=2))
    assert told_of(stage.session, ids) == [stage.other]


def test_a_reply_is_about_every_invoice_of_the_message(stage: Stage) -> None:
    ids = [address(stage.session, "email").id]
    carried = write_to(stage.session, stage.other, at=NOW)
    along = write_to(stage.session, stage.invoice, at=NOW)
    stage.session.execute(text("update contact set folded_into = :into where id = :id"), {"into": carried, "id": along})
    assert told_of(stage.session, ids) == [stage.other, stage.invoice]
    assert told_of(stage.session, [], along) == [stage.other, stage.invoice]


def test_an_address_is_retired_once(stage: Stage) -> None:
    row = address(stage.session, "sms")
    assert retire_address(stage.session, row.id, why="wrong_number", now=NOW)
    assert not retire_address(stage.session, row.id, why="wrong_number", now=NOW)
