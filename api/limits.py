"""How much one caller may send: the size of a body, measured while it streams in, and the rate of requests.

Rates are kept in this process and bounded in size: by API key, by customer's link, and by client address for what was refused.
The address is the one the server was told of; behind a proxy, name it in FORWARDED_ALLOW_IPS.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Stop, problem
from clock import monotonic


@dataclass(frozen=True)
class Rate:
    """How many a second, and how many may be saved up while nobody asks."""

    per_second: float
    burst: float


def a_minute(count: int) -> Rate:
    """So many a minute, all of them at once if need be."""
    return Rate(count / 60, count)


@dataclass(frozen=True)
class Limits:
    """Bytes of a body, and the rates of what comes in."""

    body_bytes: int = 256 * 1024
    invoice_bytes: int = 8 * 1024 * 1024
    """One invoice with its documents: 5 MB of them, in base64."""
    batch_bytes: int = 32 * 1024 * 1024
    webhook_bytes: int = 2 * 1024 * 1024
    key: Rate = Rate(100, 400)
    """Requests of one API key."""
    known_browser: Rate = field(default_factory=lambda: Rate(5 / 900, 5))
    """Passwords of one login in browsers where that person signed in before: as many as before a login rests."""
    refused_keys: Rate = field(default_factory=lambda: a_minute(30))
    """Keys that open nothing, of one client address."""
    portal_link: Rate | None = field(default_factory=lambda: a_minute(120))
    portal_address: Rate | None = field(default_factory=lambda: a_minute(300))
    """Requests of the customers' pages; None in played time, in which a minute is none."""
    refused_webhooks: Rate = field(default_factory=lambda: a_minute(600))
    """Webhook calls that were not genuine, of one client address and token. What a gateway signed is never refused here: after an
    outage it sends all that it has kept."""
    remembered: int = 10_000
    """How many keys, links or addresses each limit remembers; the one unused for longest is forgotten first."""

    def of_played_time(self) -> Limits:
        """The same without the limits of the customers' pages."""
        return replace(self, portal_link=None, portal_address=None)


class TokenBuckets:
    """One bucket for each key, in this process."""

    def __init__(self, rate: Rate, remembered: int = 10_000) -> None:
        self._rate = rate
        self._remembered = remembered
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, key: str, *, take: bool = True) -> float:
        """Take one request; 0 when it may go on, else how many seconds to wait. Without `take` it is only asked."""
        rate, now = self._rate, monotonic()
        with self._lock:
            tokens, since = self._buckets.pop(key, (rate.burst, now)) if take else self._buckets.get(key, (rate.burst, now))
            tokens = min(rate.burst, tokens + (now - since) * rate.per_second)
            allowed = tokens >= 1
            if take:
                self._buckets[key] = (tokens - 1 if allowed else tokens, now)
                if len(self._buckets) > self._remembered:
                    self._buckets.pop(next(iter(self._buckets)))
        return 0.0 if allowed else (1 - tokens) / rate.per_second


class Doors:
    """The buckets of one application."""

    def __init__(self, limits: Limits) -> None:
        def buckets(rate: Rate | None) -> TokenBuckets | None:
            return None if rate is None else TokenBuckets(rate, limits.remembered)

        self.keys = TokenBuckets(limits.key, limits.remembered)
        self.known_browsers = TokenBuckets(limits.known_browser, limits.remembered)
        self.refused_keys = TokenBuckets(limits.refused_keys, limits.remembered)
        self.refused_webhooks = TokenBuckets(limits.refused_webhooks, limits.remembered)
        self.portal_links = buckets(limits.portal_link)
        self.portal_addresses = buckets(limits.portal_address)


def too_many(wait_seconds: float) -> Stop:
    """The answer 429, with how long to wait."""
    seconds = max(1, math.ceil(wait_seconds))
    return Stop(429, "too-many-requests", f"send again in {seconds} s", headers={"Retry-After": str(seconds)})


def client_address(scope: Scope) -> str:
    """Whom a request came from; of IPv6 the network, because one client has all of it."""
    host = str((scope.get("client") or ("", 0))[0])
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


def refuse_key(request: Request, refusal: Stop) -> Stop:
    """What to raise for a key that opens nothing: `refusal`, or 429 when this address has tried too many.

    A key that does open something is never refused for what others behind the same address try.
    """
    wait = request.app.state.doors.refused_keys.wait_seconds(client_address(request.scope))
    return too_many(wait) if wait > 0 else refusal


def guard_portal(request: Request) -> None:
    """The dependency of the customers' pages: raises Stop 429. A stop is not refused for a mail program's address (I11)."""
    doors: Doors = request.app.state.doors
    waits = [0.0]
    if doors.portal_links is not None:
        waits.append(doors.portal_links.wait_seconds(str(request.path_params.get("token", ""))[:64]))
    if doors.portal_addresses is not None and not (request.method == "POST" and request.url.path.endswith("/stop")):
        waits.append(doors.portal_addresses.wait_seconds(client_address(request.scope)))
    if max(waits) > 0:
        raise too_many(max(waits))


class WebhookLimits:
    """Refuse more calls under /webhooks/ from an address that sent too many that were not genuine, before the ledger is asked."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app = app
        self._buckets = doors.refused_webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/webhooks/"):
            await self._app(scope, receive, send)
            return
        key = f"{client_address(scope)} {scope['path'][:120]}"
        wait = self._buckets.wait_seconds(key, take=False)
        if wait > 0:
            stop = too_many(wait)
            await problem(stop.status, stop.code, stop.detail, headers=stop.headers)(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (401, 404):
                self._buckets.wait_seconds(key)
            await send(message)

        await self._app(scope, receive, watched)


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
        invoices = self._batch_path.rpartition("/")[0]
        if path == invoices or (path.startswith(f"{invoices}/") and path.endswith("/documents")):
            return self._limits.invoice_bytes
        return self._limits.webhook_bytes if path.startswith("/webhooks/") else self._limits.body_bytes


def _too_large(allowed: int) -> str:
    return f"a body here is at most {allowed:,} bytes: send less at a time, or use /v1/invoices/batch"
