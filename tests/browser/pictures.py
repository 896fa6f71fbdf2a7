"""The pictures of the README: plays the demo, looks at it, writes docs/pictures, ends it. `make screenshots` runs it.

With a file that holds what a running demo printed, it looks at that one instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from supervise import free_port
from tests.browser import careful, gallery
from tests.browser.browser import Browser

PROJECT = Path(__file__).parent.parent.parent
PICTURES = PROJECT / "docs" / "pictures"
BYTES_MAX = 250_000
_CONSOLE = re.compile(r"Console of (\S+)\s+(http://\S+/console/demo/\S+)")
_CUSTOMER = re.compile(r"A customer's page\s+(http://\S+)")
_WORKFLOW = re.compile(r"one invoice there\s+(http://\S+)")
_READY = "Time now runs at its normal pace"
_COLUMNS = ("Status", "Workflow ID", "PuntualAccount", "PuntualStatus", "PuntualRung", "PuntualOwed", "PuntualCurrency")


@dataclass(frozen=True)
class Addresses:
    """What the demo prints at its end: each creditor's console, one customer's page, one workflow."""

    consoles: dict[str, str]
    customer: str
    workflow: str

    @property
    def workflow_id(self) -> tuple[str, str, str]:
        """`invoice`, the creditor and the number."""
        kind, creditor, number = unquote(self.workflow.rsplit("/", 1)[1]).split(":", 2)
        return kind, creditor, number


def addresses(said: str) -> Addresses:
    """Read the demo's last lines; raises ValueError when one is missing."""
    customer, workflow = _CUSTOMER.search(said), _WORKFLOW.search(said)
    consoles = dict(_CONSOLE.findall(said))
    if customer is None or workflow is None or not consoles:
        raise ValueError(f"the demo did not print its addresses; it said: {said[-2000:]}")
    return Addresses(consoles, customer[1], workflow[1])


@contextmanager
def demo() -> Iterator[Addresses]:
    """A demo of our own on free ports, played to its end."""
    home = tempfile.mkdtemp(prefix="puntual-", dir="/tmp")
    os.chmod(home, 0o755)  # PostgreSQL's user must pass through
    ports = ["--port", "--temporal-port", "--ui-port", "--simulator-port"]
    options = [word for name in ports for word in (name, str(free_port()))]
    environment = {**os.environ, "PUNTUAL_HOME": home, "COLUMNS": "200"}
    command = [sys.executable, "-u", "-m", "cli", "demo", *options]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, env=environment) as playing:
        assert playing.stdout is not None
        said: list[str] = []
        try:
            for line in playing.stdout:
                said.append(line)
                if _READY in line:
                    break
            yield addresses("".join(said))
        finally:
            playing.send_signal(signal.SIGINT)
            playing.stdout.read()
    shutil.rmtree(home, ignore_errors=True)


def take(where: Addresses, folder: Path) -> list[Path]:
    """Look at every page and write its picture; returns the files."""
    with Browser() as browser:
        taken = [*_console(browser, where, folder), *_customer(browser, where, folder), *_temporal(browser, where, folder)]
        taken += [*careful.take(browser, folder), *gallery.take(browser, folder)]
    for path in taken:
        size = path.stat().st_size
        if size > BYTES_MAX:
            raise ValueError(f"{path.name} has {size:,} bytes: show less of the page, so that it stays under {BYTES_MAX:,}")
    return taken


def _console(browser: Browser, where: Addresses, folder: Path) -> Iterator[Path]:
    _, creditor, number = where.workflow_id
    rows = {}
    for slug, console in where.consoles.items():
        browser.open(console)
        rows[slug] = int(browser.run("document.querySelectorAll('table.rows tbody tr').length"))
    console = where.consoles[max(rows, key=lambda slug: rows[slug])]
    browser.size(1360, 860)
    browser.open(console)
    browser.screenshot(folder / "console-list.png")
    yield folder / "console-list.png"
    browser.size(390, 844, scale=2, phone=True)
    browser.dark()
    browser.open(console)
    browser.screenshot(folder / "console-phone.png")
    yield folder / "console-phone.png"
    browser.dark(False)
    browser.size(1280, 900)
    browser.open(where.consoles[creditor])
    browser.open(f"{where.consoles[creditor].split('/demo/')[0]}?state=all&q={number}")
    browser.follow("table.rows tbody th a")
    browser.screenshot(folder / "console-invoice.png")
    yield folder / "console-invoice.png"
    yield from _call(browser, where.consoles[creditor], browser.url, folder)


def _call(browser: Browser, console: str, invoice: str, folder: Path) -> Iterator[Path]:
    """A collector's telephone: whom to call and what to say, then how the call ended."""
    browser.size(390, 844, scale=2, phone=True)
    browser.open(f"{console}?role=collector")
    browser.open(f"{invoice.split('?')[0]}/call")
    browser.run("document.querySelector('#script').scrollIntoView()")
    browser.screenshot(folder / "call-script-phone.png")
    yield folder / "call-script-phone.png"
    browser.run("document.querySelector('#log').scrollIntoView()")
    browser.click("Promises to pay")
    browser.run("document.querySelector('#log').scrollIntoView()")
    browser.screenshot(folder / "call-log-phone.png")
    yield folder / "call-log-phone.png"
    browser.open(console)


def _customer(browser: Browser, where: Addresses, folder: Path) -> Iterator[Path]:
    browser.size(390, 844, scale=2, phone=True)
    browser.open(where.customer)
    browser.wait_for(selector="details")
    browser.screenshot(folder / "customer-phone.png")
    yield folder / "customer-phone.png"


def _temporal(browser: Browser, where: Addresses, folder: Path) -> Iterator[Path]:
    browser.size(1440, 900)
    listed = where.workflow.rsplit("/", 1)[0]
    columns = json.dumps({"default": [{"label": name} for name in _COLUMNS]})
    browser.open(listed)
    browser.run(f"localStorage.setItem('namespace-workflow-table-columns', {json.dumps(columns)})")
    browser.open(listed)
    browser.wait_for(text="invoice:")
    browser.screenshot(folder / "temporal-list.png")
    yield folder / "temporal-list.png"
    browser.size(1440, 1000)
    browser.open(where.workflow)
    browser.wait_for(text="User Metadata")
    browser.wait_for(text="first look")
    browser.screenshot(folder / "temporal-timeline.png")
    yield folder / "temporal-timeline.png"
    browser.click("User Metadata")
    browser.wait_for(text="What happened")
    browser.screenshot(folder / "temporal-workflow.png")
    yield folder / "temporal-workflow.png"


def main() -> None:
    """From the command line; the file given, if any, holds what a running demo printed."""
    if len(sys.argv) > 1:
        taken = take(addresses(Path(sys.argv[1]).read_text()), PICTURES)
    else:
        with demo() as where:
            taken = take(where, PICTURES)
    for path in taken:
        sys.stdout.write(f"{path.relative_to(PROJECT)}  {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
