"""What the API left behind is applied without a pause, and a failure of the ledger does not end the worker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

import worker
from tests import cast


def test_what_was_left_is_applied_until_nothing_waits_and_the_ledger_may_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[int | Exception] = [OperationalError("", None, Exception()), 200, 200, 7, 0]
    said: list[str] = []

    def apply(*args: Any, **given: Any) -> int:
        answer = answers.pop(0)
        said.append(str(answer) if isinstance(answer, int) else "away")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def pause(seconds: float) -> None:
        said.append("pause")
        if not answers:
            raise asyncio.CancelledError

    monkeypatch.setattr(worker, "apply_waiting", apply)
    # The worker's own name only: the simulated world of this process sleeps in a thread beside it.
    monkeypatch.setattr(worker, "asyncio", SimpleNamespace(sleep=pause, to_thread=asyncio.to_thread))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(worker.events_loop(None, cast.sealer()))  # type: ignore[arg-type]
    assert said == ["away", "pause", "200", "200", "7", "0", "pause"]
