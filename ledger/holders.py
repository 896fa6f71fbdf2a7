"""Whose a telephone is: confirmed by its holder, alive by any answer, and retired at once when somebody else answers (I11)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_accounts
from ledger.receipts import retire_address
from ledger.session import lock_debtor
from policies.holder import HOLDER_CHECK, SILENT_DAYS

NOT_THEIRS = "wrong_person"
"""Why an address is retired whose answerer is somebody else."""

_SAME_NUMBER = (
    "select b.id from address a join address b on b.person_id = a.person_id and b.lookup = a.lookup"
    " where a.id = any(cast(:ids as uuid[]))"
)
_CONFIRM = text(
    "update address r set verified_at = case when r.verified_at is not null"
    " and greatest(r.verified_at, r.last_heard_at) > :silent"
    f" then r.verified_at else cast(:now as timestamptz) end, last_heard_at = :now where r.id in ({_SAME_NUMBER})"
    " and r.retired_at is null returning r.id, r.channel, old.verified_at as before, r.verified_at"
)
# Who answers after half a year of silence may be another person: that alone confirms nothing.
_HEARD = text(
    f"update address r set last_heard_at = greatest(r.last_heard_at, :now) where r.id in ({_SAME_NUMBER})"
    " and r.retired_at is null and r.verified_at is not null and greatest(r.verified_at, r.last_heard_at) > :silent"
)


class Question(NamedTuple):
    """The last message to an address, and whether it asked for its holder."""

    address_id: UUID
    asked_holder: bool


def last_question(session: Session, address_ids: Iterable[UUID], contact_id: UUID | str | None = None) -> Question | None:
    """What a reply from these addresses answers: the contact given, else the last message to one of them."""
    row = session.execute(
        text(
            "select k.address_id, k.template from contact k"
            " where case when cast(:contact as uuid) is not null then k.id = :contact else"
            " k.address_id = any(cast(:ids as uuid[])) and k.folded_into is null"
            " and k.state in ('calling', 'accepted', 'delivered', 'unknown') end order by k.at_utc desc, k.id limit 1"
        ),
        {"ids": [str(each) for each in address_ids], "contact": str(contact_id) if contact_id else None},
    ).one_or_none()
    return None if row is None else Question(row.address_id, row.template == HOLDER_CHECK)


def confirm(session: Session, account_id: UUID | str, address_id: UUID | str, *, by: str, actor: str, now: datetime) -> bool:
    """The holder says that the number is theirs: it may carry what the invoice says, on each of its channels.

    `by` is how it was said (reply, portal, call). Returns whether that was news; every open invoice is then asked again. Takes
    the debtor's lock.
    """
    lock_debtor(session, account_id)
    silent = now - timedelta(days=SILENT_DAYS)
    rows = session.execute(_CONFIRM, {"ids": [str(address_id)], "now": now, "silent": silent}).all()
    news = [row for row in rows if row.before != row.verified_at]
    if not news:
        return False
    detail = {"addresses": [str(row.id) for row in news], "channels": sorted({row.channel for row in news}), "by": by}
    note_accounts(session, {str(account_id): detail}, at=now, kind="holder_confirmed", actor=actor, note=f"by {by}")
    session.execute(
        text(
            "update task set done_at = :now, outcome = 'the holder confirmed the telephone' where account_id = :account"
            " and kind = 'confirm_holder' and done_at is null"
        ),
        {"now": now, "account": str(account_id)},
    )
    return True


def deny(session: Session, account_id: UUID | str, address_id: UUID | str, *, now: datetime) -> int:
    """Somebody else answers there: the number is never used again for that person, on any channel. Returns how many rows it had.

    Takes the debtor's lock. A person is asked for another way to reach the customer.
    """
    lock_debtor(session, account_id)
    ids = session.execute(text(f"{_SAME_NUMBER} order by b.id"), {"ids": [str(address_id)]}).scalars().all()
    return sum(retire_address(session, each, why=NOT_THEIRS, now=now) for each in ids)


def heard(session: Session, address_ids: Iterable[UUID | str], *, now: datetime) -> None:
    """A sign of life at these addresses; those that are confirmed stay so for another 180 days from now."""
    silent = now - timedelta(days=SILENT_DAYS)
    session.execute(_HEARD, {"ids": [str(each) for each in address_ids], "now": now, "silent": silent})


def heard_by_link(session: Session, invoice_id: UUID | str, person_id: UUID | str, *, now: datetime) -> None:
    """Somebody acted on the page that a message led to: a sign of life where that message went."""
    found = session.execute(
        text(
            "select k.address_id from contact k where k.invoice_id = :invoice and k.person_id = :person"
            " and k.state in ('accepted', 'delivered', 'unknown') order by k.at_utc desc, k.id limit 1"
        ),
        {"invoice": str(invoice_id), "person": str(person_id)},
    ).scalars()
    heard(session, found.all(), now=now)


def spoken_with(
    session: Session, account_id: UUID | str, person_id: UUID | str, *, address_id: UUID | None, actor: str, now: datetime
) -> None:
    """A person spoke with the customer on the telephone: that confirms the number, where it is known which one it was."""
    rows = session.execute(
        text(
            "select id, lookup from address where person_id = :person and channel in ('voice', 'sms', 'whatsapp')"
            " and retired_at is null and (cast(:address as uuid) is null or id = :address) order by position, id"
        ),
        {"person": str(person_id), "address": str(address_id) if address_id else None},
    ).all()
    if rows and len({bytes(row.lookup) for row in rows}) == 1:
        confirm(session, account_id, rows[0].id, by="call", actor=actor, now=now)
