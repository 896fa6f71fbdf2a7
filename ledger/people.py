"""Accounts (who owes), the people behind them and their addresses.

A person's name, salutation and addresses are one sealed card under the person's own key; the rows beside it say only channel,
consent and a keyed hash. A later invoice of an account adds people and addresses and overwrites nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.canonical import ERASED
from ledger.consents import Told, apply_told
from ledger.documents import forget_documents
from ledger.ids import new_ids
from ledger.refusals import not_found
from ledger.sealing import Sealer
from policies.intake import Person, Way


@dataclass(frozen=True)
class PersonCard:
    """A person as a message needs it; `addresses` by address id. Never log it."""

    name: str
    salutation: str
    addresses: dict[str, str] = field(repr=False)
    key: bytes = field(default=b"", repr=False, compare=False)
    """Under which what is sent to this person is kept."""


@dataclass(slots=True)
class _Known:
    """A person of the account as it is now, and what this transaction adds."""

    id: str
    role: str
    language: str
    wrapped: bytes
    data_key: bytes
    """Empty until it is needed."""
    card: dict[str, Any]
    sealed: bytes
    """Empty for a person who is added now."""
    ways: set[tuple[str, bytes]]
    positions: int
    changed: bool = False


_PEOPLE = text(
    "select p.id, p.account_id, p.role, p.data_key, p.sealed,"
    " array_agg(a.channel order by a.position) filter (where a.id is not null) as channels,"
    " array_agg(encode(a.lookup, 'hex') order by a.position) filter (where a.id is not null) as lookups"
    " from person p left join address a on a.person_id = p.id"
    " where p.account_id = any(cast(:accounts as uuid[])) and p.erased_at is null group by p.id order by p.created_at, p.id"
)
_ADD_PEOPLE = text(
    "insert into person (id, creditor_id, account_id, role, language, data_key, sealed, created_at)"
    " select r.id, :creditor, r.account, r.role, r.language, decode(r.key, 'hex'), decode(r.sealed, 'hex'), :now"
    " from json_to_recordset(cast(:rows as json)) as r(id uuid, account uuid, role text, language text, key text, sealed text)"
)
# Whoever asked this creditor for no more messages is not written to because the address comes in again (I11): only a consent
# of a later date counts.
_ADD_ADDRESSES = text(
    "insert into address (id, creditor_id, person_id, channel, lookup, consent, consent_at, consent_proof, verified_at, position)"
    " select r.id, :creditor, r.person, r.channel, decode(r.lookup, 'hex'), case when w.at is null then r.consent"
    " else 'withdrawn' end, coalesce(w.at, r.consent_at, case when r.consent = 'withdrawn' then cast(:now as timestamptz) end),"
    " r.proof,"
    " case when r.verified then least(coalesce(r.verified_at, :now), cast(:now as timestamptz)) end, r.position"
    " from json_to_recordset(cast(:rows as json)) as r(id uuid, person uuid, channel text, lookup text, consent text,"
    " consent_at timestamptz, proof text, verified boolean, verified_at timestamptz,"
    " position int)"
    " left join lateral (select max(coalesce(w.consent_at, 'infinity')) as at from address w"
    "   where w.creditor_id = :creditor and w.lookup = decode(r.lookup, 'hex') and w.channel = r.channel"
    "   and w.consent = 'withdrawn' and (r.consent_at is null or r.consent_at <= coalesce(w.consent_at, 'infinity'))) w on true"
    " on conflict (person_id, channel, lookup) do nothing"
)
_RESEAL = text(
    "update person p set sealed = decode(r.sealed, 'hex')"
    " from json_to_recordset(cast(:rows as json)) as r(id uuid, sealed text) where p.id = r.id"
)


def save_people(
    session: Session,
    creditor_id: UUID | str,
    groups: Sequence[tuple[str, Sequence[Person]]],
    *,
    fresh: Iterable[str] = (),
    now: datetime,
    sealer: Sealer,
    actor: str = "puntual",
) -> None:
    """Add what is missing of the people of accounts: pairs of account id and the contacts one invoice names.

    The caller holds the accounts' rows (or made them: `fresh`), so two invoices of an account never add a person twice. A
    contact is taken for the known person with whom it shares most addresses; without any address, for one of the same role.
    A consent that is said again of a known address counts where it is the later word (consents.apply_told).
    """
    groups = list(dict.fromkeys((account, tuple(contacts)) for account, contacts in groups))  # the same said again adds nothing
    known = _known_people(session, {account for account, _ in groups} - set(fresh))
    added: list[tuple[str, _Known]] = []
    addresses: list[dict[str, Any]] = []
    reseal: dict[str, _Known] = {}
    told: list[Told] = []
    for account, contacts in groups:
        there = known.setdefault(account, [])
        taken: set[str] = set()
        for contact in contacts:
            ways = [(way.channel.value, sealer.lookup(way.channel, way.address), way) for way in contact.ways]
            person = _same_person(there, contact, {(c, h) for c, h, _ in ways}, taken)
            if person is None:
                person = _new_person(contact, sealer)
                there.append(person)
                added.append((account, person))
            elif person.sealed:
                reseal[person.id] = person
            taken.add(person.id)
            named = set(person.ways)
            for channel, lookup, way in ways:
                if way.consent == "withdrawn" or (way.consent == "given" and (channel, lookup) in named):
                    told.append(Told(person.id, channel, lookup, way.consent, way.consent_at, way.proof))
                named.add((channel, lookup))  # the same address twice in one contact: the later word of the two counts
            addresses.extend(_add_ways(person, ways, sealer))
    people = [
        {
            "id": p.id, "account": account, "role": p.role, "language": p.language, "key": p.wrapped.hex(),
            "sealed": _sealed(p, sealer),
        }
        for account, p in added
    ]  # fmt: skip
    changed = [{"id": p.id, "sealed": _sealed(p, sealer)} for p in reseal.values() if p.changed]
    if people:
        session.execute(_ADD_PEOPLE, {"creditor": str(creditor_id), "now": now, "rows": to_json(people).decode()})
    if addresses:
        session.execute(_ADD_ADDRESSES, {"creditor": str(creditor_id), "now": now, "rows": to_json(addresses).decode()})
    if changed:
        session.execute(_RESEAL, {"rows": to_json(changed).decode()})
    if told:
        apply_told(session, creditor_id, told, actor=actor, now=now)


def add_person(
    session: Session, creditor_id: UUID | str, account_id: UUID | str, person: Person, *, now: datetime, sealer: Sealer
) -> None:
    """Add one contact to an account, or what is missing of it; raises Refused `not-found`."""
    held = session.execute(text("select id from account where id = :id for update"), {"id": str(account_id)}).scalar()
    if held is None:
        raise not_found("account", account_id)
    save_people(session, creditor_id, [(str(account_id), [person])], now=now, sealer=sealer)


def person_card(session: Session, sealer: Sealer, person_id: UUID | str) -> PersonCard:
    """Name, salutation and addresses; raises Refused `not-found`, also when the person was erased."""
    row = session.execute(
        text("select data_key, sealed, erased_at from person where id = :id"), {"id": str(person_id)}
    ).one_or_none()
    if row is None:
        raise not_found("person", person_id)
    return open_card(sealer, person_id, row)


def open_card(sealer: Sealer, person_id: UUID | str, row: Row[Any]) -> PersonCard:
    """The card in a person's `data_key`, `sealed` and `erased_at`; raises Refused `not-found` when the person was erased."""
    if row.erased_at is not None:
        raise not_found("person", person_id)
    key = sealer.unwrap(row.data_key)
    card = from_json(sealer.unseal_under(key, row.sealed))
    return PersonCard(card["name"], card["salutation"], card["addresses"], key)


def retire_address(session: Session, address_id: UUID | str, *, why: str, now: datetime) -> bool:
    """Use an address no more (bounced, wrong person, not in use); false when it was retired before."""
    done = session.execute(
        text("update address set retired_at = :now, retired_why = :why where id = :id and retired_at is null returning id"),
        {"now": now, "why": why, "id": str(address_id)},
    ).scalar()
    return done is not None


def withdraw_consent(session: Session, person_id: UUID | str, channel: str, *, proof: str, now: datetime) -> int:
    """No more on that channel, at once and for every invoice (I11); returns how many addresses it stopped."""
    done = session.execute(
        text(
            "update address set consent = 'withdrawn', consent_at = :now, consent_proof = :proof"
            " where person_id = :person and channel = :channel and consent <> 'withdrawn' returning id"
        ),
        {"now": now, "proof": proof, "person": str(person_id), "channel": channel},
    )
    return len(done.all())


def erase_person(session: Session, sealer: Sealer, person_id: UUID | str, *, now: datetime) -> None:
    """Forget a person: the key, the card, the texts sent and the hashes that would find them again. Sums and dates stay.

    With a consumer's last person the documents of its invoices go too.

    Run it with the worker's role, which may delete texts. Raises Refused `not-found`; a second time changes nothing.
    """
    row = session.execute(
        text("select account_id, data_key, sealed, erased_at from person where id = :id for update"), {"id": str(person_id)}
    ).one_or_none()
    if row is None:
        raise not_found("person", person_id)
    if row.erased_at is not None:
        return
    card = from_json(sealer.unseal_under(sealer.unwrap(row.data_key), row.sealed))
    hashes = {"#" + sealer.fingerprint(card[leaf]) for leaf in ("name", "salutation") if card[leaf]}
    for found in session.execute(text("select lookup from address where person_id = :id"), {"id": str(person_id)}):
        hashes.add("#" + bytes(found.lookup).hex()[:32])
    bodies = session.execute(text("select id, accepted_body from invoice where account_id = :id"), {"id": row.account_id}).all()
    for invoice in bodies:
        body = json.dumps(_forgotten(invoice.accepted_body, hashes))
        session.execute(
            text("update invoice set accepted_body = cast(:body as json) where id = :id"), {"body": body, "id": invoice.id}
        )
    session.execute(
        text(
            "update address set lookup = sha256(uuid_send(gen_random_uuid())), consent_proof = '',"
            " retired_at = coalesce(retired_at, :now), retired_why = coalesce(retired_why, 'erased') where person_id = :id"
        ),
        {"now": now, "id": str(person_id)},
    )
    session.execute(text("delete from message_body where person_id = :id"), {"id": str(person_id)})
    session.execute(text("delete from note where person_id = :id"), {"id": str(person_id)})
    session.execute(
        text("update portal_link set revoked_at = coalesce(revoked_at, :now) where person_id = :id"),
        {"now": now, "id": str(person_id)},
    )
    session.execute(
        text("update person set data_key = null, sealed = null, erased_at = :now where id = :id"),
        {"now": now, "id": str(person_id)},
    )
    forget_documents(session, row.account_id)


def _known_people(session: Session, accounts: set[str]) -> dict[str, list[_Known]]:
    known: dict[str, list[_Known]] = {}
    if accounts:
        for row in session.execute(_PEOPLE, {"accounts": list(accounts)}):
            ways = {(c, bytes.fromhex(h)) for c, h in zip(row.channels or (), row.lookups or (), strict=True)}
            person = _Known(str(row.id), row.role, "", bytes(row.data_key), b"", {}, bytes(row.sealed), ways, len(ways))
            known.setdefault(str(row.account_id), []).append(person)
    return known


def _same_person(there: list[_Known], contact: Person, ways: set[tuple[str, bytes]], taken: set[str]) -> _Known | None:
    free = [person for person in there if person.id not in taken]
    if not ways:
        return next((person for person in free if person.role == contact.role), None)
    shared = [(len({h for _, h in person.ways} & {h for _, h in ways}), person) for person in free]
    best = max(shared, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] > 0 else None


def _add_ways(person: _Known, ways: list[tuple[str, bytes, Way]], sealer: Sealer) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for channel, lookup, way in ways:
        if (channel, lookup) in person.ways:
            continue
        if not person.data_key:
            person.data_key = sealer.unwrap(person.wrapped)
            person.card = from_json(sealer.unseal_under(person.data_key, person.sealed))
        address_id = new_ids(1)[0]
        person.ways.add((channel, lookup))
        person.card["addresses"][address_id] = way.address
        rows.append({
            "id": address_id, "person": person.id, "channel": channel, "lookup": lookup.hex(), "consent": way.consent,
            "consent_at": way.consent_at, "proof": way.proof, "verified": way.verified, "verified_at": way.verified_at,
            "position": person.positions,
        })  # fmt: skip
        person.positions += 1
        person.changed = True
    return rows


def _new_person(contact: Person, sealer: Sealer) -> _Known:
    card = {"name": contact.name, "salutation": contact.salutation, "addresses": {}}
    key = sealer.new_data_key()
    return _Known(new_ids(1)[0], contact.role, contact.language, sealer.wrap(key), key, card, b"", set(), 0)


def _sealed(person: _Known, sealer: Sealer) -> str:
    return sealer.seal_under(person.data_key, to_json(person.card)).hex()


def _forgotten(value: Any, hashes: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _forgotten(leaf, hashes) for key, leaf in value.items()}
    if isinstance(value, list):
        return [_forgotten(leaf, hashes) for leaf in value]
    return ERASED if isinstance(value, str) and value in hashes else value
