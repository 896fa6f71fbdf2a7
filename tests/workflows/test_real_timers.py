"""A hundred and twenty days on real timers: Temporal's time-skipping test server fires them, and business time is its time.

Nothing rings here but facts: what a played clock does elsewhere, the timer must do by itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sysconfig
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import activity
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, SleepUntilRequest, UnlockTimeSkippingRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.collector import Tools
from embedded import SEARCH_ATTRIBUTES
from tests import cast
from tests.activities.house import House, build_house
from tests.channels.outside import Simulator
from tests.conftest import Database
from worker import THREADS, Relay, build_workers

STARTS = datetime(2029, 3, 5, 15, 0, tzinfo=UTC)
"""A Monday, ten in the morning in Bogotá."""
DUE_ON = date(2029, 3, 20)
OFFSETS = (-3, 3, 10, 20, 32, 45, 60, 75, 90, 105)
LADDER = [
    {"rung": f"S{n}", "day": f"D{offset:+d}", "channels": ["email"], "template": "pre_due" if offset < 0 else "first_reminder"}
    for n, offset in enumerate(OFFSETS, 1)
]
ALWAYS_OPEN = {
    "windows": {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
    "holidays": False, "contacts": [],
}  # fmt: skip


class ServerClock:
    """Business time is the server's, as activities see it."""

    def now(self) -> datetime:
        return activity.info().started_time

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        return at


@asynccontextmanager
async def _server_at(start: datetime) -> AsyncIterator[WorkflowEnvironment]:
    """A test server of its own (its clock never goes back) with our attributes, moved to `start` and stopped there."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(binary), data_converter=pydantic_data_converter
    )
    async with environment:
        client = environment.client
        kinds = {name: f"INDEXED_VALUE_TYPE_{kind.upper()}" for name, kind in SEARCH_ATTRIBUTES.items()}
        attributes = {name: IndexedValueType.Value(kind) for name, kind in kinds.items()}
        await client.operator_service.add_search_attributes(AddSearchAttributesRequest(search_attributes=attributes))
        moment = Timestamp()
        moment.FromDatetime(start.replace(tzinfo=None))
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        await client.test_service.sleep_until(SleepUntilRequest(timestamp=moment))
        await client.test_service.lock_time_skipping(LockTimeSkippingRequest())
        with environment.auto_time_skipping_disabled():
            yield environment


@asynccontextmanager
async def _working(environment: WorkflowEnvironment, tools: Tools) -> AsyncIterator[Relay]:
    """Workers on the server's time, and a relay to tell facts with."""
    with ThreadPoolExecutor(THREADS) as pool:
        workers = build_workers(environment.client, tools, pool)
        running = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield Relay(environment.client, tools.engine, console_url="https://console.example")
        finally:
            await asyncio.gather(*(worker.shutdown() for worker in workers))
            await asyncio.gather(*running)


def _made(house: House, invoice: UUID) -> list[tuple[str, datetime, int]]:
    rows = house.rows("select rung, at_local, amount_minor, state from contact where invoice_id = :i order by at_utc", i=invoice)
    assert {row.state for row in rows} <= {"accepted"}
    return [(row.rung, row.at_local.replace(second=0, microsecond=0), row.amount_minor) for row in rows]


def _expected(count: int, amount: int, *, skip: int = 0) -> list[tuple[str, datetime, int]]:
    days = list(enumerate(OFFSETS, 1))[skip : skip + count]
    return [(f"S{n}", datetime.combine(DUE_ON + timedelta(days=offset), time(9)), amount) for n, offset in days]


async def test_a_ladder_of_four_months_on_real_timers_heeds_payments_between_its_rungs(
    database: Database, outside: Simulator
) -> None:
    already = len(outside.world.sent)
    house = build_house(database.worker, outside, now=STARTS, ladder=LADDER, limits=ALWAYS_OPEN)
    everyday = cast.debtor_ana(country="EC", region="", zone="America/Guayaquil")  # no law closes a day to a creditor's own name
    invoice = house.owes(now=STARTS, issued_on="2029-03-01", due_on=DUE_ON.isoformat(), account=everyday)
    async with _server_at(STARTS) as environment:
        async with _working(environment, dataclasses.replace(house.tools, clock=ServerClock())) as relay:
            assert await relay.pump() == 1
            handle = environment.client.get_workflow_handle("invoice:brill:F-1001")
            await environment.sleep(timedelta(days=40))
            assert _made(house, invoice) == _expected(4, 25_000_000)

            house.move(await environment.get_current_time())
            house.pays(invoice, 10_000_000, "p-part")
            assert await relay.pump() == 1
            await environment.sleep(timedelta(days=58))
            assert _made(house, invoice)[4:] == _expected(4, 15_000_000, skip=4)

            house.move(await environment.get_current_time())
            house.pays(invoice, 15_000_000, "p-rest")
            assert await relay.pump() == 1
            assert await handle.result() == "The invoice is paid in full."
            await environment.sleep(timedelta(days=30))
    assert len(_made(house, invoice)) == 8, "nothing is sent after the payment"
    assert len(outside.world.sent) - already == 8
    assert house.rows("select outcome from invoice where id = :i", i=invoice)[0].outcome == "paid"
