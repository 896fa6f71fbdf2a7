"""No reminder goes twice in the same words to one person about one debt; a second cycle speaks in others (playbook 2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from policies.facts import PastContact, Reach
from policies.forecast import BookEntry, forecast
from policies.manual import BUILTIN, builtin_manual, load_manual
from policies.messages import ANNOUNCING, IN_OTHER_WORDS, MESSAGES, bundle_of
from policies.next_step import next_step
from policies.steps import Contact, Skip, Wait
from policies.terms import AttemptState, Channel
from policies.wording import TEXT_TWICE
from tests.policies.samples import invoice

ONCE = """
name: t
version: 1
send_at: "09:00"
limits: {text_once: true}
ladder:
  - {rung: S3, day: D+2, channels: [email], template: first_reminder}
  - {rung: S4, day: D+9, channels: [email], template: suspension_notice}
consequences:
  - {kind: suspension, notice: suspension_notice, wait_days: 6, done_by: S5}
"""
LADDER = ONCE.replace("consequences:", "  - {rung: S5, day: D+20, action: task, template: suspend, requires: S4}\nconsequences:")
MANUAL = load_manual(LADDER, "t.yaml")
NOW = datetime(2026, 3, 5, 15, 0, tzinfo=UTC)
EMAIL = Reach(person_id="ana", address_id="e", role="holder", channel=Channel.EMAIL, permitted=True)


def told(template: str, cycle: int, person: str = "ana", instalment: int = 1, **changes: object) -> PastContact:
    fields: dict[str, object] = {
        "key": f"{instalment}.{cycle}.S3.0", "channel": Channel.EMAIL, "state": AttemptState.DELIVERED,
        "at": datetime(2026, 2, 20, tzinfo=UTC), "local_date": date(2026, 2, 20), "template": template, "person_id": person,
    }  # fmt: skip
    return PastContact.model_validate(fields | changes)


def said(*contacts: PastContact, cycle: int = 4, text: str = LADDER) -> Contact | Skip | Wait:
    facts = invoice(cycle=cycle, cycle_started_at=datetime(2026, 3, 1, 15, 0, tzinfo=UTC), contacts=contacts, reach=(EMAIL,))
    step = next_step(facts, load_manual(text, "t.yaml"), NOW)
    assert isinstance(step, Contact | Skip | Wait)
    return step


def template(*contacts: PastContact, text: str = LADDER) -> str:
    step = said(*contacts, text=text)
    assert isinstance(step, Contact)
    return step.template


def test_a_rung_reached_again_speaks_in_other_words_and_then_in_others_again() -> None:
    first, second = told("first_reminder", 1), told("still_open", 2)
    assert template() == "first_reminder"
    assert template(first) == "still_open"
    assert template(first, second) == "taken_up_again"


def test_a_rung_without_words_left_is_passed_over_and_says_so() -> None:
    step = said(told("first_reminder", 1), told("still_open", 2), told("taken_up_again", 3))
    assert isinstance(step, Skip) and step.rules == ("ladder.S3", TEXT_TWICE) and "every text" in step.why


@pytest.mark.parametrize(
    "other",
    [
        told("first_reminder", 1, person="luis"),
        told("first_reminder", 1, instalment=2),
        told("first_reminder", 1, state=AttemptState.FAILED),
        told("first_reminder", 1, channel=Channel.VOICE),
    ],
)
def test_what_another_person_another_instalment_a_failure_or_a_call_was_told_leaves_the_words_free(other: PastContact) -> None:
    assert template(other) == "first_reminder"


def test_a_manual_that_does_not_ask_for_it_says_the_same_again() -> None:
    assert template(told("first_reminder", 1), text=LADDER.replace("text_once: true", "text_once: false")) == "first_reminder"


def test_what_announces_a_day_of_its_own_is_never_the_same() -> None:
    assert not ANNOUNCING & set(IN_OTHER_WORDS)
    assert all(
        {*words} <= MESSAGES and {bundle_of(w) for w in words} <= {bundle_of(name)} for name, words in IN_OTHER_WORDS.items()
    )


def test_the_plan_of_a_second_cycle_already_names_the_other_words() -> None:
    began = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
    facts = invoice(cycle=2, cycle_started_at=began, contacts=(told("first_reminder", 1),), reach=(EMAIL,))
    book = [BookEntry(facts=facts, manual=MANUAL, next_at=NOW)]
    steps = [planned.step for planned in forecast(book, now=NOW, until=NOW + timedelta(days=2))]
    assert [step.template for step in steps if isinstance(step, Contact)] == ["still_open"]


def test_the_four_manuals_never_say_the_same_twice() -> None:
    assert {name for name in BUILTIN if builtin_manual(name).limits.text_once} == set(BUILTIN) - {"unlimited", "weekly"}
