"""Who answers for an account is a fact; the notice of a firm rung is their task, and is over when the rung's moment has come."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import steps
from ledger.account_owners import assign_owner, owner_of
from ledger.facts import gather
from ledger.refusals import Refused
from ledger.staff import add_staff, disable_staff
from ledger.task_acts import finish_task
from tests import cast
from tests.cast import NOW
from tests.conftest import Database


@pytest.fixture
def invoice(database: Database) -> UUID:
    brill = cast.creditor_brill(database.worker)
    found = cast.accepted_invoice(database.worker, brill)
    with Session(database.worker) as session, session.begin():
        add_staff(session, brill.id, "sales-3", "collector", NOW, password="cuatro gatos grises")
    return found


def test_the_owner_is_a_fact_told_ahead_and_the_task_is_theirs_until_the_rungs_moment(database: Database, invoice: UUID) -> None:
    account = cast.account_of(database.worker, invoice)
    with Session(database.worker) as session:
        assert not gather(session, invoice, NOW)[0].has_owner
        assert assign_owner(session, account, "sales-3", actor="staff:lead-1", now=NOW)
        assert not assign_owner(session, account, "sales-3", actor="staff:lead-1", now=NOW), "so it was before"
        assert gather(session, invoice, NOW)[0].has_owner and owner_of(session, account) == "sales-3"
        at = NOW + timedelta(days=22)  # S3 is firm and falls on Thursday 26 March
        steps.decide(session, *gather(session, invoice, at), at)
        task = session.execute(text("select assigned_to, due_at, done_at from task where kind = 'firm_rung_ahead'")).one()
        assert (task.assigned_to, task.done_at) == ("sales-3", None)
        told = [past for past in gather(session, invoice, at)[0].skipped if past.key == "1.1.ahead-S3.0"]
        assert told[0].passed_at is not None
        steps.decide(session, *gather(session, invoice, task.due_at), task.due_at)
        assert session.execute(text("select outcome from task where kind = 'firm_rung_ahead'")).scalar_one() == "not_held"


def test_a_login_that_is_not_at_work_answers_for_nobody(database: Database, invoice: UUID) -> None:
    account = cast.account_of(database.worker, invoice)
    with Session(database.worker) as session:
        creditor = session.execute(text("select id from creditor")).scalar_one()
        disable_staff(session, creditor, "sales-3", NOW)
        for login in ("sales-3", "nobody"):
            with pytest.raises(Refused, match="no login"):
                assign_owner(session, account, login, actor="staff:lead-1", now=NOW)


def test_a_key_accounts_yes_is_a_fact_of_its_owner_or_a_lead(database: Database, invoice: UUID) -> None:
    account = cast.account_of(database.worker, invoice)
    at = NOW + timedelta(days=22)
    with Session(database.worker) as session:
        assert not gather(session, invoice, NOW)[0].key_account
        session.execute(text("update account set terms = terms || jsonb_build_object('segment', 'key')"))
        assign_owner(session, account, "sales-3", actor="staff:lead-1", now=NOW)
        assert gather(session, invoice, NOW)[0].key_account and gather(session, invoice, at)[0].firm_yes == ()
        steps.decide(session, *gather(session, invoice, at), at)
        task = session.execute(text("select id from task where kind = 'firm_rung_yes'")).scalar_one()
        for outcome, actor, role in (("done", "staff:lead-1", "lead"), ("yes", "staff:ana-7", "collector")):
            with pytest.raises(Refused):
                finish_task(session, task, outcome=outcome, actor=actor, now=at, role=role)
        assert finish_task(session, task, outcome="yes", actor="staff:sales-3", now=at, role="collector")
        assert gather(session, invoice, at)[0].firm_yes == ("1.1.ahead-S3.0",)
