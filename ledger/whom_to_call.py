"""Who may be called about an invoice: names and numbers, for signed-in staff only; each reading is audited by the door."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.people import person_card
from ledger.sealing import Sealer
from ledger.structure import speaks_for
from policies.holder import SILENT_DAYS

PHONES = ("voice", "sms", "whatsapp")


@dataclass(frozen=True)
class Number:
    """One number of a person; `channels` are those under which it is kept. Never log it."""

    address_id: UUID
    number: str = field(repr=False)
    channels: tuple[str, ...]
    verified: bool
    refused: bool
    """The customer asked for no calls there."""


@dataclass(frozen=True)
class Callee:
    """A person of the account. Never log it."""

    id: UUID
    role: str
    language: str
    name: str = field(repr=False)
    numbers: tuple[Number, ...] = field(repr=False)
    emails: tuple[tuple[UUID, str], ...] = field(repr=False)


def whom_to_call(session: Session, sealer: Sealer, account_id: UUID | str, now: datetime) -> list[Callee]:
    """The people who speak for an account with the numbers in use, who has one first; numbers that were retired are left out.

    A number that was silent for half a year is not confirmed any more.
    """
    rows = session.execute(
        text(
            "select p.id, p.role, p.language, a.id as address, a.channel, a.consent,"
            " a.verified_at is not null and greatest(a.verified_at, a.last_heard_at) > :silent as confirmed from person p"
            " left join address a on a.person_id = p.id and a.retired_at is null"
            " where p.account_id = :account and p.erased_at is null order by p.created_at, p.id, a.position, a.id"
        ),
        {"account": speaks_for(session, account_id), "silent": now - timedelta(days=SILENT_DAYS)},
    ).all()
    found: list[Callee] = []
    for person_id in dict.fromkeys(row.id for row in rows):
        mine = [row for row in rows if row.id == person_id]
        card = person_card(session, sealer, person_id)
        known: dict[str, Number] = {}
        for row in (row for row in mine if row.channel in PHONES):
            number = card.addresses.get(str(row.address), "")
            if not number:
                continue
            before = known.get(number)
            refused = row.channel == "voice" and row.consent == "withdrawn"
            known[number] = Number(
                before.address_id if before else row.address, number, (*(before.channels if before else ()), row.channel),
                bool(row.confirmed) or (before is not None and before.verified),
                refused or (before is not None and before.refused),
            )  # fmt: skip
        emails = tuple((row.address, card.addresses.get(str(row.address), "")) for row in mine if row.channel == "email")
        found.append(Callee(person_id, mine[0].role, mine[0].language, card.name, tuple(known.values()), emails))
    return sorted(found, key=lambda callee: not callee.numbers)


def whose_number(session: Session, address_id: UUID | str) -> UUID | None:
    """The person of an address; None where there is no such address."""
    found: UUID | None = session.execute(text("select person_id from address where id = :id"), {"id": str(address_id)}).scalar()
    return found
