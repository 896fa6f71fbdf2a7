"""What a creditor lets go: kept, audited and told to every plan; and sending that stops by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.automatic_stop import stop_what_goes_wrong
from ledger.creditors import add_creditor
from ledger.facts import gather
from ledger.holds import say_already_paid
from ledger.receipts import apply_receipt, opt_out
from ledger.refusals import Refused
from ledger.starting import read_start, set_start
from ledger.steps import local_columns
from ledger.stops import resume_creditor
from policies.next_step import next_step
from policies.start_model import StartMode, StartTerms
from policies.steps import Wait
from tests import cast
from tests.conftest import Database

NOW = cast.NOW


@pytest.fixture
def creditor(database: Database) -> cast.Creditor:
    return cast.creditor_brill(database.worker)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with Session(database.worker) as opened:
        yield opened


def test_a_new_creditor_only_watches(session: Session) -> None:
    made = add_creditor(session, "neu", "Neu SAS", "CO", "America/Bogota", "es", cast.manual_brill(), NOW)
    assert read_start(session, made).default is StartMode.WATCH


def test_a_change_of_the_start_is_merged_audited_and_rings_every_open_invoice(
    session: Session, creditor: cast.Creditor, database: Database
) -> None:
    invoice = cast.accepted_invoice(database.worker, creditor)
    set_start(session, creditor.id, {"rungs": {"S3": "approve"}, "segments": {"key": "watch"}}, actor="staff:lead-1", now=NOW)
    terms = set_start(session, creditor.id, {"rungs": {"S2": "watch", "S3": "auto"}}, actor="staff:lead-1", now=NOW)
    assert terms.rungs == {"S2": StartMode.WATCH} and terms.segments == {"key": StartMode.WATCH}
    assert read_start(session, creditor.id) == terms
    told = session.execute(text("select kind, actor from event where invoice_id = :i order by id"), {"i": invoice}).all()
    assert [tuple(row) for row in told[-2:]] == [("start_changed", "staff:lead-1")] * 2
    acts = session.execute(text("select act, actor, detail from audit order by id")).all()
    assert [row.act for row in acts] == ["start", "start"] and acts[1].detail["rungs"] == {"S2": "watch"}


def test_the_same_start_again_rings_nobody(session: Session, creditor: cast.Creditor) -> None:
    set_start(session, creditor.id, {"default": "auto"}, actor="a", now=NOW)
    assert session.execute(text("select count(*) from audit")).scalar_one() == 0


@pytest.mark.parametrize("wrong", [{"default": "later"}, {"segments": {"kind:robot": "watch"}}, {"list_at": "noon"}])
def test_a_start_that_means_nothing_is_refused(session: Session, creditor: cast.Creditor, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        set_start(session, creditor.id, wrong, actor="a", now=NOW)
    assert refused.value.code == "invalid-start"


def test_the_facts_hold_the_start_only_where_something_is_held_back(
    session: Session, creditor: cast.Creditor, database: Database
) -> None:
    invoice = cast.accepted_invoice(database.worker, creditor)
    assert gather(session, invoice, NOW)[0].start is None
    set_start(session, creditor.id, {"default": "approve", "ceiling_per_day": 7}, actor="a", now=NOW)
    session.execute(text('update account set terms = terms || \'{"segment": "key"}\''))
    start = gather(session, invoice, NOW)[0].start
    assert start is not None and (start.default, start.segment) == (StartMode.APPROVE, "key")
    assert [(use.per_day, use.used) for use in start.ceilings] == [(7, 0)]


# -- what stops by itself


def sent(session: Session, creditor: cast.Creditor, invoice: UUID, count: int, at: datetime) -> list[UUID]:
    """So many accepted e-mails about the invoice at that moment."""
    person, address = session.execute(
        text("select p.id, a.id from person p join address a on a.person_id = p.id where a.channel = 'email' limit 1")
    ).one()
    found = [uuid4() for _ in range(count)]
    for contact in found:
        session.execute(
            text(
                "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung,"
                " channel, template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
                " select :id, creditor_id, account_id, id, :person, :address, :key, 1, 'S2', 'email', 'first_reminder',"
                " 'accepted', 1, 'COP', :at, :zone, :local, :day, :offset from invoice where id = :invoice"
            ),
            {
                "id": contact, "person": person, "address": address, "invoice": invoice, "key": f"1.1.{contact}.0",
                **local_columns(at, "America/Bogota"),
            },
        )  # fmt: skip
    return found


def bounces(session: Session, contacts: list[UUID], at: datetime) -> None:
    for contact in contacts:
        apply_receipt(session, contact, "failed", at=at, now=at, reason="550")


@pytest.fixture
def invoice(database: Database, creditor: cast.Creditor) -> UUID:
    return cast.accepted_invoice(database.worker, creditor)


@pytest.mark.parametrize(("messages", "bounced", "stops"), [(20, 1, False), (20, 2, True), (19, 19, False), (40, 2, False)])
def test_too_many_bounces_stop_the_creditor(
    session: Session, creditor: cast.Creditor, invoice: UUID, messages: int, bounced: int, stops: bool
) -> None:
    contacts = sent(session, creditor, invoice, messages, NOW)
    bounces(session, contacts[:bounced], NOW)
    found = stop_what_goes_wrong(session, NOW + timedelta(minutes=5))
    assert bool(found) is stops
    facts, manual = gather(session, invoice, NOW + timedelta(minutes=5))
    assert facts.stopped_automatically is stops
    if stops:
        step = next_step(facts, manual, NOW + timedelta(minutes=5))
        assert isinstance(step, Wait) and step.rules == ("stop.automatic",)
        assert step.at == datetime(2026, 3, 5, 5, 0, tzinfo=UTC), "to the end of the second working day, Wednesday"
        task = session.execute(text("select why, due_at from task where kind = 'automatic_stop'")).one()
        assert "2 of 20 messages bounced (10.0 %, at most 5 %)" in task.why and task.due_at == step.at
        assert session.execute(text("select actor from audit where act = 'stop.automatic'")).scalar_one() == "puntual"


def test_answers_that_it_is_paid_stop_the_creditor(session: Session, creditor: cast.Creditor, invoice: UUID) -> None:
    sent(session, creditor, invoice, 25, NOW)
    assert stop_what_goes_wrong(session, NOW) == []
    say_already_paid(session, invoice, actor="customer", now=NOW + timedelta(minutes=1))
    ((_, passed),) = stop_what_goes_wrong(session, NOW + timedelta(minutes=2))
    assert passed.what == "already_paid" and passed.messages == 25


def test_opt_outs_stop_the_creditor(session: Session, creditor: cast.Creditor, invoice: UUID) -> None:
    sent(session, creditor, invoice, 25, NOW)
    account, address = session.execute(
        text("select p.account_id, a.id from address a join person p on p.id = a.person_id where a.channel = 'email'")
    ).one()
    opt_out(session, account, [address], now=NOW + timedelta(minutes=1), proof="link")
    ((_, passed),) = stop_what_goes_wrong(session, NOW + timedelta(minutes=2))
    assert passed.what == "opt_outs"


def test_a_creditor_is_stopped_once_and_after_a_person_let_it_go_on_only_by_new_messages(
    session: Session, creditor: cast.Creditor, invoice: UUID
) -> None:
    bounces(session, sent(session, creditor, invoice, 20, NOW), NOW)
    assert len(stop_what_goes_wrong(session, NOW + timedelta(minutes=1))) == 1
    assert stop_what_goes_wrong(session, NOW + timedelta(minutes=2)) == []
    resume_creditor(session, creditor.id, actor="staff:lead-1", now=NOW + timedelta(hours=1))
    assert stop_what_goes_wrong(session, NOW + timedelta(hours=2)) == []
    later = NOW + timedelta(hours=3)
    bounces(session, sent(session, creditor, invoice, 20, later), later)
    assert len(stop_what_goes_wrong(session, later)) == 1


def test_a_quiet_creditor_is_judged_by_its_last_messages(session: Session, creditor: cast.Creditor, invoice: UUID) -> None:
    for day in range(10):
        at = NOW + timedelta(days=day)
        bounces(session, sent(session, creditor, invoice, 2, at)[: day < 2], at)
    assert len(stop_what_goes_wrong(session, NOW + timedelta(days=9))) == 1


def test_limits_are_the_creditors_own_and_may_be_none(session: Session, creditor: cast.Creditor, invoice: UUID) -> None:
    bounces(session, sent(session, creditor, invoice, 20, NOW)[:2], NOW)
    set_start(session, creditor.id, {"stop": {"bounces_pct": 10}}, actor="a", now=NOW)
    assert stop_what_goes_wrong(session, NOW) == []
    set_start(session, creditor.id, {"stop": None}, actor="a", now=NOW)
    assert read_start(session, creditor.id) == StartTerms(stop=None)
    assert stop_what_goes_wrong(session, NOW) == []
    set_start(session, creditor.id, {"stop": {"bounces_pct": 9.9}}, actor="a", now=NOW)
    assert len(stop_what_goes_wrong(session, NOW)) == 1
