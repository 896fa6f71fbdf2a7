"""A bell that a worker in this process rings whenever an activity has ended, so that a player need not poll the ledger."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import Client
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from temporalio.worker import Interceptor as WorkerInterceptor

LONGEST_SECONDS = 0.1
"""A look without a ring, in case an answer came from elsewhere."""


class Bell(ClientInterceptor, WorkerInterceptor):
    """A client with this interceptor gives it to its workers."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    async def wait(self) -> None:
        """Until an activity has ended since the last wait, or for a tenth of a second."""
        try:
            await asyncio.wait_for(self._rung.wait(), LONGEST_SECONDS)
        except TimeoutError:
            return
        self._rung.clear()

    def ring(self) -> None:
        """An activity has ended."""
        self._rung.set()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Ringing(next, self)


class _Ringing(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, bell: Bell) -> None:
        super().__init__(next)
        self._bell = bell

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        finally:
            self._bell.ring()


def with_bell(client: Client, bell: Bell) -> Client:
    """The same connection, whose workers ring the bell."""
    config = client.config()
    config["interceptors"] = [*config["interceptors"], bell]
    return Client(**config)
