"""Messages, people and rungs for the tests of receipts, agreements and placements."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.cast import NOW

_CONTACT = text(
    "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel, template,"
    " state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min, why_failed)"
    " select :id, i.creditor_id, i.account_id, i.id, p.id, a.id, :key, :attempt, :rung, a.channel, 'pre_due', :state, 1000,"
    " i.currency, :at, 'America/Bogota', cast(:at as timestamptz) - interval '5 hours', :day, -300,"
    " case when :state = 'failed' then 'bounce' end from invoice i join person p on p.account_id = i.account_id"
    " join address a on a.person_id = p.id and a.channel = :channel where i.id = :invoice"
)


def write_to(
    session: Session, invoice: UUID, *, rung: str = "S1", channel: str = "email", state: str = "accepted", at: datetime = NOW,
    attempt: int = 1,
) -> UUID:  # fmt: skip
    """A contact of the invoice on Ana's address of that channel."""
    contact = uuid4()
    session.execute(
        _CONTACT,
        {
            "id": contact, "key": f"1.1.{rung}.0", "attempt": attempt, "rung": rung, "state": state, "channel": channel,
            "at": at.replace(tzinfo=at.tzinfo), "day": at.date(), "invoice": invoice,
        },
    )  # fmt: skip
    return contact


def address(session: Session, channel: str) -> Any:
    """Ana's address row of that channel."""
    return session.execute(text("select * from address where channel = :channel limit 1"), {"channel": channel}).one()
