"""`puntual source`: declared, told, listed and withdrawn, and what a person may have typed wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from commands import common
from commands.sources import source_app
from ledger.refusals import Refused
from settings import Settings
from supervise import Trouble
from tests.cast import creditor_brill
from tests.conftest import Database


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    creditor_brill(database.worker)
    monkeypatch.setattr(common, "settings_here", lambda: Settings(worker_url=database.worker_url))
    return lambda *words: CliRunner().invoke(source_app, [*words, "--creditor", "brill"])


def test_a_source_is_declared_told_listed_and_withdrawn(run: Callable[..., Any]) -> None:
    assert "relies on bank" in run("declare", "bank").output
    assert "0 invoices" in run("told", "bank", "--complete-to", "2026-03-13").output
    listed = run("list").output
    assert "bank" in listed and "late" in listed
    assert "withdrawn" in run("withdraw", "bank").output
    assert "bank" not in run("list").output


def test_what_was_typed_wrongly_is_said_in_one_line(run: Callable[..., Any]) -> None:
    run("declare", "bank")
    assert isinstance(run("told", "bank", "--complete-to", "13/03/2026").exception, Trouble)
    assert isinstance(run("told", "bnak", "--complete-to", "2026-03-13").exception, Refused)
    assert isinstance(run("declare", "erp", "--kind", "erp", "--expected-by", "25:00").exception, Trouble)
