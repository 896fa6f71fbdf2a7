"""How much one caller may send: the size of a body, measured while it streams in, and the rate of requests by key."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from clock import monotonic


@dataclass(frozen=True)
class Limits:
    """Bytes of a body, requests a second of one key, and how many it may save up."""

    body_bytes: int = 256 * 1024
    batch_bytes: int = 32 * 1024 * 1024
    webhook_bytes: int = 2 * 1024 * 1024
    requests_per_second: float = 100.0
    burst: float = 400.0
    keys_remembered: int = 10_000


class TokenBuckets:
    """One bucket for each key, in this process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, key: str) -> float:
        """Take one request; 0 when it may go on, else how many seconds to wait."""
        limits, now = self._limits, monotonic()
        with self._lock:
            tokens, since = self._buckets.pop(key, (limits.burst, now))
            tokens = min(limits.burst, tokens + (now - since) * limits.requests_per_second)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > limits.keys_remembered:
                self._buckets.pop(next(iter(self._buckets)))
        return 0.0 if allowed else (1 - tokens) / limits.requests_per_second


class BodyLimits:
    """Refuse what is too large before reading it, or while it streams in; and what is not JSON under /v1."""

    def __init__(self, app: ASGIApp, limits: Limits, batch_path: str) -> None:
        self._app = app
        self._limits = limits
        self._batch_path = batch_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowed = self._allowed(scope["path"])
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        said = headers.get(b"content-length", "")
        if said.isdigit() and int(said) > allowed:
            await problem(413, "body-too-large", _too_large(allowed))(scope, receive, send)
            return
        has_body = (said.isdigit() and int(said) > 0) or b"transfer-encoding" in headers
        media = headers.get(b"content-type", "").split(";")[0].strip().lower()
        if scope["path"].startswith("/v1/") and has_body and media != "application/json" and not media.endswith("+json"):
            await problem(415, "not-a-media-type", "send the body as application/json")(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > allowed:
                    raise HTTPException(413, _too_large(allowed))
            return message

        await self._app(scope, counted, send)

    def _allowed(self, path: str) -> int:
        if path == self._batch_path:
            return self._limits.batch_bytes
        return self._limits.webhook_bytes if path.startswith("/webhooks/") else self._limits.body_bytes


def _too_large(allowed: int) -> str:
    return f"a body here is at most {allowed:,} bytes: send less at a time, or use /v1/invoices/batch"
