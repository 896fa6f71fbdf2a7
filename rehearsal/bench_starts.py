"""How fast workflows start: the relay beside a bare loop, without a worker and with one, and what a sleeping invoice weighs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import psutil
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from temporalio.client import Client

from activities.wire import InvoiceRef
from clock import monotonic, wall_now
from ledger.acceptance import accept_batch
from policies.intake_model import InvoiceIn
from rehearsal.bench_house import Creditor, Figure, House, Sizes, add_bench_creditor, count, every_day, invoice, middle
from rehearsal.bench_noop import NOOP_QUEUE
from settings import Settings
from worker import RELAY_AT_ONCE, Relay, connect

NOBODY = "bench-nobody"
"""A queue that no worker polls."""
PATIENCE_S = 120.0


class Starts:
    """The relay and the bare loop on one server, in turn."""

    def __init__(self, house: House, engine: Engine, creditor: Creditor, client: Client) -> None:
        self._house = house
        self._engine = engine
        self._creditor = creditor
        self._client = client
        self._relay = Relay(client, engine, console_url="http://127.0.0.1:8080")
        self._next = 0

    def accept(self, many: int, *, days: int = 60) -> None:
        """So many new invoices, due in so many days, each with its start in the outbox."""
        due_on = (wall_now() + timedelta(days=days)).date()
        numbers = range(self._next, self._next + many)
        self._next += many
        bodies = [InvoiceIn.model_validate(invoice(f"F-{n}", f"C-{n}", due_on)) for n in numbers]
        with Session(self._engine) as session, session.begin():
            accept_batch(session, self._creditor.id, bodies, now=wall_now(), sealer=self._house.sealer)

    async def by_relay(self, many: int) -> float:
        """Starts a second by the relay, of invoices that are accepted already."""
        began, told = monotonic(), 0
        while told < many:
            told += await self._relay.pump()
        return many / (monotonic() - began)

    async def by_hand(self, many: int, queue: str) -> float:
        """Starts a second by `start_workflow` alone: as many at once, an argument of the same size, nothing else."""
        gate = asyncio.Semaphore(RELAY_AT_ONCE)
        name = "BenchNoop" if queue == NOOP_QUEUE else "InvoiceWorkflow"

        async def start() -> None:
            async with gate:
                await self._client.start_workflow(name, InvoiceRef(id=str(uuid4())), id=f"bare:{uuid4()}", task_queue=queue)

        began = monotonic()
        await asyncio.gather(*(start() for _ in range(many)))
        return many / (monotonic() - began)

    async def until_planned(self) -> None:
        """Until every invoice has its first step."""
        await self._until(lambda: self._zero("select count(*) from invoice where seen_revision = 0"))

    async def until_no_tasks(self, queue: str) -> None:
        """Until no no-op workflow waits for its first step."""
        await self._until(lambda: self._idle(queue))

    async def _zero(self, question: str) -> bool:
        return await asyncio.to_thread(count, self._engine, question) == 0

    async def _idle(self, queue: str) -> bool:
        found = await self._client.count_workflows(f"TaskQueue = '{queue}' and PuntualStatus is null")
        return found.count == 0

    @staticmethod
    async def _until(done: Callable[[], Awaitable[bool]]) -> None:
        began = monotonic()
        while not await done():
            if monotonic() - began > PATIENCE_S:
                raise RuntimeError(f"not done within {PATIENCE_S:.0f} s: is the worker running?")
            await asyncio.sleep(0.05)


def starts(house: House, sizes: Sizes) -> tuple[list[Figure], float]:
    """Figures of the relay and of memory, and the bare start rate."""
    database = house.database("starts")
    engine = house.engine(database)
    creditor = add_bench_creditor(engine, house.sealer, every_day(5), slug="starts")
    settings = Settings(temporal_address=house.stack.temporal.address)

    async def measure() -> tuple[list[Figure], float]:
        run = Starts(house, engine, creditor, await connect(settings))
        figures, bare = await _without_worker(run, sizes)
        figures += await _with_worker(house, run, sizes, database)
        figures += await _memory(house, run, sizes, database)
        return figures, bare

    try:
        return asyncio.run(measure())
    finally:
        engine.dispose()


async def _without_worker(run: Starts, sizes: Sizes) -> tuple[list[Figure], float]:
    await run.by_hand(sizes.starts // 4, NOBODY)
    relay, bare = [], []
    for _ in range(sizes.start_rounds):
        await asyncio.to_thread(run.accept, sizes.starts)
        relay.append(await run.by_relay(sizes.starts))
        bare.append(await run.by_hand(sizes.starts, NOBODY))
    ratio = middle([ours / theirs for ours, theirs in zip(relay, bare, strict=True)])
    return [
        Figure(
            "workflows started by the relay, no worker", f"{middle(relay):,.0f}/s", f"a bare loop: {middle(bare):,.0f}/s",
            f"0.9 of the bare loop: {ratio:.2f}", ratio >= 0.9,
        )
    ], middle(bare)  # fmt: skip


async def _with_worker(house: House, run: Starts, sizes: Sizes, database: str) -> list[Figure]:
    relay, bare, planned, idle = [], [], [], []
    many = max(sizes.starts // 2, 1)
    with house.worker(database, "told", "told"), house.worker(database, "noop", "noop"):
        await run.until_planned()
        for _ in range(sizes.start_rounds):
            await asyncio.to_thread(run.accept, many)
            began = monotonic()
            relay.append(await run.by_relay(many))
            await run.until_planned()
            planned.append(many / (monotonic() - began))
            began = monotonic()
            bare.append(await run.by_hand(many, NOOP_QUEUE))
            await run.until_no_tasks(NOOP_QUEUE)
            idle.append(many / (monotonic() - began))
    return [
        Figure(
            "the same with the worker on", f"{middle(relay):,.0f}/s", f"a bare loop of no-op workflows: {middle(bare):,.0f}/s"
        ),
        Figure("started, planned and asleep", f"{middle(planned):,.0f}/s", f"no-op workflows: {middle(idle):,.0f}/s"),
    ]


def _kept(house: House, database: str, worker: int) -> dict[str, float]:
    """Megabytes: the worker's and Temporal's resident memory, Temporal's file and the database."""
    home = house.stack.home
    size = house.stack.postgres.query(f"select pg_database_size('{database}')")[0][0]
    files = sum(path.stat().st_size for path in home.glob("temporal.db*"))
    bytes_of = {
        "worker": psutil.Process(worker).memory_info().rss,
        "temporal": psutil.Process(house.stack.supervisor.pid("temporal")).memory_info().rss,
        "temporal file": files, "ledger": int(str(size)),
    }  # fmt: skip
    return {name: value / 1e6 for name, value in bytes_of.items()}


async def _memory(house: House, run: Starts, sizes: Sizes, database: str) -> list[Figure]:
    """What a thousand more sleeping invoices weigh, first while the worker's cache has room, then when it is full."""
    cached = 2_000 if sizes.sleeping >= 1_000 else sizes.sleeping * 2

    async def more(many: int) -> None:
        for start in range(0, many, 500):
            part = min(500, many - start)
            await asyncio.to_thread(run.accept, part)
            await run.by_relay(part)
            await run.until_planned()

    with house.worker(database, "told", "told") as worker:
        warm = max(sizes.sleeping // 4, 1)
        await more(warm)
        first = _kept(house, database, worker)
        await more(sizes.sleeping)
        second = _kept(house, database, worker)
        await more(max(cached - sizes.sleeping - warm, 0))
        third = _kept(house, database, worker)
        await more(sizes.sleeping)
        fourth = _kept(house, database, worker)
    scale = 1_000 / sizes.sleeping
    grown = {name: (second[name] - first[name]) * scale for name in first}
    evicted = (fourth["worker"] - third["worker"]) * scale
    beside = "per 1,000 sleeping invoices"
    return [
        Figure("worker's memory, in its cache", f"{grown['worker']:.1f} MB", beside),
        Figure("worker's memory, evicted from its cache", f"{evicted:.1f} MB", beside),
        Figure("Temporal's memory and file", f"{grown['temporal']:.1f} MB and {grown['temporal file']:.1f} MB", beside),
        Figure("the ledger", f"{grown['ledger']:.1f} MB", beside),
    ]
