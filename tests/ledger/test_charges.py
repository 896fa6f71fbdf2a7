"""Late interest and fees on the ledger (F63): once per period, held back where they must be, lowered by late payments."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from clock import LedgerClock, set_ledger_clock
from ledger.charges import charges_of, due_for_charges, post_charges, post_cost, sums_of
from ledger.holds import open_dispute
from ledger.invoices import amend
from ledger.payments import record_payment, record_reversal
from ledger.session import as_creditor, lock_debtor
from tests.cast import Creditor, accepted_invoice, account_of, creditor_brill, debtor_ana, debtor_luis
from tests.conftest import Database
from tests.ledger.money import balances, kinds, pay, rings
from worker import post_due_charges

ACCEPTED = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 2, 9, 0, tzinfo=UTC)
MARCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SPAIN: dict[str, Any] = {
    "currency": "EUR", "issued_on": "2025-11-01", "due_on": "2025-12-31", "amount_minor": 1_000_000,
    "account": debtor_luis(country="ES", region="ES-MD", ref="B-34"),
}  # fmt: skip
# 10.15 % of 10,000.00 over 31 and 28 days
JANUARY_MINOR, FEBRUARY_MINOR = 8621, 7786


@dataclass(frozen=True)
class Stage:
    """A Spanish creditor and one invoice of 10,000.00 EUR of a Spanish company, due on 31 December 2025."""

    database: Database
    creditor: Creditor
    invoice: UUID
    session: Session

    def post(self, now: datetime = FEBRUARY) -> int:
        """Look at the invoice; returns the minor units added."""
        return post_charges(self.session, self.invoice, now=now).added_minor

    def pay(self, ref: str, amount: int, value_on: str, now: datetime = FEBRUARY) -> None:
        record_payment(
            self.session, self.creditor.id, source="standard", source_ref=ref, amount_minor=amount, currency="EUR",
            paid_on=date.fromisoformat(value_on), value_on=date.fromisoformat(value_on), now=now, invoice_id=self.invoice,
        )  # fmt: skip

    def added(self) -> int:
        """What interest and fees come to, by the entries; the charges must say the same."""
        total = self.session.execute(
            text("select coalesce(sum(amount_minor), 0) from entry where invoice_id = :id and kind in ('interest', 'fee')"),
            {"id": self.invoice},
        ).scalar_one()
        assert total == sum(row.amount_minor for row in charges_of(self.session, self.invoice))
        return int(total)


def stage_of(database: Database, late: dict[str, Any] | None, **invoice: Any) -> tuple[Creditor, UUID]:
    creditor = creditor_brill(database.worker, country="ES", now=ACCEPTED, late_charges=late)
    return creditor, accepted_invoice(database.worker, creditor, now=ACCEPTED, **{**SPAIN, **invoice})


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor, invoice = stage_of(database, {"interest": "statutory"})
    with Session(database.worker) as session:
        yield Stage(database, creditor, invoice, session)


def test_each_month_that_is_over_is_posted_once_with_its_lines(stage: Stage) -> None:
    assert stage.post(datetime(2026, 1, 31, 12, 0, tzinfo=UTC)) == 0
    assert stage.post() == JANUARY_MINOR
    assert stage.post() == 0
    assert stage.post(MARCH) == FEBRUARY_MINOR
    assert stage.added() == JANUARY_MINOR + FEBRUARY_MINOR
    assert balances(stage.session, stage.invoice) == {1: 1_000_000 + JANUARY_MINOR + FEBRUARY_MINOR}
    rows = charges_of(stage.session, stage.invoice)
    assert [row.key for row in rows] == ["interest:1:2026-01", "interest:1:2026-02"]
    assert [(line["rule"], line["days"], line["rate_pct"]) for line in rows[0].lines] == [("ES.interest", 31, "10.15")]
    assert kinds(stage.session, stage.invoice)[-2:] == ["charges_posted", "charges_posted"]
    assert rings(stage.session, stage.invoice)[-2] == ("charges_posted", "EUR 86.21, owed now EUR 10,086.21")


def test_eight_workers_at_once_post_a_month_once(stage: Stage) -> None:
    def look() -> None:
        with Session(stage.database.worker) as session, session.begin():
            post_charges(session, stage.invoice, now=FEBRUARY)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.added() == JANUARY_MINOR


def test_posting_waits_for_whoever_holds_the_debtor(stage: Stage) -> None:
    account = account_of(stage.database.worker, stage.invoice)
    with Session(stage.database.worker) as other:
        lock_debtor(other, account)
        stage.session.execute(text("set local lock_timeout = '100ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            stage.post()
    stage.session.rollback()
    assert stage.post() == JANUARY_MINOR


def test_the_worker_looks_at_each_invoice_once_a_day_and_only_where_the_manual_asks(stage: Stage) -> None:
    other = accepted_invoice(stage.database.worker, creditor_brill(stage.database.worker, slug="quiet"))
    assert due_for_charges(stage.session, now=FEBRUARY, limit=10) == [stage.invoice]
    stage.session.rollback()
    with stage.database.worker.begin() as connection:
        set_ledger_clock(connection, FEBRUARY, frozen=True)
    assert post_due_charges(stage.database.worker, LedgerClock(stage.database.worker)) == 1
    assert due_for_charges(stage.session, now=FEBRUARY, limit=10) == []
    assert due_for_charges(stage.session, now=MARCH, limit=10) == [stage.invoice]
    assert charges_of(stage.session, other) == []


def test_a_payment_of_an_earlier_value_date_takes_back_what_was_posted_too_much(stage: Stage) -> None:
    stage.post()
    stage.pay("p1", 500_000, "2026-01-16")
    # 16 days on 10,000.00 and 15 on 5,000.00, each line rounded
    assert stage.added() == 4449 + 2086
    assert balances(stage.session, stage.invoice) == {1: 500_000 + 4449 + 2086}
    entries = stage.session.execute(text("select amount_minor from entry where kind = 'interest' order by id")).scalars().all()
    assert entries == [JANUARY_MINOR, 4449 + 2086 - JANUARY_MINOR]
    assert "charges_corrected" in kinds(stage.session, stage.invoice)
    assert stage.post() == 0


def test_a_payment_told_to_the_api_corrects_too_with_its_narrow_rights(stage: Stage) -> None:
    stage.post()
    stage.session.commit()
    with Session(stage.database.api) as session, session.begin():
        as_creditor(session, stage.creditor.id)
        narrow = Stage(stage.database, stage.creditor, stage.invoice, session)
        narrow.pay("p1", 1_000_000, "2025-12-31")
        assert narrow.added() == 0


def test_erp_03_a_payment_of_everything_by_the_due_date_that_is_told_late_leaves_no_interest_and_nothing_owed(
    stage: Stage,
) -> None:
    stage.post()
    stage.pay("p1", 1_000_000, "2025-12-31")
    assert (stage.added(), balances(stage.session, stage.invoice)) == (0, {1: 0})


def test_paying_the_principal_leaves_the_posted_interest_owed_and_no_interest_on_it(stage: Stage) -> None:
    stage.post()
    stage.pay("p1", 1_000_000, "2026-02-01")
    assert balances(stage.session, stage.invoice) == {1: JANUARY_MINOR}
    # the first of February was still late, by value date
    assert stage.post(MARCH) == 278
    assert stage.post(datetime(2026, 4, 2, 9, 0, tzinfo=UTC)) == 0


def test_the_same_money_leads_to_the_same_interest_in_whatever_order_it_is_told(stage: Stage) -> None:
    stage.pay("p1", 1_000_000, "2026-01-11", now=datetime(2026, 1, 12, 9, 0, tzinfo=UTC))
    record_reversal(
        stage.session, stage.creditor.id, source="standard", source_ref="r1", payment_ref="p1", amount_minor=1_000_000,
        currency="EUR", reversed_on=date(2026, 1, 21), now=FEBRUARY,
    )  # fmt: skip
    stage.post()
    first = stage.added()
    stage.session.rollback()
    stage.post()
    stage.pay("p1", 1_000_000, "2026-01-11")
    record_reversal(
        stage.session, stage.creditor.id, source="standard", source_ref="r1", payment_ref="p1", amount_minor=1_000_000,
        currency="EUR", reversed_on=date(2026, 1, 21), now=FEBRUARY,
    )  # fmt: skip
    assert stage.added() == first == 3059 + 2781


def test_what_was_billed_too_much_bears_no_interest(stage: Stage) -> None:
    stage.post()
    amend(stage.session, stage.invoice, [(1, date(2025, 12, 31), 500_000)], reason="price agreed", now=FEBRUARY)
    assert stage.added() == 4310
    assert balances(stage.session, stage.invoice) == {1: 504_310}


def test_a_dispute_holds_interest_back_and_its_end_lets_the_month_follow(stage: Stage) -> None:
    open_dispute(stage.session, stage.invoice, amount_minor=None, reason="wrong_amount", now=FEBRUARY, actor="api")
    assert post_charges(stage.session, stage.invoice, now=FEBRUARY).whys[0].startswith("an agreement, a dispute")
    stage.session.execute(text("update hold set released_at = :now"), {"now": FEBRUARY})
    assert stage.post() == JANUARY_MINOR


def test_without_late_charges_in_the_manual_nothing_is_ever_added(database: Database) -> None:
    _, invoice = stage_of(database, None)
    with Session(database.worker) as session:
        assert due_for_charges(session, now=MARCH, limit=10) == []
        assert post_charges(session, invoice, now=MARCH).keys == ()


def test_the_fixed_sum_and_the_contracts_fee_are_posted_once_inj_07(database: Database) -> None:
    late = {"fixed_sum": True, "fee_minor": {"EUR": 1000}, "fee_after_days": 10}
    creditor, invoice = stage_of(database, late, amount_minor=1000)
    with Session(database.worker) as session:
        stage = Stage(database, creditor, invoice, session)
        assert stage.post(datetime(2026, 1, 9, 9, 0, tzinfo=UTC)) == 4000
        assert stage.post(datetime(2026, 1, 20, 9, 0, tzinfo=UTC)) == 1000
        assert stage.post(MARCH) == 0
        assert balances(session, invoice) == {1: 1000 + 4000 + 1000}
        assert sums_of(session, invoice) == (0, 5000)


def test_an_unknown_rate_posts_nothing_until_the_creditor_gives_it(database: Database) -> None:
    creditor, invoice = stage_of(database, {"interest": "statutory"}, due_on="2026-06-30", issued_on="2026-05-01")
    august = datetime(2026, 8, 3, 9, 0, tzinfo=UTC)
    with Session(database.worker) as session:
        posted = post_charges(session, invoice, now=august)
        assert posted.keys == () and "ecb_main is not known for 2026-07-01" in posted.whys[0]
        session.execute(
            text("update creditor set settings = cast(:own as jsonb) where id = :id"),
            {
                "id": creditor.id,
                "own": json.dumps(
                    {
                        "reference_rates": {
                            "ecb_main": [{"from": "2026-07-01", "until": "2026-12-31", "value": "2.40", "source": "creditor"}]
                        }
                    }
                ),
            },
        )
        assert post_charges(session, invoice, now=august).added_minor == 8833


def test_rates_that_cannot_be_read_stop_no_payment_and_ask_a_person(stage: Stage) -> None:
    stage.post()
    stage.session.execute(text("""update creditor set settings = '{"reference_rates": {"ecb_main": "2.4"}}'"""))
    stage.pay("p1", 1_000_000, "2025-12-31")
    assert (stage.added(), balances(stage.session, stage.invoice)) == (JANUARY_MINOR, {1: JANUARY_MINOR})
    assert post_charges(stage.session, stage.invoice, now=MARCH).keys == ()
    assert stage.session.execute(text("select why from task")).scalar_one().startswith("the creditor's reference_rates cannot")


def test_a_contract_rate_above_the_law_posts_nothing_and_asks_a_person_once(database: Database) -> None:
    late = {"interest": "contract", "contract_rate_pct": 40}
    creditor = creditor_brill(database.worker, now=ACCEPTED, late_charges=late)
    invoice = accepted_invoice(database.worker, creditor, now=ACCEPTED, issued_on="2025-11-01", due_on="2025-12-30")
    with Session(database.worker) as session:
        for _ in range(2):
            assert post_charges(session, invoice, now=FEBRUARY).keys == ()
        tasks = session.execute(text("select kind, why from task")).all()
        assert [task.kind for task in tasks] == ["correct_charges"]
        assert tasks[0].why.startswith("the contract's 40 % a year is above the 25.02 % that CO.usury allows")


def test_interest_that_a_notice_announces_waits_for_the_notice_and_its_days(database: Database) -> None:
    creditor, invoice = stage_of(database, {"interest": "statutory"})
    with Session(database.worker) as session:
        session.execute(
            text(
                "update manual set content = jsonb_set(content, '{consequences}', cast(:told as jsonb)) where creditor_id = :id"
            ),
            {
                "id": creditor.id,
                "told": '[{"kind": "interest", "notice": "interest_notice", "wait_days": 10, "done_by": "late_charges"}]',
            },
        )
        assert post_charges(session, invoice, now=FEBRUARY).whys == ("the notice interest_notice has not gone out",)
        session.execute(_CONTACT, {"invoice": invoice, "day": date(2026, 1, 24), "at": FEBRUARY})
        assert post_charges(session, invoice, now=FEBRUARY).whys == ("the 10 days after interest_notice are not over",)
        assert post_charges(session, invoice, now=datetime(2026, 2, 3, 9, 0, tzinfo=UTC)).added_minor == JANUARY_MINOR


def test_chilean_collection_costs_are_added_once_up_to_the_cap_for_real_work_from_day_21(database: Database) -> None:
    creditor = creditor_brill(database.worker, now=ACCEPTED, late_charges={})
    chilean = debtor_ana(country="CL", region="CL-RM")
    invoice = accepted_invoice(
        database.worker, creditor, now=ACCEPTED, currency="CLP", amount_minor=390_000, issued_on="2025-11-03",
        due_on="2025-12-01", account=chilean,
    )  # fmt: skip
    known = {"from": "2025-12-01", "until": "2025-12-31", "value": 39000, "source": "Banco Central de Chile"}
    uf = json.dumps({"reference_rates": {"cl_uf": [known]}})

    def cost(ref: str, amount: int, day: int, *, work: bool = True) -> int:
        return post_cost(
            session, invoice, what="collection_cost", ref=ref, amount_minor=amount, work_done=work, free_notice_given=True,
            now=datetime(2025, 12, day, 15, 0, tzinfo=UTC),
        ).added_minor  # fmt: skip

    with Session(database.worker) as session:
        session.execute(text("update creditor set settings = cast(:uf as jsonb)"), {"uf": uf})
        assert [cost("c1", 20_000, 21), cost("c1", 20_000, 22, work=False)] == [0, 0]
        assert [cost("c1", 20_000, 22), cost("c1", 20_000, 22), cost("c2", 20_000, 23)] == [20_000, 0, 15_100]
        assert balances(session, invoice) == {1: 390_000 + 35_100}
        pay(session, creditor.id, "p1", 1, invoice, currency="CLP", now=datetime(2025, 12, 24, 15, 0, tzinfo=UTC))
        assert balances(session, invoice) == {1: 390_000 + 35_100 - 1}


_CONTACT = text(
    """
    insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel, template,
        state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)
    select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, r.id, '1.1.B8.0', 1, 'B8', 'email', 'interest_notice',
        'delivered', 1, i.currency, :at, 'Europe/Madrid', cast(:at as timestamp), :day, 60
    from invoice i join person p on p.account_id = i.account_id join address r on r.person_id = p.id where i.id = :invoice limit 1
    """
)
