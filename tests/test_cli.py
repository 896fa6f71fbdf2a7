"""The `puntual` command on a real ledger: what an operator sets up with it, and the one line it says when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

import cli
from tests import cast
from tests.conftest import PROJECT, Database


@pytest.fixture
def at_home(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The environment of an operator who works on this ledger."""
    for name, value in {
        "WORKER_URL": database.worker_url,
        "MASTER_KEY": cast.MASTER_KEY,
        "PUBLIC_URL": "https://p.example/",
    }.items():
        monkeypatch.setenv(f"PUNTUAL_{name}", value)
    return database


def puntual(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command in this process; its exit code."""
    monkeypatch.setattr("sys.argv", ["puntual", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_creditor_gets_its_manual_key_and_webhook(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--country", "co", "--zone", "America/Bogota")
    assert puntual(monkeypatch, "creditor", "add", "acme", "--name", "Acme SAS", *place) == 0
    assert puntual(monkeypatch, "manual", "use", "b2c_credit", "--creditor", "acme") == 0
    assert puntual(monkeypatch, "key", "create", "--creditor", "acme", "--name", "billing") == 0
    key = capsys.readouterr().out.split()[-1]
    assert puntual(monkeypatch, "key", "revoke", key.split("_")[1]) == 0
    assert puntual(monkeypatch, "webhook", "add", "--creditor", "acme") == 0
    said = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("address", "secret")))
    assert said["address"].startswith("https://p.example/webhooks/payments/") and said["secret"].startswith("whsec_")
    assert puntual(monkeypatch, "webhook", "revoke", said["address"].rpartition("/")[2]) == 0
    with at_home.worker.connect() as ledger:
        found = ledger.execute(
            text(
                "select m.name, k.revoked_at is not null, w.revoked_at is not null from creditor c"
                " join manual m on m.creditor_id = c.id and m.id = c.manual_id join api_key k on k.creditor_id = c.id"
                " join webhook_endpoint w on w.creditor_id = c.id"
            )
        ).one()
    assert tuple(found) == ("b2c_credit", True, True)


def test_what_is_wrong_is_one_line_and_never_a_trace(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    manual = tmp_path / "ours.yaml"
    manual.write_text(cast.MANUAL_BRILL.replace("template: pre_due", "template: predue"))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: peque\xf1a".encode("latin-1"))
    ibm = str(PROJECT / "tests" / "rehearsal" / "maps" / "ibm.yaml")
    for words, said in {
        ("creditor", "add", "Acme_1", "--name", "A", "--country", "CO", "--zone", "America/Bogota"): "small letters",
        ("creditor", "add", "acme", "--name", "A", "--country", "CO", "--zone", "Bogota"): "IANA",
        ("key", "create", "--creditor", "nobody", "--name", "x"): "there is no creditor 'nobody'",
        ("key", "revoke", "0123456789"): "no key with prefix",
        ("webhook", "add", "--creditor", "nobody", "--kind", "stripe"): "give it as --secret",
        ("manual", "check", "nope"): "there is no manual 'nope'",
        ("manual", "check", str(manual)): "there is no message 'predue'",
        ("manual", "check", str(latin)): "latin.yaml is not text in UTF-8",
        ("replay", str(manual), "--map", str(latin)): "latin.yaml is not text in UTF-8",
        ("replay", str(manual), "--map", ibm, "--manual", str(latin)): "latin.yaml is not text in UTF-8",
        ("replay", str(manual), "--map", ibm, "--out", str(tmp_path / "no" / "c.csv")): "cannot be written: give with --out",
        ("replay", str(manual), "--map", ibm, "--out", str(tmp_path)): "cannot be written: give with --out",
        ("api",): "PUNTUAL_API_URL must be set",
    }.items():
        assert puntual(monkeypatch, *words) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert (len(lines), said in lines[0], lines[0].startswith("puntual: ")) == (1, True, True), lines


def test_a_sound_manual_is_called_sound(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert puntual(monkeypatch, "manual", "check", "b2c_credit") == 0
    assert capsys.readouterr().out.startswith("b2c_credit: 12 rungs")
