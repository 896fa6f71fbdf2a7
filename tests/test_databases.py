"""A database that serves several tests is as new for each; where that cannot be proved, the next test gets another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from embedded import Postgres
from ledger.session import make_engine
from tests import cast
from tests.databases import Database, Laundry

SETTING = "select current_setting('timezone') || current_setting('statement_timeout')"
EVENTS = "select pg_sequence_last_value('event_id_seq')"


@pytest.fixture
def laundry(postgres: Postgres) -> Iterator[Laundry]:
    own = Laundry(postgres)
    yield own
    own.close()


def _asked(database: Database, question: str) -> Any:
    with database.worker.connect() as connection:
        return connection.execute(text(question)).scalar_one()


def test_nothing_that_a_test_wrote_is_there_for_the_next(laundry: Laundry) -> None:
    taken = laundry.take()
    setting, events = _asked(taken.database, SETTING), _asked(taken.database, EVENTS)
    creditor = cast.creditor_brill(taken.database.worker)
    cast.accepted_invoice(taken.database.worker, creditor)
    with taken.database.worker.begin() as connection:
        connection.execute(text("set timezone to 'America/Bogota'; set statement_timeout to '7s'; select pg_advisory_lock(4)"))
    assert _asked(taken.database, EVENTS) != events and _asked(taken.database, SETTING) != setting
    laundry.give_back(taken)

    again = laundry.take()
    assert again is taken
    tables = "select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    assert _asked(again.database, tables) > 40
    for table in ("creditor", "account", "person", "invoice", "entry", "event", "outbox"):
        assert _asked(again.database, f"select count(*) from {table}") == 0, table
    assert _asked(again.database, "select count(*) from alembic_version") == 1
    assert (_asked(again.database, SETTING), _asked(again.database, EVENTS)) == (setting, events)
    assert _asked(again.database, "select count(*) from pg_locks where locktype = 'advisory'") == 0
    laundry.give_back(again)


def _changed_schema(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("alter table invoice drop constraint invoice_creditor_id_number_key"))


def _more_rights(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("grant delete on invoice to puntual_api"))


def _another_revision(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("update alembic_version set version_num = 'x'"))


def _a_connection_in_use(database: Database) -> Connection:
    return database.worker.connect()


def _a_stranger(database: Database) -> Connection:
    return make_engine(database.worker_url, name="left-behind").connect()


@pytest.mark.parametrize("leave", [_changed_schema, _more_rights, _another_revision, _a_connection_in_use, _a_stranger])
def test_where_something_may_be_left_the_next_test_gets_another(
    laundry: Laundry, leave: Callable[[Database], Connection | None]
) -> None:
    taken = laundry.take()
    left = leave(taken.database)
    laundry.give_back(taken)
    another = laundry.take()
    assert another.database.name != taken.database.name
    laundry.give_back(another)
    if left is not None:
        left.invalidate()
        left.close()
