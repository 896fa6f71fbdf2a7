"""The runs of lists of open items: waiting for a person, killed half way, followed by newer ones; their credits."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ledger import feeds, snapshot_store, snapshots
from ledger.import_files import read_table
from ledger.refusals import Refused
from tests import cast
from tests.conftest import Database
from tests.ledger.lists import ALL, DAY, MAP, NOON, Desk, days


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def test_a_list_that_fell_by_more_than_a_fifth_waits_for_a_person_and_expires(desk: Desk) -> None:
    desk.run(ALL, DAY)
    four = {number: ALL[number] for number in ("F1", "F2", "F3", "F4")}
    now = NOON + days(1)
    assert desk.run(four, DAY + days(1), now, looked=False).results == {"waits": 1}
    assert desk.book()["F6"][0] == 10_000
    assert "rows fell by 33 %; COP balance fell by 35 %" in desk.column("select why from task where kind = 'confirm_snapshot'")[0]
    with desk.begin() as session:
        assert snapshot_store.expire(session, now=now + timedelta(hours=47)) == 0
        assert snapshot_store.expire(session, now=now + days(2)) == 1
    assert desk.column("select state from snapshot_run order by created_at") == ["applied", "expired"]
    assert desk.column("select done_at is not null from task where kind = 'confirm_snapshot'") == [True]
    run = desk.kept(four, DAY + days(1), now + days(2))
    with desk.begin() as session:
        snapshot_store.confirm(session, run.id, actor="lead", now=now + days(2))
    assert desk.apply(run.id, now + days(2)).results == {"same": 4, "absent": 2}
    with desk.begin() as session, pytest.raises(Refused, match="is applied"):
        snapshot_store.discard(session, run.id, actor="lead", now=now)


def test_numbers_that_lost_their_zeros_wait_for_a_person(desk: Desk) -> None:
    desk.run({"0001": "100,00", "0002": "100,00"}, DAY)
    assert desk.run({"1": "100,00", "2": "100,00"}, DAY + days(1), looked=False).results == {"waits": 1}
    assert desk.run({"0001": "100,00", "0002": "100,00", "3": "1,00"}, DAY + days(2), looked=False).results == {
        "same": 2,
        "new": 1,
    }


def test_a_drop_of_exactly_a_fifth_does_not_wait(desk: Desk) -> None:
    five = {f"F{n}": "100,00" for n in range(5)}
    desk.run(five, DAY)
    del five["F4"]
    assert desk.run(five, DAY + days(1), looked=False).results == {"same": 4, "absent": 1}


def test_a_run_that_is_killed_goes_on_and_an_older_list_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.snapshot_apply.PART_ITEMS", 2)
    desk.run(ALL, DAY)
    second = {number: "50,00" for number in ALL if number != "F6"}
    now = NOON + days(1)
    run = _half_applied(desk, second, DAY + days(1), now)
    with pytest.raises(Refused, match="half applied"):
        desk.kept(ALL, DAY, now)
    assert desk.column("select kind from task where done_at is null") == ["finish_snapshot"]
    assert desk.apply(run, now).results["absent"] == 1
    assert {number: balance for number, (balance, _) in desk.book().items()} == dict.fromkeys(second, 5_000) | {"F6": 0}
    with pytest.raises(Refused, match="a later list"):
        desk.look(ALL, DAY, now)
    with pytest.raises(Refused, match="still to come"):
        desk.look(ALL, DAY + days(9), now)


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
    killed = _half_applied(desk, dict.fromkeys(ALL, "50,00"), DAY + days(1), NOON + days(1))
    newer = {number: "70,00" for number in ALL if number != "F3"} | {"F7": "10,00"}
    done = desk.run(newer, DAY + days(2), NOON + days(2), looked=True)
    assert done.results == {"back": 2, "lower": 3, "new": 1, "absent": 1}
    assert {n: b for n, (b, _) in desk.book().items()} == {**dict.fromkeys(newer, 7_000), "F7": 1_000, "F3": 0}
    assert desk.apply(killed, NOON + days(2)).results == {}
    assert desk.column("select outcome from task where kind = 'finish_snapshot' order by created_at") == [
        "applied", "discarded", "applied",
    ]  # fmt: skip


def test_a_list_that_nobody_goes_on_with_ends_and_keeps_no_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.snapshot_apply.PART_ITEMS", 2)
    now = NOON + days(1)
    _half_applied(desk, ALL, DAY + days(1), now)
    for at, left in ((now + days(2) - timedelta(seconds=1), (["applying"], 6)), (now + days(2), (["expired"], 0))):
        with desk.begin() as session:
            snapshot_store.expire(session, now=at)
        assert (desk.column("select state from snapshot_run"), desk.column("select count(*) from snapshot_item")[0]) == left
    assert desk.column("select outcome from task") == ["expired"]


def test_a_credit_shrinks_as_the_list_uses_it_and_ends_when_the_list_has_it_no_more(desk: Desk) -> None:
    head = "Factura;Cliente;Fecha;Vence;Importe;Saldo\nF1;C1;01/02/2026;27/02/2026;100,00;{}\n"
    credit = "NC1;C1;01/02/2026;27/02/2026;-30,00;{}\n"
    left, tasks = [], []
    for day, owed, open_minor in ((0, "100,00", "-30,00"), (1, "80,00", "-10,00"), (2, "80,00", "-10,00"), (3, "70,00", "")):
        path, as_of, now = desk.folder / f"{day}.csv", DAY + days(day), NOON + days(day)
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


def test_a_fresh_list_is_word_of_the_erp_and_an_old_one_is_not(desk: Desk) -> None:
    sources: list[Any] = ["erp", "bank"]
    for kind in sources:
        with desk.begin() as session:
            feeds.declare(session, desk.creditor.id, name=kind, kind=kind, fresh_minutes=60, expected_by="10:00", now=NOON)
    heard = "select seen_at from payment_source where kind = 'erp'"
    desk.run(ALL, DAY, NOON + days(2))
    assert desk.column(heard) == [NOON]
    desk.run(ALL, DAY + days(1), NOON + days(2))
    assert desk.column(heard) == [NOON]
    desk.run(ALL, DAY + days(3), NOON + days(3))
    assert desk.column(heard) == [NOON + days(3)]
    assert desk.column("select complete_to from payment_source where kind = 'bank'") == [DAY]
