"""`puntual staff`: a first password shown once, another one, an end; and each of these in the audit."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from commands.staff import staff_app
from ledger.staff import is_password
from tests import cast
from tests.conftest import Database


@pytest.fixture
def ledger(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    for name, value in {"WORKER_URL": database.worker_url, "MASTER_KEY": cast.MASTER_KEY}.items():
        monkeypatch.setenv(f"PUNTUAL_{name}", value)
    cast.creditor_brill(database.worker)
    return database


def staff(*words: str, given: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(staff_app, list(words), input=given)
    return done.exit_code, done.stdout.strip() or str(done.exception or "")


def kept(ledger: Database) -> str:
    with ledger.worker.connect() as connection:
        return str(connection.execute(text("select password_hash from staff")).scalar_one())


def test_a_person_is_added_gets_another_password_another_role_and_an_end(ledger: Database) -> None:
    code, first = staff("add", "brill", "ana-7", "--role", "collector")
    assert code == 0 and is_password(kept(ledger), first)
    code, second = staff("password", "brill", "ana-7")
    assert code == 0 and is_password(kept(ledger), second) and not is_password(kept(ledger), first)
    code, said = staff("password", "brill", "ana-7", "--stdin", given="cuatro gatos grises\n")
    assert "cuatro" not in said and is_password(kept(ledger), "cuatro gatos grises")
    assert staff("role", "brill", "ana-7", "--role", "lead")[0] == staff("disable", "brill", "ana-7")[0] == 0
    assert "ana-7" in (listed := staff("list", "brill")[1]) and "lead" in listed and "$argon2" not in listed
    with ledger.worker.connect() as connection:
        acts = list(connection.execute(text("select act from audit where actor = 'command line' order by id")).scalars())
    assert acts == ["staff_added", "staff_password", "staff_password", "staff_role", "staff_disabled"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "brill", "ana@brill.co", "--role", "collector"), "no login"),
        (("add", "brill", "ana-7", "--role", "boss"), "not one of the roles"),
        (("add", "nobody", "ana-7", "--role", "lead"), "there is no creditor"),
        (("disable", "brill", "ana-9"), "there is no login"),
    ],
)
def test_what_is_wrong_is_said(ledger: Database, words: tuple[str, ...], said: str) -> None:
    code, words_said = staff(*words)
    assert code == 1 and said in words_said
