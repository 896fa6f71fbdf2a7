"""Who looks at the console: an API key with `console:read`, given once, then a signed cookie that ends with the key or after 8 h.

The cookie carries the key's prefix, its end and an HMAC of both under the master key. Each request finds the key anew, so that
a revoked or expired key closes the console at once. Nothing here can be reached by another site: the cookie is SameSite=Strict,
and a form is taken only from our own pages.
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

SCOPE = "console:read"
COOKIE = "puntual_console"
PATH = "/console"
LASTS = timedelta(hours=8)
_PURPOSE = "console session"
_KEY = re.compile(r"pk_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")
_COOKIE = re.compile(r"([0-9a-f]{10})\.(\d{1,12})\.([A-Za-z0-9_-]{43})")
_NOBODY = hash_key("no key has this hash")
_BACK = re.compile(r"/console(?:/[A-Za-z0-9/-]*)?(?:\?[A-Za-z0-9_.%&=+:-]*)?")


class SignIn(Exception):
    """Nobody is signed in: the sign-in page comes first."""


@dataclass(frozen=True)
class Looker:
    """Who looks: one creditor, by one key, in one transaction that sees nothing else (I8)."""

    creditor_id: UUID
    actor: str
    session: Session
    creditor: Row[Any]


def signed(sealer: Sealer, prefix: str, ends: datetime) -> str:
    """The cookie of a session that ends at `ends` (machine time)."""
    stamp = str(int(ends.timestamp()))
    return f"{prefix}.{stamp}.{sealer.token(_PURPOSE, f'{prefix}.{stamp}')}"


def prefix_of(sealer: Sealer, cookie: str, now: datetime) -> str | None:
    """The key's prefix of a cookie that we signed and that has not ended; `now` is machine time."""
    shape = _COOKIE.fullmatch(cookie)
    if shape is None:
        return None
    prefix, stamp, mac = shape.groups()
    if not hmac.compare_digest(mac, sealer.token(_PURPOSE, f"{prefix}.{stamp}")):
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
    """The guard of every page: the creditor of the cookie's key, or SignIn."""
    prefix = prefix_of(request.app.state.sealer, request.cookies.get(COOKIE, ""), wall_now())
    if prefix is None:
        raise SignIn
    if request.app.state.doors.keys.wait_seconds(prefix) > 0:
        raise Stop(429, "too-many-requests", "too many pages at once: wait a second and reload", headers={"Retry-After": "1"})
    with Session(request.app.state.engine) as session:
        key = live_key(request, session, prefix)
        if key is None:
            raise SignIn
        as_creditor(session, key.creditor_id)
        creditor = session.execute(text("select id, slug, name, zone, stopped_until, stopped_why from creditor")).one()
        try:
            yield Looker(key.creditor_id, f"key {prefix}", session, creditor)
        finally:
            session.rollback()  # read-only: nothing that a page does is kept


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
                response = pages.trouble(error.status, error.detail)
            except RequestValidationError:
                response = pages.trouble(404, "There is nothing at this address.")
            for name, value in pages.HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return page
