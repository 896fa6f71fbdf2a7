"""The one business clock: what day it is, the same for a webhook, a page and a workflow.

`RealClock` is the wall clock. `LedgerClock` is one row in the ledger that only moves forward; while it is played it is frozen
and `rehearsal.advance` moves it, otherwise it runs at normal pace from where it was left. Only this file reads the time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import reset_tzpath

from sqlalchemy import Connection, Engine, text

from direct import ask_alone

# The system's zone tables win over the pinned tzdata package unless this is said, and they are wrong for parts of Canada.
reset_tzpath(to=[])


def wall_now() -> datetime:
    """The machine's time, for measuring and for logs; never for a business decision."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds of a clock that never goes back, for time-outs and progress."""
    return time.monotonic()


class Clock(Protocol):
    """Business time."""

    def now(self) -> datetime:
        """The business instant, in UTC."""
        ...

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        """The instant `at` on the clock of a workflow whose activity began at `started` (its own time) and read `now` here."""
        ...


class RealClock:
    """Business time is the wall clock."""

    def now(self) -> datetime:
        return wall_now()

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        return at


class LedgerClock:
    """Business time is a row of `ledger_clock`: `at_utc`, and `running_since` (null while it is played)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def now(self) -> datetime:
        # Read at each decision: not three round trips for one row.
        return _instant(ask_alone(self._engine, _READ))

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        return at - (now - started)


class HandClock(LedgerClock):
    """The ledger's clock where the process that works by it is the only one to move it: told, it need not be read."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._at: datetime | None = None

    def now(self) -> datetime:
        return self._at or super().now()

    def stands(self, at: datetime) -> None:
        """The ledger's row was moved to `at`, and it is committed."""
        self._at = at


_READ = "select at_utc, running_since from ledger_clock where id = 1"


def read_ledger_clock(connection: Connection) -> datetime:
    """The ledger's instant; raises LookupError when the clock was never set."""
    return _instant(connection.execute(text(_READ)).one_or_none())


def _instant(row: Sequence[Any] | None) -> datetime:
    if row is None:
        raise LookupError("the ledger clock is not set: start with `puntual demo` or `puntual replay`, or use PUNTUAL_CLOCK=real")
    at: datetime = row[0]
    return at if row[1] is None else at + (wall_now() - row[1])


def set_ledger_clock(connection: Connection, at: datetime, *, frozen: bool) -> None:
    """Move the ledger's clock forward to `at`; moving it back raises ValueError."""
    row = connection.execute(text("select at_utc from ledger_clock where id = 1 for update")).one_or_none()
    if row is not None and row.at_utc > at:
        raise ValueError(f"the ledger clock stands at {row.at_utc.isoformat()} and never goes back to {at.isoformat()}")
    connection.execute(
        text(
            "insert into ledger_clock (id, at_utc, running_since) values (1, :at, :since)"
            " on conflict (id) do update set at_utc = excluded.at_utc, running_since = excluded.running_since"
        ),
        {"at": at, "since": None if frozen else wall_now()},
    )
