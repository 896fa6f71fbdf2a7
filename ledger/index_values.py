"""What a unit of an index or of a foreign currency was worth on a day, and what that makes of money that comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.tasks import close_task
from policies.indexed import IndexValue, to_units

_PUT = text(
    """
    insert into index_value (creditor_id, code, payment_currency, on_day, valid_until, value, source, recorded_at)
    values (:creditor, :code, :paid_in, :on_day, :until, :value, :source, :now)
    on conflict (creditor_id, code, payment_currency, on_day) do update
        set valid_until = excluded.valid_until, value = excluded.value, source = excluded.source,
            recorded_at = excluded.recorded_at
        where (index_value.valid_until, index_value.value, index_value.source)
            is distinct from (excluded.valid_until, excluded.value, excluded.source)
    returning on_day
    """
)
_ON = text(
    "select code, payment_currency, on_day, valid_until, value, source from index_value where creditor_id = :creditor"
    " and code = :code and payment_currency = :paid_in and on_day <= :day and valid_until >= :day order by on_day desc limit 1"
)
_WAITING = text(
    """
    with mine as materialized (
        select i.id from invoice i where i.creditor_id = :creditor and i.outcome is null and i.payment_currency = :paid_in
            and i.currency = :code order by i.id for no key update of i
    )
    select id from mine
    """
)


@dataclass(frozen=True)
class Converted:
    """Money as the ledger keeps it, with what was paid and the value that was used."""

    amount_minor: int
    currency: str
    original_minor: int
    original_currency: str
    rate: Decimal
    rate_on: date
    rate_source: str


def put_values(
    session: Session, creditor_id: UUID | str, values: Iterable[IndexValue], *, now: datetime
) -> tuple[int, set[tuple[str, str]]]:
    """Store values, each day's once; returns how many were new or corrected, and of which (code, payment currency)."""
    changed, pairs = 0, set()
    for one in values:
        given = {
            "creditor": str(creditor_id), "code": one.ledger_code, "paid_in": one.payment_currency, "on_day": one.on_day,
            "until": one.last_day, "value": one.value, "source": one.source, "now": now,
        }  # fmt: skip
        if session.execute(_PUT, given).scalar() is not None:
            changed += 1
            pairs.add((one.ledger_code, one.payment_currency))
    return changed, pairs


def value_on(session: Session, creditor_id: UUID | str, code: str, payment_currency: str, day: date) -> Row[Any] | None:
    """The value that holds on a day, the latest where several do; None when none is known. Never the nearest one."""
    given = {"creditor": str(creditor_id), "code": code, "paid_in": payment_currency, "day": day}
    return session.execute(_ON, given).one_or_none()


def open_invoices(session: Session, creditor_id: UUID | str, code: str, payment_currency: str) -> list[UUID]:
    """The open invoices that are counted in it, locked; they are asked again when a value comes."""
    given = {"creditor": str(creditor_id), "code": code, "paid_in": payment_currency}
    return list(session.execute(_WAITING, given).scalars())


def in_its_unit(
    session: Session, creditor_id: UUID | str, invoice: Row[Any] | None, amount_minor: int, currency: str, paid_on: date
) -> Converted | None:
    """Money in the currency that an indexed debt is paid in, as units of the debt, at the value of the day it was paid on.

    None when nothing is to be converted, or when that day's value is not known: then it stays unmatched.
    """
    if invoice is None or invoice.payment_currency != currency or invoice.currency == currency:
        return None
    value = value_on(session, creditor_id, invoice.currency, currency, paid_on)
    if value is None:
        return None
    units = to_units(amount_minor, currency, value.value, invoice.currency)
    if units <= 0:
        return None
    return Converted(units, invoice.currency, amount_minor, currency, value.value, value.on_day, value.source)


def as_kept(
    session: Session, creditor_id: UUID | str, invoice: Row[Any] | None, told: tuple[int, str], paid_on: date
) -> tuple[tuple[int, str], Converted | None]:
    """The sum and currency under which money is kept: in the debt's own unit where that can be said, else as it was told."""
    done = in_its_unit(session, creditor_id, invoice, *told, paid_on)
    return (told, None) if done is None else ((done.amount_minor, done.currency), done)


def note_conversion(session: Session, payment_id: UUID, done: Converted | None, destination: str = "") -> None:
    """Keep beside a payment what was really paid, by which value, and to which account; nothing for ordinary money."""
    if done is None and not destination:
        return
    if done is not None:
        _convert_waiting(session, payment_id, done)
    session.execute(
        text(
            "update payment set original_minor = :minor, original_currency = :currency, rate = :rate, rate_on = :rate_on,"
            " rate_source = :source, destination = :destination where id = :id"
        ),
        {
            "id": payment_id, "minor": done.original_minor if done else None,
            "currency": done.original_currency if done else None,
            "rate": done.rate if done else None, "rate_on": done.rate_on if done else None,
            "source": done.rate_source if done else None, "destination": destination,
        },
    )  # fmt: skip


def _convert_waiting(session: Session, payment_id: UUID, done: Converted) -> None:
    """Reversals that came before this payment, in the currency it was paid in, take back units by the same value."""
    waiting = session.execute(
        text(
            "select r.id, r.amount_minor from payment r join payment p on p.id = :id where r.kind = 'reversal'"
            " and r.reverses is null and r.creditor_id = p.creditor_id and r.source = p.source"
            " and r.reverses_ref = p.source_ref and r.currency = :currency"
        ),
        {"id": payment_id, "currency": done.original_currency},
    ).all()
    for row in waiting:
        whole = row.amount_minor == done.original_minor
        units = done.amount_minor if whole else max(_units(done, row.amount_minor), 1)
        session.execute(
            text(
                "update payment set original_minor = amount_minor, original_currency = currency, amount_minor = :units,"
                " unallocated_minor = :units, currency = :currency, rate = :rate, rate_on = :on, rate_source = :source"
                " where id = :id"
            ),
            {
                "units": units, "currency": done.currency, "rate": done.rate, "on": done.rate_on, "source": done.rate_source,
                "id": row.id,
            },
        )  # fmt: skip


def _units(done: Converted, amount_minor: int) -> int:
    return to_units(amount_minor, done.original_currency, done.rate, done.currency)


def convert_kept(session: Session, payment: Row[Any], invoice: Row[Any]) -> Row[Any]:
    """Unmatched money of an indexed debt once its day's value is known; the payment as it then is, the same one otherwise."""
    done = in_its_unit(session, payment.creditor_id, invoice, payment.amount_minor, payment.currency, payment.paid_on)
    if done is None or payment.unallocated_minor != payment.amount_minor:
        return payment
    note_conversion(session, payment.id, done, payment.destination)
    return session.execute(
        text(
            "update payment set amount_minor = :minor, unallocated_minor = :minor, currency = :currency, reason = ''"
            " where id = :id returning *"
        ),
        {"minor": done.amount_minor, "currency": done.currency, "id": payment.id},
    ).one()


def told_as(payment: Row[Any]) -> tuple[int, str]:
    """What the sender said of a payment: before it was converted."""
    if payment.original_minor is not None:
        return payment.original_minor, payment.original_currency
    return payment.amount_minor, payment.currency


def taken_back(payment: Row[Any] | None, amount_minor: int, currency: str) -> tuple[int, str]:
    """A reversal of converted money, by the value the payment was converted at; all of it takes all of it back."""
    if payment is None or payment.original_currency != currency or payment.currency == currency:
        return amount_minor, currency
    if amount_minor == payment.original_minor:
        return payment.amount_minor, payment.currency
    return max(to_units(amount_minor, currency, payment.rate, payment.currency), 1), payment.currency


def missing_on(session: Session, row: Mapping[str, Any], now: datetime) -> date | None:
    """The debtor's present day, where an invoice of facts needs the value of that day and none is known."""
    if not row["payment_currency"]:
        return None
    today = now.astimezone(ZoneInfo(row["zone"])).date()
    known = value_on(session, row["creditor_id"], row["currency"], row["payment_currency"], today)
    return today if known is None else None


def why_not(invoice: Row[Any], currency: str, paid_on: date) -> str:
    """Why money does not fit an invoice in another currency, in words without personal data."""
    if invoice.payment_currency == currency:
        return f"no value of {invoice.currency} for {paid_on} is known: load it and apply the payment to {invoice.number}"
    return f"{invoice.number} is in {invoice.currency}"


def load(
    session: Session, creditor_id: UUID | str, values: Iterable[IndexValue], *, now: datetime, actor: str
) -> tuple[int, int]:
    """`put_values`, the open invoices that wait for them asked again, and the tasks about them done; returns how many of each."""
    given = list(values)
    changed, pairs = put_values(session, creditor_id, given, now=now)
    asked = 0
    for code, paid_in in sorted(pairs):
        for invoice_id in open_invoices(session, creditor_id, code, paid_in):
            note_fact(session, invoice_id, at=now, kind="index_value_loaded", detail={"code": code}, actor=actor, note=code)
            asked += 1
    for one in given:
        for day in range((one.last_day - one.on_day).days + 1):
            key = f"{one.ledger_code}:{one.payment_currency}:{one.on_day + timedelta(days=day)}"
            if (one.ledger_code, one.payment_currency) in pairs:
                close_task(session, creditor_id=creditor_id, kind="load_index_value", key=key, outcome="loaded", now=now)
    return changed, asked


def values_on(session: Session, creditor_id: UUID | str, day: date) -> Sequence[Row[Any]]:
    """The value of each unit that holds on a day."""
    return session.execute(
        text(
            "select distinct on (code, payment_currency) code, payment_currency, on_day, valid_until, value, source"
            " from index_value where creditor_id = :creditor and on_day <= :day and valid_until >= :day"
            " order by code, payment_currency, on_day desc"
        ),
        {"creditor": str(creditor_id), "day": day},
    ).all()
