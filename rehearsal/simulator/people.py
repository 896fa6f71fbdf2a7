"""Who is out there: debtors, what each believes to owe, and what falls due to happen.

A debtor knows its own invoices and its own payments, as a real payer does, and nothing of our ledger.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

CHARACTERS = (
    "punctual", "forgetful", "partial", "promiser_keeper", "promiser_breaker", "disputer", "claims_paid", "stopper", "bouncer",
    "wrong_number", "negotiator", "silent", "charges_back",
)  # fmt: skip
Character = Literal[
    "punctual", "forgetful", "partial", "promiser_keeper", "promiser_breaker", "disputer", "claims_paid", "stopper", "bouncer",
    "wrong_number", "negotiator", "silent", "charges_back",
]  # fmt: skip
EventKind = Literal["payment", "reversal", "receipt", "reply", "portal"]
# Payments before receipts before replies: at one instant a payment comes first.
PRIORITY: dict[EventKind, int] = {"payment": 0, "reversal": 0, "receipt": 1, "reply": 2, "portal": 2}


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WebhookIn(_Given):
    """Where the creditor's gateway calls, with which secret, in which format."""

    url: str
    secret: str
    gateway: Literal["standard", "stripe"] = "standard"


class InvoiceIn(_Given):
    """One invoice as its payer knows it."""

    number: str
    amount_minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    due_on: date
    creditor: str = ""
    payment_webhook: WebhookIn | None = None


class PaymentIn(_Given):
    """A payment already known, for portfolios that carry their own."""

    number: str
    amount_minor: int = Field(gt=0)
    at: AwareDatetime


class DebtorIn(_Given):
    """One debtor. The same `ref` again adds addresses and invoices to it."""

    ref: str
    character: Character
    seed: int = 0
    language: str = "es"
    zone: str = "UTC"
    addresses: dict[str, str | list[str]] = Field(default_factory=dict)
    """Values by channel: email, sms, whatsapp, voice, letter."""
    traits: dict[str, int | str] = Field(default_factory=dict)
    """Numbers that a character otherwise draws (days, share_pct, ...); see characters.py."""
    invoices: list[InvoiceIn] = Field(default_factory=list)
    payments: list[PaymentIn] = Field(default_factory=list)
    """What it pays and when, whatever its character would do; for a replay."""


@dataclass
class Bill:
    """An invoice in its payer's drawer."""

    number: str
    amount_minor: int
    currency: str
    due_on: date
    creditor: str
    webhook: dict[str, str] | None
    paid: dict[str, int] = field(default_factory=dict)
    """Amounts by payment id; a reversal takes its payment out."""
    chased: int = 0
    """Messages about it that came after its due date."""
    marks: dict[str, str] = field(default_factory=dict)
    """What was already done about it, so that it is done once."""

    @property
    def owed_minor(self) -> int:
        return max(self.amount_minor - sum(self.paid.values()), 0)


@dataclass
class Debtor:
    """A character with addresses and bills."""

    ref: str
    character: str
    seed: int
    language: str
    zone: str
    addresses: dict[str, list[str]]
    traits: dict[str, int | str]
    bills: dict[str, Bill] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def drawn(self, trait: str, bill: Bill, low: int, high: int) -> int:
        """The trait if it was given, else a number between `low` and `high` that the seed and the invoice decide."""
        if trait in self.traits:
            return int(self.traits[trait])
        return random.Random(f"{self.seed}|{self.ref}|{bill.number}|{trait}").randint(low, high)

    def local_date(self, at: datetime) -> date:
        """The day in the debtor's zone."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def on(self, day: date, hour: int) -> datetime:
        """That hour of that day in the debtor's zone, in UTC."""
        return datetime.combine(day, time(hour), ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(order=True)
class Event:
    """Something that will happen outside. The order of events is that of these fields."""

    at: datetime
    priority: int
    tie: str
    """Decides between events of one instant, the same in each run."""
    kind: EventKind = field(compare=False)
    ref: str = field(compare=False)
    """The debtor, or empty for an unknown address."""
    detail: dict[str, Any] = field(compare=False)


def event(at: datetime, kind: EventKind, ref: str, tie: str, /, **detail: Any) -> Event:
    """An event in its place in the order."""
    return Event(at, PRIORITY[kind], f"{ref}|{tie}", kind, ref, detail)


def stable_id(prefix: str, *parts: object) -> str:
    """An id that is the same whenever the same thing happens."""
    return f"{prefix}_{hashlib.sha256('|'.join(map(str, parts)).encode()).hexdigest()[:24]}"
