"""The money rules that the packs ship: each cited, none shaky one called law, and the figures of the worked examples."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from policies.facts import LawTerms
from policies.law.charges import accrue
from policies.law.charges_model import FeeRule, InterestRule, LimitationRule
from policies.law.fees import collection_cost, fees
from policies.law.late_debts import Entered, late_debts, money_rules
from policies.law.limitation import LimitationDate, Unknown, barred, limitation_date
from policies.law.packs import packs_for, shipped_packs
from policies.law.rates import ReferenceRates, Series, shipped_rates
from policies.terms import DebtorKind
from tests.policies.law_money import STATUTORY, debt, known

MONEY = [
    (pack.jurisdiction, rule)
    for pack in shipped_packs()
    for rule in pack.rules
    if isinstance(rule, (InterestRule, FeeRule, LimitationRule))
]


def terms(country: str, region: str = "", debtor: str = "business", **facts: str) -> LawTerms:
    return LawTerms(packs=packs_for(country, region), zones=("UTC",), debtor=DebtorKind(debtor), facts=dict(facts))


def test_every_money_rule_is_cited_and_what_was_not_read_is_no_law() -> None:
    assert len(MONEY) > 25
    for _, rule in MONEY:
        assert rule.citation and rule.source and rule.text.endswith(".")
        if "from general knowledge" in rule.citation:
            assert rule.basis == "house" and rule.confidence != "high", rule.id
        if isinstance(rule, LimitationRule):
            assert rule.basis == "house", rule.id


def test_the_packs_hold_what_each_place_needs() -> None:
    there = {rule.id for _, rule in MONEY}
    assert there >= {
        "EU.interest", "EU.fixed_sum", "ES.interest", "ES.fixed_sum", "UK.interest", "UK.fixed_sum", "CO.interest", "CO.usury",
        "CL.collection_cost", "BR.late_fine", "US-FED.amounts", "CA-FED.fees",
    }  # fmt: skip


def test_the_uk_pack_gives_the_governments_own_example() -> None:
    rules, late = money_rules(terms("GB")), debt(100_000, "GBP")
    accrued = accrue(rules, late, STATUTORY, known(boe_base="0.5"), first=date(2026, 1, 2), last=date(2026, 2, 20))
    assert (accrued.total_minor, accrued.lines[0].rule) == (1150, "UK.interest")
    assert [fees(rules, debt(size, "GBP"), STATUTORY, on=date(2026, 1, 2)).total_minor for size in (99_999, 100_000, 10**6)] == [
        4000, 7000, 10_000,
    ]  # fmt: skip


@pytest.mark.parametrize(("country", "rule"), [("ES", "ES.interest"), ("DE", "EU.interest"), ("PT", "EU.interest")])
def test_the_nearest_place_speaks_first_and_the_union_where_the_country_has_no_pack(country: str, rule: str) -> None:
    rules = money_rules(terms(country))
    accrued = accrue(rules, debt(1_000_000), STATUTORY, shipped_rates(), first=date(2026, 1, 2), last=date(2026, 1, 31))
    assert [(line.rule, line.rate_pct) for line in accrued.lines] == [(rule, Decimal("10.15"))]
    assert fees(rules, debt(1_000_000), STATUTORY, on=date(2026, 1, 2)).total_minor == 4000
    in_zloty = accrue(rules, debt(1_000_000, "PLN"), STATUTORY, shipped_rates(), first=date(2026, 1, 2), last=date(2026, 1, 31))
    assert in_zloty.lines == () and "for debts in EUR" in in_zloty.why


def test_the_chilean_pack_holds_the_bands() -> None:
    late = debt(3_900_000, "CLP", debtor="consumer")
    rules = money_rules(terms("CL", debtor="consumer"))
    cost = collection_cost(
        rules, late, known(cl_uf="39000"), on=date(2026, 1, 22), asked_minor=10**9, work_done=True, free_notice_given=False
    )
    assert cost.total_minor == 187_200 - 7_800


@pytest.mark.parametrize(
    ("country", "region", "debtor", "last"),
    [
        ("ES", "", "business", date(2025, 3, 1)), ("GB", "", "business", date(2025, 3, 1)),
        ("US", "US-FL", "consumer", date(2024, 3, 1)), ("CA", "CA-ON", "consumer", date(2022, 3, 1)),
        ("MX", "", "business", None),
    ],
)  # fmt: skip
def test_the_limitation_date_by_place_or_unknown(country: str, region: str, debtor: str, last: date | None) -> None:
    found = limitation_date(money_rules(terms(country, region)), due_on=date(2020, 3, 1), party="first", debtor=debtor)
    if last is None:
        assert isinstance(found, Unknown) and not barred(found, date(2040, 1, 1))
    else:
        assert isinstance(found, LimitationDate) and found.last_day == last and barred(found, date(2026, 1, 1))


def test_reference_figures_never_cover_a_day_twice() -> None:
    twice = [
        {"from": "2026-01-01", "until": "2026-06-30", "value": 1, "source": "one"},
        {"from": "2026-06-30", "until": "2026-12-31", "value": 2, "source": "two"},
    ]
    with pytest.raises(ValueError, match="covered twice"):
        Series.model_validate({"entries": twice})
    with pytest.raises(ValueError, match="gold_price"):
        shipped_rates().with_own({"gold_price": twice[:1]})
    assert shipped_rates().on("ecb_main", date(2026, 6, 30)) == Decimal("2.15")
    assert shipped_rates().on("ecb_main", date(2026, 7, 1)) is None
    assert ReferenceRates().on("boe_base", date(2026, 1, 1)) is None


def test_the_creditors_own_figure_goes_before_the_shipped_one() -> None:
    own = {"ecb_main": [{"from": "2026-01-01", "until": "2026-01-31", "value": "3.00", "source": "the creditor"}]}
    rates = shipped_rates().with_own(own)
    assert [rates.on("ecb_main", day) for day in (date(2026, 1, 31), date(2026, 2, 1))] == [Decimal("3.00"), Decimal("2.15")]


PARTS = [(1, date(2026, 1, 1)), (2, date(2026, 2, 1))]
CHARGED = [Entered(1, "charge", 600, date(2025, 12, 1)), Entered(2, "charge", 400, date(2025, 12, 1))]
LAW = terms("ES")


def principal(entries: list[Entered], day: date) -> list[int]:
    debts = late_debts(PARTS, [*CHARGED, *entries], currency="EUR", law=LAW)
    return [debts[number].principal_on(day) for number, _ in PARTS]


def test_money_pays_the_oldest_principal_first_wherever_it_is_booked_and_interest_last() -> None:
    paid = [Entered(2, "payment", -700, date(2026, 1, 10)), Entered(1, "interest", 90, date(2026, 1, 31))]
    assert principal(paid, date(2026, 1, 10)) == [600, 0]
    assert principal(paid, date(2026, 1, 11)) == [0, 0]
    assert principal(paid, date(2026, 2, 2)) == [0, 300]
    back = [*paid, Entered(1, "reversal", 500, date(2026, 2, 10))]
    assert principal(back, date(2026, 2, 11)) == [400, 400]


def test_a_correction_downwards_counts_from_the_beginning_and_one_upwards_from_its_day() -> None:
    assert principal([Entered(1, "amendment", -200, date(2026, 3, 1))], date(2026, 1, 2)) == [400, 0]
    up = [Entered(1, "amendment", 200, date(2026, 3, 1))]
    assert [principal(up, day)[0] for day in (date(2026, 3, 1), date(2026, 3, 2))] == [600, 800]


def test_the_table_of_rates_travels_with_the_product() -> None:
    assert (Path(__file__).parents[2] / "policies" / "law" / "reference_rates.yaml").is_file()
