"""`puntual creditor start` and `puntual missent find`, as an operator types them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from ledger.creditors import find_creditor
from ledger.starting import read_start
from policies.start_model import StartTerms
from policies.terms import Channel
from tests import cast
from tests.api.console_desk import contact
from tests.conftest import Database
from tests.test_cli import at_home, puntual

__all__ = ["at_home"]


def terms(at_home: Database, slug: str) -> StartTerms:
    with Session(at_home.worker) as session:
        found = find_creditor(session, slug)
        assert found is not None
        return read_start(session, found)


def test_a_creditor_is_let_go_step_by_step(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--name", "Acme SAS", "--country", "CO", "--zone", "America/Bogota")
    assert puntual(monkeypatch, "creditor", "add", "acme", *place) == 0
    assert "only watches" in capsys.readouterr().out and terms(at_home, "acme").default == "watch"
    assert puntual(monkeypatch, "creditor", "add", "bold", *place, "--auto") == 0
    assert terms(at_home, "bold").default == "auto"
    words = ("--mode", "approve", "--rung", "B8=watch", "--segment", "from:COP:100000000=watch", "--list-at", "14:30")
    assert puntual(monkeypatch, "creditor", "start", "acme", *words, "--ceiling", "50", "--channel-ceiling", "sms=20") == 0
    said = capsys.readouterr().out
    for line in ("approve: a person first", "rung B8", "from:COP:100000000", "14:30", "50 messages a day", "20 by sms a day"):
        assert line in said
    assert puntual(monkeypatch, "creditor", "start", "acme", "--rung", "B8=auto", "--ceiling", "0") == 0
    now = terms(at_home, "acme")
    assert (now.rungs, now.ceiling_per_day, now.ceilings) == ({}, None, {Channel.SMS: 20})


def test_a_start_that_makes_no_sense_is_one_line(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cast.creditor_brill(at_home.worker)
    for words, said in {
        ("--rung", "B8"): "write it as name=value",
        ("--rung", "B8=soon"): "rungs.B8",
        ("--segment", "kind:robot=watch"): "is not a segment",
        ("--list-at", "noon"): "is not an hour of the day",
        ("--channel-ceiling", "sms=many"): "write it as sms=200",
    }.items():
        assert puntual(monkeypatch, "creditor", "start", "brill", *words) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and said in lines[0], lines


def test_who_got_a_batch_is_found_by_local_time(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    brill = cast.creditor_brill(at_home.worker)
    entered, nine = datetime(2026, 3, 18, 15, 0, tzinfo=UTC), datetime(2026, 3, 19, 14, 0, tzinfo=UTC)
    contact(at_home.worker, cast.accepted_invoice(at_home.worker, brill, now=entered), nine)
    command = ("missent", "find", "--creditor", "brill", "--from", "2026-03-19 09:00", "--rung", "S2")
    assert puntual(monkeypatch, *command, "--to", "2026-03-19 09:30") == 0
    said = capsys.readouterr().out
    assert "messages: 1, people: 1, accounts: 1" in said and "S2" in said and "C-1001" in said
    assert puntual(monkeypatch, *command, "--to", "2026-03-19 09:00") == 1
    assert "needs an end after its beginning" in capsys.readouterr().err
