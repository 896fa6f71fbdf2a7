"""The embedded parts are real, private, survive kills and say clearly what is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

import embedded
from clock import monotonic
from doctor import examine, running_on
from embedded import SEARCH_ATTRIBUTES, Postgres, Temporal
from stack import Ports, Stack, keep_secrets
from supervise import Part, Supervisor, Trouble, command_of, free_port
from tests.conftest import PROJECT, Database, TemporalServer

DAY_S = 86_400


def until(what: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Wait for something that another process brings about."""
    end = monotonic() + within_s
    while not what():
        assert monotonic() < end, "it did not come about in time"
        threading.Event().wait(0.05)


def test_each_role_connects_as_itself_and_the_database_is_migrated_and_empty(database: Database) -> None:
    for engine, name in ((database.owner, "puntual_owner"), (database.api, "puntual_api"), (database.worker, "puntual_worker")):
        with engine.connect() as connection:
            assert connection.execute(text("select current_user")).scalar_one() == name
            assert connection.execute(text("show timezone")).scalar_one() == "UTC"
    with database.worker.connect() as connection:
        assert connection.execute(text("select count(*) from invoice")).scalar_one() == 0


def test_no_role_of_the_service_is_a_superuser_and_only_the_workers_passes_row_level_security(database: Database) -> None:
    with database.owner.connect() as connection:
        rows = connection.execute(
            text("select rolname, rolsuper, rolbypassrls from pg_roles where rolname like 'puntual%' order by 1")
        )
        assert [tuple(row) for row in rows] == [
            ("puntual_api", False, False),
            ("puntual_owner", False, False),
            ("puntual_worker", False, True),
        ]


def test_the_server_listens_on_no_port_and_its_socket_folder_is_closed_to_others(postgres: Postgres) -> None:
    assert postgres.query("show listen_addresses") == [("",)]
    assert postgres.sockets.stat().st_mode & 0o777 == 0o700
    assert postgres.data.stat().st_mode & 0o777 == 0o700


async def test_the_dev_server_has_the_search_attributes_and_keeps_histories_for_400_days(temporal: TemporalServer) -> None:
    client = await temporal.client()
    attributes = (
        await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    ).custom_attributes
    kinds = {name: IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title() for name, kind in attributes.items()}
    assert {name: kinds.get(name) for name in SEARCH_ATTRIBUTES} == SEARCH_ATTRIBUTES
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert described.config.workflow_execution_retention_ttl.seconds == 400 * DAY_S


# -- the whole, killed


@pytest.fixture
def up(home: Path, ports: Ports) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts `puntual up --servers-only` on the folder and waits until it says it is up."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        options = [
            "--port",
            ports.api,
            "--temporal-port",
            ports.temporal,
            "--ui-port",
            ports.ui,
            "--simulator-port",
            ports.simulator,
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", "--servers-only", *map(str, options)],
            cwd=PROJECT, env={**os.environ, "PUNTUAL_HOME": str(home)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Up."):
                return process
        raise AssertionError(f"it did not come up: {''.join(said)}")

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(40)


def was_restarted(home: Path, name: str, killed: int) -> bool:
    return pid_of(home, name) != killed


def pid_of(home: Path, name: str) -> int:
    return int((home / "run" / f"{name}.pid").read_text().split()[0])


def test_it_survives_kill_9_of_every_part_and_of_itself(
    home: Path, ports: Ports, up: Callable[[], subprocess.Popen[str]]
) -> None:
    postgres, temporal = Postgres(home), Temporal(home, port=ports.temporal)
    first = up()
    insert = "insert into ledger_clock (id, at_utc) values (1, '2026-01-02T03:04:05Z')"
    postgres.query(insert, "puntual")
    for name, ready in (("postgres", postgres.ready), ("temporal", temporal.ready)):
        killed = pid_of(home, name)
        os.kill(killed, signal.SIGKILL)
        until(partial(was_restarted, home, name, killed))
        until(ready)
    left = [pid_of(home, "postgres"), pid_of(home, "temporal")]
    first.kill()
    first.wait()
    second = up()
    assert [command_of(pid) for pid in left] == [None, None], "the killed supervisor's children were left behind"
    assert len(postgres.query("select * from ledger_clock", "puntual")) == 1
    second.send_signal(signal.SIGINT)
    assert second.wait(40) == 0
    assert not list((home / "run").glob("*.pid"))


def test_a_second_one_on_the_same_folder_is_told_who_has_it(home: Path) -> None:
    first, second = Supervisor(home), Supervisor(home)
    first.lock()
    with pytest.raises(Trouble, match=f"process {os.getpid()}.* PUNTUAL_HOME"):
        second.lock()
    assert running_on(home) == os.getpid()
    first.stop()
    assert running_on(home) is None
    second.lock()
    second.stop()


def test_a_lock_whose_pid_belongs_to_another_program_now_does_not_stop_the_start(home: Path) -> None:
    server, supervisor = Postgres(home, durable=False), Supervisor(home)
    supervisor.start(server.part())
    lock = (server.data / "postmaster.pid").read_text()
    supervisor.stop()
    (server.data / "postmaster.pid").write_text(lock.replace(lock.split("\n")[0], str(os.getpid()), 1))
    again = Supervisor(home)
    again.start(server.part())
    assert server.ready()
    again.stop()


def test_what_ends_again_and_again_is_started_with_growing_waits(tmp_path: Path) -> None:
    said: list[str] = []
    flag = tmp_path / "ready"
    script = f"import pathlib, sys; pathlib.Path({str(flag)!r}).touch(); sys.stdin.read(); sys.exit('Error: no more')"
    supervisor = Supervisor(tmp_path, said.append)
    supervisor.start(Part("brief", [sys.executable, "-c", script], tmp_path / "brief.log", flag.exists))
    until(lambda: len(said) >= 3)
    supervisor.stop()
    assert said[0] == "brief ended (code 1: Error: no more): starting it again"


def test_what_steps_back_does_so_also_where_the_kernel_groups_by_session(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = (
        "import os, pathlib, time; group = pathlib.Path('/proc/self/autogroup');"
        " said = group.read_text() if group.exists() else 'nice 15';"
        f" open({str(told)!r} + '.new', 'w').write(f'{{os.getpriority(os.PRIO_PROCESS, 0)}} {{said.strip()}}');"
        f" os.rename({str(told)!r} + '.new', {str(told)!r}); time.sleep(60)"
    )
    supervisor = Supervisor(tmp_path)
    supervisor.start(Part("polite", [sys.executable, "-c", script], tmp_path / "polite.log", told.exists, yields=15))
    supervisor.stop()
    own, _, group = told.read_text().partition(" ")
    assert int(own) == min(os.getpriority(os.PRIO_PROCESS, 0) + 15, 19)
    assert group.endswith("nice 15")


# -- what is wrong, in one line


def one_line(trouble: pytest.ExceptionInfo[Trouble]) -> str:
    said = str(trouble.value)
    assert "\n" not in said
    return said


def test_a_busy_port_is_named_with_the_option_that_changes_it(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Trouble) as trouble:
            Temporal(home, port=port, ui_port=free_port()).check()
    assert (
        one_line(trouble) == f"port {port} of Temporal is busy: stop what listens there, or choose another with --temporal-port"
    )


@pytest.mark.parametrize("what", ["api", "simulator"])
def test_a_busy_port_is_told_before_anything_is_started(home: Path, what: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {name: free_port() for name in ("api", "temporal", "ui", "simulator")} | {what: taken.getsockname()[1]}
        stack = Stack(home, Ports(**ports))
        with pytest.raises(Trouble) as trouble:
            stack.start_servers(services=True)
        stack.stop()
    option = {"api": "--port", "simulator": "--simulator-port"}[what]
    assert "is busy" in one_line(trouble) and one_line(trouble).endswith(option)
    assert not (home / "postgres").exists()


def test_a_socket_path_over_107_bytes_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    with pytest.raises(Trouble) as trouble:
        Postgres(folder).check()
    assert "longer than 107 bytes: set PUNTUAL_HOME to a shorter folder" in one_line(trouble)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("version", "words"), [(None, "is not a PostgreSQL data folder"), ("13\n", "was written by PostgreSQL 13, this is 18")]
)
def test_a_broken_data_folder_is_named_and_left_alone(home: Path, version: str | None, words: str) -> None:
    data = home / "postgres"
    data.mkdir(parents=True, exist_ok=True)
    (data / "PG_VERSION").unlink(missing_ok=True)
    if version:
        (data / "PG_VERSION").write_text(version)
    with pytest.raises(Trouble) as trouble:
        Supervisor(home).start(Postgres(home).part())
    assert words in one_line(trouble)
    assert data.exists()


def test_a_damaged_cluster_is_told_with_the_servers_own_reason(home: Path) -> None:
    server = Postgres(home, durable=False)
    server.prepare()
    (server.data / "global" / "pg_control").write_bytes(b"damaged")
    with pytest.raises(Trouble) as trouble:
        Supervisor(home).start(server.part())
    assert "postgres ended at start:" in one_line(trouble)
    assert "PANIC" in one_line(trouble) or "FATAL" in one_line(trouble)


def test_the_reason_of_an_earlier_start_is_not_given_for_this_one(tmp_path: Path) -> None:
    log = tmp_path / "brief.log"
    log.write_text("ValueError: what was wrong last week\n")
    with pytest.raises(Trouble) as trouble:
        Supervisor(tmp_path).start(Part("brief", [sys.executable, "-c", "print('enough for today')"], log, lambda: False))
    assert "enough for today" in one_line(trouble) and "last week" in log.read_text()


def test_a_broken_file_of_temporal_is_named_with_what_to_do(home: Path) -> None:
    home.mkdir()
    file, server = home / "temporal.db", Temporal(home, port=free_port(), ui_port=free_port())
    file.write_bytes(b"not a database at all, but long enough")
    with pytest.raises(Trouble) as trouble:
        Supervisor(home).start(server.part())
    assert f"remove {file}* and start again" in one_line(trouble)
    assert [found.what for found in examine(home, Ports()) if not found.fine and found.what != "port"] == ["database files"]
    file.write_bytes(b"SQLite format 3\0 and so on")
    server.check()
    assert file.exists()


def test_an_empty_file_of_temporal_is_what_a_killed_first_start_left_and_is_cleared(home: Path) -> None:
    home.mkdir()
    (home / "temporal.db").touch()
    Temporal(home, port=free_port(), ui_port=free_port()).check()
    assert not (home / "temporal.db").exists()


def test_a_missing_binary_says_how_to_get_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.POSTGRES_MAJOR", "99")
    with pytest.raises(Trouble) as trouble:
        Postgres(home).check()
    assert "pginstall99/bin/postgres is missing: remove .venv and run `make install`" in one_line(trouble)


@pytest.mark.parametrize("as_root", [True, False])
def test_a_folder_closed_to_the_servers_user_is_named_and_never_opened(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch, as_root: bool
) -> None:
    monkeypatch.setattr("embedded._as_root", lambda: as_root)
    closed = short_folder / f"closed-{as_root}"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "home")
    if as_root:
        with pytest.raises(Trouble) as trouble:
            server.check()
        assert f"folder {closed} is closed to user nobody" in one_line(trouble)
    else:
        server.check()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_of_another_user_is_named_with_both(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Postgres(home)
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("18\n")
    monkeypatch.setattr("embedded._run_as", lambda: (4_000_000, 4_000_000, []))
    with pytest.raises(Trouble) as trouble:
        server.check()
    assert f"belongs to user {os.getuid()}, and PostgreSQL would run as 4000000" in one_line(trouble)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Trouble) as trouble:
        Supervisor(tmp_path / "file").lock()
    assert "set PUNTUAL_HOME to a folder of yours" in one_line(trouble)


def test_secrets_are_made_once_and_readable_by_their_owner_only(home: Path) -> None:
    made = keep_secrets(home)
    assert keep_secrets(home) == made
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
    (home / "secrets.json").write_text("{")
    with pytest.raises(Trouble, match="restore it from a copy"):
        keep_secrets(home)


def test_a_given_provider_key_is_left_alone_and_the_other_providers_are_simulated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNTUAL_SENDGRID_API_KEY", "SG.real")
    stack = Stack(home)
    environment = stack.environment()
    assert environment["PUNTUAL_SENDGRID_API_KEY"] == "SG.real"
    assert "PUNTUAL_SENDGRID_BASE_URL" not in environment
    assert environment["PUNTUAL_TWILIO_BASE_URL"] == stack.simulator_url
    monkeypatch.delenv("PUNTUAL_SENDGRID_API_KEY")
    monkeypatch.setenv("PUNTUAL_SMTP_URL", "smtp://127.0.0.1:1025")
    environment = stack.environment()
    assert "PUNTUAL_SENDGRID_API_KEY" not in environment and not stack.simulates()["email"]
    played = Stack(home, played=True).environment()
    assert played["PUNTUAL_SENDGRID_API_KEY"] == "SG.simulated"
    assert (played["PUNTUAL_CLOCK"], played["PUNTUAL_DEMO"]) == ("ledger", "1")


def test_databases_of_tests_are_apart_from_each_other(postgres: Postgres, database: Database) -> None:
    postgres.create_database("another", template="puntual_template")
    try:
        postgres.query("insert into ledger_clock (id, at_utc) values (1, '2026-01-02T03:04:05Z')", "another")
        with database.worker.connect() as connection:
            assert connection.execute(text("select count(*) from ledger_clock")).scalar_one() == 0
        with pytest.raises(psycopg2.errors.DuplicateDatabase):
            postgres.create_database("another")
    finally:
        postgres.drop_database("another")
    assert not postgres.has_database("another")


def test_ports_are_kept_for_the_commands_typed_beside_a_running_stack(home: Path, ports: Ports, up: Callable[[], object]) -> None:
    up()
    assert Ports(**json.loads((home / "run" / "ports.json").read_text())) == ports
    done = subprocess.run(
        [sys.executable, "-m", "cli", "key", "list", "--creditor", "acme"],
        cwd=PROJECT, env={**os.environ, "PUNTUAL_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "there is no creditor 'acme': add it with `puntual creditor add`" in done.stderr


def test_a_copy_of_the_server_for_a_closed_project_runs(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_ROOT_DATA", short_folder / "root-data")
    install = Postgres.binary("postgres").parent.parent
    copy = embedded._reachable_copy(install)
    assert copy == embedded._reachable_copy(install) and install not in copy.parents
    said = subprocess.run([copy / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert f"PostgreSQL) {embedded.POSTGRES_MAJOR}" in said
