"""One creditor with a few invoices, everything running: API, worker, Temporal with its UI, and played time."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import uvicorn
from temporalio.client import Client

from activities.collector import Tools
from activities.compose import Composer
from api.app import create_app
from channels import Accepted, Outgoing
from clock import LedgerClock
from policies.terms import Channel
from rehearsal.advance import Player
from settings import Settings
from supervise import free_port
from tests import cast
from tests.conftest import Database, TemporalServer
from worker import THREADS, Relay, build_workers

T = TypeVar("T")
_LINK = re.compile(r"https?://[^\s/]+/p/[A-Za-z0-9_-]{43}")


class Letterbox:
    """A provider that accepts everything and keeps what it was given."""

    provider = "letterbox"

    def __init__(self, channel: Channel, kept: list[Outgoing]) -> None:
        self.channel = channel
        self._kept = kept

    def send(self, outgoing: Outgoing) -> Accepted:
        self._kept.append(outgoing)
        return Accepted(provider_ref=f"letter-{len(self._kept)}")


class Scene:
    """The product at work in this process; `play` moves its time."""

    def __init__(self, database: Database, temporal: TemporalServer) -> None:
        self.database = database
        self.temporal = temporal
        self.sent: list[Outgoing] = []
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._player: Player | None = None
        self._stop = asyncio.Event()

    def play(self, until: datetime) -> None:
        """Move time to `until`, with everything that happens before it."""
        assert self._player is not None
        self._wait(self._player.advance(until))

    def settle(self) -> None:
        """Until every workflow has seen what the ledger holds."""
        assert self._player is not None
        self._wait(self._player.settle())

    def link(self, number: str) -> str:
        """The customer's link out of the last message that names an invoice."""
        for outgoing in reversed(self.sent):
            if number in outgoing.text and (found := _LINK.search(outgoing.text)):
                return found[0]
        raise AssertionError(f"no message with a link names {number}")

    def workflow_url(self, workflow_id: str) -> str:
        """The workflow's page in the Temporal UI."""
        return f"{self.temporal.ui_url}/namespaces/default/workflows/{workflow_id.replace(':', '%3A')}"

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    async def _run(self, ready: threading.Event) -> None:
        client: Client = await self.temporal.client()
        engine, sealer = self.database.worker, cast.sealer()
        tools = Tools(
            engine, LedgerClock(engine), sealer, {c: Letterbox(c, self.sent) for c in Channel}, Composer(sealer, self.url)
        )
        relay = Relay(client, engine, console_url=self.url)
        self._player = Player(engine, client, relay)
        await self._player.start(cast.NOW)
        with ThreadPoolExecutor(THREADS) as pool:
            workers = build_workers(client, tools, pool)
            running = [asyncio.create_task(worker.run()) for worker in workers]
            ready.set()
            await self._stop.wait()
            await asyncio.gather(*(worker.shutdown() for worker in workers))
            await asyncio.gather(*running)

    @contextmanager
    def running(self) -> Iterator[Scene]:
        """Everything up, then everything down."""
        ready = threading.Event()
        work = threading.Thread(target=lambda: self._loop.run_until_complete(self._run(ready)))
        work.start()
        assert ready.wait(60), "the worker did not start"
        settings = Settings(
            api_url=self.database.api_url, master_key=cast.MASTER_KEY, public_url=self.url, clock="ledger", demo="1",
            temporal_ui_url=self.temporal.ui_url,
        )  # fmt: skip
        server = uvicorn.Server(uvicorn.Config(create_app(settings), host="127.0.0.1", port=self.port, log_level="warning"))
        web = threading.Thread(target=server.run)
        web.start()
        try:
            yield self
        finally:
            server.should_exit = True
            web.join(10)
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
            work.join(60)
