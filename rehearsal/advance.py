"""Played time: move the ledger's clock to the next moment at which something happens, ring exactly those, wait for their answers.

At one instant the outside world comes first (payments, then receipts and replies), then contacts by time and invoice, one after
the other within a debtor, so that what is played is what `plan` said. A ring that is lost is repeated; nothing depends on it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from clock import HandClock, monotonic, read_ledger_clock, set_ledger_clock
from ledger import outbox
from worker import Relay
from workflows.words import DUE

RING_AGAIN_SECONDS = 1.0
"""So long without any answer, those in flight are rung again: a ring may have been lost with the server that took it."""
LOST_SECONDS = 10.0
"""So long without an answer of its own, one is rung again although others answer."""
STALLED_SECONDS = 180.0
"""So long without any answer is an error that names who does not answer, not a wait without an end."""
_POLL_SECONDS = 0.004
_AT_ONCE = 48
"""Questions in flight: what the dev server answers quickly; thousands at once make it time out and answer nothing."""
_TOLD = " and not exists (select 1 from outbox o where o.invoice_id = i.id and o.done_at is null)"


class Stalled(RuntimeError):
    """Somebody did not answer in time."""


class Outside(Protocol):
    """The world outside: it knows when it wants to act next, and acts when told what time it is."""

    async def next_at(self) -> datetime | None:
        """The earliest moment at which something happens outside; None when nothing will."""
        ...

    async def play(self, now: datetime) -> bool:
        """It is `now`: let everything due happen, payments first; when it was acknowledged, say whether anything did.

        It is told of every instant, also of those at which it has nothing to do: what it receives then comes at that time.
        """
        ...


class _Due(NamedTuple):
    invoice_id: str
    workflow_id: str
    account_id: str
    step_id: int | None


@dataclass
class _Flight:
    due: _Due
    rung_at: float


def _lost(rung_at: float, *, answered_at: float) -> bool:
    now = monotonic()
    return now - max(rung_at, answered_at) > RING_AGAIN_SECONDS or now - rung_at > LOST_SECONDS


async def _poll() -> None:
    await asyncio.sleep(_POLL_SECONDS)


@dataclass
class Player:
    """Moves the clock. One player at a time; the engine is the worker role's."""

    engine: Engine
    client: Client
    relay: Relay
    outside: Outside | None = None
    on_instant: Callable[[datetime], Awaitable[None]] | None = None
    pause: Callable[[], Awaitable[None]] = field(default=_poll)
    """What to wait for between two looks at the ledger: a moment, or the bell of a worker in this process."""
    clock: HandClock | None = None
    """The clock of a worker in this process, which need not read the ledger's."""
    answers: int = field(default=0, init=False)

    async def start(self, at: datetime) -> None:
        """Put the clock at `at` (never back) and freeze it."""
        await asyncio.to_thread(self._set, at)

    async def advance(self, until: datetime) -> None:
        """Play everything up to and including `until`; raises Stalled when somebody does not answer for three minutes."""
        while True:
            next_at = await self.settle()
            coming = [at for at in (next_at, await self._outside_next()) if at is not None]
            now = await asyncio.to_thread(self._move, min([*coming, until]))
            if not coming or min(coming) > until:
                return
            if self.on_instant is not None:
                await self.on_instant(now)
            if self.outside is not None and await self.outside.play(now):
                next_at = await self.settle()
            if next_at is not None and next_at <= now:
                await self._ring_due(now)

    async def settle(self) -> datetime | None:
        """Tell Temporal everything the ledger recorded, wait until each fact was seen by a decision, say what comes next."""
        began, again, fewest = monotonic(), monotonic() + RING_AGAIN_SECONDS, None
        in_flight = 0
        while True:
            if in_flight < _AT_ONCE:
                await self.relay.pump(_AT_ONCE)
            next_at, unseen, untold, stored = await asyncio.to_thread(self._look)
            if not unseen and not untold and not stored:
                return next_at
            unseen += stored
            in_flight = unseen - untold
            if fewest is None or unseen < fewest:
                began, again, fewest = monotonic(), monotonic() + RING_AGAIN_SECONDS, unseen
            elif monotonic() > again:
                silent = await asyncio.to_thread(self._unseen)
                await asyncio.gather(*(self._ring(due) for due in silent))
                again = monotonic() + RING_AGAIN_SECONDS
                self._complain(began, silent, stored)
            if in_flight >= _AT_ONCE or not untold:
                await self.pause()

    async def _outside_next(self) -> datetime | None:
        return await self.outside.next_at() if self.outside is not None else None

    async def _ring_due(self, now: datetime) -> None:
        """Ring what is due, debtors side by side, the invoices of one debtor one after the other."""
        waiting: dict[str, deque[_Due]] = defaultdict(deque)
        for due in await asyncio.to_thread(self._due, now):
            waiting[due.account_id].append(due)
        flying: dict[str, _Flight] = {}
        began = monotonic()
        while waiting or flying:
            ready = [account for account in waiting if account not in flying][: _AT_ONCE - len(flying)]
            launched = [waiting[account].popleft() for account in ready]
            for account in ready:
                if not waiting[account]:
                    del waiting[account]
            for due in launched:
                flying[due.account_id] = _Flight(due, monotonic())
            await asyncio.gather(*(self._ring(due) for due in launched))
            answered = await asyncio.to_thread(self._answered, [f.due.invoice_id for f in flying.values()], now)
            for account, flight in list(flying.items()):
                if flight.due.invoice_id in answered:
                    del flying[account]
                    self.answers += 1
                    began = monotonic()
                elif _lost(flight.rung_at, answered_at=began):
                    fresh = await asyncio.to_thread(self._one, flight.due.invoice_id)
                    flying[account] = _Flight(fresh, monotonic())
                    await self._ring(fresh)
            self._complain(began, [f.due for f in flying.values()])
            if flying and not launched:
                await self.pause()

    async def _ring(self, due: _Due) -> None:
        try:
            await self.client.get_workflow_handle(due.workflow_id).signal(DUE, due.step_id or 0)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                return  # rung again in a second
            await asyncio.to_thread(self._ring_lost, due.invoice_id)
            await self.relay.pump(_AT_ONCE)

    def _ring_lost(self, invoice_id: str) -> None:
        with Session(self.engine) as session, session.begin():
            outbox.ring_lost(session, invoice_id)

    @staticmethod
    def _complain(began: float, silent: list[_Due], stored: int = 0) -> None:
        if monotonic() - began > STALLED_SECONDS:
            if stored:
                raise Stalled(f"{stored} events of gateways are not applied (GET /v1/payment-events?state=waiting)")
            names = ", ".join(d.workflow_id for d in silent[:5])
            raise Stalled(f"no answer for {STALLED_SECONDS:.0f} s from {len(silent)} invoices: {names}: is the worker running?")

    def _set(self, at: datetime) -> None:
        with self.engine.begin() as connection:
            set_ledger_clock(connection, at, frozen=True)
        self._stands(at)

    def _stands(self, at: datetime) -> None:
        if self.clock is not None:
            self.clock.stands(at)

    def _move(self, to: datetime) -> datetime:
        """Move the clock to `to`, or leave it where it is when that has passed; returns where it stands."""
        with self.engine.begin() as connection:
            at = max(read_ledger_clock(connection), to)
            set_ledger_clock(connection, at, frozen=True)
        self._stands(at)
        return at

    def _look(self) -> tuple[datetime | None, int, int, int]:
        """When something is due next in the ledger; how many invoices no decision has seen, of how many is not yet told, and how
        many events of gateways are not yet applied."""
        with Session(self.engine) as session:
            row = session.execute(
                text(
                    "select (select min(next_at) from invoice where outcome is null),"
                    " (select count(*) from invoice where revision > seen_revision),"
                    " (select count(distinct invoice_id) from outbox where done_at is null),"
                    " (select count(*) from inbox where result is null)"
                )
            ).one()
            return row[0], row[1], row[2], row[3]

    _COLUMNS = (
        "select i.id::text, 'invoice:' || c.slug || ':' || i.number, i.account_id::text, i.next_step_id"
        " from invoice i join creditor c on c.id = i.creditor_id"
    )

    def _due(self, now: datetime) -> list[_Due]:
        with Session(self.engine) as session:
            rows = session.execute(
                text(f"{self._COLUMNS} where i.outcome is null and i.next_at <= :now order by i.next_at, i.number, i.id"),
                {"now": now},
            )
            return [_Due(*row) for row in rows]

    def _one(self, invoice_id: str) -> _Due:
        with Session(self.engine) as session:
            return _Due(*session.execute(text(f"{self._COLUMNS} where i.id = :id"), {"id": invoice_id}).one())

    def _unseen(self) -> list[_Due]:
        """Those of which Temporal was told, or should have been."""
        with Session(self.engine) as session:
            return [_Due(*row) for row in session.execute(text(f"{self._COLUMNS} where i.revision > i.seen_revision{_TOLD}"))]

    def _answered(self, invoice_ids: list[str], now: datetime) -> set[str]:
        with Session(self.engine) as session:
            rows = session.execute(
                text(
                    "select id::text from invoice where id = any(cast(:ids as uuid[]))"
                    " and (outcome is not null or next_at > :now)"
                ),
                {"ids": invoice_ids, "now": now},
            )
            return set(rows.scalars())
