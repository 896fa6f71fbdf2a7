"""Facts that come between a decision and its contact, in orders that nobody plans: the rung still goes out, or says why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy.orm import Session

from ledger import agreements, invoices
from policies import negotiation
from tests.activities.house import House


def promise(house: House, invoice: object, on: str, *, withdrawn: bool = False) -> None:
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        wish = negotiation.Promise(on=date.fromisoformat(on))
        agreements.ask(session, str(invoice), wish, source="portal", actor="customer", now=now)
        if withdrawn:
            agreements.withdraw(session, str(invoice), actor="customer", now=now)


def test_a_missed_promise_is_told_also_when_a_later_one_was_given_up_meanwhile(house: House) -> None:
    house.at("2026-03-17 08:00")
    invoice = house.owes(now=house.tools.clock.now())
    promise(house, invoice, "2026-03-18")
    house.plan(invoice)
    house.at("2026-03-20 00:00")
    house.plan(invoice)
    promise(house, invoice, "2026-03-25", withdrawn=True)
    house.at("2026-03-20 09:00")
    step = house.contact(invoice)
    assert step.did.startswith("S2 by email") and house.received() == 1
    assert "18 de marzo" in house.outside.world.sent[-1].text


def test_a_text_that_cannot_be_written_fails_its_attempts_and_the_ladder_goes_on(build: Callable[..., House]) -> None:
    house = build(ladder=[{"rung": "S2", "template": "promise_reminder"}])
    house.at("2026-03-17 08:00")
    invoice = house.owes(now=house.tools.clock.now())
    house.plan(invoice)
    house.at("2026-03-19 09:00")
    step = house.contact(invoice)
    assert (step.kind, step.rung) == ("contact", "S3") and house.received() == 0
    assert [(channel, state) for _, channel, state in house.contacts(invoice)] == [("email", "failed"), ("sms", "failed")]
    assert "promise_reminder" in house.rows("select why_failed from contact limit 1")[0].why_failed


def test_rungs_passed_over_for_an_old_date_are_drawn_anew_for_the_amended_one(house: House) -> None:
    house.at("2026-03-25 08:00")
    invoice = house.owes(now=house.tools.clock.now())
    assert house.plan(invoice).rung == "S3"
    now = house.at("2026-03-25 12:00")
    with Session(house.worker) as session, session.begin():
        invoices.amend(session, invoice, [(1, date(2026, 5, 15), 25_000_000)], reason="delivered late", now=now)
    step = house.plan(invoice)
    assert (step.rung, step.when[:22]) == ("S1", "Tue 12 May 2026 09:00 ")
