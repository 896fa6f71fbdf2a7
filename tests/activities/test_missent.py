"""A mis-sent batch: found, approved by a second person, apologised for once, and no longer counted by the house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger import missent
from ledger.facts import gather
from ledger.missent import Batch, Found
from ledger.receipts import addresses_of, opt_out
from ledger.refusals import Refused
from ledger.stops import stop_creditor
from tests.activities.house import House

SENT = datetime(2026, 3, 19, 14, 0, tzinfo=UTC)
"""Thursday 19 March, nine in Bogotá: the day of S2."""
BATCH = Batch(SENT - timedelta(hours=1), SENT + timedelta(hours=1))


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build(limits={"contacts": [{"max": 1, "days": 7}]})


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    with Session(house.worker) as opened:
        yield opened


def sent(house: House, *numbers: str) -> list[UUID]:
    """S2 of each invoice of Ana, sent on Thursday at nine; then it is ten."""
    entered = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
    found = [house.owes(number, now=entered) for number in numbers or ("F-1",)]
    house.move(SENT)
    for invoice in found:
        house.contact(invoice)
    house.at("2026-03-19 10:00")
    assert house.received() == 1
    return found


def done(house: House, *, batch: Batch = BATCH, apologise: bool = True, give_back: bool = False) -> Found:
    """Proposed by one and approved by another."""
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        proposed = missent.propose(
            session, house.creditor.id, batch, apologise=apologise, give_back=give_back, reason="wrong list",
            actor="staff:lead-1", now=now,
        )  # fmt: skip
        return missent.approve(session, proposed, actor="staff:lead-2", now=now)


def play(house: House, days: int = 8) -> None:
    """Let the invoices that are open do what they plan; the law of the place still counts the message that was a mistake."""
    ends = house.tools.clock.now() + timedelta(days=days)
    while due := house.rows(
        "select id, next_at from invoice where outcome is null and next_at <= :ends order by 2 limit 1", ends=ends
    ):
        house.move(max(due[0].next_at, house.tools.clock.now()))
        house.contact(due[0].id)


def texts(house: House) -> list[str]:
    return [message.subject or message.text for message in house.outside.world.sent]


def test_it_is_found_by_time_and_rung(house: House, session: Session) -> None:
    sent(house, "F-1", "F-2")
    found = missent.find(session, house.creditor.id, BATCH)
    assert (len(found.rows), found.messages, found.people, found.accounts) == (2, 1, 1, ["C-1001"])
    assert found.by_rung == [("S2", "email", 2)]
    for other in (Batch(SENT + timedelta(hours=1), SENT + timedelta(hours=2)), Batch(BATCH.since, BATCH.until, rung="S3")):
        assert missent.find(session, house.creditor.id, other).rows == []
    with pytest.raises(Refused):
        missent.find(session, house.creditor.id, Batch(SENT, SENT))


def test_a_second_person_must_approve(house: House, session: Session) -> None:
    sent(house)
    proposed = missent.propose(
        session, house.creditor.id, BATCH, apologise=True, give_back=False, reason="r", actor="staff:lead-1", now=SENT
    )
    with pytest.raises(Refused) as refused:
        missent.approve(session, proposed, actor="staff:lead-1", now=SENT)
    assert refused.value.code == "same-person"
    missent.decline(session, proposed, actor="staff:lead-1", now=SENT)
    with pytest.raises(Refused) as refused:
        missent.approve(session, proposed, actor="staff:lead-2", now=SENT)
    assert refused.value.code == "decided-before"


def test_nothing_is_proposed_about_nobody(house: House, session: Session) -> None:
    with pytest.raises(Refused) as refused:
        missent.propose(
            session, house.creditor.id, BATCH, apologise=True, give_back=False, reason="r", actor="staff:lead-1", now=SENT
        )
    assert refused.value.code == "nobody-got-it"


def test_one_apology_goes_to_each_person_beyond_the_houses_own_limits(house: House) -> None:
    both = sent(house, "F-1", "F-2")
    done(house)
    for invoice in both:
        house.contact(invoice)
    play(house, days=5)
    assert house.received() == 2 and "Disculpas" in texts(house)[-1]
    templates = house.rows("select template from contact where state = 'accepted' order by at_utc")
    assert [row.template for row in templates].count("apology") == 1


def test_an_apology_waits_for_lawful_hours(house: House) -> None:
    (invoice,) = sent(house)
    house.at("2026-03-19 22:00")
    done(house)
    house.contact(invoice)
    assert house.received() == 1
    waits = house.rows("select next_kind, next_at from invoice")[0]
    assert waits.next_kind == "contact" and waits.next_at > house.tools.clock.now()
    house.move(waits.next_at)
    house.contact(invoice)
    assert house.received() == 2


def test_who_opted_out_or_is_stopped_gets_no_apology(house: House) -> None:
    (invoice,) = sent(house)
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        person = gather(session, invoice, now)[0].reach[0].person_id
        account = house.rows("select account_id from invoice")[0].account_id
        opt_out(session, account, addresses_of(session, person), now=now, proof="link")
    done(house)
    house.contact(invoice)
    assert house.received() == 1
    skipped = house.rows("select rules from step where kind = 'skip' and rung = 'apology'")
    assert [row.rules for row in skipped] == [["apology", "apology.unreachable"]]


def test_while_the_creditor_is_stopped_the_apology_waits(house: House) -> None:
    (invoice,) = sent(house)
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        stop_creditor(session, house.creditor.id, until=now + timedelta(days=1), reason="r", actor="a", now=now)
    done(house)
    house.contact(invoice)
    assert house.received() == 1
    house.move(now + timedelta(days=1))
    house.contact(invoice)
    assert house.received() == 2


def test_a_customer_who_paid_gets_the_apology_too_and_nothing_else(house: House) -> None:
    (invoice,) = sent(house)
    house.pays(invoice)
    assert house.contact(invoice).kind == "close"
    done(house)
    house.contact(invoice)
    play(house)
    assert house.received() == 2 and "Disculpas" in texts(house)[-1]
    assert house.rows("select outcome from invoice")[0].outcome == "paid"


def budget(house: House, invoice: UUID) -> Any:
    with Session(house.worker) as session:
        return gather(session, invoice, house.tools.clock.now())[0]


def test_what_was_missent_leaves_the_houses_limits_and_stays_in_the_laws(house: House) -> None:
    (invoice,) = sent(house)
    assert [entry.is_attempt for entry in budget(house, invoice).budget] == [True]
    done(house, apologise=False)
    facts = budget(house, invoice)
    assert [(entry.void, entry.is_attempt) for entry in facts.budget] == [(True, False)]
    assert [contact.key for contact in facts.contacts] == ["1.1.S2.0"], "not given back"


def test_a_rung_that_is_given_back_goes_out_again_once(house: House) -> None:
    (invoice,) = sent(house)
    done(house, apologise=False, give_back=True)
    assert budget(house, invoice).contacts == ()
    for _ in range(2):
        house.contact(invoice)
    assert [(key, state) for key, _, state in house.contacts(invoice)] == [("1.1.S2.0", "accepted")] * 2
    assert house.received() == 2


def test_without_giving_back_nothing_goes_out_again(house: House) -> None:
    (invoice,) = sent(house)
    done(house, apologise=False)
    house.contact(invoice)
    assert house.received() == 1


def test_a_batch_shows_how_many_apologies_went_out(house: House, session: Session) -> None:
    (invoice,) = sent(house)
    done(house)
    assert [(b.state, b.contacts, b.apologies, b.went) for b in missent.batches(session)] == [("approved", 1, 1, 0)]
    house.contact(invoice)
    play(house, days=5)
    session.rollback()
    assert [(b.apologies, b.went) for b in missent.batches(session)] == [(1, 1)]
    acts = [row.act for row in house.rows("select act from audit order by id")]
    assert acts == ["missent.propose", "missent.approved"]
    assert house.rows("select outcome from task where kind = 'approve_missent'")[0].outcome == "approved"
