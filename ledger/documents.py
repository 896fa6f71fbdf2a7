"""The documents of an invoice, sealed under the master key: kept at intake, given to their creditor and to the customer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.holds import locked_invoice
from ledger.ids import new_id
from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from policies.papers import DOCUMENTS_BYTES, MEDIA_TYPES, Document

_ADD = text(
    "insert into document (id, creditor_id, invoice_id, kind, media_type, bytes, sha256, sealed, recorded_at)"
    " select :id, creditor_id, id, :kind, :media, :bytes, :sha256, :sealed, :now from invoice where id = :invoice"
    " on conflict (invoice_id, sha256) do nothing"
)


_HELD = text(
    "select coalesce(sum(bytes), 0) as bytes, coalesce(bool_or(sha256 = :sha256), false) as known from document"
    " where invoice_id = :invoice"
)
_FORGET = text(
    "update document set sealed = null where invoice_id in (select i.id from invoice i join account a on a.id = i.account_id"
    " where a.id = :account and a.kind = 'consumer'"
    " and not exists (select 1 from person p where p.account_id = a.id and p.erased_at is null))"
)


class File(NamedTuple):
    """A document to hand over: a name made of the invoice number only."""

    name: str
    media_type: str
    content: bytes


def keep_documents(
    session: Session, sealer: Sealer, invoice_id: UUID | str, documents: Sequence[Document], *, now: datetime
) -> None:
    """Keep what is not kept yet."""
    for one in documents:
        session.execute(
            _ADD,
            {
                "id": new_id(), "invoice": str(invoice_id), "kind": one.kind, "media": MEDIA_TYPES[one.kind],
                "bytes": len(one.content), "sha256": one.sha256, "sealed": sealer.seal(one.content), "now": now,
            },
        )  # fmt: skip


def add_document(
    session: Session, sealer: Sealer, invoice_id: UUID | str, document: Document, *, actor: str, now: datetime
) -> bool:
    """Keep a document that came after its invoice, which then goes with the messages; False when it was known.

    Raises Refused `not-found`, `documents-too-large`.
    """
    invoice = locked_invoice(session, invoice_id)
    held = session.execute(_HELD, {"invoice": invoice.id, "sha256": document.sha256}).one()
    if held.known:
        return False
    if held.bytes + len(document.content) > DOCUMENTS_BYTES:
        said = f"the documents of one invoice hold at most {DOCUMENTS_BYTES // 1024 // 1024} MB together"
        raise Refused("documents-too-large", said, status=422)
    keep_documents(session, sealer, invoice.id, [document], now=now)
    detail = {"kind": document.kind, "sha256": document.sha256.hex()}
    note_fact(session, invoice.id, at=now, kind="document_added", detail=detail, actor=actor, note=document.kind)
    return True


def forget_documents(session: Session, account_id: UUID | str) -> None:
    """A consumer's documents name the consumer: with the last person of the account their content goes, their sha256 stays."""
    session.execute(_FORGET, {"account": str(account_id)})


def documents_of(session: Session, invoice_id: UUID | str) -> Sequence[Row[Any]]:
    """The documents, the PDF first: id, kind, media_type, bytes, sha256, recorded_at, erased, number."""
    return session.execute(
        text(
            "select d.id, d.kind, d.media_type, d.bytes, d.sha256, d.recorded_at, d.sealed is null as erased, i.number"
            " from document d join invoice i on i.id = d.invoice_id where d.invoice_id = :id"
            " order by d.kind <> 'pdf', d.recorded_at, d.id"
        ),
        {"id": str(invoice_id)},
    ).all()


def read_document(session: Session, sealer: Sealer, invoice_id: UUID | str, document_id: UUID | str) -> File:
    """One document of that invoice; raises Refused `not-found`, `document-erased`."""
    row = session.execute(
        text(
            "select d.kind, d.media_type, d.sealed, i.number from document d join invoice i on i.id = d.invoice_id"
            " where d.id = :id and d.invoice_id = :invoice"
        ),
        {"id": str(document_id), "invoice": str(invoice_id)},
    ).one_or_none()
    if row is None:
        raise not_found("document", document_id)
    if row.sealed is None:
        raise Refused("document-erased", "its content was erased with the customer; only its sha256 is kept", status=410)
    return File(file_name(row.number, row.kind), row.media_type, sealer.unseal(row.sealed))


def pdf_of(session: Session, sealer: Sealer, invoice_id: UUID | str) -> File | None:
    """The invoice's PDF, the first that was kept; None where there is none."""
    row = session.execute(
        text(
            "select d.id from document d where d.invoice_id = :id and d.kind = 'pdf' and d.sealed is not null"
            " order by d.recorded_at, d.id limit 1"
        ),
        {"id": str(invoice_id)},
    ).scalar()
    return None if row is None else read_document(session, sealer, invoice_id, row)


def file_name(number: str, kind: str) -> str:
    """`F-1001.pdf`: the invoice number, with what a file name cannot hold made dashes."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", number).strip("-.") or "invoice"
    return f"{stem}.{kind}" if kind in ("pdf", "xml") else stem
