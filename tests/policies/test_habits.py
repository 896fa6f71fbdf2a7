"""Payment runs: when the next ones are, and what past payments show (playbook 4.4)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from policies.habits import Habits, Place, proposed, run_for, runs
from policies.manual_model import PromiseRules
from policies.negotiation import Promise, answer
from tests.policies.test_next_step import ana, at, manual, obey

BOGOTA = Place("CO", "DC")


@pytest.mark.parametrize(
    ("days", "due", "run"),
    [
        (("fri",), date(2026, 3, 16), date(2026, 3, 20)),
        (("fri",), date(2026, 3, 20), date(2026, 3, 20)),
        (("fri",), date(2026, 3, 27), date(2026, 3, 27)),
        (("fri",), date(2026, 3, 28), date(2026, 4, 6)),  # Good Friday is 3 April: the run is made on Monday
        ((10, 25), date(2026, 3, 11), date(2026, 3, 25)),
        ((10, 25), date(2026, 3, 26), date(2026, 4, 10)),
        ((31,), date(2026, 2, 3), date(2026, 3, 2)),  # the last of February is a Saturday
        ((1,), date(2026, 3, 2), date(2026, 3, 2)),  # the first was a Sunday, so it is made today
        ((), date(2026, 3, 16), None),
    ],
)
def test_an_invoice_goes_in_the_first_run_on_or_after_its_day(days: tuple[str | int, ...], due: date, run: date | None) -> None:
    assert run_for(Habits.model_validate({"payment_days": days}), due, BOGOTA) == run


def test_runs_follow_each_other() -> None:
    assert runs(Habits(payment_days=(10, 25)), date(2026, 3, 1), 3, BOGOTA) == [
        date(2026, 3, 10), date(2026, 3, 25), date(2026, 4, 10),
    ]  # fmt: skip


FRIDAYS = [date(2026, 1, 9) + timedelta(days=7 * n) for n in range(6)]


@pytest.mark.parametrize(
    ("paid", "shown"),
    [
        (FRIDAYS, {"payment_days": ["fri"]}),
        ([*FRIDAYS[1:], date(2026, 3, 4)], {"payment_days": ["fri"]}),  # five of the last six
        ([*FRIDAYS[2:], date(2026, 3, 4), date(2026, 3, 10)], None),  # four of them
        (FRIDAYS[:5], None),
        ([date(2026, month, day) for month in (1, 2, 3) for day in (10, 25)], {"payment_days": [10, 25]}),
        ([date(2026, 1, 3), *FRIDAYS], {"payment_days": ["fri"]}),  # only the last six count
        ([FRIDAYS[0]] * 6, None),  # six payments of one run are one run
    ],
)
def test_a_habit_is_proposed_when_four_fifths_of_the_last_six_show_it(paid: list[date], shown: dict[str, object] | None) -> None:
    assert proposed(paid, Habits()) == shown


def test_nothing_is_proposed_where_the_days_are_known() -> None:
    assert proposed(FRIDAYS, Habits(payment_days=("mon",))) is None


WEEKLY = Habits(payment_days=("fri",))
LADDER = "  - {rung: K4, day: R+2wd, channels: [email], template: scheduled_question}\n"


@pytest.mark.parametrize(
    ("habits", "day"),
    [
        (Habits(), "2026-03-04"),  # D is Monday 2 March
        (WEEKLY, "2026-03-10"),  # the run is on Friday 6 March
        (WEEKLY.model_copy(update={"cut_off_wd": 26}), "2026-03-17"),  # registered on 9 March, so the next run
    ],
)
def test_a_rung_of_the_run_falls_after_the_run_that_carries_the_invoice(habits: Habits, day: str) -> None:
    step = obey(ana(habits=habits), at("2026-03-01 09:00"), manual(ladder=LADDER))
    assert step.at == at(f"{day} 09:00")


@pytest.mark.parametrize(("kind", "runs_max", "wish", "granted"), [
    ("business", 2, date(2026, 3, 11), "2026-03-13"), ("business", 2, date(2026, 3, 20), "2026-03-20"),
    ("business", 2, date(2026, 3, 21), None), ("consumer", 2, date(2026, 3, 11), "2026-03-11"),
    ("business", 0, date(2026, 3, 20), "2026-03-20"), ("business", 0, date(2026, 3, 21), None),
    ("business", 0, date(2026, 3, 19), "2026-03-20"),
])  # fmt: skip
def test_a_company_promises_one_of_its_next_runs(kind: str, runs_max: int, wish: date, granted: str | None) -> None:
    by = manual().model_copy(update={"promise": PromiseRules(days_max=10, runs_max=runs_max)})
    facts = ana(habits=WEEKLY, kind=kind)
    given = answer(Promise(on=wish), facts=facts, manual=by, rung_id=None, today=date(2026, 3, 10), now=at("2026-03-10 10:00"))
    if granted is None:
        assert given.answer == "refused" and given.rules == ("negotiation.promise_days",)
        assert given.nearest is not None and given.nearest.milestones[0].due_on == date(2026, 3, 20)
    else:
        assert given.answer == "accepted" and given.milestones[0].due_on.isoformat() == granted
