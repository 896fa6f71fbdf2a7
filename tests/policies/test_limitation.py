"""The limitation date of a debt: known with its rule, or unknown with its reason; never guessed, never revived."""

from __future__ import annotations

from datetime import date

import pytest

from policies.law.limitation import DebtEvent, LimitationDate, Unknown, barred, limitation_date
from tests.policies.law_money import rule

SIX = rule("UK.limitation", "limitation", years=6, renewed_by=["written_acknowledgement", "part_payment"])
DUE = date(2020, 2, 29)


def of(*events: DebtEvent, rules: tuple[object, ...] = (SIX,), due: date = DUE) -> LimitationDate | Unknown:
    return limitation_date(rules, due_on=due, party="first", debtor="business", events=events)  # type: ignore[arg-type]


def test_the_period_runs_from_the_due_date_and_its_last_day_is_still_in_time() -> None:
    found = of()
    assert isinstance(found, LimitationDate)
    assert (found.last_day, found.rule) == (date(2026, 2, 28), "UK.limitation")
    assert not barred(found, date(2026, 2, 28))
    assert barred(found, date(2026, 3, 1))


def test_an_unknown_period_is_unknown_and_bars_nothing() -> None:
    found = of(rules=())
    assert isinstance(found, Unknown) and "give no limitation period" in found.why
    assert not barred(found, date(2099, 1, 1))


def test_a_part_payment_begins_it_anew_and_a_spoken_word_does_not() -> None:
    found = of(DebtEvent("part_payment", date(2023, 5, 1)), DebtEvent("acknowledgement", date(2024, 5, 1)))
    assert isinstance(found, LimitationDate)
    assert (found.last_day, found.counted_from) == (date(2029, 5, 1), date(2023, 5, 1))
    assert "Begun anew by the part payment of 2023-05-01" in found.why


def test_nothing_revives_a_debt_after_its_last_day() -> None:
    found = of(DebtEvent("part_payment", date(2026, 3, 1)))
    assert isinstance(found, LimitationDate) and found.last_day == date(2026, 2, 28)


def test_after_a_suit_the_date_is_the_courts() -> None:
    found = of(DebtEvent("suit", date(2022, 1, 1)))
    assert isinstance(found, Unknown) and "suit of 2022-01-01" in found.why


def test_of_several_periods_the_earliest_date_counts() -> None:
    short = rule("UK.limitation.sale", "limitation", years=4)
    found = of(rules=(SIX, short))
    assert isinstance(found, LimitationDate) and found.rule == "UK.limitation.sale"


def test_the_period_is_that_of_the_law_in_force_when_the_debt_fell_due() -> None:
    old = rule("ES.limitation", "limitation", years=15, until="2015-10-06")
    new = rule("ES.limitation", "limitation", years=5, **{"from": "2015-10-07"})
    for due, years in ((date(2015, 10, 6), 15), (date(2015, 10, 7), 5)):
        found = of(rules=(old, new), due=due)
        assert isinstance(found, LimitationDate) and found.last_day.year == due.year + years


def test_a_period_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than nothing"):
        rule("UK.limitation", "limitation", years=0)
