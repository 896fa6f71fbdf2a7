"""What is known of an account, as its creditor reads it: structure, habits, people by role; never a name or an address."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.structure import shape_of
from policies.habits import Habits, proposed

_ACCOUNT = text("select id, ref, kind, country, region, zone, language, register, terms from account where id = :id")
_PEOPLE = text(
    """
    select n.id as person_id, n.role, n.language, (select coalesce(json_agg(json_build_object('address_id', r.id,
        'channel', r.channel, 'consent', r.consent, 'verified_at', r.verified_at, 'last_heard_at', r.last_heard_at,
        'retired_at', r.retired_at, 'retired_why', r.retired_why) order by r.position, r.id), '[]')
        from address r where r.person_id = n.id) as ways
    from person n where n.account_id = :id and n.erased_at is null order by n.created_at, n.id
    """
)
_PAID = text(
    """
    select distinct y.paid_on from account g join invoice i on i.account_id = g.id join entry e on e.invoice_id = i.id
        and e.kind = 'payment' join payment y on y.id = e.payment_id
    where :id in (g.id, g.payer_id) and not exists (select 1 from payment b where b.reverses = y.id)
    order by y.paid_on desc limit :most
    """
)


def read_account(session: Session, account_id: UUID) -> dict[str, Any]:
    """Everything but personal data. The caller has looked the account up; `proposed_habits` is drawn from what it paid."""
    row = session.execute(_ACCOUNT, {"id": str(account_id)}).mappings().one()
    terms: Mapping[str, Any] = row["terms"]
    habits = terms.get("habits", {})
    return {
        **{name: row[name] for name in ("id", "ref", "kind", "country", "region", "zone", "language", "register")},
        **shape_of(session, account_id)._asdict(),
        "minor": bool(terms.get("minor")),
        "related": terms.get("related"),
        "short_name": terms.get("short_name", ""),
        "habits": habits,
        "proposed_habits": proposed(paid_on(session, account_id), Habits.model_validate(habits)),
        "people": [dict(person) for person in session.execute(_PEOPLE, {"id": str(account_id)}).mappings()],
    }


def paid_on(session: Session, account_id: UUID, most: int = 20) -> list[date]:
    """The last days on which the account, or those it pays for, paid something that was not taken back; newest first."""
    return list(session.execute(_PAID, {"id": str(account_id), "most": most}).scalars())
