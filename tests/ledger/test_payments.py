"""Money in, money back: applied once, oldest instalment first, the same balances in any order (I5, I6, F12, F13)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.allocation import waterfall
from ledger.payments import apply_payment
from ledger.refusals import Refused
from ledger.unmatched import unmatched
from tests.cast import NOW, Creditor, accepted_invoice, account_of, creditor_brill, sealer
from tests.conftest import Database
from tests.ledger.money import PARTS, balances, kinds, pay, rings, row_of, take


class Stage(NamedTuple):
    """A creditor, one open invoice of two parts of 500, and a session as the worker."""

    database: Database
    creditor: Creditor
    invoice: UUID
    session: Session


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor = creditor_brill(database.worker)
    invoice = accepted_invoice(database.worker, creditor, **PARTS)
    with Session(database.worker) as session:
        yield Stage(database, creditor, invoice, session)


def close_as_paid(stage: Stage, days_later: int) -> None:
    stage.session.execute(
        text("update invoice set outcome = 'paid', outcome_at = :at where id = :id"),
        {"at": NOW + timedelta(days=days_later), "id": stage.invoice},
    )


def test_a_payment_fills_the_oldest_instalment_first(stage: Stage) -> None:
    result = pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice)
    assert (result.verdict, result.allocated_minor, result.unallocated_minor, result.balance_minor) == ("applied", 700, 0, 300)
    assert balances(stage.session, stage.invoice) == {1: 0, 2: 300}
    assert rings(stage.session, stage.invoice)[-1] == ("payment_received", "COP 7.00, owed now COP 3.00")


def test_the_due_date_and_not_the_number_says_which_instalment_is_oldest(stage: Stage) -> None:
    stage.session.execute(text("update instalment set due_on = '2026-05-16' where number = 1"))
    pay(stage.session, stage.creditor.id, "p1", 600, stage.invoice)
    assert balances(stage.session, stage.invoice) == {1: 400, 2: 0}


def test_what_is_left_over_stays_on_the_payment_and_is_listed(stage: Stage) -> None:
    result = pay(stage.session, stage.creditor.id, "p1", 1200, stage.invoice)
    assert (result.allocated_minor, result.unallocated_minor, result.balance_minor) == (1000, 200, 0)
    listed = unmatched(stage.session, stage.creditor.id, sealer())
    assert [(row.unallocated_minor, row.invoice_id) for row in listed] == [(200, stage.invoice)]


def test_the_same_payment_again_changes_nothing(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice)
    before = len(kinds(stage.session, stage.invoice))
    again = pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice)
    assert again.verdict == "duplicate"
    assert balances(stage.session, stage.invoice) == {1: 0, 2: 300}
    assert len(kinds(stage.session, stage.invoice)) == before


def test_money_for_an_unknown_invoice_is_kept_listed_and_asked_about(stage: Stage) -> None:
    result = pay(stage.session, stage.creditor.id, "p1", 700, None, hint_sealed=sealer().seal(b"Ana, F-9999"))
    assert (result.verdict, result.unallocated_minor) == ("unmatched", 700)
    [listed] = unmatched(stage.session, stage.creditor.id, sealer())
    assert listed.hint == "Ana, F-9999" and "Ana" not in repr(listed)
    kept = stage.session.execute(text("select p::text from payment p")).scalar_one()
    assert "Ana" not in kept and b"Ana".hex() not in kept, "it is sealed"
    task = stage.session.execute(text("select kind, done_at from task")).one()
    assert (task.kind, task.done_at) == ("match_payment", None)
    applied = apply_payment(stage.session, stage.creditor.id, result.payment_id, stage.invoice, now=NOW, actor="tests")
    assert (applied.verdict, applied.balance_minor) == ("applied", 300)
    assert unmatched(stage.session, stage.creditor.id, sealer()) == []
    assert stage.session.execute(text("select done_at from task")).scalar() == NOW
    assert stage.session.execute(text("select hint_sealed from payment")).scalar() is None, "nobody needs it any more"


def test_a_later_report_that_names_the_invoice_applies_unmatched_money_once(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 700, None)
    assert pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice).verdict == "applied"
    assert pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice).verdict == "duplicate"
    assert balances(stage.session, stage.invoice) == {1: 0, 2: 300}


def test_another_currency_is_never_converted(stage: Stage) -> None:
    result = pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice, currency="USD")
    assert result.verdict == "unmatched"
    assert balances(stage.session, stage.invoice) == {1: 500, 2: 500}
    assert [row.hint for row in unmatched(stage.session, stage.creditor.id, sealer())] == ["F-1001 is in COP"]
    with pytest.raises(Refused) as refused:
        apply_payment(stage.session, stage.creditor.id, result.payment_id, stage.invoice, now=NOW, actor="tests")
    assert refused.value.code == "currency"


def test_a_paid_or_cancelled_invoice_takes_nothing(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 1000, stage.invoice)
    assert pay(stage.session, stage.creditor.id, "p2", 50, stage.invoice).unallocated_minor == 50
    stage.session.execute(text("update invoice set status = 'cancelled' where id = :id"), {"id": stage.invoice})
    assert pay(stage.session, stage.creditor.id, "p3", 60, stage.invoice).unallocated_minor == 60


def test_an_accounts_credit_goes_to_another_invoice_of_that_account_only(stage: Stage) -> None:
    credit = pay(stage.session, stage.creditor.id, "p1", 1300, stage.invoice)
    stage.session.commit()
    other = accepted_invoice(stage.database.worker, stage.creditor, "F-2", amount_minor=800)
    strange = accepted_invoice(
        stage.database.worker, stage.creditor, "F-3", account={"ref": "X", "kind": "business", "country": "CO", "contacts": []}
    )
    assert account_of(stage.database.worker, other) == account_of(stage.database.worker, stage.invoice)
    with pytest.raises(Refused) as refused:
        apply_payment(stage.session, stage.creditor.id, credit.payment_id, strange, now=NOW, actor="tests")
    assert refused.value.code == "other-account"
    applied = apply_payment(stage.session, stage.creditor.id, credit.payment_id, other, now=NOW, actor="tests")
    assert (applied.allocated_minor, applied.unallocated_minor, applied.balance_minor) == (300, 0, 500)
    # a reversal of that payment then reaches both invoices, the latest first
    take(stage.session, stage.creditor.id, "r1", "p1", 400)
    assert balances(stage.session, other) == {1: 800}
    assert sum(balances(stage.session, stage.invoice).values()) == 100


def test_a_part_that_goes_back_is_taken_from_the_latest_allocation(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice)
    result = take(stage.session, stage.creditor.id, "r1", "p1", 300)
    assert (result.verdict, result.allocated_minor) == ("applied", -300)
    assert balances(stage.session, stage.invoice) == {1: 100, 2: 500}
    assert rings(stage.session, stage.invoice)[-1] == ("payment_reversed", "COP 3.00, owed now COP 6.00")
    assert take(stage.session, stage.creditor.id, "r1", "p1", 300).verdict == "duplicate"
    assert balances(stage.session, stage.invoice) == {1: 100, 2: 500}


def test_a_refund_of_an_overpayment_opens_nothing(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 1200, stage.invoice)
    close_as_paid(stage, 0)
    take(stage.session, stage.creditor.id, "r1", "p1", 200)
    row = row_of(stage.session, stage.invoice)
    assert (row.outcome, row.cycle, row.balance_minor) == ("paid", 1, 0)


def test_a_chargeback_reopens_at_the_same_rung_with_fresh_notice(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 1000, stage.invoice)
    close_as_paid(stage, 0)
    back = NOW + timedelta(days=12)
    take(stage.session, stage.creditor.id, "r1", "p1", 1000, now=back)
    row = row_of(stage.session, stage.invoice)
    assert (row.outcome, row.outcome_at, row.cycle, row.cycle_started_at, row.cycle_notice) == (None, None, 2, back, "reopened")
    assert (row.shift_days, row.balance_minor) == (12, 1000)
    assert "reopened" in kinds(stage.session, stage.invoice)


def test_the_days_closed_are_counted_in_the_debtors_zone(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 1000, stage.invoice)
    # 2 March 23:00 in Bogotá is 3 March 04:00 UTC; one hour and a half later it is the next day there
    stage.session.execute(
        text("update invoice set outcome = 'paid', outcome_at = '2026-03-03T04:00:00Z' where id = :id"), {"id": stage.invoice}
    )
    take(stage.session, stage.creditor.id, "r1", "p1", 1000, now=NOW.replace(day=3, hour=5, minute=30))
    assert row_of(stage.session, stage.invoice).shift_days == 1


def test_a_reversal_before_its_payment_waits_for_it(stage: Stage) -> None:
    waiting = take(stage.session, stage.creditor.id, "r1", "p1", 300)
    assert (waiting.verdict, waiting.unallocated_minor) == ("pending", 300)
    pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice)
    assert balances(stage.session, stage.invoice) == {1: 100, 2: 500}
    assert unmatched(stage.session, stage.creditor.id, sealer()) == []


def test_more_cannot_go_back_than_came(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 700, stage.invoice)
    take(stage.session, stage.creditor.id, "r1", "p1", 700)
    result = take(stage.session, stage.creditor.id, "r2", "p1", 700)
    assert result.unallocated_minor == 700
    assert balances(stage.session, stage.invoice) == {1: 500, 2: 500}


def test_a_running_total_of_refunds_counts_the_difference_in_any_order(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 1000, stage.invoice)
    for total, owed in ((300, 300), (300, 300), (800, 800), (500, 800)):
        take(stage.session, stage.creditor.id, "refund", "p1", total, running_total=True)
        assert sum(balances(stage.session, stage.invoice).values()) == owed


def test_a_refund_after_cancellation_asks_nobody_for_money(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 400, stage.invoice)
    stage.session.execute(
        text(
            "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
            " recorded_at)"
            " select creditor_id, account_id, id, p.n, 'cancellation', p.amount, currency, '2026-03-02', :now from invoice,"
            " (values (1, -100), (2, -500)) as p(n, amount) where id = :id"
        ),
        {"now": NOW, "id": stage.invoice},
    )
    stage.session.execute(
        text("update invoice set status = 'cancelled', outcome = 'cancelled', balance_minor = 0 where id = :id"),
        {"id": stage.invoice},
    )
    take(stage.session, stage.creditor.id, "r1", "p1", 400)
    row = row_of(stage.session, stage.invoice)
    assert (row.balance_minor, row.outcome, row.cycle) == (0, "cancelled", 1)
    assert balances(stage.session, stage.invoice) == {1: 0, 2: 0}


def test_a_payment_ends_the_hold_of_who_said_it_was_paid(stage: Stage) -> None:
    stage.session.execute(
        text(
            "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
            " values (:id, :c, :i, 'already_paid', :now, :until, 'says_paid', 'customer', :now)"
        ),
        {"id": uuid4(), "c": stage.creditor.id, "i": stage.invoice, "now": NOW, "until": NOW + timedelta(days=3)},
    )
    pay(stage.session, stage.creditor.id, "p1", 400, stage.invoice)
    assert stage.session.execute(text("select released_at from hold")).scalar() == NOW


@pytest.mark.parametrize("amount", [0, -5])
def test_a_sum_that_is_not_above_zero_is_refused(stage: Stage, amount: int) -> None:
    with pytest.raises(Refused) as refused:
        pay(stage.session, stage.creditor.id, "p1", amount, stage.invoice)
    assert refused.value.code == "amount"


def test_a_hundred_deliveries_of_one_payment_and_its_reversal_at_once_converge(stage: Stage) -> None:
    stage.session.commit()
    errors: list[BaseException] = []

    def deliver(of: int) -> None:
        try:
            with Session(stage.database.worker) as session, session.begin():
                if of % 2:
                    pay(session, stage.creditor.id, "p1", 700, stage.invoice)
                else:
                    take(session, stage.creditor.id, "r1", "p1", 200)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=deliver, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert balances(stage.session, stage.invoice) == {1: 0, 2: 500}


events = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.sampled_from("abcd"), st.integers(1, 900), st.booleans()),
        st.tuples(st.just("back"), st.sampled_from("abcd"), st.integers(1, 900), st.sampled_from("xy")),
    ),
    min_size=1,
    max_size=8,
)


def _once(drawn: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """A payment or reversal has one sum, whatever the deliveries: the first drawn counts for each name."""
    first: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for event in drawn:
        first.setdefault((event[0], event[1], event[3] if event[0] == "back" else None), event)
    return [first[(e[0], e[1], e[3] if e[0] == "back" else None)] for e in drawn]


@given(drawn=events, order=st.randoms(use_true_random=False))
@settings(max_examples=max(25, settings().max_examples // 40), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_payments_reversals_and_repeats_leads_to_the_same_balances(
    stage: Stage, drawn: list[Any], order: Any
) -> None:
    chosen = _once(drawn)
    shuffled = [*chosen, *chosen[:3]]
    order.shuffle(shuffled)
    outcomes = []
    for sequence in (chosen, shuffled):
        for event in sequence:
            if event[0] == "pay":
                pay(stage.session, stage.creditor.id, event[1], event[2], stage.invoice)
            else:
                take(stage.session, stage.creditor.id, f"{event[1]}{event[3]}", event[1], event[2])
        sums = stage.session.execute(
            text(
                "select coalesce(sum(amount_minor) filter (where kind = 'payment'), 0) as came,"
                " coalesce(sum(amount_minor - unallocated_minor) filter (where kind = 'reversal'), 0) as went,"
                " coalesce(sum(unallocated_minor) filter (where kind = 'payment'), 0) as idle from payment"
            )
        ).one()
        allocated = stage.session.execute(
            text("select coalesce(-sum(amount_minor), 0) from entry where kind <> 'charge'")
        ).scalar_one()
        assert sums.came - sums.went == allocated + sums.idle, "what came in is not what is allocated plus what is left"
        owed = balances(stage.session, stage.invoice)
        assert all(amount >= 0 for amount in owed.values())
        assert owed[1] == 0 or owed[2] == 500, "money lies on the later instalment while the older is open"
        outcomes.append((owed, int(sums.idle)))
        stage.session.rollback()
    assert outcomes[0] == outcomes[1]


A, B = uuid4(), uuid4()


@given(
    owed=st.lists(st.integers(0, 100), min_size=1, max_size=5),
    free=st.lists(st.integers(0, 200), max_size=4),
    applied=st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 4), st.integers(1, 80)), max_size=5),
)
def test_the_waterfall_keeps_every_cent_and_fills_from_the_oldest(owed: list[int], free: list[int], applied: list[Any]) -> None:
    charged = list(enumerate(owed))
    have = {(payment, min(number, len(owed) - 1)): amount for payment, number, amount in applied}
    pool = [(uuid4(), amount) for amount in free]
    after = dict(have)
    left = dict(pool)
    for move in waterfall(charged, have, pool):
        assert move.amount_minor != 0
        after[(move.payment_id, move.instalment)] = after.get((move.payment_id, move.instalment), 0) + move.amount_minor
        left[move.payment_id] = left.get(move.payment_id, 0) - move.amount_minor
    assert all(amount >= 0 for amount in after.values()) and all(amount >= 0 for amount in left.values())
    assert sum(after.values()) + sum(left.values()) == sum(have.values()) + sum(free)
    money = sum(have.values()) + sum(free)
    for number, most in charged:
        on_it = sum(amount for (_, where), amount in after.items() if where == number)
        assert on_it == min(most, money)
        money -= on_it
    assert not waterfall(charged, {k: v for k, v in after.items() if v}, [(p, v) for p, v in left.items() if v]), (
        "settled money moves"
    )
