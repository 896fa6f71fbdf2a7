"""A player and a worker in one process, on a stack that is thrown away: what plays a replay, and the bench's portfolio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from activities.collector import Collector
from clock import HandClock
from rehearsal.advance import Outside, Player
from rehearsal.bell import Bell, with_bell
from settings import Settings
from worker import INVOICES, THREADS, Relay, build_tools, build_worker, connect

_POLLS = 4
"""So few ask for activities that places are left for those that come with the answer to a workflow's task."""


@asynccontextmanager
async def playing(
    settings: Settings,
    engine: Engine,
    *,
    outside: Outside | None = None,
    on_instant: Callable[[datetime], Awaitable[None]] | None = None,
) -> AsyncIterator[Player]:
    """A player whose worker runs for the length of the block. It is the only one to move the ledger's clock.

    A worker that dies ends the block with its error.
    """
    bell, clock = Bell(), HandClock(engine)
    client = with_bell(await connect(settings), bell)
    relay = Relay(client, engine, console_url=settings.public_url, rehearsal=True)
    player = Player(engine, client, relay, outside=outside, on_instant=on_instant, pause=bell.wait, clock=clock)
    activities = Collector(replace(build_tools(settings, engine), clock=clock)).all().values()
    with ThreadPoolExecutor(THREADS) as pool:
        async with build_worker(client, INVOICES, list(activities), pool, slots=THREADS, polls=_POLLS):
            yield player
