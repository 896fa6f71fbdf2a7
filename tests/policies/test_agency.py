from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agency import compare, placement_rows
from policies.facts import Instalment
from policies.manual import Agency, builtin_manual
from policies.terms import AttemptState
from tests.policies.samples import TODAY, agreement, invoice, past

TERMS = Agency(
    commission_pct=25, recover_agency_pct=40, recover_house_pct=20, house_cost_minor={"USD": 1_000}, minimum={"USD": 10_000}
)


def test_the_net_of_each_way_is_compared() -> None:
    found = compare(100_000, "USD", TERMS)
    assert found.recommend == "place"
    assert found.figures == {
        "balance_minor": 100_000,
        "expected_house_minor": 19_000,
        "house_cost_minor": 1_000,
        "agency_gross_minor": 40_000,
        "commission_minor": 10_000,
        "expected_agency_minor": 30_000,
        "advantage_minor": 11_000,
        "minimum_minor": 10_000,
    }


@pytest.mark.parametrize(
    ("balance_minor", "currency", "recommend", "rule"),
    [
        (9_999, "USD", "keep", "agency.below_minimum"),
        (10_000, "USD", "place", "agency.better"),
        (10_000_000, "EUR", "keep", "agency.no_minimum"),  # a currency without a minimum is never placed
    ],
)
def test_below_the_minimum_a_debt_is_never_placed(balance_minor: int, currency: str, recommend: str, rule: str) -> None:
    found = compare(balance_minor, currency, TERMS)
    assert (found.recommend, found.rules) == (recommend, (rule,))


def test_a_tie_keeps_the_debt() -> None:
    even = Agency(commission_pct=50, recover_agency_pct=40, recover_house_pct=20, minimum={"USD": 0})
    assert compare(100_000, "USD", even).recommend == "keep"
    assert compare(100_000, "USD", even.model_copy(update={"commission_pct": 49})).recommend == "place"


def test_a_corporate_debt_is_never_placed_by_itself() -> None:
    terms = builtin_manual("b2b_corporate").agency
    assert terms is not None
    assert compare(10**12, "USD", terms).recommend == "keep"


@given(st.integers(0, 10**12), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 10**6))
def test_the_figures_are_whole_and_the_commission_is_never_understated(
    balance_minor: int, commission: int, by_agency: int, by_house: int, cost: int
) -> None:
    terms = Agency(
        commission_pct=commission, recover_agency_pct=by_agency, recover_house_pct=by_house,
        house_cost_minor={"USD": cost}, minimum={"USD": 0},
    )  # fmt: skip
    found = compare(balance_minor, "USD", terms)
    f = found.figures
    assert f["expected_agency_minor"] + f["commission_minor"] == f["agency_gross_minor"] <= balance_minor
    assert f["commission_minor"] * 100 >= f["agency_gross_minor"] * commission
    assert 0 <= f["expected_agency_minor"]
    assert (found.recommend == "place") is (f["expected_agency_minor"] > f["expected_house_minor"])


def test_the_rows_hold_what_is_still_owed_with_what_was_tried() -> None:
    facts = invoice(
        instalments=(
            Instalment(number=2, due_on=date(2026, 3, 20), amount_minor=500, balance_minor=500),
            Instalment(number=1, due_on=date(2026, 2, 20), amount_minor=500, balance_minor=200),
            Instalment(number=3, due_on=date(2026, 1, 20), amount_minor=500, balance_minor=0),
        ),
        contacts=(past("1.1.S3.0", date(2026, 3, 2)), past("1.1.S4.0", date(2026, 3, 9), AttemptState.FAILED)),
        agreements=(agreement((date(2026, 3, 5), 100), state="broken"), agreement((date(2026, 3, 5), 100), state="kept")),
    )
    rows = placement_rows(facts, TODAY)
    assert [(r.instalment, r.balance_minor, r.days_late) for r in rows] == [(1, 200, 18), (2, 500, 0)]
    assert {(r.contacts_made, r.last_contact_on, r.agreements_missed) for r in rows} == {(1, date(2026, 3, 2), 1)}
    assert sum(r.balance_minor for r in rows) == facts.balance_minor
