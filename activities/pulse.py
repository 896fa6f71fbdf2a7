"""A sign of life while an activity runs, so that one whose worker died is tried again in seconds, not when its time is over.

Most activities end before the first sign, so it costs nothing where nothing hangs.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

EVERY_SECONDS = 2.0


class Pulse(Interceptor):
    """Given to each worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        # A timer and no task: an activity that ends at once, as nearly all do, costs an entry in the loop's heap.
        loop = asyncio.get_running_loop()
        coming: asyncio.TimerHandle

        def beat() -> None:
            nonlocal coming
            activity.heartbeat()
            coming = loop.call_later(EVERY_SECONDS, beat)

        coming = loop.call_later(EVERY_SECONDS, beat)
        try:
            return await super().execute_activity(input)
        finally:
            coming.cancel()
