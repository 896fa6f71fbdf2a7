"""Writes the golden histories: `pytest tests/workflows/record.py`, by hand, when a life is added; old files stay as they are.

A history that was once recorded must replay on every later version, so a file is never written over: a new way to live is a new
life, or the same with a later version in its name.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger import agreements, invoices, placements
from ledger.payments import record_payment, record_reversal
from policies.negotiation import Promise
from tests.journeys.stage import Stage
from worker import census

HISTORIES = Path(__file__).parent / "histories"
VERSION = 1
AMOUNT = 25_000_000
AGENCY = {
    "ladder": [
        {"rung": "S1", "day": "D-3", "channels": ["email", "sms"], "template": "pre_due"},
        {"rung": "S2", "day": "D+3", "channels": ["email", "sms"], "template": "first_reminder"},
        {"rung": "S3", "day": "D+10", "channels": ["email"], "template": "last_days", "firm": True},
        {"rung": "S4", "day": "D+20", "action": "decision"},
    ],
    "agency": {
        "commission_pct": 20, "recover_agency_pct": 40, "recover_house_pct": 10, "house_cost_minor": {"COP": 100_000},
        "minimum": {"COP": 1_000_000}, "approve_within_days": 10, "return_after_days": 30,
    },
}  # fmt: skip

Life = Callable[[Stage, UUID], Awaitable[None]]


def _with_ledger(stage: Stage, act: Callable[[Session], Any]) -> None:
    with Session(stage.database.worker) as session, session.begin():
        act(session)


def _pay(stage: Stage, invoice: UUID, ref: str, amount: int = AMOUNT) -> None:
    day = stage.now.date()
    _with_ledger(stage, lambda session: record_payment(
        session, stage.creditor().id, source="manual", source_ref=ref, amount_minor=amount, currency="COP", paid_on=day,
        value_on=day, now=stage.now, invoice_id=invoice,
    ))  # fmt: skip


def _promise(stage: Stage, invoice: UUID, on: date) -> None:
    _with_ledger(stage, lambda s: agreements.ask(s, invoice, Promise(on=on), source="portal", actor="customer", now=stage.now))


async def _paid_before_due(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=5)
    _pay(stage, invoice, "p-early")


async def _ladder_to_the_end(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=22)
    _pay(stage, invoice, "p-part", 1_000_000)


async def _promise_kept(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=18)
    _promise(stage, invoice, date(2026, 3, 24))
    await stage.play(days=4)
    _pay(stage, invoice, "p-kept")


async def _promise_broken(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=18)
    _promise(stage, invoice, date(2026, 3, 24))


async def _reversal(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=12)
    _pay(stage, invoice, "p-back")
    await stage.play(days=6)
    _with_ledger(stage, lambda session: record_reversal(
        session, stage.creditor().id, source="manual", source_ref="r-back", payment_ref="p-back", amount_minor=AMOUNT,
        currency="COP", reversed_on=stage.now.date(), now=stage.now,
    ))  # fmt: skip


async def _pause(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=12)
    until = stage.now + timedelta(days=20)
    _with_ledger(stage, lambda s: invoices.pause(s, invoice, until=until, reason="moving house", now=stage.now))


async def _terminated(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=12)
    handle = stage.client.get_workflow_handle(f"invoice:{stage.creditor().slug}:F-1001")
    await handle.signal("anything", {"odd": [1, None]})
    await handle.terminate("somebody pressed the button")
    while not await census(stage.client, stage.database.worker):
        await asyncio.sleep(0.05)


async def _agency(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=36)
    _with_ledger(stage, lambda s: placements.decide(s, invoice, "approved", actor="boss", now=stage.now))
    await stage.play(days=5)


async def _begun_anew(stage: Stage, invoice: UUID) -> None:
    await stage.play(days=18)
    _pay(stage, invoice, "p-part", 1_000_000)


LIVES: dict[str, Life] = {
    "paid_before_due": _paid_before_due, "ladder_to_the_end": _ladder_to_the_end, "promise_kept": _promise_kept,
    "promise_broken": _promise_broken, "reversal": _reversal, "pause": _pause, "terminated": _terminated, "agency": _agency,
    "begun_anew": _begun_anew,
}  # fmt: skip


async def _record(stage: Stage, name: str) -> None:
    if list(HISTORIES.glob(f"{name}.v{VERSION}.*.json")):
        return
    stage.creditor(**(AGENCY if name == "agency" else {}))
    invoice = await stage.post()
    await LIVES[name](stage, invoice)
    await stage.play(days=90)
    workflow_id = f"invoice:{stage.creditor().slug}:F-1001"
    await stage.client.get_workflow_handle(workflow_id).result()  # the ledger knows the end a moment before Temporal does
    HISTORIES.mkdir(exist_ok=True)
    found = [run async for run in stage.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    for number, run in enumerate(sorted(found, key=lambda run: run.start_time), 1):
        history = await stage.client.get_workflow_handle(workflow_id, run_id=run.run_id).fetch_history()
        path = HISTORIES / f"{name}.v{VERSION}.{number}.json"
        path.write_text(json.dumps(_nameless(history.to_json_dict()), indent=1, sort_keys=True) + "\n")


def _nameless(thing: Any) -> Any:
    """Without the machine: who polled, and the queue that carries a process's name."""
    if isinstance(thing, dict):
        return {key: "worker" if key == "identity" else _nameless(value) for key, value in thing.items()}
    if isinstance(thing, list):
        return [_nameless(value) for value in thing]
    if isinstance(thing, str):
        return re.sub(rf"\d+[@-]{re.escape(socket.gethostname())}", "worker", thing)
    return thing


SHORT_LIVES = ("begun_anew",)
"""Those of a server that asks workflows to begin anew after a few events."""


@pytest.mark.parametrize("name", [name for name in LIVES if name not in SHORT_LIVES])
async def test_a_life_without_a_history_is_lived_and_written_down(stage: Stage, name: str) -> None:
    await _record(stage, name)
    assert list(HISTORIES.glob(f"{name}.v{VERSION}.*.json"))


@pytest.mark.parametrize("name", SHORT_LIVES)
async def test_a_life_in_several_runs_is_lived_and_written_down(short_stage: Stage, name: str) -> None:
    await _record(short_stage, name)
    assert len(list(HISTORIES.glob(f"{name}.v{VERSION}.*.json"))) > 1
