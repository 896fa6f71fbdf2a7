"""Row-level security: without its creditor the API's role sees nothing, and never another's; what only grows stays so (I8)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from ledger.session import WrongRole, as_creditor, make_engine, refuse_wrong_role
from tests import cast
from tests.conftest import Database

# Neither belongs to a creditor.
_SHARED_TABLES = {"ledger_clock", "alembic_version"}


def _tables(database: Database) -> dict[str, Any]:
    with database.worker.connect() as connection:
        rows = connection.execute(
            text(
                "select c.relname, c.relrowsecurity, c.relforcerowsecurity,"
                " (select count(*) from pg_policy p where p.polrelid = c.oid) as policies"
                " from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'"
            )
        )
        return {row.relname: row for row in rows}


@pytest.fixture
def two(database: Database) -> tuple[cast.Creditor, cast.Creditor]:
    """Brill and Norte, each with an invoice of the same number and of the same person."""
    brill, norte = cast.creditor_brill(database.worker), cast.creditor_brill(database.worker, slug="norte")
    for creditor in (brill, norte):
        cast.accepted_invoice(database.worker, creditor)
    return brill, norte


def test_every_table_of_a_creditor_is_under_forced_row_level_security(database: Database) -> None:
    tables = _tables(database)
    assert len(tables) > 25
    for name, table in tables.items():
        if name not in _SHARED_TABLES:
            assert table.relrowsecurity and table.relforcerowsecurity and table.policies, name


def test_without_its_creditor_the_api_sees_nothing(database: Database, two: tuple[cast.Creditor, cast.Creditor]) -> None:
    for name in _tables(database).keys() - _SHARED_TABLES:
        with database.api.connect() as connection:
            assert connection.execute(text(f"select count(*) from {name}")).scalar_one() == 0, name


def test_with_its_creditor_the_api_sees_its_rows_and_no_others(
    database: Database, two: tuple[cast.Creditor, cast.Creditor]
) -> None:
    for name in ("account", "person", "address", "invoice", "instalment", "entry", "event", "outbox", "manual"):
        for creditor in two:
            with Session(database.api) as session:
                as_creditor(session, creditor.id)
                seen = set(session.execute(text(f"select creditor_id from {name}")).scalars())
            assert seen == {creditor.id}, name


def test_the_creditor_ends_with_its_transaction_also_on_the_same_connection(
    database: Database, two: tuple[cast.Creditor, cast.Creditor]
) -> None:
    engine = make_engine(database.api_url, pool_size=1)
    with Session(engine) as session:
        as_creditor(session, two[0].id)
        session.commit()
        assert session.execute(text("select count(*) from invoice")).scalar_one() == 0
    engine.dispose()


def test_nothing_is_written_for_another_creditor(database: Database, two: tuple[cast.Creditor, cast.Creditor]) -> None:
    with Session(database.api) as session:
        as_creditor(session, two[0].id)
        assert not session.execute(text("update invoice set status = 'cancelled' where creditor_id = :b returning id"),
                                   {"b": two[1].id}).all()  # fmt: skip
        with pytest.raises(ProgrammingError, match="row-level security"):
            session.execute(
                text(
                    "insert into account (id, creditor_id, ref, kind, country, zone, language, created_at)"
                    " values (:id, :b, 'X', 'consumer', 'CO', 'America/Bogota', 'es', :now)"
                ),
                {"id": uuid4(), "b": two[1].id, "now": cast.NOW},
            )


_FORBIDDEN = [
    "update entry set amount_minor = 0",
    "delete from entry",
    "update event set kind = 'x'",
    "delete from invoice",
    "delete from payment",
    "insert into creditor select * from creditor",
    "update api_key set scopes = '{console:read}', secret_hash = '' where false",
    "insert into api_key select * from api_key",
    "update manual set content = '{}'",
    "update creditor set manual_id = 'x'",
    "update ledger_clock set at_utc = now()",
]


def test_the_api_may_neither_change_the_past_nor_its_own_rights(
    database: Database, two: tuple[cast.Creditor, cast.Creditor]
) -> None:
    for sql in _FORBIDDEN:
        with Session(database.api) as session:
            as_creditor(session, two[0].id)
            with pytest.raises(ProgrammingError, match="permission denied"):
                session.execute(text(sql))


def test_what_only_grows_is_not_changed_by_the_worker_either(database: Database) -> None:
    changes = ("delete from {0}", "update {0} set creditor_id = creditor_id")
    for sql in (change.format(table) for table in ("entry", "event", "step", "receipt") for change in changes):
        with database.worker.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(sql))


def test_the_api_starts_only_with_its_own_role(database: Database) -> None:
    refuse_wrong_role(database.api, role="puntual_api")
    for engine in (database.owner, database.worker):
        with pytest.raises(WrongRole, match="puntual_api"):
            refuse_wrong_role(engine, role="puntual_api")
