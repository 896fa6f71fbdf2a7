"""What makes a due rung wait: each rule on both sides of its edge, with the end of the wait (playbook 2 and 3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from policies.facts import Feed, Hold, InvoiceFacts, Reach
from policies.feeds import covers, is_behind, is_late, wanted_day
from policies.forecast import BookEntry, after, forecast
from policies.holding import SECTION_3
from policies.manual import Manual, load_manual
from policies.next_step import next_step
from policies.steps import Ask, Contact, Judge, Skip, Step, Wait
from policies.terms import Channel, DebtorKind
from tests.policies.samples import BOGOTA, NOW, agreement, invoice, paid, past

MANUAL = """
name: test
version: 1
send_at: "09:00"
ladder:
  - {rung: S1, day: D-3, channels: [email], template: pre_due}
  - {rung: S3, day: D+2, channels: [email], template: first_reminder}
  - {rung: S6, day: D+9, channels: [email], template: decision_maker, firm: true}
  - {rung: S9, day: D+40, action: task, template: insurer_notice, unmoved: true}
promise: {days_max: 30, count_max: 3, grace_days: 2, remind_day_before: false}
"""
EMAIL = Reach(person_id="ana", address_id="a1", role="payables", channel=Channel.EMAIL, permitted=True)
DUE = date(2026, 3, 2)  # a Monday; the sample is due on Sunday 1 March
TUESDAY_10 = NOW
"""10:00 in Bogota, eight days late."""


def manual() -> Manual:
    return load_manual(MANUAL, "holding.yaml")


def asked(now: datetime = NOW, **change: Any) -> Step:
    """The next step, once what was overtaken is passed over."""
    facts = invoice(**({"reach": (EMAIL,)} | change))
    while isinstance(step := next_step(facts, manual(), now), Skip):
        facts = after(facts, step, now)
    return step


def bank(complete_to: date | None, **more: Any) -> Feed:
    return Feed(name="bank", kind="bank", complete_to=complete_to, **more)


def gateway(seen_at: datetime | None) -> Feed:
    return Feed(name="stripe", kind="gateway", seen_at=seen_at)


# Wednesday 4 March, 09:00: S3 is due. The last working day before is Tuesday 3 March.
AT_S3 = datetime(2026, 3, 4, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(("hour", "told"), [(9, False), (10, True)], ids=["before the file is expected", "after"])
def test_without_yesterdays_file_nobody_is_chased_and_from_its_hour_on_operations_are_told(hour: int, told: bool) -> None:
    now = datetime(2026, 3, 4, hour + 5, 0, tzinfo=UTC)
    assert is_behind(bank(date(2026, 3, 2)), now, BOGOTA, "CO")
    assert is_late(bank(date(2026, 3, 2)), now, BOGOTA, "CO") is told
    assert is_late(bank(date(2026, 2, 27)), now, BOGOTA, "CO"), "the file of the day before yesterday is late at any hour"
    for check in (is_behind, is_late):
        assert not check(bank(date(2026, 3, 3)), now, BOGOTA, "CO")


def test_on_a_monday_the_last_bank_day_is_friday_and_a_holiday_is_none() -> None:
    assert wanted_day(datetime(2026, 3, 9, 16, 0, tzinfo=UTC), BOGOTA, "CO") == date(2026, 3, 6)
    # Monday 23 March 2026 is Saint Joseph's day in Colombia
    assert wanted_day(datetime(2026, 3, 24, 16, 0, tzinfo=UTC), BOGOTA, "CO") == date(2026, 3, 20)


@pytest.mark.parametrize(("minutes", "late"), [(60, False), (61, True)])
def test_a_gateway_may_be_silent_for_an_hour(minutes: int, late: bool) -> None:
    assert is_late(gateway(NOW - timedelta(minutes=minutes)), NOW, BOGOTA, "CO") is late
    assert is_late(gateway(None), NOW, BOGOTA, "CO")


def test_an_overdue_rung_waits_for_a_late_source_and_goes_with_a_fresh_one() -> None:
    held = asked(AT_S3, feeds=(bank(date(2026, 2, 27)),))
    assert isinstance(held, Wait) and held.rules == ("ladder.S3", "feed.late") and held.until == "payment_data"
    assert held.at == datetime(2026, 3, 5, 14, 0, tzinfo=UTC), "looked at again at the manual's hour of the next day"
    assert "complete to 2026-02-27" in held.why
    assert isinstance(asked(AT_S3, feeds=(bank(date(2026, 3, 3)),)), Contact)
    assert isinstance(asked(AT_S3), Contact), "no source is declared, none is relied on"


def test_a_rung_before_the_due_date_may_go_while_a_source_is_late() -> None:
    early = datetime(2026, 2, 27, 14, 0, tzinfo=UTC)
    step = asked(early, feeds=(bank(None), gateway(None)))
    assert isinstance(step, Contact) and step.rung == "S1" and step.at == early


# Friday 27 February, 09:00: S1 is due, three days before the due date. The last working day before is Thursday the 26th.
@pytest.mark.parametrize(
    ("complete_to", "now", "goes"),
    [
        (date(2026, 2, 26), datetime(2026, 2, 27, 14, 0, tzinfo=UTC), True),
        (date(2026, 2, 25), datetime(2026, 2, 27, 14, 0, tzinfo=UTC), False),
        (date(2026, 2, 23), datetime(2026, 2, 27, 14, 0, tzinfo=UTC), False),
        (date(2026, 2, 20), datetime(2026, 2, 27, 14, 0, tzinfo=UTC), True),
        (date(2026, 2, 25), datetime(2026, 3, 1, 14, 0, tzinfo=UTC), False),
    ],
    ids=["complete", "one day lacks", "three days lack", "more: it is lost", "the eve of the due date"],
)
def test_a_courtesy_waits_for_a_file_that_is_a_little_late(complete_to: date, now: datetime, goes: bool) -> None:
    assert isinstance(asked(now, feeds=(bank(complete_to),)), Contact if goes else Wait)


def test_on_the_due_date_itself_a_late_source_holds() -> None:
    text = MANUAL.replace("{rung: S1, day: D-3,", "{rung: S1, day: D,")
    facts = invoice(reach=(EMAIL,), feeds=(bank(None),))
    step = next_step(facts, load_manual(text, "on_the_day.yaml"), datetime(2026, 3, 2, 14, 0, tzinfo=UTC))
    assert isinstance(step, Wait) and step.rules[-1] == "feed.late"


def test_the_plan_takes_for_granted_that_sources_go_on_telling() -> None:
    facts = invoice(reach=(EMAIL,), feeds=(bank(date(2026, 3, 3)),))
    happened = forecast([BookEntry(facts, manual(), AT_S3)], now=AT_S3, until=AT_S3 + timedelta(days=20))
    assert [p.step.rung for p in happened if isinstance(p.step, Contact)] == ["S3", "S6"]
    late = facts.model_copy(update={"feeds": (bank(None),)})
    happened = forecast([BookEntry(late, manual(), AT_S3)], now=AT_S3, until=AT_S3 + timedelta(days=20))
    assert [(p.step.rung, p.at.day) for p in happened if isinstance(p.step, Contact)] == [("S3", 5), ("S6", 11)]


# A promise of 5 March with two days of grace ends on Saturday the 7th, whose bank day is Monday the 9th.
PROMISE = agreement((date(2026, 3, 5), 100_000))


@pytest.mark.parametrize(
    ("feeds", "judged"),
    [
        ((), True),
        ((bank(date(2026, 3, 6)),), False),
        ((bank(date(2026, 3, 9)),), True),
        ((gateway(datetime(2026, 3, 8, 4, 59, tzinfo=UTC)),), False),
        ((gateway(datetime(2026, 3, 8, 5, 0, tzinfo=UTC)),), True),
        ((bank(date(2026, 3, 9)), gateway(None)), False),
    ],
)
def test_a_promise_is_judged_when_the_bank_day_of_its_last_day_is_complete(feeds: tuple[Feed, ...], judged: bool) -> None:
    step = asked(NOW, agreements=(PROMISE,), feeds=feeds)
    if judged:
        assert isinstance(step, Judge) and step.verdict == "broken"
    else:
        assert isinstance(step, Wait) and step.rules == ("agreement.promise", "promise.bank_day")


def test_a_promise_that_was_kept_needs_no_bank_day() -> None:
    kept = asked(
        NOW, agreements=(agreement((date(2026, 3, 5), 60_000)),), feeds=(bank(None),), payments=(paid(date(2026, 3, 4), 60_000),)
    )
    assert isinstance(kept, Judge) and kept.verdict == "kept"


def test_a_day_is_covered_by_its_own_bank_day() -> None:
    saturday = date(2026, 3, 7)
    assert not covers(bank(date(2026, 3, 8)), saturday, BOGOTA, "CO")
    assert covers(bank(date(2026, 3, 9)), saturday, BOGOTA, "CO")


# Holds that are for what is late only, money that lies about, and a part that was paid.


def test_a_balance_that_differs_holds_what_is_overdue_only() -> None:
    hold = Hold(id="h", kind="balance_differs", starts_at=NOW - timedelta(days=20), until=AT_S3 + timedelta(days=1), reason="erp")
    step = asked(AT_S3, holds=(hold,))
    assert isinstance(step, Wait) and (step.at, step.rules[-1]) == (hold.until, "hold.balance_differs")
    early = datetime(2026, 2, 27, 14, 0, tzinfo=UTC)
    assert isinstance(asked(early, holds=(hold.model_copy(update={"starts_at": early}),)), Contact)


@pytest.mark.parametrize(("credit", "held"), [(99_999, False), (100_000, True)])
def test_credit_that_covers_what_is_asked_holds_the_rung_for_three_working_days(credit: int, held: bool) -> None:
    came = datetime(2026, 3, 3, 20, 0, tzinfo=UTC)  # Tuesday; three working days end with Friday
    step = asked(AT_S3, credit_minor=credit, credit_since=came)
    if held:
        assert isinstance(step, Wait) and step.rules[-1] == "unapplied.credit"
        assert step.at == datetime(2026, 3, 7, 5, 0, tzinfo=UTC)
        assert isinstance(asked(step.at, credit_minor=credit, credit_since=came), Contact), "the hold has an end"
    else:
        assert isinstance(step, Contact)


@pytest.mark.parametrize(
    ("amount", "kind", "until"),
    [
        (30_000, DebtorKind.CONSUMER, datetime(2026, 3, 9, 5, 0, tzinfo=UTC)),
        (30_000, DebtorKind.BUSINESS, datetime(2026, 3, 11, 5, 0, tzinfo=UTC)),
        (29_999, DebtorKind.CONSUMER, None),
    ],
)
def test_a_part_payment_of_three_tenths_brings_five_days_of_peace(amount: int, kind: DebtorKind, until: datetime | None) -> None:
    left = invoice(100_000 - amount).instalments
    step = asked(AT_S3, payments=(paid(date(2026, 3, 3), amount),), instalments=left, kind=kind)
    if until is None:
        assert isinstance(step, Contact)
    else:
        assert isinstance(step, Wait) and (step.at, step.rules[-1]) == (until, "part_payment.peace")


# Thursday 12 March: S6, which is firm, falls on the 11th.
AT_S6 = datetime(2026, 3, 11, 14, 0, tzinfo=UTC)
SENT: dict[str, Any] = {"contacts": (past("1.1.S1.0", date(2026, 2, 27)), past("1.1.S3.0", date(2026, 3, 4)))}


def test_a_firm_rung_waits_while_what_we_promised_is_overdue_and_a_gentle_one_does_not() -> None:
    overdue = (AT_S6 - timedelta(minutes=1),)
    held = asked(AT_S6, own_promises=overdue, **SENT)
    assert isinstance(held, Wait) and held.rules == ("ladder.S6", "own_promise.overdue")
    assert isinstance(asked(AT_S6, own_promises=(AT_S6 + timedelta(minutes=1),), **SENT), Contact)
    assert isinstance(asked(AT_S3, own_promises=(AT_S3 - timedelta(days=1),)), Contact)


@pytest.mark.parametrize(("days", "silent"), [(179, False), (180, True)])
def test_half_a_year_without_a_sign_ends_the_rungs(days: int, silent: bool) -> None:
    first = date(2025, 9, 1)
    now = datetime(2025, 9, 1, 14, 0, tzinfo=UTC) + timedelta(days=days)
    due = invoice().instalments[0].model_copy(update={"due_on": now.date() - timedelta(days=9)})
    facts: dict[str, Any] = {
        "instalments": (due,), "issued_on": date(2025, 8, 1), "entered_at": datetime(2025, 8, 1, tzinfo=UTC),
        "cycle_started_at": datetime(2025, 8, 1, tzinfo=UTC), "contacts": (past("1.1.S1.0", first),),
    }  # fmt: skip
    steps = _all_rules(facts, now)
    assert ("reach.silent" in steps) is silent
    heard = facts | {"reach": (EMAIL.model_copy(update={"heard_at": now - timedelta(days=1)}),)}
    assert "reach.silent" not in _all_rules(heard, now)


def _all_rules(facts: dict[str, Any], now: datetime) -> set[str]:
    known: InvoiceFacts = invoice(**({"reach": (EMAIL,)} | facts))
    happened = forecast([BookEntry(known, manual(), now)], now=now, until=now + timedelta(days=3))
    return {rule for p in happened for rule in p.step.rules if isinstance(p.step, Skip | Contact)}


@pytest.mark.parametrize(("days_before", "skipped"), [(2, True), (3, False)])
def test_a_message_is_not_needed_where_somebody_spoke_with_the_customer(days_before: int, skipped: bool) -> None:
    text = MANUAL.replace("template: first_reminder}", "template: first_reminder, unless_spoken_days: 2}")
    spoken = date(2026, 3, 4) - timedelta(days=days_before)
    facts = invoice(reach=(EMAIL,), last_conversation_on=spoken, contacts=(past("1.1.S1.0", date(2026, 2, 27)),))
    step = next_step(facts, load_manual(text, "spoken.yaml"), AT_S3)
    assert (step.kind, "ladder.spoken" in step.rules) == (("skip", True) if skipped else ("contact", False))


# Wednesday 4 March: a call comes first; its two working days end with Friday the 6th.
def _calling(**change: Any) -> list[tuple[str, date]]:
    text = MANUAL.replace("template: first_reminder}", "template: first_reminder, call_first_wd: 2}")
    facts = invoice(**({"reach": (EMAIL,), "contacts": (past("1.1.S1.0", date(2026, 2, 27)),)} | change))
    happened = forecast([BookEntry(facts, load_manual(text, "call.yaml"), AT_S3)], now=AT_S3, until=AT_S6 - timedelta(hours=1))
    return [(p.step.kind, p.at.date()) for p in happened if isinstance(p.step, Ask | Contact | Skip)]


def test_a_call_is_asked_for_once_and_the_message_goes_when_nobody_was_spoken_with() -> None:
    assert _calling() == [("ask", date(2026, 3, 4)), ("contact", date(2026, 3, 6))]
    assert _calling(last_conversation_on=date(2026, 3, 4)) == [("skip", date(2026, 3, 4))]
    assert _calling(last_conversation_on=date(2026, 3, 3))[0][0] == "ask", "a talk before the rung is not its call"


# Somebody else's deadline.

PAUSE = Hold(id="h", kind="pause", starts_at=NOW, until=datetime(2026, 6, 1, tzinfo=UTC), reason="asked for")
DEADLINE = datetime(2026, 4, 11, 14, 0, tzinfo=UTC)


def test_no_pause_moves_an_insurers_deadline() -> None:
    step = asked(AT_S6, holds=(PAUSE,), **SENT)
    assert isinstance(step, Wait) and step.until == "pause" and step.at == DEADLINE
    task = asked(DEADLINE, holds=(PAUSE,), **SENT)
    assert isinstance(task, Ask) and task.task == "insurer_notice" and task.rules == ("ladder.S9", "deadline.unmoved")
    facts = invoice(reach=(EMAIL,), holds=(PAUSE,), **SENT)
    happened = forecast([BookEntry(facts, manual(), AT_S6)], now=AT_S6, until=AT_S6 + timedelta(days=60))
    assert [(p.step.kind, p.at) for p in happened] == [("ask", DEADLINE)]


def test_what_is_paid_has_no_deadline() -> None:
    step = asked(DEADLINE, instalments=(invoice().instalments[0].model_copy(update={"balance_minor": 0}),))
    assert step.kind == "close"


@pytest.mark.parametrize("row", SECTION_3)
def test_each_row_of_the_playbook_names_its_rules_and_its_end(row: str) -> None:
    assert SECTION_3[row].rules and SECTION_3[row].ends


# The statement of the month stands beside the ladder.

MONTHLY = MANUAL.replace(
    "  - {rung: S6,",
    "  - {rung: K3, day: M+1wd, repeat: {every_days: 28, at_most: 12}, channels: [email], template: monthly_statement}\n"
    "  - {rung: S6,"
)  # fmt: skip


def test_a_statement_goes_on_the_first_working_day_of_each_month_and_overtakes_nothing() -> None:
    parts = tuple(
        invoice().instalments[0].model_copy(update={"number": number, "due_on": date(2026, 2 + number, 20)}) for number in (1, 2)
    )
    facts = invoice(reach=(EMAIL,), instalments=parts, issued_on=date(2026, 2, 20), entered_at=NOW - timedelta(days=18))
    happened = forecast(
        [BookEntry(facts, load_manual(MONTHLY, "monthly.yaml"), NOW - timedelta(days=17))],
        now=NOW - timedelta(days=17), until=NOW + timedelta(days=60),
    )  # fmt: skip
    made = [p for p in happened if isinstance(p.step, Contact)]
    statements = [p.at.date() for p in made if isinstance(p.step, Contact) and p.step.rung == "K3"]
    # Sunday 1 March; Good Friday and Maundy Thursday are the 3rd and 2nd of April; 1 May is a holiday in Colombia
    assert statements == [date(2026, 3, 2), date(2026, 4, 1), date(2026, 5, 4)]
    rungs = [p.step.key for p in made if isinstance(p.step, Contact) and p.step.rung != "K3"]
    assert rungs == ["1.1.S1.0", "1.1.S3.0", "1.1.S6.0", "2.1.S1.0", "2.1.S3.0", "2.1.S6.0"], "each rung has its own day"
    assert not [p for p in happened if isinstance(p.step, Skip)]
