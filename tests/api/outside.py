"""What gateways and providers send in the tests: signed as they sign it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import stripe
from httpx import Response
from sqlalchemy import text
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from clock import wall_now
from ledger.creditors import create_webhook_endpoint
from tests.api.conftest import House
from tests.cast import NOW, sealer
from tests.conftest import Database

STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STRIPE_SECRET = "whsec_test_secret"


def applied(app: Any, database: Database, answer: Response) -> Response:
    """The answer of a webhook with what became of its event in place of `stored`, once that is known."""
    if answer.status_code != 200 or answer.json()["result"] != "stored":
        return answer
    assert app.state.handover.drain()
    with Session(database.worker) as session:
        result = session.execute(text("select result from inbox order by id desc limit 1")).scalar()
    return Response(200, json={"received": True, "result": result})


@dataclass(frozen=True)
class Gateway:
    """One webhook address of the house's creditor, and how to call it."""

    house: House
    kind: str
    path: str

    def send(self, body: dict[str, Any] | str, *, event_id: str = "evt_1", secret: str = "", age_seconds: int = 0) -> Response:
        """Post a signed event; `age_seconds` old, with another secret if one is given."""
        raw = body if isinstance(body, str) else json.dumps(body)
        stamp = int(wall_now().timestamp()) - age_seconds
        if self.kind == "stripe":
            signature = stripe.WebhookSignature.generate_signature_header(raw, secret or STRIPE_SECRET, stamp)
            headers = {"Stripe-Signature": signature}
        else:
            headers = standard_headers(raw, event_id, secret or STANDARD_SECRET, age_seconds)
        answer: Response = self.house.public.post(self.path, content=raw, headers=headers)
        return applied(self.house.public.app, self.house.database, answer)

    def paid(self, ref: str, amount: int, *, invoice: str | None = "F-1001", event_id: str = "", **more: Any) -> Response:
        """payment.succeeded of 2 March."""
        data = {"id": ref, "amount_minor": amount, "currency": "COP", "paid_on": "2026-03-02", "invoice": invoice} | more
        return self.send({"type": "payment.succeeded", "data": data}, event_id=event_id or f"evt_{ref}")

    def event(self, kind: str, thing: dict[str, Any], *, event_id: str) -> Response:
        """An event of Stripe about `thing`."""
        body = {"id": event_id, "object": "event", "type": kind, "created": 1772463600, "data": {"object": thing}}
        return self.send(body)


def standard_headers(raw: str, event_id: str, secret: str, age_seconds: int = 0) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    stamp = wall_now().timestamp() - age_seconds
    at = wall_now().fromtimestamp(int(stamp), tz=wall_now().tzinfo)
    signature = Webhook(secret).sign(event_id, at, raw)
    return {"webhook-id": event_id, "webhook-timestamp": str(int(stamp)), "webhook-signature": signature}


def gateway(house: House, kind: str = "standard") -> Gateway:
    """A new webhook address of the house's creditor."""
    secret = STANDARD_SECRET if kind == "standard" else STRIPE_SECRET
    with Session(house.database.worker) as session, session.begin():
        token = create_webhook_endpoint(session, sealer(), house.creditor.id, kind, secret, NOW)
    return Gateway(house, kind, f"/webhooks/{'payments' if kind == 'standard' else 'stripe'}/{token}")


def one(house: House, sql: str, **values: Any) -> Any:
    """One value out of the ledger, as the worker sees it."""
    with Session(house.database.worker) as session:
        return session.execute(text(sql), values).scalar()


def change(house: House, sql: str, **values: Any) -> None:
    """Change the ledger behind everybody's back."""
    with Session(house.database.worker) as session, session.begin():
        session.execute(text(sql), values)
