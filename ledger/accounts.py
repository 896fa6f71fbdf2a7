"""Correcting what is known of who owes: place, kind, terms that rules ask for, and preferences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import ACCOUNT_CHANGED, note_accounts
from ledger.people import person_card
from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from ledger.session import lock_debtor
from ledger.structure import change_links
from policies.account_model import changed_terms
from policies.greeting import why_not_short_name
from policies.intake import doubtful_zones
from policies.intake_model import AccountChange
from policies.places import UnknownZone, known_zones, plain_region, zone_of

_READ = text("select id, creditor_id, kind, country, region, zone, register, terms from account where id = :id for no key update")
_WRITE = text(
    "update account set kind = :kind, region = :region, zone = :zone, register = :register, terms = cast(:terms as jsonb)"
    " where id = :id"
)


class Changed(NamedTuple):
    """Which members changed (none: it was so before), and how many open invoices are asked again."""

    names: tuple[str, ...]
    invoices: int


def change_account(
    session: Session, sealer: Sealer, account_id: UUID | str, change: AccountChange, *, actor: str, now: datetime
) -> Changed:
    """Change what was given; a member given as null or empty is forgotten. A claim made before is void, every plan follows.

    A new place is believed: zones in doubt are found anew, from its region and the telephones of the account. Raises Refused
    `not-found`, `unknown-zone`, `unknown-account`, `account-links`, `invalid`.
    """
    # The row before the debtor's lock, as an invoice that comes in takes them.
    row = session.execute(_READ, {"id": str(account_id)}).one_or_none()
    if row is None:
        raise not_found("account", account_id)
    links = change_links(session, row.creditor_id, row.id, change)
    lock_debtor(session, row.id)
    given = change.model_fields_set
    before = {"kind": row.kind, "region": row.region, "zone": row.zone, "register": row.register, **row.terms}
    kind = change.kind.value if change.kind else row.kind
    region = plain_region(row.country, change.region or "") if "region" in given else row.region
    terms = _terms(row.terms, change)
    register = (change.treatment or "") if "treatment" in given else row.register
    _greeted(kind, terms)
    zone = row.zone
    if change.zone or "region" in given:
        zone = _zone(row.country, region, row.zone, change)
        zones = doubtful_zones(row.country, region, zone, _phones(session, sealer, row.id))
        terms = {name: value for name, value in terms.items() if name != "zones"} | ({"zones": zones} if zones else {})
    after = {"kind": kind, "region": region, "zone": zone, "register": register, **terms}
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    names = tuple(sorted(changed.union(links)))
    if not names:
        return Changed((), 0)
    values = {"id": row.id, "kind": kind, "region": region, "zone": zone, "register": register, "terms": to_json(terms).decode()}
    session.execute(_WRITE, values)
    details = {str(row.id): {"changed": list(names)}}
    note = f"changed: {', '.join(names)}"
    return Changed(names, note_accounts(session, details, at=now, kind=ACCOUNT_CHANGED, actor=actor, note=note))


def _terms(known: Mapping[str, Any], change: AccountChange) -> dict[str, Any]:
    wants, notice = change.preferences, change.notice_sent_on
    said = {
        "city": ("city", (change.city or "").strip()),
        "debt_type": ("debt_type", change.debt_type),
        "loan_type": ("loan_type", change.loan_type),
        "notice_sent": ("notice_sent_on", notice.isoformat() if notice else None),
        "hours": ("preferences", list(wants.hours) if wants and wants.hours else None),
        "channel": ("preferences", wants.channel.value if wants and wants.channel else None),
    }
    terms = dict(known) | {name: value for name, (member, value) in said.items() if member in change.model_fields_set}
    return changed_terms(terms, change)


def _greeted(kind: str, terms: Mapping[str, Any]) -> None:
    name = str(terms.get("short_name", ""))
    why = why_not_short_name(name) if kind == "business" else name and "only a business has one"
    if why:
        raise Refused("invalid", f"short_name: {why}", status=422)


def _zone(country: str, region: str, zone: str, change: AccountChange) -> str:
    if change.zone and change.zone not in known_zones():
        raise Refused("unknown-zone", "zone: this is not an IANA time zone such as America/Bogota", status=422)
    try:
        return change.zone or zone_of(country, region) or zone
    except UnknownZone as unknown:
        raise Refused("unknown-zone", f"{unknown.part}: {unknown}", status=422) from None


def _phones(session: Session, sealer: Sealer, account_id: UUID) -> Iterator[str]:
    people = session.execute(
        text("select id from person where account_id = :account and erased_at is null"), {"account": account_id}
    )
    for person_id in people.scalars().all():
        yield from (way for way in person_card(session, sealer, person_id).addresses.values() if way.startswith("+"))
