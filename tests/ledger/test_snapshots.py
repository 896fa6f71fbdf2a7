"""A creditor's whole list of open items, day after day: what it lowers, closes, reopens, holds, and what waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ledger import agreements, snapshots
from ledger.facts import gather
from ledger.import_files import read_table
from policies import negotiation
from policies.forecast import settle
from policies.next_step import next_step
from tests import cast
from tests.conftest import Database
from tests.ledger.lists import ALL, DAY, MAP, NOON, Desk, days


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def test_new_rows_enter_and_the_same_list_again_changes_nothing(desk: Desk) -> None:
    assert desk.run(ALL, DAY).results == {"new": 6}
    assert desk.book()["F3"] == (6_000, None)
    entries = desk.column("select count(*) from entry")
    assert desk.run(ALL, DAY, NOON + timedelta(hours=1)).results == {"same": 6}
    assert desk.column("select count(*) from entry") == entries


def test_less_is_adjusted_on_the_lists_day_absent_rows_close_and_one_that_comes_back_reopens(desk: Desk) -> None:
    desk.run(ALL, DAY)
    second = {number: balance for number, balance in ALL.items() if number != "F2"} | {"F1": "40,00"}
    assert desk.run(second, DAY + days(1)).results == {"lower": 1, "same": 4, "absent": 1}
    now = NOON + days(1)
    desk.plan(now)
    assert desk.book()["F1"] == (4_000, None) and desk.book()["F2"] == (0, "settled_in_erp")
    assert desk.column("select dated_on::text from entry where kind = 'erp_adjustment'") == ["2026-03-03", "2026-03-03"]
    assert desk.run(ALL | {"F1": "40,00"}, DAY + days(2)).results == {"same": 5, "back": 1}
    assert desk.book()["F2"] == (10_000, None)
    assert desk.column("select cycle from invoice where number in ('F1', 'F2') order by number") == [1, 2]
    assert desk.column("select cycle_notice from invoice where number = 'F2'") == ["reopened"]


def test_a_payment_since_the_lists_day_is_not_undone_and_not_counted_twice(desk: Desk) -> None:
    """The list of the 3rd still shows F1 whole: it was paid on the 4th. F4 was settled there on the 3rd, and here on the 4th."""
    desk.run(ALL, DAY)
    now = NOON + days(1)
    desk.pay("F1", "p1", 10_000, DAY + days(2), now)
    desk.pay("F4", "p4", 10_000, DAY + days(2), now)
    third = {number: balance for number, balance in ALL.items() if number != "F4"}
    assert desk.run(third, DAY + days(1), now).results == {"same": 5}
    assert desk.book()["F1"][0] == desk.book()["F4"][0] == 0
    assert desk.column("select count(*) from entry where kind = 'erp_adjustment'") == [0]


def test_the_real_payment_takes_the_place_of_the_adjustment_when_it_comes_later(desk: Desk) -> None:
    """The ERP knew on the 3rd of 60 for F1 and of all of F2; the bank's file brings both on the 5th."""
    desk.run(ALL, DAY)
    second = {number: balance for number, balance in ALL.items() if number != "F2"} | {"F1": "40,00"}
    desk.run(second, DAY + days(1))
    desk.plan(NOON + days(1))
    later = NOON + days(3)
    desk.pay("F1", "p1", 6_000, DAY + days(1), later)
    desk.pay("F2", "p2", 10_000, DAY + days(1), later)
    desk.plan(later)
    assert desk.book()["F1"] == (4_000, None) and desk.book()["F2"] == (0, "paid")
    assert desk.column("select sum(amount_minor) from entry where kind = 'erp_adjustment'") == [0]
    assert desk.column("select sum(unallocated_minor) from payment") == [0]
    assert desk.run(second, DAY + days(3)).results == {"same": 5}


def test_new_money_on_an_invoice_that_was_adjusted_lowers_it_and_only_its_excess_replaces(desk: Desk) -> None:
    desk.run(ALL, DAY)
    desk.run(ALL | {"F1": "40,00"}, DAY + days(1))
    desk.pay("F1", "p1", 4_000, DAY + days(4), NOON + days(4))
    assert desk.book()["F1"][0] == 0
    desk.pay("F1", "p2", 5_000, DAY + days(4), NOON + days(4))
    assert desk.book()["F1"][0] == 0
    assert desk.column("select -sum(amount_minor) from entry where kind = 'erp_adjustment'") == [1_000]
    assert desk.column("select sum(unallocated_minor) from payment") == [0]


def test_what_the_list_shows_beyond_our_book_holds_is_told_once_a_day_and_is_released_when_they_agree(desk: Desk) -> None:
    desk.run(ALL, DAY)
    desk.pay("F1", "p1", 3_000, DAY, NOON)
    desk.pay("F5", "p5", 10_000, DAY, NOON)
    for hour in (0, 1):
        now = NOON + days(1) + timedelta(hours=hour)
        assert desk.run(ALL, DAY + days(1), now).results == {"higher": 2, "same": 4}
    assert desk.book()["F1"][0] == 7_000
    holds = "select count(*) from hold where kind = 'balance_differs' and released_at is null"
    assert desk.column(holds) == [1]  # of F5 nothing is asked any more
    # Wednesday's list: the next one is due on Thursday, and two working days later it ends by itself (I7).
    assert [str(u) for u in desk.column("select until from hold")] == ["2026-03-10 05:00:00+00:00"]
    assert desk.column("select count(*) from task where kind = 'balance_differences'") == [1]
    with Session(desk.database.worker) as session:
        found = snapshots.differences(session, desk.creditor.id)
    assert [(row.number, row.erp_minor, row.differs_minor, row.balance_minor) for row in found] == [
        ("F5", 10_000, 10_000, 0), ("F1", 10_000, 3_000, 7_000),
    ]  # fmt: skip
    agreed = {number: balance for number, balance in ALL.items() if number != "F5"} | {"F1": "70,00"}
    assert desk.run(agreed, DAY + days(2)).results == {"same": 5}
    assert desk.column(holds) == [0]


def test_with_a_refused_row_nothing_absent_is_closed_unless_said(desk: Desk) -> None:
    desk.run(ALL, DAY)
    broken = {number: balance for number, balance in ALL.items() if number != "F2"} | {"F1": "1.00.0"}
    assert desk.run(broken, DAY + days(1), due="26/02/2026").results == {"same": 4}
    assert desk.book()["F2"][0] == 10_000
    assert desk.column("select due_on::text from instalment where superseded_at is null order by 1") == ["2026-02-26"] * 4 + [
        "2026-02-27", "2026-02-27",
    ]  # fmt: skip
    again = desk.run(broken | {"F9": "1,00"}, DAY + days(2), anyway=True)
    assert again.results == {"same": 4, "new": 1, "absent": 2}


def test_an_invoice_told_to_us_after_the_lists_day_is_not_absent(desk: Desk) -> None:
    desk.run(ALL, DAY)
    cast.accepted_invoice(desk.database.worker, desk.creditor, "A-1", now=NOON + days(2))
    assert desk.run(ALL, DAY + days(1), NOON + days(2)).results == {"same": 6}
    assert desk.run(ALL, DAY + days(3), NOON + days(3)).results == {"same": 6, "absent": 1}


def test_the_facts_say_what_was_settled_elsewhere_and_the_policy_closes_by_it(desk: Desk) -> None:
    desk.run({"F1": "100,00", "F2": "100,00"}, DAY)
    known: Callable[[str], Any] = lambda number: desk.column(f"select id from invoice where number = '{number}'")[0]  # noqa: E731
    desk.run({"F2": "100,00"}, DAY + days(1))
    with Session(desk.database.worker) as session:
        adjusted = {number: gather(session, known(number), NOON + days(1)) for number in ("F1", "F2")}
    assert {number: facts.erp_adjusted_minor for number, (facts, _) in adjusted.items()} == {"F1": 10_000, "F2": 0}
    _, _, obeyed = settle(*adjusted["F1"], NOON + days(1))
    assert (obeyed.kind, obeyed.rules) == ("close", ("close.settled_in_erp",))


def test_a_promise_is_not_broken_where_a_list_shows_that_it_was_paid(desk: Desk) -> None:
    """Nobody knows the day of that money: it counts as in time, until the payment itself is known and says otherwise."""
    desk.run({"F1": "100,00"}, DAY)
    invoice = desk.column("select id from invoice")[0]
    with desk.begin() as session:
        wish = negotiation.Promise(kind="promise", on=DAY + days(5), amount_minor=6_000)
        agreements.ask(session, invoice, wish, source="portal", actor="customer", now=NOON)
    desk.run({"F1": "40,00"}, DAY + days(11))
    later = NOON + days(11)
    with Session(desk.database.worker) as session:
        facts, manual = gather(session, invoice, later)
    assert [(p.amount_minor, p.recorded_at) for p in facts.settled_in_erp] == [(6_000, later)]
    assert next_step(facts, manual, later).rules == ("agreement.kept",)
    desk.pay("F1", "late", 6_000, DAY + days(10), later)
    with Session(desk.database.worker) as session:
        facts, manual = gather(session, invoice, later)
    assert sum(p.amount_minor for p in facts.received) == 6_000
    assert next_step(facts, manual, later).rules == ("agreement.broken",)


def test_nothing_of_a_row_stays_readable_once_it_is_applied(desk: Desk) -> None:
    run = desk.kept(ALL, DAY, NOON)
    sealed = desk.column("select sealed from snapshot_item order by position")
    assert len(sealed) == 6 and all(b'"C1"' not in bytes(each) for each in sealed)
    desk.apply(run.id, NOON)
    assert desk.column("select count(sealed) from snapshot_item") == [0]


def test_rows_of_one_number_are_instalments_and_a_credit_is_kept_once(desk: Desk) -> None:
    head = "Factura;Cliente;Fecha;Vence;Importe;Saldo\n"
    two = "F1;C1;01/02/2026;27/02/2026;50,00;50,00\nF1;C1;01/02/2026;27/03/2026;50,00;50,00\n"
    credit = "NC1;C1;01/02/2026;27/02/2026;-30,00;-30,00\n"
    twice = "F2;C1;01/02/2026;27/02/2026;9,00;9,00\n" * 2
    for day, rows, results in (
        (0, two + credit + twice, {"new": 1, "credit": 1}),
        (1, two + credit, {"same": 1, "credit": 1}),
        (2, two.splitlines()[1] + "\n" + credit, {"lower": 1, "credit": 1}),
    ):
        path, as_of, now = desk.folder / f"{day}.csv", DAY + days(day), NOON + days(day)
        path.write_text(head + rows)
        table = read_table(path, MAP)
        listed = snapshots.read_list(MAP, table)
        assert len(listed.refused) == (2 if day == 0 else 0)
        with desk.begin() as session:
            seen = snapshots.preview(session, "brill", listed, as_of=as_of, absent_anyway=False, now=now)
            run = snapshots.begin(session, "brill", listed, seen, file=path, digest=table.digest, now=now, sealer=cast.sealer())
        assert desk.apply(run.id, now).results == results
    assert desk.column("select sum(amount_minor) from entry group by instalment order by instalment") == [0, 5_000]
    assert desk.column("select unallocated_minor from payment where source = 'credit_note'") == [3_000]
