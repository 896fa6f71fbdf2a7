"""Engines, tenants and the one lock.

The API connects as `puntual_api` and sees nothing until `as_creditor`; the worker connects as `puntual_worker`, which bypasses
row-level security for the relay, reconcile and activities. Connections run in UTC and know no named zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from psycopg2 import Error
from sqlalchemy import Connection, Engine, Result, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from clock import monotonic

# Only a Prepared question has a plan that is kept, and it asks by ids: with a plan for the values of each call, PostgreSQL spent
# four times as long planning the facts of an invoice as reading them.
_OPTIONS = "-c timezone=UTC -c plan_cache_mode=force_generic_plan"
RESTED_SECONDS = 1.0
"""A connection unused for so long is tried before it is used again."""


class WrongRole(RuntimeError):
    """The service was started with a role that sees through row-level security or owns the tables."""


def make_engine(url: str, *, pool_size: int = 10, name: str = "puntual", tested: bool = True) -> Engine:
    """An engine whose connections run in UTC.

    `tested`: connections that rested are tried before use, so that a restarted server costs a request nothing; activities do
    without, because they are retried anyway.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        hide_parameters=True,  # of a failed statement: they may be personal, and the failure is told to Temporal and to the logs
        connect_args={"options": _OPTIONS, "application_name": name, "connect_timeout": 5},
    )
    if tested:
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", _try_rested)
    return engine


def _note_rest(given: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = monotonic()


def _try_rested(given: DBAPIConnection, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
    # A busy connection was alive a moment ago: trying each before each use would be a round trip for every request.
    if monotonic() - record.info.get("rests_since", monotonic()) < RESTED_SECONDS:
        return
    try:
        cursor = given.cursor()
        cursor.execute("select 1")
        cursor.close()
        given.rollback()
    except Error as error:
        raise DisconnectionError("the server was restarted; the pool connects again") from error


_WAITING = "puntual.waiting"
"""What a connection still has to say in this transaction (Prepared.later): statements with their values."""


def _take_along(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: object, executemany: bool
) -> tuple[str, Any]:
    """Send what waits together with the next statement: each has a snapshot of its own, in the order in which they were given."""
    waiting: list[tuple[str, dict[str, object]]] | None = connection.info.get(_WAITING)
    if waiting is None:
        return statement, parameters
    first = "; ".join(said for said, _ in waiting)
    values = {name: value for _, given in waiting for name, value in given.items()}
    if executemany or (parameters and not isinstance(parameters, dict)):
        cursor.execute(first, values)
        del connection.info[_WAITING]
        return statement, parameters
    return f"{first}; {statement}", {**values, **(parameters or {})}


def _was_taken(connection: Connection, *_: object) -> None:
    connection.info.pop(_WAITING, None)


def _send_waiting(connection: Connection) -> None:
    if _WAITING not in connection.info:
        return
    driver: Any = connection.connection.driver_connection
    try:
        connection.exec_driver_sql("select")
    except DBAPIError:
        # Nobody else would: it was on its way to a commit, and the pool believes a connection that was.
        _drop_waiting(connection)
        if not driver.closed:
            driver.rollback()
        raise


def _drop_waiting(connection: Connection, *_: object) -> None:
    if not connection.invalidated:
        connection.info.pop(_WAITING, None)


# Of every engine: on one that did not listen, what waits would be lost.
event.listen(Engine, "before_cursor_execute", _take_along, retval=True)
event.listen(Engine, "after_cursor_execute", _was_taken)
event.listen(Engine, "commit", _send_waiting)
event.listen(Engine, "rollback", _drop_waiting)
event.listen(Engine, "rollback_savepoint", _drop_waiting)


PLAN_SECONDS = 60.0
"""So old a plan may be: it was made for the tables as they were."""


class Prepared:
    """A question that each connection plans now and then, not each time it is asked. `types`: those of its parameters, in SQL."""

    def __init__(self, name: str, question: str, **types: str) -> None:
        places = {parameter: f"${place}" for place, parameter in enumerate(types, 1)}
        body = re.sub(r"(?<![:\w]):(\w+)", lambda found: places[found[1]], question)
        self._name = f"puntual_{name}"
        # Made while a table is empty, a plan would read the whole of it, and go on doing so when it has grown.
        self._prepare = text(f"set local enable_seqscan = off; prepare {self._name} ({', '.join(types.values())}) as {body}")
        self._forget = text(f"deallocate {self._name}")
        # Past SQLAlchemy's compiler: there is nothing in it to compile.
        self._execute = f"execute {self._name} ({', '.join(f'%({p})s::{t}' for p, t in types.items())})"

    def ask(self, session: Session, values: Mapping[str, object]) -> Result[Any]:
        """The rows, as `session.execute` gives them."""
        return self._ready(session).exec_driver_sql(self._execute, dict(values))

    def later(self, session: Session, values: Mapping[str, object]) -> None:
        """Do it with the next statement of this transaction, or before its end: what gives no answer needs no round trip.

        What the server has against it is raised by that statement, so whoever means to catch that uses `ask`.
        """
        waiting = self._ready(session).info.setdefault(_WAITING, [])
        # Values, not text: what fails is told with its text, to logs and to Temporal, which gives up on a failure of megabytes.
        place = f"later{len(waiting)}_"
        waiting.append((self._execute.replace("%(", f"%({place}"), {place + name: value for name, value in values.items()}))

    def _ready(self, session: Session) -> Connection:
        connection = session.connection()
        planned: float | None = connection.info.get(self._name)
        if planned is None or monotonic() - planned > PLAN_SECONDS:
            if planned is not None:
                connection.execute(self._forget)
            connection.info.pop(self._name, None)
            try:
                connection.execute(self._prepare)
            except DBAPIError:
                connection.invalidate()  # the server may know the name although nobody was told so: it would refuse it ever after
                raise
            connection.info[self._name] = monotonic()
        return connection


def refuse_wrong_role(engine: Engine, *, role: str) -> None:
    """Raise WrongRole unless connected as `role`: not a superuser, not the owner of a table."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "select current_user as name, r.rolsuper as super,"
                " exists(select 1 from pg_tables t where t.schemaname = 'public' and t.tableowner = current_user) as owns"
                " from pg_roles r where r.rolname = current_user"
            )
        ).one()
    if row.super or row.owns or row.name != role:
        raise WrongRole(
            f"connected as {row.name!r}{' (a superuser)' if row.super else ''}{' (owner of tables)' if row.owns else ''}:"
            f" give the address of role {role!r}, which `puntual migrate` creates"
        )


def as_creditor(session: Session, creditor_id: UUID | str) -> None:
    """Let this transaction, and no other, see the rows of one creditor."""
    session.execute(text("select set_config('puntual.creditor', :id, true)"), {"id": str(creditor_id)})


_TAKE = Prepared(
    "lock_debtor_of",
    "select pg_advisory_xact_lock(hashtextextended(coalesce(a.payer_id, a.id)::text, 0)) from invoice i"
    " join account a on a.id = i.account_id where i.id = :id",
    id="uuid",
)
_READ = Prepared(
    "read_locked",
    "select i.revision, exists (select 1 from inbox b left join account g on g.id = b.account_id"
    " where b.creditor_id = i.creditor_id and b.result is null"
    " and (b.account_id is null or coalesce(g.payer_id, g.id) = coalesce(a.payer_id, a.id))) as waiting"
    " from invoice i join account a on a.id = i.account_id where i.id = :id",
    id="uuid",
)


_LOCK = text(
    "select pg_advisory_xact_lock(hashtextextended(coalesce((select payer_id::text from account where id = cast(:id as uuid)),"
    " :id), 0))"
)
_LOCK_PEOPLE = Prepared(
    "lock_people",
    "select pg_advisory_xact_lock(hashtextextended(encode(s.lookup, 'hex'), 1)) from (select distinct mine.lookup"
    " from invoice i join account a on a.id = i.account_id"
    " join person n on n.account_id in (a.id, a.payer_id) join address mine on mine.person_id = n.id"
    " join address other on other.lookup = mine.lookup join person o on o.id = other.person_id and o.account_id <> n.account_id"
    " where i.id = :id order by mine.lookup) s",
    id="uuid",
)


class Locked(NamedTuple):
    """What is true of an invoice under its debtor's lock."""

    revision: int
    """0: there is no such invoice."""
    events_wait: bool
    """Whether a payment gateway has told of something that may be about this debtor and is not applied yet."""


def lock_debtor_of(session: Session, invoice_id: UUID | str) -> Locked:
    """Take the lock of an invoice's debtor; returns the invoice as it is under the lock."""
    given = {"id": str(invoice_id)}
    _TAKE.later(session, given)  # one round trip; the second has a snapshot of its own and sees what came while the first waited
    row = _READ.ask(session, given).one_or_none()
    return Locked(0, False) if row is None else Locked(row.revision, row.waiting)


def lock_people_of(session: Session, invoice_id: UUID | str) -> None:
    """Take the locks of the debtor's people who stand under other accounts too; after the debtor's own lock, in one order.

    So that two accounts of one person never use the same room in a limit at the same time.
    """
    _LOCK_PEOPLE.later(session, {"id": str(invoice_id)})


def lock_debtor(session: Session, account_id: UUID | str) -> None:
    """Take the debtor's lock until the end of the transaction: payments and claims of one account never interleave (I3).

    Accounts that one account pays for have one lock, the payer's.
    """
    session.execute(_LOCK, {"id": str(account_id)})
