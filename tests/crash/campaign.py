"""One campaign: load from all sides while business time is played, parts killed at random moments, then quiet, and what is known.

The clock jumps from one working hour to the next and runs at normal pace in between, whether or not anybody has answered: time
waits for no worker here. Contacts, payments, receipts and answers of customers overlap as they do on a busy morning.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from clock import monotonic, read_ledger_clock, set_ledger_clock, wall_now
from ledger.creditors import SCOPES, add_creditor, create_api_key, create_webhook_endpoint
from ledger.sealing import Sealer
from ledger.session import make_engine
from rehearsal.simulator.courier import Call, standard_webhook
from stack import DATABASE, Stack, keep_secrets
from supervise import listens
from tests.crash.checks import Outside, Told
from tests.crash.quiet import LEFT
from tests.crash.town import HASTY, STARTS_ON, ZONE, Household, build_town, manual_drill
from workflows.words import DUE

SHARES = {"postgres": 12, "temporal": 10, "worker": 10, "api": 8}
"""Of forty kills so many each."""
GATEWAY_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOURS = (9, 16)
"""Local hours at which business time stops over on its way."""
DAYS = 34
STUCK_SECONDS = 9.0
"""Business time waits so long for an invoice that is due; what waits for an activity of a dead worker is passed by."""
KILL_AFTER_SECONDS = 2.0
"""A kill waits so long at most for the decisions that are to come before it."""
SLOW_START_SECONDS = 12.0
"""And so long where nothing at all was decided yet of what is due: a busy machine starts a worker slowly."""
DECISIONS = 1_500
"""About so many a campaign of 200 invoices takes: kills are spread over them."""
FAULTS = {
    "drop_after_accept_pct": 3, "drop_before_accept_pct": 3, "busy_pct": 4, "error_pct": 4, "delay_ms": 15,
    "duplicate_webhooks_pct": 20, "lose_receipts_pct": 4, "shuffle_webhooks": True,
}  # fmt: skip
QUIET_WITHIN_SECONDS = 150.0
_T = TypeVar("_T")


@dataclass
class Figures:
    """What a campaign did, for people to read."""

    kills: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        killed = ", ".join(f"{part} {count}" for part, count in sorted(self.kills.items()))
        counted = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        timed = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())
        return f"{self.kills.total()} kills ({killed}); {counted}; {timed}"


class Campaign:
    """A town, a stack and so many kills. `run` brings it to quiet; then `outside` and `figures` are complete."""

    def __init__(self, stack: Stack, *, invoices: int, kills: int, seed: int, patience: float = 1.0) -> None:
        """`patience` stretches what time and kills wait for, so that more gets done between two kills."""
        self.stack = stack
        self.town: list[Household] = build_town(invoices, seed)
        self.manual = manual_drill()
        self.outside = Outside()
        self.figures = Figures()
        self._dice = random.Random(f"{seed}|campaign")
        self._kills = kills
        self._patience = patience
        self._seed = seed
        self._engine: Engine = make_engine(stack.postgres.url("puntual_worker", DATABASE), pool_size=8, name="drill")
        self._http = httpx.AsyncClient(base_url=stack.api_url, timeout=10.0)
        self._simulator = httpx.AsyncClient(base_url=stack.simulator_url, timeout=300.0)
        self._client: Client | None = None
        self._ringing: set[str] = set()
        self._due_since: dict[str, float] = {}
        self._tempted: set[tuple[str, int]] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._key = ""
        self._hook = ""
        self._paid = 0

    @property
    def engine(self) -> Engine:
        """The ledger, as the worker's role sees it."""
        return self._engine

    async def run(self) -> None:
        """Load, kills, quiet."""
        began = monotonic()
        await self._prepare()
        posting = asyncio.create_task(self._post_all())
        killing = asyncio.create_task(self._kill_all())
        await self._play(killing)
        await asyncio.gather(posting, killing)
        await asyncio.gather(*self._errands)
        self.figures.seconds["under load"] = monotonic() - began
        began = monotonic()
        await self._simulate("faults", {})
        await self._quiet()
        # A day and an hour later every unknown must have its task, and reconcile runs when a worker starts.
        await self._until_done(lambda: self._jump(timedelta(hours=25)))
        await self._kill("worker")
        await self._quiet()
        await self._gather_evidence()
        self.figures.seconds["until quiet"] = monotonic() - began

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()
        await self._simulator.aclose()
        self._engine.dispose()

    # -- before

    async def _prepare(self) -> None:
        starts = datetime.combine(STARTS_ON, time(7), ZoneInfo(ZONE)).astimezone(UTC)
        sealer = Sealer(keep_secrets(self.stack.home).master_key)
        with Session(self._engine) as session, session.begin():
            set_ledger_clock(session.connection(), starts, frozen=False)
            creditor = add_creditor(session, "drill", "Drill SAS", "CO", ZONE, "es", self.manual, starts, start="rehearsal")
            self._key = create_api_key(session, creditor, "drill", SCOPES, starts).key
            token = create_webhook_endpoint(session, sealer, creditor, "standard", GATEWAY_SECRET, starts)
        self._hook = f"{self.stack.api_url}/webhooks/payments/{token}"
        await self._simulate("advance", {"now": starts.isoformat()})
        await self._simulate("debtors", [home.as_debtor(self._hook, GATEWAY_SECRET, self._seed) for home in self.town])
        await self._simulate("faults", FAULTS)
        # Its own log would tell of every kill.
        quiet = Runtime(telemetry=TelemetryConfig(logging=None))
        address = self.stack.temporal.address
        self._client = await Client.connect(address, data_converter=pydantic_data_converter, lazy=True, runtime=quiet)

    # -- load

    async def _post_all(self) -> None:
        """Post every invoice; a client without an answer posts again, and some post again anyway."""
        bodies = [body for home in self.town for body in home.bodies]
        self._dice.shuffle(bodies)
        for body in bodies:
            await self._post(body)
            if self._dice.random() < 0.15:
                await self._post(body)
            await asyncio.sleep(0.02)

    async def _post(self, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._http.post("/v1/invoices", json=body, headers=headers)
                if answer.status_code in (200, 201):
                    known = self.outside.answered.setdefault(body["number"], answer.json()["id"])
                    assert known == answer.json()["id"], f"{body['number']} was accepted twice"
                    return
                assert answer.status_code >= 500 or answer.status_code == 429, f"{answer.status_code}: {answer.text}"
            await asyncio.sleep(0.2)

    def _pay(self, number: str, amount: int, today: datetime) -> None:
        """A payment of an invoice, sometimes told twice, sometimes taken back, sometimes in the wrong order."""
        self._paid += 1
        ref, day = f"hasty-{self._paid}", today.date().isoformat()
        money = {"amount_minor": amount, "currency": "COP", "paid_on": day}
        events = [("payment.succeeded", f"evt-{ref}", {"id": ref, "invoice": number, **money}, Told(ref, "payment", amount))]
        if self._dice.random() < 0.25:
            back = f"back-{self._paid}"
            told = Told(back, "reversal", amount)
            events.append(("payment.reversed", f"evt-{back}", {"id": back, "reverses": ref, "reason": "bounced", **money}, told))
        if self._dice.random() < 0.3:
            events += events
        self._dice.shuffle(events)
        for kind, event_id, data, told in events:
            self._send_off(self._tell(standard_webhook(self._hook, GATEWAY_SECRET, kind, today, data, event_id), told))

    async def _tell(self, call: Call, told: Told) -> None:
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._http.post(call.url, content=call.body, headers=dict(call.sign(wall_now())))
                if answer.is_success:
                    known = Told(told.ref, told.kind, told.amount_minor, call.event_id)
                    if known not in self.outside.told:
                        self.outside.told.append(known)
                    return
                assert answer.status_code >= 500, f"{answer.status_code}: {answer.text}"
            await asyncio.sleep(0.1)

    def _send_off(self, errand: Awaitable[None]) -> None:
        task = asyncio.ensure_future(errand)
        self._errands.add(task)

    # -- time

    def _stops(self) -> Iterator[datetime]:
        for day in range(DAYS):
            for hour in HOURS:
                yield datetime.combine(STARTS_ON + timedelta(days=day), time(hour), ZoneInfo(ZONE)).astimezone(UTC)

    async def _play(self, killing: asyncio.Task[None]) -> None:
        """From stop to stop, not faster than the kills come, so that every day of the ladder has its share of them."""
        stops = list(self._stops())
        for position, stop in enumerate(stops):
            await self._until_done(partial(self._move, stop))
            self._outside_lives(stop)
            while await self._ring_due(hasty=True) > self._stuck() or self._posts_lag(position):
                await asyncio.sleep(0.05)
            while not killing.done() and position * self._kills > (self.figures.kills.total() + 2) * len(stops):
                await self._ring_due(hasty=False)
                await asyncio.sleep(0.05)

    def _posts_lag(self, position: int) -> bool:
        """Invoices come in during the first week."""
        return len(self.outside.answered) < min((position + 1) / 14, 1) * sum(len(home.bodies) for home in self.town)

    def _stuck(self) -> int:
        return sum(1 for since in self._due_since.values() if monotonic() - since > STUCK_SECONDS * self._patience)

    def _outside_lives(self, now: datetime) -> None:
        """Let the outside come as far as business time; while it is still busy with an earlier moment it is left alone."""
        if not any(task.get_name() == "outside" for task in self._errands if not task.done()):
            task = asyncio.create_task(self._simulate("advance", {"now": now.isoformat()}), name="outside")
            self._errands.add(task)

    def _move(self, to: datetime) -> None:
        with self._engine.begin() as connection:
            set_ledger_clock(connection, max(to, read_ledger_clock(connection)), frozen=False)

    def _jump(self, by: timedelta) -> None:
        with self._engine.begin() as connection:
            set_ledger_clock(connection, read_ledger_clock(connection) + by, frozen=False)

    async def _ring_due(self, *, hasty: bool) -> int:
        """Ring what is due as a timer would, and now and then pay it at that very moment; how many wait for a decision."""
        rows = await self._until_done(self._due)
        self._due_since = {row.workflow_id: self._due_since.get(row.workflow_id, monotonic()) for row in rows}
        for row in rows:
            if not row.is_due:
                continue
            if hasty and row.hasty and (row.number, row.next_step_id) not in self._tempted:
                self._tempted.add((row.number, row.next_step_id))
                if self._dice.random() < 0.15:
                    self._pay(row.number, max(row.balance_minor // self._dice.choice((1, 1, 3)), 1), row.now)
            if row.workflow_id not in self._ringing:
                self._ringing.add(row.workflow_id)
                self._send_off(self._ring(row.workflow_id, row.next_step_id))
        self._errands = {task for task in self._errands if not task.done() or task.exception()}
        return len(rows)

    async def _ring(self, workflow_id: str, step: int) -> None:
        assert self._client is not None
        with suppress(RPCError, RuntimeError):
            await self._client.get_workflow_handle(workflow_id).signal(DUE, step, rpc_timeout=timedelta(seconds=2))
        await asyncio.sleep(0.5)
        self._ringing.discard(workflow_id)

    def _due(self) -> list[Any]:
        hasty = [body["number"] for home in self.town if home.character in HASTY for body in home.bodies]
        with Session(self._engine) as session:
            now = read_ledger_clock(session.connection())
            return list(
                session.execute(
                    text(
                        "select i.number, i.balance_minor, i.next_step_id, i.number = any(:hasty) as hasty,"
                        " 'invoice:' || c.slug || ':' || i.number as workflow_id, cast(:now as timestamptz) as now,"
                        " coalesce(i.next_at <= :now and i.outcome is null, false) as is_due"
                        " from invoice i join creditor c on c.id = i.creditor_id"
                        " where i.outcome is null and i.next_at <= :now or i.revision > i.seen_revision"
                        " order by i.next_at, i.number"
                    ),
                    {"now": now, "hasty": hasty},
                ).all()
            )

    # -- kills

    async def _kill_all(self) -> None:
        """Each part its share, one that is up at the moment, at random moments."""
        left = Counter({part: self._kills * share // sum(SHARES.values()) for part, share in SHARES.items()})
        left["postgres"] += self._kills - left.total()
        began = monotonic()
        mean = DECISIONS * sum(len(home.bodies) for home in self.town) // (200 * self._kills)
        while left.total():
            await self._work_done(self._dice.randint(1, max(2 * mean, 2)))
            ready = [part for part in +left if await asyncio.to_thread(self._is_up, part)]
            if ready:
                part = self._dice.choices(ready, [left[part] for part in ready])[0]
                left[part] -= 1
                await self._kill(part)
        self.figures.seconds["of kills"] = monotonic() - began

    async def _work_done(self, decisions: int) -> None:
        """Until so many more decisions were recorded, or for a while: what is down comes up again, too."""
        before, began, done, waited = await self._until_done(self._decisions), monotonic(), 0, 0.0
        while done < decisions and waited < (SLOW_START_SECONDS if self._due_since and not done else KILL_AFTER_SECONDS):
            await asyncio.sleep(self._dice.uniform(0.01, 0.05))
            done, waited = await self._until_done(self._decisions) - before, (monotonic() - began) / self._patience

    def _decisions(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(text("select count(*) from step")).scalar_one())

    async def _kill(self, part: str) -> None:
        pid = self.stack.supervisor.pid(part)
        os.kill(pid, signal.SIGKILL)
        self.figures.kills[part] += 1
        while self.stack.supervisor.pid(part) == pid:
            await asyncio.sleep(0.02)

    def _is_up(self, part: str) -> bool:
        # Asking Temporal whether it is ready is a command of its own, and too dear to be asked all the time.
        return listens(self.stack.ports.temporal) if part == "temporal" else self.stack.supervisor.is_up(part)

    # -- quiet

    async def _quiet(self) -> None:
        """Until nothing is due, unseen, untold or half done, and the outside has told everything."""
        ends = monotonic() + QUIET_WITHIN_SECONDS
        while True:
            now = await self._until_done(self._now)
            await self._simulate("advance", {"now": now.isoformat()})
            await self._simulate("redeliver", None)
            due = await self._ring_due(hasty=False)
            left = await self._until_done(self._left)
            if not due and not any(left.values()) and not await self._outside_waits(now):
                return
            assert monotonic() < ends, f"not quiet after {QUIET_WITHIN_SECONDS:.0f} s: {due} due, {left}"
            await asyncio.sleep(0.2)

    def _now(self) -> datetime:
        with self._engine.connect() as connection:
            return read_ledger_clock(connection)

    def _left(self) -> dict[str, int]:
        with self._engine.connect() as connection:
            return dict(connection.execute(LEFT).one()._mapping)

    async def _outside_waits(self, now: datetime) -> bool:
        state = (await self._simulator.get("/sim/state")).json()
        return bool(state["webhooks"]["given_up"]) or (
            state["next_at"] is not None and datetime.fromisoformat(state["next_at"]) <= now
        )

    async def _gather_evidence(self) -> None:
        """What the outside got, what it was told to have paid, which workflows are open, and the figures."""
        counts: dict[str, int] = (await self._simulator.get("/sim/sent/counts")).json()
        self.outside.received = [contact for contact, times in counts.items() for _ in range(times)]
        money = (await self._simulator.get("/sim/money")).json()
        self.outside.told += [Told(one["ref"], one["kind"], one["amount_minor"]) for one in money]
        assert self._client is not None
        query = "WorkflowType = 'InvoiceWorkflow' and ExecutionStatus = 'Running'"
        self.outside.running = [found.id async for found in self._client.list_workflows(query)]
        with self._engine.connect() as connection:
            question = "select state, count(*) from contact where state <> 'planned' group by 1 order by 1"
            states = {row.state: row[1] for row in connection.execute(text(question))}
        self.figures.counts = {
            "invoices": len(self.outside.answered), "debtors": len(self.town), "messages received": len(self.outside.received),
            **{f"contacts {state}": count for state, count in states.items()},
            "payments and reversals": len(self.outside.told), "webhooks acknowledged": await self._acknowledged(),
        }  # fmt: skip

    async def _acknowledged(self) -> int:
        return int((await self._simulator.get("/sim/state")).json()["webhooks"]["acknowledged"])

    # -- patience

    async def _simulate(self, door: str, body: Any) -> None:
        answer = await self._simulator.post(f"/sim/{door}", json=body)
        answer.raise_for_status()

    async def _until_done(self, what: Callable[[], _T]) -> _T:
        """Ask the ledger, again and again while it is being restarted."""
        while True:
            try:
                return await asyncio.to_thread(what)
            except SQLAlchemyError:
                await asyncio.sleep(0.05)
