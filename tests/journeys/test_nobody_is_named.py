"""Nobody's name, number or address leaves what is sealed: not for Temporal, its file or any log, whatever happens on the way.

Two customers live through all that carries personal data past us: five channels, a bounce and a reply in their own words, a
payer's name beside money, refused requests, a statement that fails under a message, the customer's page, the agency's file.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
import pytest_asyncio
from httpx import Response
from sqlalchemy import text
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHistory

from clock import wall_now
from rehearsal.simulator.courier import Call, sendgrid_webhook, twilio_webhook
from rehearsal.simulator.keys import simulated_keys
from rehearsal.simulator.portal import read_forms
from tests import cast
from tests.conftest import Database
from tests.journeys.own_temporal import OwnTemporal
from tests.journeys.stage import PUBLIC, SEED, Stage, set_stage

IDENTITY, STREET = "52987654", "Carrera 11 # 93-45"
WORDS = (*cast.PERSONAL, cast.ANA_PHONE.removeprefix("+57"), IDENTITY, STREET, "Zipaquirá")
"""Zipaquirá is where Ana says that she lives now."""
CHANNELS = ("email", "sms", "whatsapp", "voice", "letter")
LADDER: dict[str, Any] = {
    "ladder": [
        {"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due"},
        {"rung": "S2", "day": "D+2", "channels": ["sms", "email"], "template": "first_reminder"},
        {"rung": "S3", "day": "D+10", "channels": ["whatsapp", "email"], "template": "first_reminder"},
        {"rung": "S4", "day": "D+28", "channels": ["voice", "email"], "template": "direct_talk"},
        {"rung": "S5", "day": "D+38", "channels": ["letter", "email"], "template": "last_days", "firm": True},
        {"rung": "S6", "day": "D+50", "action": "decision"},
    ],
    "agency": {
        "commission_pct": 20, "recover_agency_pct": 40, "recover_house_pct": 10, "minimum": {"COP": 1_000_000},
        "approve_within_days": 20, "return_after_days": 30,
    },
}  # fmt: skip
ONCE = "the disk was full for a moment"
_FAILS_ONCE = f"""
create sequence first_time;
create function fails_once() returns trigger security definer language plpgsql as $$ begin
    if nextval('public.first_time') = 1 then raise exception '{ONCE}'; end if; return new; end $$;
create trigger fails_once before insert on message_body for each row execute function fails_once();
"""


@pytest_asyncio.fixture
async def stage(database: Database, own_temporal: OwnTemporal) -> AsyncIterator[Stage]:
    async with set_stage(database, own_temporal.as_server) as ready:
        yield ready


def ana() -> dict[str, Any]:
    """Ana with every channel, under the number of her identity card."""
    address = {"email": cast.ANA_EMAIL, "letter": f"{cast.ANA_NAME}\n{STREET}\nBogotá"}
    channels = [
        {"channel": channel, "address": address.get(channel, cast.ANA_PHONE), "consent": "given", "verified": True}
        for channel in CHANNELS
    ]
    holder = {"role": "holder", "name": cast.ANA_NAME, "salutation": "Hola, Ana:", "channels": channels}
    return cast.debtor_ana(ref=IDENTITY, contacts=[holder])


def luis() -> dict[str, Any]:
    return cast.debtor_luis(country="CO", region="CO-DC")


async def deliver(stage: Stage, call: Call) -> Response:
    """What a provider tells us, signed as it signs."""
    headers = dict(call.sign(wall_now()))
    answer = await stage.api.post(call.url.removeprefix(PUBLIC), content=call.body.encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def bounces(stage: Stage, invoice: UUID) -> None:
    """The mail server of Luis names him in its refusal."""
    [contact] = stage.rows("select id from contact where invoice_id = :i and state = 'delivered'", i=invoice)
    event = {
        "event": "bounce", "sg_event_id": "ev-luis", "contact_id": str(contact.id), "timestamp": int(stage.now.timestamp()),
        "email": cast.LUIS_EMAIL, "reason": f"550 5.1.1 <{cast.LUIS_EMAIL}>: {cast.LUIS_NAME} left", "status": "5.1.1",
        "type": "bounce",
    }  # fmt: skip
    await deliver(stage, sendgrid_webhook(f"{PUBLIC}/webhooks/sendgrid", [event], simulated_keys(SEED), "ev-luis"))


async def replies(stage: Stage) -> None:
    """Ana writes in her own words, with names and a number."""
    form = {
        "MessageSid": "SM77", "From": cast.ANA_PHONE, "To": "+15005550006",
        "Body": f"Soy {cast.ANA_NAME}, ahora vivo en Zipaquirá. Hablen con {cast.LUIS_NAME}, {cast.LUIS_EMAIL}",
    }  # fmt: skip
    await deliver(stage, twilio_webhook(f"{PUBLIC}/webhooks/twilio/inbound", form, simulated_keys(SEED), "SM77"))


async def pays(stage: Stage) -> None:
    """Money that names who paid: one matched, one not."""
    payer = {"payer": cast.ANA_NAME, "hint": f"{cast.ANA_NAME} CC {IDENTITY}", "reference": cast.ANA_PHONE}
    assert (await stage.pays("p-1", 2_000_000, number="F-ana", **payer)).status_code == 200
    stray = {"id": "p-2", "amount_minor": 777, "currency": "COP", "paid_on": "2026-03-20", **payer}
    assert (await stage.told({"type": "payment.succeeded", "data": stray}, "evt-p-2")).status_code == 200


async def is_refused(stage: Stage) -> None:
    """Requests that make no sense, with names in the wrong places, are answered without them."""
    spoilt = cast.invoice_body(f"F {cast.ANA_NAME}", account=ana() | {"country": cast.ANA_EMAIL}, due_on=cast.ANA_PHONE)
    answer = await stage.api.post("/v1/invoices", json=spoilt, headers=stage.as_creditor())
    assert answer.status_code == 422 and found(answer.content) == []
    headers = stage.as_creditor() | {"Content-Type": "application/json"}
    answer = await stage.api.post("/v1/invoices", content=f'{{"number": {cast.ANA_NAME}'.encode(), headers=headers)
    assert answer.status_code == 400 and found(answer.content) == []


def found(content: bytes) -> list[str]:
    """The personal words in it: as they are, in upper or lower case, escaped for JSON or an address, in hexadecimal or base64."""
    plain = content.lower()
    hits = []
    for word in WORDS:
        spellings = (word, word.upper(), json.dumps(word)[1:-1], quote(word), word.encode().hex())
        spelt = any(spelling.encode().lower() in plain for spelling in spellings)
        if spelt or any(_base64(word, shift) in content for shift in range(3)):
            hits.append(word)
    return hits


def _base64(word: str, shift: int) -> bytes:
    """What of a word surely stands in a base64 text in which it begins at that place of a group of three."""
    encoded = b64encode(b"\0" * shift + word.encode())
    return encoded[0 if shift == 0 else 4 : len(encoded) - 4]


async def writes_on_the_page(stage: Stage) -> None:
    """Through the link of her latest mail Ana says why, and when she pays."""
    mail = [sent for sent in stage.simulator.world.sent if sent.to == cast.ANA_EMAIL][-1]
    link = mail.text.split(f"{PUBLIC}/p/", 1)[1].split()[0]
    forms = {form.action.rsplit("/", 1)[-1]: form for form in read_forms((await stage.api.get(f"/p/{link}")).text)}
    promise = forms["promise"]
    day = {"on": (stage.now + timedelta(days=4)).date().isoformat()}
    assert (await stage.api.post(promise.action, data=promise.fields | day)).status_code == 303
    unread = await stage.api.post(promise.action, data=promise.fields | {"on": cast.ANA_NAME, "amount": cast.ANA_PHONE})
    assert unread.status_code >= 400 and found(unread.content) == []


async def lives(stage: Stage) -> None:
    """Both customers, from acceptance to the agency and back."""
    with stage.database.owner.begin() as connection:
        connection.execute(text(_FAILS_ONCE))
    stage.creditor(**LADDER)
    mine, his = await stage.post("F-ana", account=ana()), await stage.post("F-luis", account=luis())
    await is_refused(stage)
    await stage.play(days=12)
    await bounces(stage, his)
    await writes_on_the_page(stage)
    await stage.play(days=5)
    await pays(stage)
    await stage.play(days=14)
    await replies(stage)
    await stage.play(days=40)
    approved = await stage.api.post(f"/v1/invoices/{mine}/placement/approve", headers=stage.as_creditor())
    assert approved.status_code == 200, approved.text
    await stage.play(days=1)
    file = await stage.api.get(f"/v1/invoices/{mine}/placement/file.json", headers=stage.as_creditor())
    assert {cast.ANA_NAME, cast.ANA_PHONE, STREET} <= set(found(file.content)), "what is looked for can be found"
    await stage.play(days=40)
    went = {row.channel for row in stage.rows("select channel from contact where state = 'delivered'")}
    assert went == set(CHANNELS)


async def told_to_temporal(stage: Stage) -> dict[str, bytes]:
    """All that Temporal answers about the workflows: histories, descriptions with memo and attributes, pages."""
    told: dict[str, bytes] = {}
    async for run in stage.client.list_workflows():
        handle = stage.client.get_workflow_handle(run.id, run_id=run.run_id)
        history: WorkflowHistory = await handle.fetch_history()
        page = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        described = (await handle.describe()).raw_description
        told[f"history of {run.id}"] = b"\n".join(event.SerializeToString() for event in history.events)
        told[f"description of {run.id}"] = described.SerializeToString() + run.raw_info.SerializeToString()
        told[f"page of {run.id}"] = page.SerializeToString()
    return told


def written_down(stage: Stage) -> bytes:
    """Every row of the ledger, sealed columns in hexadecimal."""
    tables = [row.tablename for row in stage.rows("select tablename from pg_tables where schemaname = 'public'")]
    return "\n".join(row.whole for table in tables for row in stage.rows(f"select t::text as whole from {table} t")).encode()


async def test_neither_temporal_nor_a_log_nor_an_open_column_names_anybody(
    stage: Stage, home: Path, short_folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    postgres_log = short_folder / "pg" / "log" / "postgres.log"
    before = postgres_log.stat().st_size
    await lives(stage)
    told = await told_to_temporal(stage)
    assert len(told) == 6 and any(ONCE.encode() in one for one in told.values()), "the failure that was told is among it"
    told["what Temporal keeps on disk"] = b"".join(path.read_bytes() for path in home.glob("temporal.db*"))
    told["Temporal's log"] = (home / "log" / "temporal.log").read_bytes()
    told["PostgreSQL's log"] = postgres_log.read_bytes()[before:]
    told["the ledger"] = written_down(stage)
    told["our log"] = caplog.text.encode()
    assert "Twilio API Request" not in caplog.text, "the SDK writes what it sends, if it may"
    told["standard output"] = "".join(capfd.readouterr()).encode()
    controls = {"what Temporal keeps on disk": "F-ana", "the ledger": "F-ana", "PostgreSQL's log": ONCE, "our log": ONCE}
    assert [part for part, control in controls.items() if control.encode() not in told[part]] == [], "each can be read"
    assert {part: named for part, content in told.items() if (named := found(content))} == {}
