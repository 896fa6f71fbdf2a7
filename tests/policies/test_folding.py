"""Slots that are one message count once, and a rung that limits hold back takes the slot of a message it could be part of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policies.facts import BudgetEntry, InvoiceFacts, Ride, SkippedRung
from policies.folding import SLOT, TOGETHER, counted
from policies.manual import Cap
from policies.steps import Contact, Step
from policies.terms import AttemptState, Channel
from tests.policies.test_next_step import ana, at, manual, obey

ASKED, SLOT_AT = "2026-03-05 09:00", "2026-03-06 11:00"


def slot(invoice_id: str = "other", moment: str = SLOT_AT, **change: Any) -> BudgetEntry:
    """A slot of another invoice on Friday at eleven, for an e-mail to Ana."""
    when = at(moment)
    given: dict[str, Any] = {
        "invoice_id": invoice_id, "key": "1.1.S2.0", "person_id": "ana", "channel": Channel.EMAIL, "state": AttemptState.PLANNED,
        "at": when, "local_date": (when - timedelta(hours=5)).date(), "address_id": "ana-email", "template": "pre_due",
    }  # fmt: skip
    return BudgetEntry(**(given | change))


def step(*budget: BudgetEntry, cap: int = 1, fold: bool = True, **change: Any) -> Step:
    """What Ana's S2 does on Thursday at nine with so many contacts in seven days."""
    base = manual()
    limits = base.limits.model_copy(update={"contacts": (Cap(max=cap, days=7),), "fold": fold})
    facts: InvoiceFacts = ana(skipped=(SkippedRung(key="1.1.S1.0", why="too late"),), budget=budget, **change)
    return obey(facts, at(ASKED), base.model_copy(update={"limits": limits}))


def test_a_held_back_rung_takes_the_slot_of_a_message_it_can_be_part_of() -> None:
    found = step(slot())
    assert isinstance(found, Contact) and found.at == at(SLOT_AT) and found.reserve
    assert found.rules[-1] == SLOT and "in one message with another invoice" in found.why


@pytest.mark.parametrize(
    "other",
    [
        {"person_id": "luis"}, {"channel": Channel.SMS}, {"address_id": "ana-other"}, {"template": "suspension_notice"},
        {"template": "promise_reminder"}, {"template": ""},
    ],
    ids=str,
)  # fmt: skip
def test_the_slot_of_another_message_is_not_shared(other: dict[str, Any]) -> None:
    found = step(slot(**other))
    assert isinstance(found, Contact) and found.at != at(SLOT_AT)


def test_a_manual_without_folding_keeps_out_of_others_slots() -> None:
    found = step(slot(), fold=False)
    assert isinstance(found, Contact) and found.at > at("2026-03-12 00:00")


def test_a_rung_that_may_go_now_waits_for_no_slot() -> None:
    found = step(slot(), cap=2)
    assert isinstance(found, Contact) and found.at == at(ASKED) and SLOT not in found.rules


def test_slots_of_one_message_count_once_and_others_for_themselves() -> None:
    one, two = slot("a"), slot("b")
    assert counted((one, two), ("mine", "k")) == [one]
    assert counted((one, two), ("a", "1.1.S2.0")) == [two], "without one's own the other still counts"
    later = slot("c", "2026-03-06 12:00")
    made = slot("d", state=AttemptState.ACCEPTED)
    assert counted((one, two, later, made, made), ("mine", "k")) == [one, later, made, made]
    found = step(slot("a"), slot("b"), cap=2)
    assert isinstance(found, Contact) and found.at == at(ASKED), "two slots, one message: there is room for another"


RIDE = Ride(person_id="ana", address_id="ana-email", channel=Channel.EMAIL, bundle="several", ends=at("2026-03-06 00:00"))


@pytest.mark.parametrize(
    ("change", "rides"),
    [
        ({}, True), ({"address_id": "ana-other"}, False), ({"channel": Channel.SMS}, False), ({"bundle": "final_balance"}, False),
    ],
    ids=str,
)  # fmt: skip
def test_a_rung_goes_with_a_message_that_leaves_now_whatever_the_budget(change: dict[str, Any], rides: bool) -> None:
    made = slot("other", ASKED, state=AttemptState.ACCEPTED)
    found = step(made, ride=RIDE.model_copy(update=change))
    assert isinstance(found, Contact) and (found.at == at(ASKED) and found.rules[-1] == TOGETHER) is rides


def test_a_rung_of_a_later_window_stays_behind() -> None:
    found = obey(ana(ride=RIDE.model_copy(update={"ends": at("2026-02-27 00:00")})), at("2026-02-26 09:00"))
    assert isinstance(found, Contact) and found.at == at("2026-02-27 09:00")
    same_day = obey(ana(ride=RIDE.model_copy(update={"ends": at("2026-02-27 19:00")})), at("2026-02-27 08:00"))
    assert isinstance(same_day, Contact) and same_day.at == at("2026-02-27 08:00"), (
        "the same window: an hour early, in one message"
    )
