"""A Temporal of one test's own, that may be stopped and may lose its data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from embedded import Temporal
from supervise import Supervisor, free_port
from tests.conftest import TemporalServer


class OwnTemporal:
    """A dev server of one test, that may lose its data."""

    def __init__(self, home: Path, *settings: str) -> None:
        """`settings` are the server's own, as `limit.historyCount.suggestContinueAsNew=30`."""
        self._home = home
        self._settings = [word for setting in settings for word in ("--dynamic-config-value", setting)]
        self._server = Temporal(home, port=free_port(), headless=True)
        self._supervisor = Supervisor(home)

    @property
    def as_server(self) -> TemporalServer:
        return TemporalServer(self._server.address, "")

    def start(self) -> None:
        self._home.mkdir(exist_ok=True)
        self._supervisor = Supervisor(self._home)
        part = self._server.part()
        self._supervisor.start(dataclasses.replace(part, command=[*part.command, *self._settings]))

    def stop(self) -> None:
        self._supervisor.stop()

    def lose_everything(self) -> None:
        """Stop, delete every file of the store, and start again on nothing."""
        self.stop()
        for path in self._home.glob("temporal.db*"):
            path.unlink()
        self.start()
