"""What staff do about an invoice: calls, holds, snoozes, notes, corrected contacts, promises of ours, tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import people
from ledger.calls import Call, log_call
from ledger.corrections import correct_contact
from ledger.facts import gather
from ledger.notes import NOTE_LENGTH_MAX, add_note, notes_of
from ledger.own_promises import keep_own_promise, own_promises_of, promise_to_customer
from ledger.owner_holds import go_on, hold_by_owner, snooze
from ledger.refusals import Refused
from ledger.task_acts import finish_task, take_task
from policies.next_step import next_step
from policies.steps import Wait
from policies.terms import Channel
from tests import cast
from tests.cast import NOW
from tests.conftest import Database

WHO = "staff:ana-7"


class Desk:
    """One invoice and one transaction, as the API has it."""

    def __init__(self, session: Session, invoice: UUID) -> None:
        self.session, self.invoice = session, invoice

    def call(self, result: str, **more: Any) -> Any:
        given: dict[str, Any] = {"ref": f"c-{uuid4().hex[:8]}", "result": result, "at": NOW}
        made = Call(**(given | more))
        return log_call(self.session, cast.sealer(), self.invoice, made, actor=WHO, now=NOW)

    def one(self, question: str) -> Any:
        return self.session.execute(text(question)).scalar()

    def step(self, at: Any = NOW) -> Any:
        return next_step(*gather(self.session, self.invoice, at), at)


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    invoice = cast.accepted_invoice(database.worker, cast.creditor_brill(database.worker))
    with Session(database.worker) as session:
        yield Desk(session, invoice)


def refused(code: str) -> Any:
    return pytest.raises(Refused, check=lambda error: error.code == code)


# Calls


def test_a_promise_on_the_telephone_is_a_call_and_an_agreement_in_one(desk: Desk) -> None:
    desk.call("promise", on=date(2026, 3, 10), amount_minor=5_000_000)
    assert desk.one("select outcome || ' ' || note_code from manual_contact") == "conversation promise"
    assert desk.one("select source || ' ' || actor from agreement where state = 'open'") == f"staff {WHO}"
    assert desk.one("select amount_minor from milestone") == 5_000_000
    step = desk.step()
    assert "agreement.promise" in step.rules or "agreement.reminder" in step.rules


def test_a_promise_beyond_the_manual_is_refused_with_the_reason_and_no_call_is_kept(desk: Desk) -> None:
    with refused("not-granted") as error, desk.session.begin_nested():
        desk.call("promise", on=date(2026, 3, 30))
    assert "at most 10 days" in error.value.detail and desk.one("select count(*) from manual_contact") == 0


def test_a_dispute_on_the_telephone_holds_its_part_and_asks_for_an_answer(desk: Desk) -> None:
    desk.call("dispute", reason="quality", amount_minor=1_000)
    assert desk.one("select kind || ' ' || amount_minor from hold") == "dispute 1000"
    assert desk.one("select count(*) from task where kind = 'answer_dispute'") == 1


def test_who_says_it_is_paid_is_held_once_and_looked_for_again_after_that(desk: Desk) -> None:
    assert "Held until" in desk.call("says_paid").follows[0]
    desk.session.execute(text("update hold set until = :past"), {"past": NOW - timedelta(hours=1)})
    assert "a person looks again" in desk.call("says_paid").follows[0]
    assert desk.one("select count(*) from hold") == 1 and desk.one("select count(*) from manual_contact") == 2


def test_a_call_back_is_a_promise_of_ours(desk: Desk) -> None:
    desk.call("call_back", on=date(2026, 3, 4))
    assert desk.one("select kind from task") == "own_call_back"


def test_a_wrong_number_retires_it_and_no_more_calls_withdraws_consent(desk: Desk) -> None:
    desk.session.execute(text("update address set channel = 'voice' where channel = 'sms'"))
    desk.call("no_more_calls")
    assert desk.one("select consent from address where channel = 'voice'") == "withdrawn"
    assert desk.one("select consent from address where channel = 'email'") == "given"
    desk.call("wrong_number")
    assert desk.one("select retired_why from address where channel = 'voice'") == "wrong_number"


@pytest.mark.parametrize(
    ("result", "counts_as"),
    [("voicemail", "voicemail"), ("no_answer", "no_answer"), ("third_party", "no_message_possible"), ("spoke", "conversation")],
)
def test_the_other_ends_of_a_call_count_as_what_they_were_and_change_nothing_else(
    desk: Desk, result: str, counts_as: str
) -> None:
    desk.call(result)
    assert desk.one("select outcome from manual_contact") == counts_as
    assert desk.one("select count(*) from hold") == desk.one("select count(*) from task") == 0


def test_the_same_call_sent_twice_is_one_call_and_one_promise(desk: Desk) -> None:
    first = desk.call("promise", ref="c-1", on=date(2026, 3, 10))
    assert desk.call("promise", ref="c-1", on=date(2026, 3, 10)).id == first.id
    assert desk.one("select count(*) from agreement") == 1


@pytest.mark.parametrize(
    ("result", "code"),
    [("promise", "call-day"), ("call_back", "call-day"), ("dispute", "call-reason"), ("shouted", "call-result")],
)
def test_what_is_missing_in_the_form_is_said(desk: Desk, result: str, code: str) -> None:
    with refused(code):
        desk.call(result)


# The owner's hold, and snoozes


def test_an_owner_holds_an_invoice_for_working_days_once(desk: Desk) -> None:
    until = hold_by_owner(desk.session, desk.invoice, working_days=5, reason="sales_talk", actor=WHO, now=NOW)
    assert until.isoformat() == "2026-03-10T05:00:00+00:00", "five working days after Monday the 2nd are over on Monday the 9th"
    step = desk.step()
    assert isinstance(step, Wait) and step.at == until and step.rules == ("hold.owner",)
    go_on(desk.session, desk.invoice, actor=WHO, now=NOW)
    assert desk.step().rules != ("hold.owner",)
    with refused("owner-hold-used"):
        hold_by_owner(desk.session, desk.invoice, working_days=1, reason="sales_talk", actor=WHO, now=NOW)


@pytest.mark.parametrize(("days", "reason", "code"), [(0, "meeting", "owner-hold-days"), (6, "meeting", "owner-hold-days"),
                                                      (1, "because", "owner-hold-reason")])  # fmt: skip
def test_an_owners_hold_has_its_limits(desk: Desk, days: int, reason: str, code: str) -> None:
    with refused(code):
        hold_by_owner(desk.session, desk.invoice, working_days=days, reason=reason, actor=WHO, now=NOW)


def _snooze(desk: Desk, day: int, role: str = "collector") -> Any:
    return snooze(desk.session, desk.invoice, until_on=date(2026, 3, day), role=role, actor=WHO, now=NOW)


def test_a_collector_snoozes_five_working_days_at_most_and_a_lead_as_the_manual_allows(desk: Desk) -> None:
    assert _snooze(desk, 9).isoformat() == "2026-03-09T05:00:00+00:00"
    assert desk.step().at == _snooze(desk, 9), "the same again is the same"
    with refused("snooze-end") as error:
        _snooze(desk, 10)
    assert "a lead may allow longer" in error.value.detail
    assert _snooze(desk, 31, "lead") and desk.one("select count(*) from hold where released_at is null") == 1
    with refused("snooze-end"):
        _snooze(desk, 2)


def test_collectors_snooze_an_invoice_twice_in_a_month_then_a_lead_decides(desk: Desk) -> None:
    _snooze(desk, 4)
    _snooze(desk, 5)
    with refused("snoozed-often"):
        _snooze(desk, 6)
    _snooze(desk, 6, "lead")


def test_what_is_neither_paused_nor_held_does_not_resume(desk: Desk) -> None:
    with refused("nothing-to-resume"):
        go_on(desk.session, desk.invoice, actor=WHO, now=NOW)
    _snooze(desk, 4)
    go_on(desk.session, desk.invoice, actor=WHO, now=NOW)
    assert not isinstance(desk.step(), Wait)


# Notes


def test_a_note_is_sealed_and_forgotten_with_its_person(desk: Desk) -> None:
    said = "Ana Restrepo is in hospital; her sister answers."
    add_note(desk.session, cast.sealer(), desk.invoice, code="customer_said", words=f" {said} ", actor=WHO, now=NOW)
    assert [note.words for note in notes_of(desk.session, cast.sealer(), desk.invoice)] == [said]
    everything = str(desk.session.execute(text("select * from note")).all()) + str(
        desk.session.execute(text("select detail from event")).all()
    )
    assert "Restrepo" not in everything and "hospital" not in everything
    person = desk.one("select id from person")
    people.erase_person(desk.session, cast.sealer(), person, now=NOW)
    assert notes_of(desk.session, cast.sealer(), desk.invoice) == []


@pytest.mark.parametrize(
    ("code", "words"), [("note-code", "x"), ("note-words", " "), ("note-words", "x" * (NOTE_LENGTH_MAX + 1))]
)
def test_a_note_has_a_code_and_words(desk: Desk, code: str, words: str) -> None:
    given = "gossip" if code == "note-code" else "internal"
    with refused(code):
        add_note(desk.session, cast.sealer(), desk.invoice, code=given, words=words, actor=WHO, now=NOW)


# Corrected contacts


def _correct(desk: Desk, value: str, channel: Channel = Channel.SMS, *, instead: bool = True) -> UUID:
    old = desk.one(f"select id from address where channel = '{channel.value}' and retired_at is null") if instead else None
    person = desk.one("select id from person")
    return correct_contact(desk.session, cast.sealer(), person, channel=channel, value=value, instead_of=old, actor=WHO, now=NOW)


def test_a_corrected_number_joins_the_card_unverified_and_the_old_one_is_retired(desk: Desk) -> None:
    new = _correct(desk, "300 765 4321")
    card = people.person_card(desk.session, cast.sealer(), desk.one("select id from person"))
    assert card.addresses[str(new)] == "+573007654321" and cast.ANA_PHONE in card.addresses.values()
    row = desk.session.execute(text("select consent, verified_at from address where id = :id"), {"id": new}).one()
    assert row == ("unknown", None)
    assert desk.one("select retired_why from address where channel = 'sms' and retired_at is not null") == "corrected"
    assert desk.one("select count(*) from task where kind = 'fix_contact' and done_at is null") == 0
    assert desk.one("select detail ->> 'channel' from event where kind = 'account_changed'") == "sms"
    known = gather(desk.session, desk.invoice, NOW)[0]
    assert {(r.address_id, r.permitted) for r in known.reach if r.channel is Channel.SMS} >= {(str(new), True)}


def test_the_same_address_and_one_that_was_withdrawn_are_refused(desk: Desk) -> None:
    with refused("same-address"):
        _correct(desk, cast.ANA_PHONE)
    with refused("bad-address"):
        _correct(desk, "12")
    desk.session.execute(text("update address set consent = 'withdrawn' where channel = 'email'"))
    with refused("opted-out"):
        _correct(desk, cast.ANA_EMAIL, Channel.EMAIL, instead=False)


# What we promised


def test_what_we_promised_is_a_task_with_a_day_and_is_kept_once(desk: Desk) -> None:
    def promise(day: int, kind: str = "send_copy") -> UUID:
        on = date(2026, 3, day)
        return promise_to_customer(desk.session, desk.invoice, kind=kind, due_on=on, actor=WHO, now=NOW)

    task = promise(4)
    assert promise(4) == task
    assert desk.one("select due_at from task").isoformat() == "2026-03-05T05:00:00+00:00", "until the end of that day in Bogotá"
    with refused("own-promise-open"):
        promise(6)
    for day, kind, code in ((1, "send_copy", "own-promise-date"), (4, "flowers", "own-promise-kind")):
        with refused(code):
            promise(day, kind)
    assert keep_own_promise(desk.session, task, actor=WHO, now=NOW) and not keep_own_promise(
        desk.session, task, actor=WHO, now=NOW
    )
    assert desk.one("select detail ->> 'late' from event where kind = 'own_promise_kept'") == "false"
    assert promise(6) != task
    assert [ours.done_at is None for ours in own_promises_of(desk.session, desk.invoice)] == [True, False]
    with refused("not-found"):
        keep_own_promise(desk.session, task, actor=WHO, now=NOW, invoice_id=uuid4())


# Tasks


def test_a_task_is_taken_and_finished_once_and_those_that_end_with_their_act_are_not(desk: Desk) -> None:
    desk.call("says_paid")
    task = desk.one("select id from task where kind = 'find_payment'")
    take_task(desk.session, task, "ana-7", now=NOW)
    assert desk.one("select assigned_to from task") == "ana-7"
    assert finish_task(desk.session, task, outcome="found", actor=WHO, now=NOW)
    assert not finish_task(desk.session, task, outcome="found", actor=WHO, now=NOW)
    assert desk.one("select outcome || ' ' || done_by from task") == f"found {WHO}"
    with refused("task-done"):
        take_task(desk.session, task, None, now=NOW)
    desk.call("dispute", reason="quality")
    with refused("task-ends-elsewhere"):
        finish_task(
            desk.session, desk.one("select id from task where kind = 'answer_dispute'"), outcome="done", actor=WHO, now=NOW
        )
    with refused("task-outcome"):
        finish_task(desk.session, task, outcome="She said no!", actor=WHO, now=NOW)
