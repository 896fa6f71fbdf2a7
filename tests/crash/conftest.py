"""A stack of real processes for a campaign, and a server that keeps commit times for the checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import Ports, Stack
from supervise import Supervisor

QUICK_RESTARTS_S = (0.0, 0.1, 0.2, 0.5)
"""Parts that are killed on purpose need no long back-off."""


@pytest.fixture
def played_stack(home: Path, ports: Ports) -> Iterator[Stack]:
    """Everything as `puntual up` runs it, on played time and ports of its own; PostgreSQL is durable and keeps commit times."""
    stack = Stack(home, ports, played=True)
    stack.supervisor = Supervisor(home, waits_s=QUICK_RESTARTS_S)
    try:
        stack.start_servers()
        stack.postgres.query("alter system set track_commit_timestamp = on")
        stack.supervisor.restart("postgres")
        stack.start_services()
        yield stack
    finally:
        stack.stop()
