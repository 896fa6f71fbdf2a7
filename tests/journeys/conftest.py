"""The stage of the journeys, and a Temporal that may be stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.conftest import Database, TemporalServer
from tests.journeys.own_temporal import OwnTemporal
from tests.journeys.stage import Stage, set_stage


@pytest_asyncio.fixture
async def stage(database: Database, temporal: TemporalServer) -> AsyncIterator[Stage]:
    """Everything, at ten on a Monday in Bogotá."""
    async with set_stage(database, temporal) as ready:
        yield ready


SHORT = "limit.historyCount.suggestContinueAsNew=30"
"""Events after which the server asks a workflow to begin anew; it is 4,096 where nobody says otherwise."""


@pytest_asyncio.fixture
async def short_stage(database: Database, home: Path) -> AsyncIterator[Stage]:
    """The stage on a server of its own, on which workflows begin anew after two or three contacts."""
    server = OwnTemporal(home, SHORT)
    server.start()
    try:
        async with set_stage(database, server.as_server) as ready:
            yield ready
    finally:
        server.stop()


@pytest_asyncio.fixture
async def own_temporal(home: Path) -> AsyncIterator[OwnTemporal]:
    server = OwnTemporal(home)
    server.start()
    yield server
    server.stop()
