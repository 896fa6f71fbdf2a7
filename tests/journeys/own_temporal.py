"""A Temporal of one test's own, that may be stopped and may lose its data."""

from __future__ import annotations

from pathlib import Path

from embedded import Temporal
from supervise import Supervisor, free_port
from tests.conftest import TemporalServer


class OwnTemporal:
    """A dev server of one test, that may lose its data."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._server = Temporal(home, port=free_port(), headless=True)
        self._supervisor = Supervisor(home)

    @property
    def as_server(self) -> TemporalServer:
        return TemporalServer(self._server.address, "")

    def start(self) -> None:
        self._home.mkdir(exist_ok=True)
        self._supervisor = Supervisor(self._home)
        self._supervisor.start(self._server.part())

    def stop(self) -> None:
        self._supervisor.stop()

    def lose_everything(self) -> None:
        """Stop, delete every file of the store, and start again on nothing."""
        self.stop()
        for path in self._home.glob("temporal.db*"):
            path.unlink()
        self.start()
