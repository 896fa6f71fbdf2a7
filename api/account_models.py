"""An account as it is shown: its structure, its habits and its people by role, without personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class WayOut(BaseModel):
    """One address; the value itself stays sealed. A telephone without `verified_at` gets nothing but the question whose it is."""

    address_id: UUID
    channel: str
    consent: str
    verified_at: datetime | None
    last_heard_at: datetime | None
    retired_at: datetime | None
    retired_why: str | None


class PersonOut(BaseModel):
    """A person or a desk of the account."""

    person_id: UUID
    role: str
    language: str
    ways: list[WayOut]


class AccountOut(BaseModel):
    """What is known of an account. References are the ledger's own: opaque where they would be personal."""

    id: UUID
    ref: str
    kind: str
    country: str
    region: str
    zone: str
    language: str
    register_: str = Field(alias="register")
    payer: str | None = Field(description="the account that pays: its people are written to, and its limits count")
    bill_to: str | None
    parent: str | None
    pays_for: list[str] = Field(description="the accounts that this one pays for")
    branches: list[str] = Field(description="the accounts that name this one as their parent")
    minor: bool
    related: str | None
    short_name: str
    habits: dict[str, Any] = Field(description="as it was told, or accepted from what was proposed")
    proposed_habits: dict[str, Any] | None = Field(description="what its last payments show; accept it with PATCH `habits`")
    people: list[PersonOut]
