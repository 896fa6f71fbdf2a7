"""What every part of the bench stands on: a durable stack of its own in a scratch folder, creditors, portfolios and children."""

from __future__ import annotations

import base64
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from clock import wall_now
from embedded import YIELDS
from ledger.creditors import SCOPES, add_creditor, create_api_key, create_webhook_endpoint
from ledger.migrations import migrate
from ledger.sealing import Sealer
from ledger.session import make_engine
from policies.manual import Manual, load_manual
from stack import Ports, Stack, keep_secrets
from supervise import Part, Supervisor, free_port, listens

PROJECT = Path(__file__).parent.parent
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of the bench and of nobody else").decode()
KEYS = 24
"""One key may send 100 requests a second; as many callers as this share the load."""


@dataclass(frozen=True)
class Figure:
    """One line of the report. `goal` says what to reach, `met` whether it was; None where there is nothing to reach."""

    what: str
    value: str
    beside: str = ""
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Sizes:
    """How much is measured. The defaults are the figures of docs/benchmarks.md."""

    singles: int = 600
    batch: int = 10_000
    batches: int = 3
    starts: int = 250
    start_rounds: int = 4
    webhook_seconds: float = 8.0
    webhook_rounds: int = 3
    webhooks_closed: int = 800
    histories: int = 4
    contacts_short: int = 10
    contacts_long: int = 20
    played_invoices: int = 120
    sleeping: int = 1_000
    verdicts: int = 2_000
    verdict_rounds: int = 5
    law_invoices: int = 40

    @classmethod
    def tiny(cls) -> Sizes:
        """For a test that only asks whether every part still runs."""
        return cls(
            singles=8, batch=20, batches=1, starts=6, start_rounds=1, webhook_seconds=0.4, webhook_rounds=1, webhooks_closed=12,
            histories=1, contacts_short=1, contacts_long=2, played_invoices=3, sleeping=10, verdicts=20, verdict_rounds=1,
            law_invoices=2,
        )  # fmt: skip


@dataclass
class Creditor:
    """Who is owed, with the keys and the address that the outside uses."""

    id: UUID
    slug: str
    keys: list[str]
    token: str


@dataclass
class House:
    """PostgreSQL and Temporal, durable as in production, and child processes beside them."""

    stack: Stack
    master_key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())

    @property
    def sealer(self) -> Sealer:
        return Sealer(self.master_key)

    def database(self, name: str) -> str:
        """A fresh, migrated database; returns its name."""
        self.stack.postgres.create_database(name)
        migrate(self.stack.postgres.url("puntual_owner", name))
        return name

    def engine(self, database: str) -> Engine:
        return make_engine(self.stack.postgres.url("puntual_worker", database), pool_size=12, name="puntual-bench", tested=False)

    def environment(self, database: str, api_port: int = 0) -> dict[str, str]:
        """What a child is told: the stack's own environment, for that database."""
        url = f"http://127.0.0.1:{api_port or self.stack.ports.api}"
        return self.stack.environment() | {
            "PUNTUAL_API_URL": self.stack.postgres.url("puntual_api", database),
            "PUNTUAL_WORKER_URL": self.stack.postgres.url("puntual_worker", database),
            "PUNTUAL_MASTER_KEY": self.master_key,
            "PUNTUAL_PUBLIC_URL": url,
        }

    @contextmanager
    def child(self, name: str, command: list[str], environment: dict[str, str], port: int, *, yields: int = 0) -> Iterator[int]:
        """A process of ours (`python -m ...`) for the length of a block; gives its pid once it listens on a port of 127.0.0.1."""
        part = Part(
            name=name, command=[sys.executable, "-m", *command], log=self.stack.home / "log" / f"{name}.log",
            ready=lambda: listens(port), env=environment, cwd=PROJECT, start_s_max=60.0, stop_s_max=30.0, yields=yields,
        )  # fmt: skip
        folder = self.stack.home / "children" / name
        own = Supervisor(folder)
        try:
            yield own.start(part).pid
        finally:
            own.stop()

    @contextmanager
    def api(self, database: str, name: str = "api") -> Iterator[int]:
        """The API over a database; gives its port."""
        port = free_port()
        with self.child(name, ["cli", "api", "--port", str(port)], self.environment(database, port), port):
            yield port

    @contextmanager
    def worker(self, database: str, kind: str, name: str = "worker") -> Iterator[int]:
        """A worker process of a kind of bench_worker.py, as nice as the stack's own; gives its pid."""
        port = free_port()
        environment = self.environment(database) | {"PUNTUAL_METRICS_ADDRESS": ""}
        with self.child(name, ["rehearsal.bench_worker", kind, str(port)], environment, port, yields=YIELDS) as pid:
            yield pid

    @contextmanager
    def simulator(self) -> Iterator[None]:
        """The outside world on the wall clock, without receipts."""
        port = self.stack.ports.simulator
        seed = keep_secrets(self.stack.home).simulator_seed
        arguments = ["--port", str(port), "--seed", str(seed), "--receipts", "none"]
        with self.child("simulator", ["rehearsal.simulator", *arguments], self.environment("puntual"), port):
            yield


@contextmanager
def house() -> Iterator[House]:
    """Everything up in a scratch folder, then everything down and the folder away."""
    home = Path(tempfile.mkdtemp(prefix="puntual-bench-", dir="/tmp"))
    home.chmod(0o755)  # PostgreSQL's user must pass through
    stack = Stack(home, Ports(free_port(), free_port(), free_port(), free_port()))
    try:
        stack.start_servers()
        yield House(stack)
    finally:
        stack.stop()
        shutil.rmtree(home, ignore_errors=True)


def add_bench_creditor(
    engine: Engine, sealer: Sealer, manual: Manual, *, slug: str = "bench", now: datetime | None = None
) -> Creditor:
    """A creditor in Bogotá with keys and a webhook address."""
    now = now or wall_now()
    with Session(engine) as session, session.begin():
        creditor_id = add_creditor(session, slug, "Bench SAS", "CO", "America/Bogota", "es", manual, now, start="rehearsal")
        keys = [create_api_key(session, creditor_id, f"caller {n}", SCOPES, now).key for n in range(KEYS)]
        token = create_webhook_endpoint(session, sealer, creditor_id, "standard", WEBHOOK_SECRET, now)
    return Creditor(creditor_id, slug, keys, token)


def invoice(number: str, account: str, due_on: date, issued_on: date | None = None) -> dict[str, Any]:
    """An ordinary invoice as a billing system posts it: one due date, one contact person with an e-mail address."""
    issued = issued_on or due_on - timedelta(days=30)
    return {
        "number": number, "currency": "COP", "issued_on": issued.isoformat(), "due_on": due_on.isoformat(),
        "amount_minor": 25_000_000,
        "account": {
            "ref": account, "kind": "business", "country": "CO", "region": "CO-DC", "language": "es",
            "contacts": [{
                "role": "payables", "name": f"Pagos {account}", "salutation": "Hola:",
                "channels": [{"channel": "email", "address": f"{account.lower()}@cliente.example.com", "consent": "given"}],
            }],
        },
    }  # fmt: skip


def every_day(contacts: int) -> Manual:
    """A manual with a rung on each of so many working days in a row, by e-mail, without limits; it rests a day after the last.

    Working days, so that every rung is a message of its own: one of a Sunday would go with Monday's.
    """
    head = 'name: daily\nversion: 1\ndeadline_basis: as_stated\nsend_at: "09:00"\nladder:\n'
    rung = "  - {{rung: R{0}, day: D+{0}wd, channels: [email], template: first_reminder, expires_days: 1}}\n"
    return load_manual(head + "".join(rung.format(day) for day in range(1, contacts + 1)), "daily.yaml")


def count(engine: Engine, question: str, **values: Any) -> int:
    """One number out of the ledger."""
    with engine.connect() as connection:
        return int(connection.execute(text(question), values).scalar_one())


def middle(values: list[float]) -> float:
    """The median: one disturbed round does not move it."""
    return float(median(values))
