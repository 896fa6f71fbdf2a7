"""The API over a fresh ledger, as a client sees it: a real application, a real database, no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from settings import Settings
from tests import cast
from tests.conftest import Database


class StoppedClock:
    """Business time that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def wake_at(self, at: datetime, started: datetime) -> datetime:
        return at


@dataclass(frozen=True)
class House:
    """A creditor with its API: `client` sends its key, `public` sends none."""

    database: Database
    creditor: cast.Creditor
    client: TestClient
    public: TestClient
    clock: StoppedClock


def settings_of(database: Database) -> Settings:
    """The settings of an API on the test's database."""
    return Settings(api_url=database.api_url, master_key=cast.MASTER_KEY)


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    """Brill Servicios with its key and the clock at cast.NOW."""
    creditor = cast.creditor_brill(database.worker)
    clock = StoppedClock(cast.NOW)
    app = create_app(settings_of(database), clock=clock)
    headers = {"Authorization": f"Bearer {creditor.key.key}"}
    with (
        TestClient(app, headers=headers, raise_server_exceptions=False) as client,
        TestClient(app, raise_server_exceptions=False) as public,
    ):
        yield House(database, creditor, client, public, clock)
    app.state.engine.dispose()
