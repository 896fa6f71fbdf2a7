"""Late interest and fees on the ledger: posted once per period, lowered again when a payment turns out to be older (F63).

What is owed is worked out in policies/law; here it becomes entries. A charge is never posted while the customer has an agreement,
a dispute or protection, nor before the notice that the manual promises. Nothing here commits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import allocation
from ledger.events import note_fact, tell
from ledger.ids import new_id
from ledger.session import lock_debtor_of
from ledger.tasks import open_task
from policies.calendars import effective_due
from policies.facts import PERMANENT_STOPS
from policies.law.base import Rule
from policies.law.charges import LateDebt
from policies.law.fees import collection_cost, fees
from policies.law.late_book import Book, Owed, book
from policies.law.late_debts import Entered, late_debts, money_rules
from policies.law.place import terms_of
from policies.law.rates import ReferenceRates, shipped_rates
from policies.manual import LateCharges, Manual
from policies.money import written

FROZEN_BY = ("insolvency", "breathing_space")
"""Suppressions during which no interest runs."""
TASK_WITHIN = timedelta(days=5)
_DUE = text(
    """
    select i.id from invoice i join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id
    where i.outcome is null and i.status = 'open' and i.balance_minor > 0
        and jsonb_typeof(m.content -> 'late_charges') = 'object'
        and (i.charges_asked_on is null or i.charges_asked_on < :today)
    order by i.charges_asked_on nulls first, i.id limit :limit
    """
)
_CASE = text(
    """
    select i.id, i.creditor_id, i.account_id, i.currency, i.status, i.outcome, i.balance_minor, i.place_of_payment,
        i.place_of_payment_region, a.kind, a.country, a.region, a.zone, a.terms, c.zone as creditor_zone, c.settings,
        m.content as manual,
        exists (select 1 from agreement g where g.invoice_id = i.id and g.state = 'open') as agreed,
        exists (select 1 from hold h where h.invoice_id = i.id and h.released_at is null and h.until > :now
            and h.kind in ('dispute', 'already_paid', 'payment_in_process')) as held,
        exists (select 1 from suppression s where s.account_id = i.account_id and s.person_id is null and s.lifted_at is null
            and (s.until > :now or s.reason = any(:permanent))) as protected,
        (select coalesce(json_agg(json_build_array(t.number, t.due_on)), '[]') from instalment t
            where t.invoice_id = i.id and t.superseded_at is null) as parts,
        array(select t.number from instalment t where t.invoice_id = i.id and t.superseded_at is null
            and t.due_source = 'assumed') as assumed,
        (select coalesce(json_agg(json_build_array(e.instalment, e.kind, e.amount_minor,
                case when e.kind = 'payment' then p.value_on else e.dated_on end) order by e.id), '[]')
            from entry e left join payment p on p.id = e.payment_id
            where e.invoice_id = i.id and e.instalment < 1001) as entries,
        (select coalesce(json_agg(json_build_array(s.starts_at, case when s.reason = any(:permanent)
                then coalesce(s.lifted_at, greatest(s.until, :now))
                else least(coalesce(s.lifted_at, s.until), s.until) end)), '[]')
            from suppression s where s.account_id = i.account_id and s.reason = any(:frozen)) as frozen,
        (select coalesce(json_object_agg(k.template, k.first), '{}') from (select c.template, min(c.local_date) as first
            from contact c where c.invoice_id = i.id and c.state in ('accepted', 'delivered') group by c.template) k) as told
    from invoice i join account a on a.id = i.account_id join creditor c on c.id = i.creditor_id
        join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id
    where i.id = :invoice
    """
)
_POSTED = text("select * from late_charge where invoice_id = :invoice order by posted_at, key")
_ENTER = text(
    "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on, recorded_at,"
    " cause) select creditor_id, account_id, id, :instalment, :kind, :amount, currency, :dated_on, :now, :cause"
    " from invoice where id = :invoice"
)


@dataclass(frozen=True)
class Posted:
    """What a look at one invoice did: minor units added, charges newly posted, and why nothing (more) was."""

    added_minor: int
    keys: tuple[str, ...]
    whys: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """One invoice with what its late charges hang on."""

    row: Row[Any]
    manual: Manual
    book: Book
    debts: Mapping[int, LateDebt]
    rules: Sequence[Rule]
    rates: ReferenceRates
    readable: bool = True
    """False when the creditor's own reference rates cannot be read: then nothing is posted and nothing corrected."""


def due_for_charges(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Open invoices whose manual asks for late charges and that were not looked at today; the longest unseen first."""
    return list(session.execute(_DUE, {"today": now.astimezone(UTC).date(), "limit": limit}).scalars())


def post_charges(session: Session, invoice_id: UUID | str, *, now: datetime) -> Posted:
    """Post what one invoice owes for the months that are over, each charge once however often this is called.

    Takes the debtor's lock. A rate or fee that the law refuses posts nothing and opens a task for a person, once.
    """
    lock_debtor_of(session, invoice_id)
    session.execute(
        text("update invoice set charges_asked_on = :today where id = :id"),
        {"today": now.astimezone(UTC).date(), "id": str(invoice_id)},
    )
    known = _known(session, invoice_id, now)
    if known is None:
        return Posted(0, (), ("the manual asks for no late charges, or the invoice is not open",))
    waits = _why_not_now(known, now)
    if waits:
        return Posted(0, (), (waits,))
    if known.book.refused:
        _ask_person(session, known.row, known.book.refused, now)
    there = {row.key for row in session.execute(_POSTED, {"invoice": known.row.id})}
    fresh = [owed for owed in known.book.owed if owed.key not in there]
    for owed in fresh:
        _post(session, known.row, owed, now)
    if fresh:
        allocation.settle(session, known.row.id, now=now)
        balance = allocation.refresh_balance(session, known.row.id)
        _note(session, known.row, fresh, balance, now)
    whys = known.book.whys if not known.book.refused else (known.book.refused, *known.book.whys)
    return Posted(sum(owed.accrual.total_minor for owed in fresh), tuple(owed.key for owed in fresh), whys)


def correct(session: Session, invoice_id: UUID | str, *, now: datetime) -> int:
    """Bring what was posted to what is owed, after money moved; returns the minor units by which the debt changed.

    Call it under the debtor's lock when the money has been allocated, and allocate again when it returns anything but 0.
    """
    posted = session.execute(_POSTED, {"invoice": str(invoice_id)}).all()
    known = _known(session, invoice_id, now) if posted else None
    if known is None or not known.readable:
        return 0
    owed = {each.key: each for each in known.book.owed}
    changed: dict[str, int] = {}
    for row in posted:
        if row.key in known.book.open or row.what not in ("interest", "fixed_sum", "late_fee"):
            continue
        right = owed.get(row.key)
        change = (right.accrual.total_minor if right else 0) - row.amount_minor
        if change == 0:
            continue
        lines = _lines(right) if right else []
        session.execute(
            text(
                "update late_charge set amount_minor = amount_minor + :c, lines = cast(:l as jsonb), corrected_at = :n"
                " where id = :id"
            ),
            {"c": change, "l": json.dumps(lines), "n": now, "id": row.id},
        )
        _enter(
            session, known.row, row.instalment, row.what, change, _today(known.row, now), f"late charge {row.id} corrected", now
        )
        changed[row.key] = change
    total = sum(changed.values())
    if changed:
        session.execute(
            text("update invoice set balance_minor = balance_minor + :c where id = :id"), {"c": total, "id": known.row.id}
        )
        detail = {"change_minor": total, "charges": sorted(changed), "currency": known.row.currency}
        tell(session, known.row.id, at=now, kind="charges_corrected", detail=detail)
    return total


def post_cost(
    session: Session, invoice_id: UUID | str, *, what: Literal["collection_cost", "legal", "nsf"], ref: str, amount_minor: int,
    work_done: bool, free_notice_given: bool, now: datetime,
) -> Posted:  # fmt: skip
    """Add a cost that the creditor really bore, once by its `ref`, at most what the debtor's law allows (Chile: 9/6/3 %).

    `whys` says why nothing or less was added. Raises NotAllowed for a cost that the law refuses. Takes the debtor's lock.
    """
    lock_debtor_of(session, invoice_id)
    known = _known(session, invoice_id, now)
    if known is None or not known.debts:
        return Posted(0, (), ("the manual asks for no late charges, or the invoice is not open",))
    waits = _why_not_now(known, now)
    key = f"{what}:{ref}"
    if waits or any(row.key == key for row in session.execute(_POSTED, {"invoice": known.row.id})):
        return Posted(0, (), (waits or "this cost was added before",))
    number, debt = next(iter(known.debts.items()))
    today = _today(known.row, now)
    if what == "collection_cost":
        spent = sum(row.amount_minor for row in session.execute(_POSTED, {"invoice": known.row.id}) if row.what == what)
        accrual = collection_cost(
            known.rules, debt, known.rates, on=today, asked_minor=amount_minor, spent_minor=spent, work_done=work_done,
            free_notice_given=free_notice_given,
        )  # fmt: skip
    else:
        accrual = fees(known.rules, debt, LateCharges(), on=today, asked={what: amount_minor})
    if not accrual.lines:
        return Posted(0, (), (accrual.why,))
    owed = Owed(key, what, number, today, accrual)
    _post(session, known.row, owed, now)
    allocation.settle(session, known.row.id, now=now)
    _note(session, known.row, [owed], allocation.refresh_balance(session, known.row.id), now)
    return Posted(accrual.total_minor, (key,), (accrual.why,) if accrual.why else ())


def charges_of(session: Session, invoice_id: UUID | str) -> Sequence[Row[Any]]:
    """Every charge of an invoice with its lines, in the order posted."""
    return session.execute(_POSTED, {"invoice": str(invoice_id)}).all()


def sums_of(session: Session, invoice_id: UUID | str) -> tuple[int, int]:
    """(interest, fees) that stand on an invoice, in minor units: what a message shows beside the principal."""
    row = session.execute(
        text(
            "select coalesce(sum(amount_minor) filter (where what = 'interest'), 0) as interest,"
            " coalesce(sum(amount_minor) filter (where what <> 'interest'), 0) as fees from late_charge where invoice_id = :id"
        ),
        {"id": str(invoice_id)},
    ).one()
    return int(row.interest), int(row.fees)


def _known(session: Session, invoice_id: UUID | str, now: datetime) -> _Known | None:
    stops = {"frozen": list(FROZEN_BY), "permanent": sorted(PERMANENT_STOPS)}
    row = session.execute(_CASE, {"invoice": str(invoice_id), "now": now, **stops}).one_or_none()
    if row is None or row.status != "open":
        return None
    manual = Manual.model_validate(row.manual)
    settings = row.settings or {}
    law = terms_of(
        country=row.country, region=row.region, zone=row.zone, kind=row.kind, creditor=settings.get("law"), account=row.terms
    )
    if manual.late_charges is None or law is None:
        return None
    zone = ZoneInfo(row.zone)
    frozen = [tuple(datetime.fromisoformat(at).astimezone(zone).date() for at in span) for span in row.frozen]
    parts = [
        (number, effective_due(date.fromisoformat(on), manual.deadline_basis, row.place_of_payment, row.place_of_payment_region))
        for number, on in row.parts
    ]
    entries = [Entered(number, kind, int(amount), date.fromisoformat(on)) for number, kind, amount, on in row.entries]
    owed = late_debts(parts, entries, currency=row.currency, law=law, frozen=[(span[0], span[1]) for span in frozen])
    debts = {number: debt for number, debt in owed.items() if number not in row.assumed}  # nobody is late for a guessed date
    over = _today(row, now) - timedelta(days=1)
    rules = money_rules(law)
    try:
        rates = shipped_rates().with_own(settings.get("reference_rates", {}))
    except (ValueError, TypeError, AttributeError):
        wrong = "the creditor's reference_rates cannot be read: write {series: [{from, until, value, source}]}, no day twice"
        return _Known(row, manual, Book((), (), frozenset(), wrong), debts, rules, shipped_rates(), readable=False)
    return _Known(row, manual, book(debts, rules, manual.late_charges, rates, over=over), debts, rules, rates)


def _today(row: Row[Any], now: datetime) -> date:
    return now.astimezone(ZoneInfo(row.creditor_zone)).date()


def _why_not_now(known: _Known, now: datetime) -> str:
    row = known.row
    if row.outcome is not None or row.balance_minor <= 0:
        return "nothing is owed"
    if row.agreed or row.held or row.protected:
        return "an agreement, a dispute, a payment on its way or a protection of the debtor holds charges back"
    for consequence in known.manual.consequences:
        if consequence.kind != "interest":
            continue
        first = row.told.get(consequence.notice)
        if first is None:
            return f"the notice {consequence.notice} has not gone out"
        if _today(row, now) < date.fromisoformat(first) + timedelta(days=consequence.wait_days):
            return f"the {consequence.wait_days} days after {consequence.notice} are not over"
    return ""


def _post(session: Session, row: Row[Any], owed: Owed, now: datetime) -> None:
    charge_id = new_id()
    session.execute(
        text(
            "insert into late_charge (id, creditor_id, invoice_id, key, what, instalment, amount_minor, lines, posted_at)"
            " values (:id, :creditor, :invoice, :key, :what, :instalment, :amount, cast(:lines as jsonb), :now)"
        ),
        {
            "id": charge_id, "creditor": row.creditor_id, "invoice": row.id, "key": owed.key, "what": owed.what,
            "instalment": owed.instalment, "amount": owed.accrual.total_minor, "lines": json.dumps(_lines(owed)), "now": now,
        },
    )  # fmt: skip
    _enter(session, row, owed.instalment, owed.what, owed.accrual.total_minor, owed.dated_on, f"late charge {charge_id}", now)


def _enter(
    session: Session, row: Row[Any], instalment: int, what: str, amount_minor: int, dated_on: date, cause: str, now: datetime
) -> None:
    session.execute(
        _ENTER,
        {
            "invoice": row.id, "instalment": instalment, "kind": "interest" if what == "interest" else "fee",
            "amount": amount_minor, "dated_on": dated_on, "cause": cause, "now": now,
        },
    )  # fmt: skip


def _lines(owed: Owed) -> list[Mapping[str, Any]]:
    return [line.model_dump(mode="json") for line in owed.accrual.lines]


def _note(session: Session, row: Row[Any], fresh: Sequence[Owed], balance_minor: int, now: datetime) -> None:
    added = sum(owed.accrual.total_minor for owed in fresh)
    detail = {
        "amount_minor": added, "currency": row.currency, "balance_minor": balance_minor, "charges": [owed.key for owed in fresh],
        "lines": [line.said.en for owed in fresh for line in owed.accrual.lines],
    }  # fmt: skip
    note = f"{written(added, row.currency)}, owed now {written(balance_minor, row.currency)}"
    note_fact(session, row.id, at=now, kind="charges_posted", detail=detail, note=note)


def _ask_person(session: Session, row: Row[Any], why: str, now: datetime) -> None:
    open_task(
        session, creditor_id=row.creditor_id, invoice_id=row.id, account_id=row.account_id, kind="correct_charges",
        key=str(row.id), why=why, due_at=now + TASK_WITHIN, now=now,
    )  # fmt: skip
