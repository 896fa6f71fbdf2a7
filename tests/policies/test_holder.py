"""A telephone that nobody confirmed gets a question and nothing else; the rung goes another way, or waits (playbook 6)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from policies.facts import InvoiceFacts, Reach
from policies.forecast import BookEntry, forecast, made
from policies.holder import ASK_AGAIN_DAYS, CHECKS_MAX, SILENT_DAYS, confirmed
from policies.ladder import last_real_contact
from policies.steps import Ask, Close, Contact, Wait
from policies.terms import Channel
from tests.policies.samples import NOW, agreement, past
from tests.policies.test_next_step import EMAIL, SMS, ana, at, manual, obey

NOBODYS = SMS.model_copy(update={"verified": False, "number": "ana-sms"})
WHATSAPP = NOBODYS.model_copy(update={"address_id": "ana-wa", "channel": Channel.WHATSAPP})
DUE = at("2026-03-05 09:00")


def one(**change: Any) -> InvoiceFacts:
    """Ana with nothing but a telephone that nobody confirmed."""
    return ana(**({"reach": (NOBODYS,)} | change))


def asked_on(*days: date) -> Reach:
    return NOBODYS.model_copy(update={"checks": tuple(at(f"{day.isoformat()} 09:00") for day in days)})


def test_the_rung_goes_by_mail_where_the_telephone_is_not_confirmed() -> None:
    step = obey(ana(reach=(NOBODYS, EMAIL)), DUE)
    assert isinstance(step, Contact) and (step.rung, step.channel) == ("S2", Channel.EMAIL)


def test_with_no_other_way_the_holder_is_asked_and_no_sum_is_named() -> None:
    step = obey(one(), DUE)
    assert isinstance(step, Contact) and (step.template, step.amount_minor, step.instalment) == ("holder_check", 0, 0)
    assert step.rules[:2] == ("ladder.S2", "holder.unconfirmed") and step.key == "0.1.holder_check-ana-sms-1.0"


def test_once_asked_the_rung_waits_for_the_answer_until_it_gives_way() -> None:
    facts = one(reach=(asked_on(date(2026, 3, 5)),))
    step = obey(facts, DUE + timedelta(minutes=1))
    assert isinstance(step, Wait) and step.until == "holder" and step.at == at("2026-03-12 09:00")  # S3 takes its place


def test_the_answer_lets_the_rung_go_at_once() -> None:
    heard = asked_on(date(2026, 3, 5)).model_copy(update={"verified": True, "heard_at": at("2026-03-06 11:00")})
    step = obey(one(reach=(heard,)), at("2026-03-06 11:00"))
    assert isinstance(step, Contact) and step.rung == "S2" and step.at == at("2026-03-06 11:00")


def test_a_number_is_asked_again_after_a_month_and_three_times_in_all() -> None:
    ladder = "  - {rung: S1, day: D+3, channels: [sms], template: first_reminder, expires_days: 60}\n"
    by, day = manual(ladder=ladder), timedelta(days=1)
    before = obey(one(reach=(asked_on(date(2026, 3, 5)),)), at("2026-03-06 09:00"), by)
    assert isinstance(before, Contact) and before.at == DUE + ASK_AGAIN_DAYS * day and before.key.endswith("-2.0")
    thrice = asked_on(*(date(2026, 1, 1) + ASK_AGAIN_DAYS * n * day for n in range(CHECKS_MAX)))
    assert isinstance(obey(one(reach=(thrice,)), DUE, by), Close)  # the task is asked, and the ladder ends


def test_a_number_that_nobody_confirms_becomes_a_task_for_a_person() -> None:
    thrice = asked_on(date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 3))
    asks = [p.step for p in forecast([BookEntry(one(reach=(thrice,)), manual(), DUE)], now=DUE, until=DUE + timedelta(days=60))]
    tasks = [step for step in asks if isinstance(step, Ask)]
    assert {step.task for step in tasks} == {"confirm_holder"} and {step.key for step in tasks} == {"acc-1:3"}


def test_one_number_by_two_channels_is_asked_once() -> None:
    first = obey(one(reach=(NOBODYS, WHATSAPP)), DUE, manual(ladder=_BOTH))
    assert isinstance(first, Contact)
    after = made(one(reach=(NOBODYS, WHATSAPP)), first, DUE)
    assert isinstance(obey(after, DUE + timedelta(days=2), manual(ladder=_BOTH)), Wait)


_BOTH = "  - {rung: S1, day: D+3, channels: [whatsapp, sms], template: first_reminder, expires_days: 20}\n"


def test_the_plan_of_the_question_is_what_happens() -> None:
    entries = [BookEntry(one(invoice_id=f"inv-{n}", order=f"F-{n}"), manual(), DUE) for n in (1, 2)]
    told = [p.step for p in forecast(entries, now=DUE, until=DUE + timedelta(days=6))]
    assert [s.template for s in told if isinstance(s, Contact)] == ["holder_check"]  # one for both invoices


@pytest.mark.parametrize(("days", "known"), [(SILENT_DAYS - 1, True), (SILENT_DAYS, False)])
def test_half_a_year_of_silence_makes_a_telephone_nobodys_again(days: int, known: bool) -> None:
    heard = SMS.model_copy(update={"heard_at": NOW - timedelta(days=days)})
    assert confirmed(heard, NOW) is known
    assert confirmed(heard.model_copy(update={"channel": Channel.EMAIL}), NOW)  # mail goes where the customer said


def test_a_promise_is_not_reminded_on_a_telephone_that_nobody_confirmed() -> None:
    promised = agreement((date(2026, 3, 12), 100_000), made_at=at("2026-03-09 09:00"))
    assert isinstance(obey(one(agreements=(promised,)), at("2026-03-10 10:00")), Wait)
    step = obey(one(reach=(SMS,), agreements=(promised,)), at("2026-03-10 10:00"))
    assert isinstance(step, Contact) and step.template == "promise_reminder"


def test_the_question_is_no_contact_about_the_invoice() -> None:
    asked = past("0.2.holder_check-ana-sms-1.0", date(2026, 3, 4), channel=Channel.SMS)
    facts = ana(contacts=(asked,), cycle=2, cycle_notice="reopened", cycle_started_at=at("2026-03-04 08:00"))
    assert last_real_contact(facts) is None
    step = obey(facts, DUE)
    assert isinstance(step, Contact) and step.template == "reopened"
