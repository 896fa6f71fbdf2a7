from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.facts import PaymentFact
from policies.judgement import judge
from tests.policies.samples import agreement, paid

PROMISED = date(2026, 3, 10)  # with two days of grace: judged on the 13th


@pytest.mark.parametrize(
    ("payments", "today", "verdict"),
    [
        ([], date(2026, 3, 12), None),
        ([], date(2026, 3, 13), "broken"),
        ([paid(date(2026, 3, 10), 1)], date(2026, 3, 12), None),
        ([paid(date(2026, 3, 10), 1)], date(2026, 3, 13), "partly"),
        ([paid(date(2026, 3, 10), 499)], date(2026, 3, 13), "partly"),
        ([paid(date(2026, 3, 10), 500)], date(2026, 3, 10), "kept"),
        ([paid(date(2026, 3, 12), 500)], date(2026, 3, 13), "kept"),  # the last day of grace
        ([paid(date(2026, 3, 13), 500)], date(2026, 3, 13), "broken"),  # a day later
        ([paid(date(2026, 3, 12), 500, datetime(2026, 3, 13, 9, tzinfo=UTC))], date(2026, 3, 13), "kept"),  # by the payer's date
        ([paid(date(2026, 2, 28), 500)], date(2026, 3, 13), "broken"),  # before it was agreed: in its sum already
        ([paid(date(2026, 2, 28), 500, datetime(2026, 3, 3, 9, tzinfo=UTC))], date(2026, 3, 4), "kept"),  # it arrived after
        ([paid(date(2026, 3, 5), 500), paid(date(2026, 3, 11), -500)], date(2026, 3, 13), "broken"),  # bounced
        ([paid(date(2026, 3, 5), 500), paid(date(2026, 3, 13), -500)], date(2026, 3, 13), "broken"),  # bounced after its time
    ],
)
def test_a_promise_is_judged_by_amount_and_by_the_payers_date(
    payments: list[PaymentFact], today: date, verdict: str | None
) -> None:
    found = judge(agreement((PROMISED, 500)), payments, today)
    assert (found.verdict, found.ends_on, found.promised_minor) == (verdict, date(2026, 3, 12), 500)


PLAN = agreement((date(2026, 3, 10), 300), (date(2026, 4, 10), 300), (date(2026, 5, 10), 400), kind="plan")


@pytest.mark.parametrize(
    ("payments", "today", "verdict", "milestone", "paid_minor"),
    [
        ([], date(2026, 3, 1), None, 1, 0),
        ([paid(date(2026, 3, 10), 300)], date(2026, 3, 10), None, 2, 300),
        ([paid(date(2026, 3, 10), 300)], date(2026, 4, 12), None, 2, 300),
        ([paid(date(2026, 3, 10), 300)], date(2026, 4, 13), "broken", 2, 300),
        ([paid(date(2026, 3, 10), 301)], date(2026, 4, 13), "partly", 2, 301),
        ([paid(date(2026, 3, 10), 600)], date(2026, 4, 30), None, 3, 600),  # paid ahead: the second is covered
        ([paid(date(2026, 3, 10), 1000)], date(2026, 3, 10), "kept", 3, 1000),
        ([paid(date(2026, 3, 10), 1000)], date(2027, 3, 10), "kept", 3, 1000),
        ([paid(date(2026, 3, 20), 1000)], date(2026, 5, 1), "broken", 1, 0),  # the first came too late
    ],
)
def test_each_milestone_of_a_plan_is_judged_with_what_was_paid_up_to_it(
    payments: list[PaymentFact], today: date, verdict: str | None, milestone: int, paid_minor: int
) -> None:
    found = judge(PLAN, payments, today)
    assert (found.verdict, found.milestone.number, found.paid_minor) == (verdict, milestone, paid_minor)


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 600)), max_size=6), st.integers(0, 100))
def test_every_agreement_ends_and_a_verdict_does_not_change_as_days_pass(rows: list[tuple[int, int]], days: int) -> None:
    start = date(2026, 3, 1)
    payments = [paid(start + timedelta(days=d), amount) for d, amount in rows]
    found = judge(PLAN, payments, start + timedelta(days=days))
    later = judge(PLAN, payments, start + timedelta(days=days + 1))
    if found.verdict is not None:
        assert later == found
    else:
        assert start + timedelta(days=days) <= found.ends_on
    assert judge(PLAN, payments, date(2026, 5, 13)).verdict is not None
