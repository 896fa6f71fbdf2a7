"""One message for what one person is due by one channel in one window (F38); every invoice's ladder goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from activities import collector
from ledger import contacts
from ledger.holds import open_dispute
from ledger.receipts import apply_receipt
from tests import cast
from tests.activities.house import House
from tests.activities.test_arrived import stored

WEEKLY = {"contacts": [{"max": 1, "days": 7}]}
LADDER = [
    {"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due"},
    {"rung": "S2", "day": "D+4", "channels": ["email"], "template": "first_reminder"},
    {"rung": "S3", "day": "D+11", "channels": ["email"], "template": "direct_talk", "firm": True},
]


def turns(house: House) -> None:
    """Everything that is due now, one invoice after the other."""
    now = house.tools.clock.now()
    while due := house.rows("select id from invoice where outcome is null and next_at <= :n order by next_at, number", n=now):
        house.contact(UUID(str(due[0].id)))


def several(house: House, *numbers: str, **change: object) -> list[UUID]:
    """Ana's invoices on the morning of their first reminder (S2, 19 March, 09:00)."""
    house.at("2026-03-17 08:00")
    invoices = [house.owes(number, now=house.tools.clock.now(), **change) for number in numbers]
    for invoice in invoices:
        house.plan(invoice)
    house.at("2026-03-19 09:00")
    return invoices


def states(house: House) -> list[tuple[str, str, bool]]:
    """Number, state and whether it went with another invoice's message, of each attempt in the order of time."""
    rows = house.rows(
        "select i.number, k.state, k.folded_into is not null as folded from contact k join invoice i on i.id = k.invoice_id"
        " where k.state <> 'planned' order by k.at_utc, k.attempt, i.number"
    )
    return [(row.number, row.state, row.folded) for row in rows]


def test_fifty_invoices_due_the_same_day_get_one_message_for_each_rung(build: Callable[..., House]) -> None:
    house = build(limits=WEEKLY, ladder=LADDER)
    for n in range(50):
        house.plan(house.owes(f"F-{n:02}"))
    for moment in ("2026-03-13 09:00", "2026-03-20 09:00", "2026-03-27 09:00"):
        house.at(moment)
        turns(house)
    files = [len(sent.files) for sent in house.outside.world.sent]
    assert files == [1, 1, 1], "one message for each rung, with its statement"
    made = house.rows("select rung, count(*) as n, count(folded_into) as folded, min(state) as least, max(state) as most"
                      " from contact group by rung order by rung")  # fmt: skip
    assert [tuple(row) for row in made] == [(rung, 50, 49, "accepted", "accepted") for rung in ("S1", "S2", "S3")]
    days = house.rows("select local_date from contact where folded_into is null order by 1")
    gaps = [(b.local_date - a.local_date).days for a, b in zip(days, days[1:], strict=False)]
    assert gaps == [7, 7], "never over one in seven days"
    assert house.rows("select count(*) as n from step where kind = 'skip'")[0].n == 0
    assert "50" in house.outside.world.sent[1].text and "COP" in house.outside.world.sent[1].text
    assert house.rows("select count(*) as n from invoice where next_kind = 'wait' and next_at > '2026-03-27'")[0].n == 50


def test_erp_07_each_invoice_of_a_message_asks_its_own_balance_by_its_own_decision(house: House) -> None:
    invoices = several(house, "F-1", "F-2", "F-3")
    house.pays(invoices[1], 7_000_000)
    step = house.contact(invoices[0])
    assert step.did.endswith("in one message with 2 more") and step.rung == "S3"
    assert states(house) == [("F-1", "accepted", False), ("F-2", "accepted", True), ("F-3", "accepted", True)]
    rows = house.rows("select k.amount_minor, s.key, s.invoice_id = k.invoice_id as own, k.step_id from contact k"
                      " join step s on s.id = k.step_id join invoice i on i.id = k.invoice_id order by i.number")  # fmt: skip
    assert [row.amount_minor for row in rows] == [25_000_000, 18_000_000, 25_000_000] and all(row.own for row in rows)
    assert len({row.step_id for row in rows}) == 3
    text = house.outside.world.sent[-1].text
    assert all(number in text for number in ("F-1", "F-2", "F-3")) and "680.000" in text
    assert house.rows("select count(*) as n from message_body")[0].n == 1
    assert house.contact(invoices[1]).held == "S2 by email is in the message about F-1"
    for invoice in invoices:
        assert house.plan(invoice).rung == "S3"
    assert house.received() == 1


def test_a_message_for_two_counts_once(build: Callable[..., House]) -> None:
    house = build(limits={"contacts": [{"max": 2, "days": 7}]})
    for number in ("F-1", "F-2"):
        house.plan(house.owes(number))
    for moment in ("2026-03-13 09:00", "2026-03-19 09:00"):
        house.at(moment)
        turns(house)
    assert house.received() == 2, "the second of two in seven days, although four rungs went out"


def test_oca_16_two_currencies_have_a_total_each(house: House) -> None:
    house.at("2026-03-17 08:00")
    first = house.owes("F-1", now=house.tools.clock.now())
    second = house.owes("F-2", now=house.tools.clock.now(), currency="USD", amount_minor=12_345)
    for invoice in (first, second):
        house.plan(invoice)
    house.at("2026-03-19 09:00")
    house.contact(first)
    text = house.outside.world.sent[-1].text.replace("\u00a0", " ")
    assert house.received() == 1 and "250.000 COP y 123,45 USD" in text
    assert "Total de 1 factura: 250.000 COP" in text and "Total de 1 factura: 123,45 USD" in text


def test_over_eight_invoices_the_five_oldest_are_listed_and_the_whole_statement_is_attached(house: House) -> None:
    invoices = several(house, *(f"F-{n}" for n in range(1, 10)))
    house.contact(invoices[0])
    sent = house.outside.world.sent[-1]
    assert "2.250.000" in sent.text and "Son 9 facturas" in sent.text and "F-6" not in sent.text
    assert [name.rsplit(".", 1)[-1] for name in sent.files] == ["pdf"]


def test_what_a_gateway_told_of_while_the_message_was_written_is_not_in_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    invoices = several(house, "F-1", "F-2", "F-3")
    once = [True]
    start = contacts.start_call

    def paid_first(*args: object, **more: object) -> bool:
        if once and once.pop():
            stored(house, invoice="F-2")
        return start(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(contacts, "start_call", paid_first)
    house.contact(invoices[0])
    text = house.outside.world.sent[-1].text
    assert house.received() == 1 and "F-3" in text and "F-2" not in text
    assert [row for row in states(house) if row[1] == "accepted"] == [("F-1", "accepted", False), ("F-3", "accepted", True)]
    assert house.plan(invoices[1]).kind == "close"


def test_a_disputed_invoice_stays_out_of_the_message(house: House) -> None:
    invoices = several(house, "F-1", "F-2")
    with Session(house.worker) as session, session.begin():
        open_dispute(session, invoices[1], reason="wrong_amount", actor="customer", now=house.tools.clock.now())
    house.contact(invoices[0])
    assert states(house) == [("F-1", "accepted", False)] and "F-2" not in house.outside.world.sent[-1].text


def test_another_channel_or_another_announcement_is_another_message(build: Callable[..., House]) -> None:
    ladder = [{"rung": "S2", "channels": ["sms"]}]
    house = build(limits={"contacts": []})
    house.at("2026-03-17 08:00")
    by_mail = house.owes("F-1", now=house.tools.clock.now())
    by_sms = house.owes("F-2", now=house.tools.clock.now(), manual_patch={"ladder": ladder})
    firm = house.owes("F-3", now=house.tools.clock.now(), manual_patch={"ladder": [{"rung": "S2", "template": "delivery_check"}]})
    for invoice in (by_mail, by_sms, firm):
        house.plan(invoice)
    house.at("2026-03-19 09:00")
    house.contact(by_mail)
    assert states(house) == [("F-1", "accepted", False)]


def test_a_text_of_its_own_to_several_says_that_it_holds_for_all(build: Callable[..., House]) -> None:
    house = build(ladder=[{"rung": "S2", "template": "delivery_check"}])
    invoices = several(house, "F-1", "F-2")
    house.contact(invoices[0])
    text = house.outside.world.sent[-1].text
    assert "Lo mismo vale para las 2 facturas de la lista" in text and "F-2" in text


def test_the_firmest_rung_gives_the_words_and_a_reminder_goes_with_it(build: Callable[..., House]) -> None:
    house = build(ladder=[{"rung": "S3", "template": "open_items"}])
    house.at("2026-03-17 08:00")
    now = house.tools.clock.now()
    late = house.owes("F-9", now=now, due_on=date(2026, 3, 9).isoformat())
    early = house.owes("F-1", now=now)
    for invoice in (early, late):
        house.plan(invoice)
    house.at("2026-03-19 09:00")
    house.contact(early)
    sent = house.outside.world.sent[-1]
    assert sent.subject == "Estado de sus 2 facturas pendientes" and house.received() == 1
    assert [(n, s) for n, s, _ in states(house)] == [("F-1", "accepted"), ("F-9", "accepted")]


def test_a_bounce_takes_back_every_rung_of_the_message(house: House) -> None:
    invoices = several(house, "F-1", "F-2")
    house.contact(invoices[0])
    leader = house.rows("select id from contact where folded_into is null")[0].id
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        apply_receipt(session, leader, "failed", at=now, now=now, permanent=True, reason="bounce 5.1.1")
    assert {state for _, state, _ in states(house)} == {"failed"}
    for invoice in invoices:
        assert house.plan(invoice).channel == "sms"


def test_workers_that_die_leave_nothing_of_a_message_or_all_of_it_unknown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    invoices = several(house, "F-1", "F-2", "F-3")

    def dies(*args: object) -> None:
        raise KeyboardInterrupt

    for killed_in in ("compose", "keep"):
        with monkeypatch.context() as patched:
            patched.setattr(house.tools.composer, killed_in, dies)
            with pytest.raises(KeyboardInterrupt):
                house.contact(invoices[0])
        assert states(house) == [], "before the call may begin, a worker that dies has left nothing behind"
    with monkeypatch.context() as patched:
        patched.setattr(collector, "_make", dies)
        with pytest.raises(KeyboardInterrupt):
            house.contact(invoices[0])
    assert [state for _, state, _ in states(house)] == ["calling"] * 3
    house.plan(invoices[1])
    assert {state for _, state, _ in states(house)} == {"calling"}, "a rider leaves the message to the worker that has it"
    house.plan(invoices[0])
    assert [state for _, state, _ in states(house)] == ["unknown"] * 3
    for invoice in invoices:
        assert house.plan(invoice).kind == "wait"
    assert house.received() == 0


def test_a_busy_provider_is_not_asked_again_by_every_invoice_of_the_message(house: House) -> None:
    invoices = several(house, "F-1", "F-2", "F-3")
    house.faults(busy_pct=100, retry_after_seconds=7)
    before = house.rows("select count(*) as n from outbox")[0].n
    with pytest.raises(Exception, match="later"):
        house.contact(invoices[0])
    house.faults()
    assert house.rows("select count(*) as n from outbox")[0].n == before
    assert house.rows("select count(*) as n from invoice where next_at > :now", now=house.tools.clock.now())[0].n == 2
    house.contact(invoices[0])
    assert house.received() == 1 and [s for _, s, _ in states(house)] == ["failed"] * 3 + ["accepted"] * 3


def test_a_manual_may_want_a_message_for_each_invoice(build: Callable[..., House]) -> None:
    house = build(limits={"fold": False, "contacts": []})
    for invoice in several(house, "F-1", "F-2"):
        house.contact(invoice)
    assert house.received() == 1 and states(house) == [("F-1", "accepted", False)], "the law allows the second on another day"
    assert house.rows("select next_kind, next_rung from invoice where number = 'F-2'")[0] == ("contact", "S2")


def test_what_is_told_to_the_others_names_nobody(house: House) -> None:
    invoices = several(house, "F-1", "F-2")
    house.contact(invoices[0])
    stored = " ".join(str(row) for row in house.rows("select detail from event"))
    stored += " ".join(str(row) for row in house.rows("select note from outbox"))
    assert not [name for name in cast.PERSONAL if name in stored]


def test_what_a_long_queue_brings_after_the_window_waits_for_the_next_one_with_its_reason(build: Callable[..., House]) -> None:
    house = build(limits={"spread_minutes": 45})
    invoices = several(house, "F-1", "F-2")
    house.at("2026-03-19 19:00")
    late = house.contact(invoices[0])
    assert late.kind == "contact" and house.received() == 0 and "outside the window" in late.held
    assert late.when.startswith("Fri 20 Mar 2026 09:")
    told = house.rows("select e.kind, s.why from event e join step s on s.id = cast(e.detail ->> 'step' as bigint)"
                      " where e.invoice_id = :i order by e.id desc limit 1", i=invoices[0])[0]  # fmt: skip
    assert told.kind == "held_back" and "outside the window" in told.why
    house.move(house.rows("select next_at from invoice where id = :i", i=invoices[0])[0].next_at)
    assert house.contact(invoices[0]).did.endswith("in one message with 1 more, 1 day late") and house.received() == 1


def test_workers_at_every_invoice_at_once_send_one_message(build: Callable[..., House]) -> None:
    house = build(limits={"contacts": [{"max": 1, "days": 1}]})
    invoices = several(house, *(f"F-{n}" for n in range(8)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(house.contact, invoices))
    assert house.received() == 1
    assert sorted((number, state) for number, state, _ in states(house)) == [(f"F-{n}", "accepted") for n in range(8)]
    assert sum(not folded for _, _, folded in states(house)) == 1


def test_the_statement_of_the_month_is_one_message_with_its_lines_as_a_sheet(build: Callable[..., House]) -> None:
    rung = {"rung": "K3", "day": "M+1wd", "repeat": {"every_days": 28, "at_most": 12}, "channels": ["email"],
            "template": "monthly_statement"}  # fmt: skip
    house = build(ladder=[rung])
    for number in ("F-1", "F-2"):
        house.plan(house.owes(number, due_on="2026-05-16"))
    for moment in ("2026-04-01 09:00", "2026-05-04 09:00"):
        house.at(moment)
        turns(house)
    sent = house.outside.world.sent
    assert [sorted(name.rsplit(".", 1)[-1] for name in one.files) for one in sent] == [["csv", "pdf"], ["csv", "pdf"]]
    assert all("F-1" in one.text and "F-2" in one.text and "500.000" in one.text for one in sent)
    assert "estado de cuenta al miércoles 1 de abril" in sent[0].text
