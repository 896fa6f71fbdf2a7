"""Everything a worker runs: the queues, the workflow, its activities, the relay and reconcile. Real clients are built here."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.metadata import version

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import GrpcCompression, RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.arrived import apply_waiting
from activities.collector import Collector, Tools
from activities.compose import Composer
from activities.pulse import Pulse
from activities.tomorrow import draw_lists
from activities.wire import InvoiceInput, InvoiceRef, Next
from channels import ChannelsConfig, build_senders
from channels.paces import channel_rates
from clock import Clock, LedgerClock, RealClock, wall_now
from ledger import automatic_stop, charges, feeds, inbox, outbox, snapshot_store
from ledger.sealing import Sealer
from ledger.session import make_engine, refuse_wrong_role
from memory import collect_seldom
from policies.terms import Channel
from settings import Settings
from workflows.invoice import InvoiceWorkflow
from workflows.words import started_with

log = logging.getLogger("puntual.worker")

INVOICES = "invoices"
# docs/decisions/0006: the workflow is small, its histories are replayed in every check, and the sandbox cost a fifth of a worker.
_RUNNER = UnsandboxedWorkflowRunner()
THREADS = 24
PLANS = 12
"""Plans at once: they wait for the ledger only, and more of them would wait for one another."""
POLLS = 20
"""So many ask for workflow tasks at once; when few do, most tasks find nobody waiting and the server writes them down first."""
BUILD = f"puntual-{version('puntual')}"
"""Written into every task of every history: short, and readable in the Temporal UI."""
FAIRNESS_KEY_MAX = 64
"""Temporal's limit, in bytes; a creditor's slug is ASCII."""
RELAY_BATCH = 400
RELAY_AT_ONCE = 64
"""Starts in flight at once."""
RELAY_IDLE_SECONDS = (0.02, 0.5)
"""Shortest and longest pause between looks at an empty outbox."""
RECONCILE_SECONDS = 20.0
CHARGES_BATCH = 500
"""Invoices whose late charges are looked at in one round; each is looked at once a day."""
EVENTS_SECONDS = 2.0
"""How often it is looked for gateways' events that were stored and left; so long the API has them for itself."""
STARTS_SECONDS = 30.0
"""How often it is looked whether sending must stop by itself, and whether a list is due."""
CENSUS_SECONDS = 300.0
"""How often the open invoices are compared with the workflows that run."""
PAYLOADS_KEPT = timedelta(days=90)
"""How long the content of an applied webhook is kept for disputes with its sender; its id stays for ever."""


async def connect(settings: Settings, *, runtime: Runtime | None = None) -> Client:
    """The one way to reach Temporal: the pydantic converter, so that a model comes back as what it was."""
    near = settings.temporal_address.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=pydantic_data_converter,
        runtime=runtime,
        # On one machine there is no way to shorten, and packing costs both ends.
        grpc_compression=GrpcCompression.NONE if near else GrpcCompression.GZIP,
    )


def build_clock(settings: Settings, engine: Engine) -> Clock:
    """The business clock that the settings name."""
    return LedgerClock(engine) if settings.clock == "ledger" else RealClock()


def channels_config(settings: Settings) -> ChannelsConfig:
    """The providers' part of the settings, in the shape that channels/ takes."""
    return ChannelsConfig(
        sendgrid_api_key=settings.sendgrid_api_key,
        sendgrid_base_url=settings.sendgrid_base_url,
        smtp_url=settings.smtp_url,
        wall_now=wall_now,
        sender_email=settings.sender_email,
        twilio_account_sid=settings.twilio_account_sid,
        twilio_auth_token=settings.twilio_auth_token,
        twilio_base_url=settings.twilio_base_url,
        twilio_from=settings.twilio_from,
        carrier_url=settings.carrier_url,
    )


def build_tools(settings: Settings, engine: Engine) -> Tools:
    """The activities' tools with real clients."""
    sealer = Sealer(settings.master_key)
    return Tools(
        engine=engine,
        clock=build_clock(settings, engine),
        sealer=sealer,
        senders=build_senders(channels_config(settings)),
        composer=Composer(sealer, settings.public_url),
    )


def build_workers(
    client: Client, tools: Tools, pool: ThreadPoolExecutor, rates: Mapping[Channel, float] | None = None
) -> list[Worker]:
    """One worker for workflows and plans, and one for each channel's queue.

    `rates`: the most contacts a second that a channel's provider takes, over all workers together; what it cannot take before
    the window ends is held back for the next one.
    """
    paces = {channel.value: rate for channel, rate in (rates or {}).items()}
    workers = []
    for queue, run in Collector(tools).all().items():
        slots = PLANS if queue == INVOICES else THREADS // 2
        workers.append(build_worker(client, queue, [run], pool, slots=slots, polls=slots, pace=paces.get(queue)))
    return workers


def build_worker(
    client: Client,
    queue: str,
    activities: Sequence[Callable[[InvoiceRef], Next]],
    pool: ThreadPoolExecutor,
    *,
    slots: int,
    polls: int,
    pace: float | None = None,
) -> Worker:
    """The worker of one queue; that of `INVOICES` also runs the workflows. `slots`: so many activities at once."""
    collect_seldom()
    return Worker(
        client,
        task_queue=queue,
        workflows=[InvoiceWorkflow] if queue == INVOICES else [],
        activities=activities,
        activity_executor=pool,
        interceptors=[Pulse()],
        workflow_runner=_RUNNER,
        max_task_queue_activities_per_second=pace,
        max_concurrent_activities=slots,
        max_concurrent_workflow_task_polls=POLLS,
        max_concurrent_activity_task_polls=polls,
        max_cached_workflows=2_000,
        build_id=BUILD,
        graceful_shutdown_timeout=timedelta(seconds=20),
    )


class Relay:
    """Tells Temporal what the ledger has recorded: one verb, start with or without a ring.

    `rehearsal`: the workflows are started as a replay's.
    """

    def __init__(self, client: Client, engine: Engine, *, console_url: str, rehearsal: bool = False) -> None:
        self._client = client
        self._engine = engine
        self._console_url = console_url.rstrip("/")
        self._rehearsal = rehearsal

    def _given(self, invoice_id: str) -> InvoiceRef:
        return InvoiceInput(id=invoice_id, rehearsal=True) if self._rehearsal else InvoiceRef(id=invoice_id)

    async def run(self) -> None:
        """Look, tell, pause a little when there is nothing; a failure pauses longer and loses nothing."""
        pause = RELAY_IDLE_SECONDS[0]
        while True:
            try:
                count = await self.pump()
                pause = RELAY_IDLE_SECONDS[0] if count else min(pause * 2, RELAY_IDLE_SECONDS[1])
            except (SQLAlchemyError, RPCError, OSError) as error:
                log.warning("relay: %s; the outbox is kept", type(error).__name__)
                pause = 1.0
                count = 0
            if not count:
                await asyncio.sleep(pause)

    async def pump(self, limit: int = RELAY_BATCH) -> int:
        """Tell one batch of at most `limit`; returns how many were told. Rings of one invoice are told in their order."""
        session = Session(self._engine)
        try:
            rings = await asyncio.to_thread(outbox.pending, session, limit=limit)
            if not rings:
                await asyncio.to_thread(session.rollback)
                return 0
            done, failed = await self._tell_all(rings)
            await asyncio.to_thread(self._mark, session, done, failed)
            return len(done)
        finally:
            await asyncio.to_thread(session.close)

    @staticmethod
    def _mark(session: Session, done: list[int], failed: dict[str, list[int]]) -> None:
        outbox.told(session, done)
        for why, ids in failed.items():
            outbox.not_told(session, ids, why=why)
        session.commit()

    async def _tell_all(self, rings: Iterable[outbox.Ring]) -> tuple[list[int], dict[str, list[int]]]:
        queues: dict[str, list[outbox.Ring]] = defaultdict(list)
        for ring in rings:
            queues[ring.workflow_id].append(ring)
        done: list[int] = []
        failed: dict[str, list[int]] = defaultdict(list)
        gate = asyncio.Semaphore(RELAY_AT_ONCE)

        async def tell(queue: list[outbox.Ring]) -> None:
            for position, ring in enumerate(sorted(queue, key=lambda r: r.id)):
                try:
                    async with gate:
                        await self._tell(ring)
                    done.append(ring.id)
                except RPCError as error:
                    failed[error.status.name].extend(r.id for r in queue[position:])
                    return

        await asyncio.gather(*(tell(queue) for queue in queues.values()))
        return done, failed

    async def _tell(self, ring: outbox.Ring) -> None:
        await self._client.start_workflow(
            "InvoiceWorkflow",
            self._given(ring.invoice_id),
            id=ring.workflow_id,
            task_queue=INVOICES,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            start_signal=ring.signal,
            start_signal_args=[ring.note] if ring.signal else [],
            # Its activities inherit it: where a queue is long, creditors take turns.
            priority=Priority(fairness_key=ring.creditor[:FAIRNESS_KEY_MAX]),
            search_attributes=started_with(creditor=ring.creditor, account=ring.account, currency=ring.currency),
            static_summary=f"Invoice {ring.number} of account {ring.account} ({ring.creditor})",
            static_details=f"[Open in the console]({self._console_url}/console/invoices/{ring.invoice_id})",
            rpc_timeout=timedelta(seconds=10),
        )


def post_due_charges(engine: Engine, clock: Clock, *, limit: int = CHARGES_BATCH) -> int:
    """Look at the late charges of at most `limit` invoices, each in a transaction of its own; returns how many got some (F63)."""
    with Session(engine) as session:
        due = charges.due_for_charges(session, now=clock.now(), limit=limit)
        session.rollback()
        posted = 0
        for invoice_id in due:
            posted += bool(charges.post_charges(session, invoice_id, now=clock.now()).keys)
            session.commit()
    return posted


async def reconcile_loop(engine: Engine, clock: Clock, *, every: float = RECONCILE_SECONDS) -> None:
    """At start-up and from time to time: ring what was not seen."""

    def once() -> int:
        with Session(engine) as session:
            now = clock.now()
            count = outbox.reconcile(session, now=now)
            inbox.empty_payloads(session, now - PAYLOADS_KEPT)
            outbox.forget_told(session)
            feeds.watch(session, now=now)
            snapshot_store.expire(session, now=now)
            session.commit()
            return count

    while True:
        try:
            count = await asyncio.to_thread(once)
            if count:
                log.info("reconcile: rang %d invoices", count)
            if charged := await asyncio.to_thread(post_due_charges, engine, clock):
                log.info("late charges: posted on %d invoices", charged)
        except (SQLAlchemyError, LookupError) as error:
            log.warning("reconcile: %s; tried again later", type(error).__name__)
        await asyncio.sleep(every)


async def events_loop(engine: Engine, sealer: Sealer, *, every: float = EVENTS_SECONDS) -> None:
    """Apply what gateways told and the API did not get to: it was killed, or has more than it can do."""
    while True:
        try:
            while done := await asyncio.to_thread(apply_waiting, engine, sealer, rested_seconds=every):
                log.info("gateways: applied %d events that were left", done)
        except (SQLAlchemyError, OSError) as error:
            log.warning("gateways: %s; tried again later", type(error).__name__)
        await asyncio.sleep(every)


def look_after_starts(engine: Engine, tools: Tools) -> int:
    """Stop what goes wrong, and draw the lists that are due; returns how many contacts were put on lists."""
    with Session(engine) as session:
        for creditor_id, passed in automatic_stop.stop_what_goes_wrong(session, tools.clock.now()):
            log.warning("sending of creditor %s stopped by itself: %s", creditor_id, passed.said)
        session.commit()
    return draw_lists(engine, tools.clock, tools.composer, tools.sealer)


async def starts_loop(engine: Engine, tools: Tools, *, every: float = STARTS_SECONDS) -> None:
    """From time to time: what a careful start needs looked after."""
    while True:
        try:
            if listed := await asyncio.to_thread(look_after_starts, engine, tools):
                log.info("lists: %d contacts wait for a person's approval", listed)
        except (SQLAlchemyError, LookupError, RuntimeError, ValueError) as error:
            # One account that cannot be played must not end the worker: everybody else's contacts go on.
            log.warning("lists: %s; tried again later", type(error).__name__)
        await asyncio.sleep(every)


async def census(client: Client, engine: Engine) -> int:
    """Ring the open invoices that have no running workflow; returns how many. Raises RPCError."""
    query = "WorkflowType = 'InvoiceWorkflow' and ExecutionStatus = 'Running'"
    running = [found.id async for found in client.list_workflows(query)]

    def compare() -> int:
        with Session(engine) as session:
            count = outbox.ring_missing(session, running)
            session.commit()
            return count

    return await asyncio.to_thread(compare)


async def census_loop(client: Client, engine: Engine, *, every: float = CENSUS_SECONDS) -> None:
    """At start-up and from time to time: no open invoice is without its workflow (I1, I12)."""
    while True:
        try:
            count = await census(client, engine)
            if count:
                log.info("census: started %d invoices again", count)
        except (SQLAlchemyError, RPCError) as error:
            log.warning("census: %s; tried again later", type(error).__name__)
        await asyncio.sleep(every)


async def serve(settings: Settings, *, stop: asyncio.Event | None = None, relay: bool = True) -> None:
    """Run until `stop` (or SIGTERM, SIGINT). A worker that cannot reach Temporal yet keeps trying."""
    runtime = None
    if settings.metrics_address:
        runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=settings.metrics_address)))
    engine = make_engine(settings.worker_url, pool_size=THREADS + 8, name="puntual-worker", tested=False)
    refuse_wrong_role(engine, role="puntual_worker")
    client = await _connect_patiently(settings, runtime)
    tools = build_tools(settings, engine)
    stop = stop or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loops = [asyncio.create_task(reconcile_loop(engine, tools.clock)), asyncio.create_task(census_loop(client, engine))]
    loops.append(asyncio.create_task(starts_loop(engine, tools)))
    loops.append(asyncio.create_task(events_loop(engine, tools.sealer)))
    if relay:
        loops.append(asyncio.create_task(Relay(client, engine, console_url=settings.public_url).run()))
    with ThreadPoolExecutor(THREADS) as pool:
        workers = build_workers(client, tools, pool, channel_rates(settings.channel_rates))
        running = [asyncio.create_task(w.run()) for w in workers]
        await asyncio.wait([asyncio.create_task(stop.wait()), *running, *loops], return_when=asyncio.FIRST_COMPLETED)
        for task in loops:
            task.cancel()
        await asyncio.gather(*(w.shutdown() for w in workers))
        await asyncio.gather(*running, *loops, return_exceptions=True)
    engine.dispose()


async def _connect_patiently(settings: Settings, runtime: Runtime | None) -> Client:
    while True:
        try:
            return await connect(settings, runtime=runtime)
        except (RuntimeError, RPCError) as error:
            log.warning("no Temporal at %s yet (%s)", settings.temporal_address, type(error).__name__)
            await asyncio.sleep(1.0)


def main() -> None:
    """Run a worker from the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(Settings.from_environment()))


if __name__ == "__main__":
    main()
