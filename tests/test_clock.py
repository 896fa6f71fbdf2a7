"""The business clock stands or goes forward; nobody can play a day again (OCA-11)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clock import LedgerClock, set_ledger_clock
from tests.cast import NOW
from tests.conftest import Database


def test_a_played_clock_never_goes_back(database: Database) -> None:
    with database.worker.begin() as connection:
        set_ledger_clock(connection, NOW, frozen=True)
    with pytest.raises(ValueError, match="never goes back"), database.worker.begin() as connection:
        set_ledger_clock(connection, NOW - timedelta(seconds=1), frozen=True)
    assert LedgerClock(database.worker).now() == NOW
