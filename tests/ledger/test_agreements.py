"""What is agreed is answered by the policy, recorded at once, and there is never more than one (F64-F79)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import agreements
from ledger.facts import gather
from ledger.history import history
from ledger.refusals import Refused
from policies.law.packs import pack_versions
from policies.negotiation import Discount, Extension, Plan, Promise
from tests.cast import NOW, Creditor, accepted_invoice, creditor_brill
from tests.conftest import Database
from tests.ledger.money import pay, rings
from tests.ledger.people import write_to

OFFER = {"extension_days_max": 15, "instalments_max": 4, "first_share_min_pct": 25, "discount_max_pct": 10, "discount_days": 5}
LADDER: list[dict[str, Any]] = [
    {"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due"},
    {"rung": "S2", "day": "D+3", "channels": ["email"], "template": "first_reminder", "offer": OFFER},
]


class Stage(NamedTuple):
    """An open invoice of 1000 minor units, and a session as the worker."""

    database: Database
    creditor: Creditor
    invoice: UUID
    session: Session


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor = creditor_brill(database.worker, ladder=LADDER)
    invoice = accepted_invoice(database.worker, creditor, amount_minor=1000)
    with Session(database.worker) as session:
        yield Stage(database, creditor, invoice, session)


def ask(stage: Stage, wish: Any, session: Session | None = None) -> agreements.Agreed:
    return agreements.ask(session or stage.session, stage.invoice, wish, source="portal", actor="customer", now=NOW)


def test_a_promise_is_recorded_with_its_day_and_rings(stage: Stage) -> None:
    made = ask(stage, Promise(on=date(2026, 3, 10), amount_minor=400))
    facts, _ = gather(stage.session, stage.invoice, NOW)
    (agreement,) = facts.agreements
    assert (agreement.id, agreement.kind, agreement.state, agreement.made_on) == (
        str(made.id),
        "promise",
        "open",
        date(2026, 3, 2),
    )
    assert [(m.due_on, m.amount_minor) for m in agreement.milestones] == [(date(2026, 3, 10), 400)]
    assert rings(stage.session, stage.invoice)[-1] == ("promise_made", "promise: COP 4.00 on 2026-03-10")


def test_what_the_manual_does_not_allow_is_refused_with_the_nearest(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        ask(stage, Promise(on=date(2026, 4, 10)))
    assert (refused.value.code, refused.value.status) == ("not-granted", 422)
    assert refused.value.more["nearest"]["milestones"] == [{"number": 1, "due_on": "2026-03-12", "amount_minor": 1000}]
    assert stage.session.execute(text("select count(*) from agreement")).scalar() == 0


def test_there_is_one_open_agreement_also_when_two_ask_at_once(stage: Stage) -> None:
    stage.session.commit()
    said: list[str] = []

    def wish() -> None:
        try:
            with Session(stage.database.worker) as session, session.begin():
                ask(stage, Promise(on=date(2026, 3, 10)), session)
            said.append("agreed")
        except Refused as refused:
            said.append(refused.more["rules"][0])

    threads = [threading.Thread(target=wish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["agreed"] + ["negotiation.open_agreement"] * 3


def test_an_offer_holds_from_the_rung_that_made_it(stage: Stage) -> None:
    plan = Plan(count=3, first_on=date(2026, 3, 5), every_days=15)
    with pytest.raises(Refused) as refused:
        ask(stage, plan)
    assert refused.value.more["rules"] == ["negotiation.not_offered"]
    write_to(stage.session, stage.invoice, rung="S1", state="delivered", at=NOW - timedelta(days=2))
    write_to(stage.session, stage.invoice, rung="S2", state="failed", at=NOW - timedelta(days=1))
    assert agreements.table(stage.session, stage.invoice, NOW).rung_id == "S1"
    write_to(stage.session, stage.invoice, rung="S2", state="delivered", at=NOW, attempt=2)
    made = ask(stage, plan)
    assert [m.amount_minor for m in made.terms.milestones] == [333, 333, 334]
    note = "plan: 3 parts from 2026-03-05 to 2026-04-04"
    assert rings(stage.session, stage.invoice)[-1] == ("agreement_made", note)


def test_a_plan_is_on_the_balance_and_not_on_the_first_sum(stage: Stage) -> None:
    write_to(stage.session, stage.invoice, rung="S2", state="delivered")
    pay(stage.session, stage.creditor.id, "p1", 400, stage.invoice)
    made = ask(stage, Plan(count=2, first_on=date(2026, 3, 5)))
    assert sum(m.amount_minor for m in made.terms.milestones) == 600


def test_an_extension_and_a_discount_keep_their_terms(stage: Stage) -> None:
    write_to(stage.session, stage.invoice, rung="S2", state="delivered")
    made = ask(stage, Discount(pay_on=date(2026, 3, 7)))
    assert (made.terms.waived_minor, made.terms.milestones[0].amount_minor) == (100, 900)
    agreements.withdraw(stage.session, stage.invoice, actor="key", now=NOW)
    assert rings(stage.session, stage.invoice)[-1] == ("agreement_withdrawn", "discount")
    assert ask(stage, Extension(until=date(2026, 3, 17))).terms.kind == "extension"


def test_there_is_nothing_to_withdraw_without_an_agreement(stage: Stage) -> None:
    with pytest.raises(Refused, match="no open agreement"):
        agreements.withdraw(stage.session, stage.invoice, actor="key", now=NOW)


def test_nothing_is_agreed_where_nothing_is_owed(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 1000, stage.invoice)
    with pytest.raises(Refused) as refused:
        ask(stage, Promise(on=date(2026, 3, 5)))
    assert (refused.value.status, refused.value.more["nearest"]) == (409, None)


def test_an_agreement_is_told_with_its_reason_its_rules_and_the_versions_it_was_decided_under(stage: Stage) -> None:
    write_to(stage.session, stage.invoice, rung="S2", state="delivered")
    ask(stage, Promise(on=date(2026, 3, 10)))
    told = history(stage.session, stage.invoice)[-1]
    assert (told["what"], told["why"]) == (
        "promise_made",
        "The promise that was asked for is within what the manual allows at S2.",
    )
    assert told["rules"] == ["negotiation.promise"] == told["detail"]["rules"]
    facts, _ = gather(stage.session, stage.invoice, NOW)
    versions = told["versions"]
    assert versions["manual"] == facts.manual_id[:16] and {"policy", "tzdata", "holidays"} < set(versions)
    assert versions["law"]["CO"] == pack_versions()["CO"]
    assert not {"why", "versions"} & set(told["detail"]), "they are told once"


def test_what_the_payers_own_system_shows_is_told_as_its_reason(stage: Stage) -> None:
    agreements.schedule(stage.session, stage.invoice, date(2026, 3, 20), actor="key", now=NOW)
    told = history(stage.session, stage.invoice)[-1]
    assert (told["why"], told["rules"]) == ("The payer's own system shows the payment.", ["portal.scheduled"])
    assert told["versions"]["manual"]
