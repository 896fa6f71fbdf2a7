"""A person changes their own password: the present one is asked for, and every other session of theirs ends."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from api import console_pages as pages
from api.console_acting import Acting, acting, new_once
from api.console_session import NO_NUL, PATH, Looker, PageRoute, Who, know_browser, open_session, staff_prefix
from api.console_staff import HASHING
from api.problems import Stop
from clock import wall_now
from ledger import staff
from ledger.overview import waiting_for_people
from ledger.refusals import Refused
from ledger.session import as_creditor

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)
_Secret = Annotated[str, Form(max_length=staff.PASSWORD_LENGTH_MAX, pattern=NO_NUL)]


@router.get("/password")
def read_password(who: Who, request: Request) -> Response:
    """The form."""
    return _page(who, request)


@router.post("/password")
def change_password(
    who: Annotated[Acting, acting("anybody")], request: Request, present: _Secret = "", wanted: _Secret = "", again: _Secret = ""
) -> Response:
    """Change it; what is wrong is said, and counts as an attempt where the present one is wrong."""
    now: datetime = request.app.state.clock.now()
    if who.staff_id is None:
        raise Stop(403, "key-only-looks", "An API key has no password: sign in with a login.")
    subject = f"staff:{who.login}"
    kept = staff.hash_of(who.session, who.staff_id)
    try:
        if wanted != again:
            raise Refused("password-again", "the new password was typed in two ways: type it twice alike", status=422)
        if wanted == present:
            raise Refused("password-same", "the new password is the present one: choose another", status=422)
        _compare(request, who, kept, present)
        version = staff.session_version_of(who.session, who.staff_id)
        fresh = staff.change_own_password(who.session, who.staff_id, version, kept, wanted)
        if fresh is None:
            raise Refused("password-changed", "it was changed elsewhere in this moment: sign in again")
    except Refused as refused:
        who.note_refused(subject, {"act": "password", "why": refused.code}, now)
        return _page(who, request, wrong=refused.detail, status=refused.status)
    who.note("password", subject, {}, now)
    response = RedirectResponse(PATH, 303)
    prefix = staff_prefix(who.staff_id, fresh)
    open_session(request, response, prefix)
    know_browser(request, response, prefix)
    return response


def _compare(request: Request, who: Acting, kept: str, present: str) -> None:
    """Count the attempt first, in a transaction of its own; raises Refused when it was wrong, or too many were."""
    with Session(request.app.state.engine) as session, session.begin():
        as_creditor(session, who.creditor_id)
        may_try = who.staff_id is not None and staff.take_attempt(session, who.staff_id, wall_now())
    with HASHING:
        right = staff.is_password(kept if may_try else None, present)
    if not right:
        raise Refused(
            "password-wrong", "the present password is not that one; after five wrong ones it rests for 15 minutes", status=422
        )


def _page(who: Looker, request: Request, *, wrong: str = "", status: int = 200) -> Response:
    now: datetime = request.app.state.clock.now()
    if not who.role:
        raise Stop(403, "key-only-looks", "An API key has no password: sign in with a login.")
    return pages.page(
        "password.html", status=status, who=who, now=now, waiting=waiting_for_people(who.session, now), once=new_once,
        stopped=pages.is_stopped(who.creditor, now), wrong=wrong, least=staff.PASSWORD_LENGTH_MIN, most=staff.PASSWORD_LENGTH_MAX,
    )  # fmt: skip
