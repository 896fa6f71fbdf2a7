"""Every stop has an end, a reason out of a list, and a fact that rings (I7, F57, F74, F82-F84, F93)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import holds, stops
from ledger.facts import gather
from ledger.refusals import Refused
from policies.clearing import clears_by
from policies.next_step import next_step
from policies.steps import Wait
from tests.cast import NOW, Creditor, accepted_invoice, account_of, creditor_brill
from tests.conftest import Database
from tests.ledger.money import pay, rings
from tests.ledger.people import write_to


class Stage(NamedTuple):
    """An open invoice of 250,000.00 COP, and a session as the worker."""

    database: Database
    creditor: Creditor
    invoice: UUID
    session: Session


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor = creditor_brill(database.worker)
    invoice = accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session:
        yield Stage(database, creditor, invoice, session)


def refused(code: str) -> pytest.RaisesExc[Refused]:
    """A refusal of that code."""
    return pytest.raises(Refused, check=lambda error: error.code == code)


def test_a_dispute_of_a_part_lasts_as_long_as_the_manual_says_and_asks_for_an_answer(stage: Stage) -> None:
    holds.open_dispute(stage.session, stage.invoice, reason="quality", actor="customer", now=NOW, amount_minor=5_000_000)
    row = stage.session.execute(text("select kind, until, amount_minor, reason from hold")).one()
    assert tuple(row) == ("dispute", NOW + timedelta(days=30), 5_000_000, "quality")
    assert rings(stage.session, stage.invoice)[-1] == ("dispute_opened", "COP 50,000.00: quality")
    task = stage.session.execute(text("select kind, due_at from task")).one()
    assert tuple(task) == ("answer_dispute", NOW + timedelta(days=30))
    with refused("already-disputed"):
        holds.open_dispute(stage.session, stage.invoice, reason="other", actor="customer", now=NOW)
    holds.close_dispute(stage.session, stage.invoice, outcome="for_customer", actor="key", now=NOW)
    assert stage.session.execute(text("select outcome from task")).scalar() == "for_customer"
    assert rings(stage.session, stage.invoice)[-1] == ("dispute_closed", "for_customer")
    with refused("no-dispute"):
        holds.close_dispute(stage.session, stage.invoice, outcome="withdrawn", actor="key", now=NOW)


@pytest.mark.parametrize("amount", [0, -1, 25_000_001])
def test_a_disputed_part_is_within_the_balance(stage: Stage, amount: int) -> None:
    with refused("amount"):
        holds.open_dispute(stage.session, stage.invoice, reason="other", actor="customer", now=NOW, amount_minor=amount)


def test_nothing_is_disputed_or_said_paid_where_nothing_is_owed(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 25_000_000, stage.invoice)
    with refused("invoice-closed"):
        holds.open_dispute(stage.session, stage.invoice, reason="other", actor="customer", now=NOW)
    with refused("invoice-closed"):
        holds.say_already_paid(stage.session, stage.invoice, actor="customer", now=NOW)


def test_already_paid_holds_whole_working_days_of_the_place_of_payment(stage: Stage) -> None:
    # Friday 20 March; Monday 23 is San José, moved by law, so three working days end on Thursday 26
    friday = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
    until = holds.say_already_paid(stage.session, stage.invoice, actor="customer", now=friday)
    assert until == datetime(2026, 3, 27, 5, 0, tzinfo=UTC)
    assert holds.say_already_paid(stage.session, stage.invoice, actor="customer", now=friday + timedelta(hours=1)) == until
    assert [name for name, _ in rings(stage.session, stage.invoice)] == ["already_paid_said"]
    with refused("said-before"):
        holds.say_already_paid(stage.session, stage.invoice, actor="customer", now=until)


def test_already_paid_may_be_said_again_once_something_was_paid(stage: Stage) -> None:
    until = holds.say_already_paid(stage.session, stage.invoice, actor="customer", now=NOW)
    pay(stage.session, stage.creditor.id, "p1", 100, stage.invoice, now=NOW + timedelta(days=1))
    assert holds.say_already_paid(stage.session, stage.invoice, actor="customer", now=until) > until


def test_money_on_its_way_holds_for_the_clearing_time_once(stage: Stage) -> None:
    for _ in range(2):
        holds.hold_in_process(stage.session, stage.invoice, money="p1", now=NOW, method="boleto")
    row = stage.session.execute(text("select until from hold")).one()
    assert row.until == clears_by("boleto", NOW, "America/Bogota", "CO")
    for _ in range(2):
        holds.release_in_process(stage.session, stage.invoice, money=("p1",), now=NOW)
    assert [name for name, _ in rings(stage.session, stage.invoice)] == ["payment_in_process", "payment_failed"]


def test_money_that_failed_leaves_other_money_on_its_way(stage: Stage) -> None:
    for money in ("p1", "p2"):
        holds.hold_in_process(stage.session, stage.invoice, money=money, now=NOW)
    open_holds = text("select array_agg(money_ref) from hold where released_at is null")
    holds.release_in_process(stage.session, stage.invoice, money=("p0",), now=NOW)
    assert stage.session.execute(open_holds).scalar() == ["p1", "p2"]
    holds.release_in_process(stage.session, stage.invoice, money=("ch_2", "p2"), now=NOW)
    assert stage.session.execute(open_holds).scalar() == ["p1"]


def test_an_unknown_invoice_is_not_found(stage: Stage) -> None:
    with refused("not-found"):
        holds.open_dispute(stage.session, uuid4(), reason="other", actor="customer", now=NOW)


def test_a_stopped_account_frees_its_slots_and_the_stop_is_lifted_once(stage: Stage) -> None:
    account = account_of(stage.database.worker, stage.invoice)
    slot = write_to(stage.session, stage.invoice, state="planned", at=NOW + timedelta(days=1))
    until = NOW + timedelta(days=90)
    stop = stops.suppress(stage.session, account, reason="insolvency", evidence="case 7", until=until, actor="key", now=NOW)
    assert stage.session.execute(text("select state from contact where id = :id"), {"id": slot}).scalar() == "failed"
    assert rings(stage.session, stage.invoice)[-1][0] == "suppressed"
    stops.lift(stage.session, stop, actor="key", now=NOW)
    assert rings(stage.session, stage.invoice)[-1] == ("suppression_lifted", "insolvency")
    with refused("already-lifted"):
        stops.lift(stage.session, stop, actor="key", now=NOW)


def reviews(stage: Stage) -> list[tuple[str, datetime, str | None]]:
    """Key, deadline and outcome of each review of a stop."""
    rows = stage.session.execute(text("select key, due_at, outcome from task where kind = 'review_stop' order by due_at"))
    return [(row.key, row.due_at, row.outcome) for row in rows]


def test_a_permanent_stop_is_reviewed_by_its_date_and_ends_by_a_person_only(stage: Stage) -> None:
    account, review = account_of(stage.database.worker, stage.invoice), NOW + timedelta(days=90)
    stop = stops.suppress(stage.session, account, reason="deceased", evidence="c 7", until=review, actor="key", now=NOW)
    assert reviews(stage) == [(str(stop), review, None)]
    later = review + timedelta(days=200)
    facts, manual = gather(stage.session, stage.invoice, later)
    step = next_step(facts, manual, later)
    assert isinstance(step, Wait) and step.rules == ("suppression.deceased",) and step.at == review + timedelta(days=210)
    stops.lift(stage.session, stop, actor="key", now=later)
    assert reviews(stage) == [(str(stop), review, "lifted")]
    assert gather(stage.session, stage.invoice, later)[0].suppressions == ()


def test_a_renewed_stop_has_one_review_and_one_lift(stage: Stage) -> None:
    account, first, second = account_of(stage.database.worker, stage.invoice), NOW + timedelta(days=90), NOW + timedelta(days=200)
    given: dict[str, Any] = {"reason": "represented", "evidence": "c 7", "actor": "key"}
    old = stops.suppress(stage.session, account, until=first, now=NOW, **given)
    new = stops.suppress(stage.session, account, until=second, now=first, **given)
    assert reviews(stage) == [(str(old), first, "renewed"), (str(new), second, None)]
    stops.lift(stage.session, new, actor="key", now=second)
    assert gather(stage.session, stage.invoice, second)[0].suppressions == ()


def test_a_stop_with_an_end_asks_for_no_review_and_ends_then(stage: Stage) -> None:
    account, until = account_of(stage.database.worker, stage.invoice), NOW + timedelta(days=9)
    stops.suppress(stage.session, account, reason="complaint", evidence="c 7", until=until, actor="key", now=NOW)
    assert reviews(stage) == [] and gather(stage.session, stage.invoice, until)[0].suppressions == ()


def test_a_persons_own_stop_is_named_before_an_opt_out_and_outlives_its_review_date(stage: Stage) -> None:
    account, review = account_of(stage.database.worker, stage.invoice), NOW + timedelta(days=90)
    person = stage.session.execute(text("select id from person where account_id = :id limit 1"), {"id": account}).scalar_one()
    given: dict[str, Any] = {"reason": "cease_request", "evidence": "c 7", "until": review, "actor": "key", "now": NOW}
    stops.suppress(stage.session, account, person_id=person, **given)
    stage.session.execute(text("update address set consent = 'withdrawn' where person_id = :id"), {"id": person})
    for now in (NOW, review + timedelta(days=1)):
        facts, _ = gather(stage.session, stage.invoice, now)
        own = [reach for reach in facts.reach if reach.person_id == str(person)]
        assert own and {(reach.permitted, reach.why_not) for reach in own} == {(False, "contact stopped")}
        assert facts.suppressions == ()
    with refused("not-found"):
        stops.suppress(stage.session, account, person_id=uuid4(), **given)


def test_an_exempt_account_waits_and_goes_on(stage: Stage) -> None:
    account, until = account_of(stage.database.worker, stage.invoice), NOW + timedelta(days=60)
    assert stops.exempt(stage.session, account, until=until, reason="pays quarterly", actor="key", now=NOW) == 1
    facts, manual = gather(stage.session, stage.invoice, NOW)
    step = next_step(facts, manual, NOW)
    assert isinstance(step, Wait) and (step.at, step.rules) == (until, ("stop.exempt",))
    assert stops.end_exemption(stage.session, account, actor="key", now=NOW) == 1
    assert [name for name, _ in rings(stage.session, stage.invoice)] == ["exempted", "exemption_ended"]
    with refused("not-exempt"):
        stops.end_exemption(stage.session, account, actor="key", now=NOW)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_no_stop_is_without_an_end_within_a_year(stage: Stage, days: int) -> None:
    account, until = account_of(stage.database.worker, stage.invoice), NOW + timedelta(days=days)
    with refused("until"):
        stops.suppress(stage.session, account, reason="other", evidence="x", until=until, actor="key", now=NOW)
    with refused("until"):
        stops.stop_creditor(stage.session, stage.creditor.id, until=until, reason="x", actor="key", now=NOW)


def test_a_creditors_stop_rings_its_open_invoices_and_ends(stage: Stage) -> None:
    until = NOW + timedelta(days=2)
    assert stops.stop_creditor(stage.session, stage.creditor.id, until=until, reason="bad file", actor="key", now=NOW) == 1
    assert stage.session.execute(text("select stopped_until from creditor")).scalar() == until
    assert stops.resume_creditor(stage.session, stage.creditor.id, actor="key", now=NOW) == 1
    assert [name for name, _ in rings(stage.session, stage.invoice)] == ["stopped", "resumed"]
    with refused("not-stopped"):
        stops.resume_creditor(stage.session, stage.creditor.id, actor="key", now=NOW)
