"""Locks that read what they guard, questions that each connection plans once, and connections that outlive their server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from embedded import Postgres
from ledger.events import note_fact
from ledger.session import Prepared, lock_debtor_of, make_engine
from tests.cast import NOW, accepted_invoice, creditor_brill
from tests.conftest import Database


def test_who_waited_for_a_debtor_sees_what_was_committed_meanwhile(database: Database) -> None:
    invoice_id = accepted_invoice(database.worker, creditor_brill(database.worker))
    seen: list[int] = []

    def wait() -> None:
        with Session(database.worker) as second:
            seen.append(lock_debtor_of(second, invoice_id).revision)

    with Session(database.worker) as first:
        before = lock_debtor_of(first, invoice_id).revision
        note_fact(first, invoice_id, at=NOW, kind="paused", detail={})
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not _somebody_waits(database):
            pass
        first.commit()
        waiting.join()
    assert seen == [before + 1]


def _somebody_waits(database: Database) -> bool:
    with Session(database.owner) as session:
        return bool(session.execute(text("select count(*) from pg_locks where locktype = 'advisory' and not granted")).scalar())


def test_a_prepared_question_is_planned_once_by_each_connection_and_answers_each_time(database: Database) -> None:
    twice = Prepared("twice", "select :given * 2 as doubled, 'a:%' as plain, :given::text as said", given="int")
    with Session(database.worker) as session:
        answers = [twice.ask(session, {"given": n}).one() for n in (1, 21)]
        prepared = session.execute(text("select count(*) from pg_prepared_statements where name = 'puntual_twice'")).scalar()
    assert [tuple(answer) for answer in answers] == [(2, "a:%", "1"), (42, "a:%", "21")]
    assert prepared == 1


def test_a_prepared_question_outlives_the_transaction_that_prepared_it(database: Database) -> None:
    once = Prepared("once", "select :given + 1", given="int")
    with Session(database.worker) as session:
        once.ask(session, {"given": 1})
        session.rollback()
        assert once.ask(session, {"given": 2}).scalar() == 3


def test_a_connection_whose_server_knows_a_question_of_which_it_was_not_told_is_given_up(database: Database) -> None:
    """As after a cancel between the preparation and its answer."""
    twice = Prepared("known", "select :given * 2", given="int")
    engine = make_engine(database.worker.url.render_as_string(hide_password=False), pool_size=1)
    with Session(engine) as session:
        session.execute(text("prepare puntual_known as select 1"))
        session.commit()
        with pytest.raises(DBAPIError):
            twice.ask(session, {"given": 1})
    with Session(engine) as session:
        assert twice.ask(session, {"given": 2}).scalar() == 4
    engine.dispose()


_SAY = Prepared("say", "insert into said (word) values (:word)", word="text")
_WORDS = text("select word from said order by id")


@pytest.fixture
def said(database: Database) -> Iterator[Engine]:
    """An engine of one connection, on a table of words."""
    with Session(database.owner) as session, session.begin():
        session.execute(text("create table said (id bigint generated always as identity, word text check (word <> 'no'))"))
        session.execute(text("grant select, insert on said to puntual_worker"))
    engine = make_engine(database.worker.url.render_as_string(hide_password=False), pool_size=1)
    yield engine
    engine.dispose()


def _words(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.execute(_WORDS).scalars())


def test_what_can_wait_goes_with_the_next_statement_in_its_order_and_unchanged(said: Engine) -> None:
    with Session(said) as session:
        for word in ("50 % off", "a:b; '--", "%(word)s"):
            _SAY.later(session, {"word": word})
        assert list(session.execute(_WORDS).scalars()) == ["50 % off", "a:b; '--", "%(word)s"]
        _SAY.later(session, {"word": "before"})
        session.execute(text("insert into said (word) values (:word)"), [{"word": "many"}, {"word": "more"}])
        assert list(session.execute(_WORDS).scalars())[3:] == ["before", "many", "more"]


def test_what_can_wait_is_done_before_the_end_of_its_transaction(said: Engine) -> None:
    with Session(said) as session:
        _SAY.later(session, {"word": "100 %"})
        session.commit()
    assert _words(said) == ["100 %"]


def test_what_waits_is_forgotten_with_its_transaction(said: Engine) -> None:
    with Session(said) as session:
        _SAY.later(session, {"word": "rolled back"})
        session.rollback()
        session.commit()
    with Session(said) as session:
        _SAY.later(session, {"word": "closed without a word"})
    assert _words(said) == []


def test_a_savepoint_keeps_what_waited_before_it_and_no_more(said: Engine) -> None:
    with Session(said) as session:
        _SAY.later(session, {"word": "before"})
        inner = session.begin_nested()
        _SAY.later(session, {"word": "within"})
        inner.rollback()
        session.commit()
    assert _words(said) == ["before"]


def test_what_the_server_has_against_it_is_raised_by_the_next_statement_and_leaves_nothing(said: Engine) -> None:
    with Session(said) as session:
        _SAY.later(session, {"word": "yes"})
        _SAY.later(session, {"word": "no"})
        with pytest.raises(DBAPIError):
            session.commit()
    assert _words(said) == []


def test_what_fails_is_not_told_with_what_waited(said: Engine) -> None:
    """Failures are told to logs and to Temporal; what waits may be personal, and a message with its papers has megabytes."""
    with Session(said) as session:
        _SAY.later(session, {"word": "Ana Perez"})
        with pytest.raises(DBAPIError) as failed:
            session.execute(text("select 1/0"))
    assert "puntual_say" in str(failed.value) and "Ana" not in str(failed.value)


def test_what_waits_outlives_a_statement_that_never_left(said: Engine) -> None:
    with Session(said) as session:
        _SAY.later(session, {"word": "kept"})
        with pytest.raises(ValueError, match="NUL"):
            session.execute(text("select :given"), {"given": "a\x00b"})
        session.commit()
    assert _words(said) == ["kept"]


def test_a_connection_that_rested_while_the_server_ended_it_is_replaced(
    database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(database.api) as session:
        before = session.execute(text("select pg_backend_pid()")).scalar()
    postgres.query(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database.name}'")
    monkeypatch.setattr("ledger.session.RESTED_SECONDS", 0.0)
    with Session(database.api) as session:
        assert session.execute(text("select pg_backend_pid()")).scalar() != before
