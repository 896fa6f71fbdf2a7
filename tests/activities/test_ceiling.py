"""A daily ceiling on sends: never passed, not even by many at once; what has no room goes on the next working day."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger.starting import set_start
from tests import cast
from tests.activities.house import House

CUSTOMERS = 9


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    return build()


def limit(house: House, **change: Any) -> None:
    with Session(house.worker) as session, session.begin():
        set_start(session, house.creditor.id, change, actor="staff:lead-1", now=house.tools.clock.now())


def customers(house: House, count: int = CUSTOMERS, channel: str = "email") -> list[UUID]:
    """One invoice of each of so many customers, S2 due at nine on Thursday 19 March."""
    found = []
    for number in range(count):
        address = f"ana{number}@correo.example.com" if channel == "email" else f"+5730012345{number:02}"
        channels = [{"channel": channel, "address": address, "consent": "given", "verified": True}]
        account = cast.debtor_ana(ref=f"C-{number}", contacts=[{"role": "holder", "name": f"Ana {number}", "channels": channels}])
        now = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
        found.append(house.owes(f"F-{number}", account=account, now=now, issued_on="2026-03-16", due_on="2026-03-16"))
    return found


def all_at_once(house: House, invoices: list[UUID]) -> None:
    with ThreadPoolExecutor(len(invoices)) as pool:
        list(pool.map(house.contact, invoices))


def test_many_at_once_never_pass_the_ceiling_and_the_rest_goes_on_the_next_working_days(house: House) -> None:
    limit(house, ceiling_per_day=4)
    invoices = customers(house)
    house.at("2026-03-19 09:00")
    all_at_once(house, invoices)
    assert house.received() == 4
    waiting = house.rows("select id, next_at, next_why, held_why from invoice where next_kind = 'wait'")
    assert len(waiting) == CUSTOMERS - 4 and all("4 messages" in row.held_why for row in waiting)
    assert {row.next_at for row in waiting} == {datetime(2026, 3, 20, 14, 0, tzinfo=UTC)}, "Friday at nine"
    house.at("2026-03-20 09:00")
    all_at_once(house, [row.id for row in waiting])
    assert house.received() == 8
    (last,) = house.rows("select id, next_at from invoice where next_kind = 'wait' and next_why like '%messages%'")
    house.at("2026-03-24 09:00")  # Monday the 23rd is a holiday in Colombia
    assert last.next_at == house.tools.clock.now()
    house.contact(last.id)
    assert house.received() == 9


def test_a_ceiling_of_one_channel_leaves_the_others_alone(house: House) -> None:
    limit(house, ceilings={"sms": 1})
    by_mail = customers(house, 2)
    house.at("2026-03-19 09:00")
    for invoice in by_mail:
        house.contact(invoice)
    assert house.received() == 2


def test_what_surely_did_not_go_out_leaves_its_room_to_others(house: House) -> None:
    limit(house, ceiling_per_day=1)
    first, second = customers(house, 2)
    house.at("2026-03-19 09:00")
    house.contact(first)
    house.contact(second)
    assert house.received() == 1
    with house.worker.begin() as connection:
        connection.exec_driver_sql("update contact set state = 'failed', why_failed = 'again: busy'")
    house.contact(second)
    assert house.received() == 2


def test_invoices_of_one_message_use_one_place(house: House) -> None:
    limit(house, ceiling_per_day=1)
    now = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
    both = [house.owes(number, now=now) for number in ("F-1", "F-2")]
    house.at("2026-03-19 09:00")
    for invoice in both:
        house.contact(invoice)
    assert house.received() == 1 and [c[2] for i in both for c in house.contacts(i)] == ["accepted", "accepted"]


def test_without_a_ceiling_nothing_is_counted(house: House) -> None:
    (invoice,) = customers(house, 1)
    house.at("2026-03-19 09:00")
    house.contact(invoice)
    assert house.received() == 1 and house.rows("select * from counted_send") == []
