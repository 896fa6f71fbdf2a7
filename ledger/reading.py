"""Reading invoices: one in full, and the filtered list in a stable order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import lateness
from ledger.cursors import cursor_after, read_cursor
from ledger.refusals import not_found
from policies.calendars import effective_due

State = Literal[
    "open", "closed", "paid", "cancelled", "written_off", "credited", "ladder_ended", "recalled_paid", "returned",
    "settled_in_erp",
]  # fmt: skip
"""What a list may be narrowed to: each state that an invoice shows, and `closed` for all but `open`."""
_STATE = (
    "(case when i.status <> 'open' then i.status when i.outcome is not null then i.outcome"
    " when i.balance_minor <= 0 then 'paid' else 'open' end)"
)
_COLUMNS = f"""
    i.id, i.number, i.currency, i.issued_on, i.status, i.outcome, i.outcome_at, i.balance_minor, i.apart_minor,
    i.payment_currency, i.creditor_id, i.entered_at, i.cycle,
    i.revision, i.next_kind, i.next_at, i.next_why, i.next_rung, i.next_channel, i.held_why, i.manual_id, i.account_id,
    i.place_of_payment, i.place_of_payment_region,
    a.ref as account_ref, a.kind as account_kind, a.country as account_country, a.zone as account_zone,
    'invoice:' || c.slug || ':' || i.number as workflow_id,
    {_STATE} as state
"""
_FROM = " from invoice i join account a on a.id = i.account_id join creditor c on c.id = i.creditor_id "
_DUES = text(
    "select n.invoice_id, n.number, n.due_on, n.amount_minor, n.due_source, n.due_terms,"
    " coalesce((select sum(e.amount_minor) from entry e"
    " where e.invoice_id = n.invoice_id and e.instalment = n.number), 0) as balance_minor from instalment n"
    " where n.invoice_id = any(cast(:ids as uuid[])) and n.superseded_at is null order by n.invoice_id, n.number"
)


@dataclass(frozen=True)
class Filter:
    """What a list is narrowed to; `today` is the creditor's, for `overdue` (ledger/lateness.py)."""

    state: State | None = None
    account_refs: tuple[str, ...] = ()
    overdue: bool | None = None
    next_before: datetime | None = None
    today: date | None = None
    number: str | None = None


@dataclass(frozen=True)
class View:
    """An invoice's row with its present instalments; `basis` is how its manual counts due dates."""

    row: Row[Any]
    dues: Sequence[Row[Any]]
    basis: Literal["effective", "as_stated"]

    def effective_due(self, due_on: date) -> date:
        """The day that deadlines count from, as the policy and the console count it."""
        return effective_due(due_on, self.basis, self.row.place_of_payment, self.row.place_of_payment_region)


@dataclass(frozen=True)
class Page:
    """Some of the list, and where it goes on; None at its end."""

    views: list[View]
    cursor: str | None


def find_invoice(session: Session, invoice_id: UUID | str) -> View:
    """One invoice; raises Refused `not-found`."""
    row = session.execute(text(f"select {_COLUMNS} {_FROM} where i.id = :id"), {"id": str(invoice_id)}).one_or_none()
    if row is None:
        raise not_found("invoice", invoice_id)
    return View(row, session.execute(_DUES, {"ids": [str(row.id)]}).all(), _bases(session, [row.manual_id])[row.manual_id])


def _bases(session: Session, manual_ids: Sequence[str]) -> dict[str, Literal["effective", "as_stated"]]:
    rows = session.execute(
        text("select id, coalesce(content ->> 'deadline_basis', 'effective') from manual where id = any(:ids)"),
        {"ids": sorted(set(manual_ids))},
    )
    return {row[0]: row[1] for row in rows}


def manual_of(session: Session, manual_id: str) -> Row[Any]:
    """The pinned manual: id, name, content, and for each changed part the level it came from (F16)."""
    return session.execute(text("select id, name, content, origin from manual where id = :id"), {"id": manual_id}).one()


def holds_of(session: Session, invoice_id: UUID | str, now: datetime) -> Sequence[Row[Any]]:
    """What holds the invoice now: kind, end and reason."""
    return session.execute(
        text(
            "select id, kind, starts_at, until, amount_minor, reason from hold where invoice_id = :id and released_at is null"
            " and until > :now order by until"
        ),
        {"id": str(invoice_id), "now": now},
    ).all()


def list_invoices(session: Session, wanted: Filter, *, limit: int, cursor: str | None) -> Page:
    """By time of entry, oldest first; rows that come later never shift a page. Raises Refused `bad-cursor`."""
    clauses, values = _clauses(wanted)
    if cursor is not None:
        values["after_at"], values["after_id"] = read_cursor(cursor)
        clauses.append("(i.entered_at, i.id) > (:after_at, cast(:after_id as uuid))")
    where = f" where {' and '.join(clauses)}" if clauses else ""
    source = _FROM
    if wanted.overdue is not None and wanted.today is not None:
        source += lateness.JOIN
        values |= lateness.values(lateness.first_days(session, wanted.today))
    rows = session.execute(
        text(f"select {_COLUMNS} {source} {where} order by i.entered_at, i.id limit :limit"), {**values, "limit": limit + 1}
    ).all()
    more = len(rows) > limit
    rows = rows[:limit]
    dues: dict[UUID, list[Row[Any]]] = {}
    for due in session.execute(_DUES, {"ids": [str(row.id) for row in rows]}):
        dues.setdefault(due.invoice_id, []).append(due)
    bases = _bases(session, [row.manual_id for row in rows])
    views = [View(row, dues.get(row.id, []), bases[row.manual_id]) for row in rows]
    return Page(views, cursor_after(rows[-1].entered_at, rows[-1].id) if more else None)


def _clauses(wanted: Filter) -> tuple[list[str], dict[str, Any]]:
    clauses: list[str] = []
    values: dict[str, Any] = {}
    if wanted.state == "closed":
        clauses.append(f"{_STATE} <> 'open'")
    elif wanted.state is not None:
        clauses.append(f"{_STATE} = :state")
        values["state"] = wanted.state
    if wanted.number is not None:
        clauses.append("i.number = :number")
        values["number"] = wanted.number
    if wanted.account_refs:
        clauses.append("a.ref = any(cast(:accounts as text[]))")
        values["accounts"] = list(wanted.account_refs)
    if wanted.overdue is not None:
        clauses.append(lateness.IS_OVERDUE if wanted.overdue else f"not {lateness.IS_OVERDUE}")
    if wanted.next_before is not None:
        clauses.append("i.outcome is null and i.next_at < :next_before")
        values["next_before"] = wanted.next_before
    return clauses, values


def debtor_invoice(session: Session, account_id: UUID | None) -> UUID | None:
    """An invoice of that account, an open one where there is one; None for an unknown account."""
    found: UUID | None = session.execute(
        text("select id from invoice where account_id = :account order by outcome is null desc, entered_at desc, id limit 1"),
        {"account": account_id},
    ).scalar()
    return found
