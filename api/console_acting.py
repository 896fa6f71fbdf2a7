"""Who acts at the console: a signed-in person whose role may, by a form of their own session, in one transaction with its audit.

A route (of class PageRoute) takes `who: Annotated[Acting, acting("collector")]`. The session is committed once, when the handler
has returned; what is refused is rolled back and audited by itself.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import Depends, Form, Request
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.console_session import NO_NUL, Looker, from_our_own_page, who_asks
from api.problems import Stop
from ledger.audit import note_act
from ledger.session import as_creditor
from ledger.staff import StaffRole

SCOPE = "console:write"
_ONCE = re.compile(r"[0-9a-f]{32}")
_Hidden = Annotated[str, Form(max_length=80, pattern=NO_NUL)]


@dataclass(frozen=True)
class Acting(Looker):
    """Who acts, and the form that was sent: sent twice, it is one act."""

    once: str = ""

    def note(self, act: str, subject: str, detail: Mapping[str, Any], now: datetime) -> bool:
        """Audit the act in its own transaction, before it is done: False when this form was taken before, then do nothing."""
        return note_act(
            self.session, self.creditor_id, actor=self.actor, act=act, subject=subject, detail=detail, now=now, once=self.once
        )

    def taken_before(self) -> bool:
        """Whether this form was taken before; a second press waits here for the first. Ask it before anything else is locked."""
        self.session.execute(text("select pg_advisory_xact_lock(hashtextextended(:once, 2))"), {"once": self.once})
        asked = text("select exists (select 1 from audit where once = :once)")
        return bool(self.session.execute(asked, {"once": self.once}).scalar_one())

    def note_refused(self, subject: str, detail: Mapping[str, Any], now: datetime) -> None:
        """Audit a refusal that the page answers itself; the form may be sent again."""
        note_act(self.session, self.creditor_id, actor=self.actor, act="refused", subject=subject, detail=detail, now=now)


def new_once() -> str:
    """What makes a form one form; a page puts a new one into each."""
    return uuid4().hex


def acting(role: StaffRole | Literal["anybody"]) -> Any:
    """The guard of a form, as a dependency: a person who may do what asks for `role`, with the token of their session.

    The form carries `csrf` and `once`. Raises Stop 403 for whoever may not, which is audited, and SignIn.
    """

    def guard(request: Request, csrf: _Hidden = "", once: _Hidden = "") -> Iterator[Acting]:
        if not from_our_own_page(request):
            raise Stop(403, "not-our-form", "This form came from another site: open the console and do it there.")
        now: datetime = request.app.state.clock.now()
        with Session(request.app.state.engine) as session:
            looker = who_asks(request, session)
            try:
                _refuse_stranger(looker, role, csrf, once)
            except Stop as refused:
                session.rollback()
                note_refusal(session, looker, request, refused.code, now)
                raise
            try:
                yield Acting(**{field.name: getattr(looker, field.name) for field in fields(Looker)}, once=once)
            except BaseException:
                session.rollback()
                raise
            code = getattr(request.state, "refused", "")
            if code:
                session.rollback()
                note_refusal(session, looker, request, code, now)
            else:
                session.commit()

    guard.puntual_scope = SCOPE  # type: ignore[attr-defined]
    guard.puntual_role = role  # type: ignore[attr-defined]
    return Depends(guard, scope="function")


def note_refusal(session: Session, who: Looker, request: Request, code: str, now: datetime) -> None:
    """Audit what was refused, by the address of the form and the code of the refusal, in a transaction of its own."""
    as_creditor(session, who.creditor_id)
    path = request.url.path[:200]
    note_act(session, who.creditor_id, actor=who.actor, act="refused", subject=path, detail={"why": code}, now=now)
    session.commit()


def _refuse_stranger(who: Looker, role: str, csrf: str, once: str) -> None:
    if not who.role:
        raise Stop(403, "key-only-looks", "An API key only looks: sign in with a login of your own to act.")
    if not who.may(role):
        raise Stop(403, "role-may-not", f"Your role ({who.role}) may not do this: it needs {role}. Ask a lead or an admin.")
    if not hmac.compare_digest(csrf.encode(), who.csrf.encode()) or not _ONCE.fullmatch(once):
        raise Stop(403, "form-too-old", "This form is of another session: open the page again and repeat it.")
