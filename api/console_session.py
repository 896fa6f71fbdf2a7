"""Who looks at the console: a person with a login and a role, or an API key with `console:read` that only looks.

Given once, then a signed cookie that ends after 8 h. It carries the key's prefix, or the person's id and the version of their
sessions, its end, and an HMAC of all under the master key. Each request finds the key or the person anew, so that a revoked key,
a new password or a disabled login closes the console at once. Nothing here can be reached by another site: the cookie is
SameSite=Strict, and a form is taken only from our own pages.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from api import console_pages as pages
from api.limits import client_address, too_many
from api.problems import Stop
from clock import wall_now
from ledger.creditors import hash_key
from ledger.refusals import Refused
from ledger.sealing import Sealer
from ledger.session import as_creditor
from ledger.staff import may, staff_by_id

SCOPE = "console:read"
COOKIE = "puntual_console"
PATH = "/console"
LASTS = timedelta(hours=8)
NO_NUL = r"^[^\x00]*$"
"""What every field of a form is: a character that no table can hold is refused with the form."""
_PURPOSE = "console session"
_FORM_PURPOSE = "console form"
_KNOWN_PURPOSE = "console browser"
KNOWN = "puntual_browser"
"""The cookie of a browser in which a person signed in before: strangers who lock the login out do not lock out that browser."""
KNOWN_FOR = timedelta(days=180)
_KEY = re.compile(r"pk_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")
_COOKIE = re.compile(r"([0-9a-f]{10}|[0-9a-f]{32}-\d{1,9})\.(\d{1,12})\.([A-Za-z0-9_-]{43})")
_NOBODY = hash_key("no key has this hash")
_BACK = re.compile(r"/console(?:/[A-Za-z0-9/-]*)?(?:\?[A-Za-z0-9_.%&=+:-]*)?")


class SignIn(Exception):
    """Nobody is signed in: the sign-in page comes first."""


@dataclass(frozen=True)
class Looker:
    """Who looks: one creditor, by one key or one of its people, in one transaction that sees nothing else (I8)."""

    creditor_id: UUID
    actor: str
    """`key <prefix>` or `staff:<login>`."""
    session: Session
    creditor: Row[Any]
    role: str = ""
    """collector, lead, admin or auditor; empty for a key, which only looks."""
    staff_id: UUID | None = None
    csrf: str = ""
    """What every form of this session carries; another site cannot know it."""

    @property
    def login(self) -> str:
        """The person's login; empty for a key."""
        return self.actor.removeprefix("staff:") if self.role else ""

    def may(self, needed: str) -> bool:
        """Whether they may do what asks for that role (ledger.staff.MAY)."""
        return may(self.role, needed)


def signed(sealer: Sealer, prefix: str, ends: datetime, purpose: str = _PURPOSE) -> str:
    """The cookie of a session that ends at `ends` (machine time), of a key's prefix or of `staff_prefix`."""
    stamp = str(int(ends.timestamp()))
    return f"{prefix}.{stamp}.{sealer.token(purpose, f'{prefix}.{stamp}')}"


def staff_prefix(staff_id: UUID, session_version: int) -> str:
    """What stands in a cookie for a person's present sessions."""
    return f"{staff_id.hex}-{session_version}"


def prefix_of(sealer: Sealer, cookie: str, now: datetime, purpose: str = _PURPOSE) -> str | None:
    """The prefix of a cookie that we signed and that has not ended; `now` is machine time."""
    shape = _COOKIE.fullmatch(cookie)
    if shape is None:
        return None
    prefix, stamp, mac = shape.groups()
    if not hmac.compare_digest(mac, sealer.token(purpose, f"{prefix}.{stamp}")):
        return None
    return prefix if datetime.fromtimestamp(int(stamp), UTC) > now else None


def live_key(request: Request, session: Session, prefix: str) -> Row[Any] | None:
    """The key of that prefix, when it may look at the console now."""
    row = session.execute(
        text("select id, creditor_id, secret_hash, scopes, expires_at, revoked_at from door_api_key(:prefix)"), {"prefix": prefix}
    ).one_or_none()
    if row is None or row.revoked_at is not None or SCOPE not in row.scopes:
        return None
    return row if row.expires_at is None or row.expires_at > request.app.state.clock.now() else None


def looker(request: Request) -> Iterator[Looker]:
    """The guard of every page: whose cookie it is, or SignIn."""
    with Session(request.app.state.engine) as session:
        try:
            yield who_asks(request, session)
        finally:
            session.rollback()  # read-only: nothing that a page does is kept


def who_asks(request: Request, session: Session) -> Looker:
    """The key or the person of the cookie, with the session set to their creditor; raises SignIn, and Stop 429."""
    cookie = request.cookies.get(COOKIE, "")
    prefix = prefix_of(request.app.state.sealer, cookie, wall_now())
    if prefix is None:
        raise SignIn
    if request.app.state.doors.keys.wait_seconds(prefix) > 0:
        raise Stop(429, "too-many-requests", "too many pages at once: wait a second and reload", headers={"Retry-After": "1"})
    is_person = "-" in prefix
    found = _live_staff(session, prefix) if is_person else live_key(request, session, prefix)
    if found is None:
        raise SignIn
    as_creditor(session, found.creditor_id)
    creditor = session.execute(text("select id, slug, name, zone, stopped_until, stopped_why from creditor")).one()
    if not is_person:
        return Looker(creditor.id, f"key {prefix}", session, creditor)
    csrf = request.app.state.sealer.token(_FORM_PURPOSE, cookie)
    return Looker(creditor.id, f"staff:{found.login}", session, creditor, found.role, found.id, csrf)


def _live_staff(session: Session, prefix: str) -> Row[Any] | None:
    staff_id, version = prefix.split("-")
    row = staff_by_id(session, UUID(staff_id))
    return row if row is not None and row.disabled_at is None and row.session_version == int(version) else None


looker.puntual_scope = SCOPE  # type: ignore[attr-defined]
Who = Annotated[Looker, Depends(looker, scope="function")]


def key_for_sign_in(request: Request, given: str) -> str | None:
    """The prefix of a whole key that was pasted, when it opens the console; compared in constant time.

    Raises Stop 429 when this address has tried too many.
    """
    shape = _KEY.fullmatch(given.strip())
    with Session(request.app.state.engine) as session:
        row = live_key(request, session, shape[1] if shape else "")
    matches = hmac.compare_digest(hash_key(given.strip()), _NOBODY if row is None else bytes(row.secret_hash))
    if shape is None or not matches:
        wait = request.app.state.doors.refused_keys.wait_seconds(client_address(request.scope))
        if wait > 0:
            raise too_many(wait)
        return None
    return shape[1]


def open_session(request: Request, response: Response, prefix: str) -> None:
    """Set the cookie for the next 8 hours."""
    secure = urlsplit(request.app.state.settings.public_url).scheme == "https"
    response.set_cookie(
        COOKIE, signed(request.app.state.sealer, prefix, wall_now() + LASTS), max_age=int(LASTS.total_seconds()), path=PATH,
        secure=secure, httponly=True, samesite="strict",
    )  # fmt: skip


def know_browser(request: Request, response: Response, prefix: str) -> None:
    """Remember that this person signed in here, until the password changes; it opens nothing."""
    cookie = signed(request.app.state.sealer, prefix, wall_now() + KNOWN_FOR, _KNOWN_PURPOSE)
    secure = urlsplit(request.app.state.settings.public_url).scheme == "https"
    response.set_cookie(
        KNOWN, cookie, max_age=int(KNOWN_FOR.total_seconds()), path=PATH, secure=secure, httponly=True, samesite="strict"
    )


def is_known_browser(request: Request, prefix: str) -> bool:
    """Whether the person of that prefix signed in here before, with the present password."""
    return prefix_of(request.app.state.sealer, request.cookies.get(KNOWN, ""), wall_now(), _KNOWN_PURPOSE) == prefix


def close_session(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="strict")


def from_our_own_page(request: Request) -> bool:
    """Whether a form came from a page of ours: by Sec-Fetch-Site, else by Origin, which every browser sends with a form."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def is_demo_at_home(request: Request) -> bool:
    """Whether this is the demo, reached on this machine only: its address, both ends and the name that was typed."""
    settings = request.app.state.settings
    server = request.scope.get("server") or ("", 0)
    names = [
        urlsplit(settings.public_url).hostname,
        request.client.host if request.client else "",
        server[0],
        request.url.hostname,
    ]
    return settings.demo == "1" and all(_is_loopback(name or "") for name in names)


def safe_way_back(wanted: str) -> str:
    """An address of the console to return to after signing in; never another site."""
    return wanted if _BACK.fullmatch(wanted) else PATH


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


class PageRoute(APIRoute):
    """A route that answers with a page whatever happens, and says to the browser what a page of ours may do: almost nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                response = await handle(request)
            except SignIn:
                back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                response = RedirectResponse(f"{PATH}/sign-in?{urlencode({'back': safe_way_back(back)})}", 303)
                close_session(response)
            except (Stop, Refused) as error:
                # The page is an answer, so the guard of an act does not see the exception: it is told (console_acting).
                request.state.refused = error.code
                response = pages.trouble(error.status, error.detail)
            except RequestValidationError:
                request.state.refused = "not-a-form"
                response = pages.trouble(404, "There is nothing at this address.")
            for name, value in pages.HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return page
