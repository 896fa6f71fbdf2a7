"""Who answers for a customer in sales or service: told before a firm rung, and may hold it once (playbook 3)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import ACCOUNT_CHANGED, note_accounts
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor


def assign_owner(session: Session, account_id: UUID | str, login: str, *, actor: str, now: datetime) -> bool:
    """Name the login that answers for an account, or with an empty one nobody; False when it was so before.

    Raises Refused `not-found`, `staff-unknown` for a login that is not one, or is disabled.
    """
    row = session.execute(
        text("select id, creditor_id, owner_staff from account where id = :id for no key update"), {"id": str(account_id)}
    ).one_or_none()
    if row is None:
        raise not_found("account", account_id)
    lock_debtor(session, row.id)
    if login:
        known = session.execute(
            text("select exists (select 1 from staff where creditor_id = :creditor and login = :login and disabled_at is null)"),
            {"creditor": row.creditor_id, "login": login},
        ).scalar_one()
        if not known:
            raise Refused("staff-unknown", f"there is no login {login!r} at work here: choose another", status=422)
    if (row.owner_staff or "") == login:
        return False
    session.execute(text("update account set owner_staff = :login where id = :id"), {"login": login or None, "id": row.id})
    detail = {str(row.id): {"changed": ["owner"]}}
    note_accounts(session, detail, at=now, kind=ACCOUNT_CHANGED, actor=actor, note="changed: owner")
    return True


def owner_of(session: Session, account_id: UUID | str) -> str:
    """The login that answers for an account; empty when there is none."""
    found = session.execute(text("select owner_staff from account where id = :id"), {"id": str(account_id)}).scalar()
    return str(found or "")
