"""Bringing a database to the present schema: roles once as a superuser, then the revisions as their owner."""

from __future__ import annotations

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool


def bootstrap_sql() -> str:
    """What a superuser runs once in a cluster: the three roles, without passwords."""
    return (resources.files(__name__) / "bootstrap.sql").read_text()


def migrate(owner_url: str) -> None:
    """Apply the revisions that are missing, in one transaction, as `puntual_owner`; safe to run again."""
    config = Config()
    config.set_main_option("script_location", str(resources.files(__name__)))
    connect_args = {"options": "-c timezone=UTC", "application_name": "puntual-migrate"}
    engine = create_engine(owner_url, poolclass=NullPool, connect_args=connect_args)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
