"""Engines, tenants and the one lock.

The API connects as `puntual_api` and sees nothing until `as_creditor`; the worker connects as `puntual_worker`, which bypasses
row-level security for the relay, reconcile and activities. Connections run in UTC and know no named zone.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session


class WrongRole(RuntimeError):
    """The service was started with a role that sees through row-level security or owns the tables."""


def make_engine(url: str, *, pool_size: int = 10, name: str = "puntual", tested: bool = True) -> Engine:
    """An engine whose connections run in UTC.

    `tested`: connections are tried before use, so that a restarted server costs a request nothing; activities do without,
    because they are retried anyway.
    """
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=tested,
        pool_timeout=30,
        connect_args={"options": "-c timezone=UTC", "application_name": name, "connect_timeout": 5},
    )


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


def lock_debtor_of(session: Session, invoice_id: UUID | str) -> int:
    """Take the lock of an invoice's debtor; returns the invoice's revision as it is under the lock (0: no such invoice)."""
    session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(account_id::text, 0)) from invoice where id = :id"),
        {"id": str(invoice_id)},
    )
    return int(session.execute(text("select revision from invoice where id = :id"), {"id": str(invoice_id)}).scalar() or 0)


def lock_debtor(session: Session, account_id: UUID | str) -> None:
    """Take the debtor's lock until the end of the transaction: payments and claims of one account never interleave (I3)."""
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": str(account_id)})
