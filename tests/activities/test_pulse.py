"""A sign of life goes out while an activity runs, again and again, and none after its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities import pulse


class _Long(ActivityInboundInterceptor):
    """An activity that ends when three signs of life have gone out."""

    def __init__(self) -> None:
        self.beats = 0
        self.thrice = asyncio.Event()

    def beat(self, *_: Any) -> None:
        self.beats += 1
        if self.beats == 3:
            self.thrice.set()

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await asyncio.wait_for(self.thrice.wait(), 30)
        return "done"


async def test_signs_of_life_go_out_until_the_activity_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "EVERY_SECONDS", 0.001)
    long, environment = _Long(), ActivityEnvironment()
    environment.on_heartbeat = long.beat
    beating = pulse.Pulse().intercept_activity(long)

    async def run() -> Any:
        given = ExecuteActivityInput(fn=run, args=[], executor=None, headers={})
        done = await beating.execute_activity(given)
        at_the_end, later = long.beats, asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, later.set)
        await later.wait()
        assert long.beats == at_the_end
        return done

    assert await environment.run(run) == "done"
