"""A list for tomorrow as a lead finds it in the afternoon: a ledger and the console, without workflows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from activities.compose import Composer
from activities.tomorrow import draw_lists
from api.app import create_app
from api.console_session import COOKIE, LASTS, PATH, signed, staff_prefix
from clock import LedgerClock, set_ledger_clock, wall_now
from embedded import Postgres
from ledger.creditors import describe_creditor
from ledger.migrations import bootstrap_sql, migrate
from ledger.session import make_engine
from ledger.staff import add_staff
from ledger.starting import set_start
from settings import Settings
from supervise import Supervisor
from tests import cast
from tests.api.console_desk import decide
from tests.browser.browser import Browser
from tests.channels.outside import serving

AFTERNOON = datetime(2026, 3, 18, 20, 0, tzinfo=UTC)
"""Wednesday at three in Bogotá."""
_OWED = (
    ("C-1042", "Ana María", "F-20411", "2026-03-16", 18_450_000), ("C-1042", "Ana María", "F-20437", "2026-03-16", 6_200_000),
    ("C-1107", "Don Julián", "F-20418", "2026-03-16", 31_990_000), ("C-1193", "Marta Lucía", "F-20422", "2026-03-16", 9_875_000),
    ("C-1220", "Señor Ospina", "F-20389", "2026-03-09", 54_300_000),
    ("C-1254", "Doña Gloria", "F-20391", "2026-03-09", 12_640_000),
)  # fmt: skip
"""Account, whom to greet, invoice, due date and sum: S2 falls tomorrow for the first four, S3 for the others."""


def tomorrow_for_brill(worker: Engine, *, slug: str = "brill") -> str:
    """Brill asks before every contact, and this afternoon's list is drawn; returns the cookie's value of a lead."""
    with worker.begin() as connection:
        set_ledger_clock(connection, AFTERNOON, frozen=True)
    brill = cast.creditor_brill(worker, slug=slug, now=AFTERNOON)
    with Session(worker) as session, session.begin():
        describe_creditor(session, brill.id, {"team": "Equipo de cuentas", "reply_to": "cuentas@brill.example"}, {})
        set_start(session, brill.id, {"default": "approve"}, actor="staff:lead-1", now=AFTERNOON)
        staff_id, _ = add_staff(session, brill.id, "lead-1", "lead", AFTERNOON, password="cuatro gatos grises")
    for ref, salutation, number, due_on, amount_minor in _OWED:
        address = f"{ref.lower()}@correo.example.com"
        channels = [{"channel": "email", "address": address, "consent": "given", "verified": True}]
        contact = {"role": "holder", "name": f"{salutation} Prueba", "salutation": salutation, "channels": channels}
        account = cast.debtor_ana(ref=ref, contacts=[contact])
        invoice = cast.accepted_invoice(
            worker, brill, number, now=AFTERNOON, due_on=due_on, amount_minor=amount_minor, account=account
        )
        decide(worker, invoice, AFTERNOON)
    sealer = cast.sealer()
    assert draw_lists(worker, LedgerClock(worker), Composer(sealer, "https://cobros.brill.example"), sealer) == len(_OWED)
    return signed(sealer, staff_prefix(staff_id, 1), wall_now() + LASTS)


@contextmanager
def console_on(api_url: str) -> Iterator[str]:
    """The API over a ledger; its address."""
    settings = Settings(api_url=api_url, master_key=cast.MASTER_KEY, clock="ledger")
    with serving(uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning", access_log=False))) as url:
        yield url


@contextmanager
def own_ledger() -> Iterator[Postgres]:
    """A server of our own with a migrated, empty database `list`."""
    home = Path(tempfile.mkdtemp(prefix="puntual-", dir="/tmp"))
    home.chmod(0o755)  # PostgreSQL's user must pass through
    server = Postgres(home, durable=False)
    supervisor = Supervisor(home)
    supervisor.start(server.part())
    try:
        server.query(bootstrap_sql())
        server.create_database("list")
        migrate(server.url("puntual_owner", "list"))
        yield server
    finally:
        supervisor.stop()
        shutil.rmtree(home, ignore_errors=True)


def enter(browser: Browser, url: str, cookie: str, page: str = "/tomorrow") -> None:
    """Open a page of the console as the person of that cookie."""
    browser.cookie(COOKIE, cookie, url + PATH)
    browser.open(f"{url}{PATH}{page}")


def take(browser: Browser, folder: Path) -> Iterator[Path]:
    """The pictures of tomorrow's list: wide, with a message open, and on a phone."""
    with own_ledger() as server:
        engine = make_engine(server.url("puntual_worker", "list"), pool_size=4, name="pictures")
        cookie = tomorrow_for_brill(engine)
        with console_on(server.url("puntual_api", "list")) as url:
            browser.size(1280, 1150)
            enter(browser, url, cookie)
            browser.run("document.querySelector('.going details').open = true")
            browser.screenshot(folder / "tomorrow.png")
            yield folder / "tomorrow.png"
            browser.size(390, 844, scale=2, phone=True)
            enter(browser, url, cookie)
            browser.screenshot(folder / "tomorrow-phone.png")
            yield folder / "tomorrow-phone.png"
        engine.dispose()
