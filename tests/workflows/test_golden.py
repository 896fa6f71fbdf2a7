"""Histories of lives once lived replay on today's code (I10): a running invoice survives every release.

`record.py` wrote them; they are never written over. When this fails, the change needs `workflow.patched`, not a new file.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.cast import PERSONAL
from tests.workflows.planted import ThinksFirst
from tests.workflows.record import HISTORIES, LIVES
from workflows.invoice import InvoiceWorkflow

FILES = sorted(HISTORIES.glob("*.json"))


def _read(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("invoice:brill:F-1001", path.read_text())


async def _replay(path: Path, runs: type) -> None:
    await Replayer(workflows=[runs], data_converter=pydantic_data_converter).replay_workflow(_read(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_life_once_lived_replays_on_todays_code(path: Path) -> None:
    await _replay(path, InvoiceWorkflow)


def test_every_life_has_its_histories() -> None:
    runs = Counter(path.name.split(".")[0] for path in FILES)
    assert runs.keys() == LIVES.keys()
    assert runs["begun_anew"] > 1, "each run that follows is given the page of the one before"
    assert runs["reversal"] == 2 and runs["terminated"] == 2, "what was ended and came back lived twice"


def test_the_histories_cover_what_a_workflow_can_do() -> None:
    kinds = Counter(event["eventType"].removeprefix("EVENT_TYPE_") for path in FILES for event in _events(path))
    for kind in (
        "TIMER_STARTED", "TIMER_CANCELED", "ACTIVITY_TASK_COMPLETED", "WORKFLOW_EXECUTION_SIGNALED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "WORKFLOW_EXECUTION_COMPLETED", "WORKFLOW_EXECUTION_TERMINATED",
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
    ):  # fmt: skip
        assert kinds[kind], kind
    signals = {
        event["workflowExecutionSignaledEventAttributes"]["signalName"]
        for path in FILES
        for event in _events(path)
        if event["eventType"].endswith("EXECUTION_SIGNALED")
    }
    assert {"due", "payment_received", "payment_reversed", "paused", "reconcile", "approved", "anything"} <= signals
    assert signals & {"promise_made", "agreement_made"}


def _events(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["events"]
    return found


def test_the_histories_name_no_machine_and_nobody() -> None:
    for path in FILES:
        told = path.read_text()
        assert not [name for name in PERSONAL if name in told]
        identities = {value for event in _events(path) for value in _values(event, "identity")}
        assert identities <= {"worker"}


def _values(thing: object, wanted: str) -> list[object]:
    if isinstance(thing, list):
        return [found for one in thing for found in _values(one, wanted)]
    if not isinstance(thing, dict):
        return []
    return [thing[wanted]] if wanted in thing else [found for one in thing.values() for found in _values(one, wanted)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_planted_change_of_order_is_caught_by_every_history(path: Path) -> None:
    with pytest.raises(NondeterminismError):
        await _replay(path, ThinksFirst)
