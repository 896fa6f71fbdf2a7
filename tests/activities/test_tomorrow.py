"""Tomorrow's list on a real ledger: drawn in the afternoon, approved in part, and what is not approved is held, not lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row
from sqlalchemy.orm import Session

from activities import compose
from activities.tomorrow import draw_lists
from ledger import approvals
from ledger.refusals import Refused
from ledger.starting import set_start
from tests import cast
from tests.activities.house import House
from worker import look_after_starts

THURSDAY = date(2026, 3, 19)
"""S2 of an invoice that is due on Monday 16 March."""


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    """Brill asks before every contact."""
    made = build()
    begins(made, default="approve")
    return made


def begins(house: House, **change: Any) -> None:
    """Change how Brill starts."""
    with Session(house.worker) as session, session.begin():
        set_start(session, house.creditor.id, change, actor="staff:lead-1", now=house.tools.clock.now())


def draw(house: House) -> int:
    return draw_lists(house.worker, house.tools.clock, house.tools.composer, house.tools.sealer)


def on_list(house: House, day: date = THURSDAY) -> list[Row[Any]]:
    with Session(house.worker) as session:
        return approvals.listed(session, house.creditor.id, day)


def decides(
    house: House, day: date = THURSDAY, *, approve: list[UUID] | None = None, decline: tuple[UUID, ...] = ()
) -> tuple[int, int]:
    with Session(house.worker) as session, session.begin():
        return approvals.decide(
            session, house.creditor.id, day, approve=approve, decline=decline, actor="staff:lead-1", now=house.tools.clock.now()
        )


def owing(house: House, *numbers: str) -> list[UUID]:
    """Invoices of one customer each, planned past their first rung, on Wednesday 18 March at 15:00."""
    found = []
    for number in numbers:
        channels = [{"channel": "email", "address": f"{number.lower()}@correo.example.com", "consent": "given"}]
        account = cast.debtor_ana(ref=f"C-{number}", contacts=[{"role": "holder", "name": f"Ana {number}", "channels": channels}])
        found.append(house.owes(number, account=account, now=house.tools.clock.now()))
    for invoice in found:
        house.plan(invoice)
    house.at("2026-03-18 15:00")
    for invoice in found:
        house.contact(invoice)
    return found


def at_nine_on_thursday(house: House, *invoices: UUID) -> list[str]:
    house.at("2026-03-19 09:00")
    return [house.contact(invoice).kind for invoice in invoices]


def test_the_list_shows_what_goes_tomorrow_with_its_text(house: House) -> None:
    owing(house, "F-1", "F-2")
    assert draw(house) == 2
    rows = on_list(house)
    assert [(r.number, r.rung, r.channel, r.amount_minor, r.state) for r in rows] == [
        ("F-1", "S2", "email", 25_000_000, "proposed"), ("F-2", "S2", "email", 25_000_000, "proposed"),
    ]  # fmt: skip
    subject, text = approvals.message_of(house.tools.sealer, rows[0])
    assert "F-1" in subject + text and "250.000" in text and "/p/…" in text
    assert rows[0].planned_at == datetime.fromisoformat("2026-03-19T09:00:00-05:00")


def test_a_list_is_drawn_once_a_day_and_never_before_its_hour(house: House) -> None:
    owing(house, "F-1")
    assert (look_after_starts(house.worker, house.tools), draw(house)) == (1, 0), "the worker's own round draws it"
    house.at("2026-03-19 14:59")
    assert draw(house) == 0


def test_half_is_approved_the_other_half_is_held_and_stands_on_the_next_list(house: House) -> None:
    one, two = owing(house, "F-1", "F-2")
    draw(house)
    assert decides(house, approve=[on_list(house)[0].id]) == (1, 0)
    at_nine_on_thursday(house, one, two)
    assert [key for key, _, state in house.contacts(one) if state == "accepted"] == ["1.1.S2.0"]
    assert house.contacts(two) == [] and house.received() == 1
    held = house.rows("select next_why, next_at from invoice where id = :i", i=two)[0]
    assert "approval" in held.next_why and held.next_at == house.tools.clock.now().replace(hour=20), "15:00 in Bogota"
    house.at("2026-03-19 15:00")
    house.contact(two)
    assert draw(house) == 1
    friday = on_list(house, date(2026, 3, 20))
    assert [r.number for r in friday] == ["F-2"] and {r.state for r in on_list(house)} == {"approved", "expired"}
    assert decides(house, date(2026, 3, 20)) == (1, 0)
    house.at("2026-03-20 09:00")
    house.contact(two)
    assert [(key, state) for key, _, state in house.contacts(two)] == [("1.1.S2.0", "accepted")]
    assert house.rows("select late_days from contact where invoice_id = :i", i=two)[0].late_days == 1


def test_what_was_declined_is_passed_over_with_who_declined_it(house: House) -> None:
    (one,) = owing(house, "F-1")
    draw(house)
    assert decides(house, approve=[], decline=(on_list(house)[0].id,)) == (0, 1)
    at_nine_on_thursday(house, one)
    skipped = house.rows("select why, rules from step where kind = 'skip' and rung = 'S2' and invoice_id = :i", i=one)
    assert len(skipped) == 1 and "staff:lead-1" in skipped[0].why and skipped[0].rules[-1] == "start.declined"
    assert house.received() == 0


def test_an_approval_may_be_taken_back_before_it_goes(house: House) -> None:
    (one,) = owing(house, "F-1")
    draw(house)
    approval = on_list(house)[0].id
    assert decides(house, approve=[approval]) == (1, 0) and decides(house, approve=[], decline=(approval,)) == (0, 1)
    assert decides(house, approve=[approval]) == (0, 0), "declined stays declined"
    at_nine_on_thursday(house, one)
    assert house.received() == 0


def test_a_part_payment_after_the_approval_asks_for_less_and_needs_no_second_one(house: House) -> None:
    (one,) = owing(house, "F-1")
    draw(house)
    decides(house)
    house.pays(one, 5_000_000)
    at_nine_on_thursday(house, one)
    sent = house.rows("select amount_minor from contact where invoice_id = :i and state = 'accepted'", i=one)
    assert [r.amount_minor for r in sent] == [20_000_000]


def test_a_payment_after_the_approval_sends_nothing(house: House) -> None:
    (one,) = owing(house, "F-1")
    draw(house)
    decides(house)
    house.pays(one)
    at_nine_on_thursday(house, one)
    assert house.received() == 0


def test_another_text_than_was_shown_goes_back_to_the_list(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = owing(house, "F-1")
    draw(house)
    decides(house)
    real = compose.Composer.compose

    def corrected(*given: Any, **named: Any) -> compose.Message:
        message = real(*given, **named)
        return replace(message, version="another-text")

    monkeypatch.setattr(compose.Composer, "compose", corrected)
    assert at_nine_on_thursday(house, one) == ["wait"]
    assert house.received() == 0 and on_list(house)[0].state == "expired"
    assert "approval_void" in [r.kind for r in house.rows("select kind from event where invoice_id = :i", i=one)]


def test_invoices_of_one_message_stand_on_the_list_together_and_go_together(house: House) -> None:
    both = [house.owes("F-1"), house.owes("F-2")]
    for invoice in both:
        house.plan(invoice)
    house.at("2026-03-18 15:00")
    for invoice in both:
        house.contact(invoice)
    assert draw(house) == 2
    first, second = on_list(house)
    assert first.with_number is None and second.with_number == "F-1"
    text = approvals.message_of(house.tools.sealer, second)[1]
    assert "F-1" in text and "F-2" in text
    decides(house)
    at_nine_on_thursday(house, *both)
    assert house.received() == 1 and [c[2] for i in both for c in house.contacts(i)] == ["accepted", "accepted"]


def test_of_one_message_the_approved_half_goes_alone(house: House) -> None:
    both = [house.owes("F-1"), house.owes("F-2")]
    for invoice in both:
        house.plan(invoice)
    house.at("2026-03-18 15:00")
    for invoice in both:
        house.contact(invoice)
    draw(house)
    decides(house, approve=[on_list(house)[1].id])
    at_nine_on_thursday(house, *both)
    assert house.contacts(both[0]) == [] and [c[2] for c in house.contacts(both[1])] == ["accepted"]
    assert "F-1" not in house.outside.world.sent[-1].text


def test_an_old_list_takes_no_decision(house: House) -> None:
    owing(house, "F-1")
    draw(house)
    house.at("2026-03-20 09:00")
    with pytest.raises(Refused) as refused:
        decides(house)
    assert refused.value.code == "list-over"


def test_a_list_that_was_cut_off_is_gone_on_with(house: House) -> None:
    owing(house, "F-1", "F-2")
    draw(house)
    with house.worker.begin() as connection:
        connection.exec_driver_sql("update approval_list set finished_at = null")
        connection.exec_driver_sql("delete from approval where invoice_id = (select id from invoice where number = 'F-2')")
    assert draw(house) == 1 and [r.number for r in on_list(house)] == ["F-1", "F-2"]


def test_no_text_of_a_list_stands_in_the_ledger_unsealed(house: House) -> None:
    owing(house, "F-1")
    draw(house)
    row = house.rows("select a.*, encode(sealed, 'escape') as seen from approval a")[0]
    assert "Ana F-1" not in str(row) and "F-1" not in row.seen


def test_only_the_rung_that_asks_stands_on_the_list(house: House) -> None:
    begins(house, default="auto", rungs={"S3": "approve"})
    (one,) = owing(house, "F-1")
    assert draw(house) == 0
    at_nine_on_thursday(house, one)
    assert [key for key, _, _ in house.contacts(one)][-1] == "1.1.S2.0"
    house.at("2026-03-25 15:00")
    house.contact(one)
    assert draw(house) == 1 and [r.rung for r in on_list(house, date(2026, 3, 26))] == ["S3"]


def test_what_is_only_watched_is_shown_with_its_text_and_never_goes(house: House) -> None:
    begins(house, default="watch")
    (one,) = owing(house, "F-1")
    assert draw(house) == 1
    row = on_list(house)[0]
    assert row.state == "watched" and "F-1" in approvals.message_of(house.tools.sealer, row)[1]
    assert decides(house) == (0, 0), "there is nothing to approve"
    at_nine_on_thursday(house, one)
    assert house.received() == 0
    skipped = house.rows("select rules from step where kind = 'skip' and rung = 'S2'")
    assert [row.rules[-1] for row in skipped] == ["start.watch"]
