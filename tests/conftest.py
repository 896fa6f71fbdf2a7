"""The real parts under the tests: one PostgreSQL and one Temporal for the session, an empty migrated database for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

import clock  # noqa: F401  (first: it points zoneinfo at the pinned tables)
from embedded import Postgres, Temporal
from ledger import staff
from ledger.migrations import bootstrap_sql, migrate
from stack import Ports
from supervise import Supervisor, free_port
from tests.databases import TEMPLATE, Database, Laundry, Washed

__all__ = ["TEMPLATE", "Database"]

PROJECT = Path(__file__).parent.parent
PRODUCT_HASHER = staff._HASHER
_homes = itertools.count(1)
_not_run = pytest.StashKey[int]()
_laundries = pytest.StashKey[Laundry]()

# A slow machine is not a wrong answer, so examples have no deadline of their own. No other conftest loads a profile: what is
# loaded while tests are collected would undo the drill.
hypothesis_settings.register_profile(
    "everyday", max_examples=100, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile(
    "drill", max_examples=20_000, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)


def find_shared() -> Path | None:
    """The folder of the shared data: PUNTUAL_SHARED, else ../shared; None where there is none."""
    given = os.environ.get("PUNTUAL_SHARED")
    if given and not Path(given).is_dir():
        raise pytest.UsageError(f"PUNTUAL_SHARED is {given}, which is not a folder: correct it or unset it")
    folder = Path(given) if given else PROJECT.parent / "shared"
    return folder if folder.is_dir() else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--drill", action="store_true", help="the long campaigns: tests marked drill, and 20,000 examples a property"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_not_run] = 0
    hypothesis_settings.load_profile("drill" if config.getoption("--drill") else "everyday")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot or shall not run here; what lacks its data is counted and said at the end."""
    without_data = [item for item in items if item.get_closest_marker("shared")] if find_shared() is None else []
    long_ones = [] if config.getoption("--drill") else [item for item in items if item.get_closest_marker("drill")]
    config.stash[_not_run] = len(set(without_data) - set(long_ones))
    left_out = {id(item) for item in without_data + long_ones}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
        items[:] = [item for item in items if id(item) not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[_not_run]:
        terminalreporter.write_line(f"{config.stash[_not_run]} tests on shared data were not run: set PUNTUAL_SHARED")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The shared data, for tests marked `shared`."""
    folder = find_shared()
    assert folder is not None, "mark the test with pytest.mark.shared"
    return folder


@pytest.fixture(scope="session")
def drilling(pytestconfig: pytest.Config) -> bool:
    """Whether this is a drill (200 kills, full replays) or an everyday run (40 kills, a slice)."""
    return bool(pytestconfig.getoption("--drill"))


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket, open to PostgreSQL's user."""
    folder = Path(tempfile.mkdtemp(prefix="puntual-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(short_folder: Path) -> Path:
    """A folder of its own for a stack, short enough for the socket; not made yet."""
    return short_folder / f"home-{next(_homes)}"


@pytest.fixture
def ports() -> Ports:
    return Ports(api=free_port(), temporal=free_port(), ui=free_port(), simulator=free_port())


@pytest.fixture(scope="session")
def postgres(short_folder: Path, pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """The embedded server, with durability off, the roles made and the migrated template ready."""
    home = short_folder / "pg"
    server = Postgres(home, durable=False)
    supervisor = Supervisor(home)
    supervisor.start(server.part())
    try:
        server.query(bootstrap_sql())
        server.create_database(TEMPLATE)
        migrate(server.url("puntual_owner", TEMPLATE))
        pytestconfig.stash[_laundries] = Laundry(server)
        yield server
    finally:
        supervisor.stop()


@pytest.fixture
def washed(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[Washed]:
    """The test's database, with what empties it again; a new one where workflows run or the server is a room's own."""
    laundry = request.config.stash.get(_laundries, None)
    if laundry is None or not laundry.is_of(postgres) or "temporal" in request.fixturenames:
        laundry = Laundry(postgres)
        taken = laundry.take()
        try:
            yield taken
        finally:
            laundry.drop(taken)
        return
    taken = laundry.take()
    try:
        yield taken
    finally:
        laundry.give_back(taken)


@pytest.fixture
def database(washed: Washed) -> Database:
    """A migrated, empty database."""
    return washed.database


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> None:
    """A password's hash is slow on purpose; a test of staff asks nothing of that but that the product's is as it should be."""
    staff._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    staff._NOBODY = staff._HASHER.hash("nobody")


@dataclass(frozen=True)
class TemporalServer:
    """The dev server of the session."""

    address: str
    ui_url: str

    async def client(self) -> Client:
        """A new connection, with the converter everything uses."""
        return await Client.connect(self.address, data_converter=pydantic_data_converter)


@pytest.fixture(scope="session")
def temporal(short_folder: Path) -> Iterator[TemporalServer]:
    """The dev server with the search attributes; workflow ids must differ from test to test (the database's name helps)."""
    home = short_folder / "temporal"
    home.mkdir()
    server = Temporal(home, port=free_port(), ui_port=free_port())
    supervisor = Supervisor(home)
    supervisor.start(server.part())
    try:
        yield TemporalServer(server.address, server.ui_url)
    finally:
        supervisor.stop()
