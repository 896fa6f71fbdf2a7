"""The cast: creditors and debtors that the tests know by name. Ana owes, Brill is owed; numbers and addresses are invented."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from ledger.acceptance import accept
from ledger.creditors import SCOPES, NewKey, add_creditor, create_api_key
from ledger.sealing import Sealer
from policies.intake_model import InvoiceIn
from policies.manual import Manual, load_manual, resolve

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""A Monday, ten in the morning in Bogotá."""
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()

ANA_NAME, ANA_EMAIL, ANA_PHONE = "Ana Restrepo Gil", "ana.restrepo@correo.example.com", "+573001234567"
LUIS_NAME, LUIS_EMAIL = "Luis Cárdenas Mejía", "luis.cardenas@andina.example.com"
PERSONAL = (ANA_NAME, ANA_EMAIL, ANA_PHONE, LUIS_NAME, LUIS_EMAIL, "Restrepo", "Cárdenas")
"""What must never be found in an event, a step, a log or Temporal."""


MANUAL_BRILL = """\
name: brill
version: 1
send_at: "09:00"
limits:
  windows:
    mon: ["09:00-19:00"]
    tue: ["09:00-19:00"]
    wed: ["09:00-19:00"]
    thu: ["09:00-19:00"]
    fri: ["09:00-19:00"]
  holidays: true
  contacts:
    - {max: 1, days: 1}
    - {max: 3, days: 7}
ladder:
  - {rung: S1, day: D-3, channels: [email, sms], template: pre_due}
  - {rung: S2, day: D+3, channels: [email, sms], template: first_reminder}
  - {rung: S3, day: D+10, channels: [email], template: last_days, firm: true}
promise: {days_max: 10, count_max: 2, grace_days: 1, remind_day_before: true}
pauses: {already_paid_wd: 3, dispute_days_max: 30, pause_days_max: 30}
"""


@dataclass(frozen=True)
class Creditor:
    """A creditor of the cast, with a key that may do everything."""

    id: UUID
    slug: str
    key: NewKey


def sealer() -> Sealer:
    """The sealer of the tests' master key."""
    return Sealer(MASTER_KEY)


def manual_brill() -> Manual:
    """A short ladder: a courtesy before the day, two reminders after it, and a decision."""
    return load_manual(MANUAL_BRILL, "brill.yaml")


def creditor_brill(
    worker: Engine, *, slug: str = "brill", country: str = "CO", now: datetime = NOW,
    start: Literal["watch", "approve", "auto"] = "auto",
    **manual: Any,
) -> Creditor:  # fmt: skip
    """Brill Servicios of Bogotá: subscriptions for homes and small firms. `manual` patches its manual."""
    zone = {"CO": "America/Bogota", "MX": "America/Mexico_City", "ES": "Europe/Madrid"}[country]
    chosen = resolve(manual_brill(), manual).manual if manual else manual_brill()
    with Session(worker) as session, session.begin():
        creditor_id = add_creditor(session, slug, f"{slug.title()} Servicios SAS", country, zone, "es", chosen, now, start=start)
        key = create_api_key(session, creditor_id, "tests", SCOPES, now)
    return Creditor(creditor_id, slug, key)


def debtor_ana(**change: Any) -> dict[str, Any]:
    """Ana in Bogotá, a consumer with an e-mail address and a mobile telephone, as an account is posted."""
    channels = [
        {"channel": "email", "address": ANA_EMAIL, "consent": "given", "verified": True},
        {"channel": "sms", "address": ANA_PHONE, "consent": "given", "verified": True},
    ]
    account: dict[str, Any] = {
        "ref": "C-1001", "kind": "consumer", "country": "CO", "region": "CO-DC", "language": "es", "register": "usted",
        "contacts": [{"role": "holder", "name": ANA_NAME, "salutation": "Hola, Ana:", "channels": channels}],
    }  # fmt: skip
    return account | change


def debtor_luis(**change: Any) -> dict[str, Any]:
    """Luis, payables of a small firm in Mexico City, by e-mail only."""
    channels = [{"channel": "email", "address": LUIS_EMAIL, "consent": "given"}]
    contact = {"role": "payables", "name": LUIS_NAME, "channels": channels}
    account: dict[str, Any] = {
        "ref": "B-2001", "kind": "business", "country": "MX", "region": "CMX", "language": "es", "contacts": [contact],
    }  # fmt: skip
    return account | change


def invoice_body(number: str = "F-1001", **change: Any) -> dict[str, Any]:
    """Ana's invoice of 250,000.00 COP, due in two weeks, as JSON is posted."""
    body: dict[str, Any] = {
        "number": number, "currency": "COP", "issued_on": "2026-03-01", "due_on": "2026-03-16", "amount_minor": 25_000_000,
        "account": debtor_ana(),
    }  # fmt: skip
    return body | change


def accepted_invoice(worker: Engine, creditor: Creditor, number: str = "F-1001", *, now: datetime = NOW, **change: Any) -> UUID:
    """An invoice of the creditor, accepted and committed; returns its id."""
    body = InvoiceIn.model_validate(invoice_body(number, **change))
    with Session(worker) as session, session.begin():
        accepted = accept(session, creditor.id, body, now=now, sealer=sealer())
    assert accepted.id is not None and accepted.verdict == "new"
    return accepted.id


def account_of(worker: Engine, invoice_id: UUID) -> UUID:
    """The account behind an invoice."""
    with Session(worker) as session:
        found: UUID = session.execute(text("select account_id from invoice where id = :id"), {"id": invoice_id}).scalar_one()
    return found


def day(text_of_day: str) -> date:
    """`2026-03-16` as a date."""
    return date.fromisoformat(text_of_day)
