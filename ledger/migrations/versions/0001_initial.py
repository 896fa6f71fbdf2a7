"""The first ledger: see 0001_initial.sql."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file as it stands."""
    sql = Path(__file__).with_suffix(".sql").read_text()
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def downgrade() -> None:
    """There is nothing before the first revision."""
    raise NotImplementedError("the ledger is never taken back: restore a dump instead")
