"""What staff write down about an invoice: a code of a list, and their own words, sealed because they may be personal."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import tell
from ledger.ids import new_id
from ledger.refusals import Refused, not_found
from ledger.sealing import CannotUnseal, Sealer

NoteCode = Literal["call", "customer_said", "internal", "dispute", "payment", "complaint"]
NOTE_CODES: tuple[str, ...] = get_args(NoteCode)
NOTE_LENGTH_MAX = 2000

_KEEP = text(
    "insert into note (id, creditor_id, invoice_id, person_id, code, sealed, at_utc, actor)"
    " values (:id, :creditor, :invoice, :person, :code, :sealed, :now, :actor)"
)


class NoteShown(NamedTuple):
    """A note as signed-in staff read it; `words` is empty once its person was erased. Never log it."""

    at: datetime
    actor: str
    code: str
    words: str
    erased: bool


def add_note(
    session: Session, sealer: Sealer, invoice_id: UUID | str, *, code: str, words: str, actor: str, now: datetime
) -> UUID:
    """Keep a note under the key of the account's first person; the timeline tells the code only.

    Raises Refused `not-found`, `note-code`, `note-words` when it is empty or longer than 2,000 characters.
    """
    if code not in NOTE_CODES:
        raise Refused("note-code", f"a note is one of {', '.join(NOTE_CODES)}", status=422)
    said = "".join(c for c in words.strip() if c == "\n" or c.isprintable())
    if not 0 < len(said) <= NOTE_LENGTH_MAX:
        raise Refused("note-words", f"a note has 1 to {NOTE_LENGTH_MAX} characters", status=422)
    row = session.execute(
        text(
            "select i.creditor_id, p.id as person, p.data_key from invoice i left join lateral (select id, data_key from person"
            " where account_id in (i.account_id, (select payer_id from account where id = i.account_id)) and erased_at is null"
            " order by account_id <> i.account_id, created_at, id limit 1) p on true where i.id = :id"
        ),
        {"id": str(invoice_id)},
    ).one_or_none()
    if row is None:
        raise not_found("invoice", invoice_id)
    plain, note_id = said.encode(), new_id()
    sealed = sealer.seal(plain) if row.person is None else sealer.seal_under(sealer.unwrap(row.data_key), plain)
    session.execute(
        _KEEP,
        {
            "id": note_id, "creditor": row.creditor_id, "invoice": str(invoice_id), "person": row.person, "code": code,
            "sealed": sealed, "now": now, "actor": actor,
        },
    )  # fmt: skip
    tell(session, invoice_id, at=now, kind="note_added", detail={"note": str(note_id), "code": code}, actor=actor)
    return note_id


def notes_of(session: Session, sealer: Sealer, invoice_id: UUID | str, *, limit: int = 50) -> list[NoteShown]:
    """The notes of an invoice, newest first."""
    rows = session.execute(
        text(
            "select n.at_utc, n.actor, n.code, n.sealed, n.person_id, p.data_key from note n"
            " left join person p on p.id = n.person_id where n.invoice_id = :id order by n.at_utc desc, n.id limit :limit"
        ),
        {"id": str(invoice_id), "limit": limit},
    )
    found = []
    for row in rows:
        words, erased = "", False
        try:
            if row.person_id is None:
                words = sealer.unseal(row.sealed).decode()
            elif row.data_key is not None:
                words = sealer.unseal_under(sealer.unwrap(row.data_key), row.sealed).decode()
            else:
                erased = True
        except CannotUnseal:
            erased = True
        found.append(NoteShown(row.at_utc, row.actor, row.code, words, erased))
    return found
