"""A creditor's whole list of open items, day after day: what it lowers, closes, reopens, holds, and what waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from ledger import agreements, payments, snapshot_store, snapshots
from ledger.facts import gather
from ledger.import_files import read_table
from ledger.refusals import Refused
from ledger.snapshot_apply import Applied, apply_run
from policies import negotiation
from policies.forecast import settle
from policies.next_step import next_step
from policies.portfolio_map import load_map
from tests import cast
from tests.conftest import Database

MAP = load_map(
    'format: {date: dmy, decimal: ","}\n'
    "columns: {invoice: Factura, debtor: Cliente, issued_on: Fecha, due_on: Vence, amount: Importe, balance: Saldo}\n"
    "defaults: {currency: COP, country: CO, kind: business}\n",
    "map.yaml",
)
DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 15, tzinfo=UTC)
"""Ten in the morning in Bogotá, the day after the first list."""


class Desk:
    """Brill and the lists of its ERP: one customer, amounts of 100,00 unless the balance says otherwise."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.creditor = cast.creditor_brill(database.worker)
        self.begin = sessionmaker(database.worker).begin

    def look(self, balances: dict[str, str], as_of: date, now: datetime, anyway: bool = False, due: str = "") -> Any:
        due = due or "27/02/2026"
        rows = [f"{number};C1;01/02/2026;{due};100,00;{balance}\n" for number, balance in balances.items()]
        path = self.folder / f"{as_of}.csv"
        path.write_text("Factura;Cliente;Fecha;Vence;Importe;Saldo\n" + "".join(rows))
        table = read_table(path, MAP)
        listed = snapshots.read_list(MAP, table)
        with self.begin() as session:
            seen = snapshots.preview(session, "brill", listed, as_of=as_of, absent_anyway=anyway, now=now)
        return path, table, listed, seen

    def run(
        self, balances: dict[str, str], as_of: date, now: datetime | None = None, looked: bool = True, **change: Any
    ) -> Applied:
        """Import a list; where it fell too far, a person has looked at it unless the test says otherwise."""
        now = now or NOON + (as_of - DAY)
        run = self.kept(balances, as_of, now, **change)
        return self.apply(run.id, now) if run.state == "applying" or looked else Applied({"waits": 1})

    def kept(self, balances: dict[str, str], as_of: date, now: datetime, **change: Any) -> Any:
        path, table, listed, seen = self.look(balances, as_of, now, **change)
        with self.begin() as session:
            return snapshots.begin(session, "brill", listed, seen, file=path, digest=table.digest, now=now, sealer=cast.sealer())

    def apply(self, run_id: UUID, now: datetime, **more: Any) -> Applied:
        return apply_run(self.begin, run_id, now=lambda: now, sealer=cast.sealer(), **more)

    def plan(self, now: datetime) -> None:
        """Let each invoice be decided, as its workflow would."""
        from ledger import steps
        from ledger.session import lock_debtor_of

        for invoice_id in self.column("select id from invoice order by number"):
            with self.begin() as session:
                lock_debtor_of(session, str(invoice_id))
                steps.decide(session, *gather(session, invoice_id, now), now)

    def pay(self, number: str, ref: str, amount: int, on: date, now: datetime) -> None:
        invoice = self.column(f"select id from invoice where number = '{number}'")[0]
        with self.begin() as session:
            payments.record_payment(
                session, self.creditor.id, source="manual", source_ref=ref, amount_minor=amount, currency="COP", paid_on=on,
                value_on=on, now=now, invoice_id=invoice,
            )  # fmt: skip

    def column(self, sql: str) -> list[Any]:
        with self.database.worker.connect() as connection:
            return list(connection.execute(text(sql)).scalars())

    def book(self) -> dict[str, tuple[int, str | None]]:
        with self.database.worker.connect() as connection:
            rows = connection.execute(text("select number, balance_minor, outcome from invoice order by number")).all()
        return {row.number: (row.balance_minor, row.outcome) for row in rows}


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def _days(count: int) -> timedelta:
    return timedelta(days=count)


ALL = {"F1": "100,00", "F2": "100,00", "F3": "60,00", "F4": "100,00", "F5": "100,00", "F6": "100,00"}


def test_new_rows_enter_and_the_same_list_again_changes_nothing(desk: Desk) -> None:
    assert desk.run(ALL, DAY).results == {"new": 6}
    assert desk.book()["F3"] == (6_000, None)
    entries = desk.column("select count(*) from entry")
    assert desk.run(ALL, DAY, NOON + timedelta(hours=1)).results == {"same": 6}
    assert desk.column("select count(*) from entry") == entries


def test_less_is_adjusted_on_the_lists_day_absent_rows_close_and_one_that_comes_back_reopens(desk: Desk) -> None:
    desk.run(ALL, DAY)
    second = {number: balance for number, balance in ALL.items() if number != "F2"} | {"F1": "40,00"}
    assert desk.run(second, DAY + _days(1)).results == {"lower": 1, "same": 4, "absent": 1}
    now = NOON + _days(1)
    desk.plan(now)
    assert desk.book()["F1"] == (4_000, None) and desk.book()["F2"] == (0, "settled_in_erp")
    assert desk.column("select dated_on::text from entry where kind = 'erp_adjustment'") == ["2026-03-03", "2026-03-03"]
    assert desk.run(ALL | {"F1": "40,00"}, DAY + _days(2)).results == {"same": 5, "back": 1}
    assert desk.book()["F2"] == (10_000, None)
    assert desk.column("select cycle from invoice where number in ('F1', 'F2') order by number") == [1, 2]
    assert desk.column("select cycle_notice from invoice where number = 'F2'") == ["reopened"]


def test_a_payment_since_the_lists_day_is_not_undone_and_not_counted_twice(desk: Desk) -> None:
    """The list of the 3rd still shows F1 whole: it was paid on the 4th. F4 was settled there on the 3rd, and here on the 4th."""
    desk.run(ALL, DAY)
    now = NOON + _days(1)
    desk.pay("F1", "p1", 10_000, DAY + _days(2), now)
    desk.pay("F4", "p4", 10_000, DAY + _days(2), now)
    third = {number: balance for number, balance in ALL.items() if number != "F4"}
    assert desk.run(third, DAY + _days(1), now).results == {"same": 5}
    assert desk.book()["F1"][0] == desk.book()["F4"][0] == 0
    assert desk.column("select count(*) from entry where kind = 'erp_adjustment'") == [0]


def test_the_real_payment_takes_the_place_of_the_adjustment_when_it_comes_later(desk: Desk) -> None:
    """The ERP knew on the 3rd of 60 for F1 and of all of F2; the bank's file brings both on the 5th."""
    desk.run(ALL, DAY)
    second = {number: balance for number, balance in ALL.items() if number != "F2"} | {"F1": "40,00"}
    desk.run(second, DAY + _days(1))
    desk.plan(NOON + _days(1))
    later = NOON + _days(3)
    desk.pay("F1", "p1", 6_000, DAY + _days(1), later)
    desk.pay("F2", "p2", 10_000, DAY + _days(1), later)
    desk.plan(later)
    assert desk.book()["F1"] == (4_000, None) and desk.book()["F2"] == (0, "paid")
    assert desk.column("select sum(amount_minor) from entry where kind = 'erp_adjustment'") == [0]
    assert desk.column("select sum(unallocated_minor) from payment") == [0]
    assert desk.run(second, DAY + _days(3)).results == {"same": 5}


def test_new_money_on_an_invoice_that_was_adjusted_lowers_it_and_only_its_excess_replaces(desk: Desk) -> None:
    desk.run(ALL, DAY)
    desk.run(ALL | {"F1": "40,00"}, DAY + _days(1))
    desk.pay("F1", "p1", 4_000, DAY + _days(4), NOON + _days(4))
    assert desk.book()["F1"][0] == 0
    desk.pay("F1", "p2", 5_000, DAY + _days(4), NOON + _days(4))
    assert desk.book()["F1"][0] == 0
    assert desk.column("select -sum(amount_minor) from entry where kind = 'erp_adjustment'") == [1_000]
    assert desk.column("select sum(unallocated_minor) from payment") == [0]


def test_what_the_list_shows_beyond_our_book_holds_is_told_once_a_day_and_is_released_when_they_agree(desk: Desk) -> None:
    desk.run(ALL, DAY)
    desk.pay("F1", "p1", 3_000, DAY, NOON)
    desk.pay("F5", "p5", 10_000, DAY, NOON)
    for hour in (0, 1):
        now = NOON + _days(1) + timedelta(hours=hour)
        assert desk.run(ALL, DAY + _days(1), now).results == {"higher": 2, "same": 4}
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
    assert desk.run(agreed, DAY + _days(2)).results == {"same": 5}
    assert desk.column(holds) == [0]


def test_a_list_that_fell_by_more_than_a_fifth_waits_for_a_person_and_expires(desk: Desk) -> None:
    desk.run(ALL, DAY)
    four = {number: ALL[number] for number in ("F1", "F2", "F3", "F4")}
    now = NOON + _days(1)
    assert desk.run(four, DAY + _days(1), now, looked=False).results == {"waits": 1}
    assert desk.book()["F6"][0] == 10_000
    assert "rows fell by 33 %; COP balance fell by 35 %" in desk.column("select why from task where kind = 'confirm_snapshot'")[0]
    with desk.begin() as session:
        assert snapshot_store.expire(session, now=now + timedelta(hours=47)) == 0
        assert snapshot_store.expire(session, now=now + _days(2)) == 1
    assert desk.column("select state from snapshot_run order by created_at") == ["applied", "expired"]
    assert desk.column("select done_at is not null from task where kind = 'confirm_snapshot'") == [True]
    run = desk.kept(four, DAY + _days(1), now + _days(2))
    with desk.begin() as session:
        snapshot_store.confirm(session, run.id, actor="lead", now=now + _days(2))
    assert desk.apply(run.id, now + _days(2)).results == {"same": 4, "absent": 2}
    with desk.begin() as session, pytest.raises(Refused, match="is applied"):
        snapshot_store.discard(session, run.id, actor="lead", now=now)


def test_numbers_that_lost_their_zeros_wait_for_a_person(desk: Desk) -> None:
    desk.run({"0001": "100,00", "0002": "100,00"}, DAY)
    assert desk.run({"1": "100,00", "2": "100,00"}, DAY + _days(1), looked=False).results == {"waits": 1}
    assert desk.run({"0001": "100,00", "0002": "100,00", "3": "1,00"}, DAY + _days(2), looked=False).results == {
        "same": 2,
        "new": 1,
    }


def test_a_drop_of_exactly_a_fifth_does_not_wait(desk: Desk) -> None:
    five = {f"F{n}": "100,00" for n in range(5)}
    desk.run(five, DAY)
    del five["F4"]
    assert desk.run(five, DAY + _days(1), looked=False).results == {"same": 4, "absent": 1}


def test_with_a_refused_row_nothing_absent_is_closed_unless_said(desk: Desk) -> None:
    desk.run(ALL, DAY)
    broken = {number: balance for number, balance in ALL.items() if number != "F2"} | {"F1": "1.00.0"}
    assert desk.run(broken, DAY + _days(1), due="26/02/2026").results == {"same": 4}
    assert desk.book()["F2"][0] == 10_000
    assert desk.column("select due_on::text from instalment where superseded_at is null order by 1") == ["2026-02-26"] * 4 + [
        "2026-02-27", "2026-02-27",
    ]  # fmt: skip
    again = desk.run(broken | {"F9": "1,00"}, DAY + _days(2), anyway=True)
    assert again.results == {"same": 4, "new": 1, "absent": 2}


def test_an_invoice_told_to_us_after_the_lists_day_is_not_absent(desk: Desk) -> None:
    desk.run(ALL, DAY)
    cast.accepted_invoice(desk.database.worker, desk.creditor, "A-1", now=NOON + _days(2))
    assert desk.run(ALL, DAY + _days(1), NOON + _days(2)).results == {"same": 6}
    assert desk.run(ALL, DAY + _days(3), NOON + _days(3)).results == {"same": 6, "absent": 1}


def test_a_run_that_is_killed_goes_on_and_an_older_list_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.snapshot_apply.PART_ITEMS", 2)
    desk.run(ALL, DAY)
    second = {number: "50,00" for number in ALL if number != "F6"}
    now = NOON + _days(1)
    run = desk.kept(second, DAY + _days(1), now)
    with desk.begin() as session:
        snapshot_store.confirm(session, run.id, actor="lead", now=now)

    def killed(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.apply(run.id, now, on_progress=killed)
    with pytest.raises(Refused, match="half applied"):
        desk.kept(ALL, DAY, now)
    assert desk.column("select kind from task where done_at is null") == ["finish_snapshot"]
    assert desk.apply(run.id, now).results["absent"] == 1
    assert {number: balance for number, (balance, _) in desk.book().items()} == dict.fromkeys(second, 5_000) | {"F6": 0}
    with pytest.raises(Refused, match="a later list"):
        desk.look(ALL, DAY, now)
    with pytest.raises(Refused, match="still to come"):
        desk.look(ALL, DAY + _days(9), now)


def _half_applied(desk: Desk, balances: dict[str, str], as_of: date, now: datetime) -> UUID:
    """A list whose run was killed behind its first part."""
    run = desk.kept(balances, as_of, now)
    with desk.begin() as session:
        snapshot_store.confirm(session, run.id, actor="lead", now=now)

    def killed(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.apply(run.id, now, on_progress=killed)
    found: UUID = run.id
    return found


def test_a_newer_list_takes_the_place_of_one_that_was_killed_half_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.snapshot_apply.PART_ITEMS", 2)
    desk.run(ALL, DAY)
    killed = _half_applied(desk, dict.fromkeys(ALL, "50,00"), DAY + _days(1), NOON + _days(1))
    newer = {number: "70,00" for number in ALL if number != "F3"} | {"F7": "10,00"}
    done = desk.run(newer, DAY + _days(2), NOON + _days(2), looked=True)
    assert done.results == {"back": 2, "lower": 3, "new": 1, "absent": 1}
    assert {n: b for n, (b, _) in desk.book().items()} == {**dict.fromkeys(newer, 7_000), "F7": 1_000, "F3": 0}
    assert desk.apply(killed, NOON + _days(2)).results == {}
    assert desk.column("select outcome from task where kind = 'finish_snapshot' order by created_at") == [
        "applied", "discarded", "applied",
    ]  # fmt: skip


def test_a_list_that_nobody_goes_on_with_ends_and_keeps_no_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.snapshot_apply.PART_ITEMS", 2)
    now = NOON + _days(1)
    _half_applied(desk, ALL, DAY + _days(1), now)
    for at, left in ((now + _days(2) - timedelta(seconds=1), (["applying"], 6)), (now + _days(2), (["expired"], 0))):
        with desk.begin() as session:
            snapshot_store.expire(session, now=at)
        assert (desk.column("select state from snapshot_run"), desk.column("select count(*) from snapshot_item")[0]) == left
    assert desk.column("select outcome from task") == ["expired"]


def test_the_facts_say_what_was_settled_elsewhere_and_the_policy_closes_by_it(desk: Desk) -> None:
    desk.run({"F1": "100,00", "F2": "100,00"}, DAY)
    known: Callable[[str], Any] = lambda number: desk.column(f"select id from invoice where number = '{number}'")[0]  # noqa: E731
    desk.run({"F2": "100,00"}, DAY + _days(1))
    with Session(desk.database.worker) as session:
        adjusted = {number: gather(session, known(number), NOON + _days(1)) for number in ("F1", "F2")}
    assert {number: facts.erp_adjusted_minor for number, (facts, _) in adjusted.items()} == {"F1": 10_000, "F2": 0}
    _, _, obeyed = settle(*adjusted["F1"], NOON + _days(1))
    assert (obeyed.kind, obeyed.rules) == ("close", ("close.settled_in_erp",))


def test_a_promise_is_not_broken_where_a_list_shows_that_it_was_paid(desk: Desk) -> None:
    """Nobody knows the day of that money: it counts as in time, until the payment itself is known and says otherwise."""
    desk.run({"F1": "100,00"}, DAY)
    invoice = desk.column("select id from invoice")[0]
    with desk.begin() as session:
        wish = negotiation.Promise(kind="promise", on=DAY + _days(5), amount_minor=6_000)
        agreements.ask(session, invoice, wish, source="portal", actor="customer", now=NOON)
    desk.run({"F1": "40,00"}, DAY + _days(11))
    later = NOON + _days(11)
    with Session(desk.database.worker) as session:
        facts, manual = gather(session, invoice, later)
    assert [(p.amount_minor, p.recorded_at) for p in facts.settled_in_erp] == [(6_000, later)]
    assert next_step(facts, manual, later).rules == ("agreement.kept",)
    desk.pay("F1", "late", 6_000, DAY + _days(10), later)
    with Session(desk.database.worker) as session:
        facts, manual = gather(session, invoice, later)
    assert sum(p.amount_minor for p in facts.received) == 6_000
    assert next_step(facts, manual, later).rules == ("agreement.broken",)


def test_nothing_of_a_row_stays_readable_once_it_is_applied(desk: Desk) -> None:
    run = desk.kept(ALL, DAY, NOON)
    sealed = desk.column("select sealed from snapshot_item order by position")
    assert len(sealed) == 6 and all(b"C1" not in bytes(each) for each in sealed)
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
        path, as_of, now = desk.folder / f"{day}.csv", DAY + _days(day), NOON + _days(day)
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


def test_a_credit_shrinks_as_the_list_uses_it_and_ends_when_the_list_has_it_no_more(desk: Desk) -> None:
    head = "Factura;Cliente;Fecha;Vence;Importe;Saldo\nF1;C1;01/02/2026;27/02/2026;100,00;{}\n"
    credit = "NC1;C1;01/02/2026;27/02/2026;-30,00;{}\n"
    left, tasks = [], []
    for day, owed, open_minor in ((0, "100,00", "-30,00"), (1, "80,00", "-10,00"), (2, "80,00", "-10,00"), (3, "70,00", "")):
        path, as_of, now = desk.folder / f"{day}.csv", DAY + _days(day), NOON + _days(day)
        path.write_text(head.format(owed) + (credit.format(open_minor) if open_minor else ""))
        table = read_table(path, MAP)
        listed = snapshots.read_list(MAP, table)
        with desk.begin() as session:
            seen = snapshots.preview(session, "brill", listed, as_of=as_of, absent_anyway=False, now=now)
            run = snapshots.begin(session, "brill", listed, seen, file=path, digest=table.digest, now=now, sealer=cast.sealer())
        assert desk.apply(run.id, now).refused == []
        left.append(desk.column("select sum(unallocated_minor) from payment")[0])
        tasks.append(desk.column("select count(*) from task where kind = 'match_payment' and done_at is null")[0])
    assert (left, tasks) == ([3_000, 1_000, 1_000, 0], [1, 1, 1, 0])
    assert desk.book()["F1"][0] == 7_000
