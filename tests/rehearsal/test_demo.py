"""The demo as a visitor starts it: it plays, shows, stays up with every address answering, and ends at Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from supervise import free_port
from tests.conftest import PROJECT

READY = "Ctrl-C ends the demo."


@contextmanager
def _demo(home: Path) -> Iterator[subprocess.Popen[str]]:
    ports = [str(free_port()) for _ in range(4)]
    names = ("--port", "--temporal-port", "--ui-port", "--simulator-port")
    options = [word for pair in zip(names, ports, strict=True) for word in pair]
    given = {name: value for name, value in os.environ.items() if not name.startswith("PUNTUAL_")}
    # The shared data's folder is no setting of any part, and whoever runs the tests may have it in the environment.
    environment = given | {"PUNTUAL_HOME": str(home), "PUNTUAL_SHARED": str(home.parent), "COLUMNS": "200"}
    command = [sys.executable, "-m", "cli", "demo", *options]
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    watchdog = threading.Timer(240, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _until_ready(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if READY in line:
            return lines
    pytest.fail("the demo ended before it was ready:\n" + "\n".join(lines[-30:]))


def test_it_plays_ninety_days_shows_what_happened_and_stays_up_until_it_is_stopped(short_folder: Path) -> None:
    with _demo(short_folder / "demo") as process:
        lines = _until_ready(process)
        said = "\n".join(lines)
        for word in ("sent", "held back", "paid", "promise made", "promise broken", "opted out", "reversed", "disputed"):
            assert re.search(rf"^\d\d \w{{3}} \d\d:\d\d \S+ +{word}", said, re.MULTILINE), word
        assert all(name in said for name in ("Vitalia Gimnasios SAS", "Casa Ribera SA de CV", "Norte Suministros SL"))
        assert "90 days played in" in said
        links = {line[:24].strip(): line[24:].strip() for line in lines if "http://" in line}
        assert {"Temporal UI", "A customer's page", "Console of vitalia", "Console of norte", "API docs"} <= set(links)
        for what, link in links.items():
            answer = httpx.get(link, follow_redirects=True, timeout=30)
            assert answer.status_code == 200, f"{what} {link}: {answer.status_code}"
        console = httpx.get(links["Console of norte"], follow_redirects=True, timeout=30)
        assert "N-3003" in console.text
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
