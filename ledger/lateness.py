"""When an invoice is overdue, said once for the API's list and the console's.

A day is late by the effective due date (playbook 1 and 7): the due date moved to the next working day of the place of payment,
unless the manual counts it as stated. PostgreSQL knows no holidays, so the first day that is not yet overdue is found here for
each place of payment and basis, and given with the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from policies.calendars import effective_due

_ONE_DAY = timedelta(days=1)


class Place(NamedTuple):
    """Where an invoice is paid, and how its manual counts: what moves a due date."""

    country: str
    region: str
    basis: Literal["effective", "as_stated"]


JOIN = """
    join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id
    join unnest(cast(:countries as text[]), cast(:regions as text[]), cast(:bases as text[]), cast(:days as date[]))
        as k (country, region, basis, day) on k.country = i.place_of_payment and k.region = i.place_of_payment_region
            and k.basis = coalesce(m.content ->> 'deadline_basis', 'effective')
    left join lateral (
        select min(b.due_on) as due_on, sum(b.balance_minor) filter (where b.due_on < k.day) as overdue_minor
        from (select n.due_on, (select coalesce(sum(e.amount_minor), 0) from entry e
                  where e.invoice_id = i.id and e.instalment = n.number) as balance_minor
              from instalment n where n.invoice_id = i.id and n.superseded_at is null) b
        where b.balance_minor > 0 and i.outcome is null
    ) u on true
"""
"""Beside an invoice `i`: `u.due_on`, its oldest due date with money left, and `u.overdue_minor`; both of open invoices only."""
IS_OVERDUE = "coalesce(u.overdue_minor, 0) > 0"


def first_days(session: Session, today: date) -> dict[Place, date]:
    """For every place and basis among the creditor's invoices the first due date that is not overdue today."""
    return {place: not_late_from(today, place) for place in _places(session)}


def values(days: Mapping[Place, date]) -> dict[str, Any]:
    """What `JOIN` asks for."""
    known = list(days.items())
    return {
        "countries": [p.country for p, _ in known], "regions": [p.region for p, _ in known],
        "bases": [p.basis for p, _ in known], "days": [day for _, day in known],
    }  # fmt: skip


def not_late_from(today: date, place: Place) -> date:
    """The first due date that is not overdue today: weekends and holidays before today move to today or later."""
    day = today
    while effective_due(day - _ONE_DAY, place.basis, place.country, place.region) >= today:
        day -= _ONE_DAY
    return day


def _places(session: Session) -> list[Place]:
    rows = session.execute(
        text(
            "select distinct i.place_of_payment, i.place_of_payment_region, coalesce(m.content ->> 'deadline_basis', 'effective')"
            " from invoice i join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id order by 1, 2, 3"
        )
    )
    return [Place(*row) for row in rows]
