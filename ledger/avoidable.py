"""Avoidable chases: contacts made after a payment whose bank date was earlier. The target is 0 (playbook 7, figure 20)."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# What had come by the contact's local day, by the bank's date, covered what the contact asked for: it asked for nothing owed.
# A message that carried several rungs is one contact; a payment that went back later had still come.
_AVOIDABLE = text(
    """
    select k.id, i.number, k.rung, k.channel, k.local_date, p.value_on, p.recorded_at, k.at_utc
    from contact k join invoice i on i.id = k.invoice_id
        join lateral (select min(y.value_on) as value_on, max(y.recorded_at) as recorded_at, sum(-e.amount_minor) as came
            from entry e join payment y on y.id = e.payment_id
            where e.invoice_id = k.invoice_id and e.kind = 'payment' and e.amount_minor < 0 and y.value_on < k.local_date
                and y.recorded_at > k.at_utc) p on p.came > 0
    where k.creditor_id = :creditor and k.folded_into is null and k.state in ('accepted', 'delivered', 'unknown')
        and k.template <> 'paid_receipt' and k.local_date between :since and :until
    order by k.at_utc, k.id limit :limit
    """
)
_MADE = text(
    "select count(*) from contact where creditor_id = :creditor and folded_into is null"
    " and state in ('accepted', 'delivered', 'unknown') and local_date between :since and :until"
)


class Avoidable(NamedTuple):
    """One contact that asked for money which the bank had already; days are the customer's and the bank's."""

    contact_id: UUID
    number: str
    rung: str
    channel: str
    contacted_on: date
    value_on: date


class Conduct(NamedTuple):
    """Contacts made in a span of local days, and those that need not have been."""

    contacts: int
    avoidable: list[Avoidable]


def conduct(session: Session, creditor_id: UUID | str, *, since: date, until: date, limit: int = 500) -> Conduct:
    """What was sent from `since` to `until` (both included), and which of it came after the money, by the bank's date."""
    asked = {"creditor": str(creditor_id), "since": since, "until": until}
    rows = session.execute(_AVOIDABLE, {**asked, "limit": limit}).all()
    found = [Avoidable(r.id, r.number, r.rung, r.channel, r.local_date, r.value_on) for r in rows]
    return Conduct(int(session.execute(_MADE, asked).scalar_one()), found)
