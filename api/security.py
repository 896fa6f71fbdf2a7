"""The guard: who calls, what the key may do, and one transaction in which only its own creditor's rows exist (I8).

A route takes `who: Annotated[Caller, caller("invoices:read")]`. A GET with a query parameter that its route does not have is
refused: a misspelt filter would show everything. The session is committed when the route has returned and before
the answer is sent; any exception rolls it back.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.limits import refuse_key, too_many
from api.problems import Stop
from ledger.creditors import SCOPES, hash_key
from ledger.session import as_creditor

_KEY = re.compile(r"pk_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")
UNKNOWN_TOLD_MAX = 20
"""So many unknown parameters of one request are named."""
_NOBODY = hash_key("no key has this hash")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="puntual"'}
bearer = HTTPBearer(
    auto_error=False, scheme_name="API key", bearerFormat="pk_<prefix>_<secret>",
    description="`Authorization: Bearer pk_...`; keys belong to one creditor, have scopes, and are made with `puntual key`",
)  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """Who calls: one creditor, by one key. `actor` names it in histories."""

    creditor_id: UUID
    key_id: UUID
    actor: str
    session: Session


def caller(scope: str) -> Any:
    """The guard of a route, as a dependency; raises ValueError for a scope that no key can have."""
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is not one of the scopes {', '.join(SCOPES)}")

    def guard(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Iterator[Caller]:
        with Session(request.app.state.engine) as session:
            try:
                who = _caller(request, session, given, scope)
                _refuse_unknown_query(request)
                as_creditor(session, who.creditor_id)
                yield who
                session.commit()
            except BaseException:
                session.rollback()
                raise

    guard.puntual_scope = scope  # type: ignore[attr-defined]
    return Depends(guard, scope="function")


def _refuse_unknown_query(request: Request) -> None:
    """Raise RequestValidationError for each query parameter of a GET that its route does not take, with those it takes."""
    if request.method != "GET" or not request.query_params:
        return
    fields = get_flat_params(request.scope["route"].dependant)
    known = [field.alias for field in fields if isinstance(field.field_info, Query)]
    takes = f"write {', '.join(known)}" if known else "it takes none"
    said = f"there is no such parameter here ({takes}): correct its name or leave it out"
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        told = unknown[:UNKNOWN_TOLD_MAX]
        raise RequestValidationError([{"type": "value_error", "loc": ("query", name), "msg": said} for name in told])


def _caller(request: Request, session: Session, given: HTTPAuthorizationCredentials | None, scope: str) -> Caller:
    if given is None:
        raise Stop(401, "key-missing", "send your key as `Authorization: Bearer pk_...`", headers=_CHALLENGE)
    shape = _KEY.fullmatch(given.credentials)
    prefix = shape[1] if shape else ""
    row = session.execute(
        text("select id, creditor_id, secret_hash, scopes, expires_at, revoked_at from door_api_key(:prefix)"), {"prefix": prefix}
    ).one_or_none()
    matches = hmac.compare_digest(hash_key(given.credentials), _NOBODY if row is None else bytes(row.secret_hash))
    now = request.app.state.clock.now()
    if row is None or not matches or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        said = "this key is unknown, revoked or past its end: ask for a new one"
        raise refuse_key(request, Stop(401, "key-refused", said, headers=_CHALLENGE))
    wait = request.app.state.doors.keys.wait_seconds(prefix)
    if wait > 0:
        raise too_many(wait)
    if scope not in row.scopes:
        raise Stop(403, "scope-missing", f"this needs a key with scope {scope}; yours has {', '.join(row.scopes)}", scope=scope)
    return Caller(row.creditor_id, row.id, f"key {prefix}", session)
