"""What one contact costs in Temporal's history, with real timers; and how many contacts a second are played."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvloop
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from clock import monotonic, wall_now
from ledger.acceptance import accept_batch
from ledger.sealing import Sealer
from ledger.session import make_engine
from policies.intake_model import InvoiceIn
from rehearsal.bench_house import Creditor, Figure, House, Sizes, add_bench_creditor, count, every_day, invoice
from rehearsal.bench_worker import NINE_IN_BOGOTA
from rehearsal.playing import playing
from rehearsal.scratch import scratch_stack
from settings import Settings
from worker import THREADS, connect

EVENTS_MAX, BYTES_MAX, ACTIONS_MAX, PLAYED_MIN = 12.0, 1_600.0, 3.0, 60.0
_ACTIONS = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_MARKER_RECORDED,
)
"""The events that the service bills."""


@dataclass(frozen=True)
class Cost:
    """Of one whole history."""

    events: float
    bytes: float
    actions: float


async def _cost(client: Client, workflow_id: str) -> Cost:
    handle = client.get_workflow_handle(workflow_id)
    kinds = Counter(event.event_type for event in (await handle.fetch_history()).events)
    info = (await handle.describe()).raw_description.workflow_execution_info
    return Cost(kinds.total(), info.history_size_bytes, sum(kinds[kind] for kind in _ACTIONS))


def _mean(costs: Iterable[Cost]) -> Cost:
    given = list(costs)
    return Cost(*(sum(getattr(cost, name) for cost in given) / len(given) for name in ("events", "bytes", "actions")))


def _accept(sealer: Sealer, engine: Engine, creditor: Creditor, bodies: list[dict[str, object]], now: datetime) -> None:
    given = [InvoiceIn.model_validate(body) for body in bodies]
    with Session(engine) as session, session.begin():
        accept_batch(session, creditor.id, given, now=now, sealer=sealer)


def histories(house: House, sizes: Sizes) -> list[Figure]:
    """Marginal cost of a contact: ladders of two lengths, a rung every two seconds, real timers, the outside over HTTP."""
    database = house.database("histories")
    engine = house.engine(database)
    today = datetime.combine(wall_now().date(), datetime.min.time(), UTC)
    lengths = (sizes.contacts_short, sizes.contacts_long)
    with house.simulator(), house.worker(database, "daily"):
        for length in lengths:
            creditor = add_bench_creditor(engine, house.sealer, every_day(length), slug=f"rungs{length}")
            due_on = today.date() + timedelta(days=2)
            bodies = [invoice(f"H-{n}", f"C-{n}", due_on) for n in range(sizes.histories)]
            _accept(house.sealer, engine, creditor, bodies, today + NINE_IN_BOGOTA)
        short, long = asyncio.run(_ended(house, engine, sizes, lengths))
    made = count(engine, "select count(*) from contact where state = 'accepted'")
    engine.dispose()
    if made != sizes.histories * sum(lengths):
        raise RuntimeError(f"{made} contacts were made instead of {sizes.histories * sum(lengths)}")
    more = lengths[1] - lengths[0]
    events, size, actions = ((getattr(long, name) - getattr(short, name)) / more for name in ("events", "bytes", "actions"))
    beside = f"between {lengths[0]} and {lengths[1]} contacts"
    return [
        Figure("events of one contact", f"{events:.1f}", beside, f"at most {EVENTS_MAX:.0f}", events <= EVENTS_MAX),
        Figure("bytes of one contact", f"{size:,.0f}", beside, f"at most {BYTES_MAX:,.0f}", size <= BYTES_MAX),
        Figure("billable actions of one contact", f"{actions:.1f}", beside, f"at most {ACTIONS_MAX:.0f}", actions <= ACTIONS_MAX),
    ]


async def _ended(house: House, engine: Engine, sizes: Sizes, lengths: tuple[int, int]) -> tuple[Cost, Cost]:
    client = await connect(Settings(temporal_address=house.stack.temporal.address))
    until = monotonic() + 160 + 4 * max(lengths)
    while await asyncio.to_thread(count, engine, "select count(*) from invoice where outcome is null"):
        if monotonic() > until:
            raise RuntimeError("the ladders did not end: is the worker running?")
        await asyncio.sleep(0.2)
    costs = []
    for length in lengths:
        handles = [f"invoice:rungs{length}:H-{n}" for n in range(sizes.histories)]
        for name in handles:
            await client.get_workflow_handle(name).result()
        costs.append(_mean([await _cost(client, name) for name in handles]))
    return costs[0], costs[1]


def played(sizes: Sizes) -> list[Figure]:
    """A portfolio on the ledger's clock, on the stack of a replay: workflows, activities, player, and the outside over HTTP."""
    with scratch_stack() as (settings, _):
        return [_played(settings, sizes)]


def _played(settings: Settings, sizes: Sizes) -> Figure:
    engine, sealer = make_engine(settings.worker_url, pool_size=THREADS + 4, name="puntual-bench"), Sealer(settings.master_key)
    begins = datetime(2026, 2, 2, tzinfo=UTC)
    creditor = add_bench_creditor(engine, sealer, every_day(10), slug="played", now=begins)
    bodies = [invoice(f"P-{n}", f"C-{n}", (begins + timedelta(days=5 + n % 7)).date()) for n in range(sizes.played_invoices)]
    seconds = uvloop.run(_play(settings, engine, sealer, creditor, bodies, begins))
    made = count(engine, "select count(*) from contact where state = 'accepted'")
    engine.dispose()
    if made != sizes.played_invoices * 10:
        raise RuntimeError(f"{made} contacts were played instead of {sizes.played_invoices * 10}")
    rate = made / seconds
    return Figure(
        "contacts played", f"{rate:,.0f}/s", f"{made:,} contacts of {sizes.played_invoices} invoices",
        f"at least {PLAYED_MIN:.0f}/s", rate >= PLAYED_MIN,
    )  # fmt: skip


async def _play(
    settings: Settings, engine: Engine, sealer: Sealer, creditor: Creditor, bodies: list[dict[str, object]], begins: datetime
) -> float:
    async with playing(settings, engine) as player:
        await player.start(begins)
        await asyncio.to_thread(_accept, sealer, engine, creditor, bodies, begins)
        await player.settle()
        began = monotonic()
        await player.advance(begins + timedelta(days=40))
        return monotonic() - began
