"""A stack of its own for one played run: PostgreSQL, Temporal and the simulated outside in a scratch folder that goes away."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from embedded import Postgres, Temporal
from ledger.migrations import bootstrap_sql, migrate
from rehearsal.simulator.keys import simulated_keys
from settings import Settings
from supervise import Part, Supervisor, free_port, listens

DATABASE = "puntual"
PROJECT = Path(__file__).parent.parent
SEED = 1


def simulator_part(home: Path, port: int, *arguments: str) -> Part:
    """The simulator as a child process on `port`."""
    return Part(
        name="simulator",
        command=[sys.executable, "-m", "rehearsal.simulator", "--port", str(port), "--seed", str(SEED), *arguments],
        log=home / "log" / "simulator.log", ready=lambda: listens(port), cwd=PROJECT, start_s_max=60.0,
    )  # fmt: skip


def played_settings(worker_url: str, temporal_address: str, simulator_url: str, *, public_url: str = "") -> Settings:
    """The settings of a worker whose time is played and whose providers are the simulator."""
    keys = simulated_keys(SEED)
    return Settings(
        worker_url=worker_url, temporal_address=temporal_address, clock="ledger", demo="1",
        master_key=base64.b64encode(secrets.token_bytes(32)).decode(), public_url=public_url or "http://127.0.0.1:8080",
        sendgrid_api_key="SG.simulated", sendgrid_base_url=simulator_url,
        twilio_base_url=simulator_url, twilio_account_sid=keys.twilio_account_sid,
        twilio_auth_token=keys.twilio_auth_token, twilio_from=keys.twilio_from,
        carrier_url=simulator_url, carrier_secret=keys.carrier_secret,
        sendgrid_webhook_key=keys.sendgrid_webhook_key, simulator_url=simulator_url,
    )  # fmt: skip


def _in_a_hurry(temporal: Part) -> Part:
    """For one run: its collector looks less often, for more memory while it lasts."""
    return replace(temporal, env={"GOGC": "400", **os.environ})


@contextmanager
def scratch_stack(*, keep: bool = False) -> Iterator[tuple[Settings, Path]]:
    """Everything up, then everything down; the folder is removed unless `keep`. Raises Trouble when a part does not come up."""
    home = Path(tempfile.mkdtemp(prefix="puntual-", dir="/tmp"))
    home.chmod(0o755)  # PostgreSQL's user must pass through
    postgres = Postgres(home, durable=False)
    temporal = Temporal(home, port=free_port(), ui_port=free_port(), headless=not keep)
    simulator_port = free_port()
    supervisor = Supervisor(home)
    try:
        supervisor.start(postgres.part())
        postgres.query(bootstrap_sql())
        postgres.create_database(DATABASE)
        migrate(postgres.url("puntual_owner", DATABASE))
        supervisor.start(_in_a_hurry(temporal.part()))
        # No receipts: a replay has no API to take them, so each contact ends as accepted.
        supervisor.start(simulator_part(home, simulator_port, "--receipts", "none"))
        url = f"http://127.0.0.1:{simulator_port}"
        yield played_settings(postgres.url("puntual_worker", DATABASE), temporal.address, url), home
    finally:
        supervisor.stop()
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
