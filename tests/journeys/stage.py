"""A stage for journeys: ledger, Temporal, worker, API and simulated outside, all real, all over the wire, in played time.

`stage.post(...)` accepts through the API, `stage.outsider(...)` gives the debtor a character, `await stage.play(days=30)` lets
time pass. Workflows that still run at the end are terminated, so that no later test's worker sees them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.collector import Tools
from api.app import create_app
from clock import set_ledger_clock
from ledger.creditors import create_webhook_endpoint
from rehearsal.advance import Player
from rehearsal.bell import Bell, with_bell
from rehearsal.outside import SimulatedOutside
from rehearsal.simulator.keys import simulated_keys
from rehearsal.simulator.world import WorldConfig
from settings import Settings
from tests import cast
from tests.api.outside import applied, standard_headers
from tests.channels.outside import Simulator, serving, simulator
from tests.conftest import Database, TemporalServer
from worker import THREADS, Relay, build_tools, build_workers

SEED = 3
PUBLIC = "https://cobros.brill.example"
"""The name our API signs with and writes into links."""
_SECRETS = {"standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "stripe": "whsec_test_secret"}
_PATHS = {"standard": "payments", "stripe": "stripe"}


def stage_settings(database: Database, temporal: TemporalServer, simulator_url: str = "") -> Settings:
    """Settings of the API, and with the simulator's address of a worker too."""
    keys = simulated_keys(SEED)
    return Settings(
        api_url=database.api_url, worker_url=database.worker_url, temporal_address=temporal.address, public_url=PUBLIC,
        master_key=cast.MASTER_KEY, clock="ledger", demo="1", sendgrid_api_key="SG.simulated",
        sendgrid_base_url=simulator_url, twilio_base_url=simulator_url,
        carrier_url=simulator_url, sendgrid_webhook_key=keys.sendgrid_webhook_key, carrier_secret=keys.carrier_secret,
        twilio_account_sid=keys.twilio_account_sid, twilio_auth_token=keys.twilio_auth_token,
        twilio_from=keys.twilio_from, simulator_url=simulator_url,
    )  # fmt: skip


class Hands:
    """The worker: down and up again as often as a test likes."""

    def __init__(self, client: Client, tools: Tools, pool: ThreadPoolExecutor) -> None:
        self._made_of = (client, tools, pool)
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    def up(self) -> None:
        """Take up work."""
        self._workers = build_workers(*self._made_of)
        self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]

    async def down(self) -> None:
        """Lay it down; Temporal waits."""
        await asyncio.gather(*(worker.shutdown() for worker in self._workers))
        await asyncio.gather(*self._tasks)
        self._workers, self._tasks = [], []


@dataclass
class Stage:
    """Everything a journey needs."""

    database: Database
    client: Client
    app: FastAPI
    api: httpx.AsyncClient
    simulator: Simulator
    outside: SimulatedOutside
    player: Player
    worker: Hands
    now: datetime
    _creditor: cast.Creditor | None = field(default=None, repr=False)
    _hooks: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def creditor(self, **manual: Any) -> cast.Creditor:
        """Brill, under a short name of this test's own; `manual` patches its manual and counts at the first call only."""
        if self._creditor is None:
            slug = f"brill-{self.database.name.replace('_', '-')}"
            self._creditor = cast.creditor_brill(self.database.worker, slug=slug, now=self.now, **manual)
        return self._creditor

    async def post(self, number: str = "F-1001", **change: Any) -> UUID:
        """Accept an invoice through the API; its id."""
        answer = await self.api.post("/v1/invoices", json=cast.invoice_body(number, **change), headers=self.as_creditor())
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    def as_creditor(self) -> dict[str, str]:
        """The header of a request by the creditor."""
        return {"Authorization": f"Bearer {self.creditor().key.key}"}

    def hook(self, gateway: str = "standard") -> dict[str, str]:
        """Where payments of that gateway are told."""
        if gateway not in self._hooks:
            with Session(self.database.worker) as session, session.begin():
                token = create_webhook_endpoint(session, cast.sealer(), self.creditor().id, gateway, _SECRETS[gateway], self.now)
            url = f"{PUBLIC}/webhooks/{_PATHS[gateway]}/{token}"
            self._hooks[gateway] = {"url": url, "secret": _SECRETS[gateway], "gateway": gateway}
        return self._hooks[gateway]

    async def outsider(
        self, character: str, number: str = "F-1001", *, due_on: str = "2026-03-16", amount_minor: int = 25_000_000,
        gateway: str = "standard", ref: str = "ana", addresses: dict[str, str] | None = None, **traits: int | str,
    ) -> None:  # fmt: skip
        """Give Ana (or somebody else) outside a character, and let her know one invoice."""
        bill = {
            "number": number, "amount_minor": amount_minor, "currency": "COP", "due_on": due_on,
            "payment_webhook": self.hook(gateway),
        }  # fmt: skip
        given = {
            "ref": ref, "character": character, "seed": SEED, "zone": "America/Bogota", "traits": traits, "invoices": [bill],
            "addresses": addresses or {"email": cast.ANA_EMAIL, "sms": cast.ANA_PHONE},
        }  # fmt: skip
        await self.outside.register([given])

    async def pays(self, ref: str, amount_minor: int, *, number: str = "F-1001", **more: Any) -> httpx.Response:
        """The gateway tells of a payment of today; `more` changes the event's data, its `type` included."""
        data = {"id": ref, "amount_minor": amount_minor, "currency": "COP", "paid_on": self.now.date().isoformat(),
                "invoice": number} | more  # fmt: skip
        return await self.told({"type": data.pop("type", "payment.succeeded"), "data": data}, f"evt-{ref}")

    async def told(self, event: dict[str, Any], event_id: str) -> httpx.Response:
        """An event of the standard gateway, signed, over the wire."""
        hook, raw = self.hook(), json.dumps(event)
        headers = standard_headers(raw, event_id, hook["secret"])
        answer = await self.api.post(hook["url"].removeprefix(PUBLIC), content=raw, headers=headers)
        return await asyncio.to_thread(applied, self.app, self.database, answer)

    async def play(self, *, days: float = 0, until: datetime | None = None) -> None:
        """Let time pass, inside and outside."""
        self.now = until or self.now + timedelta(days=days)
        await self.player.advance(self.now)

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of the ledger, as the worker sees it."""
        with Session(self.database.worker) as session:
            return list(session.execute(text(query), values))

    def timeline(self, invoice_id: UUID) -> list[str]:
        """The kinds of an invoice's events, in order."""
        return [row.kind for row in self.rows("select kind from event where invoice_id = :i order by id", i=invoice_id)]

    def messages(self) -> list[tuple[str, datetime, str]]:
        """(channel, time, subject or beginning of the text) of all that the outside got, in order."""
        return [(one.channel, one.at, one.subject or one.text[:60]) for one in self.simulator.world.sent]


async def end_workflows(client: Client, database: Database) -> None:
    """Terminate every workflow of this database's invoices that still runs."""
    query = "select 'invoice:' || c.slug || ':' || i.number from invoice i join creditor c on c.id = i.creditor_id"
    with Session(database.worker) as session:
        ids = list(session.execute(text(query)).scalars())

    async def end(workflow_id: str) -> None:
        try:
            await client.get_workflow_handle(workflow_id).terminate("the test is over")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    for start in range(0, len(ids), 50):
        await asyncio.gather(*(end(workflow_id) for workflow_id in ids[start : start + 50]))


@asynccontextmanager
async def set_stage(database: Database, temporal: TemporalServer, *, starts: datetime = cast.NOW) -> AsyncIterator[Stage]:
    """Bring it up at `starts`, take it down."""
    with database.worker.begin() as connection:
        set_ledger_clock(connection, starts, frozen=True)
    with ExitStack() as running:
        app = create_app(stage_settings(database, temporal))
        url = running.enter_context(serving(uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))))
        world = WorldConfig(api_url=url, public_url=PUBLIC, seed=SEED, give_up_seconds=20)
        outside = running.enter_context(simulator(world))
        pool = running.enter_context(ThreadPoolExecutor(THREADS))
        settings = stage_settings(database, temporal, outside.url)
        bell = Bell()
        client = with_bell(await temporal.client(), bell)
        hands = Hands(client, build_tools(settings, database.worker), pool)
        hands.up()
        played = SimulatedOutside(outside.url)
        relay = Relay(client, database.worker, console_url=PUBLIC)
        player = Player(database.worker, client, relay, outside=played, pause=bell.wait)
        try:
            await played.play(starts)
            async with httpx.AsyncClient(base_url=url, timeout=60) as api:
                yield Stage(database, client, app, api, outside, played, player, hands, starts)
        finally:
            await end_workflows(client, database)
            await hands.down()
            await played.close()
