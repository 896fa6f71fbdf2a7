"""The simulated outside against the real API: each side is true to the other's formats, pages and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.app import create_app
from channels import ChannelsConfig, Outgoing, Sender, build_senders
from ledger.creditors import create_webhook_endpoint
from ledger.links import portal_url
from policies.terms import Channel
from rehearsal.simulator.keys import simulated_keys
from rehearsal.simulator.world import WorldConfig
from settings import Settings
from tests import cast
from tests.channels.outside import Simulator, serving, simulator
from tests.conftest import Database
from tests.ledger.people import write_to

PUBLIC = "https://cobros.brill.example"
START = datetime(2026, 3, 20, 14, 0, tzinfo=UTC)
SECRETS = {"standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "stripe": "whsec_test_secret"}
KEYS = simulated_keys(3)
OFFERS: dict[str, Any] = {
    "ladder": [{"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due", "offer": {
        "extension_days_max": 15, "instalments_max": 4, "first_share_min_pct": 40, "discount_max_pct": 10, "discount_days": 5,
    }}],
}  # fmt: skip


class OutsidesClock:
    """The house reads the day from the outside's time, as both do when time is played."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        return at


@dataclass
class Both:
    """The real API and the simulator, each at the other's address, with Ana's overdue invoice."""

    database: Database
    creditor: cast.Creditor
    invoice: UUID
    outside: Simulator
    senders: dict[Channel, Sender]
    clock: OutsidesClock
    http: httpx.Client
    app: FastAPI

    def ana(self, character: str, *, gateway: str = "standard", **traits: int | str) -> None:
        """Ana, outside, with her invoice and the way her payments are told."""
        with Session(self.database.worker) as session, session.begin():
            token = create_webhook_endpoint(session, cast.sealer(), self.creditor.id, gateway, SECRETS[gateway], START)
        path = "payments" if gateway == "standard" else "stripe"
        hook = {"url": f"{PUBLIC}/webhooks/{path}/{token}", "secret": SECRETS[gateway], "gateway": gateway}
        bill = {
            "number": "F-1001",
            "amount_minor": 25_000_000,
            "currency": "COP",
            "due_on": "2026-03-16",
            "payment_webhook": hook,
        }
        given = {
            "ref": "ana", "character": character, "seed": 5, "zone": "America/Bogota", "traits": traits, "invoices": [bill],
            "addresses": {"email": cast.ANA_EMAIL, "sms": cast.ANA_PHONE},
        }  # fmt: skip
        assert self.http.post("/sim/debtors", json=given).status_code == 200

    def remind(self, channel: Channel = Channel.EMAIL) -> UUID:
        """Send Ana a message about F-1001 with her own link, and note the contact as the worker does."""
        with Session(self.database.worker) as session, session.begin():
            contact = write_to(session, self.invoice, rung="S2", channel=channel, at=self.clock.at)
            person = session.execute(text("select person_id from contact where id = :id"), {"id": contact}).scalar_one()
            link = portal_url(session, cast.sealer(), PUBLIC, self.invoice, person)
        to = cast.ANA_EMAIL if channel is Channel.EMAIL else cast.ANA_PHONE
        body = f"Factura F-1001 vencida. {link}"
        status_url = f"{PUBLIC}/webhooks/twilio/status/{contact}"
        outgoing = Outgoing(str(contact), to, "Brill", "Factura F-1001", body, "", "es", status_url, f"{link}/stop")
        self.senders[channel].send(outgoing)
        return contact

    def play(self, days: int) -> None:
        """From one outside event to the next, with the house's clock beside it."""
        end = self.clock.at + timedelta(days=days)
        while self.clock.at < end:
            following = self.http.get("/sim/next").json()["next_at"]
            self.clock.at = min(datetime.fromisoformat(following), end) if following else end
            moved = self.http.post("/sim/advance", json={"now": self.clock.at.isoformat()}).json()
            assert self.app.state.handover.drain()
            assert moved["given_up"] == 0, self.http.get("/sim/state").json()["webhooks"]

    def outcomes(self) -> list[tuple[str, str]]:
        """What came of each visit to the portal."""
        return [(one["purpose"], one["outcome"]) for one in self.http.get("/sim/state").json()["answers"]]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the ledger holds."""
        with Session(self.database.worker) as session:
            return [tuple(row) for row in session.execute(text(sql))]

    @property
    def balance_minor(self) -> int:
        """What is still owed."""
        found: int = self.rows("select balance_minor from invoice")[0][0]
        return found


@pytest.fixture
def both(database: Database) -> Iterator[Both]:
    creditor = cast.creditor_brill(database.worker, **OFFERS)
    invoice = cast.accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session, session.begin():
        write_to(session, invoice, state="delivered")  # the rung that makes the offer
    clock = OutsidesClock()
    settings = Settings(
        api_url=database.api_url, master_key=cast.MASTER_KEY, public_url=PUBLIC, sendgrid_webhook_key=KEYS.sendgrid_webhook_key,
        carrier_secret=KEYS.carrier_secret, twilio_auth_token=KEYS.twilio_auth_token,
    )  # fmt: skip
    app = create_app(settings, clock=clock)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with ExitStack() as held:
        api_url = held.enter_context(serving(server))
        outside = held.enter_context(simulator(WorldConfig(api_url=api_url, public_url=PUBLIC, seed=3, give_up_seconds=3)))
        http = held.enter_context(httpx.Client(base_url=outside.url, timeout=30))
        config = ChannelsConfig(
            sendgrid_api_key="SG.simulated", sendgrid_base_url=outside.url, sender_email="cobros@puntual.example",
            twilio_account_sid=KEYS.twilio_account_sid, twilio_auth_token=KEYS.twilio_auth_token, twilio_base_url=outside.url,
            twilio_from="+15005550006",
        )  # fmt: skip
        http.post("/sim/advance", json={"now": START.isoformat()}).raise_for_status()
        yield Both(database, creditor, invoice, outside, build_senders(config), clock, http, app)


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_a_receipt_settles_the_contact_it_is_about(both: Both, channel: Channel) -> None:
    both.ana("silent")
    contact = both.remind(channel)
    both.play(1)
    assert both.rows(f"select state from contact where id = '{contact}'") == [("delivered",)]


def test_a_bounce_retires_the_address(both: Both) -> None:
    both.ana("bouncer")
    contact = both.remind()
    both.play(1)
    assert both.rows(f"select state from contact where id = '{contact}'") == [("failed",)]
    assert both.rows("select channel from address where retired_at is not null") == [("email",)]


@pytest.mark.parametrize("gateway", ["standard", "stripe"])
def test_a_payment_and_its_reversal_reach_the_ledger(both: Both, gateway: str) -> None:
    both.ana("charges_back", gateway=gateway, days=2, reversal_days=5)
    both.remind()
    both.play(4)
    assert both.balance_minor == 0
    both.play(6)
    assert both.balance_minor == 25_000_000
    assert both.rows("select kind from payment order by kind") == [("payment",), ("reversal",)]


def test_webhooks_that_come_twice_and_shuffled_are_applied_once(both: Both) -> None:
    both.http.post("/sim/faults", json={"duplicate_webhooks_pct": 100, "shuffle_webhooks": True})
    both.ana("partial", share_pct=40, rest="never", days=2)
    both.remind(Channel.SMS)
    both.play(5)
    assert both.balance_minor == 15_000_000
    assert len(both.rows("select 1 from payment")) == 1


def test_a_promise_made_on_the_page_is_in_the_ledger_and_kept(both: Both) -> None:
    both.ana("promiser_keeper", promise_days=4)
    both.remind()
    both.play(1)
    assert both.outcomes() == [("promise", "done")]
    promised = both.rows(
        "select a.kind, m.due_on::text, m.amount_minor from agreement a join milestone m on m.agreement_id = a.id"
    )
    assert promised == [("promise", "2026-03-24", 25_000_000)]
    both.play(5)
    assert both.balance_minor == 0


def test_a_plan_is_agreed_and_each_part_paid_in_full(both: Both) -> None:
    both.ana("negotiator", instalments=3, after_chases=1, keeps="all")
    both.remind()
    both.play(1)
    assert both.outcomes() == [("plan", "done")]
    parts = [amount for (amount,) in both.rows("select amount_minor from milestone order by number")]
    assert len(parts) == 3
    assert sum(parts) == 25_000_000
    both.play(70)
    assert [amount for (amount,) in both.rows("select amount_minor from payment order by recorded_at")] == parts
    assert both.balance_minor == 0


@pytest.mark.parametrize(("character", "hold"), [("disputer", "dispute"), ("claims_paid", "already_paid")])
def test_a_customer_who_disputes_or_has_paid_is_held(both: Both, character: str, hold: str) -> None:
    both.ana(character, days=10_000, has_paid=0)
    both.remind()
    both.play(1)
    assert both.rows("select kind from hold") == [(hold,)]


def test_a_claim_of_payment_by_sms_is_held_too(both: Both) -> None:
    both.ana("claims_paid", has_paid=0)
    both.remind(Channel.SMS)
    both.play(1)
    assert both.rows("select kind from hold") == [("already_paid",)]


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_a_stop_withdraws_the_consent_of_that_address(both: Both, channel: Channel) -> None:
    both.ana("stopper")
    both.remind(channel)
    both.play(1)
    assert (channel.value,) in both.rows("select channel from address where consent = 'withdrawn'")
