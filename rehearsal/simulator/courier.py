"""Webhooks to us: signed at each attempt, repeated with back-off until acknowledged or given up, as providers do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import stripe
from standardwebhooks.webhooks import Webhook
from twilio.request_validator import RequestValidator

from clock import monotonic, wall_now
from rehearsal.simulator.faults import FaultDice
from rehearsal.simulator.keys import SimulatedKeys

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# A refusal that repeats is an answer; an absent server is not.
_REFUSALS_UNTIL_GIVEN_UP = 3
_PASSING = frozenset({408, 409, 425, 429})

JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Call:
    """One call to make. `sign` gives the headers at the wall time of an attempt: freshness is a matter of transport."""

    url: str
    body: str
    event_id: str
    sign: Callable[[datetime], Mapping[str, str]]


class Courier:
    """Delivers webhooks; counts what it did."""

    def __init__(self, *, api_url: str, public_url: str, dice: FaultDice, give_up_seconds: float) -> None:
        self._api, self._public = api_url.rstrip("/"), public_url.rstrip("/")
        self._dice = dice
        self._give_up_seconds = give_up_seconds
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=3.0)
        self.http = httpx.AsyncClient(timeout=10.0, limits=limits)
        self.acknowledged = 0
        self.attempts = 0
        self.given_up: list[Call] = []
        self.last_error = ""

    def reach(self, url: str) -> str:
        """The address to connect to for a public one: they differ where the API is known by another name outside."""
        return self._api + url[len(self._public) :] if url.startswith(self._public) else url

    async def deliver(self, webhook: Call) -> bool:
        """True once a 2xx came; False when given up, and then it is kept for `redeliver`."""
        done = await self._until_acknowledged(webhook)
        if not done:
            self.given_up.append(webhook)
        elif self._dice.duplicate():
            await self._until_acknowledged(webhook)
        return done

    async def redeliver(self) -> int:
        """Try again what was given up; how many were acknowledged now."""
        again, self.given_up = self.given_up, []
        return sum([await self.deliver(webhook) for webhook in again])

    async def _until_acknowledged(self, webhook: Call) -> bool:
        started, pause, refusals = monotonic(), _FIRST_PAUSE_SECONDS, 0
        while True:
            self.attempts += 1
            try:
                headers = dict(webhook.sign(wall_now()))
                response = await self.http.post(self.reach(webhook.url), content=webhook.body.encode(), headers=headers)
            except httpx.HTTPError as error:
                self.last_error = f"{webhook.event_id}: {type(error).__name__}"
            else:
                if response.is_success:
                    self.acknowledged += 1
                    return True
                self.last_error = f"{webhook.event_id}: HTTP {response.status_code} {response.text[:300]}"
                if 400 <= response.status_code < 500 and response.status_code not in _PASSING:
                    refusals += 1
            if refusals >= _REFUSALS_UNTIL_GIVEN_UP or monotonic() - started + pause > self._give_up_seconds:
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.aclose()


def sendgrid_webhook(url: str, events: list[dict[str, Any]], keys: SimulatedKeys, event_id: str) -> Call:
    """An event batch; like the real one its body ends with CR LF, which is signed too."""
    body = json.dumps(events, ensure_ascii=False, separators=(",", ":")) + "\r\n"

    def sign(at: datetime) -> Mapping[str, str]:
        stamp = str(int(at.timestamp()))
        return JSON_TYPE | {
            "X-Twilio-Email-Event-Webhook-Signature": keys.sign_events(stamp, body),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        }

    return Call(url, body, event_id, sign)


def twilio_webhook(url: str, form: dict[str, str], keys: SimulatedKeys, event_id: str) -> Call:
    """A status callback or an inbound message, signed over the public URL and the form."""
    signature = str(RequestValidator(keys.twilio_auth_token).compute_signature(url, form))
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
    return Call(url, urlencode(form), event_id, lambda at: headers)


def standard_webhook(url: str, secret: str, kind: str, at: datetime, data: dict[str, Any], event_id: str) -> Call:
    """A Standard Webhooks event: of the plain carrier, or of a payment gateway."""
    body = json.dumps({"type": kind, "timestamp": at.astimezone(UTC).isoformat(), "data": data}, ensure_ascii=False)

    def sign(now: datetime) -> Mapping[str, str]:
        return JSON_TYPE | {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(event_id, now, body),
        }

    return Call(url, body, event_id, sign)


def stripe_webhook(url: str, secret: str, kind: str, at: datetime, thing: dict[str, Any], event_id: str) -> Call:
    """A Stripe event around `thing`."""
    about = {
        "id": event_id,
        "object": "event",
        "api_version": "2025-09-30.clover",
        "created": int(at.timestamp()),
        "livemode": False,
    }
    body = json.dumps(about | {"type": kind, "data": {"object": thing}}, ensure_ascii=False)

    def sign(now: datetime) -> Mapping[str, str]:
        header = stripe.WebhookSignature.generate_signature_header(body, secret, int(now.timestamp()))
        return JSON_TYPE | {"Stripe-Signature": str(header)}

    return Call(url, body, event_id, sign)
