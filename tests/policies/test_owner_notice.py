"""The account's owner hears of a firm rung two working days before it. Ana's S3 is firm and falls on Thursday 12 March 2026."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from policies.facts import Hold, InvoiceFacts, SkippedRung
from policies.forecast import BookEntry, forecast, settle
from policies.manual import Manual
from policies.steps import Ask, Contact, Step, Wait
from tests.policies.test_next_step import ana, at, manual, obey

FIRM = """\
  - {rung: S2, day: D+3, channels: [email], template: first_reminder}
  - {rung: S3, day: D+10, channels: [email], template: last_days, firm: true}
"""
NOTICE_AT = at("2026-03-10 09:00")
RUNG_AT = at("2026-03-12 09:00")


def firm() -> Manual:
    return manual(ladder=FIRM)


def owned(**change: Any) -> InvoiceFacts:
    """S2 is dealt with, and somebody answers for the account."""
    return ana(**({"has_owner": True, "skipped": (SkippedRung(key="1.1.S2.0", why="said"),)} | change))


def played(facts: InvoiceFacts, begins: datetime) -> list[tuple[str, str, datetime]]:
    """What happens from then on: kind, rung or task, moment."""
    entry = BookEntry(facts=facts, manual=firm(), next_at=begins)
    found = forecast([entry], now=begins, until=at("2026-04-30 09:00"))
    named = [(one.step.kind, getattr(one.step, "rung", getattr(one.step, "task", "")), one.at) for one in found]
    return [each for each in named if each[0] in ("ask", "contact")]


def test_two_working_days_before_a_firm_rung_its_owner_is_asked_and_then_it_goes_at_its_moment() -> None:
    step = obey(owned(), at("2026-03-09 10:00"), firm())
    assert isinstance(step, Wait) and step.at == NOTICE_AT and step.rules == ("owner.notice",)
    facts, answers, after = settle(owned(), firm(), NOTICE_AT)
    asked = answers[0][1]
    assert isinstance(asked, Ask) and asked.task == "firm_rung_ahead" and asked.due_at == RUNG_AT
    assert isinstance(after, Contact) and (after.rung, after.at) == ("S3", RUNG_AT)
    assert played(owned(), at("2026-03-09 10:00")) == [("ask", "firm_rung_ahead", NOTICE_AT), ("contact", "S3", RUNG_AT)]


def test_it_is_asked_once() -> None:
    facts, _, _ = settle(owned(), firm(), NOTICE_AT)
    _, answers, _ = settle(facts, firm(), at("2026-03-11 09:00"))
    assert answers == []


@pytest.mark.parametrize("change", [{"has_owner": False}])
def test_without_an_owner_nothing_waits(change: dict[str, Any]) -> None:
    step = obey(owned(**change), at("2026-03-09 10:00"), firm())
    assert isinstance(step, Contact) and step.at == RUNG_AT


def test_a_courtesy_rung_is_nobodys_to_hold() -> None:
    step = obey(ana(has_owner=True), at("2026-03-04 10:00"), firm())
    assert isinstance(step, Contact) and step.rung == "S2" and step.at == at("2026-03-05 09:00")


def test_a_notice_that_comes_late_moves_the_rung_by_two_working_days() -> None:
    late = at("2026-03-13 10:00")  # a Friday: the rung's moment has passed
    assert played(owned(), late) == [("ask", "firm_rung_ahead", late), ("contact", "S3", at("2026-03-17 09:00"))]


def test_the_notice_is_not_slept_past_while_an_earlier_rung_waits() -> None:
    # S2 waits behind a budget-like pause of nothing: it is due on the day after the notice would be.
    book = manual(ladder=FIRM.replace("D+3", "D+9"))
    step: Step = obey(ana(has_owner=True), at("2026-03-09 10:00"), book)
    assert isinstance(step, Wait) and step.at == NOTICE_AT
    facts, answers, after = settle(ana(has_owner=True), book, NOTICE_AT)
    assert [answer.kind for _, answer in answers] == ["ask"] and isinstance(after, Contact) and after.rung == "S2"


def test_after_the_owners_hold_the_rung_goes_without_a_second_notice() -> None:
    facts, _, _ = settle(owned(), firm(), NOTICE_AT)
    until = at("2026-03-17 00:00")
    hold = Hold(id="h", kind="owner", starts_at=NOTICE_AT, until=until, reason="sales_talk")
    held = facts.model_copy(update={"holds": (hold,)})
    step = obey(held, at("2026-03-12 09:00"), firm())
    assert isinstance(step, Wait) and step.at == until and step.rules == ("hold.owner",)
    gone = obey(facts, at("2026-03-17 09:00"), firm())
    assert isinstance(gone, Contact) and gone.rung == "S3" and gone.at == at("2026-03-17 09:00")


def moved(facts: InvoiceFacts, days: int) -> InvoiceFacts:
    """The due date is amended."""
    parts = tuple(each.model_copy(update={"due_on": each.due_on + timedelta(days=days)}) for each in facts.instalments)
    return facts.model_copy(update={"instalments": parts})


@pytest.mark.parametrize(("days", "asks"), [(28, True), (2, False), (-1, False)])
def test_where_the_due_date_was_moved_far_the_owner_is_told_again(days: int, asks: bool) -> None:
    facts, _, _ = settle(owned(), firm(), NOTICE_AT)
    later = played(moved(facts, days), NOTICE_AT + timedelta(hours=1))
    assert [kind for kind, _, _ in later] == (["ask", "contact"] if asks else ["contact"])
    if asks:
        assert later == [("ask", "firm_rung_ahead", at("2026-04-07 09:00")), ("contact", "S3", at("2026-04-09 09:00"))]


def test_a_yes_of_before_the_due_date_was_moved_is_none_for_the_new_day() -> None:
    facts, _, _ = settle(key_account(), firm(), NOTICE_AT)
    agreed = moved(facts.model_copy(update={"firm_yes": ("1.1.ahead-S3.0",)}), 28)
    assert [what for _, what, _ in played(agreed, NOTICE_AT + timedelta(hours=1))] == ["firm_rung_yes", "key_rung_skipped"]


# Key accounts


def key_account(**change: Any) -> InvoiceFacts:
    return owned(**({"has_owner": False, "key_account": True} | change))


def test_a_key_accounts_firm_rung_waits_for_a_yes_and_is_passed_over_without_one() -> None:
    assert played(key_account(), at("2026-03-09 10:00")) == [
        ("ask", "firm_rung_yes", NOTICE_AT), ("ask", "key_rung_skipped", RUNG_AT),
    ]  # fmt: skip
    facts, _, step = settle(key_account(), firm(), NOTICE_AT)
    assert isinstance(step, Wait) and step.at == RUNG_AT and step.rules == ("segment.key",)
    facts, answers, _ = settle(facts, firm(), RUNG_AT)
    asked = answers[0][1]
    assert isinstance(asked, Ask) and asked.rules == ("segment.key_no_answer",) and asked.rung_key == "1.1.S3.0"


def test_with_a_yes_the_rung_goes_at_its_moment() -> None:
    facts, _, _ = settle(key_account(), firm(), NOTICE_AT)
    agreed = facts.model_copy(update={"firm_yes": ("1.1.ahead-S3.0",)})
    step = obey(agreed, at("2026-03-11 09:00"), firm())
    assert isinstance(step, Contact) and (step.rung, step.at) == ("S3", RUNG_AT)


def test_a_key_accounts_courtesy_rung_needs_no_yes() -> None:
    step = obey(ana(key_account=True), at("2026-03-04 10:00"), firm())
    assert isinstance(step, Contact) and step.rung == "S2"
