"""A stack of real processes for a campaign, and a server that keeps commit times for the checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import Postgres
from ledger.migrations import bootstrap_sql, migrate
from stack import Ports, Stack
from supervise import Supervisor
from tests.activities.conftest import outside
from tests.conftest import TEMPLATE

__all__ = ["outside"]
KEEP_COMMIT_TIMES = "alter system set track_commit_timestamp = on"

QUICK_RESTARTS_S = (0.0, 0.1, 0.2, 0.5)
"""Parts that are killed on purpose need no long back-off."""


@pytest.fixture
def played_stack(home: Path, ports: Ports) -> Iterator[Stack]:
    """Everything as `puntual up` runs it, on played time and ports of its own; PostgreSQL is durable and keeps commit times."""
    stack = Stack(home, ports, played=True)
    stack.supervisor = Supervisor(home, waits_s=QUICK_RESTARTS_S)
    try:
        stack.start_servers()
        stack.postgres.query(KEEP_COMMIT_TIMES)
        stack.supervisor.restart("postgres")
        stack.start_services()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def postgres(short_folder: Path) -> Iterator[Postgres]:
    """Like the server of the other tests, and it keeps commit times."""
    home = short_folder / "pg-times"
    server = Postgres(home, durable=False)
    supervisor = Supervisor(home)
    supervisor.start(server.part())
    try:
        server.query(KEEP_COMMIT_TIMES)
        supervisor.restart("postgres")
        server.query(bootstrap_sql())
        server.create_database(TEMPLATE)
        migrate(server.url("puntual_owner", TEMPLATE))
        yield server
    finally:
        supervisor.stop()
