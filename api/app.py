"""The API as one ASGI application. Start it with `puntual up`, or `uvicorn api.app:from_environment --factory`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text

from api import (
    account_owners,
    accounts,
    actions,
    approvals,
    awaiting,
    charges,
    contactability,
    contacts,
    deductions,
    invoices,
    own_promises,
    papers,
    payer_portals,
    payment_data,
    payment_events_list,
    plan,
    portal,
    portal_papers,
    problems,
    reasons,
    snapshots,
    webhooks,
)
from api.console_rooms import CONSOLE
from api.handover import Handover
from api.limits import BodyLimits, Doors, Limits, WebhookLimits
from api.openapi import described
from clock import Clock, LedgerClock, RealClock  # before anything that reads a time zone: it points zoneinfo at tzdata
from ledger.sealing import Sealer
from ledger.session import make_engine, refuse_wrong_role
from memory import collect_seldom
from settings import Settings

ROLE = "puntual_api"
ROOMS = (
    invoices, papers, own_promises, account_owners, contacts, contactability, plan, charges, accounts, actions, approvals,
    awaiting, payment_data, payment_events_list, deductions, snapshots, reasons, payer_portals, webhooks, portal_papers, portal,
)  # fmt: skip
"""What answers under /v1, /webhooks and /p; a test holds each of their routes against its guard."""
DESCRIPTION = """\
Post invoices; Puntual collects them on time and with good manners. Sums are integers in the currency's minor unit. Every error
is `application/problem+json` with a stable `type`. Members of a body and query parameters that are not described are refused.
Posting the same again is always safe."""


def create_app(settings: Settings, *, clock: Clock | None = None, limits: Limits | None = None) -> FastAPI:
    """The application over a migrated ledger; raises WrongRole when its role could see through row-level security."""
    engine = make_engine(settings.api_url, pool_size=20, name="puntual-api")
    refuse_wrong_role(engine, role=ROLE)
    app = FastAPI(title="Puntual", version="0.1.0", description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.settings = settings
    app.state.engine = engine
    app.state.sealer = Sealer(settings.master_key)
    app.state.clock = clock or (LedgerClock(engine) if settings.clock == "ledger" else RealClock())
    limits = limits or Limits()
    app.state.addresses = {}
    app.state.handover = Handover(engine, app.state.sealer)
    app.state.doors = Doors(limits if settings.clock == "real" else limits.of_played_time())
    app.add_middleware(WebhookLimits, doors=app.state.doors)
    app.add_middleware(BodyLimits, limits=limits, batch_path="/v1/invoices/batch")
    problems.install(app)
    for room in ROOMS:
        app.include_router(room.router)
    for pages in CONSOLE:
        app.include_router(pages)
    app.add_api_route("/health", health, methods=["GET"], summary="Whether the ledger can be reached", tags=["Operation"])
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-assets")
    app.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False)
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    return app


def from_environment() -> FastAPI:
    """For a server that wants a factory."""
    return create_app(Settings.from_environment())


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    collect_seldom()
    # While one thread reads a batch, the one that writes it must not wait 5 ms for each turn.
    sys.setswitchinterval(0.0005)
    yield
    await run_in_threadpool(app.state.handover.close)
    app.state.engine.dispose()


def docs() -> HTMLResponse:
    """The OpenAPI document to try out in a browser, with no file from another host."""
    assets = "/docs/assets/"
    return get_swagger_ui_html(
        openapi_url="/openapi.json", title="Puntual API", swagger_js_url=assets + "swagger-ui-bundle.js",
        swagger_css_url=assets + "swagger-ui.css", swagger_favicon_url=assets + "favicon.png",
    )  # fmt: skip


def health(request: Request) -> dict[str, str]:
    """Intake and webhooks need the ledger only; Temporal may be away."""
    with request.app.state.engine.connect() as connection:
        connection.execute(text("select 1"))
    return {"status": "ok"}
