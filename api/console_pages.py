"""The console's pages: one template folder, no script, nothing from elsewhere, escaped by default."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api import console_words

_FOLDER = Path(__file__).parent / "pages" / "console"
STYLE = (_FOLDER / "console.css").read_bytes()
STYLE_VERSION = hashlib.sha256(STYLE).hexdigest()[:12]
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


@lru_cache(maxsize=1)
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {"w": console_words, "style_version": STYLE_VERSION, "query": urlencode, "here": ""}
    return made


def page(template: str, *, status: int = 200, **values: Any) -> Response:
    """A page of the folder."""
    return HTMLResponse(_templates().get_template(template).render(**values), status)


def is_stopped(creditor: Any, now: datetime) -> bool:
    """Whether all sending of a creditor is stopped."""
    return creditor.stopped_until is not None and creditor.stopped_until > now


def trouble(status: int, detail: str) -> Response:
    """What went wrong, on a page of its own."""
    titles = {403: "Not allowed", 409: "That does not go now", 404: "Not found", 422: "That cannot be shown", 429: "One moment"}
    return page("trouble.html", status=status, title=titles.get(status, "Something went wrong"), detail=detail)
