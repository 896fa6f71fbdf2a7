"""What plays a replay: one worker on one queue, a clock that is told and not read, a list that nobody looks at."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from clock import HandClock, LedgerClock
from ledger.acceptance import accept_batch
from ledger.sealing import Sealer
from policies.intake_model import InvoiceIn
from rehearsal.advance import Player
from rehearsal.bench_house import add_bench_creditor, every_day, invoice
from rehearsal.playing import playing
from rehearsal.simulator.world import WorldConfig
from tests.channels.outside import simulator
from tests.conftest import Database, TemporalServer
from tests.journeys.stage import end_workflows, stage_settings

BEGINS = datetime(2026, 2, 2, tzinfo=UTC)  # a Monday


def _accept(database: Database, sealer: Sealer, slug: str) -> None:
    creditor = add_bench_creditor(database.worker, sealer, every_day(4), slug=slug, now=BEGINS)
    body = invoice("P-1", "C-1", BEGINS.date())
    with Session(database.worker) as session, session.begin():
        accept_batch(session, creditor.id, [InvoiceIn.model_validate(body)], now=BEGINS, sealer=sealer)


def _contacts(database: Database) -> list[tuple[str, str]]:
    with database.worker.connect() as connection:
        rows = connection.execute(text("select rung, state from contact order by rung"))
        return [(row.rung, row.state) for row in rows]


async def _kinds(handle: WorkflowHandle[object, object]) -> tuple[Counter[int], set[str]]:
    """The events of the newest run, and the queues of its activities."""
    events = (await handle.fetch_history()).events
    queues = {e.activity_task_scheduled_event_attributes.task_queue.name for e in events if e.event_type == _SCHEDULED}
    return Counter(event.event_type for event in events), queues


_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_LISTED = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES


async def test_a_workflow_that_is_lost_while_it_is_played_begins_again_as_a_replays(
    database: Database, temporal: TemporalServer
) -> None:
    slug = f"played-{database.name.replace('_', '-')}"
    with simulator(WorldConfig(api_url="http://127.0.0.1:1", receipts="none")) as outside:
        settings = stage_settings(database, temporal, outside.url)
        client = await temporal.client()
        handle = client.get_workflow_handle(f"invoice:{slug}:P-1")
        try:
            async with playing(settings, database.worker) as player:
                await player.start(BEGINS)
                _accept(database, Sealer(settings.master_key), slug)
                await player.advance(BEGINS + timedelta(days=2, hours=18))
                assert _contacts(database) == [("R1", "accepted"), ("R2", "accepted")]
                before, queues = await _kinds(handle)
                assert (before[_SCHEDULED], before[_LISTED], queues) == (3, 0, {"invoices"})

                await handle.terminate("lost")
                await player.advance(BEGINS + timedelta(days=9))
        finally:
            await end_workflows(client, database)
    assert _contacts(database) == [(f"R{n}", "accepted") for n in range(1, 5)]
    after, queues = await _kinds(handle)
    assert after[_LISTED] == 0 and queues == {"invoices"}


async def test_the_players_clock_is_what_the_ledgers_row_says(database: Database) -> None:
    clock = HandClock(database.worker)
    player = Player(database.worker, None, None, clock=clock)  # type: ignore[arg-type]  # nothing is told to Temporal here
    await player.start(BEGINS)
    assert clock.now() == LedgerClock(database.worker).now() == BEGINS
    assert player._move(BEGINS - timedelta(days=1)) == clock.now() == BEGINS  # it never goes back
    assert player._move(BEGINS + timedelta(days=1)) == clock.now() == LedgerClock(database.worker).now()


def test_a_hand_clock_that_nobody_has_set_yet_reads_the_ledgers(database: Database) -> None:
    with pytest.raises(LookupError, match="the ledger clock is not set"):
        HandClock(database.worker).now()
