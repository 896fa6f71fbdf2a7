"""Databases of the tests: a new one costs a copy of ten megabytes, so one that can be proved clean serves the next test too.

After a test its rows are deleted and its sequences set back. The database is dropped instead where anything else could be left:
a connection in use or one that is not ours, a changed schema, rows that the migration made, or too many dead rows.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql
from sqlalchemy import Engine

from embedded import Postgres
from ledger.session import make_engine

TEMPLATE = "puntual_template"
USES_MAX = 60
"""A database that served so many tests is dropped: nothing vacuums it."""
ROWS_MAX = 3000
"""So many deleted rows would slow the next tests more than a new database."""
OURS = "test-"
"""How the connections of a Database's own engines are named."""

_numbers = itertools.count(1)

_CATALOGS = (
    "pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_trigger", "pg_policy", "pg_proc", "pg_type",
    "pg_namespace", "pg_sequence", "pg_rewrite", "pg_extension", "pg_event_trigger", "pg_default_acl", "pg_statistic_ext",
    "pg_db_role_setting",
)  # fmt: skip
# Whatever is made or altered gets a newer xmin than all before; whatever is dropped is missing in the count.
_SCHEMA = " union all ".join(
    f"select '{name}', count(*), coalesce(max(xmin::text::bigint), 0) from pg_catalog.{name}" for name in _CATALOGS
)
_OF_KIND = "select oid::regclass::text from pg_class where relkind = %s and relnamespace = 'public'::regnamespace order by 1"
_STRANGERS = (
    "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    f" and backend_type = 'client backend' and application_name not like '{OURS}%'"
)


@dataclass(frozen=True)
class Database:
    """A database of one test, as each role sees it."""

    name: str
    owner_url: str
    api_url: str
    worker_url: str
    owner: Engine
    api: Engine
    worker: Engine


def _new_database(server: Postgres) -> Database:
    """A copy of the migrated template under a name that no other test had."""
    name = f"test_{next(_numbers)}"
    server.create_database(name, template=TEMPLATE)
    urls = {role: server.url(f"puntual_{role}", name) for role in ("owner", "api", "worker")}
    engines = {role: make_engine(url, pool_size=20, name=f"{OURS}{role}") for role, url in urls.items()}
    return Database(name=name, owner_url=urls["owner"], api_url=urls["api"], worker_url=urls["worker"], **engines)


class Washed:
    """A database that is emptied between tests; `wash` says whether it may serve another one."""

    def __init__(self, server: Postgres) -> None:
        self.database = _new_database(server)
        self._uses = 0
        self._connection = psycopg2.connect(host=str(server.sockets), user="postgres", dbname=self.database.name)
        self._connection.autocommit = True
        # Triggers and foreign keys guard what the product does; here they are in the way.
        self._ask("set session_replication_role = replica; set lock_timeout = '300ms'")
        tables = [str(row[0]) for row in self._ask(_OF_KIND, "r")]
        self._kept = [table for table in tables if self._ask(f"select 1 from {table} limit 1")]
        emptied = [f"select count(*) from {table}" for table in tables if table not in self._kept]
        self._count = f"select {' + '.join(f'({count})' for count in emptied)}"
        self._empty = ";".join(f"delete from {table}" for table in tables if table not in self._kept)
        self._restart = ";".join(f"select setval('{row[0]}', 1, false)" for row in self._ask(_OF_KIND, "S"))
        self._as_made = self._state()

    def wash(self) -> bool:
        """Empty it; False when something might be left, and then it has to be dropped."""
        self._uses += 1
        engines = (self.database.owner, self.database.api, self.database.worker)
        if self._uses >= USES_MAX or any(engine.pool.checkedout() for engine in engines):  # type: ignore[attr-defined]
            return False
        try:
            if self._state() != self._as_made or self._ask(self._count)[0][0] > ROWS_MAX:
                return False
            self.empty()
            for engine in engines:
                _forget_session(engine)
            return not self._ask(_STRANGERS)
        except psycopg2.Error:
            return False

    def empty(self) -> None:
        """Delete all rows and set the sequences back, past triggers and foreign keys; raises psycopg2.Error."""
        self._ask(self._empty)
        self._ask(self._restart)

    def close(self) -> None:
        self._connection.close()

    def _state(self) -> list[Any]:
        kept = [self._ask(sql.SQL("select t::text from {} t order by 1").format(sql.SQL(table))) for table in self._kept]
        return [*self._ask(_SCHEMA), *kept]

    def _ask(self, statement: str | sql.Composable, *values: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []


def _forget_session(engine: Engine) -> None:
    """Take settings, locks and temporary tables from the engine's open connections; what they prepared is the product's own."""
    connections = [engine.raw_connection() for _ in range(engine.pool.checkedin())]  # type: ignore[attr-defined]
    for connection in connections:
        driver: Any = connection.driver_connection
        driver.autocommit = True
        with driver.cursor() as cursor:
            cursor.execute("reset session authorization; reset all; discard temp; select pg_advisory_unlock_all()")
        driver.autocommit = False
        connection.close()


class Laundry:
    """Hands out databases of one server: the washed one when it is there, else a new one."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._ready: Washed | None = None

    def is_of(self, server: Postgres) -> bool:
        return server is self._server

    def take(self) -> Washed:
        """A migrated, empty database."""
        taken, self._ready = self._ready, None
        return taken or Washed(self._server)

    def give_back(self, taken: Washed) -> None:
        """After a test: keep it for the next when it is provably as new, else drop it."""
        if self._ready is None and taken.wash():
            self._ready = taken
        else:
            self.drop(taken)

    def close(self) -> None:
        """Drop what is kept."""
        if self._ready is not None:
            self.drop(self._ready)
            self._ready = None

    def drop(self, taken: Washed) -> None:
        """After a test whose database nobody shall have again."""
        taken.close()
        for engine in (taken.database.owner, taken.database.api, taken.database.worker):
            engine.dispose()
        self._server.drop_database(taken.database.name)
