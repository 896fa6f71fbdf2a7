"""Limits of a person count over every account of the creditor, and over every creditor where the house collects (F48)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import contacts
from ledger.creditors import describe_creditor
from ledger.facts import gather
from tests import cast
from tests.activities.house import House

CAP = {"contacts": [{"max": 1, "days": 7, "per": "person"}]}


@pytest.fixture
def capped(build: Callable[..., House]) -> House:
    return build(limits=CAP)


def _owed(house: House, count: int) -> list[UUID]:
    """One invoice in each of so many accounts of the same person, all at the moment of their first reminder."""
    house.at("2026-03-17 08:00")
    now = house.tools.clock.now()
    invoices = [house.owes(f"A-{n}", now=now, account=cast.debtor_ana(ref=f"acct-{n}")) for n in range(count)]
    for invoice in invoices:
        house.plan(invoice)
    house.at("2026-03-19 09:00")
    return invoices


def test_two_accounts_of_one_person_share_one_limit(capped: House) -> None:
    one, two = _owed(capped, 2)
    assert "accepted" in capped.contact(one).did
    assert (capped.contact(two).rung, capped.received()) == ("S3", 1)
    passed_over = capped.rows("select why from step where kind = 'skip' and rung = 'S2'")
    assert len(passed_over) == 1 and "more than 1 in 7 days" in passed_over[0].why


def test_accounts_of_one_person_at_the_same_moment(capped: House, monkeypatch: pytest.MonkeyPatch) -> None:
    both, real = Barrier(2, timeout=1), contacts.claim

    def claim_together(*given: Any, **named: Any) -> contacts.Claimed:
        with suppress(BrokenBarrierError):  # the other one waits for the person's lock and never comes
            both.wait()
        return real(*given, **named)

    monkeypatch.setattr(contacts, "claim", claim_together)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(capped.contact, _owed(capped, 2)))
    assert capped.received() == 1


@pytest.mark.parametrize(("party", "shared"), [("third", ["creditor"]), ("first", [])])
def test_the_house_counts_over_its_creditors_only_where_it_collects(capped: House, party: str, shared: list[str]) -> None:
    mine = capped.owes("D-1", account=cast.debtor_ana(ref="acct-d"))
    other = cast.creditor_brill(capped.worker, slug="other")
    theirs = cast.accepted_invoice(capped.worker, other, number="O-1")
    law: dict[str, Any] = {"party": party}
    with Session(capped.worker) as session, session.begin():
        for row in session.execute(text("select id from creditor")).all():
            describe_creditor(session, row.id, {}, law)
        people = session.execute(
            text(
                "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung,"
                " channel, template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
                " select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, a.id, '1.1.X.0', 1, 'X', a.channel,"
                " 'pre_due', 'accepted', 1, 'COP', :now, 'America/Bogota', :local, :day, -300 from invoice i"
                " join person p on p.account_id = i.account_id join address a on a.person_id = p.id where i.id = :id limit 1"
                " returning person_id"
            ),
            {"now": cast.NOW, "local": cast.NOW.replace(tzinfo=None), "day": cast.NOW.date(), "id": theirs},
        ).all()
        facts, _ = gather(session, mine, cast.NOW)
    assert people and [entry.elsewhere for entry in facts.budget] == shared


def test_where_the_law_wants_consent_first_nothing_goes_and_a_person_is_asked_once(house: House) -> None:
    ways = [{"channel": "email", "address": "eva@example.com"}]
    account = cast.debtor_ana(ref="acct-e", contacts=[{"role": "holder", "channels": ways}])
    house.at("2026-03-17 08:00")
    invoices = [house.owes(f"E-{n}", now=house.tools.clock.now(), account=account) for n in range(2)]
    house.at("2026-03-19 09:00")
    for invoice in invoices:
        house.plan(invoice)
        house.contact(invoice)
    assert house.received() == 0
    assert [row.kind for row in house.rows("select kind from task")] == ["get_consent"]
    said = house.rows("select why from step where 'CO.authorised_channel' = any(rules)")
    assert said and all("only channels that the consumer authorised" in row.why for row in said)
