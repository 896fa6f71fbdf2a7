"""The next step, as sentences with both sides of each edge. Ana's invoice is due on Sunday 1 March 2026, effective Monday 2."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from policies.facts import Hold, Instalment, InvoiceFacts, Placement, Reach, SkippedRung, Suppression
from policies.forecast import after, settle
from policies.manual import Manual, load_manual
from policies.next_step import next_step
from policies.steps import Ask, Close, Contact, HandOff, Judge, Place, Recall, Skip, Step, Wait
from policies.terms import AttemptState, Channel
from tests.policies.samples import agreement, entry, invoice, paid, past

BASE = """
name: t
version: 1
send_at: "09:00"
ladder:
  - {rung: S1, day: D-3, channels: [email, sms], template: pre_due}
  - {rung: S2, day: D+3, channels: [email, sms], template: first_reminder}
  - {rung: S3, day: D+10, channels: [email], template: last_days}
promise: {days_max: 10, count_max: 2, grace_days: 2, remind_day_before: true}
"""


def manual(more: str = "", ladder: str | None = None) -> Manual:
    """The short ladder; `ladder` replaces its rungs, `more` adds keys."""
    text = BASE
    if ladder is not None:
        head, _, rest = text.partition("ladder:\n")
        text = head + "ladder:\n" + ladder + rest[rest.index("promise:") :]
    return load_manual(text + more, "t.yaml")


EMAIL = Reach(person_id="ana", address_id="ana-email", role="holder", channel=Channel.EMAIL, permitted=True)
SMS = Reach(person_id="ana", address_id="ana-sms", role="holder", channel=Channel.SMS, permitted=True)


def ana(**change: Any) -> InvoiceFacts:
    """Ana's invoice with an e-mail address and a telephone."""
    return invoice(**({"reach": (EMAIL, SMS)} | change))


def at(text: str) -> datetime:
    """Local time in Bogota (UTC-5) as an instant."""
    return (datetime.fromisoformat(text) + timedelta(hours=5)).replace(tzinfo=UTC)


def obey(facts: InvoiceFacts, now: datetime, by: Manual | None = None) -> Step:
    """What is left to obey once everything due at once is applied."""
    return settle(facts, by or manual(), now)[2]


def test_the_first_rung_counts_from_the_effective_due_date_not_the_sunday() -> None:
    step = obey(ana(), at("2026-02-10 10:00"))
    assert isinstance(step, Contact) and step.rung == "S1"
    assert step.at == at("2026-02-27 09:00")  # Monday 2 March less 3 days


def test_as_stated_counts_from_the_sunday_itself() -> None:
    step = obey(ana(), at("2026-02-10 10:00"), manual("deadline_basis: as_stated\n"))
    assert step.at == at("2026-02-26 09:00")


@pytest.mark.parametrize(("now", "due"), [("2026-02-27 08:59", False), ("2026-02-27 09:00", True)])
def test_a_rung_is_due_at_its_minute_and_not_the_one_before(now: str, due: bool) -> None:
    step = obey(ana(), at(now))
    assert isinstance(step, Contact) and (step.at <= at(now)) is due


def test_after_downtime_only_the_highest_due_rung_goes_out_and_says_how_late() -> None:
    facts, answers, step = settle(ana(), manual(), at("2026-03-15 10:00"))
    assert [a.rung for _, a in answers if isinstance(a, Skip)] == ["S1", "S2"]
    assert isinstance(step, Contact) and step.rung == "S3" and step.late_days == 3
    assert {s.key for s in facts.skipped} == {"1.1.S1.0", "1.1.S2.0"}


def test_an_old_invoice_enters_at_its_rung_and_sends_no_past_ones() -> None:
    entered = at("2026-03-07 12:00")
    facts, answers, step = settle(ana(entered_at=entered, cycle_started_at=entered), manual(), entered)
    assert [a.rules for _, a in answers] == [("ladder.entered_later",)] * 2
    assert isinstance(step, Contact) and step.rung == "S3" and step.at == at("2026-03-12 09:00")


@pytest.mark.parametrize(("entered", "sent"), [("2026-03-05 23:00", True), ("2026-03-06 00:30", False)])
def test_the_rung_of_the_day_of_entry_still_goes_out(entered: str, sent: bool) -> None:
    now = at(entered)
    step = obey(ana(entered_at=now, cycle_started_at=now), now)
    assert isinstance(step, Contact) and (step.rung == "S2") is sent


def test_what_is_asked_is_the_balance_and_paid_in_full_closes() -> None:
    part = Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=30_000)
    step = obey(ana(instalments=(part,)), at("2026-03-05 09:00"))
    assert isinstance(step, Contact) and step.amount_minor == 30_000
    nothing = part.model_copy(update={"balance_minor": 0})
    closed = obey(ana(instalments=(nothing,), payments=(paid(date(2026, 3, 4), 100_000),)), at("2026-03-05 09:00"))
    assert isinstance(closed, Close) and closed.outcome == "paid"
    credited = obey(ana(instalments=(nothing,)), at("2026-03-05 09:00"))
    assert isinstance(credited, Close) and credited.outcome == "credited"


def test_a_later_instalment_is_not_asked_before_its_time() -> None:
    two = (
        Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=60_000, balance_minor=60_000),
        Instalment(number=2, due_on=date(2026, 4, 1), amount_minor=40_000, balance_minor=40_000),
    )
    first = obey(ana(instalments=two), at("2026-03-05 09:00"))
    assert isinstance(first, Contact) and (first.key, first.amount_minor) == ("1.1.S2.0", 60_000)
    sent = tuple(past(f"1.1.{r}.0", date(2026, 3, d)) for r, d in (("S1", 1), ("S2", 5), ("S3", 12)))
    second = obey(ana(instalments=two, contacts=sent), at("2026-03-29 09:00"))
    assert isinstance(second, Contact) and (second.key, second.amount_minor) == ("2.1.S1.0", 100_000)


def test_a_channel_that_may_not_be_used_gives_way_to_the_next_of_the_rung() -> None:
    no_email = EMAIL.model_copy(update={"permitted": False, "why_not": "opted out"})
    step = obey(ana(reach=(no_email, SMS)), at("2026-03-05 09:00"))
    assert isinstance(step, Contact) and step.channel is Channel.SMS and step.address_id == "ana-sms"
    nobody = settle(ana(reach=(no_email,)), manual(), at("2026-03-05 09:00"))[1]
    assert [a.rules for _, a in nobody if isinstance(a, Skip) and a.rung == "S2"] == [("reach.none",)]


def test_a_channel_that_failed_for_this_rung_is_not_tried_again_but_one_to_be_tried_later_is() -> None:
    failed = past("1.1.S2.0", date(2026, 3, 5), AttemptState.FAILED)
    step = obey(ana(contacts=(failed,)), at("2026-03-05 10:00"))
    assert isinstance(step, Contact) and step.rung == "S2" and step.channel is Channel.SMS
    again = obey(ana(contacts=(failed.model_copy(update={"may_retry": True}),)), at("2026-03-05 10:00"))
    assert isinstance(again, Contact) and again.channel is Channel.EMAIL


@pytest.mark.parametrize("state", [s for s in AttemptState if s not in (AttemptState.PLANNED, AttemptState.FAILED)])
def test_a_key_that_was_or_may_have_been_delivered_is_never_asked_again(state: AttemptState) -> None:
    made = past("1.1.S2.0", date(2026, 3, 5), state)
    step = obey(ana(contacts=(made,)), at("2026-03-06 15:00"))
    assert not (isinstance(step, Contact) and step.key == "1.1.S2.0")


def test_an_unknown_outcome_waits_a_day_for_its_receipt_and_then_counts() -> None:
    unknown = past("1.1.S2.0", date(2026, 3, 5), AttemptState.UNKNOWN)
    waiting = obey(ana(contacts=(unknown,)), at("2026-03-06 09:59"))
    assert isinstance(waiting, Wait) and waiting.until == "receipt" and waiting.at == at("2026-03-06 10:00")
    step = obey(ana(contacts=(unknown,)), at("2026-03-06 10:00"))
    assert isinstance(step, Contact) and step.rung == "S3"


def test_a_rung_repeats_so_often_and_then_escalates() -> None:
    repeating = manual(
        ladder="  - {rung: S2, day: D+3, channels: [email], template: first_reminder, repeat: {every_days: 2, at_most: 2}}\n"
        "  - {rung: S3, day: D+10, channels: [email], template: last_days}\n"
    )
    once = past("1.1.S2.0", date(2026, 3, 5))
    step = obey(ana(contacts=(once,)), at("2026-03-05 12:00"), repeating)
    assert isinstance(step, Contact) and step.key == "1.1.S2.1" and step.at == at("2026-03-07 09:00")
    twice = (once, past("1.1.S2.1", date(2026, 3, 7)))
    assert obey(ana(contacts=twice), at("2026-03-07 12:00"), repeating).at == at("2026-03-12 09:00")


def test_a_delay_from_the_last_real_contact_moves_the_rung() -> None:
    delayed = manual(
        ladder="  - {rung: S2, day: D+3, channels: [email], template: first_reminder}\n"
        "  - {rung: S3, day: D+4, after_contact_days: 5, channels: [email], template: last_days}\n"
    )
    step = obey(ana(contacts=(past("1.1.S2.0", date(2026, 3, 5)),)), at("2026-03-05 12:00"), delayed)
    assert isinstance(step, Contact) and step.at == at("2026-03-10 09:00")


def test_a_rung_that_limits_push_past_the_next_one_is_skipped_with_the_limit_as_its_reason() -> None:
    limited = manual("limits: {contacts: [{max: 1, days: 7}]}\n")
    spent = (entry(at("2026-03-05 08:00")), entry(at("2026-03-12 08:00"), key="1.1.S2.0"))
    facts, answers, step = settle(ana(budget=spent), limited, at("2026-03-05 09:00"))
    skipped = [a for _, a in answers if isinstance(a, Skip) and a.rung == "S2"]
    assert skipped and skipped[0].rules == ("budget.7d.person",)
    assert isinstance(step, Contact) and step.rung == "S3"


def test_a_rung_moved_by_a_limit_reserves_its_slot() -> None:
    limited = manual("limits: {contacts: [{max: 1, days: 1}]}\n")
    step = obey(ana(budget=(entry(at("2026-03-05 08:00")),)), at("2026-03-05 09:00"), limited)
    assert isinstance(step, Contact) and step.reserve and step.at == at("2026-03-06 09:00")
    before = obey(ana(budget=(entry(at("2026-03-05 08:00")),)), at("2026-03-04 09:00"), limited)
    assert isinstance(before, Contact) and not before.reserve


@pytest.mark.parametrize(("balance", "channel"), [(99, None), (100, Channel.EMAIL)])
def test_a_balance_below_the_least_is_not_worth_the_rung(balance: int, channel: Channel | None) -> None:
    least = manual("minimums: {email: {USD: 100}, sms: {USD: 100}}\n")
    small = Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=balance, balance_minor=balance)
    facts, answers, step = settle(ana(instalments=(small,)), least, at("2026-03-05 09:00"))
    if channel is None:
        assert ("minimum.balance",) in [a.rules for _, a in answers]
    else:
        assert isinstance(step, Contact) and step.channel is channel


def _hold(kind: Any, **change: Any) -> Hold:
    fields: dict[str, Any] = {"id": "h", "kind": kind, "starts_at": at("2026-03-01 00:00"), "until": at("2026-03-20 00:00")}
    return Hold(**(fields | {"reason": "asked by the customer"} | change))


@pytest.mark.parametrize("kind", ["pause", "dispute", "already_paid", "payment_in_process", "owner"])
def test_a_hold_waits_until_its_end_and_then_only_the_highest_rung_goes(kind: str) -> None:
    facts = ana(holds=(_hold(kind),))
    held = obey(facts, at("2026-03-19 23:59"))
    assert isinstance(held, Wait) and held.at == at("2026-03-20 00:00") and held.until == kind
    step = obey(facts, at("2026-03-20 00:00"))
    assert isinstance(step, Contact) and step.rung == "S3"


def test_a_part_in_dispute_is_not_asked_and_the_rest_goes_on() -> None:
    step = obey(ana(holds=(_hold("dispute", amount_minor=25_000),)), at("2026-03-05 09:00"))
    assert isinstance(step, Contact) and step.amount_minor == 75_000
    whole = obey(ana(holds=(_hold("dispute", amount_minor=100_000),)), at("2026-03-05 09:00"))
    assert isinstance(whole, Wait)


def test_stops_exemptions_and_suppressions_hold_every_rung_until_their_end() -> None:
    end = at("2026-03-20 00:00")
    for change in ({"stopped_until": end}, {"exempt_until": end}, {"suppressions": (Suppression(reason="deceased", until=end),)}):
        step = obey(ana(**change), at("2026-03-05 09:00"))
        assert isinstance(step, Wait) and step.at == end, change


def test_a_promise_waits_to_the_end_of_its_day_and_grace_with_a_reminder_the_day_before() -> None:
    promised = agreement((date(2026, 3, 10), 100_000), made_at=at("2026-03-05 12:00"))
    reminder = obey(ana(agreements=(promised,)), at("2026-03-05 13:00"))
    assert isinstance(reminder, Contact) and reminder.template == "promise_reminder" and reminder.at == at("2026-03-09 09:00")
    sent = past(reminder.key, date(2026, 3, 9))
    waiting = obey(ana(agreements=(promised,), contacts=(sent,)), at("2026-03-09 10:00"))
    assert isinstance(waiting, Wait) and waiting.at == at("2026-03-13 00:00")  # 10 March and two days of grace, to their end


def test_a_broken_promise_begins_a_new_cycle_whose_first_message_says_so() -> None:
    promised = agreement((date(2026, 3, 10), 100_000), made_at=at("2026-03-05 12:00"))
    facts = ana(agreements=(promised,), contacts=(past("1.1.S2.0", date(2026, 3, 5)),))
    still = obey(facts, at("2026-03-12 23:59"))
    assert isinstance(still, Wait)
    facts, answers, step = settle(facts, manual(), at("2026-03-13 00:00"))
    assert [a.verdict for _, a in answers if isinstance(a, Judge)] == ["broken"]
    assert facts.cycle == 2 and isinstance(step, Contact)
    assert (step.key, step.template) == ("1.2.S3.0", "missed_promise")


def test_ten_of_a_hundred_is_not_a_kept_promise() -> None:
    promised = agreement((date(2026, 3, 10), 100_000), made_at=at("2026-03-05 12:00"))
    part = Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=90_000)
    facts = ana(agreements=(promised,), instalments=(part,), payments=(paid(date(2026, 3, 9), 10_000),))
    verdicts = [a for _, a in settle(facts, manual(), at("2026-03-13 00:00"))[1] if isinstance(a, Judge)]
    assert [(v.verdict, v.paid_minor, v.promised_minor) for v in verdicts] == [("partly", 10_000, 100_000)]


def test_a_reversal_reopens_at_the_same_rung_with_a_fresh_notice() -> None:
    reopened = at("2026-03-26 11:00")
    facts = ana(
        cycle=2, cycle_started_at=reopened, cycle_notice="reopened", shift_days=20,
        contacts=(past("1.1.S1.0", date(2026, 2, 27)), past("1.1.S2.0", date(2026, 3, 5))),
    )  # fmt: skip
    step = obey(facts, reopened)
    assert isinstance(step, Contact) and (step.key, step.template) == ("1.2.S2.0", "reopened")


AGENCY = """agency:
  {commission_pct: 20, recover_agency_pct: 60, recover_house_pct: 10, house_cost_minor: {USD: 500}, minimum: {USD: 1000},
   approve_within_days: 10, return_after_days: 90}
"""
DECIDES = "  - {rung: S3, day: D+10, channels: [email], template: last_days}\n  - {rung: S4, day: D+20, action: decision}\n"


def test_the_decision_is_proposed_waits_for_a_person_and_ends_without_an_answer() -> None:
    by = manual(AGENCY, DECIDES)
    last = past("1.1.S3.0", date(2026, 3, 12))
    before = obey(ana(contacts=(last,)), at("2026-03-22 08:59"), by)
    assert isinstance(before, Wait)
    facts, answers, step = settle(ana(contacts=(last,)), by, at("2026-03-22 09:00"))
    handoff = next(a for _, a in answers if isinstance(a, HandOff))
    assert handoff.recommend == "place" and handoff.figures
    assert isinstance(step, Wait) and step.until == "approval" and step.at == at("2026-04-01 09:00")
    assert isinstance(obey(facts, at("2026-04-01 09:00"), by), Close)


def test_an_approved_debt_is_placed_and_a_payment_recalls_it() -> None:
    by = manual(AGENCY, DECIDES)
    asked = at("2026-03-22 09:00")
    approved = Placement(id="p", state="approved", proposed_at=asked, decide_by=asked + timedelta(days=10))
    facts, answers, step = settle(ana(placement=approved), by, asked)
    assert isinstance(answers[0][1], Place) and isinstance(step, Wait) and step.at == asked + timedelta(days=90)
    nothing = Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=0)
    settled = facts.model_copy(update={"instalments": (nothing,), "payments": (paid(date(2026, 4, 1), 100_000),)})
    facts, answers, step = settle(settled, by, at("2026-04-02 09:00"))
    assert isinstance(answers[0][1], Recall) and isinstance(step, Close) and step.outcome == "paid"


def test_a_task_rung_asks_a_person_once_and_goes_on() -> None:
    by = manual(
        ladder="  - {rung: T1, day: D+3, action: task, template: owner_told}\n"
        "  - {rung: S3, day: D+10, channels: [email], template: last_days}\n"
    )
    facts, answers, step = settle(ana(), by, at("2026-03-05 09:00"))
    assert [a.task for _, a in answers if isinstance(a, Ask)] == ["owner_told"]
    assert isinstance(step, Contact) and step.rung == "S3"
    assert facts.skipped == (SkippedRung(key="1.1.T1.0", why=answers[0][1].why),)


SUSPENDS = "consequences: [{kind: suspension, notice: suspension_notice, wait_days: 5, done_by: S7}]\n"


@pytest.mark.parametrize("announced", [True, False])
def test_what_was_never_announced_is_not_carried_out(announced: bool) -> None:
    by = manual(
        SUSPENDS,
        ladder="  - {rung: S6, day: D+3, channels: [email], template: suspension_notice}\n"
        "  - {rung: S7, day: D+10, channels: [email], template: suspended, requires: S6}\n",
    )
    told = (past("1.1.S6.0", date(2026, 3, 5)),) if announced else ()
    passed = () if announced else (SkippedRung(key="1.1.S6.0", why="nobody could be reached"),)
    facts, answers, step = settle(ana(contacts=told, skipped=passed), by, at("2026-03-12 09:00"))
    assert (isinstance(step, Contact) and step.rung == "S7") is announced
    assert ([a.rules for _, a in answers][-1:] == [("ladder.S7", "ladder.requires")]) is not announced


def test_after_the_last_rung_the_ladder_stays_open_for_an_answer_and_then_ends() -> None:
    made = tuple(
        past(f"1.1.{r}.0", d) for r, d in (("S1", date(2026, 2, 27)), ("S2", date(2026, 3, 5)), ("S3", date(2026, 3, 12)))
    )
    waiting = obey(ana(contacts=made), at("2026-03-13 09:00"))
    assert isinstance(waiting, Wait) and waiting.at == at("2026-04-11 00:00")
    ended = obey(ana(contacts=made), at("2026-04-11 00:00"))
    assert isinstance(ended, Close) and ended.outcome == "ladder_ended"


def test_every_answer_says_why_and_by_which_rule_and_every_wait_has_an_end() -> None:
    now = at("2026-02-01 12:00")
    facts = ana()
    for _ in range(200):
        facts, answers, step = settle(facts, manual(AGENCY, DECIDES), now)
        for _, answer in [*answers, (facts, step)]:
            assert answer.why and answer.rules
        if isinstance(step, Close):
            return
        if isinstance(step, Contact) and step.at <= now:
            facts = facts.model_copy(update={"contacts": (*facts.contacts, past(step.key, now.date()))})
        else:
            assert step.at > now
            now = step.at
    raise AssertionError("the ladder did not end")


def test_an_immediate_step_changes_the_facts_so_that_it_is_not_answered_twice() -> None:
    facts, now = ana(), at("2026-03-15 10:00")
    step = next_step(facts, manual(), now)
    assert isinstance(step, Skip)
    assert next_step(after(facts, step, now), manual(), now) != step


def test_a_notice_is_not_overtaken_by_what_may_not_go_out_without_it() -> None:
    by = manual(
        SUSPENDS,
        ladder="  - {rung: S6, day: D+3, channels: [email], template: suspension_notice}\n"
        "  - {rung: S7, day: D+10, channels: [email], template: suspended, requires: S6, after_contact_days: 6}\n"
        "  - {rung: S8, day: D+40, channels: [email], template: come_back}\n",
    )
    facts, answers, step = settle(ana(), by, at("2026-03-13 10:00"))
    assert answers == [] and isinstance(step, Contact) and step.rung == "S6"
    later = obey(facts.model_copy(update={"contacts": (past("1.1.S6.0", date(2026, 3, 13)),)}), at("2026-03-13 10:01"), by)
    assert isinstance(later, Contact) and later.rung == "S7" and later.at == at("2026-03-19 09:00")


def test_a_task_for_a_person_does_not_take_the_place_of_a_message() -> None:
    by = manual(
        ladder="  - {rung: S2, day: D+3, channels: [email], template: first_reminder}\n"
        "  - {rung: T3, day: D+5, action: task, template: owner_told}\n"
        "  - {rung: S8, day: D+40, channels: [email], template: offer_ways}\n"
    )
    _, answers, step = settle(ana(), by, at("2026-03-09 10:00"))
    assert isinstance(step, Contact) and step.rung == "S2" and not any(isinstance(a, Skip) for _, a in answers)
