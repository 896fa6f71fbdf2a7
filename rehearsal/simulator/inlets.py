"""Where messages come in: SendGrid's mail/send, Twilio's Messages.json, and the plain carrier, in their wire formats.

These three are the hot path, so they read the body by hand and build no models.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from messages.sms import segments
from rehearsal.simulator.characters import Message
from rehearsal.simulator.people import stable_id
from rehearsal.simulator.world import World, links_in

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_CARRIER_CHANNELS = ("whatsapp", "voice", "letter")

Take = Callable[[Request, World], Awaitable[Response]]


def inlets() -> list[Route]:
    """The routes on which providers take messages."""
    return [
        Route("/v3/mail/send", _guarded("email", _take_mail), methods=["POST"]),
        Route("/2010-04-01/Accounts/{sid}/Messages.json", _guarded("sms", _take_sms), methods=["POST"]),
        *(Route(f"/{channel}/messages", _guarded(channel, _take_plain), methods=["POST"]) for channel in _CARRIER_CHANNELS),
    ]


def _guarded(channel: str, take: Take) -> Callable[[Request], Awaitable[Response]]:
    """The inlet behind its faults. Only what was surely not taken may be refused; a cut connection may follow either way."""

    async def endpoint(request: Request) -> Response:
        world: World = request.app.state.world
        faults, verdict = world.dice.faults, world.dice.on_message(channel)
        if faults.delay_ms:
            await asyncio.sleep(faults.delay_ms / 1000)
        if verdict == "busy":
            world.refused["busy"] += 1
            return _refuse(channel, 429, "too many requests", {"Retry-After": str(faults.retry_after_seconds)})
        if verdict == "error":
            world.refused["error"] += 1
            return _refuse(channel, 500, "internal error", {})
        if verdict == "drop_before":
            await request.body()
            return await _cut(request)
        response = await take(request, world)
        return await _cut(request) if verdict == "drop_after" else response

    return endpoint


async def _cut(request: Request) -> Response:
    """End the connection without a word. The transport is put into the scope by the server's protocol (see __main__.py)."""
    request.scope["simulator.transport"].abort()
    await asyncio.sleep(0)  # so that the server sees the connection gone and writes nothing
    return Response()


def _refuse(channel: str, status: int, why: str, headers: dict[str, str]) -> Response:
    if channel == "email":
        return JSONResponse({"errors": [{"message": why, "field": None, "help": None}]}, status, headers)
    if channel == "sms":
        code = 20429 if status == 429 else 20500
        return _twilio_error(status, code, why, headers)
    return JSONResponse({"code": "busy" if status == 429 else "error"}, status, headers)


async def _take_mail(request: Request, world: World) -> Response:
    if not request.headers.get("authorization", "").startswith("Bearer "):
        return _refuse("email", 401, "The provided authorization grant is invalid, expired, or revoked", {})
    mail: dict[str, Any] = json.loads(await request.body())
    person = mail["personalizations"][0]
    to = str(person["to"][0]["email"])
    if not _EMAIL.fullmatch(to):
        world.refused["invalid_address"] += 1
        error = {
            "message": "Does not contain a valid address.",
            "field": "personalizations.0.to.0.email",
            "help": "http://simulator",
        }
        return JSONResponse({"errors": [error]}, 400)
    try:
        files = _files(mail.get("attachments") or [], "filename")
    except ValueError:
        error = {
            "message": "The attachment content must be base64 encoded.",
            "field": "attachments.0.content",
            "help": "http://simulator",
        }
        return JSONResponse({"errors": [error]}, 400)
    contact_id = str((person.get("custom_args") or mail.get("custom_args") or {}).get("contact_id", ""))
    contents = {part["type"]: str(part["value"]) for part in mail["content"]}
    text = contents.get("text/plain", "")
    stop_link = str((mail.get("headers") or {}).get("List-Unsubscribe", "")).strip("<>")
    ref = stable_id("", world.config.seed, contact_id, len(world.sent))[1:23]
    links = links_in(text, contents.get("text/html", ""))
    message = Message("email", to, text, links, stop_link, contact_id, world.now())
    world.receive(message, str(mail.get("subject", "")), ref, "", files)
    return Response(status_code=202, headers={"X-Message-Id": ref})


def _files(attached: list[dict[str, Any]], name: str) -> tuple[str, ...]:
    """The names of attachments that can be read; ValueError when one cannot."""
    for file in attached:
        if not base64.b64decode(str(file["content"]), validate=True):
            raise ValueError("an attachment is empty")
    return tuple(str(file[name]) for file in attached)


async def _take_sms(request: Request, world: World) -> Response:
    keys = world.keys
    expected = base64.b64encode(f"{keys.twilio_account_sid}:{keys.twilio_auth_token}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {expected}":
        return _twilio_error(401, 20003, "Authenticate", {})
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    to, text, callback = form.get("To", ""), form.get("Body", ""), form.get("StatusCallback", "")
    if not _PHONE.fullmatch(to):
        world.refused["invalid_address"] += 1
        return _twilio_error(400, 21211, "The 'To' number is not a valid phone number.", {})
    if ("sms", to) in world.blocked:
        world.refused["opted_out"] += 1
        return _twilio_error(400, 21610, "Attempt to send to unsubscribed recipient", {})
    contact_id = urlsplit(callback).path.rstrip("/").rsplit("/", 1)[-1]
    sid = "SM" + stable_id("", world.config.seed, contact_id, len(world.sent))[1:].ljust(32, "0")
    now = world.now()
    world.receive(Message("sms", to, text, links_in(text), "", contact_id, now), "", sid, callback)
    return JSONResponse(
        {
            "sid": sid, "account_sid": keys.twilio_account_sid, "api_version": "2010-04-01", "to": to, "from": form.get("From"),
            "body": text, "status": "queued", "direction": "outbound-api", "num_segments": str(segments(text)), "num_media": "0",
            "date_created": format_datetime(now), "date_updated": format_datetime(now), "date_sent": None, "price": None,
            "price_unit": "USD", "error_code": None, "error_message": None, "messaging_service_sid": None,
            "uri": f"/2010-04-01/Accounts/{keys.twilio_account_sid}/Messages/{sid}.json", "subresource_uris": {},
        },
        201,
    )  # fmt: skip


def _twilio_error(status: int, code: int, message: str, headers: dict[str, str]) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse({"code": code, "message": message, "more_info": more, "status": status}, status, headers)


async def _take_plain(request: Request, world: World) -> Response:
    """One contact id is one message: sent again under the same key, it is answered again and not taken again."""
    channel = request.url.path.strip("/").split("/", 1)[0]
    said: dict[str, Any] = json.loads(await request.body())
    to, text, contact_id = str(said.get("to", "")), str(said.get("text", "")), str(said.get("contact_id", ""))
    if not contact_id or not to:
        return JSONResponse({"code": "refused", "message": "contact_id and to are needed"}, 422)
    ref = stable_id(channel, world.config.seed, request.headers.get("idempotency-key", contact_id))
    if world.counts[contact_id] and any(world.sent[place].ref == ref for place in world.places[contact_id]):
        return JSONResponse({"id": ref}, 202)
    if channel != "letter" and not _PHONE.fullmatch(to):
        world.refused["invalid_address"] += 1
        return JSONResponse({"code": "invalid_address"}, 422)
    message = Message(channel, to, text, links_in(text, str(said.get("html", ""))), "", contact_id, world.now())
    try:
        files = _files(said.get("attachments") or [], "name")
    except ValueError:
        return JSONResponse({"code": "refused", "message": "an attachment cannot be read"}, 422)
    world.receive(message, str(said.get("subject", "")), ref, "", files)
    return JSONResponse({"id": ref}, 202)
