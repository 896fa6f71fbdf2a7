"""Portal payers: hand the invoice in first, ask nothing before, and go on once it is there."""

from __future__ import annotations

from typing import Any

import pytest

from policies.facts import InvoiceFacts, SkippedRung
from policies.habits import Habits, Portal
from policies.next_step import next_step
from policies.payer_portal import SUBMIT
from policies.steps import Ask, Contact, Skip, Wait
from tests.policies.test_next_step import ana, at, manual, obey

PORTAL = Habits(portal=Portal(name="Ariba"))
ASKED = (SkippedRung(key=f"0.1.{SUBMIT}.0", why="asked"),)
DUE = at("2026-03-05 09:00")


def payer(**change: Any) -> InvoiceFacts:
    return ana(**({"habits": PORTAL} | change))


def test_a_person_is_asked_once_to_hand_the_invoice_in() -> None:
    asked = next_step(payer(), manual(), at("2026-02-03 09:00"))
    assert isinstance(asked, Ask) and (asked.task, asked.key, asked.due_at) == (SUBMIT, "inv-1", at("2026-02-06 00:00"))
    assert not isinstance(next_step(payer(skipped=ASKED), manual(), at("2026-02-03 09:00")), Ask)
    assert not isinstance(next_step(ana(), manual(), at("2026-02-03 09:00")), Ask)


@pytest.mark.parametrize(("state", "goes"), [("", False), ("rejected", False), ("submitted", True), ("approved", True)])
def test_nothing_is_asked_while_the_invoice_is_not_in_the_portal(state: str, goes: bool) -> None:
    step = obey(payer(skipped=ASKED, portal_state=state), DUE)
    assert isinstance(step, Contact) is goes
    if not goes:
        assert isinstance(step, Wait) and step.rules == ("ladder.S2", "portal.not_submitted") and step.until == "portal"


def test_the_wait_has_an_end() -> None:
    ladder = "  - {rung: S1, day: D+3, channels: [email], template: first_reminder}\n"
    facts = payer(skipped=ASKED)
    waiting = obey(facts, DUE, manual(ladder=ladder))
    assert waiting.at == at("2026-04-04 09:00")
    assert isinstance(next_step(facts, manual(ladder=ladder), waiting.at), Skip)
