"""The API over a fresh ledger, as a client sees it: a real application, a real database, no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute

from api.app import create_app
from api.limits import Limits
from clock import Clock
from settings import Settings
from tests import cast
from tests.conftest import Database


class StoppedClock:
    """Business time that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
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


_built: list[BaseRoute] = []


def application(settings: Settings, *, clock: Clock | None = None, limits: Limits | None = None) -> FastAPI:
    """As create_app makes it, on the routes of the first one: they are the same for all, and each building takes 0.2 s."""
    app = create_app(settings, clock=clock, limits=limits)
    if not _built:
        _built.extend(app.routes)
    app.router.routes[:] = _built
    return app


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    """Brill Servicios with its key and the clock at cast.NOW."""
    creditor = cast.creditor_brill(database.worker)
    clock = StoppedClock(cast.NOW)
    app = application(settings_of(database), clock=clock)
    headers = {"Authorization": f"Bearer {creditor.key.key}"}
    public = TestClient(app, raise_server_exceptions=False)
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        public.portal = client.portal  # one application, one loop
        yield House(database, creditor, client, public, clock)
    app.state.engine.dispose()
