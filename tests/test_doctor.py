"""The doctor's findings, the command's one-line errors, and what the tests say when data is missing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from doctor import examine
from embedded import Postgres
from stack import Ports, Stack, refuse_wrong_settings, settings_here
from supervise import Trouble, free_port
from tests.conftest import PROJECT, find_shared


def test_the_doctor_finds_nothing_on_a_sound_machine_and_changes_nothing(home: Path, ports: Ports) -> None:
    findings = examine(home, ports)
    assert [finding.line for finding in findings if not finding.fine] == []
    assert not home.exists()


def test_the_doctor_names_each_thing_that_is_wrong(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "secrets.json").write_text("not json")
    monkeypatch.setenv("PUNTUAL_MISSPELT", "1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        findings = examine(home, Ports(taken.getsockname()[1], free_port(), free_port(), free_port()))
    wrong = {finding.what: finding.line for finding in findings if not finding.fine}
    assert set(wrong) == {"settings", "database files", "secrets", "port"}
    assert "PUNTUAL_MISSPELT" in wrong["settings"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SMTP_URL", "http://me:hunter2@mail", "smtp://host:25"),
        ("CHANNEL_RATES", "fax=3", "email=50 sms=10"),
        ("MASTER_KEY", "short", "base64 of 32 random bytes"),
        ("TWILIO_AUTH_TOKEN", "hunter2", "set PUNTUAL_TWILIO_ACCOUNT_SID and PUNTUAL_TWILIO_FROM too"),
        ("WORKER_URL", "foo:hunter2", "postgresql+psycopg2://user"),
        ("API_URL", "mysql://me:hunter2@host/db", "postgresql+psycopg2://user"),
        ("OWNER_URL", "postgresql+psycopg2://me:p@ss:hunter2@host/db", "what is special in the password as %40"),
        ("WORKER_URL", "postgresql+pg8000://me:hunter2@host/db", "postgresql+psycopg2://user"),
        ("CARRIER_URL", "https://carrier.example", "set PUNTUAL_CARRIER_SECRET too"),
        ("CARRIER_SECRET", "whsec_aHVudGVyMg==", "set PUNTUAL_CARRIER_URL too"),
        ("SENDGRID_API_KEY", "SG.hunter2", "PUNTUAL_SENDER_EMAIL is empty"),
    ],
)
def test_a_setting_that_a_part_would_refuse_is_found_before_anything_starts(
    home: Path, ports: Ports, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"PUNTUAL_{name}", value)
    monkeypatch.setenv("PUNTUAL_SENDER_EMAIL", "" if name == "SENDGRID_API_KEY" else "cobros@brill.example")
    [wrong] = [finding for finding in examine(home, ports) if not finding.fine]
    assert wrong.what == "settings" and says in wrong.line and "hunter2" not in wrong.line
    with pytest.raises(Trouble, match="PUNTUAL_"):
        Stack(home, ports).start_servers()
    assert not (home / "log").exists()


@pytest.mark.parametrize("says", ["", "no number\n", "\x00\xff"])
def test_the_doctor_calls_a_lock_that_says_nothing_stale(home: Path, ports: Ports, says: str) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "postmaster.pid").write_text(says)
    [locks] = [finding for finding in examine(home, ports) if finding.what == "locks"]
    assert locks.fine and "the next start clears it" in locks.line


def test_the_doctor_says_of_a_lock_that_it_may_not_read_whose_it_is(home: Path, ports: Ports) -> None:
    (home / "postgres" / "postmaster.pid").mkdir(parents=True)  # stands for one that cannot be read: root reads every file
    [locks] = [finding for finding in examine(home, ports) if finding.what == "locks"]
    assert not locks.fine and "change its owner" in locks.line


def test_two_parts_never_get_the_same_port() -> None:
    with pytest.raises(Trouble, match="port 7233 is given twice"):
        Ports(api=7233)


def test_an_address_of_no_database_is_one_line_without_its_password() -> None:
    environment = {**os.environ, "PUNTUAL_WORKER_URL": "postgresql://me:p@ss:hunter2@host/db"}
    command = [sys.executable, "-m", "cli", "key", "list", "--creditor", "acme"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "") and "hunter2" not in done.stderr
    assert done.stderr.startswith("puntual: PUNTUAL_WORKER_URL is no address of a database") and done.stderr.count("\n") == 1


def test_a_carriers_secret_that_signs_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNTUAL_CARRIER_URL", "https://carrier.example")
    monkeypatch.setenv("PUNTUAL_CARRIER_SECRET", "whsec_!")
    with pytest.raises(Trouble, match="PUNTUAL_CARRIER_SECRET is no secret"):
        refuse_wrong_settings()
    refuse_wrong_settings(played=True)  # where it is not used


def test_a_worker_refuses_half_a_provider_in_one_line() -> None:
    given = {"PUNTUAL_WORKER_URL": "postgresql://w@/x", "PUNTUAL_TWILIO_AUTH_TOKEN": "hunter2", "PUNTUAL_TWILIO_FROM": "+1"}
    command = [sys.executable, "-m", "cli", "worker"]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **given}, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "hunter2" not in done.stderr
    assert done.stderr.startswith("puntual: Twilio is half configured: set PUNTUAL_TWILIO_ACCOUNT_SID too")


def test_the_command_says_one_line_and_ends_with_1(home: Path, short_folder: Path) -> None:
    environment = {**os.environ, "PUNTUAL_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "cli", "key", "list", "--creditor", "acme"],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "puntual: no ledger to work on: start `puntual up` in another terminal, or set PUNTUAL_WORKER_URL to its database\n"
    )


@pytest.mark.parametrize("content", ["", "[1]", '{"api": 1, "more": 2}'])
def test_a_damaged_note_of_the_ports_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (home / "run").mkdir(parents=True)
    (home / "run" / "ports.json").write_text(content)
    monkeypatch.setenv("PUNTUAL_HOME", str(home))
    monkeypatch.delenv("PUNTUAL_WORKER_URL", raising=False)
    monkeypatch.setattr(Postgres, "ready", lambda self: True)
    with pytest.raises(Trouble, match="cannot be read: stop `puntual up` and start it again"):
        settings_here()


def test_a_missing_shared_folder_is_counted_and_said_and_a_wrong_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "databases.py"):
        (tmp_path / "tests" / name).write_text((PROJECT / "tests" / name).read_text())
    (tmp_path / "tests" / "test_it.py").write_text(
        "import pytest\n@pytest.mark.shared\ndef test_a(): ...\n@pytest.mark.drill\ndef test_b(): ...\ndef test_c(): ...\n"
    )
    (tmp_path / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text())
    given = {name: value for name, value in os.environ.items() if name != "PUNTUAL_SHARED"}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=tmp_path, env={**given, "PYTHONPATH": str(PROJECT), **more}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    without = run().stdout
    assert "1 tests on shared data were not run: set PUNTUAL_SHARED\n" in without
    assert "1 passed, 2 deselected" in without
    with_data = run(PUNTUAL_SHARED=str(tmp_path)).stdout
    assert "2 passed, 1 deselected" in with_data
    assert "were not run" not in with_data
    monkeypatch.setenv("PUNTUAL_SHARED", str(tmp_path / "nowhere"))
    with pytest.raises(pytest.UsageError, match="is not a folder"):
        find_shared()
