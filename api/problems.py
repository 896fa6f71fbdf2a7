"""Everything that goes wrong is problem+json (RFC 9457) with a stable `type`: what, where, and what to do."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from ledger.refusals import Refused
from policies.intake import Problem as Spot
from policies.intake import Unreadable
from policies.plain_errors import plain

BASE = "https://puntual.example/problems/"
MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("puntual.api")
_TITLES = {
    "invalid": "The request makes no sense as it is",
    "not-json": "The body is not JSON",
    "not-found": "There is no such thing here",
    "key-missing": "An API key is needed",
    "key-refused": "This API key does not open anything",
    "scope-missing": "This API key may not do that",
    "too-many-requests": "Too many requests",
    "body-too-large": "The body is too large",
    "not-a-media-type": "The body must be JSON",
    "method-not-allowed": "This address does not know that method",
    "invoice-differs": "Another invoice was accepted under this number",
    "invoice-closed": "The invoice is closed",
    "database-away": "The ledger cannot be reached for a moment",
    "internal": "Something went wrong on our side",
}


class ErrorAt(BaseModel):
    """One thing that is wrong, at one place."""

    where: str = Field(description="`body`, `query`, `path` or `header`", examples=["body"])
    pointer: str = Field(description="JSON pointer into it", examples=["/account/contacts/0/channels/1/address"])
    detail: str = Field(examples=["this is not an e-mail address: write it like name@company.example"])


class ProblemOut(BaseModel):
    """Problem details (RFC 9457); some types carry more members."""

    type: str = Field(examples=[BASE + "invalid"])
    title: str = Field(examples=[_TITLES["invalid"]])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["1 thing is wrong: /due_on: give due_on and amount_minor, or instalments"])
    errors: list[ErrorAt] = Field(default=[], description="every place that is wrong, never with the value itself")


class Stop(Exception):
    """Ends a request with a problem; for the API's own rooms (the ledger raises Refused)."""

    def __init__(self, status: int, code: str, detail: str, /, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})
        self.more = more


def problem(status: int, code: str, detail: str, /, *, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """The response itself; `more` adds members and never replaces the standard ones."""
    title = _TITLES.get(code) or code.replace("-", " ").capitalize()
    body = {**more, "type": BASE + code, "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def invalid(spots: Sequence[Spot], where: str = "body") -> JSONResponse:
    """422 with every place that is wrong."""
    errors = [{"where": where, "pointer": spot.pointer, "detail": spot.detail} for spot in spots]
    return problem(422, "invalid", _summary(errors), errors=errors)


def validation_spots(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Pydantic's errors as places and plain sentences, without the values they complain of."""
    spots: list[dict[str, str]] = []
    for error in errors:
        place = [str(part) for part in error["loc"]]
        where = place.pop(0) if place and place[0] in ("body", "query", "path", "header", "cookie") else "body"
        pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)
        spots.append({"where": where, "pointer": pointer, "detail": plain(error)})
    return spots


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems a route may answer, for its OpenAPI description."""
    return {
        status: {"model": ProblemOut, "description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Turn every exception of the app into a problem."""
    app.add_exception_handler(Stop, _on_stop)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(Unreadable, _on_unreadable)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(away, _on_away)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(Exception, _on_anything)


def _summary(errors: Sequence[Mapping[str, str]]) -> str:
    first = errors[0] if errors else {"pointer": "", "detail": "nothing was said"}
    count = f"{len(errors)} thing{' is' if len(errors) == 1 else 's are'} wrong"
    return f"{count}; first, {first['pointer'] or 'the whole'}: {first['detail']}"


async def _on_stop(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Stop)
    return problem(error.status, error.code, error.detail, headers=error.headers, **error.more)


async def _on_refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return problem(error.status, error.code, error.detail, **error.more)


async def _on_unreadable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unreadable)
    return invalid(error.problems)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        text = error.body if isinstance(error.body, str) else ""
        at = int(found[0]["loc"][-1])
        line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        reason = found[0].get("ctx", {}).get("error", "not JSON")
        return problem(400, "not-json", f"line {line}, column {column}: {reason}", line=line, column=column)
    errors = validation_spots(found)
    return problem(422, "invalid", _summary(errors), errors=errors)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 415: "not-a-media-type", 400: "not-json"}
    code = codes.get(error.status_code, HTTPStatus(error.status_code).phrase.lower().replace(" ", "-"))
    detail = {404: f"there is nothing at {request.url.path}", 405: f"{request.url.path} does not know {request.method}"}
    text = detail.get(error.status_code) if error.detail == HTTPStatus(error.status_code).phrase else None
    return problem(error.status_code, code, text or str(error.detail), headers=error.headers)


async def _on_away(request: Request, error: Exception) -> JSONResponse:
    _log.error("the ledger cannot be reached: %s", type(error).__name__)
    detail = "nothing was written as far as is known: send the same again in a few seconds"
    return problem(503, "database-away", detail, headers={"Retry-After": "5"})


async def _on_database(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return await _on_away(request, error)
    return await _on_anything(request, error)


async def _on_anything(request: Request, error: Exception) -> JSONResponse:
    # Only where, never what: the text of an exception may carry a person's data.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s %s failed with %s\n%s", request.method, request.url.path, type(error).__name__, frames)
    return problem(500, "internal", "nothing was written; it was noted, and sending the same again does no harm")
