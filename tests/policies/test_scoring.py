from __future__ import annotations

from datetime import date, timedelta

import pytest

from policies.facts import Agreement
from policies.scoring import Settled, promises_kept_pct, score
from tests.policies.samples import TODAY, agreement


def history(*days_late: int | None) -> list[Settled]:
    """One invoice a month, the oldest first; None is still open."""
    found = []
    for index, late in enumerate(days_late):
        due_on = TODAY - timedelta(days=30 * (len(days_late) - index))
        found.append(Settled(due_on=due_on, paid_on=None if late is None else due_on + timedelta(days=late)))
    return found


@pytest.mark.parametrize(
    ("days_late", "segment", "median", "streak"),
    [
        ((), "new_customer", None, 0),
        ((0, 0), "new_customer", 0, 2),
        ((9, 0, 0, 0, 0, 0), "regular", 0, 5),
        ((9, 0, 0, 0, 0, 0, 0), "good_payer", 0, 6),
        ((0, -3, 0, 0, -1, 0), "good_payer", 0, 6),  # early is on time
        ((0, 0, 0, 0, 0, 1), "regular", 0, 0),
        ((8, 10, 12), "late_but_pays", 10, 0),
        ((8, 10, 12, 14), "late_but_pays", 12, 0),  # the later of the two middles
        ((8, 10, None), "new_customer", 10, 0),
        ((None, 8, 10, 12), "regular", 10, 0),  # 120 days open
        ((8, None, 10, 12), "late_but_pays", 10, 0),  # 90 days open, not more
    ],
)
def test_the_segment_follows_from_lateness_and_streak(
    days_late: tuple[int | None, ...], segment: str, median: int | None, streak: int
) -> None:
    found = score(history(*days_late), [], TODAY)
    assert (found.segment, found.days_late_median, found.streak) == (segment, median, streak)
    assert found.reasons


def test_what_is_not_due_yet_says_nothing() -> None:
    coming = [Settled(due_on=TODAY, paid_on=None)]
    assert score([*history(0, 0, 0, 0, 0, 0), *coming], [], TODAY).segment == "good_payer"


@pytest.mark.parametrize(
    ("states", "pct"),
    [([], None), (["open", "withdrawn"], None), (["kept", "open"], 100), (["kept", "partly", "broken"], 33)],
)
def test_promises_count_once_they_are_judged(states: list[str], pct: int | None) -> None:
    made: list[Agreement] = [agreement((date(2026, 3, 5), 100), state=state) for state in states]
    assert promises_kept_pct(made) == pct
    assert score([], made, TODAY).promises_kept_pct == pct
