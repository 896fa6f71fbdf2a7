"""`puntual doctor`: looks at everything `puntual up` needs and says, a line each, what is wrong and what to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from embedded import Postgres, Temporal
from stack import Ports, keep_secrets, refuse_wrong_settings
from supervise import Trouble, command_of, refuse_busy_port

PYTHON_MIN = (3, 11)
FREE_BYTES_MIN = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One line of the doctor."""

    what: str
    fine: bool
    line: str


def examine(home: Path, ports: Ports) -> list[Finding]:
    """Every check, in the order in which a start would meet them. Changes nothing."""
    holder = running_on(home)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("postgresql", lambda: _binary(Postgres.binary("postgres"))),
        ("initdb", lambda: _binary(Postgres.binary("initdb"))),
        ("temporal", lambda: _binary(Temporal.binary())),
        ("settings", _settings),
        ("data folder", lambda: _folder(home)),
        ("database files", lambda: _database_files(home)),
        ("secrets", lambda: _secrets(home)),
        ("locks", lambda: _locks(home, holder)),
    ]
    findings = [_ask(what, check) for what, check in checks]
    return findings + list(_ports(ports, holder))


def _ask(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except Trouble as trouble:
        return Finding(what, False, str(trouble))


def _python() -> str:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < PYTHON_MIN:
        raise Trouble(f"Python {version} is too old: remove .venv, install Python 3.11 or later and run `make install`")
    return version


def _binary(path: Path) -> str:
    try:
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Trouble(f"{path} does not run ({error}): remove .venv and run `make install`") from None
    if said.returncode != 0:
        raise Trouble(f"{path} does not run ({said.stderr.strip()[:200]}): remove .venv and run `make install`")
    return said.stdout.strip()


def _settings() -> str:
    refuse_wrong_settings()
    given = sorted(name for name in os.environ if name.startswith("PUNTUAL_"))
    return f"set: {', '.join(given)}" if given else "none set: the embedded parts are used"


def _folder(home: Path) -> str:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise Trouble(f"cannot write in {there}: change its owner, or set PUNTUAL_HOME to a folder of yours")
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES_MIN:
        raise Trouble(f"{there} has {free // 1_000_000} MB free: make room for at least {FREE_BYTES_MIN // 1_000_000} MB")
    return f"{home}, {free // 1_000_000_000} GB free{'' if home.exists() else ' (will be made at the first start)'}"


def _database_files(home: Path) -> str:
    postgres = Postgres(home)
    postgres.check()
    Temporal(home).check_file()
    return f"{postgres.data}" if postgres.data.exists() else "will be made at the first start"


def _secrets(home: Path) -> str:
    if not (home / "secrets.json").exists():
        return "will be made at the first start"
    keep_secrets(home)
    return f"{home / 'secrets.json'}: keep a copy in a safe place"


def running_on(home: Path) -> int | None:
    """The process id of the supervisor that holds the folder, None when nobody does; 0 when it did not say."""
    try:
        with (home / "run" / "supervisor.lock").open("r+") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(opened.read().strip() or 0)
    except (OSError, ValueError):
        return None
    return None


def _locks(home: Path, holder: int | None) -> str:
    if holder is not None:
        return f"puntual is running here (process {holder})"
    stale = home / "postgres" / "postmaster.pid"
    try:
        said = stale.read_text(errors="replace").split()
    except FileNotFoundError:
        return "free"
    except OSError as error:
        raise Trouble(f"cannot read {stale} ({error.strerror}): run as the owner of {home}, or change its owner") from None
    pid = int(said[0]) if said and said[0].isdecimal() else 0
    command = command_of(pid) if pid else None
    if command is not None and str(home / "postgres") in command:
        return f"PostgreSQL {pid} was left behind by a start that was killed: the next start ends it"
    return f"{stale} is stale: the next start clears it"


def _ports(ports: Ports, holder: int | None) -> Iterator[Finding]:
    for what, number, option in (
        ("the API", ports.api, "--port"),
        ("Temporal", ports.temporal, "--temporal-port"),
        ("the Temporal UI", ports.ui, "--ui-port"),
        ("the simulator", ports.simulator, "--simulator-port"),
    ):

        def check(what: str = what, number: int = number, option: str = option) -> str:
            if holder is not None:
                return f"{number} for {what}: not looked at while puntual runs"
            refuse_busy_port(number, what=what, option=option)
            return f"{number} is free for {what}"

        yield _ask("port", check)
