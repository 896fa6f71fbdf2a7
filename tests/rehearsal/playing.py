"""A simulator with a house that listens to it and senders that write to it, for tests of the outside world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx

from channels import ChannelsConfig, Sender, build_senders
from channels.signatures import verify_standard
from clock import wall_now
from policies.terms import Channel
from rehearsal.simulator.world import WorldConfig
from tests.channels.outside import Arrived, Listener, Simulator, simulator, to_ana

SECRET = "whsec_" + "c2VjcmV0" * 4
START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ADDRESSES = {"email": "ana@cliente.example", "sms": "+573001112233", "whatsapp": "+573001112233", "voice": "+573001112233"}


@dataclass
class Played:
    """A simulator, the house that listens to it, and senders that write to it."""

    outside: Simulator
    house: Listener
    senders: dict[Channel, Sender]
    http: httpx.Client
    sent: int = field(default=0)

    def debtor(self, character: str, *, due_on: str = "2026-02-20", gateway: str = "standard", **traits: int | str) -> None:
        """Register Ana with one invoice of 90,000.00 COP."""
        hook = {"url": f"{self.house.url}/webhooks/payments/token", "secret": SECRET, "gateway": gateway}
        invoice = {"number": "F-100", "amount_minor": 9_000_000, "currency": "COP", "due_on": due_on, "payment_webhook": hook}
        given = {
            "ref": "ana", "character": character, "seed": 5, "zone": "America/Bogota", "addresses": ADDRESSES, "traits": traits,
            "invoices": [invoice],
        }  # fmt: skip
        self.post("/sim/debtors", given)

    def remind(self, channel: Channel = Channel.EMAIL, text: str | None = None) -> str:
        """Send a reminder of F-100; its contact id."""
        self.sent += 1
        contact_id = f"c-{self.sent}"
        out = to_ana(contact_id, to=ADDRESSES[channel], status_url=f"{self.house.url}/webhooks/twilio/status/{contact_id}")
        body = text or f"La factura F-100 está vencida. {self.house.url}/p/abc."
        changed = {"text": body, "html": "", "stop_url": f"{self.house.url}/p/abc/stop"}
        self.senders[channel].send(type(out)(**{**{name: getattr(out, name) for name in out.__slots__}, **changed}))
        return contact_id

    def advance(self, to: datetime) -> dict[str, Any]:
        moved: dict[str, Any] = self.post("/sim/advance", {"now": to.isoformat()})
        return moved

    def play(self, days: int) -> list[tuple[datetime, Arrived]]:
        """Go from event to event for so many days; what the house heard, with the outside's time."""
        end, heard = datetime.fromisoformat(self.get("/sim/next")["now"]) + timedelta(days=days), []
        while True:
            next_at = self.get("/sim/next")["next_at"]
            at = min(datetime.fromisoformat(next_at), end) if next_at else end
            before = len(self.house.got)
            self.advance(at)
            heard += [(at, one) for one in self.house.got[before:]]
            if at >= end:
                return heard

    def payments(self) -> list[dict[str, Any]]:
        """The data of each verified payment event the house heard."""
        events = []
        for one in self.house.got:
            if one.path == "/webhooks/payments/token":
                verify_standard(one.body, one.headers, secret=SECRET, now=wall_now())
                event = json.loads(one.body)
                events.append({"type": event["type"], **event["data"]})
        return events

    def post(self, path: str, body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def playing(house: Listener) -> Iterator[Played]:
    """A simulator at START whose house is `house`, which forgets what it heard before."""
    house.forget()
    with ExitStack() as open_things:
        outside = open_things.enter_context(simulator(WorldConfig(api_url=house.url, seed=3, give_up_seconds=5)))
        http = open_things.enter_context(httpx.Client(base_url=outside.url, timeout=30))
        config = ChannelsConfig(
            sendgrid_api_key="SG.simulated", sendgrid_base_url=outside.url, sender_email="cobros@puntual.example",
            twilio_account_sid=outside.keys.twilio_account_sid, twilio_auth_token=outside.keys.twilio_auth_token,
            twilio_base_url=outside.url, twilio_from="+15005550006", carrier_url=outside.url,
        )  # fmt: skip
        running = Played(outside, house, build_senders(config), http)
        running.advance(START)
        yield running


def filled(played: Played, path: str) -> dict[str, str]:
    """The fields of the one form that was sent to `path`."""
    [got] = [one for one in played.house.got if one.path == path]
    return {name: values[0] for name, values in parse_qs(got.body.decode()).items()}
