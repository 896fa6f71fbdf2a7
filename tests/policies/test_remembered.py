"""What is worked out once and kept is what would be worked out anew, and looks at nothing that its key does not name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import delivery, ladder, rung_people, rungs
from policies.delivery_facts import DeliveryFact
from policies.facts import InvoiceFacts, SkippedRung
from policies.habits import Habits
from policies.law.place import terms_of
from policies.manual import Manual, builtin_manual
from policies.remembered import OncePerFacts
from policies.terms import AttemptState
from tests.policies.samples import invoice, past
from tests.policies.test_properties import MANUALS, START, lives

LAW = terms_of(country="CO", region="", zone="America/Bogota", kind="consumer", creditor={}, account={})
ANSWERS: list[tuple[Callable[[Any, Manual], object], tuple[str, ...]]] = [
    (ladder._find_candidates, ladder.LADDER_HANGS_ON),
    (delivery._find_proof, delivery.PROOF_HANGS_ON),
    (rungs._find_limitation, rungs.LIMITATION_HANGS_ON),
    (rung_people._find_ways, rung_people.PEOPLE_HANG_ON),
]


class Only:
    """Facts of which only some may be read."""

    def __init__(self, facts: InvoiceFacts, fields: tuple[str, ...]) -> None:
        self._facts, self._fields = facts, fields

    def __getattr__(self, name: str) -> object:
        assert name in self._fields, f"{name} is read, and the key does not name it"
        return getattr(self._facts, name)


def busy(facts: InvoiceFacts, manual: Manual, draw: st.DataObject) -> InvoiceFacts:
    """The same invoice with more of a past: contacts, rungs passed over, evidence, habits, a second cycle."""
    rung_ids = st.sampled_from([rung.rung for rung in manual.ladder])
    keys = draw.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2), rung_ids, st.integers(0, 1)), max_size=4))
    made = tuple(past(".".join(map(str, key)), date(2026, 3, 1 + i), AttemptState.DELIVERED) for i, key in enumerate(keys[:2]))
    over = tuple(SkippedRung(key=".".join(map(str, key)), why="w", passed_at=START) for key in keys[2:])
    told = draw.draw(st.lists(st.sampled_from(["delivered", "rejected", "waived"]), max_size=2))
    change: dict[str, Any] = {
        "contacts": made, "skipped": over, "cycle": draw.draw(st.integers(1, 2)), "law": draw.draw(st.sampled_from([None, LAW])),
        "delivery": tuple(DeliveryFact(kind=kind, at=START, source="s") for kind in told),
        "habits": draw.draw(st.sampled_from([Habits(), Habits(payment_days=("fri",), cut_off_wd=2)])),
        "age_from": draw.draw(st.none() | st.just(date(2026, 1, 5))), "shift_days": draw.draw(st.integers(0, 9)),
        "last_conversation_on": draw.draw(st.none() | st.just(date(2026, 3, 9))),
    }  # fmt: skip
    return facts.model_copy(update=change)


@given(life=lives(), draw=st.data())
def test_an_answer_that_is_kept_reads_no_fact_that_its_key_does_not_name(
    life: tuple[InvoiceFacts, Manual], draw: st.DataObject
) -> None:
    facts, manual = busy(*life, draw), life[1]
    for answer, fields in ANSWERS:
        answer(Only(facts, fields), manual)
    days = ladder.LADDER_HANGS_ON if manual.delivery == "required" else ladder.DAYS_HANG_ON
    ladder._find_firsts(Only(facts, days), manual)  # type: ignore[arg-type]


@given(life=lives(), draw=st.data())
def test_the_open_rungs_of_facts_that_changed_are_drawn_anew(life: tuple[InvoiceFacts, Manual], draw: st.DataObject) -> None:
    before, manual = life
    for facts in (before, busy(before, manual, draw), before, busy(before, manual, draw)):
        assert ladder.candidates(facts, manual) == _anew(facts, manual)
        assert ladder.candidates(facts, draw.draw(st.sampled_from(MANUALS))) is not None


def _anew(facts: InvoiceFacts, manual: Manual) -> list[ladder.Candidate]:
    """The ladder of the same facts, equal in every value and identical in none."""
    twin = InvoiceFacts.model_validate_json(facts.model_dump_json())
    return ladder.candidates(twin, manual)


def test_only_so_many_answers_are_kept_and_each_asker_gets_their_own() -> None:
    asked: list[str] = []

    def answer(facts: InvoiceFacts, manual: Manual) -> str:
        asked.append(facts.order)
        return facts.order

    once, manual = OncePerFacts(answer, ("order", "skipped"), size=2), builtin_manual("weekly")
    one, two, three = (invoice(order=f"F-{number}") for number in (1, 2, 3))
    assert [once(facts, manual) for facts in (one, two, one, two, one)] == ["F-1", "F-2", "F-1", "F-2", "F-1"]
    assert asked == ["F-1", "F-2"], "the same values are not worked out again"
    assert [once(facts, manual) for facts in (three, one, two)] == ["F-3", "F-1", "F-2"]
    assert asked == ["F-1", "F-2", "F-3", "F-2"], "the least asked answer has given way"
    assert once(one, builtin_manual("unlimited")) == "F-1" and len(asked) == 5, "another manual is another question"


def test_an_answer_that_failed_is_not_kept() -> None:
    def answer(facts: InvoiceFacts, manual: Manual) -> str:
        raise ValueError("no answer")

    once, facts, manual = OncePerFacts(answer, ("order", "skipped"), size=2), invoice(), builtin_manual("weekly")
    for _ in range(2):
        with pytest.raises(ValueError, match="no answer"):
            once(facts, manual)
