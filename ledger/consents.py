"""Consent that is said again, with an invoice or by itself: the later word counts (I11, F49)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.receipts import opt_in, opt_out
from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from ledger.tasks import close_task
from policies.addresses import BadAddress, clean_address
from policies.terms import Channel

CONSENT_TASK = "get_consent"
"""The task in which a person asks for a channel; its key is the account's id."""


class Told(NamedTuple):
    """What was said about one address of a person; `at` None for `withdrawn` is now, for `given` before everything dated."""

    person: str
    channel: str
    lookup: bytes
    consent: str
    at: datetime | None
    proof: str


# The last word about each address of those that change anything. The same address under another account of this creditor is the
# same mailbox or telephone: a withdrawal closes it there too. A consent of tomorrow has not been given.
_NEWS = text(
    """
    select distinct on (a.id) a.id, n.account_id, r.consent, r.proof, r.at, a.consent as was
    from (select t.person, t.channel, decode(t.lookup, 'hex') as lookup, t.consent, t.proof, t.at as dated,
            case when t.consent = 'withdrawn' then least(coalesce(t.at, :now), :now) else t.at end as at
        from json_to_recordset(cast(:rows as json)) as t(person uuid, channel text, lookup text, consent text, at timestamptz,
            proof text)) r
        join address a on a.creditor_id = :creditor and a.lookup = r.lookup and a.channel = r.channel
            and (a.person_id = r.person or r.consent = 'withdrawn')
        join person n on n.id = a.person_id
    where case
        when r.consent = 'withdrawn' and a.consent <> 'withdrawn' then a.consent_at is null or least(a.consent_at, :now) <= r.at
        when r.consent = 'withdrawn' then r.dated is not null and r.at > a.consent_at
        when r.at > :now then false
        when a.consent = 'withdrawn' then r.at > a.consent_at
        when a.consent = 'given' then r.at > coalesce(a.consent_at, '-infinity')
        else r.at is null or r.at > coalesce(a.consent_at, '-infinity') end
    order by a.id, r.at desc nulls last, r.consent desc
    """
)
_NEWER = text(
    "update address a set consent_at = r.at, consent_proof = r.proof"
    " from json_to_recordset(cast(:rows as json)) as r(id uuid, at timestamptz, proof text) where a.id = r.id"
)
_ADDRESSES = text(
    "select a.person_id::text as person, a.channel, a.lookup, a.id from address a join person n on n.id = a.person_id"
    " where n.account_id = :account and n.erased_at is null and a.channel = :channel"
    " and (cast(:person as uuid) is null or n.id = :person) and (cast(:lookup as bytea) is null or a.lookup = :lookup)"
)


def apply_told(session: Session, creditor_id: UUID | str, told: Sequence[Told], *, actor: str, now: datetime) -> int:
    """Apply what is news, with its fact and ring for every open invoice; returns for how many addresses consent changed.

    A `given` needs a date after the withdrawal it ends; what an account then may be sent closes its task to ask for a channel.
    """
    rows = [one._replace(lookup=one.lookup.hex())._asdict() for one in dict.fromkeys(told)]  # type: ignore[arg-type]
    values = {"rows": to_json(rows).decode(), "creditor": str(creditor_id), "now": now}
    news = session.execute(_NEWS, values).all()
    same = [{"id": str(row.id), "at": row.at, "proof": row.proof} for row in news if row.was == row.consent]
    if same:
        session.execute(_NEWER, {"rows": to_json(same).decode()})
    groups: dict[tuple[str, str, datetime | None, str], list[UUID]] = {}
    for row in news:
        if row.was != row.consent:
            groups.setdefault((str(row.account_id), row.consent, row.at, row.proof), []).append(row.id)
    changed = 0
    for (account, consent, at, proof), ids in sorted(groups.items(), key=lambda group: group[0][:2]):
        if consent == "withdrawn":
            changed += opt_out(session, account, ids, now=now, at=at, proof=proof, actor=actor, told="told by the creditor")
            continue
        changed += opt_in(
            session, account, ids, now=now, at=at, proof=proof, actor=actor, told="told by the creditor", unknown_too=True
        )
        _consented(session, creditor_id, account, now)
    return changed


def record_consent(
    session: Session, sealer: Sealer, account_id: UUID | str, *, channel: Channel, consent: Literal["given", "withdrawn"],
    at: datetime, proof: str, actor: str, now: datetime, address: str | None = None, person_id: UUID | None = None,
) -> int:  # fmt: skip
    """Record what was said about an address of an account, or about all of a channel; returns how many addresses changed.

    The same again, or a word older than the last one, changes nothing. Raises Refused `not-found`, `at` (in the future),
    `bad-address`, `no-such-address`.
    """
    if at > now:
        raise Refused("at", "a consent is recorded after it was said: `at` lies in the future", status=422)
    # The row before the debtor's lock, as an invoice that comes in takes them.
    account = session.execute(
        text("select id, creditor_id, country from account where id = :id for no key update"), {"id": str(account_id)}
    ).one_or_none()
    if account is None:
        raise not_found("account", account_id)
    lookup = None
    if address is not None:
        try:
            lookup = sealer.lookup(channel, clean_address(channel, address, account.country))
        except BadAddress as bad:
            raise Refused("bad-address", f"address: {bad}", status=422) from None
    found = _found(session, account.id, channel, lookup, person_id)
    told = [Told(row.person, row.channel, bytes(row.lookup), consent, at, proof) for row in found]
    changed = apply_told(session, account.creditor_id, told, actor=actor, now=now)
    ids = [str(row.id) for row in found]
    given = session.execute(
        text("select exists (select 1 from address where id = any(cast(:ids as uuid[])) and consent = 'given')"), {"ids": ids}
    ).scalar_one()
    if consent == "given" and given:
        _consented(session, account.creditor_id, account.id, now)
    return changed


def _found(
    session: Session, account_id: UUID, channel: Channel, lookup: bytes | None, person_id: UUID | None
) -> Sequence[Row[Any]]:
    values = {"account": account_id, "channel": channel.value, "person": person_id and str(person_id), "lookup": lookup}
    found = session.execute(_ADDRESSES, values).all()
    if not found:
        which = "no address" if lookup is None else "no such address"
        whose = "this person" if person_id else "this account"
        said = f"{whose} has {which} for {channel}: post it with an invoice of the account first"
        raise Refused("no-such-address", said, status=422)
    return found


def _consented(session: Session, creditor_id: UUID | str, account_id: UUID | str, now: datetime) -> None:
    close_task(session, creditor_id=creditor_id, kind=CONSENT_TASK, key=str(account_id), outcome="consent given", now=now)
