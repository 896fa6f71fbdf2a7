from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.budget import Budget, cap_rule
from policies.facts import BudgetEntry
from policies.manual import Cap, Limits
from policies.terms import AttemptState, Channel
from tests.policies.samples import NOW, TODAY, entry

WEEKLY = Limits(contacts=(Cap(max=2, days=7),))
OWN = ("mine", "1.1.S4.0")


def budget(
    entries: Sequence[BudgetEntry], limits: Limits = WEEKLY, channel: Channel = Channel.EMAIL, person: str = "ana"
) -> Budget:
    return Budget(entries, limits, channel=channel, person_id=person, own=OWN, since=NOW)


def on(days: int) -> datetime:
    return NOW + timedelta(days=days)


@pytest.mark.parametrize(
    ("days", "full"),
    [
        ([-6, 0], True),  # both in the seven dates that end today
        ([-7, 0], False),  # the older has left them
        ([0, 0], True),
        ([0], False),
        ([], False),
        ([1, 2], True),  # slots reserved for tomorrow and after count as well
        ([6, 5], True),
        ([7, 6], False),
        ([-6, 6], False),  # never both in the same seven dates
        ([-3, 3], True),  # today would be the third in one run of seven
        ([-4, 3], False),
    ],
)
def test_two_in_seven_local_dates_with_what_was_and_what_is_reserved(days: list[int], full: bool) -> None:
    assert budget([entry(on(d)) for d in days]).full_on(TODAY) is full


def test_a_date_and_not_a_day_of_24_hours_is_counted() -> None:
    daily = Limits(contacts=(Cap(max=1, days=1),))
    late_yesterday = NOW.replace(hour=4, minute=59)  # 23:59 in Bogota on the 9th
    assert not budget([entry(late_yesterday)], daily).full_on(TODAY)
    assert budget([entry(late_yesterday + timedelta(minutes=1))], daily).full_on(TODAY)


@pytest.mark.parametrize("state", list(AttemptState))
def test_every_state_counts_but_failed(state: AttemptState) -> None:
    one = Limits(contacts=(Cap(max=1, days=7),))
    assert budget([entry(NOW, state=state)], one).full_on(TODAY) is (state is not AttemptState.FAILED)


def test_the_own_slot_does_not_stand_in_its_own_way() -> None:
    one = Limits(contacts=(Cap(max=1, days=7),))
    assert not budget([entry(NOW, invoice_id="mine", key="1.1.S4.0")], one).full_on(TODAY)
    assert budget([entry(NOW, invoice_id="mine", key="1.1.S3.0")], one).full_on(TODAY)
    assert budget([entry(NOW, invoice_id="other", key="1.1.S4.0")], one).full_on(TODAY)


def test_a_cap_per_person_leaves_the_others_and_one_per_account_does_not() -> None:
    person, account = Limits(contacts=(Cap(max=1, days=7),)), Limits(contacts=(Cap(max=1, days=7, per="account"),))
    assert not budget([entry(NOW, person="luis")], person).full_on(TODAY)
    assert budget([entry(NOW, person="luis")], account).full_on(TODAY)


def test_a_cap_on_channels_counts_and_binds_only_these() -> None:
    voice = Limits(contacts=(Cap(max=1, days=14, channels=(Channel.VOICE,)),))
    called = [entry(on(-13), channel=Channel.VOICE)]
    assert budget(called, voice, Channel.VOICE).full_on(TODAY)
    assert not budget(called, voice, Channel.EMAIL).full_on(TODAY)
    assert not budget([entry(on(-13), channel=Channel.EMAIL)], voice, Channel.VOICE).full_on(TODAY)
    assert not budget([entry(on(-14), channel=Channel.VOICE)], voice, Channel.VOICE).full_on(TODAY)


def test_a_cap_of_none_refuses_every_day() -> None:
    assert budget([], Limits(contacts=(Cap(max=0, days=1),))).full_on(TODAY)


def test_each_cap_that_refuses_is_named() -> None:
    limits = Limits(contacts=(Cap(max=1, days=1), Cap(max=1, days=7, per="account"), Cap(max=9, days=30)))
    assert [r.rule for r in budget([entry(NOW)], limits).refusals_on(TODAY)] == ["budget.1d.person", "budget.7d.account"]
    assert cap_rule(Cap(max=1, days=14, channels=(Channel.VOICE, Channel.SMS))) == "budget.14d.person.sms+voice"


GAP = Limits(gap_hours=48)


@pytest.mark.parametrize(
    ("minutes", "clear"),
    [(-48 * 60, True), (-48 * 60 + 1, False), (0, False), (48 * 60 - 1, False), (48 * 60, True)],
)
def test_the_gap_is_kept_in_hours_to_the_contact_before_and_to_the_one_reserved_after(minutes: int, clear: bool) -> None:
    found = budget([entry(NOW + timedelta(minutes=minutes))], GAP).too_close(NOW)
    assert (found is None) is clear


def test_the_gap_is_to_the_same_person_only() -> None:
    assert budget([entry(NOW, person="luis")], GAP).too_close(NOW) is None


def test_a_moment_is_found_between_two_contacts_when_the_gap_fits_twice() -> None:
    around = budget([entry(on(-1)), entry(on(3))], GAP)
    assert around.clear_from(NOW) == on(1)
    assert around.clear_until(on(1), on(2)) == on(1) + timedelta(microseconds=1)
    assert budget([entry(on(-1)), entry(on(2))], GAP).clear_from(NOW) == on(4)


def most_in_a_run(dates: list[date], days: int) -> int:
    """The fullest run of `days` dates, counted the slow way."""
    return max(sum(first <= d < first + timedelta(days=days) for d in dates) for first in dates)


@given(st.lists(st.integers(-20, 20), max_size=14), st.integers(1, 4), st.integers(1, 15))
def test_a_day_is_refused_exactly_when_some_run_of_days_would_hold_too_many(offsets: list[int], most: int, days: int) -> None:
    limits = Limits(contacts=(Cap(max=most, days=days),))
    others = [TODAY + timedelta(days=d) for d in offsets]
    touched = [d for d in others if abs((d - TODAY).days) < days]
    would = max(
        sum(first <= d < first + timedelta(days=days) for d in [*touched, TODAY])
        for first in (TODAY - timedelta(days=i) for i in range(days))
    )
    assert budget([entry(on(d)) for d in offsets], limits).full_on(TODAY) is (would > most)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=40), st.integers(1, 3), st.integers(1, 10))
def test_contacts_taken_one_after_the_other_in_any_order_never_break_the_cap(
    wishes: list[tuple[int, bool]], most: int, days: int
) -> None:
    limits = Limits(contacts=(Cap(max=most, days=days),))
    made: list[BudgetEntry] = []
    for offset, planned in wishes:
        state = AttemptState.PLANNED if planned else AttemptState.DELIVERED
        if not budget(made, limits).full_on(TODAY + timedelta(days=offset)):
            made.append(entry(on(offset), state=state))
        if made:
            assert most_in_a_run([e.local_date for e in made], days) <= most


def call(days: int, outcome: str = "no_answer") -> BudgetEntry:
    """A call that a person made."""
    return entry(on(days), channel=Channel.VOICE).model_copy(update={"manual": True, "outcome": outcome})


HUMAN = Limits(
    contacts=(
        Cap(max=2, days=7, channels=(Channel.VOICE,), by="person"),
        Cap(max=1, days=7, channels=(Channel.VOICE,), by="person", outcome="conversation"),
        Cap(max=1, days=14, channels=(Channel.VOICE,), by="machine"),
    )
)


def full(entries: Sequence[BudgetEntry], by: Literal["machine", "person"], channel: Channel = Channel.VOICE) -> list[str]:
    counted = Budget(entries, HUMAN, channel=channel, person_id="ana", own=OWN, since=NOW, by=by)
    return [refusal.rule for refusal in counted.refusals_on(TODAY)]


def test_calls_by_people_have_caps_of_their_own_for_attempts_and_for_conversations() -> None:
    assert full([call(-1)], "person") == []
    assert full([call(-1), call(-2)], "person") == ["budget.7d.person.voice.by_person"]
    assert full([call(-1, "conversation")], "person") == ["budget.7d.person.voice.by_person.conversation"]
    assert full([call(-7, "conversation"), call(-8)], "person") == []


def test_automatic_calls_are_counted_apart_from_those_of_people() -> None:
    automatic = entry(on(-3), channel=Channel.VOICE)
    assert full([call(-1), call(-2, "conversation")], "machine") == [] == full([automatic], "person")
    assert full([automatic], "machine") == ["budget.14d.person.voice.by_machine"]
    assert full([automatic, call(-1), call(-2)], "person", Channel.EMAIL) == []
