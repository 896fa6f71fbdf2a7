"""Acceptance in bulk: the set-based statements behind one invoice and behind ten thousand.

Each kind of row is one statement over one JSON document, so that the server parses a batch once; the order of accounts and
invoices is fixed, so that two batches at once wait for each other and never deadlock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_KNOWN = text(
    "select number, id, accepted_hash from invoice where creditor_id = :creditor and number = any(cast(:numbers as text[]))"
)
_BODIES = text("select id, accepted_body from invoice where id = any(cast(:ids as uuid[]))")
_ACCOUNTS = text(
    "select id, ref, manual_name, manual_patch, zone, terms from account"
    " where creditor_id = :creditor and ref = any(cast(:refs as text[])) order by ref"
)
_LOCKED_ACCOUNTS = text(_ACCOUNTS.text + " for no key update")
_ADD_ACCOUNTS = text(
    "insert into account"
    " (id, creditor_id, ref, kind, country, region, zone, language, register, manual_name, manual_patch, terms, created_at)"
    " select r.id, :creditor, r.ref, r.kind, r.country, r.region, r.zone, r.language, r.register, r.manual, r.patch, r.terms,"
    " :now"
    " from json_to_recordset(cast(:rows as json)) as r(id uuid, ref text, kind text, country text, region text, zone text,"
    " language text, register text, manual text, patch jsonb, terms jsonb) order by r.ref"
    " on conflict (creditor_id, ref) do nothing returning id, ref"
)
_ADD_TERMS = text(
    "update account a set terms = r.terms"
    " from json_to_recordset(cast(:rows as json)) as r(id uuid, terms jsonb) where a.id = r.id"
)
_SEPARATOR = "\x1f"
"""Ends each value of a column; no text that is accepted has it (policies.typed.STORABLE), and JSON escapes it."""


def _columns(**types: str) -> str:
    """Columns as texts of ended values: PostgreSQL reads them faster than arrays, whose quotes would be escaped twice."""
    return ", ".join(f"cast(trim_array(string_to_array(:{name}, chr(31)), 1) as {kind}[])" for name, kind in types.items())


_DUES = _columns(
    due_id="uuid", due_invoice="uuid", due_number="int", due_on="date", due_amount="bigint", due_source="text", due_terms="text"
)
_INVOICES = _columns(
    id="uuid", account="uuid", number="text", currency="text", issued_on="date", place="text", place_region="text", manual="text",
    hash="text", body="text", total="bigint",
)  # fmt: skip
# One statement: an invoice that lost a race (on conflict) gets no instalment, entry, event or start.
_ADD_INVOICES = text(
    f"""
    with d as materialized (
        select * from unnest({_DUES}) as d(id, invoice, number, due_on, amount, source, terms)
    ), added as (
        insert into invoice (id, creditor_id, account_id, number, currency, issued_on, place_of_payment, place_of_payment_region,
            manual_id, accepted_hash, accepted_body, entered_at, cycle_started_at, changed_at, balance_minor)
        select r.id, :creditor, r.account, r.number, r.currency, r.issued_on, r.place, r.place_region, r.manual,
            decode(r.hash, 'hex'), cast(r.body as json), :now, :now, clock_timestamp(), r.total
        from unnest({_INVOICES}) as r(id, account, number, currency, issued_on, place, place_region, manual, hash, body, total)
        on conflict (creditor_id, number) do nothing returning id, account_id, number, currency, issued_on, balance_minor
    ), due as (
        insert into instalment (id, creditor_id, invoice_id, number, due_on, amount_minor, due_source, due_terms)
        select d.id, :creditor, added.id, d.number, d.due_on, d.amount, d.source, d.terms
        from d join added on added.id = d.invoice
    ), charged as (
        insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on, recorded_at,
            cause)
        select :creditor, added.account_id, added.id, d.number, 'charge', d.amount, added.currency, added.issued_on, :now,
            'accepted'
        from d join added on added.id = d.invoice
    ), told as (
        insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)
        select :creditor, added.id, :now, 'accepted', jsonb_build_object('amount_minor', added.balance_minor, 'currency',
            added.currency), :actor from added
    ), started as (
        insert into outbox (creditor_id, invoice_id, workflow_id)
        select :creditor, added.id, cast(:prefix as text) || added.number from added
    )
    select cast(id as text) from added
    """
)


class InvoiceRow(NamedTuple):
    """One invoice; every id, hash and body as text."""

    id: str
    account: str
    number: str
    currency: str
    issued_on: date
    place: str
    place_region: str
    manual: str
    hash: str
    body: str
    total: int


class DueRow(NamedTuple):
    """One instalment."""

    due_id: str
    due_invoice: str
    due_number: int
    due_on: date
    due_amount: int
    due_source: str = "stated"
    due_terms: str = ""


def known_invoices(session: Session, creditor_id: UUID | str, numbers: Sequence[str]) -> dict[str, Row[Any]]:
    """Rows (id, accepted_hash) by number, of those that exist."""
    rows = session.execute(_KNOWN, {"creditor": str(creditor_id), "numbers": list(numbers)})
    return {row.number: row for row in rows}


def accepted_bodies(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The stored canonical bodies by invoice id."""
    return {str(row.id): row.accepted_body for row in session.execute(_BODIES, {"ids": list(ids)})}


def accounts(session: Session, creditor_id: UUID | str, refs: Sequence[str], *, lock: bool = False) -> dict[str, Row[Any]]:
    """Rows (id, manual_name, manual_patch, zone, terms) by reference, locked until the end of the transaction when asked."""
    rows = session.execute(_LOCKED_ACCOUNTS if lock else _ACCOUNTS, {"creditor": str(creditor_id), "refs": list(refs)})
    return {row.ref: row for row in rows}


def add_accounts(session: Session, creditor_id: UUID | str, rows: Sequence[dict[str, Any]], *, now: datetime) -> dict[str, str]:
    """Ids by reference of the accounts that are new."""
    if not rows:
        return {}
    added = session.execute(_ADD_ACCOUNTS, {"creditor": str(creditor_id), "now": now, "rows": to_json(rows).decode()})
    return {row.ref: str(row.id) for row in added}


def set_terms(session: Session, terms: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the terms of accounts, by account id; the caller holds their rows."""
    rows = [{"id": account, "terms": dict(given)} for account, given in terms.items()]
    session.execute(_ADD_TERMS, {"rows": to_json(rows).decode()})


def add_invoices(
    session: Session,
    creditor_id: UUID | str,
    slug: str,
    rows: Sequence[InvoiceRow],
    dues: Sequence[DueRow],
    *,
    now: datetime,
    actor: str,
) -> set[str]:
    """Write invoices, given in the order of their numbers, with all that begins with them; returns the ids that won."""
    added = session.execute(
        _ADD_INVOICES,
        {
            "creditor": str(creditor_id), "now": now, "actor": actor, "prefix": f"invoice:{slug}:",
            **{name: _ended(column) for name, column in zip(InvoiceRow._fields, zip(*rows, strict=True), strict=True)},
            **{name: _ended(column) for name, column in zip(DueRow._fields, zip(*dues, strict=True), strict=True)},
        },
    )  # fmt: skip
    return set(added.scalars())


def _ended(values: Sequence[object]) -> str:
    """A column as one text; raises ValueError for a value that has the separator."""
    column = _SEPARATOR.join([*map(str, values), ""])
    if column.count(_SEPARATOR) != len(values):
        raise ValueError("a text that is stored has no control characters")
    return column
