"""Our book at the end of a day, for comparison with a creditor's list: balances without late charges, money by its value date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from policies.deductions import PARTS_FROM
from policies.ladder import day_start
from policies.snapshot import Ours

# What was charged counts whatever its day: the list holds invoices that are dated ahead as well. Money counts by the bank's day,
# and what has another day of its own by that; so what came after the list's day is not held against it.
_COLUMNS = """
    i.id, i.account_id, i.number, i.currency, i.status, i.outcome, i.outcome_at, i.balance_minor, i.issued_on, i.entered_at,
    exists (select 1 from hold h where h.invoice_id = i.id and h.kind = 'balance_differs' and h.released_at is null) as held,
    (select array_agg(t.due_on order by t.number) from instalment t
        where t.invoice_id = i.id and t.superseded_at is null) as dues,
    s.as_of_minor, s.adjusted_minor, s.deducted_minor
"""
_SUMS = """
    lateral (select
        coalesce(sum(e.amount_minor) filter (where e.instalment < :parts_from and e.kind not in ('interest', 'fee')
            and (e.kind = 'charge' or case when e.kind = 'payment' then p.value_on else e.dated_on end <= :as_of)), 0)
            as as_of_minor,
        coalesce(-sum(e.amount_minor) filter (where e.kind = 'erp_adjustment'), 0) as adjusted_minor,
        coalesce(sum(e.amount_minor) filter (where e.instalment >= :parts_from and e.kind <> 'deduction'), 0) as deducted_minor
        from entry e left join payment p on p.id = e.payment_id where e.invoice_id = i.id) s
"""
_BY_NUMBER = text(
    f"select {_COLUMNS} from invoice i, {_SUMS} where i.creditor_id = :creditor and i.number = any(cast(:numbers as text[]))"
    " order by i.account_id, i.id"
)
_BY_ID = text(f"select {_COLUMNS} from invoice i, {_SUMS} where i.id = :id")
_OPEN = text(
    f"select {_COLUMNS} from invoice i, {_SUMS} where i.creditor_id = :creditor and i.status = 'open' and i.issued_on <= :as_of"
    " and i.entered_at < :entered and (i.balance_minor > 0 or s.as_of_minor > 0) and i.id > :after order by i.id limit :limit"
)


@dataclass(frozen=True, slots=True)
class Day:
    """The end of a day of one creditor, by the creditor's clock."""

    creditor_id: UUID
    as_of: date
    zone: str

    @property
    def ends(self) -> datetime:
        """The first instant of the day after."""
        return day_start(self.as_of + timedelta(days=1), self.zone)

    @property
    def values(self) -> dict[str, Any]:
        """For the statements."""
        return {"creditor": self.creditor_id, "as_of": self.as_of, "parts_from": PARTS_FROM}


def by_number(session: Session, day: Day, numbers: Sequence[str]) -> dict[str, Row[Any]]:
    """The invoices of these numbers that we have, in whatever state, in the order of their accounts."""
    rows = session.execute(_BY_NUMBER, {**day.values, "numbers": list(numbers)})
    return {row.number: row for row in rows}


def one(session: Session, day: Day, invoice_id: UUID) -> Row[Any]:
    """One invoice read again, under its debtor's lock."""
    return session.execute(_BY_ID, {"as_of": day.as_of, "parts_from": PARTS_FROM, "id": invoice_id}).one()


def open_items(session: Session, day: Day, *, after: UUID | None = None, limit: int = 1_000_000) -> list[Row[Any]]:
    """What was open at the end of the day, or is now, and had been issued and told to us by then; by id."""
    given = {**day.values, "entered": day.ends, "after": after or UUID(int=0), "limit": limit}
    return list(session.execute(_OPEN, given))


def ours(row: Row[Any]) -> Ours:
    """What the comparison must know of an invoice; what was cancelled or given up has nothing to lower or raise."""
    return Ours(int(row.as_of_minor), int(row.balance_minor), int(row.adjusted_minor), int(row.deducted_minor))
