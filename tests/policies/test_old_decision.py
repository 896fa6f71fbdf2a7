"""A decision whose day was before the invoice came in: asked when nothing else is left to ask, not before and not never."""

from __future__ import annotations

from datetime import date

from policies.facts import Instalment
from policies.forecast import settle
from policies.steps import Close, Contact, HandOff, Skip, Wait
from tests.policies.samples import past
from tests.policies.test_next_step import AGENCY, DECIDES, ana, at, manual, obey


def test_an_invoice_that_comes_in_after_its_whole_ladder_is_put_before_a_person() -> None:
    entered = at("2026-11-03 12:00")
    facts, answers, step = settle(ana(entered_at=entered, cycle_started_at=entered), manual(AGENCY, DECIDES), entered)
    assert [type(a) for _, a in answers] == [Skip, HandOff] and answers[0][1].rules == ("ladder.entered_later",)
    assert "Nothing was sent or announced" in answers[1][1].why
    assert isinstance(step, Wait) and step.until == "approval" and step.at == at("2026-11-13 12:00")
    assert isinstance(obey(facts, at("2026-11-13 12:00"), manual(AGENCY, DECIDES)), Close)


def test_an_old_decision_waits_for_what_is_still_to_be_asked() -> None:
    """An instalment that is not yet due is asked by its own ladder first; then the decision is asked once, about all of it."""
    entered = at("2026-06-01 12:00")
    dues = [(1, date(2026, 2, 10), 300_000), (2, date(2026, 8, 10), 9_000_000)]
    parts = tuple(Instalment(number=n, due_on=on, amount_minor=minor, balance_minor=minor) for n, on, minor in dues)
    facts = ana(entered_at=entered, cycle_started_at=entered, instalments=parts)
    _, answers, step = settle(facts, manual(AGENCY, DECIDES), entered)
    assert not [a for _, a in answers if isinstance(a, HandOff)]
    assert isinstance(step, Contact) and step.key.startswith("2.1.S3") and step.at.date() == date(2026, 8, 20)
    asked = facts.model_copy(update={"contacts": (past("2.1.S3.0", date(2026, 8, 20)),)})
    later, answers, step = settle(asked, manual(AGENCY, DECIDES), at("2026-08-31 12:00"))
    assert [type(a) for _, a in answers if isinstance(a, HandOff)] == [HandOff]
    assert isinstance(step, Wait) and step.until == "approval"
    assert isinstance(obey(later, at("2026-09-10 12:00"), manual(AGENCY, DECIDES)), Close)


def test_an_old_decision_waits_for_monthly_statements() -> None:
    monthly = "  - {rung: M1, day: M+1wd, repeat: {every_days: 28, at_most: 12}, channels: [email], template: pre_due}\n"
    by, entered = manual(AGENCY, monthly + DECIDES), at("2026-06-02 12:00")
    _, answers, step = settle(ana(entered_at=entered, cycle_started_at=entered), by, entered)
    assert not [a for _, a in answers if isinstance(a, HandOff)]
    assert isinstance(step, Contact) and step.rung == "M1" and step.at.date() == date(2026, 7, 1)
