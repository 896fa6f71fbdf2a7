"""A house for each test, one outside world for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rehearsal.simulator.faults import Faults
from rehearsal.simulator.world import WorldConfig
from tests.activities.house import House, build_house
from tests.channels.outside import Simulator, simulator
from tests.conftest import Database
from tests.databases import Washed


@pytest.fixture(scope="session")
def outside() -> Iterator[Simulator]:
    """The simulated world over HTTP; it calls nobody back here."""
    with simulator(WorldConfig(api_url="http://127.0.0.1:9", receipts="none")) as running:
        yield running


@pytest.fixture
def build(database: Database, outside: Simulator) -> Callable[..., House]:
    """Builds a house whose manual the test patches."""
    outside.world.sent.clear()
    outside.world.dice.faults = Faults()

    def make(**manual: Any) -> House:
        return build_house(database.worker, outside, **manual)

    return make


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    """A house with Brill's own manual."""
    return build()


@pytest.fixture
def fresh(washed: Washed, outside: Simulator) -> Callable[..., House]:
    """Builds a house on an emptied ledger, for the many examples of one property."""
    outside.world.sent.clear()
    outside.world.dice.faults = Faults()

    def make(**manual: Any) -> House:
        washed.empty()
        return build_house(washed.database.worker, outside, **manual)

    return make
