"""What plays a replay: one worker on one queue, a clock that is told and not read, a list that nobody looks at."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

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
from tests.journeys.own_temporal import OwnTemporal
from tests.journeys.stage import stage_settings
from workflows.words import CREDITOR

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


class _Done(NamedTuple):
    """What the runs of a workflow asked for, the newest and those that it went on from."""

    runs: int
    activities: Counter[str]
    queues: set[str]
    listed: int
    """How often the row in the list was changed."""


async def _done(client: Client) -> _Done:
    activities, queues, listed, runs, run_id = Counter[str](), set[str](), 0, 0, None
    while run_id != "":
        events = (await client.get_workflow_handle("invoice:played:P-1", run_id=run_id).fetch_history()).events
        asked = [e.activity_task_scheduled_event_attributes for e in events if e.event_type == _SCHEDULED]
        activities.update(each.activity_type.name for each in asked)
        queues |= {each.task_queue.name for each in asked}
        listed += sum(event.event_type == _LISTED for event in events)
        run_id, runs = events[0].workflow_execution_started_event_attributes.continued_execution_run_id, runs + 1
    return _Done(runs, activities, queues, listed)


_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_LISTED = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES


def _never_read(_: LedgerClock) -> datetime:
    raise AssertionError("the player has told the worker what time it is")


async def _nothing(_: Worker) -> None:
    pass


@pytest.fixture
def short_lived(home: Path) -> Iterator[TemporalServer]:
    """A server on which a workflow begins anew after each contact or two."""
    server = OwnTemporal(home, "limit.historyCount.suggestContinueAsNew=20")
    server.start()
    yield server.as_server
    server.stop()


async def test_a_replays_workflow_stays_one_when_it_begins_anew_and_when_it_is_lost(
    database: Database, short_lived: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LedgerClock, "now", _never_read)
    with simulator(WorldConfig(api_url="http://127.0.0.1:1", receipts="none")) as outside:
        settings = stage_settings(database, short_lived, outside.url)
        client = await short_lived.client()
        async with playing(settings, database.worker) as player:
            await player.start(BEGINS)
            _accept(database, Sealer(settings.master_key), "played")
            await player.advance(BEGINS + timedelta(days=1, hours=18))
            assert _contacts(database) == [("R1", "accepted")]
            before = await _done(client)
            assert (before.activities["send_email"], before.queues, before.listed) == (1, {"invoices"}, 0)

            handle = client.get_workflow_handle("invoice:played:P-1")
            await handle.terminate("lost")
            await player.advance(BEGINS + timedelta(days=9))
            listed = (await handle.describe()).typed_search_attributes
            after = await _done(client)
    assert _contacts(database) == [(f"R{n}", "accepted") for n in range(1, 5)]
    assert after.runs > 1 and (after.activities["send_email"], after.queues, after.listed) == (3, {"invoices"}, 0)
    assert listed[CREDITOR] == "played"


async def test_a_worker_that_dies_ends_what_is_played_with_its_error(
    database: Database, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_: Worker) -> None:
        raise RuntimeError("the worker died")

    monkeypatch.setattr(Worker, "run", dies)
    monkeypatch.setattr(Worker, "shutdown", _nothing)
    settings = stage_settings(database, temporal, "http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="the worker died"):
        async with playing(settings, database.worker):
            await asyncio.Event().wait()


async def test_the_players_clock_is_what_the_ledgers_row_says(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock(database.worker)
    player = Player(database.worker, None, None, clock=clock)  # type: ignore[arg-type]  # nothing is told to Temporal here
    with monkeypatch.context() as unread:
        unread.setattr(LedgerClock, "now", _never_read)
        await player.start(BEGINS)
        assert clock.now() == BEGINS
        assert player._move(BEGINS - timedelta(days=1)) == clock.now() == BEGINS  # it never goes back
        assert player._move(BEGINS + timedelta(days=1)) == clock.now()
    assert LedgerClock(database.worker).now() == clock.now() == BEGINS + timedelta(days=1)


def test_a_hand_clock_that_nobody_has_set_yet_reads_the_ledgers(database: Database) -> None:
    with pytest.raises(LookupError, match="the ledger clock is not set"):
        HandClock(database.worker).now()
