"""What a contact does to the ledger and to the world, also when payments race, providers fail and workers die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

from activities import collector
from activities.compose import Message
from activities.wire import Next
from clock import monotonic
from ledger import contacts
from ledger.facts import gather
from ledger.history import history
from ledger.holds import say_already_paid
from ledger.steps import decide
from policies.steps import Contact
from tests.activities.house import House
from tests.cast import PERSONAL


def due(house: House, number: str = "F-1001") -> UUID:
    """Ana's invoice at the moment of its first overdue reminder (S2, 19 March, 09:00)."""
    house.at("2026-03-17 08:00")
    invoice = house.owes(number, now=house.tools.clock.now())
    house.plan(invoice)
    house.at("2026-03-19 09:00")
    return invoice


def test_a_contact_goes_out_once_is_recorded_and_the_next_step_is_known(house: House) -> None:
    invoice = due(house)
    step = house.contact(invoice)
    assert (step.kind, step.rung, step.did) == ("contact", "S3", "S2 by email, COP 250,000.00, accepted")
    assert house.contacts(invoice) == [("1.1.S2.0", "email", "accepted")]
    again = house.contact(invoice)
    assert again.did == "" and house.received() == 1
    row = house.rows("select at_local, local_date, utc_offset_min, zone, text_version, provider_ref, step_id from contact")[0]
    assert (str(row.at_local), row.utc_offset_min, row.zone) == ("2026-03-19 09:00:00", -300, "America/Bogota")
    assert row.text_version and row.provider_ref and row.step_id


def test_a_payment_one_second_before_the_moment_means_that_nothing_is_sent(house: House) -> None:
    invoice = due(house)
    house.pays(invoice)
    step = house.contact(invoice)
    assert step.kind == "close" and house.received() == 0 and house.contacts(invoice) == []


def test_what_a_payment_makes_needless_is_done(house: House) -> None:
    invoice = due(house)
    with Session(house.worker) as session, session.begin():
        say_already_paid(session, invoice, actor="customer", now=house.tools.clock.now())
    house.plan(invoice)
    house.pays(invoice)
    assert house.plan(invoice).kind == "close"
    assert [r.outcome for r in house.rows("select outcome from task")] == ["payment received"]


def test_a_part_payment_changes_what_is_asked(house: House) -> None:
    invoice = due(house)
    house.pays(invoice, 7_000_000)  # a larger part would bring days of peace
    house.contact(invoice)
    assert house.rows("select amount_minor from contact")[0].amount_minor == 18_000_000
    sent = house.outside.world.sent[-1]
    assert "180.000" in sent.text and "250.000" not in sent.text


def test_no_call_begins_after_a_fact_that_came_in_since_the_claim(house: House) -> None:
    """The debtor's lock keeps facts out meanwhile; one that came in all the same is seen."""
    invoice = due(house)
    now = house.tools.clock.now()
    with Session(house.worker) as session:
        facts, manual = gather(session, invoice, now)
        facts, step, step_id = decide(session, facts, manual, now, contacting=True)
        assert isinstance(step, Contact)
        session.commit()
        claimed = contacts.claim(session, facts, step, step_id, provider="t", now=now)
        house.pays(invoice, 1_000_000)
        assert not contacts.start_call(session, claimed.id, text_version="v", now=now)
        session.rollback()
    house.contact(invoice)
    assert [state for _, _, state in house.contacts(invoice)] == ["accepted"]
    assert house.rows("select amount_minor from contact where state = 'accepted'")[0].amount_minor == 24_000_000


def test_a_payment_while_the_message_is_written_waits_until_the_call_may_begin(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = due(house)
    paying = threading.Thread(target=house.pays, args=(invoice,))
    write = house.tools.composer.compose
    waits = "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"

    def slowly(*given: Any) -> Message:
        paying.start()
        until = monotonic() + 30
        while not house.rows(waits)[0].n and paying.is_alive():
            assert monotonic() < until
        assert paying.is_alive(), "it does not come between the claim and the call"
        return write(*given)

    monkeypatch.setattr(house.tools.composer, "compose", slowly)
    house.contact(invoice)
    paying.join(30)
    told = [row.kind for row in house.rows("select kind from event where invoice_id = :i order by id", i=invoice)]
    assert {"contacted", "payment_received"} <= set(told)
    assert house.received() == 1 and "250.000" in house.outside.world.sent[-1].text


@pytest.mark.parametrize("what", ["the debtor's lock", "a long text"])
def test_what_took_until_the_window_was_over_is_not_sent(house: House, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    invoice = due(house)
    name, of = ("lock_debtor_of", collector) if what == "the debtor's lock" else ("compose", house.tools.composer)
    done: Callable[..., Any] = getattr(of, name)

    def slowly(*given: Any) -> Any:
        house.at("2026-03-19 23:30")
        return done(*given)

    monkeypatch.setattr(of, name, slowly)
    step = house.contact(invoice)
    assert (step.kind, step.when[:10], house.received()) == ("contact", "Fri 20 Mar", 0)


@pytest.mark.parametrize(("seconds", "may"), [(4.9, True), (5.0, False)])
def test_a_claim_is_good_for_five_seconds(house: House, seconds: float, may: bool) -> None:
    invoice = due(house)
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        facts, manual = gather(session, invoice, now)
        facts, step, step_id = decide(session, facts, manual, now, contacting=True)
        assert isinstance(step, Contact)
        claimed = contacts.claim(session, facts, step, step_id, provider="t", now=now)
        assert contacts.start_call(session, claimed.id, text_version="v", now=now + timedelta(seconds=seconds)) is may


def test_a_worker_that_died_before_its_call_could_begin_has_left_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = due(house)

    def killed(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(contacts, "start_call", killed)
        house.contact(invoice)
    assert house.contacts(invoice) == [] and house.received() == 0
    house.contact(invoice)
    assert [state for _, _, state in house.contacts(invoice)] == ["accepted"] and house.received() == 1


def test_a_worker_that_died_in_the_call_leaves_an_unknown_that_is_never_repeated(house: House) -> None:
    invoice = due(house)
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        facts, manual = gather(session, invoice, now)
        facts, step, step_id = decide(session, facts, manual, now, contacting=True)
        assert isinstance(step, Contact)
        claimed = contacts.claim(session, facts, step, step_id, provider="t", now=now)
        assert contacts.start_call(session, claimed.id, text_version="v", now=now)
    step_after = house.contact(invoice)
    assert step_after.kind == "wait" and house.received() == 0
    house.at("2026-03-20 09:00")
    later = house.contact(invoice)
    assert later.rung == "S3" and house.received() == 0
    assert house.contacts(invoice) == [("1.1.S2.0", "email", "unknown")]


def test_a_lost_answer_is_an_unknown_outcome_and_not_a_second_message(house: House) -> None:
    invoice = due(house)
    house.faults(drop_after_accept_pct=100)
    step = house.contact(invoice)
    assert step.kind == "wait" and house.received() == 1
    house.faults()
    house.at("2026-03-20 10:00")
    house.contact(invoice)
    assert house.contacts(invoice) == [("1.1.S2.0", "email", "unknown")] and house.received() == 1


def test_a_busy_provider_is_asked_again_later_with_a_new_attempt(house: House) -> None:
    invoice = due(house)
    house.faults(busy_pct=100, retry_after_seconds=7)
    with pytest.raises(ApplicationError) as refused:
        house.contact(invoice)
    assert refused.value.next_retry_delay == timedelta(seconds=7)
    house.faults()
    assert house.contact(invoice).did.endswith("accepted")
    assert [state for _, _, state in house.contacts(invoice)] == ["failed", "accepted"] and house.received() == 1


def test_an_opt_out_on_the_first_channel_uses_the_next_of_the_same_rung(house: House) -> None:
    invoice = due(house)
    with house.worker.begin() as connection:
        connection.exec_driver_sql("update address set consent = 'withdrawn' where channel = 'email'")
    house.contact(invoice)
    assert house.contacts(invoice) == [("1.1.S2.0", "sms", "accepted")]


def test_a_channel_without_a_provider_gives_way_to_the_next(house: House) -> None:
    invoice = due(house)
    house.tools.senders.pop(next(c for c in house.tools.senders if c == "email"))
    step = house.contact(invoice)
    assert step.channel == "sms" or house.contacts(invoice)[-1][1] == "sms"
    house.contact(invoice)
    assert house.contacts(invoice) == [("1.1.S2.0", "email", "failed"), ("1.1.S2.0", "sms", "accepted")]


def test_two_workers_at_one_invoice_send_one_message(house: House) -> None:
    invoice = due(house)
    done: list[Next] = []

    def work() -> None:
        with suppress(ApplicationError):  # one that found no turn is asked again by Temporal
            done.append(house.contact(invoice))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delivered = [c for c in house.contacts(invoice) if c[2] in ("accepted", "unknown")]
    assert len(delivered) == 1 and house.received() <= 1


def test_a_cap_holds_when_all_invoices_of_a_debtor_fall_due_at_once(build: Callable[..., House]) -> None:
    house = build(limits={"contacts": [{"max": 1, "days": 1}], "fold": False})
    house.at("2026-03-17 08:00")
    invoices = [house.owes(f"F-{n}", now=house.tools.clock.now()) for n in range(8)]
    for invoice in invoices:
        house.plan(invoice)
    house.at("2026-03-19 09:00")
    threads = [threading.Thread(target=house.contact, args=(i,)) for i in invoices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = house.rows("select count(*) as n from contact where state in ('accepted', 'unknown')")[0].n
    assert made == 1 and house.received() == 1
    slots = house.rows("select local_date, count(*) as n from contact where state = 'planned' group by 1")
    assert all(row.n == 1 for row in slots) and slots, "each refusal reserved a day of its own"


def test_the_history_explains_itself_and_no_decision_holds_personal_data(house: House) -> None:
    invoice = due(house)
    house.contact(invoice)
    with Session(house.worker) as session:
        events = history(session, invoice)
    contacted = next(e for e in events if e["what"] == "contacted")
    assert contacted["rules"] == ["ladder.S2"] and contacted["versions"]["tzdata"] and contacted["why"]
    stored = " ".join(str(row) for row in house.rows("select facts, answer, why from step"))
    stored += " ".join(str(row) for row in house.rows("select detail from event"))
    stored += " ".join(str(row) for row in house.rows("select note, workflow_id from outbox"))
    assert not [name for name in PERSONAL if name in stored]


def test_a_recorded_decision_can_be_recomputed_from_what_was_stored(house: House) -> None:
    from policies.facts import InvoiceFacts
    from policies.manual import Manual
    from policies.next_step import next_step

    invoice = due(house)
    house.contact(invoice)
    manual = Manual.model_validate(house.rows("select content from manual")[0].content)
    steps = house.rows("select facts, answer, asked_at from step order by id")
    assert len(steps) >= 3
    for row in steps:
        again = next_step(InvoiceFacts.model_validate(row.facts), manual, row.asked_at)
        assert again.model_dump(mode="json") == row.answer
