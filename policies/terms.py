"""The shared words: money, channels, ids and keys that every room uses.

Money is an integer count of the currency's minor unit (cents for USD, whole pesos for CLP) beside its ISO 4217 code.
Instants are aware datetimes; calendar days are dates in the debtor's zone unless a name says otherwise.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A frozen value that refuses unknown fields, so a misspelt fact is an error and not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("an instant needs its zone: write 2026-12-08T09:00:00-05:00, not 2026-12-08T09:00:00")
    return value


Instant = Annotated[datetime, AfterValidator(_aware)]
MinorUnits = Annotated[int, Field(description="integer count of the currency's minor unit")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]


def days_said(count: int) -> str:
    """`1 day`, `2 days`."""
    return f"{count} {'day' if count == 1 else 'days'}"


class Channel(StrEnum):
    """How a customer can be reached."""

    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    VOICE = "voice"
    LETTER = "letter"


class DebtorKind(StrEnum):
    """Whether the law sees the account as a consumer or as a business."""

    CONSUMER = "consumer"
    BUSINESS = "business"


class AttemptState(StrEnum):
    """The life of one channel attempt; it only moves forward (planned is a reserved slot, not an attempt)."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    CALLING = "calling"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ContactKey(NamedTuple):
    """What may be delivered at most once: one rung of one instalment in one cycle, and which repeat of it.

    `cycle` grows at each reopening or breach, `occurrence` at each repeat. Instalment 0 means the invoice as a whole.
    """

    instalment: int
    cycle: int
    rung: str
    occurrence: int = 0

    def __str__(self) -> str:
        return f"{self.instalment}.{self.cycle}.{self.rung}.{self.occurrence}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.1.S3.0`; raises ValueError with the text when it is not a contact key."""
        parts = text.split(".")
        if len(parts) != 4:
            raise ValueError(f"{text!r} is not a contact key: it needs instalment.cycle.rung.occurrence")
        return cls(int(parts[0]), int(parts[1]), parts[2], int(parts[3]))
