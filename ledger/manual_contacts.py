"""Contacts that people made: a call, a visit, a letter of their own (F48). They count towards the limits as ours do.

Words of lists only, no free text, so that nothing personal is kept. A wrong number counts as no contact and retires the address
(F36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.cursors import cursor_after, read_cursor
from ledger.events import note_fact
from ledger.holders import spoken_with
from ledger.ids import new_id
from ledger.receipts import retire_address
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor
from ledger.steps import local_columns
from ledger.structure import speaks_for
from policies.facts import Outcome

OLDEST = timedelta(days=90)
"""How long ago a contact may have been when it is told."""

MadeBy = Literal["call", "visit", "email", "sms", "whatsapp", "letter"]
# A rung that is a person's call first asked for it; whoever spoke with the customer made it.
_CALLED = text(
    "update task set done_at = :now, outcome = 'spoke', done_by = :by where invoice_id = :invoice and kind = 'call_customer'"
    " and done_at is null"
)
_KEPT_AS = {"call": "voice"}
_PHONES = ("voice", "sms", "whatsapp")
_FAMILY: dict[str, tuple[str, ...]] = {
    "voice": _PHONES, "sms": _PHONES, "whatsapp": _PHONES, "email": ("email",), "letter": ("letter",), "visit": ("letter",),
}  # fmt: skip
"""Which addresses are dead when the one that was tried is: a number is one number whichever way it answers."""


@dataclass(frozen=True)
class Made:
    """What a person did, as the creditor tells it. `ref` is the creditor's own: told again, it is the same contact."""

    ref: str
    channel: MadeBy
    direction: Literal["out", "in"]
    outcome: Outcome
    at: datetime
    note_code: str = ""
    person_id: UUID | None = None
    address_id: UUID | None = None
    """Which address was tried; only needed for a wrong number of a person who has several."""


class Kept(NamedTuple):
    """The contact's id, and whether it was told for the first time."""

    id: UUID
    new: bool


@dataclass(frozen=True)
class ContactPage:
    """Some of an invoice's contacts, oldest first, and where they go on; None at the end."""

    rows: Sequence[Row[Any]]
    cursor: str | None


_KEEP = text(
    "insert into manual_contact (id, creditor_id, account_id, invoice_id, person_id, ref, channel, direction, outcome, note_code,"
    " at_utc, zone, at_local, local_date, utc_offset_min, recorded_at, recorded_by)"
    " values (:id, :creditor, :account, :invoice, :person, :ref, :channel, :direction, :outcome, :note_code,"
    " :at, :zone, :local, :day, :offset, :now, :by) on conflict (creditor_id, ref) do nothing"
)
_SAID = text(
    "select id, invoice_id, person_id, channel, direction, outcome, note_code, at_utc from manual_contact"
    " where creditor_id = :creditor and ref = :ref"
)
_LIST = text(
    """
    select * from (
        select k.id, 'automatic' as made, k.person_id, k.channel, 'out' as direction, k.state as outcome, k.at_utc, k.at_local,
            k.zone, k.rung, k.key, k.template, k.amount_minor, k.currency, null as ref, '' as note_code, null as recorded_by,
            k.address_id, k.folded_into
        from contact k where k.invoice_id = :invoice and k.state <> 'planned'
        union all
        select h.id, 'manual', h.person_id, h.channel, h.direction, h.outcome, h.at_utc, h.at_local,
            h.zone, null, null, null, null, null, h.ref, h.note_code, h.recorded_by, null, null
        from manual_contact h where h.invoice_id = :invoice
    ) c where cast(:after_at as timestamptz) is null
        or (c.at_utc, c.id) > (cast(:after_at as timestamptz), cast(:after_id as uuid))
    order by c.at_utc, c.id limit :limit
    """
)


def record(session: Session, invoice_id: UUID | str, made: Made, *, now: datetime, actor: str) -> Kept:
    """Keep what a person did about an invoice, once by `made.ref`, and let what comes next reckon with it.

    The person is the account's first unless named. Raises Refused: `not-found`; `contact-differs` when the ref was told with
    something else; `at` when it lies in the future or more than 90 days ago; `which-address` when a wrong number could be one
    of several.
    """
    invoice = session.execute(
        text(
            "select i.id, i.creditor_id, i.account_id, a.zone from invoice i join account a on a.id = i.account_id"
            " where i.id = :id"
        ),
        {"id": str(invoice_id)},
    ).one_or_none()
    if invoice is None:
        raise not_found("invoice", invoice_id)
    lock_debtor(session, invoice.account_id)
    person = _person(session, invoice.account_id, made.person_id)
    said = session.execute(_SAID, {"creditor": invoice.creditor_id, "ref": made.ref}).one_or_none()
    if said is not None:
        return _same(said, invoice.id, person, made)
    if not now - OLDEST <= made.at <= now:
        earliest = (now - OLDEST).isoformat(timespec="seconds")
        raise Refused("at", f"a contact is told after it was made and within {OLDEST.days} days: give an instant from {earliest}"
                      f" to {now.isoformat(timespec='seconds')}", status=422)  # fmt: skip
    channel, contact_id = _KEPT_AS.get(made.channel, made.channel), new_id()
    kept = session.execute(
        _KEEP,
        {
            "id": contact_id, "creditor": invoice.creditor_id, "account": invoice.account_id, "invoice": invoice.id,
            "person": person, "ref": made.ref, "channel": channel, "direction": made.direction, "outcome": made.outcome,
            "note_code": made.note_code, "now": now, "by": actor, **local_columns(made.at, invoice.zone),
        },
    )  # fmt: skip
    if kept.rowcount == 0:  # type: ignore[attr-defined]  # told at the same moment about another debtor's invoice
        return _same(session.execute(_SAID, {"creditor": invoice.creditor_id, "ref": made.ref}).one(), invoice.id, person, made)
    if made.outcome == "wrong_number" and person is not None:
        for address in _dead(session, person, channel, made.address_id):
            retire_address(session, address, why="wrong_number", now=now, invoice_id=invoice.id)
    if made.outcome == "conversation" and channel == "voice" and person is not None:
        spoken_with(session, invoice.account_id, person, address_id=made.address_id, actor=actor, now=now)
    if made.outcome == "conversation":
        session.execute(_CALLED, {"now": now, "by": actor, "invoice": invoice.id})
    detail = {
        "manual_contact": str(contact_id), "channel": channel, "direction": made.direction, "outcome": made.outcome,
        "at": made.at.isoformat(), "note_code": made.note_code,
    }  # fmt: skip
    note = f"{channel} {made.direction} by a person: {made.outcome}"
    note_fact(session, invoice.id, at=now, kind="manual_contact", detail=detail, actor=actor, note=note)
    return Kept(contact_id, True)


def contacts_of(session: Session, invoice_id: UUID | str, *, limit: int, cursor: str | None) -> ContactPage:
    """What was sent by itself and what people told, oldest first; reserved slots are none. Raises Refused `bad-cursor`."""
    after_at, after_id = read_cursor(cursor) if cursor is not None else (None, None)
    rows = session.execute(
        _LIST, {"invoice": str(invoice_id), "after_at": after_at, "after_id": after_id, "limit": limit + 1}
    ).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return ContactPage(rows[:limit], None if last is None else cursor_after(last.at_utc, last.id))


def _person(session: Session, account_id: UUID, wanted: UUID | None) -> UUID | None:
    found: UUID | None = session.execute(
        text(
            "select id from person where (account_id = :speaks or account_id = :account and cast(:wanted as uuid) is not null)"
            " and (cast(:wanted as uuid) is null or id = :wanted) order by created_at, id limit 1"
        ),
        {"account": account_id, "speaks": speaks_for(session, account_id), "wanted": wanted},
    ).scalar()
    if found is None and wanted is not None:
        raise not_found("person of this account", wanted)
    return found


def _same(said: Row[Any], invoice_id: UUID, person: UUID | None, made: Made) -> Kept:
    now_said = {
        "invoice": invoice_id, "person_id": person, "channel": _KEPT_AS.get(made.channel, made.channel), "at": made.at,
        "direction": made.direction, "outcome": made.outcome, "note_code": made.note_code,
    }  # fmt: skip
    before = {
        "invoice": said.invoice_id, "person_id": said.person_id, "channel": said.channel, "at": said.at_utc,
        "direction": said.direction, "outcome": said.outcome, "note_code": said.note_code,
    }  # fmt: skip
    differs = [name for name, value in now_said.items() if before[name] != value]
    if differs:
        detail = f"this ref was told before with another {', '.join(differs)}: give each contact a ref of its own"
        raise Refused("contact-differs", detail, more={"id": str(said.id), "differs": differs})
    return Kept(said.id, False)


def _dead(session: Session, person_id: UUID, channel: str, address_id: UUID | None) -> list[UUID]:
    """The addresses that a wrong number was, whoever of the account has it; raises Refused `which-address`."""
    rows = session.execute(
        text(
            "select a.id, a.channel, a.person_id, a.lookup from address a join person p on p.id = a.person_id"
            " where p.account_id = (select account_id from person where id = :person)"
            " and a.channel = any(:channels) and a.retired_at is null order by a.position, a.id"
        ),
        {"person": person_id, "channels": list(_FAMILY[channel])},
    ).all()
    theirs = [row for row in rows if row.person_id == person_id]
    tried = [row for row in theirs if row.id == address_id] if address_id is not None else []
    if address_id is not None and not tried:
        raise not_found("address of this person on that channel", address_id)
    tried = tried or [row for row in theirs if row.channel == channel] or theirs
    lookups = {bytes(row.lookup) for row in tried}
    if len(lookups) > 1:
        known = [{"id": str(row.id), "channel": row.channel} for row in tried]
        raise Refused(
            "which-address", "this person has several addresses there: say with address_id which one was wrong", status=422,
            more={"addresses": known},
        )  # fmt: skip
    return [row.id for row in rows if bytes(row.lookup) in lookups]
