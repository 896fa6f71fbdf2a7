"""A contact that was wrong is put right: the new address joins the person's card, the old one is used no more."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import ACCOUNT_CHANGED, note_accounts
from ledger.ids import new_id
from ledger.receipts import retire_address
from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from ledger.session import lock_debtor
from ledger.tasks import close_task
from policies.addresses import BadAddress, clean_address
from policies.terms import Channel


def correct_contact(
    session: Session, sealer: Sealer, person_id: UUID | str, *, channel: Channel, value: str, instead_of: UUID | str | None,
    actor: str, now: datetime, account_id: UUID | str | None = None,
) -> UUID:  # fmt: skip
    """Give a person another address on a channel and retire the one it stands for; returns the new one's id.

    The new address is unverified, and its consent unknown unless the old one had it: who gave consent for one number did not
    give it for another. The same address of the same person again is the same one. Raises Refused `not-found`, `bad-address`,
    `same-address`, `opted-out` when this address was withdrawn before.
    """
    person = session.execute(
        text(
            "select p.id, p.creditor_id, p.account_id, p.data_key, p.sealed, a.country from person p"
            " join account a on a.id = p.account_id where p.id = :id and p.erased_at is null for update of a, p"
        ),
        {"id": str(person_id)},
    ).one_or_none()
    if person is None or (account_id is not None and str(person.account_id) != str(account_id)):
        raise not_found("person", person_id)
    lock_debtor(session, person.account_id)
    try:
        clean = clean_address(channel, value, person.country)
    except BadAddress as wrong:
        raise Refused("bad-address", str(wrong), status=422) from None
    lookup = sealer.lookup(channel, clean)
    known = session.execute(
        text("select id, channel, lookup, consent, retired_at from address where person_id = :id"), {"id": person.id}
    ).all()
    old = next((row for row in known if str(row.id) == str(instead_of)), None)
    if instead_of is not None and old is None:
        raise not_found("address of this person", instead_of)
    same = next((row for row in known if row.channel == channel.value and bytes(row.lookup) == lookup), None)
    if same is not None and old is not None and same.id == old.id:
        raise Refused("same-address", "this is the address that is known already: nothing was changed", status=422)
    if same is not None and same.consent == "withdrawn":
        raise Refused("opted-out", "the customer asked for no more messages there: only the customer can open it again")
    if same is not None:
        session.execute(text("update address set retired_at = null, retired_why = null where id = :id"), {"id": same.id})
        address_id: UUID = same.id
    else:
        address_id = add_address(session, sealer, person, channel, clean, lookup, positions=len(known), now=now)
    if old is not None:
        retire_address(session, old.id, why="corrected", now=now)
        close_task(session, creditor_id=person.creditor_id, kind="fix_contact", key=str(old.id), outcome="corrected", now=now)
    detail = {str(person.account_id): {"changed": ["contact"], "channel": channel.value, "address": str(address_id)}}
    note_accounts(session, detail, at=now, kind=ACCOUNT_CHANGED, actor=actor, note=f"{channel.value} address corrected")
    return address_id


def add_address(
    session: Session, sealer: Sealer, person: Row[Any], channel: Channel, clean: str, lookup: bytes, *, positions: int,
    now: datetime,
) -> UUID:  # fmt: skip
    """Join an address to a person's card, as it was withdrawn or not wherever this creditor knows it; returns its id.

    `person` is the locked row: id, creditor_id, data_key, sealed.
    """
    data_key, address_id = sealer.unwrap(person.data_key), new_id()
    card = from_json(sealer.unseal_under(data_key, person.sealed))
    card["addresses"][str(address_id)] = clean
    session.execute(
        text("update person set sealed = :sealed where id = :id"),
        {"sealed": sealer.seal_under(data_key, to_json(card)), "id": person.id},
    )
    session.execute(
        text(
            "insert into address (id, creditor_id, person_id, channel, lookup, consent, consent_at, position)"
            " select :id, :creditor, :person, :channel, :lookup,"
            " case when w.at is null then 'unknown' else 'withdrawn' end, w.at, :position"
            " from (select max(coalesce(consent_at, :now)) as at from address where creditor_id = :creditor and lookup = :lookup"
            " and channel = :channel and consent = 'withdrawn') w"
        ),
        {
            "id": address_id, "creditor": person.creditor_id, "person": person.id, "channel": channel.value,
            "lookup": lookup, "position": positions, "now": now,
        },
    )  # fmt: skip
    return address_id
