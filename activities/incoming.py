"""What an event of a gateway is applied with: the transaction of its creditor, which invoice is meant, and whose day it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import feeds
from ledger.ids import is_id
from ledger.replacing import standing
from ledger.sealing import Sealer

_NAMED = (
    "select i.id, r.new_invoice_id is not null as replaced from invoice i left join replacement r on r.old_invoice_id = i.id"
    " where i.creditor_id = :creditor and "
)
_BY_REF = text(_NAMED + "i.number = :ref")
_BY_ID = text(_NAMED + "i.id = :id")


@dataclass(frozen=True)
class Incoming:
    """One event being applied: the transaction of its creditor."""

    session: Session
    sealer: Sealer
    creditor_id: UUID
    now: datetime


def invoice_named(come: Incoming, references: tuple[str, ...]) -> UUID | None:
    """The first invoice that a reference names, by its number or by our own id; of a re-issued one, the one that stands."""
    for reference in references:
        found = come.session.execute(_BY_REF, {"creditor": come.creditor_id, "ref": reference}).one_or_none()
        if found is None and is_id(reference):
            found = come.session.execute(_BY_ID, {"creditor": come.creditor_id, "id": reference}).one_or_none()
        if found is not None:
            invoice: UUID = found.id
            return standing(come.session, invoice) if found.replaced else invoice
    return None


_TOLD: dict[tuple[UUID, str], datetime] = {}
"""When this process last wrote down that a source was seen; a webhook does not wait for what is known."""
_TOLD_MOST = 10_000


def note_source(come: Incoming, source: str) -> None:
    """A genuine event came: a source of that name is there. Written once a minute for each creditor, at most."""
    key, before = (come.creditor_id, source), _TOLD.get((come.creditor_id, source))
    if before is not None and before <= come.now < before + feeds.SEEN_EVERY:
        return
    if len(_TOLD) >= _TOLD_MOST:
        _TOLD.clear()
    _TOLD[key] = come.now
    feeds.seen(come.session, come.creditor_id, (source,), now=come.now)


def sealed_hint(come: Incoming, invoice: UUID | None, said: str) -> bytes:
    """What came with money that names no invoice: free text, so it may be personal. Nothing when the invoice is known."""
    return come.sealer.seal(said[:200].encode()) if said and invoice is None else b""


def local_today(come: Incoming, at: datetime) -> date:
    """The creditor's day at that instant: gateways give an instant where a bank gives a date."""
    zone = come.session.execute(text("select zone from creditor where id = :id"), {"id": come.creditor_id}).scalar_one()
    return at.astimezone(ZoneInfo(zone)).date()
