"""A start that people trust: watched, approved, under a ceiling. Ana's invoice is due on 1 March 2026, her rungs at 09:00."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.facts import Apology, InvoiceFacts, SkippedRung, Suppression
from policies.forecast import BookEntry, forecast, made, settle
from policies.start import good_until, list_due, mode_of, next_list
from policies.start_model import Approval, CeilingUse, StartFacts, StartMode, StartTerms
from policies.steps import Contact, Skip, Step, Wait
from policies.terms import Channel, DebtorKind
from tests.policies.samples import BOGOTA, entry
from tests.policies.test_next_step import ana, at, manual, obey

WATCH, APPROVE, AUTO = StartMode.WATCH, StartMode.APPROVE, StartMode.AUTO
S2_AT = at("2026-03-05 09:00")


def starting(default: StartMode = APPROVE, **change: Any) -> InvoiceFacts:
    """Ana's invoice of a creditor that begins so; `change` is of StartFacts."""
    return ana(start=StartFacts(default=default, **change))


def approval(**change: Any) -> Approval:
    """S2 by e-mail to Ana, approved on Wednesday for Thursday 5 March at nine."""
    given: dict[str, Any] = {
        "key": "1.1.S2.0", "channel": Channel.EMAIL, "person_id": "ana", "amount_minor": 100_000, "state": "approved",
        "planned_at": S2_AT, "for_day": date(2026, 3, 5), "good_until": at("2026-03-10 00:00"), "decided_by": "staff:lead-1",
    }  # fmt: skip
    return Approval(**(given | change))


def steps(facts: InvoiceFacts, now: datetime) -> list[Step]:
    """Everything that is answered at that moment."""
    _, immediate, last = settle(facts, manual(), now)
    return [*(step for _, step in immediate), last]


@pytest.mark.parametrize(
    ("change", "mode"),
    [
        ({}, AUTO),
        ({"rungs": {"S2": APPROVE}}, APPROVE),
        ({"rungs": {"S3": WATCH}}, AUTO),
        ({"segments": {"kind:consumer": APPROVE}, "rungs": {"S2": WATCH}}, WATCH),
        ({"segments": {"kind:business": WATCH}}, AUTO),
        ({"segments": {"key": WATCH}, "segment": "key"}, WATCH),
        ({"segments": {"key": WATCH}, "segment": "small"}, AUTO),
        ({"segments": {"from:USD:100000": APPROVE}}, APPROVE),
        ({"segments": {"from:USD:100001": APPROVE}}, AUTO),
        ({"segments": {"from:COP:1": APPROVE}}, AUTO),
        ({"segments": {"debt_type:trade": APPROVE}}, AUTO),
    ],
)
def test_the_strictest_mode_that_applies_wins(change: dict[str, Any], mode: StartMode) -> None:
    facts = starting(AUTO, **change)
    assert facts.kind is DebtorKind.CONSUMER and mode_of(facts, "S2") is mode


def test_a_strict_default_is_not_loosened_by_a_rung() -> None:
    assert mode_of(starting(WATCH, rungs={"S2": AUTO}), "S2") is WATCH


def test_what_is_watched_is_passed_over_at_its_moment_and_says_what_would_have_gone() -> None:
    before = obey(starting(WATCH), at("2026-03-04 10:00"))
    assert isinstance(before, Wait) and before.at == S2_AT and "start.watch" in before.rules
    step = steps(starting(WATCH), S2_AT)[-2]
    assert isinstance(step, Skip) and step.key == "1.1.S2.0" and step.rules[-1] == "start.watch"
    assert "S2 would have gone by email to holder: USD 1,000.00" in step.why


def test_what_was_watched_is_not_sent_after_the_switch_to_auto() -> None:
    facts, _, _ = settle(starting(WATCH), manual(), S2_AT)
    later = facts.model_copy(update={"start": None})
    step = obey(later, at("2026-03-05 12:00"))
    assert isinstance(step, Contact) and step.rung == "S3"


def test_a_repeated_rung_goes_on_after_an_occurrence_that_was_only_watched() -> None:
    ladder = (
        "  - {rung: S2, day: D+3, channels: [email], template: first_reminder, repeat: {every_days: 10, at_most: 3},"
        " expires_days: 60}\n"
    )
    by = manual(ladder=ladder)
    facts, _, step = settle(starting(WATCH), by, S2_AT)
    assert isinstance(step, Wait) and step.at == at("2026-03-15 09:00")
    auto = settle(facts.model_copy(update={"start": None}), by, at("2026-03-06 09:00"))[2]
    assert isinstance(auto, Contact) and auto.key == "1.1.S2.1" and auto.at == at("2026-03-15 09:00")


def test_without_an_approval_the_rung_is_held_until_the_next_list() -> None:
    step = obey(starting(), S2_AT)
    assert isinstance(step, Wait) and step.until == "approval" and step.rules[-1] == "start.approval"
    assert step.at == at("2026-03-05 15:00"), "the list of that afternoon"


def test_a_wait_for_approval_ends_before_a_rung_that_may_take_its_place() -> None:
    step = obey(starting(), at("2026-03-11 16:00"))
    assert isinstance(step, Wait) and step.at == at("2026-03-12 09:00"), "S3, not the list of that afternoon"


def test_a_rung_that_was_never_approved_gives_way_to_the_next() -> None:
    first, last = steps(starting(), at("2026-03-12 09:00"))[-2:]
    assert isinstance(first, Skip) and first.rung == "S2" and first.rules == ("ladder.overtaken",)
    assert isinstance(last, Wait) and "S3" in last.why


def test_an_approved_contact_goes() -> None:
    step = obey(starting(approvals=(approval(),)), S2_AT)
    assert isinstance(step, Contact) and step.at == S2_AT and step.rules[-1] == "start.approved"


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 99_999}, {"channel": Channel.SMS}, {"person_id": "luis"}, {"state": "proposed"}, {"state": "expired"},
        {"good_until": S2_AT}, {"good_until": None}, {"key": "1.1.S3.0"},
    ],
)  # fmt: skip
def test_another_sum_channel_person_or_an_old_word_is_no_approval(change: dict[str, Any]) -> None:
    step = obey(starting(approvals=(approval(**change),)), S2_AT)
    assert isinstance(step, Wait) and step.rules[-1] == "start.approval"


def test_a_lower_sum_than_was_shown_is_approved_too() -> None:
    facts = starting(approvals=(approval(amount_minor=100_001),))
    assert isinstance(obey(facts, S2_AT), Contact)


def test_an_approved_contact_does_not_go_before_the_day_it_was_shown_for() -> None:
    held = starting(approvals=(approval(planned_at=at("2026-03-06 09:00")),))
    step = obey(held, at("2026-03-05 16:00"))
    assert isinstance(step, Wait) and step.at == at("2026-03-06 09:00") and step.rules[-1] == "start.approved"
    assert isinstance(obey(held, at("2026-03-06 09:00")), Contact)


def test_a_declined_contact_is_passed_over_with_who_declined_it() -> None:
    said = approval(state="declined", good_until=None)
    facts = starting(approvals=(said,)).model_copy(update={"skipped": (SkippedRung(key="1.1.S1.0", why="watched"),)})
    step = steps(facts, at("2026-03-04 16:00"))[-2]
    assert isinstance(step, Skip) and step.rules[-1] == "start.declined" and "staff:lead-1" in step.why


def test_a_reminder_of_a_promise_is_watched_without_going_in_circles() -> None:
    from tests.policies.samples import agreement

    promise = agreement((date(2026, 3, 9), 100_000))
    facts = starting(WATCH).model_copy(update={"agreements": (promise,)})
    told = steps(facts, at("2026-03-08 09:00"))
    assert [step.kind for step in told] == ["skip", "wait"] and told[0].rules[-1] == "start.watch"


def test_a_full_day_moves_a_contact_to_the_next_working_day() -> None:
    use = CeilingUse(day=date(2026, 3, 5), per_day=50, used=50)
    step = obey(starting(AUTO, ceilings=(use,)), S2_AT)
    assert isinstance(step, Wait) and step.until == "ceiling" and step.rules[-1] == "ceiling.day"
    assert step.at == at("2026-03-06 09:00")


@pytest.mark.parametrize(
    "change", [{"used": 49}, {"day": date(2026, 3, 4)}, {"channel": Channel.SMS}]
)  # fmt: skip
def test_room_below_the_ceiling_another_day_or_another_channel_lets_it_go(change: dict[str, Any]) -> None:
    use = CeilingUse(**({"day": date(2026, 3, 5), "per_day": 50, "used": 50} | change))
    assert isinstance(obey(starting(AUTO, ceilings=(use,)), S2_AT), Contact)


def test_a_contact_on_friday_waits_over_the_weekend_for_room() -> None:
    use = CeilingUse(day=date(2026, 3, 6), per_day=1, used=1)
    step = obey(starting(AUTO, ceilings=(use,)), at("2026-03-06 10:00"))
    assert isinstance(step, Wait) and step.at == at("2026-03-09 09:00")


def test_lists_are_drawn_on_working_days_of_the_creditor_only() -> None:
    assert next_list(at("2026-03-06 14:59"), "15:00", BOGOTA, "CO") == at("2026-03-06 15:00")
    assert next_list(at("2026-03-06 15:00"), "15:00", BOGOTA, "CO") == at("2026-03-09 15:00"), "Friday to Monday"
    assert list_due(at("2026-03-06 14:59"), "15:00", BOGOTA, "CO") is None
    assert list_due(at("2026-03-06 15:00"), "15:00", BOGOTA, "CO") == date(2026, 3, 9)
    assert list_due(at("2026-03-07 16:00"), "15:00", BOGOTA, "CO") is None


def test_an_approval_of_friday_is_good_until_the_end_of_wednesday() -> None:
    assert good_until(at("2026-03-06 16:00"), BOGOTA, "CO") == at("2026-03-12 00:00")


def test_a_list_is_drawn_as_if_everything_on_it_were_approved() -> None:
    held, assumed = (BookEntry(starting(assumed_from=day), manual(), S2_AT) for day in (None, date(2026, 3, 6)))
    now, until = at("2026-03-05 15:00"), at("2026-03-06 23:59")
    assert not [p for p in forecast([held], now=now, until=until) if isinstance(p.step, Contact)]
    would = [p for p in forecast([assumed], now=now, until=until) if isinstance(p.step, Contact)]
    assert [(p.step.key, p.at) for p in would] == [("1.1.S2.0", at("2026-03-06 09:00"))]  # type: ignore[union-attr]


modes = st.sampled_from(list(StartMode))
words = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["1.1.S1.0", "1.1.S2.0", "1.1.S3.0"]),
        "state": st.sampled_from(["proposed", "approved", "declined", "expired"]),
        "amount_minor": st.sampled_from([99_999, 100_000]),
        "planned_at": st.integers(0, 20 * 24).map(lambda hours: at("2026-02-26 09:00") + timedelta(hours=hours)),
        "good_until": st.integers(0, 25).map(lambda days: at("2026-02-27 00:00") + timedelta(days=days)),
    }
)


@settings(max_examples=max(40, settings().max_examples // 10))
@given(
    default=modes, rungs=st.dictionaries(st.sampled_from(["S1", "S2", "S3"]), modes), said=st.lists(words, max_size=3),
    used=st.integers(0, 2), begins_days=st.integers(0, 20),
)  # fmt: skip
def test_what_the_forecast_says_of_a_start_is_what_happens(
    default: StartMode, rungs: dict[str, StartMode], said: list[dict[str, Any]], used: int, begins_days: int
) -> None:
    now = at("2026-02-26 15:00") + timedelta(days=begins_days)
    until = at("2026-04-30 09:00")
    use = CeilingUse(day=now.date(), per_day=1, used=used)
    approvals = tuple({word["key"]: approval(**word) for word in said}.values())
    facts = starting(default, rungs=rungs, approvals=approvals, ceilings=(use,))
    foreseen = forecast([BookEntry(facts, manual(), now)], now=now, until=until)
    told = [(p.at, p.step.kind, getattr(p.step, "key", "")) for p in foreseen]
    happened: list[tuple[datetime, str, str]] = []
    while now <= until:
        facts, answers, step = settle(facts, manual(), now)
        happened += [(now, a.kind, getattr(a, "key", "")) for _, a in answers]
        if step.kind == "close":
            happened.append((now, "close", ""))
            break
        if isinstance(step, Contact) and step.at <= now:
            happened.append((now, "contact", step.key))
            facts = made(facts, step, now)
            continue
        assert step.at > now, "every wait has an end"
        now = step.at
    assert told == happened


def test_an_apology_goes_beyond_the_houses_own_limits_but_not_beyond_a_stop() -> None:
    capped = manual(more="limits: {contacts: [{max: 1, days: 7}]}\n")
    sorry = Apology(id="0123456789", person_id="ana", channel=Channel.EMAIL, until=at("2026-03-20 09:00"))
    now = at("2026-03-10 10:00")
    facts = ana(apologies=(sorry,), budget=(entry(now - timedelta(days=1)),))
    step = settle(facts, capped, now)[2]
    assert isinstance(step, Contact) and (step.template, step.at, step.amount_minor) == ("apology", now, 0)
    paid = facts.model_copy(update={"instalments": (facts.instalments[0].model_copy(update={"balance_minor": 0}),)})
    assert isinstance(settle(paid, capped, now)[2], Contact), "to a customer who paid, too"
    assert settle(made(paid, step, now), capped, now)[2].kind == "close", "once"
    stopped = facts.model_copy(update={"suppressions": (Suppression(reason="deceased", until=now + timedelta(days=9)),)})
    assert not isinstance(settle(stopped, capped, now)[2], Contact)


@pytest.mark.parametrize(
    "wrong",
    [
        {"list_at": "25:00"}, {"default": "off"}, {"segments": {"from:COP": "watch"}}, {"rungs": {"S 1": "watch"}},
        {"ceiling_per_day": 0}, {"stop": {"bounces_pct": 0}}, {"colour": "red"},
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StartTerms.model_validate(wrong)


def test_plain_settings_cost_nothing() -> None:
    assert StartTerms().is_plain and not StartTerms().asks
    assert not StartTerms(ceiling_per_day=5).is_plain and not StartTerms(rungs={"S2": APPROVE}).is_plain
    assert StartTerms(segments={"key": APPROVE}).asks


def test_waits_of_a_start_end(now: datetime = S2_AT) -> None:
    for facts in (starting(WATCH), starting(), starting(AUTO, ceilings=(CeilingUse(day=date(2026, 3, 5), per_day=1, used=1),))):
        step = obey(facts, now)
        assert isinstance(step, Wait) and now < step.at < now + timedelta(days=8)
