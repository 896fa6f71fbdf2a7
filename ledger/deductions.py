"""Deductions in the ledger: parts of the debt beside its instalments, booked when the net has come, taken back when it goes.

Each declared deduction has a part of its own (1000 + its number), so that instalments hold the net and nothing else is ever
asked. What the payer withholds is booked by an entry of kind `deduction` as soon as nothing is open on the instalments; a
deposit at a state bank is booked by the money that comes to that destination, or by its proof. The same facts lead to the same
entries, in whatever order they were told (I5). All is called under the debtor's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic_core import to_json
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import tell
from ledger.tasks import close_task, open_task
from policies import deductions as short
from policies.deductions import PARTS_FROM, PROPOSED_DAYS
from policies.intake import Intake
from policies.money import written

_ADD = text(
    """
    with r as (
        select * from json_to_recordset(cast(:rows as json)) as r(invoice uuid, number int, instalment int, apart boolean,
            kind text, rate text, base bigint, amount bigint, where_paid text, certificate boolean, released_on date)
    ), kept as (
        insert into deduction (creditor_id, invoice_id, number, instalment, kind, rate, base_minor, amount_minor, where_paid,
            certificate_required, state, released_on, recorded_at)
        select :creditor, r.invoice, r.number, r.instalment, r.kind, r.rate, r.base, r.amount, r.where_paid, r.certificate,
            'declared', r.released_on, :now from r
    ), charged as (
        insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on, recorded_at,
            cause)
        select i.creditor_id, i.account_id, i.id, r.instalment, 'charge', r.amount, i.currency, i.issued_on, :now, 'accepted'
        from r join invoice i on i.id = r.invoice where r.apart
    )
    update invoice i set balance_minor = i.balance_minor + s.amount, apart_minor = s.amount
    from (select invoice, sum(amount) as amount from r where apart group by invoice) s where i.id = s.invoice
    """
)
_PAID_IN = text(
    "update invoice i set payment_currency = r.paid_in"
    " from json_to_recordset(cast(:rows as json)) as r(invoice uuid, paid_in text) where i.id = r.invoice"
)
_STANDING = text(
    """
    select d.*, i.account_id, i.currency, c.zone as creditor_zone,
        (select coalesce(sum(greatest(o.owed, 0)), 0) from (select sum(e.amount_minor) as owed from entry e
            where e.invoice_id = i.id and e.instalment < :parts_from and not exists (select 1 from deduction g
                where g.invoice_id = i.id and g.instalment = e.instalment and g.released_on is not null)
            group by e.instalment) o) as open_minor,
        (select coalesce(sum(e.amount_minor) filter (where e.kind <> 'deduction'), 0) from entry e
            where e.invoice_id = i.id and e.instalment = d.instalment) as covers_minor,
        (select coalesce(sum(e.amount_minor) filter (where e.kind = 'deduction'), 0) from entry e
            where e.invoice_id = i.id and e.instalment = d.instalment) as booked_minor
    from deduction d join invoice i on i.id = d.invoice_id join creditor c on c.id = i.creditor_id
    where d.invoice_id = :invoice and d.released_on is null order by d.number
    """
)
_ENTER = text(
    "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on, recorded_at,"
    " cause) select creditor_id, account_id, id, :instalment, 'deduction', :amount, currency, :day, :now, :cause"
    " from invoice where id = :invoice"
)
_MOVE_BALANCE = text(
    "update invoice set balance_minor = balance_minor + :own + :apart, apart_minor = apart_minor + :apart where id = :invoice"
)
_GAP = text(
    """
    select i.creditor_id, i.account_id, i.currency, i.number, a.country,
        (select coalesce(json_agg(json_build_array(o.instalment, o.charged, o.paid)), '[]') from (
            select e.instalment,
                sum(e.amount_minor) filter (where e.payment_id is null and e.kind not in ('interest', 'fee')) as charged,
                coalesce(-sum(e.amount_minor) filter (where e.payment_id is not null), 0) as paid
            from entry e where e.invoice_id = i.id and e.instalment < :parts_from group by e.instalment) o
         where o.charged > o.paid and o.paid > 0) as gaps,
        (select coalesce(sum(e.amount_minor), 0) from entry e where e.invoice_id = i.id and e.kind in ('charge', 'amendment'))
            as gross_minor,
        (select coalesce(json_agg(json_build_array(d.number, d.instalment, d.state, d.amount_minor) order by d.number), '[]')
            from deduction d where d.invoice_id = i.id) as known
    from invoice i join account a on a.id = i.account_id where i.id = :invoice and i.status = 'open'
    """
)
# What this account deducted elsewhere and nobody took back: kind, rate and its base as a share of that invoice.
_USUAL = text(
    """
    select distinct d.kind, d.rate, d.base_minor, (select sum(e.amount_minor) from entry e where e.invoice_id = o.id
        and e.kind in ('charge', 'amendment')) as gross_minor, max(d.recorded_at) over (partition by d.kind, d.rate) as last
    from deduction d join invoice o on o.id = d.invoice_id
    where o.account_id = :account and o.id <> :invoice and d.state in ('declared', 'confirmed') and d.released_on is null
    order by last desc limit 20
    """
)


def add(session: Session, creditor_id: UUID | str, accepted: Sequence[tuple[str, Intake]], *, now: datetime) -> None:
    """Write what accepted invoices, by their ids, say of deductions and of the currency they are paid in."""
    rows = [row for invoice_id, intake in accepted for row in _rows(invoice_id, intake)]
    if rows:
        session.execute(_ADD, {"creditor": str(creditor_id), "now": now, "rows": to_json(rows).decode()})
    paid_in = [{"invoice": i, "paid_in": intake.payment_currency} for i, intake in accepted if intake.payment_currency]
    if paid_in:
        session.execute(_PAID_IN, {"rows": to_json(paid_in).decode()})


def _rows(invoice_id: str, intake: Intake) -> list[dict[str, Any]]:
    parts = short.apart(intake.deductions)
    guarantees = [one for one in intake.deductions if one.released_on is not None]
    first = len(intake.dues) - len(guarantees) + 1
    placed = [(number, PARTS_FROM + number - 1, True, one) for number, one in parts]
    placed += [(len(parts) + n + 1, first + n, False, one) for n, one in enumerate(guarantees)]
    return [
        {
            "invoice": invoice_id, "number": number, "instalment": instalment, "apart": apart, "kind": one.kind, "rate": one.rate,
            "base": one.base_minor, "amount": one.amount_minor, "where_paid": one.where_paid,
            "certificate": one.certificate_required, "released_on": one.released_on,
        }
        for number, instalment, apart, one in placed
    ]  # fmt: skip


def settle(session: Session, invoice_id: UUID, *, now: datetime) -> int:
    """Bring what is booked to what is due to be booked; returns the minor units by which the balance changed."""
    rows = session.execute(_STANDING, {"invoice": invoice_id, "parts_from": PARTS_FROM}).all()
    changed = 0
    for row in rows:
        settled = row.open_minor <= 0
        if row.state in ("declared", "confirmed") and settled != (row.settled_at is not None):
            session.execute(
                text("update deduction set settled_at = :at where invoice_id = :invoice and number = :number"),
                {"at": now if settled else None, "invoice": invoice_id, "number": row.number},
            )
        if row.state != "declared":
            continue
        deposited = row.where_paid.startswith(short.STATE_BANK)
        booked = row.certificate_on is not None or (settled and not deposited)
        change = (-int(row.covers_minor) if booked else 0) - int(row.booked_minor)
        if change:
            enter(session, row, row.instalment, change, now=now, cause=f"deduction {row.number}: {row.kind}")
            detail = {"deduction": row.number, "deducted": row.kind, "amount_minor": -change, "currency": row.currency}
            tell(session, invoice_id, at=now, kind="deduction_booked" if change < 0 else "deduction_unbooked", detail=detail)
        changed += change
    return changed


def enter(session: Session, row: Row[Any], instalment: int, amount_minor: int, *, now: datetime, cause: str) -> None:
    """One entry of kind `deduction`, with the cached balances. `row` has invoice_id and creditor_zone."""
    day = now.astimezone(ZoneInfo(row.creditor_zone)).date()
    given = {"invoice": row.invoice_id, "instalment": instalment, "amount": amount_minor, "day": day, "now": now, "cause": cause}
    session.execute(_ENTER, given)
    own, apart = (0, amount_minor) if instalment >= PARTS_FROM else (amount_minor, 0)
    session.execute(_MOVE_BALANCE, {"invoice": row.invoice_id, "own": own, "apart": apart})


def propose(session: Session, invoice_id: UUID, *, now: datetime) -> list[int]:
    """After money came: a gap that equals a usual deduction is proposed as one, with a task for a person; returns the numbers.

    Only the gap of the one instalment that is paid in part is looked at. A proposal whose gap has changed is moot, and what a
    person declined is not proposed again.
    """
    found = session.execute(_GAP, {"invoice": invoice_id, "parts_from": PARTS_FROM}).one_or_none()
    if found is None:
        return []
    gaps = [(int(number), int(charged) - int(paid), int(charged)) for number, charged, paid in found.gaps]
    instalment, gap_minor, charged_minor = gaps[0] if len(gaps) == 1 else (0, 0, 0)
    present = [(n, place, amount) for n, place, state, amount in found.known if state == "proposed"]
    if present and (sum(a for _, _, a in present) == gap_minor and all(place == instalment for _, place, _ in present)):
        return []
    for number, _, _ in present:
        withdraw(session, found.creditor_id, invoice_id, number, now=now)
    declined = {amount for _, _, state, amount in found.known if state in ("declined", "reclassified")}
    guesses = (
        _guesses(session, found, invoice_id, gap_minor, charged_minor) if gap_minor > 0 and gap_minor not in declined else ()
    )
    numbers = []
    for at, guess in enumerate(guesses, 1 + max((number for number, *_ in found.known), default=0)):
        _propose(session, found, invoice_id, at, instalment, guess, now)
        numbers.append(at)
    return numbers


def _guesses(session: Session, found: Row[Any], invoice_id: UUID, gap_minor: int, charged_minor: int) -> tuple[short.Guess, ...]:
    habits = session.execute(_USUAL, {"account": found.account_id, "invoice": invoice_id})
    usual = [short.Usual(h.kind, h.rate, Decimal(h.base_minor) / Decimal(h.gross_minor)) for h in habits if h.gross_minor]
    for gross_minor in dict.fromkeys((charged_minor, int(found.gross_minor))):
        guesses = short.look_like(gap_minor, gross_minor, found.currency, found.country, usual)
        if guesses:
            return guesses
    return ()


def _propose(
    session: Session, found: Row[Any], invoice_id: UUID, number: int, instalment: int, guess: short.Guess, now: datetime
) -> None:
    decide_by = now + timedelta(days=PROPOSED_DAYS)
    session.execute(
        text(
            "insert into deduction (creditor_id, invoice_id, number, instalment, kind, rate, base_minor, amount_minor,"
            " where_paid, certificate_required, state, decide_by, recorded_at)"
            " values (:creditor, :invoice, :number, :instalment, :kind, :rate, :base, :amount,"
            " 'payer_withholds', false, 'proposed', :decide_by, :now)"
        ),
        {
            "creditor": found.creditor_id, "invoice": invoice_id, "number": number, "instalment": instalment, "kind": guess.kind,
            "rate": guess.rate, "base": guess.base_minor, "amount": guess.amount_minor, "decide_by": decide_by, "now": now,
        },
    )  # fmt: skip
    sum_text = written(guess.amount_minor, found.currency)
    why = (
        f"{sum_text} was not paid on {found.number}: it equals {guess.kind} of {guess.rate} %; confirm it as deducted, or decline"
    )
    open_task(
        session, creditor_id=found.creditor_id, invoice_id=invoice_id, account_id=found.account_id, kind="confirm_deduction",
        key=task_key(invoice_id, number), why=why, due_at=decide_by, now=now,
    )  # fmt: skip
    detail = {"deduction": number, "deducted": guess.kind, "rate": guess.rate, "amount_minor": guess.amount_minor,
              "currency": found.currency, "decide_by": decide_by.isoformat()}  # fmt: skip
    tell(session, invoice_id, at=now, kind="deduction_proposed", detail=detail)


def withdraw(session: Session, creditor_id: UUID | str, invoice_id: UUID, number: int, *, now: datetime) -> None:
    """A proposal that no longer explains anything ends, with its task."""
    session.execute(
        text("update deduction set state = 'moot', decided_at = :now where invoice_id = :invoice and number = :number"),
        {"now": now, "invoice": invoice_id, "number": number},
    )
    close_task(
        session, creditor_id=creditor_id, kind="confirm_deduction", key=task_key(invoice_id, number), now=now,
        outcome="the gap has changed",
    )  # fmt: skip
    tell(session, invoice_id, at=now, kind="deduction_moot", detail={"deduction": number})


def task_key(invoice_id: UUID | str, number: int) -> str:
    """The key of what a person is asked about one deduction."""
    return f"{invoice_id}:{number}"


def deductions_of(session: Session, invoice_ids: Sequence[UUID | str]) -> dict[UUID, list[Row[Any]]]:
    """The deductions of invoices, by invoice, each with what of its own part is open, in minor units."""
    rows = session.execute(
        text(
            "select d.*, case when d.instalment >= :parts_from or d.released_on is not null"
            " then coalesce((select sum(e.amount_minor) from entry e"
            " where e.invoice_id = d.invoice_id and e.instalment = d.instalment), 0) else 0 end as open_minor"
            " from deduction d where d.invoice_id = any(cast(:ids as uuid[])) order by d.invoice_id, d.number"
        ),
        {"ids": [str(one) for one in invoice_ids], "parts_from": PARTS_FROM},
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.invoice_id, []).append(row)
    return found
