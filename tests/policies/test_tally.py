"""The tally of a debtor's contacts answers as a look at every entry would, and brings nothing of an earlier moment along."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import forecast as play
from policies.contactable import Place, first_allowed
from policies.facts import BudgetEntry, Instalment, LawTerms, Reach
from policies.folding import about, counted, shared_slots
from policies.forecast import BookEntry, forecast
from policies.hours import local_date_of
from policies.law.packs import packs_for
from policies.law.place import terms_of
from policies.manual import builtin_manual
from policies.next_step import next_step
from policies.steps import Skip
from policies.tally import Counted, Spoken, Tally, besides, spoken_of, tally_of
from policies.terms import AttemptState, Channel
from tests.policies.samples import BOGOTA, invoice
from tests.policies.test_next_step import EMAIL, SMS
from tests.policies.test_properties import lives

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
NAMES = ("a", "b", "c")
TO = Reach(person_id="p", address_id="x", role="payables", channel=Channel.EMAIL, permitted=True)

entries = st.builds(
    lambda name, key, person, state, hours, template, also, by_hand: BudgetEntry(
        invoice_id=name, key=key, person_id=person, channel=Channel.EMAIL, state=state, at=START + timedelta(hours=hours),
        local_date=local_date_of(START + timedelta(hours=hours), BOGOTA), address_id="x", template=template, also=also,
        manual=by_hand,
    ),
    st.sampled_from(NAMES), st.sampled_from(["1.1.S1.0", "1.1.S2.0"]), st.sampled_from(["p", "q"]),
    st.sampled_from([AttemptState.PLANNED, AttemptState.PLANNED, AttemptState.DELIVERED]), st.sampled_from([-30, 2, 26, 50]),
    st.sampled_from(["first_reminder", "open_items", "last_days", "promise_reminder", ""]),
    st.sampled_from([(), ("c",), ("a", "b")]), st.booleans(),
)  # fmt: skip


def is_as_plain(spoken: Spoken, plain: Sequence[BudgetEntry]) -> None:
    """Every question about the tally against the same about a tuple without one."""
    assert tuple(spoken) == tuple(plain)
    bare = tuple(plain)
    for name in NAMES:
        assert about(spoken, name) == about(bare, name)
        for key in ("1.1.S1.0", "1.1.S2.0"):
            own = (name, key)
            assert list(counted(spoken, own)) == list(counted(bare, own))
            for bundle in ("several", "last_days"):
                quick, slow = list(shared_slots(spoken, own, TO, bundle)), list(shared_slots(bare, own, TO, bundle))
                assert [at for at, _ in quick] == [at for at, _ in slow]
                for (_, some), (_, every) in zip(quick, slow, strict=True):
                    assert list(besides(counted(spoken, own), some)) == besides(list(counted(bare, own)), every)


@given(first=st.lists(entries, max_size=8), more=st.lists(st.tuples(st.sampled_from(NAMES), st.none() | entries), max_size=6))
def test_a_tally_that_is_kept_up_to_date_answers_as_one_made_anew(
    first: list[BudgetEntry], more: list[tuple[str, BudgetEntry | None]]
) -> None:
    tally, plain = Tally(first), list(first)
    for name, entry in more:
        earlier, stood = tally.spoken(), tuple(plain)
        tally.give_back(name)
        plain = [e for e in plain if not (e.invoice_id == name and e.state is AttemptState.PLANNED)]
        if entry is not None:
            number = tally.add(entry)
            plain.append(entry)
            if entry.state is not AttemptState.PLANNED:
                plain[-1] = entry.model_copy(update={"also": ("b", "c")})
                tally.replace(number, plain[-1])
        is_as_plain(tally.spoken(), plain)
        if tally_of(earlier) is None:
            is_as_plain(earlier, stood)
        is_as_plain(spoken_of(earlier), stood)


@given(budget=st.lists(entries, max_size=8), hours=st.integers(0, 60), place=st.sampled_from(["CO", "US", "BR"]))
def test_a_verdict_that_many_rungs_share_is_what_each_would_get_alone(budget: list[BudgetEntry], hours: int, place: str) -> None:
    law = LawTerms(packs=packs_for(place, "MA" if place == "US" else ""), zones=(BOGOTA,), party="third")
    limits, where = builtin_manual("b2b_sme").limits, Place(BOGOTA, place, "", "CO")
    shared = counted(spoken_of(tuple(budget)), ("none", ""))
    assert isinstance(shared, Counted)
    for own in (("none", ""), ("other", "1.1.S9.0")):
        for facts in (
            {},
            {"days_past_due": 5, "notice_sent": "2026-01-05"},
            {"days_past_due": 200},
            {"preferred_window": ("10:00", "12:00")},
        ):
            terms = law.model_copy(update={"facts": facts})
            for person in ("p", "q"):
                quick, slow = (
                    first_allowed(
                        START + timedelta(hours=hours), channel=Channel.EMAIL, person_id=person, budget=known, own=own,
                        firm=False, place=where, limits=limits, law=terms, until=START + timedelta(days=20),
                    )
                    for known in (shared, list(shared))
                )  # fmt: skip
                assert quick == slow


@given(
    found=st.lists(lives(), min_size=2, max_size=4), hours=st.integers(0, 24 * 30),
    manual=st.sampled_from(["b2c_credit", "b2b_sme", "b2b_corporate", "weekly"]),
)  # fmt: skip
def test_who_is_not_asked_about_a_message_would_not_have_gone_with_it(found, hours: int, manual: str) -> None:  # type: ignore[no-untyped-def]
    now = START + timedelta(hours=hours)

    def told() -> tuple[list[tuple[object, ...]], set[tuple[str, str]]]:
        change = {"account_id": "acc", "reach": (EMAIL, SMS), "exempt_until": None, "stopped_until": None, "suppressions": ()}
        book = [
            BookEntry(
                facts.model_copy(update={**change, "invoice_id": f"inv-{n}", "order": f"F-{n}"}), builtin_manual(manual), now
            )
            for n, (facts, _) in enumerate(found)
        ]
        played = list(forecast(book, now=now, until=now + timedelta(days=40)))
        # That a rung was overtaken is written down whenever its invoice is asked next, and who rides is asked sooner.
        skips = {(p.invoice_id, p.step.key) for p in played if isinstance(p.step, Skip)}
        return [(p.invoice_id, p.step, p.at, p.together_with) for p in played if not isinstance(p.step, Skip)], skips

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play, "may_ride", lambda *_: True)
        patch.setattr(play, "_may_speak_before", lambda *_: True)
        everybody_asked = told()
    assert told() == everybody_asked


def test_a_book_of_many_invoices_is_played_with_few_questions_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counting(*args: object) -> object:
        nonlocal asked
        asked += 1
        return next_step(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("policies.forecast.next_step", counting)
    law = terms_of(country="CO", region="", zone=BOGOTA, kind="consumer", creditor={}, account={})
    each = []
    for count in (10, 80):
        book, asked = [], 0
        for n in range(count):
            due = START.date() + timedelta(days=n % 10)
            part = Instalment(number=1, due_on=due, amount_minor=500_000, balance_minor=500_000)
            facts = invoice(invoice_id=f"inv-{n}", order=f"F-{n:03}", reach=(EMAIL, SMS), law=law, instalments=(part,))
            book.append(BookEntry(facts, builtin_manual("b2c_credit"), START))
        forecast(book, now=START, until=START + timedelta(days=60))
        each.append(asked / count)
    assert each[1] < 1.5 * each[0], f"{each[0]:.0f} questions for each of 10 invoices, {each[1]:.0f} for each of 80"


@pytest.mark.parametrize(
    ("packs", "ours", "theirs"),
    [
        (packs_for("US", "MA"), ("a", {}), ("b", {})),
        (packs_for("CA", "BC"), ("a", {"notice_sent": "2026-03-01"}), ("a", {"notice_sent": "2025-03-01"})),
        (packs_for("US", "DC"), ("a", {"days_past_due": 10}), ("a", {"days_past_due": 200})),
    ],
    ids=["contacts of one debt", "the first notice", "days past due"],
)
def test_a_verdict_is_not_shared_by_debts_that_the_law_tells_apart(
    packs: tuple[str, ...], ours: tuple[str, dict[str, str | int]], theirs: tuple[str, dict[str, str | int]]
) -> None:
    at = START - timedelta(days=1)
    talk = BudgetEntry(
        invoice_id="a", key="manual:1", person_id="p", channel=Channel.VOICE, state=AttemptState.DELIVERED, at=at,
        local_date=at.date(), outcome="conversation", manual=True,
    )  # fmt: skip
    calls = [talk.model_copy(update={"key": f"manual:{n}", "outcome": "voicemail"}) for n in range(8)]
    shared = counted(spoken_of((talk, *calls)), ("none", ""))
    answers = []
    for debt, facts in (ours, theirs):
        terms = LawTerms(packs=packs, zones=("Europe/Berlin",), party="third", facts={"creditor_type": "", **facts})
        quick, slow = (
            first_allowed(
                START, channel=Channel.VOICE, person_id="p", budget=known, own=(debt, "k"), firm=False,
                place=Place("Europe/Berlin", "DE", "", "DE"), limits=builtin_manual("unlimited").limits, law=terms,
            )
            for known in (shared, list(shared))
        )  # fmt: skip
        assert quick == slow
        answers.append(quick)
    assert answers[0] != answers[1], "else this proves nothing"
