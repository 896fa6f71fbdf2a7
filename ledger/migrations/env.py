"""Alembic's environment: the connection comes from `ledger.migrations.migrate`, which also owns its transaction."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# Two migrations at once (two machines starting) would race; the second waits and then finds nothing to do.
connection.execute(text("select pg_advisory_xact_lock(hashtextextended('puntual migrate', 0))"))
context.configure(connection=connection, transactional_ddl=True)
context.run_migrations()
