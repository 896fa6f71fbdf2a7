"""One statement alone: committed when it returns, and its connection is as it was, whatever happened."""

from __future__ import annotations

from unittest import mock

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from direct import ask_alone
from embedded import Postgres
from ledger.session import make_engine
from tests.conftest import Database


@pytest.fixture
def engine(database: Database) -> Engine:
    """A pool of one connection, so that each question meets the one before."""
    return make_engine(database.worker.url.render_as_string(hide_password=False), pool_size=1)


def _is_as_it_was(engine: Engine) -> None:
    """A transaction that is given up leaves nothing behind."""
    with Session(engine) as session:
        session.execute(text("create table leaked (a int)"))
        session.rollback()
    assert ask_alone(engine, "select to_regclass('leaked')") == (None,)
    engine.dispose()


def test_what_it_did_is_committed_and_the_next_transaction_is_one(database: Database) -> None:
    engine = make_engine(database.owner.url.render_as_string(hide_password=False), pool_size=1)
    ask_alone(engine, "select set_config('puntual.seen', 'x', true)")
    _is_as_it_was(engine)


@pytest.mark.parametrize("statement", ["select 1 / 0", "select from where", "select %(missing)s", "do $$ begin end $$"])
def test_a_statement_that_fails_leaves_its_connection_as_it_was(database: Database, statement: str) -> None:
    engine = make_engine(database.owner.url.render_as_string(hide_password=False), pool_size=1)
    with pytest.raises(Exception) as failed:
        ask_alone(engine, statement, {"given": "Ana"})
    assert "Ana" not in str(failed.value)
    _is_as_it_was(engine)


def test_an_error_of_the_server_is_told_as_everything_else_tells_it(engine: Engine) -> None:
    with pytest.raises(DBAPIError):
        ask_alone(engine, "select 1 / 0")


def test_a_server_that_went_costs_one_question(engine: Engine, database: Database, postgres: Postgres) -> None:
    [pid] = ask_alone(engine, "select pg_backend_pid()") or []
    postgres.query(f"select pg_terminate_backend({pid})")
    with pytest.raises(OperationalError):
        ask_alone(engine, "select 1")
    assert ask_alone(engine, "select pg_backend_pid() <> %(before)s", {"before": pid}) == (True,)


def test_a_connection_that_is_closed_already_is_given_up(engine: Engine) -> None:
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
    assert driver is not None
    driver.close()
    with mock.patch("ledger.session.RESTED_SECONDS", 60.0), pytest.raises(OperationalError):
        ask_alone(engine, "select 1")
    assert ask_alone(engine, "select 1") == (1,)
