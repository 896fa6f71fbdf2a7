"""A list of open items against our book: the pure part, where each rule can be seen alone."""

from __future__ import annotations

from datetime import date

import pytest

from policies.snapshot import Change, Ours, absent, compare, fell_too_far, held_until, written_otherwise


@pytest.mark.parametrize(
    ("theirs", "ours", "change"),
    [
        (100, Ours(100, 100), Change("same")),
        (40, Ours(100, 100), Change("lower", -60)),
        (40, Ours(100, 70), Change("lower", -60)),
        (40, Ours(100, 20), Change("lower", -20)),
        (0, Ours(100, 0), Change("same")),
        (100, Ours(70, 70), Change("higher", 0, 30)),
        (100, Ours(40, 40, 60), Change("back", 60)),
        (100, Ours(30, 30, 60), Change("back", 60, 10)),
        (110, Ours(100, 100, 0, 10), Change("same")),
        (115, Ours(100, 100, 0, 10), Change("higher", 0, 15)),
    ],
    ids=[
        "the same", "less", "less, and paid in part since", "never below 0", "paid since", "more", "back", "back and more",
        "a declared deduction is still open there", "more than the deduction",
    ],
)  # fmt: skip
def test_a_row_of_the_list_lowers_takes_back_or_is_told(theirs: int, ours: Ours, change: Change) -> None:
    assert compare(theirs, ours) == change


def test_what_is_absent_is_settled_whole_unless_it_was_paid() -> None:
    assert absent(Ours(100, 107)) == Change("absent", -107)  # late charges go with it
    assert absent(Ours(0, 50)) == absent(Ours(100, 0)) == Change("same")


def test_rows_or_one_currency_more_than_a_fifth_lower_wait_for_a_person() -> None:
    before = {"COP": (10, 1_000), "USD": (10, 100)}
    assert fell_too_far(before, {"COP": (8, 800), "USD": (8, 80)}) == ""
    assert fell_too_far(before, {"COP": (10, 1_000), "USD": (10, 79)}) == "USD balance fell by 21 %"
    assert fell_too_far(before, {"COP": (15, 1_500)}) == "rows fell by 25 %; USD balance fell by 100 %"
    assert fell_too_far({}, {"COP": (1, 1)}) == ""


def test_a_balance_that_differs_is_held_for_two_working_days_beyond_the_next_list() -> None:
    # Thursday's list: the next is Friday's; Monday is a holiday in Colombia (Saint Joseph), so Tuesday and Wednesday.
    assert held_until(date(2026, 3, 19), "CO", "America/Bogota").isoformat() == "2026-03-26T00:00:00-05:00"


@pytest.mark.parametrize(
    ("new", "gone", "said"),
    [
        (["12345"], ["000012345"], "1 numbers are ours but for signs or zeros, as 12345 and 000012345"),
        (["FV1-7", "f001-12"], ["FV-1-7", "F001-0000012"], "2 numbers"), (["F-10"], ["F-1", "F-100"], ""), ([], ["1"], ""),
        (["A-1001"], ["B-1001", "1001"], ""),
    ],
)  # fmt: skip
def test_numbers_that_are_only_written_in_another_way_are_told(new: list[str], gone: list[str], said: str) -> None:
    found = written_otherwise(new, gone)
    assert found.startswith(said) and bool(found) == bool(said)
