"""Any button of the Temporal UI may be pressed, and Temporal may lose everything: the ledger leads, and the same comes out (I12).

Two invoices of two debtors live the same life; one of them is disturbed. What brings a lost workflow back here is what does so
in production, the worker's census and the relay, before any time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from activities.wire import InvoiceRef
from clock import monotonic
from ledger.holds import open_dispute
from ledger.payments import record_payment
from tests import cast
from tests.conftest import Database
from tests.journeys.own_temporal import OwnTemporal
from tests.journeys.stage import Stage, set_stage
from worker import INVOICES, census
from workflows.words import DUE

Handle = WorkflowHandle[Any, Any]
Disturb = Callable[[Stage, Handle], Awaitable[None]]
DISTURBED, TWIN = "F-1", "F-2"
LUIS = {"account": cast.debtor_ana(ref="C-2", contacts=[{
    "role": "holder", "name": cast.LUIS_NAME,
    "channels": [{"channel": "email", "address": cast.LUIS_EMAIL, "consent": "given"}],
}])}  # fmt: skip


async def _twins(stage: Stage) -> tuple[UUID, UUID]:
    """Both invoices after their first reminder, before the second."""
    one, other = await stage.post(DISTURBED), await stage.post(TWIN, **LUIS)
    await stage.play(days=14)
    assert _life(stage, one) == _life(stage, other) != []
    return one, other


def _handle(stage: Stage, number: str = DISTURBED) -> Handle:
    return stage.client.get_workflow_handle(f"invoice:{stage.creditor().slug}:{number}")


def _life(stage: Stage, invoice: UUID) -> list[tuple[Any, ...]]:
    """What happened to an invoice, in order: each attempt that left the house, and how the invoice stands."""
    attempts = stage.rows(
        "select key, channel, state, amount_minor, at_utc from contact where invoice_id = :i"
        " and not (state = 'failed' and starts_with(why_failed, 'again: ')) order by at_utc, attempt",
        i=invoice,
    )
    stands = stage.rows(
        "select outcome, outcome_at, balance_minor, cycle, next_kind, case when outcome is null then next_at end, next_rung,"
        " next_why from invoice where id = :i",
        i=invoice,
    )
    return [*map(tuple, attempts), *map(tuple, stands)]


async def _same_end(stage: Stage, one: UUID, other: UUID, *, days: float = 60) -> None:
    """Play on: both lives are the same, every message went out once, and both workflows came to their end."""
    await stage.play(days=days)
    assert _life(stage, one) == _life(stage, other)
    assert all(times == 1 for times in stage.simulator.world.counts.values())
    assert stage.rows("select outcome from invoice where id = :i", i=one)[0].outcome == "ladder_ended"
    await _until(stage, lambda status: status is WorkflowExecutionStatus.COMPLETED)


async def _until(
    stage: Stage, reached: Callable[[WorkflowExecutionStatus | None], bool], number: str = DISTURBED
) -> WorkflowExecutionStatus | None:
    """Wait until the present run of the workflow, None when there is none, has such a status."""
    ends = monotonic() + 30
    while True:
        try:
            status = (await _handle(stage, number).describe()).status
        except RPCError as error:
            assert error.status is RPCStatusCode.NOT_FOUND
            status = None
        if reached(status):
            return status
        assert monotonic() < ends, f"the workflow stayed {status}"
        await asyncio.sleep(0.02)


def _runs(status: WorkflowExecutionStatus | None) -> bool:
    return status is WorkflowExecutionStatus.RUNNING


async def _bring_back(stage: Stage) -> None:
    """The worker's census and its relay, until the visibility store has heard of the end."""
    ends = monotonic() + 30
    while not _runs(await _until(stage, lambda _: True)):
        await census(stage.client, stage.database.worker)
        await stage.player.relay.pump()
        assert monotonic() < ends, "the census did not bring the workflow back"
        await asyncio.sleep(0.02)


async def _terminate(stage: Stage, handle: Handle) -> None:
    await handle.terminate("somebody pressed the button")


async def _cancel(stage: Stage, handle: Handle) -> None:
    await handle.cancel()
    await _until(stage, lambda status: status is WorkflowExecutionStatus.CANCELED)


async def _delete(stage: Stage, handle: Handle) -> None:
    request = DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=WorkflowExecution(workflow_id=handle.id))
    await stage.client.workflow_service.delete_workflow_execution(request)
    await _until(stage, lambda status: status is None)


async def _reset(stage: Stage, handle: Handle) -> None:
    """To the first workflow task: everything since is forgotten in Temporal."""
    history = await handle.fetch_history()
    first = next(e.event_id for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    request = ResetWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=handle.id), reason="try again",
        workflow_task_finish_event_id=first, request_id=str(uuid4()),
    )  # fmt: skip
    await stage.client.workflow_service.reset_workflow_execution(request)


@pytest.mark.parametrize("disturb", [_terminate, _cancel, _delete, _reset], ids=["terminate", "cancel", "delete", "reset"])
async def test_a_workflow_ended_by_hand_comes_back_and_the_ledger_stays_the_same(stage: Stage, disturb: Disturb) -> None:
    one, other = await _twins(stage)
    await disturb(stage, _handle(stage))
    await _bring_back(stage)
    await _same_end(stage, one, other)


async def test_the_census_leaves_alone_what_runs_and_what_has_ended(stage: Stage) -> None:
    one, _ = await _twins(stage)
    with stage.database.worker.begin() as connection:
        connection.exec_driver_sql("update invoice set outcome = 'paid' where number = %s", (TWIN,))
    await _handle(stage, TWIN).terminate("it has its outcome")
    await _until(stage, lambda status: not _runs(status), TWIN)
    ends = monotonic() + 30
    query = "WorkflowType = 'InvoiceWorkflow' and ExecutionStatus = 'Running'"
    while _handle(stage).id not in {found.id async for found in stage.client.list_workflows(query)}:
        assert monotonic() < ends, "visibility never heard of the workflow"
        await asyncio.sleep(0.02)
    assert await census(stage.client, stage.database.worker) == 0
    assert stage.rows("select 1 from outbox where invoice_id = :i and done_at is null", i=one) == []


STRAY: list[tuple[str, list[Any]]] = [
    ("anything", []),
    ("anything", [{"nested": ["odd", 1.5, None]}]),
    ("payment_received", ["as if somebody had paid", 2, 3]),
    ("anything", [RawValue(Payload(metadata={"encoding": b"binary/of-somebody-else"}, data=b"\x00\xff"))]),
    ("anything", [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{not json"))]),
    ("anything", ["x" * 50_000]),
    (DUE, []),
    (DUE, ["soon"]),
    (DUE, [-1]),
    (DUE, [10**15]),
    (DUE, [{"step": 4}]),
    (DUE, [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{not json"))]),
]


async def test_stray_signals_with_odd_contents_change_nothing(stage: Stage) -> None:
    one, other = await _twins(stage)
    before = _life(stage, one)
    for name, args in STRAY:
        await _handle(stage).signal(name, args=args)
    await stage.play(days=0.1)
    assert _life(stage, one) == before
    # Each may have been a reason to ask again, and none of them to go on asking: a second without a decision shows it.
    decisions = "select count(*) as n from step where invoice_id = :i"
    asked, ends = -1, monotonic() + 20
    while asked != (now := stage.rows(decisions, i=one)[0].n):
        assert monotonic() < ends, "it goes on asking"
        asked = now
        await asyncio.sleep(1)
    assert asked <= stage.rows(decisions, i=other)[0].n + len(STRAY)
    assert _runs((await _handle(stage).describe()).status)
    await _same_end(stage, one, other)


async def test_a_second_workflow_started_by_hand_for_the_same_invoice_sends_nothing_twice(stage: Stage) -> None:
    one, other = await _twins(stage)
    second = f"{_handle(stage).id}:by-hand"
    await stage.client.start_workflow("InvoiceWorkflow", InvoiceRef(id=str(one)), id=second, task_queue=INVOICES)
    await stage.player.settle()
    for _ in range(2):
        due = stage.rows("select next_at, next_step_id from invoice where id = :i", i=one)[0]
        await stage.player.start(due.next_at)
        # Both are told at the same moment that theirs has come.
        handles = [_handle(stage), stage.client.get_workflow_handle(second)]
        await asyncio.gather(*(handle.signal(DUE, due.next_step_id) for handle in handles))
        await stage.play(until=due.next_at)
    assert len(stage.rows("select 1 from contact where invoice_id = :i and state <> 'failed' and state <> 'planned'", i=one)) == 3
    await _same_end(stage, one, other)
    await stage.client.get_workflow_handle(second).terminate("the test is over")


async def test_a_workflow_started_by_hand_after_the_end_only_finds_that_it_has_ended(stage: Stage) -> None:
    one, other = await _twins(stage)
    await _same_end(stage, one, other)
    before = _life(stage, one)
    started = await stage.client.start_workflow(
        "InvoiceWorkflow", InvoiceRef(id=str(one)), id=_handle(stage).id, task_queue=INVOICES
    )
    assert await started.result() == before[-1][-1], "it says what ended it"
    assert _life(stage, one) == before


async def test_temporal_started_again_on_an_empty_file_is_filled_from_the_ledger(
    own_temporal: OwnTemporal, database: Database
) -> None:
    async with set_stage(database, own_temporal.as_server) as stage:
        one, other = await _twins(stage)
        paid = await stage.post("F-3", account=cast.debtor_ana(ref="C-3"))
        disputed = await stage.post("F-4", account=cast.debtor_ana(ref="C-4"))
        await stage.play(days=1)
        _settle(stage, paid)
        await stage.play(days=1)
        await asyncio.to_thread(own_temporal.lose_everything)
        # What comes in before anybody has noticed is not lost either.
        _dispute(stage, disputed)
        await _bring_back(stage)
        query = "select number from invoice where outcome is null order by number"
        assert [row.number for row in stage.rows(query)] == [DISTURBED, TWIN, "F-4"]
        for row in stage.rows(query):
            await _until(stage, _runs, row.number)
        assert await _until(stage, lambda _: True, "F-3") is None, "what has its outcome needs no workflow"
        await _same_end(stage, one, other, days=58)
        assert "dispute_opened" in stage.timeline(disputed)


def _settle(stage: Stage, invoice: UUID) -> None:
    with Session(stage.database.worker) as session, session.begin():
        record_payment(
            session, stage.creditor().id, source="manual", source_ref="p-3", amount_minor=25_000_000, currency="COP",
            paid_on=stage.now.date(), value_on=stage.now.date(), now=stage.now, invoice_id=invoice,
        )  # fmt: skip


def _dispute(stage: Stage, invoice: UUID) -> None:
    with Session(stage.database.worker) as session, session.begin():
        open_dispute(session, invoice, reason="wrong_amount", actor="customer", now=stage.now)
