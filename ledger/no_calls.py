"""A person who wants no calls: every number of theirs is closed for calls, also one that was only kept for messages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.corrections import add_address
from ledger.receipts import addresses_of, opt_out
from ledger.sealing import Sealer
from ledger.session import lock_debtor
from policies.terms import Channel


def refuse_calls(
    session: Session, sealer: Sealer, account_id: UUID | str, person_id: UUID | str, *, proof: str, actor: str, now: datetime
) -> int:
    """Close the person's numbers for calls at once (I11); messages go on. Returns how many were open. Takes the debtor's lock."""
    person = session.execute(
        text(
            "select p.id, p.creditor_id, p.data_key, p.sealed from person p join account a on a.id = p.account_id"
            " where p.id = :id and p.erased_at is null for update of a, p"
        ),
        {"id": str(person_id)},
    ).one_or_none()
    lock_debtor(session, account_id)
    if person is not None:
        _keep_for_calls(session, sealer, person_id, now)
    return opt_out(session, account_id, addresses_of(session, person_id, Channel.VOICE), now=now, proof=proof, actor=actor)


def _keep_for_calls(session: Session, sealer: Sealer, person_id: UUID | str, now: datetime) -> None:
    """A number that is kept for messages only is kept for calls too, so that there is something to close."""
    rows = session.execute(
        text("select id, channel, lookup, retired_at from address where person_id = :id order by position, id"),
        {"id": str(person_id)},
    ).all()
    known = {bytes(row.lookup) for row in rows if row.channel == Channel.VOICE}
    for row in rows:
        if row.channel not in (Channel.SMS, Channel.WHATSAPP) or row.retired_at is not None or bytes(row.lookup) in known:
            continue
        card = session.execute(
            text("select id, creditor_id, data_key, sealed from person where id = :id"), {"id": str(person_id)}
        ).one()
        number = from_json(sealer.unseal_under(sealer.unwrap(card.data_key), card.sealed))["addresses"].get(str(row.id), "")
        if number:
            known.add(bytes(row.lookup))
            add_address(session, sealer, card, Channel.VOICE, number, bytes(row.lookup), positions=len(rows), now=now)
