"""The stage of the journeys."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Database, TemporalServer
from tests.journeys.stage import Stage, set_stage


@pytest_asyncio.fixture
async def stage(database: Database, temporal: TemporalServer) -> AsyncIterator[Stage]:
    """Everything, at ten on a Monday in Bogotá."""
    async with set_stage(database, temporal) as ready:
        yield ready
