from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.facts import InvoiceFacts, Placement
from policies.manual import Manual, Offer, builtin_manual, load_manual
from policies.negotiation import (
    Accepted,
    Answer,
    Discount,
    Extension,
    Plan,
    Promise,
    Refused,
    Request,
    answer,
    discount_until,
    offer_at,
    offering_rung,
)
from policies.terms import AttemptState
from tests.policies.samples import NOW, TODAY, agreement, invoice, past

CREDIT = builtin_manual("b2c_credit")  # C3: 15 days, 2 payments, half first; C6: 6 payments, 20 % first; C11: 15 % off
GYM = builtin_manual("b2c_subscription")


def ask(request: Request, rung_id: str | None = "C6", manual: Manual = CREDIT, facts: InvoiceFacts | None = None) -> Answer:
    return answer(request, facts=facts or invoice(), manual=manual, rung_id=rung_id, today=TODAY, now=NOW)


def granted(found: Answer | None) -> list[tuple[date, int]]:
    assert isinstance(found, Accepted), found
    return [(m.due_on, m.amount_minor) for m in found.milestones]


def refused(found: Answer) -> Refused:
    assert isinstance(found, Refused), found
    return found


def day(n: int) -> date:
    return TODAY + timedelta(days=n)


# --- what is offered ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rung", "offering"),
    [(None, None), ("C1", None), ("C2", "C2"), ("C3", "C3"), ("C5", "C3"), ("C6", "C6"), ("C9", "C8"), ("C12", "C11")],
)
def test_an_offer_stays_until_a_later_rung_states_another(rung: str | None, offering: str | None) -> None:
    found = offering_rung(CREDIT, rung)
    assert (found.rung if found else None) == offering


def test_an_empty_offer_withdraws_the_earlier_one() -> None:
    assert offer_at(GYM, "S6", 50_000, "USD") is not None
    assert offer_at(GYM, "S7", 50_000, "USD") is None


@pytest.mark.parametrize(
    ("balance_minor", "currency", "instalments", "share", "days"),
    [
        (10_000, "USD", 2, 50, 10),  # up to 100 dollars, included
        (10_001, "USD", 6, 20, 15),
        (100_000, "USD", 6, 20, 15),
        (40_000_000, "COP", 2, 50, 10),
        (40_000_001, "COP", 6, 20, 15),
    ],
)
def test_the_band_of_the_balance_clips_the_offer(
    balance_minor: int, currency: str, instalments: int, share: int, days: int
) -> None:
    offer = offer_at(CREDIT, "C6", balance_minor, currency)
    assert offer is not None
    assert (offer.instalments_max, offer.first_share_min_pct, offer.extension_days_max) == (instalments, share, days)


def test_nothing_is_offered_in_a_currency_that_has_no_band() -> None:
    assert offer_at(CREDIT, "C6", 50_000, "JPY") is None
    assert offer_at(CREDIT.model_copy(update={"bands": ()}), "C6", 50_000, "JPY") == CREDIT.rung("C6").offer


# --- promises -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "amount_minor", "rule", "nearest"),
    [
        (day(0), None, None, (day(0), 100_000)),
        (day(15), None, None, (day(15), 100_000)),
        (day(16), None, "negotiation.promise_days", (day(15), 100_000)),
        (day(-1), None, "negotiation.past", (day(0), 100_000)),
        (day(3), 100_000, None, (day(3), 100_000)),
        (day(3), 100_001, "negotiation.amount", (day(3), 100_000)),
        (day(3), 1, None, (day(3), 1)),
        (day(3), 0, "negotiation.amount", (day(3), 1)),
    ],
)
def test_a_date_may_always_be_named_within_the_longest_promise(
    on: date, amount_minor: int | None, rule: str | None, nearest: tuple[date, int]
) -> None:
    found = ask(Promise(on=on, amount_minor=amount_minor), rung_id=None)
    if rule is None:
        assert granted(found) == [nearest]
    else:
        assert refused(found).rules == (rule,)
        assert granted(refused(found).nearest) == [nearest]


@pytest.mark.parametrize(
    ("states", "may"),
    [(["kept", "kept", "kept"], True), (["broken"], True), (["broken", "partly"], False), (["withdrawn", "broken"], True)],
)
def test_missed_promises_use_up_the_count_and_kept_ones_do_not(states: list[str], may: bool) -> None:
    before = tuple(agreement((day(-5), 10), state=state) for state in states)
    found = ask(Promise(on=day(2)), facts=invoice(agreements=before))
    assert isinstance(found, Accepted) is may
    assert isinstance(ask(Extension(until=day(2)), facts=invoice(agreements=before)), Accepted) is may
    assert isinstance(ask(Plan(count=2, first_on=day(2)), facts=invoice(agreements=before)), Accepted)


def test_missed_plans_use_up_the_plans_and_leave_the_promises() -> None:
    before = tuple(agreement((day(-5), 10), kind="plan", state="broken") for _ in range(2))
    found = refused(ask(Plan(count=2, first_on=day(2)), facts=invoice(agreements=before)))
    assert found.rules == ("negotiation.plan_count",)
    assert found.nearest is not None and found.nearest.kind == "promise"


def test_only_one_agreement_is_open_at_a_time() -> None:
    facts = invoice(agreements=(agreement((day(5), 10)),))
    assert refused(ask(Promise(on=day(2)), facts=facts)).rules == ("negotiation.open_agreement",)


def test_what_is_not_owed_or_is_at_the_agency_is_not_negotiated() -> None:
    placed = Placement(id="p", state="placed", proposed_at=NOW, decide_by=NOW)
    assert refused(ask(Promise(on=day(2)), facts=invoice(0))).rules == ("negotiation.nothing_owed",)
    assert refused(ask(Promise(on=day(2)), facts=invoice(status="cancelled"))).rules == ("negotiation.nothing_owed",)
    assert refused(ask(Promise(on=day(2)), facts=invoice(placement=placed))).rules == ("negotiation.placed",)


def test_today_is_the_debtors_today() -> None:
    late = datetime(2026, 3, 11, 4, 59, tzinfo=UTC)  # 23:59 on the 10th in Bogota
    asked = Promise(on=TODAY)
    assert isinstance(answer(asked, facts=invoice(), manual=CREDIT, rung_id=None, today=TODAY, now=late), Accepted)
    with pytest.raises(ValueError, match="is not the day in America/Bogota"):
        answer(asked, facts=invoice(), manual=CREDIT, rung_id=None, today=TODAY, now=late + timedelta(minutes=1))


# --- extension, discount ------------------------------------------------------------------------------------------------


def test_an_extension_is_granted_up_to_its_longest_day_and_refused_beyond_with_that_day() -> None:
    assert granted(ask(Extension(until=day(15)))) == [(day(15), 100_000)]
    found = refused(ask(Extension(until=day(16))))
    assert (found.rules, granted(found.nearest)) == (("negotiation.extension_days",), [(day(15), 100_000)])


def test_where_no_extension_is_offered_a_promise_is_named_instead() -> None:
    found = refused(ask(Extension(until=day(30)), rung_id="C8"))
    assert found.rules == ("negotiation.not_offered",)
    assert found.nearest is not None and found.nearest.kind == "promise"
    assert granted(found.nearest) == [(day(15), 100_000)]


@pytest.mark.parametrize(("pay_on", "may"), [(day(0), True), (day(6), True), (day(7), False)])
def test_a_discount_counts_from_the_contact_that_offered_it_and_ends_on_its_day(pay_on: date, may: bool) -> None:
    facts = invoice(contacts=(past("1.1.C11.0", day(-4)),))
    assert discount_until(facts, CREDIT, "C11", TODAY) == day(6)
    found = ask(Discount(pay_on=pay_on), rung_id="C11", facts=facts)
    nearest = found if may else refused(found).nearest
    assert granted(nearest) == [(min(pay_on, day(6)), 85_000)]
    assert isinstance(nearest, Accepted) and (nearest.waived_minor, nearest.grace_days) == (15_000, 0)


def test_a_discount_that_ended_is_not_given_again_by_asking_later() -> None:
    facts = invoice(contacts=(past("1.1.C11.0", day(-11)),))
    assert refused(ask(Discount(pay_on=day(0)), rung_id="C11", facts=facts)).rules == ("negotiation.not_offered",)


def test_a_contact_that_failed_or_is_only_planned_offered_nothing_yet() -> None:
    for state in (AttemptState.FAILED, AttemptState.PLANNED):
        facts = invoice(contacts=(past("1.1.C11.0", day(-20), state),))
        assert discount_until(facts, CREDIT, "C11", TODAY) == day(10)


def test_a_new_cycle_offers_the_discount_anew() -> None:
    facts = invoice(contacts=(past("1.1.C11.0", day(-20)),), cycle=2)
    assert discount_until(facts, CREDIT, "C11", TODAY) == day(10)


def test_the_discount_is_rounded_down_to_the_cent() -> None:
    found = ask(Discount(pay_on=day(1)), rung_id="C11", facts=invoice(10_001))
    assert isinstance(found, Accepted) and found.waived_minor == 1_500
    assert granted(found) == [(day(1), 8_501)]


# --- plans --------------------------------------------------------------------------------------------------------------


def test_a_plan_adds_up_and_what_does_not_divide_comes_last() -> None:
    found = ask(Plan(count=3, first_on=day(1)), facts=invoice(100_000))
    assert [amount for _, amount in granted(found)] == [33_333, 33_333, 33_334]
    share = ask(Plan(count=6, first_on=day(1)), facts=invoice(100_000))
    assert [amount for _, amount in granted(share)] == [20_000, 16_000, 16_000, 16_000, 16_000, 16_000]


def test_a_monthly_plan_keeps_the_end_of_the_month() -> None:
    on = date(2026, 1, 31)
    found = answer(
        Plan(count=4, first_on=on), facts=invoice(), manual=CREDIT, rung_id="C6", today=on,
        now=datetime(2026, 1, 31, 15, 0, tzinfo=UTC),
    )  # fmt: skip
    assert [due for due, _ in granted(found)] == [on, date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_a_plan_by_days_keeps_its_step() -> None:
    found = ask(Plan(count=3, first_on=day(2), every_days=7))
    assert [due for due, _ in granted(found)] == [day(2), day(9), day(16)]


@pytest.mark.parametrize(
    ("plan", "rule", "count", "first_on", "first_minor"),
    [
        (Plan(count=7, first_on=day(1)), "negotiation.instalments", 6, day(1), 20_000),
        (Plan(count=1, first_on=day(1)), "negotiation.instalments", 2, day(1), 50_000),
        (Plan(count=2, first_on=day(16)), "negotiation.first_date", 2, day(15), 50_000),
        (Plan(count=2, first_on=day(-1)), "negotiation.past", 2, day(0), 50_000),
        (Plan(count=3, first_on=day(1), first_amount_minor=19_999), "negotiation.first_share", 3, day(1), 20_000),
        (Plan(count=3, first_on=day(1), every_days=60), "negotiation.step", 3, day(1), 33_333),
    ],
)
def test_a_plan_beyond_the_limits_is_refused_with_the_fewest_changes(
    plan: Plan, rule: str, count: int, first_on: date, first_minor: int
) -> None:
    found = refused(ask(plan))
    assert found.rules == (rule,)
    nearest = granted(found.nearest)
    assert (len(nearest), nearest[0]) == (count, (first_on, first_minor))
    assert sum(amount for _, amount in nearest) == 100_000


def test_a_first_payment_of_exactly_its_share_is_enough() -> None:
    assert granted(ask(Plan(count=3, first_on=day(1), first_amount_minor=20_000)))[0] == (day(1), 20_000)


def test_a_plan_must_end_in_its_days() -> None:
    manual = builtin_manual("b2b_sme")  # B5: three payments within 60 days
    assert isinstance(ask(Plan(count=3, first_on=day(0), every_days=30), "B5", manual), Accepted)
    found = refused(ask(Plan(count=3, first_on=day(1), every_days=30), "B5", manual))
    assert found.rules == ("negotiation.plan_days",)
    assert [due for due, _ in granted(found.nearest)] == [day(1), day(31)]


def test_where_no_plan_is_offered_a_promise_is_named_instead() -> None:
    found = refused(ask(Plan(count=2, first_on=day(20)), rung_id="C2"))
    assert found.rules == ("negotiation.not_offered",)
    assert granted(found.nearest) == [(day(15), 100_000)]


OFFERING = load_manual(
    """
name: offering
version: 1
ladder:
  - rung: A
    day: D+5
    channels: [email]
    template: offer_ways
    offer: {extension_days_max: 1}
""",
    "offering.yaml",
)


def offering(**terms: Any) -> Manual:
    rung = OFFERING.ladder[0].model_copy(update={"offer": Offer(**terms)})
    return OFFERING.model_copy(update={"ladder": (rung,)})


requests = st.one_of(
    st.builds(Promise, on=st.dates(day(-5), day(60)), amount_minor=st.none() | st.integers(-5, 200_000)),
    st.builds(Extension, until=st.dates(day(-5), day(60))),
    st.builds(Discount, pay_on=st.dates(day(-5), day(60))),
    st.builds(
        Plan,
        count=st.integers(-1, 20),
        first_on=st.dates(day(-5), day(60)),
        every_days=st.just("monthly") | st.integers(-1, 40),
        first_amount_minor=st.none() | st.integers(-5, 200_000),
    ),
)
offers = st.builds(
    offering,
    extension_days_max=st.integers(0, 40),
    instalments_max=st.integers(0, 14),
    first_share_min_pct=st.integers(0, 100),
    discount_max_pct=st.integers(0, 99),
    discount_days=st.integers(0, 20),
    plan_days_max=st.none() | st.integers(0, 200),
)


def test_no_more_parts_than_leave_a_cent_for_each() -> None:
    manual = offering(instalments_max=12, first_share_min_pct=99)
    found = refused(ask(Plan(count=3, first_on=day(1)), "A", manual, invoice(100)))
    assert [amount for _, amount in granted(found.nearest)] == [99, 1]
    whole = refused(ask(Plan(count=2, first_on=day(1)), "A", offering(instalments_max=2, first_share_min_pct=100)))
    assert whole.rules == ("negotiation.not_offered",)


@given(requests, offers, st.integers(1, 150_000))
def test_whatever_is_granted_or_named_as_nearest_is_exact_and_within_the_limits(
    request: Request, manual: Manual, balance_minor: int
) -> None:
    found = ask(request, "A", manual, invoice(balance_minor))
    terms = found if isinstance(found, Accepted) else found.nearest
    assume(terms is not None)
    assert terms is not None
    offer = manual.ladder[0].offer or Offer()
    sums, dates = [m.amount_minor for m in terms.milestones], [m.due_on for m in terms.milestones]
    assert min(sums) > 0
    assert dates == sorted(set(dates)) and dates[0] >= TODAY
    if terms.kind == "plan":
        assert sum(sums) == balance_minor
        assert 2 <= len(sums) <= offer.instalments_max
        assert sums[0] * 100 >= balance_minor * offer.first_share_min_pct
        assert dates[0] <= day(manual.promise.days_max)
        assert offer.plan_days_max is None or dates[-1] <= day(offer.plan_days_max)
    elif terms.kind == "discount":
        assert sum(sums) + terms.waived_minor == balance_minor
        assert terms.waived_minor * 100 <= balance_minor * offer.discount_max_pct
        assert dates[0] <= day(offer.discount_days)
    else:
        assert sum(sums) <= balance_minor
        longest = manual.promise.days_max if terms.kind == "promise" else offer.extension_days_max
        assert dates[0] <= day(longest)


@given(requests, offers, st.integers(1, 150_000))
def test_the_nearest_is_granted_when_it_is_asked_for(request: Request, manual: Manual, balance_minor: int) -> None:
    facts = invoice(balance_minor)
    found = ask(request, "A", manual, facts)
    nearest = found.nearest if isinstance(found, Refused) else None
    assume(nearest is not None)
    assert nearest is not None
    first = nearest.milestones[0]
    again: Request
    if nearest.kind == "promise":
        again = Promise(on=first.due_on, amount_minor=first.amount_minor)
    elif nearest.kind == "extension":
        again = Extension(until=first.due_on)
    elif nearest.kind == "discount":
        again = Discount(pay_on=first.due_on)
    else:
        assert isinstance(request, Plan)
        every = request.every_days if request.every_days == "monthly" else min(max(request.every_days, 1), 31)
        again = Plan(
            count=len(nearest.milestones), first_on=first.due_on, every_days=every, first_amount_minor=first.amount_minor
        )
    accepted = ask(again, "A", manual, facts)
    assert isinstance(accepted, Accepted)
    assert accepted.milestones == nearest.milestones
