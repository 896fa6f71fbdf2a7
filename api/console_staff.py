"""The door for people with a login, and the audit of what they did."""

from __future__ import annotations

from datetime import datetime
from threading import BoundedSemaphore
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import console_pages as pages
from api.console_session import PATH, PageRoute, Who, is_known_browser, staff_prefix
from api.limits import client_address, too_many
from api.problems import Stop
from clock import wall_now
from ledger import staff
from ledger.audit import audit_of, note_act
from ledger.overview import waiting_for_people
from ledger.session import as_creditor

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)

AUDIT_ROWS = 100
_Typed = Annotated[str, Query(max_length=120, pattern=r"^[^\x00-\x1f]*$")]
HASHING = BoundedSemaphore(2)
"""Each comparison takes 64 MiB: many at once must not take the machine."""


def staff_for_sign_in(request: Request, creditor: str, login: str, password: str) -> str | None:
    """The cookie's prefix of a login whose password was right; None, after the same work, for all else.

    Raises Stop 429 when this address has tried too many.
    """
    refused = request.app.state.doors.refused_keys
    address = client_address(request.scope)
    if (wait := refused.wait_seconds(address, take=False)) > 0:
        raise too_many(wait)
    now: datetime = request.app.state.clock.now()
    engine = request.app.state.engine
    with Session(engine) as session:
        row = staff.staff_by_login(session, creditor.strip().lower(), login.strip().lower())
        may_try = False
        if row is not None and row.disabled_at is None:
            as_creditor(session, row.creditor_id)
            # Who tries from outside rests the login for strangers; its person goes on where they signed in before.
            known = is_known_browser(request, staff_prefix(row.id, row.session_version))
            counted = staff.take_attempt(session, row.id, wall_now()) if not known else False
            may_try = counted or (known and request.app.state.doors.known_browsers.wait_seconds(str(row.id)) == 0)
        _commit_soon(session)
    with HASHING:
        right = staff.is_password(row.password_hash if row is not None and may_try else None, password)
    if row is None or not right:
        refused.wait_seconds(address)
    if row is None:
        return None
    with Session(engine) as session, session.begin():
        as_creditor(session, row.creditor_id)
        if right:
            staff.seen(session, row.id, now)
        act = "signed_in" if right else "sign_in_refused"
        why = {} if right or may_try else {"why": "disabled" if row.disabled_at else "locked"}
        note_act(session, row.creditor_id, actor=f"staff:{row.login}", act=act, subject=f"staff:{row.login}", detail=why, now=now)
        _commit_soon(session, end=False)
    return staff_prefix(row.id, row.session_version) if right else None


def _commit_soon(session: Session, *, end: bool = True) -> None:
    """Without waiting for the disk: how long that takes would tell a login that exists from one that does not."""
    session.execute(text("set local synchronous_commit = off"))
    if end:
        session.commit()


def staff_of_demo(session: Session, creditor_id: UUID, role: str) -> str | None:
    """The cookie's prefix of the creditor's first person with that role, for the demo on this machine; None without one."""
    as_creditor(session, creditor_id)
    row = session.execute(
        text("select id, session_version from staff where role = :role and disabled_at is null order by login limit 1"),
        {"role": role},
    ).one_or_none()
    return None if row is None else staff_prefix(row.id, row.session_version)


@router.get("/audit")
def read_audit(
    who: Who, request: Request, actor: _Typed = "", act: _Typed = "", subject: _Typed = "", cursor: _Typed = ""
) -> Response:
    """Who did what, newest first: for auditors, leads and admins."""
    if not who.may("auditor"):
        raise Stop(403, "role-may-not", "The audit is for auditors, leads and admins: sign in with such a login.")
    now: datetime = request.app.state.clock.now()
    found = audit_of(
        who.session, actor=actor.strip(), act=act.strip(), subject=subject.strip(), limit=AUDIT_ROWS, cursor=cursor or None
    )
    asked = {"actor": actor, "act": act, "subject": subject}
    return pages.page(
        "audit.html", who=who, now=now, waiting=waiting_for_people(who.session, now), stopped=pages.is_stopped(who.creditor, now),
        rows=found.rows, asked=asked, following=dict(asked, cursor=found.cursor) if found.cursor else None,
    )  # fmt: skip
