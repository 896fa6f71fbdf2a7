"""The locks of a payment, in one order: all its references, then the debtor; and what must be read under them.

A webhook waits for each round trip, so that what can share one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.refusals import not_found

_COLUMNS = (
    "i.id, i.account_id, i.number, i.currency, i.status, i.outcome, i.outcome_at, i.balance_minor, i.payment_currency, a.zone,"
    " exists (select 1 from entry e where e.invoice_id = i.id and e.kind = 'erp_adjustment') as adjusted"
)
_INVOICE = text(f"select {_COLUMNS} from invoice i join account a on a.id = i.account_id where i.id = :id")
_LOCK_REFS = text("select pg_advisory_xact_lock(hashtextextended(k, 1)) from unnest(cast(:keys as text[])) as k")
# Three statements in one round trip. Each has a snapshot of its own, so the last sees what was committed while it waited.
_LOCK_AND_READ = text(
    "select pg_advisory_xact_lock(hashtextextended(:key, 1));"
    " select pg_advisory_xact_lock(hashtextextended(coalesce(a.payer_id, a.id)::text, 0)) from invoice i"
    " join account a on a.id = i.account_id where i.id = :invoice;"
    f" select {_COLUMNS}, (select p.id from payment p where p.creditor_id = :creditor and p.source = :source"
    " and p.source_ref = :ref and p.kind = 'payment') as known"
    " from (values (1)) one left join (invoice i join account a on a.id = i.account_id) on i.id = :invoice"
)


def lock_refs(session: Session, creditor_id: UUID | str, source: str, refs: Sequence[str]) -> None:
    """A payment and the reversal of it never pass each other unseen, whatever each calls it; in one order, so that none waits for
    another that waits for it."""
    session.execute(_LOCK_REFS, {"keys": sorted({_key(creditor_id, source, ref) for ref in refs})})


def lock_and_read(
    session: Session, creditor_id: UUID | str, source: str, ref: str, invoice_id: UUID | str | None
) -> tuple[Row[Any] | None, Row[Any] | None]:
    """Lock one reference and the invoice's debtor; the invoice, and the payment that is kept under that reference, if any.

    Raises Refused `not-found` for an invoice that is not here.
    """
    row = session.execute(
        _LOCK_AND_READ,
        {
            "key": _key(creditor_id, source, ref), "invoice": None if invoice_id is None else str(invoice_id),
            "creditor": str(creditor_id), "source": source, "ref": ref,
        },
    ).one()  # fmt: skip
    if invoice_id is not None and row.id is None:
        raise not_found("invoice", invoice_id)
    known = None
    if row.known is not None:
        known = session.execute(text("select * from payment where id = :id"), {"id": row.known}).one()
    return (None if row.id is None else row), known


def read_invoice(session: Session, invoice_id: UUID | str) -> Row[Any]:
    """What a payment must know of its invoice; raises Refused `not-found`."""
    invoice = session.execute(_INVOICE, {"id": str(invoice_id)}).one_or_none()
    if invoice is None:
        raise not_found("invoice", invoice_id)
    return invoice


def _key(creditor_id: UUID | str, source: str, ref: str) -> str:
    return f"payment:{creditor_id}:{source}:{ref}"
