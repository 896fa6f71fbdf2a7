"""Money that came and lies on no invoice, and the open items that it may be for: they are not chased meanwhile (playbook 3).

A receipt that equals one open item, or a sum of one payer's items, holds those items for so many working days and asks a person.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from policies.calendars import add_working_days
from policies.ladder import day_start
from policies.money import written

ITEMS_MAX = 20
"""More open items than this that equal one receipt say nothing about whose it is: a person looks, and nothing is held."""
COMBINED_MAX = 20
"""Open items of one payer of which every combination is tried; of more, the oldest."""

# Single items, a payer's whole balance, what it owes from the oldest on, and any two of its items.
_EQUAL = text(
    """
    with item as (
        select i.id, i.account_id, i.balance_minor - i.apart_minor as balance_minor, t.due_on,
            sum(i.balance_minor - i.apart_minor) over (partition by i.account_id order by t.due_on, i.number, i.id)
                as from_oldest,
            sum(i.balance_minor - i.apart_minor) over (partition by i.account_id) as whole
        from invoice i, lateral (select min(d.due_on) as due_on from instalment d
            where d.invoice_id = i.id and d.superseded_at is null) t
        where i.creditor_id = :creditor and i.currency = :currency and i.status = 'open' and i.outcome is null
            and i.balance_minor > i.apart_minor and (cast(:account as uuid) is null or i.account_id = cast(:account as uuid))
    ), part as (
        select p.invoice_id, p.number, sum(e.amount_minor) as open_minor from instalment p
            join entry e on e.invoice_id = p.invoice_id and e.instalment = p.number
        where p.superseded_at is null and p.invoice_id in (select id from item where balance_minor > :amount)
        group by p.invoice_id, p.number
    )
    select distinct x.id, x.account_id from (
        select id, account_id from item where balance_minor = :amount
        union all select i.id, i.account_id from item i join part p on p.invoice_id = i.id where p.open_minor = :amount
        union all select i.id, i.account_id from item i where i.whole = :amount
        union all select i.id, i.account_id from item i join item upto on upto.account_id = i.account_id
            and upto.from_oldest = :amount and i.from_oldest <= upto.from_oldest
        union all select i.id, i.account_id from item i join item o on o.account_id = i.account_id and o.id <> i.id
            where i.balance_minor + o.balance_minor = :amount
    ) x order by x.account_id, x.id limit :limit
    """
)


class Held(NamedTuple):
    """The items that were held, and the sentence for the person who is asked."""

    invoices: tuple[UUID, ...]
    said: str


def hold_what_it_may_be(session: Session, payment: Row[Any], *, destination: str = "", now: datetime) -> Held:
    """Hold the open items that an unapplied payment equals until a person has said whose it is; a deposit at the state bank
    (`destination`) holds none.

    Takes no debtor's lock: a hold that comes a moment late is noted as a fact, which makes a claim void.
    """
    amount = payment.unallocated_minor
    if destination:
        return Held((), "it is a deposit at the state bank, which no item is asked to be paid with")
    found = _equal(session, payment, amount)
    if not found:
        return Held((), "it equals no open invoice and no sum of one customer's")
    if len(found) > ITEMS_MAX:
        return Held((), f"more than {ITEMS_MAX} open invoices equal it, so none was held")
    for row in found:
        _hold(session, row, payment, now)
    numbers = ", ".join(row.number for row in found[:5]) + (" and others" if len(found) > 5 else "")
    return Held(tuple(row.id for row in found), f"it equals {numbers}, held meanwhile")


def release(session: Session, payment_id: UUID | str, *, now: datetime, why: str) -> int:
    """The payment found its place, went back, or a person let go: what was held for it goes on; returns how many."""
    rows = session.execute(
        text(
            "update hold set released_at = :now, release_why = :why where kind = 'unapplied' and money_ref = :ref"
            " and released_at is null and until > :now returning invoice_id"
        ),
        {"now": now, "why": why, "ref": str(payment_id)},
    )
    invoices = sorted(rows.scalars())
    for invoice_id in invoices:
        detail = {"payment": str(payment_id), "why": why}
        note_fact(session, invoice_id, at=now, kind="unapplied_released", detail=detail, note=why)
    return len(invoices)


def _equal(session: Session, payment: Row[Any], amount: int) -> list[Row[Any]]:
    asked = {
        "creditor": payment.creditor_id, "currency": payment.currency, "amount": amount, "account": payment.account_id,
        "limit": ITEMS_MAX + 1,
    }  # fmt: skip
    ids = [row.id for row in session.execute(_EQUAL, asked)]
    if not ids and payment.account_id is not None:
        ids = _any_combination(session, payment, amount)
    if not ids:
        return []
    return list(
        session.execute(
            text(
                "select i.id, i.number, i.creditor_id, i.currency, i.place_of_payment, i.place_of_payment_region, a.zone,"
                " coalesce((m.content -> 'pauses' ->> 'unapplied_wd')::int, 3) as days from invoice i"
                " join account a on a.id = i.account_id join manual m on m.creditor_id = i.creditor_id and m.id = i.manual_id"
                " where i.id = any(:ids) order by i.id for no key update of i"
            ),
            {"ids": ids},
        )
    )


def _any_combination(session: Session, payment: Row[Any], amount: int) -> list[UUID]:
    """The oldest of a known payer's items that add up to it, where any combination does."""
    rows = session.execute(
        text(
            "select i.id, i.balance_minor - i.apart_minor as balance_minor from invoice i"
            " where i.account_id = :account and i.currency = :currency"
            " and i.status = 'open' and i.outcome is null and i.balance_minor - i.apart_minor between 1 and :amount"
            " order by (select min(due_on) from instalment d where d.invoice_id = i.id and d.superseded_at is null), i.number"
            " limit :limit"
        ),
        {"account": payment.account_id, "currency": payment.currency, "amount": amount, "limit": COMBINED_MAX},
    ).all()
    reached: dict[int, list[UUID]] = {0: []}
    for row in rows:
        for total, ids in list(reached.items()):
            reached.setdefault(total + row.balance_minor, [*ids, row.id])
    return reached.get(amount, [])


def _hold(session: Session, row: Row[Any], payment: Row[Any], now: datetime) -> None:
    today = now.astimezone(ZoneInfo(row.zone)).date()
    last = add_working_days(today, row.days, row.place_of_payment, row.place_of_payment_region)
    until = day_start(last + timedelta(days=1), row.zone)
    added = session.execute(
        text(
            "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, money_ref, actor, created_at)"
            " select :id, :creditor, :invoice, 'unapplied', :now, :until, 'a receipt may be for it', :ref, 'puntual', :now"
            " where not exists (select 1 from hold where invoice_id = :invoice and kind = 'unapplied' and money_ref = :ref)"
            " returning id"
        ),
        {
            "id": uuid4(), "creditor": row.creditor_id, "invoice": row.id, "now": now, "until": until, "ref": str(payment.id),
        },
    ).scalar()  # fmt: skip
    if added is None:
        return
    amount = written(payment.unallocated_minor, payment.currency)
    detail = {"payment": str(payment.id), "hold": str(added), "until": until.isoformat()}
    note_fact(session, row.id, at=now, kind="receipt_may_be_for_it", detail=detail, note=f"{amount}, held until {last}")
