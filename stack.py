"""The whole product on one machine: what `puntual up`, and played time, start from the embedded parts.

Everything lives under one home folder: postgres/ socket/ temporal.db log/ run/ secrets.json. The secrets are made once; losing
them loses the personal data sealed with the master key.
"""

from __future__ import annotations

import binascii
import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from channels.email_smtp import read_relay, read_sender
from channels.paces import channel_rates
from embedded import YIELDS, Postgres, Temporal, home_folder
from ledger.migrations import bootstrap_sql, migrate
from ledger.sealing import Sealer
from rehearsal.simulator.keys import simulated_keys
from settings import NO_SETTINGS, Settings
from supervise import Part, Supervisor, Trouble, free_port, listens, refuse_busy_port

PROJECT = Path(__file__).parent
DATABASE = "puntual"
_TWILIO = ("PUNTUAL_TWILIO_ACCOUNT_SID", "PUNTUAL_TWILIO_AUTH_TOKEN", "PUNTUAL_TWILIO_FROM")
_WHOLE_PROVIDERS = {"Twilio": _TWILIO, "The carrier": ("PUNTUAL_CARRIER_URL", "PUNTUAL_CARRIER_SECRET")}
"""Of these all is given or nothing: messages without their receipts and replies would lose a customer's stop."""


@dataclass(frozen=True)
class Ports:
    """Ports of the loop-back; PostgreSQL has none."""

    api: int = 8080
    temporal: int = 7233
    ui: int = 8233
    simulator: int = 8090

    def __post_init__(self) -> None:
        """Raises Trouble when two are the same."""
        given = [self.api, self.temporal, self.ui, self.simulator]
        for port in given:
            if given.count(port) > 1:
                raise Trouble(f"port {port} is given twice: --port, --temporal-port, --ui-port, --simulator-port need one each")


@dataclass(frozen=True)
class Secrets:
    """Made once for a home folder, readable by its owner only."""

    master_key: str
    simulator_seed: int
    """The simulated providers' keys follow from it."""


def keep_secrets(home: Path) -> Secrets:
    """The folder's secrets, made when it has none; raises Trouble when the file cannot be read."""
    path = home / "secrets.json"
    try:
        return Secrets(**json.loads(path.read_text()))
    except FileNotFoundError:
        made = Secrets(b64encode(secrets.token_bytes(32)).decode(), secrets.randbits(53))
    except (OSError, ValueError, TypeError) as error:
        raise Trouble(f"{path} cannot be read ({error}): restore it from a copy; without it personal data stays sealed") from None
    home.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(asdict(made), indent=1))
    fresh.rename(path)
    return made


class Stack:
    """PostgreSQL, Temporal, the simulated outside world, one worker and the API, in that order."""

    def __init__(
        self, home: Path, ports: Ports | None = None, *, say: Callable[[str], None] = lambda line: None, played: bool = False,
        database: str = DATABASE,
    ) -> None:  # fmt: skip
        """`played`: business time is the ledger's clock (PUNTUAL_CLOCK=ledger), and the outside world is always simulated."""
        self.home = home
        self.ports = ports or Ports()
        self.postgres = Postgres(home)
        self.temporal = Temporal(home, port=self.ports.temporal, ui_port=self.ports.ui)
        self.supervisor = Supervisor(home, say)
        self._database = database
        self._played = played
        self._metrics_port = free_port()

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.simulator}"

    def simulates(self) -> dict[str, bool]:
        """Which providers are simulated: those for which the environment names no key."""
        return {
            "email": self._played or not (os.environ.get("PUNTUAL_SENDGRID_API_KEY") or os.environ.get("PUNTUAL_SMTP_URL")),
            "sms": self._played or not any(os.environ.get(name) for name in _TWILIO),
            "carrier": self._played or not os.environ.get("PUNTUAL_CARRIER_URL"),
        }

    def environment(self) -> dict[str, str]:
        """The environment of the worker, the API and the simulator: the caller's, completed for these embedded parts."""
        own = keep_secrets(self.home)
        keys = simulated_keys(own.simulator_seed)
        simulated = self.simulates()
        forced = {
            "API_URL": self.postgres.url("puntual_api", self._database),
            "WORKER_URL": self.postgres.url("puntual_worker", self._database),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_UI_URL": self.temporal.ui_url,
            "METRICS_ADDRESS": f"127.0.0.1:{self._metrics_port}",
        }
        if self._played:
            forced |= {"CLOCK": "ledger", "DEMO": "1", "PUBLIC_URL": self.api_url}
        if simulated["email"]:
            forced |= {
                "SENDGRID_API_KEY": "SG.simulated", "SENDGRID_BASE_URL": self.simulator_url,
                "SENDGRID_WEBHOOK_KEY": keys.sendgrid_webhook_key,
            }  # fmt: skip
        if simulated["sms"]:
            forced |= {
                "TWILIO_ACCOUNT_SID": keys.twilio_account_sid,
                "TWILIO_AUTH_TOKEN": keys.twilio_auth_token,
                "TWILIO_FROM": keys.twilio_from,
                "TWILIO_BASE_URL": self.simulator_url,
            }
        if simulated["carrier"]:
            forced |= {"CARRIER_URL": self.simulator_url, "CARRIER_SECRET": keys.carrier_secret}
        if any(simulated.values()):
            forced["SIMULATOR_URL"] = self.simulator_url
        if not os.environ.get("PUNTUAL_MASTER_KEY"):
            forced["MASTER_KEY"] = own.master_key
        if not os.environ.get("PUNTUAL_PUBLIC_URL"):
            forced["PUBLIC_URL"] = self.api_url
        # A worker or an API has no business with the owner's address; the others are no settings of theirs.
        left_out = ("PUNTUAL_OWNER_URL", *NO_SETTINGS)
        given = {name: value for name, value in os.environ.items() if name not in left_out}
        return given | {f"PUNTUAL_{name}": value for name, value in forced.items()}

    def start_servers(self, *, services: bool = False) -> None:
        """PostgreSQL with the roles and the migrated database, then Temporal; raises Trouble.

        A port that is taken is told before anything starts, with `services` also those of what `start_services` starts.
        """
        self.supervisor.lock()
        self.home.mkdir(parents=True, exist_ok=True)
        refuse_wrong_settings(played=self._played)
        self.supervisor.look_ahead([self.temporal.part(), *(self._services() if services else ())])
        self.supervisor.start(self.postgres.part())
        self.postgres.query(bootstrap_sql())
        if not self.postgres.has_database(self._database):
            self.postgres.create_database(self._database)
        migrate(self.postgres.url("puntual_owner", self._database))
        self.supervisor.start(self.temporal.part())
        fresh = self.home / "run" / "ports.new"
        fresh.write_text(json.dumps(asdict(self.ports)))
        fresh.replace(self.home / "run" / "ports.json")

    def start_services(self) -> None:
        """The simulated world where it is needed, the worker and the API; raises Trouble."""
        for part in self._services():
            self.supervisor.start(part)

    def _services(self) -> list[Part]:
        environment = self.environment()
        simulator = [self._simulator(environment)] if any(self.simulates().values()) else []
        return [*simulator, self._worker(environment), self._api(environment)]

    def stop(self) -> None:
        """Everything, the last started first."""
        self.supervisor.stop()

    def _simulator(self, environment: dict[str, str]) -> Part:
        own, port = keep_secrets(self.home), self.ports.simulator
        arguments = ["-m", "rehearsal.simulator", "--port", str(port), "--seed", str(own.simulator_seed), "--api", self.api_url]
        arguments += ["--public-url", environment["PUNTUAL_PUBLIC_URL"]]
        if not self._played:
            arguments += ["--real-time", "--state", str(self.home / "simulator.json")]
        return self._own(
            "simulator", arguments, environment, ready=lambda: listens(port),
            prepare=lambda: refuse_busy_port(port, what="the simulator", option="--simulator-port"),
        )  # fmt: skip

    def _worker(self, environment: dict[str, str]) -> Part:
        address = environment["PUNTUAL_METRICS_ADDRESS"]
        metrics = f"http://{address}/metrics"
        return self._own(
            "worker", ["-m", "cli", "worker"], environment, ready=lambda: "num_pollers" in _get(metrics), yields=YIELDS
        )

    def _api(self, environment: dict[str, str]) -> Part:
        port = self.ports.api
        return self._own(
            "api", ["-m", "cli", "api", "--port", str(port)], environment,
            ready=lambda: bool(_get(f"http://127.0.0.1:{port}/health")),
            prepare=lambda: refuse_busy_port(port, what="the API", option="--port"),
        )  # fmt: skip

    def _own(
        self, name: str, arguments: list[str], environment: dict[str, str], *, ready: Callable[[], bool],
        prepare: Callable[[], None] = lambda: None, yields: int = 0,
    ) -> Part:  # fmt: skip
        return Part(
            name=name, command=[sys.executable, *arguments], log=self.home / "log" / f"{name}.log", ready=ready, prepare=prepare,
            env=environment, cwd=PROJECT, start_s_max=60.0, stop_s_max=30.0, yields=yields,
        )  # fmt: skip


def _get(url: str) -> str:
    """The body of a plain page of this machine; empty when there is none (any answer of a server counts as alive)."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            body: bytes = answer.read()
            return body.decode(errors="replace")
    except urllib.error.HTTPError as refusal:
        return f"{refusal.code}"
    except (urllib.error.URLError, OSError):
        return ""


def settings_given() -> Settings:
    """The environment's settings; raises Trouble for one that is unknown or wrong."""
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        raise Trouble(str(error)) from None
    for name in ("owner_url", "api_url", "worker_url"):
        _refuse_wrong_address(f"PUNTUAL_{name.upper()}", getattr(settings, name))
    return settings


def _refuse_wrong_address(name: str, address: str) -> None:
    """Raise Trouble for what is no address of a PostgreSQL database; it is not shown, because it may hold a password."""
    try:
        if address and make_url(address).drivername not in ("postgresql", "postgresql+psycopg2"):
            raise ValueError
    except (ArgumentError, ValueError):  # SQLAlchemy's own, and Python's for a port that is no number
        raise Trouble(
            f"{name} is no address of a database: write postgresql+psycopg2://user:password@host/database,"
            " what is special in the password as %40"
        ) from None


def refuse_wrong_settings(*, played: bool = False) -> None:
    """Raise Trouble for a setting that is unknown, or that a part would refuse at its start.

    `played`: time is, and then every provider is simulated.
    """
    settings = settings_given()
    try:
        channel_rates(settings.channel_rates)
        if settings.master_key:
            Sealer(settings.master_key)
        if not played:
            _refuse_half_a_provider(settings)
    except ValueError as error:
        raise Trouble(str(error)) from None


def _refuse_half_a_provider(settings: Settings) -> None:
    """Raise ValueError where a part of what a provider needs is given and the rest is not, or makes no sense."""
    if settings.sendgrid_api_key and not settings.sender_email:
        raise ValueError("PUNTUAL_SENDGRID_API_KEY is set and PUNTUAL_SENDER_EMAIL is empty: give the address e-mails come from")
    if settings.smtp_url and not settings.sendgrid_api_key:
        read_relay(settings.smtp_url)
        read_sender(settings.sender_email)
    for what, names in _WHOLE_PROVIDERS.items():
        missing = [name for name in names if not getattr(settings, name.removeprefix("PUNTUAL_").lower())]
        if missing and len(missing) < len(names):
            raise ValueError(f"{what} is half configured: set {' and '.join(missing)} too, or leave out {' and '.join(names)}")
    if settings.carrier_secret:
        try:
            Webhook(settings.carrier_secret)
        except (EmptyWebhookSecretError, binascii.Error, RuntimeError):
            raise ValueError("PUNTUAL_CARRIER_SECRET is no secret of a webhook: it is base64 behind whsec_") from None


def settings_here() -> Settings:
    """The settings of a command typed on this machine: the environment's, else those of the stack that runs here."""
    if os.environ.get("PUNTUAL_WORKER_URL"):
        return settings_given()
    home = home_folder()
    if not (home / "run" / "ports.json").exists() or not Postgres(home).ready():
        raise Trouble("no ledger to work on: start `puntual up` in another terminal, or set PUNTUAL_WORKER_URL to its database")
    try:
        ports = Ports(**json.loads((home / "run" / "ports.json").read_text()))
    except (OSError, ValueError, TypeError):
        raise Trouble(f"{home / 'run' / 'ports.json'} cannot be read: stop `puntual up` and start it again") from None
    os.environ.update(Stack(home, ports).environment())
    return settings_given()
