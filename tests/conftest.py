"""The real parts under the tests: one PostgreSQL and one Temporal for the session, a fresh migrated database for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

import clock  # noqa: F401  (first: it points zoneinfo at the pinned tables)
from embedded import Postgres, Temporal
from ledger.migrations import bootstrap_sql, migrate
from ledger.session import make_engine
from supervise import Supervisor, free_port

TEMPLATE = "puntual_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket, open to PostgreSQL's user."""
    folder = Path(tempfile.mkdtemp(prefix="puntual-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(short_folder: Path) -> Iterator[Postgres]:
    """The embedded server, with durability off, the roles made and the migrated template ready."""
    home = short_folder / "pg"
    server = Postgres(home, durable=False)
    supervisor = Supervisor(home)
    supervisor.start(server.part())
    try:
        server.query(bootstrap_sql())
        server.create_database(TEMPLATE)
        migrate(server.url("puntual_owner", TEMPLATE))
        yield server
    finally:
        supervisor.stop()


@dataclass(frozen=True)
class Database:
    """A database of one test, as each role sees it."""

    name: str
    owner_url: str
    api_url: str
    worker_url: str
    owner: Engine
    api: Engine
    worker: Engine


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A fresh, migrated, empty database; dropped afterwards."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name, template=TEMPLATE)
    urls = {role: postgres.url(f"puntual_{role}", name) for role in ("owner", "api", "worker")}
    engines = {role: make_engine(url, pool_size=20, name=f"test-{role}") for role, url in urls.items()}
    try:
        yield Database(
            name=name, owner_url=urls["owner"], api_url=urls["api"], worker_url=urls["worker"], **engines,
        )  # fmt: skip
    finally:
        for engine in engines.values():
            engine.dispose()
        postgres.drop_database(name)


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
