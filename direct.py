"""One statement by itself on a pool's connection: a transaction in one round trip, where BEGIN and COMMIT make it three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg2 import Error, InterfaceError
from psycopg2 import OperationalError as ServerGone
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError


def ask_alone(engine: Engine, statement: str, values: Mapping[str, Any] | None = None) -> Sequence[Any] | None:
    """The first row of a statement written for the driver (`%(name)s`), committed when this returns; None without a row.

    Raises SQLAlchemy's errors, as everything else does: OperationalError when the server cannot be reached, and the connection is
    given up.
    """
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        try:
            driver.autocommit = True
            with driver.cursor() as cursor:
                cursor.execute(statement, values)
                row: Sequence[Any] | None = cursor.fetchone()
                return row
        except (ServerGone, InterfaceError) as error:
            connection.invalidate(error)
            raise OperationalError(statement, None, error, hide_parameters=True) from None
        except Error as error:
            raise DBAPIError(statement, None, error, hide_parameters=True) from None
        finally:
            if not driver.closed:
                driver.autocommit = False
