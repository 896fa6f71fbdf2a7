"""Ids go up in the order in which they are drawn, also within one millisecond, and nobody guesses one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import RFC_4122, UUID

import pytest

from clock import wall_now
from ledger import ids
from ledger.ids import is_id, new_id, new_ids


def test_the_ids_of_one_call_and_of_calls_after_one_another_go_up() -> None:
    drawn = [*new_ids(10_000), *new_ids(0), *(str(new_id()) for _ in range(1_000)), *new_ids(3)]
    assert drawn == sorted(set(drawn)), "PostgreSQL compares a uuid byte by byte, as its text is compared"


def test_an_id_is_a_uuid_of_version_7_with_the_time_and_62_random_bits() -> None:
    before = wall_now()
    drawn = [UUID(one) for one in new_ids(5_000)]
    assert {(one.version, one.variant) for one in drawn} == {(7, RFC_4122)} and all(is_id(str(one)) for one in drawn)
    assert abs((drawn[0].int >> 80) - before.timestamp() * 1000) < 60_000
    random = [one.int & (1 << 62) - 1 for one in drawn]
    assert len(set(random)) == 5_000
    for bit in range(62):
        assert 2_000 < sum(tail >> bit & 1 for tail in random) < 3_000, bit


def test_a_clock_that_goes_back_does_not_take_the_ids_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_ids(2)
    monkeypatch.setattr(ids, "wall_now", lambda: wall_now() - timedelta(hours=1))
    assert before < new_ids(2)


def test_two_threads_never_draw_the_same_place() -> None:
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: new_ids(50), range(200)))
    assert len({one[:18] for part in parts for one in part}) == 10_000
    assert all(part == sorted(part) for part in parts)
