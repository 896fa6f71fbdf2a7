"""From the acknowledgement to the application: in order for one customer, side by side for others, and never stuck."""

from __future__ import annotations

import threading
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import pytest

from api.handover import THREADS, Handover

CREDITOR, ANA, LUIS = uuid4(), uuid4(), uuid4()


class Applying:
    """Stands for the ledger: each application waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.changed = threading.Condition()
        self.let_go: set[int] = set()

    def __call__(self, engine: Any, sealer: Any, creditor: UUID, row: int) -> str:
        with self.changed:
            self.begun.append(row)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: row in self.let_go, timeout=5)
        return "applied"

    def free(self, *rows: int) -> None:
        with self.changed:
            self.let_go.update(rows)
            self.changed.notify_all()

    def has_begun(self, *rows: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: set(rows) <= set(self.begun), timeout=5), self.begun


@pytest.fixture
def applying(monkeypatch: pytest.MonkeyPatch) -> Applying:
    applying = Applying()
    monkeypatch.setattr("api.handover.apply_event", applying)
    return applying


def _handover() -> Handover:
    return Handover(mock.Mock(), mock.Mock())


def test_events_about_one_customer_are_applied_in_their_order_and_others_meanwhile(applying: Applying) -> None:
    handover = _handover()
    for row, about in ((1, ANA), (2, ANA), (3, LUIS), (4, ANA)):
        handover.put(CREDITOR, row, about=about)
    applying.has_begun(1, 3)
    assert set(applying.begun) == {1, 3}
    applying.free(3, 4)
    applying.free(1)
    applying.has_begun(2)
    assert 4 not in applying.begun
    applying.free(2)
    assert handover.drain(5) and [row for row in applying.begun if row != 3] == [1, 2, 4]
    handover.close()


def test_a_thread_survives_what_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def fail_or_apply(engine: Any, sealer: Any, creditor: UUID, row: int) -> str:
        if row < 2 * THREADS:
            raise ZeroDivisionError
        done.append(row)
        return "applied"

    monkeypatch.setattr("api.handover.apply_event", fail_or_apply)
    handover = _handover()
    for row in range(3 * THREADS):
        handover.put(CREDITOR, row)
    assert handover.drain(5) and done == list(range(2 * THREADS, 3 * THREADS))
    handover.close()


def test_a_stop_does_not_wait_for_ever_and_begins_nothing_more(applying: Applying) -> None:
    handover = _handover()
    handover.put(CREDITOR, 1, about=ANA)
    applying.has_begun(1)
    handover.put(CREDITOR, 2, about=ANA)
    handover.close(seconds=0.05)
    handover.put(CREDITOR, 3, about=LUIS)
    applying.free(1)
    assert handover.drain(5) and applying.begun == [1]


def test_what_is_more_than_the_queue_holds_is_left(applying: Applying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.handover.QUEUE_MOST", 2)
    handover = _handover()
    for row in (1, 2, 3):
        handover.put(CREDITOR, row)
    applying.free(1, 2, 3)
    assert handover.drain(5) and applying.begun == [1, 2]
    handover.put(CREDITOR, 3)
    assert handover.drain(5) and applying.begun == [1, 2, 3]
    handover.close()
