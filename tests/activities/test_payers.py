"""Branches whose bills one account pays: its people are written to, once for all, within its limits (playbook 1, F38)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger.facts import gather, gather_book
from ledger.overview import book_size
from ledger.session import lock_debtor, lock_debtor_of
from ledger.stops import exempt, suppress
from policies.facts import InvoiceFacts
from policies.forecast import forecast
from policies.steps import Contact
from tests.activities.house import House

PAYER_MAIL = "pagos@matriz.example.com"


def firm(ref: str, mail: str = "", **change: Any) -> dict[str, Any]:
    """A firm in Bogotá with a payables desk."""
    contacts = [
        {"role": "payables", "salutation": "Pagos", "channels": [{"channel": "email", "address": mail, "consent": "given"}]}
    ]
    return {"ref": ref, "kind": "business", "country": "CO", "region": "CO-DC", "contacts": contacts if mail else []} | change


def branch(ref: str) -> dict[str, Any]:
    return firm(ref, f"{ref.lower()}@filial.example.com", payer="HQ")


@pytest.fixture
def two(house: House) -> tuple[UUID, UUID]:
    """An invoice of each of two branches, due on the same day; their payer is known."""
    house.at("2026-03-02 11:00")
    now = house.tools.clock.now()
    house.owes("HQ-1", now=now, account=firm("HQ", PAYER_MAIL), due_on="2026-06-16")
    return house.owes("B-1", now=now, account=branch("NORTH")), house.owes("B-2", now=now, account=branch("SOUTH"))


def facts(house: House, invoice: UUID) -> InvoiceFacts:
    with Session(house.worker) as session:
        return gather(session, invoice, house.tools.clock.now())[0]


def test_two_branches_due_the_same_day_are_one_message_to_the_payer(house: House, two: tuple[UUID, UUID]) -> None:
    for invoice in two:
        house.plan(invoice)
    house.at("2026-03-13 09:00")
    assert "in one message with 1 more" in house.contact(two[0]).did
    assert (house.contact(two[1]).did, house.received()) == ("", 1)
    message = house.outside.world.sent[0]
    assert message.to == PAYER_MAIL and "B-1" in message.text and "B-2" in message.text
    assert len(house.rows("select 1 from contact where folded_into is not null")) == 1


def test_the_plan_says_so_for_every_branch(house: House, two: tuple[UUID, UUID]) -> None:
    now = house.tools.clock.now()
    ((owner,),) = house.rows("select account_id from invoice where number = 'B-2'")
    with Session(house.worker) as session:
        book = gather_book(session, owner, now)
        assert book_size(session, owner) == len(book)
    assert sorted(entry.facts.order for entry in book) == ["B-1", "B-2", "HQ-1"]
    told = [p for p in forecast(book, now=now, until=now + timedelta(days=13)) if isinstance(p.step, Contact)]
    assert [(p.at.date().isoformat(), bool(p.together_with)) for p in told] == [("2026-03-13", False), ("2026-03-13", True)]


def test_limits_and_stops_are_the_payers(house: House, two: tuple[UUID, UUID]) -> None:
    for invoice in two:
        house.plan(invoice)
    house.at("2026-03-13 09:00")
    house.contact(two[0])
    north, south, now = facts(house, two[0]), facts(house, two[1]), house.tools.clock.now()
    assert north.account_id == south.account_id and len(south.budget) == 1 and south.budget[0].is_attempt
    with Session(house.worker) as session, session.begin():
        suppress(session, north.account_id, reason="complaint", evidence="7", until=now + timedelta(days=9), actor="x", now=now)
    assert [s.reason for s in facts(house, two[1]).suppressions] == ["complaint"]
    assert len(house.rows("select 1 from event where kind = 'suppressed'")) == 3, "every branch is told"


def test_a_stop_of_one_branch_is_that_branchs(house: House, two: tuple[UUID, UUID]) -> None:
    now, until = house.tools.clock.now(), house.tools.clock.now() + timedelta(days=9)
    ((owner,),) = house.rows("select account_id from invoice where number = 'B-1'")
    with Session(house.worker) as session, session.begin():
        exempt(session, owner, until=until, reason="x", actor="x", now=now)
        suppress(session, owner, reason="complaint", evidence="7", until=until, actor="x", now=now)
    assert (facts(house, two[0]).exempt_until, len(facts(house, two[0]).suppressions)) == (until, 1)
    assert (facts(house, two[1]).exempt_until, facts(house, two[1]).suppressions) == (None, ())


def test_a_payer_of_whom_nobody_is_known_leaves_the_branchs_own_people(house: House) -> None:
    invoice = house.owes("B-9", account=branch("EAST"))
    assert [(r.role, r.channel) for r in facts(house, invoice).reach] == [("payables", "email")]
    mine = facts(house, invoice).reach[0].address_id
    house.owes("HQ-1", account=firm("HQ", PAYER_MAIL))
    assert [r.address_id == mine for r in facts(house, invoice).reach] == [False]


def test_the_branches_share_the_payers_lock(house: House, two: tuple[UUID, UUID]) -> None:
    lock = "select count(distinct objid) from pg_locks where locktype = 'advisory'"
    with Session(house.worker) as session:
        for invoice in two:
            lock_debtor_of(session, invoice)
        for row in house.rows("select id from account"):
            lock_debtor(session, row.id)
        assert house.rows(lock) == [(1,)]


def test_a_payment_of_one_branch_settles_that_branch_alone(house: House, two: tuple[UUID, UUID]) -> None:
    house.pays(two[0])
    rows = house.rows("select number, balance_minor from invoice where number like 'B-%' order by number")
    assert [(row.number, row.balance_minor > 0) for row in rows] == [("B-1", False), ("B-2", True)]


@pytest.mark.parametrize("per", ["account", "person"])
def test_an_account_limit_counts_every_person_and_a_persons_limit_only_theirs(build: Any, per: str) -> None:
    house: House = build(limits={"contacts": [{"max": 1, "days": 7, "per": per}]}, ladder=[
        {"rung": "S1", "channels": ["email"], "roles": ["approver"]}, {"rung": "S2", "day": "D-1", "roles": ["payables"]},
    ])  # fmt: skip
    people = [
        {"role": role, "channels": [{"channel": "email", "address": f"{role}@filial.example.com", "consent": "given"}]}
        for role in ("payables", "approver")
    ]
    invoice = house.owes(account=firm("NORTH", contacts=people), now=house.tools.clock.now(), due_on="2026-03-16")
    house.plan(invoice)
    house.at("2026-03-13 09:00")
    assert "S1 by email" in house.contact(invoice).did
    house.at("2026-03-16 09:00")
    step = house.contact(invoice)
    assert ("S2 by email" in step.did) is (per == "person"), step
