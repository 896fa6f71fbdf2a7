"""Everything the console shows of one invoice, gathered in a bounded number of questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from api import console_words as say
from api.console_law import law_of
from api.deductions import conversion_out
from api.models import PlannedStep
from api.papers import papers_of
from api.plan import plan_of
from ledger import overview
from ledger.deductions import deductions_of
from ledger.facts import gather_book
from ledger.history import history
from ledger.reading import find_invoice, holds_of, manual_of
from policies.calendars import effective_due
from policies.manual import Manual, Rung

AHEAD = timedelta(days=365)
BOOK_MAX = 120
"""Open invoices of an account and those with its payer beyond which the plan, which plays them all, is drawn when asked for."""


class Due(NamedTuple):
    """An instalment as it is shown: its stated day, the day that counts, and how late it is."""

    number: int
    due_on: date
    effective_on: date
    amount_minor: int
    balance_minor: int
    late: say.Tag | None
    source: str = "stated"
    terms: str = ""


class RungShown(NamedTuple):
    """A rung of the ladder with the level it came from."""

    rung: Rung
    level: str
    present: bool


class Part(NamedTuple):
    """A part of the manual in a few words, with the level it came from."""

    name: str
    level: str
    says: str
    changed: list[tuple[str, str]]


def invoice_page(session: Session, invoice_id: UUID, *, now: datetime, today: date, whole_book: bool) -> dict[str, Any]:
    """The values of invoice.html; raises Refused `not-found`."""
    view = find_invoice(session, invoice_id)
    row = view.row
    pinned = manual_of(session, row.manual_id)
    manual = Manual.model_validate(pinned.content)
    place = overview.place_of(session, invoice_id)
    dues = [_due(due, manual, place, today, closed=row.outcome is not None) for due in view.dues]
    book = overview.book_size(session, row.account_id)
    drawn = whole_book or book <= BOOK_MAX
    plan: list[PlannedStep] = []
    if drawn and row.outcome is None:
        plan = plan_of(gather_book(session, row.account_id, now), str(invoice_id), now=now, until=now + AHEAD)
    overdue_minor = sum(due.balance_minor for due in dues if due.effective_on < today and due.balance_minor > 0)
    beside = overview.beside(session, [invoice_id])[invoice_id]
    lines = [
        say.line(item, currency=row.currency, zone=row.account_zone)
        for item in reversed(history(session, invoice_id))
        if item["what"] not in say.TOLD_WITH_ITS_CONTACT
    ]
    return {
        "deductions": deductions_of(session, [invoice_id]).get(invoice_id, []),
        "payable_minor": row.balance_minor - row.apart_minor, "converted": conversion_out(session, row.creditor_id, row, now),
        "row": row, "dues": dues, "papers": papers_of(session, invoice_id),
        "beside": beside, "state": say.invoice_state(_With(row, overdue_minor), beside),
        "overdue_minor": overdue_minor, "plan": plan, "plan_drawn": drawn, "book": book, "lines": lines,
        "siblings": overview.siblings(session, row.account_id),
        "holds": holds_of(session, invoice_id, now), "agreements": overview.agreements_of(session, invoice_id),
        "placement": overview.placement_of(session, invoice_id),
        "law": law_of(session, invoice_id, now, today) if row.outcome is None else None,
        "tasks": overview.open_tasks(session, limit=50, invoice_id=invoice_id),
        "manual": pinned, "parts": _parts(manual, pinned.origin), "ladder": _ladder(manual, pinned.origin, row.next_rung),
        "held_now": row.outcome is None and row.held_why is not None and row.held_why == row.next_why,
        "cancels": plan[0].cancelled_by if plan else [],
    }  # fmt: skip


class _With:
    """A row with the overdue sum beside it."""

    def __init__(self, row: Row[Any], overdue_minor: int) -> None:
        self._row = row
        self.overdue_minor = overdue_minor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def _due(due: Row[Any], manual: Manual, place: tuple[str, str], today: date, *, closed: bool) -> Due:
    effective = effective_due(due.due_on, manual.deadline_basis, *place)
    late = say.lateness(effective, today) if due.balance_minor > 0 and not closed else None
    return Due(due.number, due.due_on, effective, due.amount_minor, int(due.balance_minor), late, due.due_source, due.due_terms)


def _level(origin: Mapping[str, str], key: str) -> str:
    return origin.get(key, "creditor")


def _ladder(manual: Manual, origin: Mapping[str, str], present: str | None) -> list[RungShown]:
    return [RungShown(rung, _level(origin, f"ladder.{rung.rung}"), rung.rung == present) for rung in manual.ladder]


def _parts(manual: Manual, origin: Mapping[str, str]) -> list[Part]:
    """The manual beside its ladder, a line for each part; what a lower level changed is named."""
    limits = manual.limits
    promise = manual.promise
    caps = [f"{cap.max} in {cap.days} {'day' if cap.days == 1 else 'days'} per {cap.per}" for cap in limits.contacts]
    said: Sequence[tuple[str, str]] = (
        ("deadline_basis", "due dates move to the next working day" if manual.deadline_basis == "effective" else "as stated"),
        ("send_at", f"{manual.send_at} on the customer's clock"),
        ("limits", "; ".join([*caps, *([f"{limits.gap_hours} h apart"] if limits.gap_hours else [])]) or "none of the house"),
        ("promise", f"up to {promise.days_max} days, {promise.count_max} missed, {promise.grace_days} of grace"),
        ("pauses", f"dispute {manual.pauses.dispute_days_max} days, pause {manual.pauses.pause_days_max} days at most"),
        ("bands", f"{len(manual.bands)} bands of balances limit what may be offered" if manual.bands else "no offers"),
        ("minimums", "least sums per channel" if manual.minimums else "none"),
        ("agency", "by figures, after a person's approval" if manual.agency else "never"),
    )  # fmt: skip
    return [
        Part(say.words(key), _level(origin, key), text, [(k, v) for k, v in origin.items() if k.startswith(f"{key}.")])
        for key, text in said
    ]
