"""Late interest and fees to the cent (F63): statutory, by contract, capped, forbidden; unknown figures are never guessed."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.law.charges import NotAllowed, accrue, months
from policies.law.fees import collection_cost, fees
from policies.law.rates import ReferenceRates, shipped_rates
from policies.manual_model import LateCharges
from tests.policies.law_money import BR, CA, CL, CO, CO_CAP, EU, EU_FIXED, STATUTORY, UK, UK_FIXED, US, contract, debt, known

NOTHING = ReferenceRates()


def day(text: str) -> date:
    return date.fromisoformat(text)


def after(days: int, due: str = "2026-01-01") -> date:
    return day(due) + timedelta(days=days)


def test_the_example_of_the_uk_government_1000_at_base_half_a_percent_is_85_a_year_and_11_50_after_50_days() -> None:
    rates = known(boe_base="0.5")
    one_day = accrue([UK], debt(100_000, "GBP"), STATUTORY, rates, first=after(1), last=after(1))
    assert one_day.total_minor == 23
    fifty = accrue([UK], debt(100_000, "GBP"), STATUTORY, rates, first=after(1), last=after(50))
    assert fifty.total_minor == 1150
    assert fifty.lines[0].rate_pct == Decimal("8.5") and fifty.lines[0].base_minor * Decimal("0.085") == 8500
    assert fifty.lines[0].said.en == (
        "Interest of 11.50 GBP on 1,000.00 GBP at 8.5 % a year, 50 days, 2 January 2026 to 20 February 2026, year of 365 days,"
        " rounded by day."
    )


def test_uk_interest_keeps_the_rate_of_its_first_day_and_eu_interest_follows_each_half_year() -> None:
    first, last = day("2025-12-01"), day("2026-01-31")
    uk = accrue([UK], debt(100_000, "GBP", due="2025-11-30"), STATUTORY, shipped_rates(), first=first, last=last)
    assert [(line.rate_pct, line.days) for line in uk.lines] == [(Decimal("12.25"), 62)]
    eu = accrue(
        [EU], debt(100_000, due="2025-06-20"), STATUTORY, shipped_rates(), first=day("2025-06-21"), last=day("2025-07-31")
    )
    assert [(line.rate_pct, line.from_on, line.until_on) for line in eu.lines] == [
        (Decimal("11.15"), day("2025-06-21"), day("2025-06-30")), (Decimal("10.15"), day("2025-07-01"), day("2025-07-31")),
    ]  # fmt: skip
    assert [line.amount_minor for line in eu.lines] == [305, 862]


def test_eu_interest_begins_on_the_day_after_the_due_date_and_is_not_for_consumers() -> None:
    rates = known(ecb_main="2")
    accrued = accrue([EU], debt(3_650_00, due="2026-01-31"), STATUTORY, rates, first=day("2026-01-01"), last=day("2026-02-10"))
    assert (accrued.lines[0].from_on, accrued.total_minor) == (day("2026-02-01"), 1000)
    consumer = debt(100_000, debtor="consumer")
    none = accrue([EU], consumer, STATUTORY, rates, first=after(1), last=after(30))
    assert (none.total_minor, none.why) == (0, "the law packs of this place know no statutory interest for this debt")
    assert fees([EU_FIXED], consumer, STATUTORY, on=after(1)).lines == ()


def test_a_missing_reference_rate_posts_nothing_and_says_for_which_day() -> None:
    accrued = accrue([EU], debt(100_000, due="2026-06-10"), STATUTORY, shipped_rates(), first=after(1), last=day("2026-07-31"))
    assert accrued.lines == ()
    assert accrued.why == "EU.interest: ecb_main is not known for 2026-07-01; give it in the creditor's reference_rates"
    own = {"ecb_main": [{"from": "2026-07-01", "until": "2026-12-31", "value": "2.40", "source": "given by the creditor"}]}
    known_now = accrue(
        [EU], debt(100_000, due="2026-06-30"), STATUTORY, shipped_rates().with_own(own), first=after(1), last=day("2026-07-31")
    )
    assert known_now.lines[0].rate_pct == Decimal("10.40")


@pytest.mark.parametrize(
    ("size", "sum_minor"), [(1, 4000), (99_999, 4000), (100_000, 7000), (999_999, 7000), (1_000_000, 10_000)]
)
def test_the_uk_fixed_sum_goes_by_size(size: int, sum_minor: int) -> None:
    assert fees([UK_FIXED], debt(size, "GBP"), STATUTORY, on=after(1)).total_minor == sum_minor


def test_where_the_uk_contract_sets_a_rate_there_is_no_statutory_interest_and_no_fixed_sum() -> None:
    both = LateCharges(interest="statutory", contract_rate_pct=Decimal(3), fixed_sum=True)
    none = accrue([UK], debt(100_000, "GBP"), both, known(boe_base="0.5"), first=after(1), last=after(50))
    assert none.lines == () and "the contract sets a rate of its own" in none.why
    assert fees([UK_FIXED], debt(100_000, "GBP"), both, on=after(50)).lines == ()
    by_contract = accrue([UK], debt(100_000, "GBP"), contract("3"), NOTHING, first=after(1), last=after(50))
    assert (by_contract.total_minor, by_contract.lines[0].rule) == (411, "contract")


def test_the_eu_fixed_sum_is_40_once_for_a_late_invoice_in_euros_and_nothing_is_converted() -> None:
    assert fees([EU_FIXED], debt(5_000), STATUTORY, on=after(1)).total_minor == 4000
    assert fees([EU_FIXED], debt(5_000), STATUTORY, on=after(0)).lines == ()
    paid_in_time = debt(5_000, paid=[("2025-12-30", 5_000)])
    assert fees([EU_FIXED], paid_in_time, STATUTORY, on=after(60)).why == "EU.fixed_sum: nothing was late"
    assert "nothing is converted" in fees([EU_FIXED], debt(5_000, "USD"), STATUTORY, on=after(1)).why


def test_colombian_interest_is_one_and_a_half_times_the_bank_rate_effective_a_year() -> None:
    january = accrue([CO], debt(100_000_00, "COP"), STATUTORY, shipped_rates(), first=after(1), last=day("2026-01-31"))
    assert january.lines[0].rate_pct == Decimal("24.360")
    assert january.total_minor == 180_802  # 10,000,000 * (1.2436 ^ (30 / 365) - 1) = 180,801.7
    year = accrue([CO], debt(100_000_00, "COP"), STATUTORY, known(co_ibc="16.24"), first=after(1), last=after(365))
    assert year.total_minor == 2_436_000


def test_a_colombian_contract_rate_above_the_cap_is_refused_and_one_at_the_cap_is_not() -> None:
    rules = [CO, CO_CAP]
    at_cap = accrue(rules, debt(100_000_00, "COP"), contract("24.36"), shipped_rates(), first=after(1), last=day("2026-01-31"))
    assert at_cap.total_minor == 180_802
    with pytest.raises(NotAllowed) as refused:
        accrue(rules, debt(100_000_00, "COP"), contract("24.37"), shipped_rates(), first=after(1), last=day("2026-01-31"))
    assert refused.value.rule == "CO.usury"
    assert str(refused.value) == (
        "the contract's 24.37 % a year is above the 24.36 % that CO.usury allows on 2026-01-02 (tests);"
        " charging more forfeits all interest: lower contract_rate_pct"
    )


def test_a_contract_rate_is_not_charged_while_the_cap_is_unknown() -> None:
    accrued = accrue([CO_CAP], debt(100_000, "COP", due="2026-03-01"), contract("10"), shipped_rates(), first=after(1),
                     last=day("2026-03-31"))  # fmt: skip
    assert accrued.lines == () and "co_ibc is not known for 2026-03-02" in accrued.why


UF = "39000"  # pesos


@pytest.mark.parametrize(
    ("debt_clp", "most"),
    [
        (390_000, 35_100),  # 10 UF: 9 %
        (780_000, 58_500),  # 20 UF: 9 % of 10 and 6 % of 10
        (1_950_000, 128_700),  # 50 UF
        (3_900_000, 187_200),  # 100 UF: and 3 % of 50
    ],
)
def test_chilean_collection_costs_are_capped_by_bands_of_the_unidad_de_fomento(debt_clp: int, most: int) -> None:
    cost = collection_cost(
        [CL], debt(debt_clp, "CLP"), known(cl_uf=UF), on=after(21), asked_minor=10**9, work_done=True, free_notice_given=True
    )
    assert cost.total_minor == most and f"{most} is the most" in cost.why


def test_chilean_costs_need_day_21_real_work_a_known_unit_and_the_free_notice_or_lose_a_fifth_of_a_unit() -> None:
    late, rates = debt(390_000, "CLP"), known(cl_uf=UF)

    def cost(
        on: int = 21, *, work: bool = True, notice: bool = True, asked: int = 10**9, known_rates: ReferenceRates = rates
    ) -> int:
        return collection_cost(
            [CL], late, known_rates, on=after(on), asked_minor=asked, work_done=work, free_notice_given=notice
        ).total_minor

    assert [cost(20), cost(work=False), cost(known_rates=NOTHING)] == [0, 0, 0]
    assert cost(notice=False) == 35_100 - 7_800
    assert cost(asked=12_000) == 12_000


def test_a_brazilian_late_fine_above_2_percent_is_refused_for_a_consumer() -> None:
    consumer = debt(100_00, "BRL", debtor="consumer")
    assert fees([BR], consumer, LateCharges(fee_pct=Decimal(2)), on=after(1)).total_minor == 200
    with pytest.raises(NotAllowed, match="above 2 % of 10000"):
        fees([BR], consumer, LateCharges(fee_pct=Decimal("2.01")), on=after(1))
    assert fees([BR], debt(100_00, "BRL"), LateCharges(fee_pct=Decimal(5)), on=after(1)).total_minor == 500


def test_a_canadian_bank_may_add_legal_costs_and_returned_payments_only() -> None:
    bank = debt(100_00, "CAD", debtor="consumer", facts={"creditor_type": "bank"})
    assert fees([CA], bank, LateCharges(), on=after(5), asked={"nsf": 4500, "legal": 9000}).total_minor == 13_500
    with pytest.raises(NotAllowed, match="CA-FED.fees allows legal, nsf"):
        fees([CA], bank, LateCharges(fee_minor={"CAD": 500}), on=after(5))


def test_in_the_united_states_nothing_is_added_that_no_contract_names() -> None:
    late = debt(100_000, "USD", debtor="consumer")
    assert accrue([US], late, STATUTORY, shipped_rates(), first=after(1), last=after(30)).lines == ()
    assert accrue([US], late, contract("6"), NOTHING, first=after(1), last=after(73)).total_minor == 1200
    assert accrue([US], late, LateCharges(), NOTHING, first=after(1), last=after(30)).why == "the manual asks for no interest"


def test_erp_01_without_fee_and_interest_nothing_is_added() -> None:
    late = debt(100_00)
    assert accrue([], late, LateCharges(), NOTHING, first=after(1), last=after(20)).total_minor == 0
    assert fees([], late, LateCharges(), on=after(20)).total_minor == 0


def test_erp_02_ten_percent_for_15_days_on_100_is_0_41_and_a_fee_of_10_makes_10_41() -> None:
    late, terms = debt(100_00), contract("10", fee_minor={"EUR": 1000})
    interest = accrue([], late, terms, NOTHING, first=after(1), last=after(15))
    assert interest.total_minor == 41
    assert interest.total_minor + fees([], late, terms, on=after(15)).total_minor == 1041


def test_inj_07_a_late_fee_of_10_ten_days_after_the_due_date() -> None:
    late, terms = debt(10_00), LateCharges(fee_minor={"EUR": 1000}, fee_after_days=10)
    assert fees([], late, terms, on=after(9)).lines == ()
    line = fees([], late, terms, on=after(20)).lines[0]
    assert (line.amount_minor, line.from_on) == (1000, after(10))


@pytest.mark.shared
def test_the_behaviours_of_other_products_still_say_what_these_tests_hold_to(shared_folder: Path) -> None:
    told = {each["id"]: each["then"] for each in json.loads((shared_folder / "data/7_dunning/behaviours.json").read_text())}
    assert "interest 0.41 (100*10%*15/365), fee 10.00, dunning amount 10.41" in told["ERP-02"]
    assert told["ERP-01"].startswith("interest 0, fee 0") and "balance 20, fee added once" in told["INJ-07"]


def test_a_part_payment_lowers_the_interest_from_the_day_after_its_value_date() -> None:
    late = debt(100_000, paid=[("2026-01-21", 40_000)])
    accrued = accrue([], late, contract("36.5"), NOTHING, first=after(1), last=after(30))
    assert [(line.base_minor, line.days, line.amount_minor) for line in accrued.lines] == [(100_000, 20, 2000), (60_000, 10, 600)]


def test_a_payment_that_went_back_bears_interest_again() -> None:
    late = debt(100_000, paid=[("2026-01-11", 100_000), ("2026-01-21", -100_000)])
    accrued = accrue([], late, contract("36.5"), NOTHING, first=after(1), last=after(30))
    assert [(line.from_on, line.days, line.amount_minor) for line in accrued.lines] == [
        (after(1), 10, 1000), (after(21), 10, 1000),
    ]  # fmt: skip


def test_frozen_days_bear_no_interest() -> None:
    late = debt(100_000, frozen=((after(11), after(20)),))
    accrued = accrue([], late, contract("36.5"), NOTHING, first=after(1), last=after(30))
    assert (accrued.total_minor, [line.days for line in accrued.lines]) == (2000, [10, 10])
    assert accrued.why == "interest is frozen while the debtor is protected"


def test_a_rule_holds_only_for_the_days_between_its_dates() -> None:
    ends = EU.model_copy(update={"until": after(10)})
    accrued = accrue([ends], debt(100_000), STATUTORY, known(ecb_main="2"), first=after(1), last=after(30))
    assert accrued.lines[0].until_on == after(10) and len(accrued.lines) == 1


def test_a_month_is_charged_when_it_is_over() -> None:
    assert list(months(day("2026-01-15"), day("2026-03-30"))) == [
        (day("2026-01-01"), day("2026-01-31")), (day("2026-02-01"), day("2026-02-28")),
    ]  # fmt: skip
    assert len(list(months(day("2026-01-15"), day("2026-03-31")))) == 3


def test_a_manual_says_one_thing_about_interest_and_fees() -> None:
    with pytest.raises(ValidationError, match="needs contract_rate_pct"):
        LateCharges(interest="contract")
    with pytest.raises(ValidationError, match="not both"):
        LateCharges(fee_minor={"EUR": 100}, fee_pct=Decimal(2))


def test_each_line_is_said_in_three_languages() -> None:
    line = accrue([CO], debt(100_000_00, "COP"), STATUTORY, shipped_rates(), first=after(1), last=day("2026-01-31")).lines[0]
    assert line.said.es == (
        "Interés de 1.808,02 COP sobre 100.000,00 COP al 24,36 % efectivo anual, 30 días del 2 de enero de 2026 al"
        " 31 de enero de 2026, año de 365 días."
    )
    assert line.said.pt.startswith("Juros de 1.808,02 COP sobre 100.000,00 COP a 24,36 % efetivos ao ano, 30 dias")
    assert fees([EU_FIXED], debt(5_000), STATUTORY, on=after(1)).lines[0].said.es == (
        "Suma fija por pago tardío: 40,00 EUR sobre 50,00 EUR, al 2 de enero de 2026, una sola vez."
    )


@given(
    amount=st.integers(1, 10**12), rate=st.decimals("0.01", "99", places=2), days=st.integers(1, 400),
    payments=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 10**11)), max_size=5),
)  # fmt: skip
def test_lines_never_overlap_and_never_pass_the_interest_of_the_whole_sum(
    amount: int, rate: Decimal, days: int, payments: list[tuple[int, int]]
) -> None:
    late = debt(amount, paid=[(after(n).isoformat(), paid) for n, paid in payments])
    accrued = accrue([], late, contract(str(rate)), NOTHING, first=after(1), last=after(days))
    assert accrued.total_minor == sum(line.amount_minor for line in accrued.lines)
    for before, later in zip(accrued.lines, accrued.lines[1:], strict=False):
        assert before.until_on < later.from_on
    whole = Decimal(amount) * rate * days / 36500
    assert accrued.total_minor <= whole + Decimal("0.5") * len(accrued.lines)
    assert all(line.days == (line.until_on - line.from_on).days + 1 for line in accrued.lines)
