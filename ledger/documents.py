"""The documents of an invoice, sealed under the master key: kept at intake, given to their creditor and to the customer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.ids import new_id
from ledger.refusals import not_found
from ledger.sealing import Sealer
from policies.papers import MEDIA_TYPES, Document

_ADD = text(
    "insert into document (id, creditor_id, invoice_id, kind, media_type, bytes, sha256, sealed, recorded_at)"
    " select :id, creditor_id, id, :kind, :media, :bytes, :sha256, :sealed, :now from invoice where id = :invoice"
    " on conflict (invoice_id, sha256) do nothing"
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


def documents_of(session: Session, invoice_id: UUID | str) -> Sequence[Row[Any]]:
    """The documents, the PDF first: id, kind, media_type, bytes, sha256, recorded_at, number."""
    return session.execute(
        text(
            "select d.id, d.kind, d.media_type, d.bytes, d.sha256, d.recorded_at, i.number from document d"
            " join invoice i on i.id = d.invoice_id where d.invoice_id = :id order by d.kind <> 'pdf', d.recorded_at, d.id"
        ),
        {"id": str(invoice_id)},
    ).all()


def read_document(session: Session, sealer: Sealer, invoice_id: UUID | str, document_id: UUID | str) -> File:
    """One document of that invoice; raises Refused `not-found`."""
    row = session.execute(
        text(
            "select d.kind, d.media_type, d.sealed, i.number from document d join invoice i on i.id = d.invoice_id"
            " where d.id = :id and d.invoice_id = :invoice"
        ),
        {"id": str(document_id), "invoice": str(invoice_id)},
    ).one_or_none()
    if row is None:
        raise not_found("document", document_id)
    return File(file_name(row.number, row.kind), row.media_type, sealer.unseal(row.sealed))


def pdf_of(session: Session, sealer: Sealer, invoice_id: UUID | str) -> File | None:
    """The invoice's PDF, the first that was kept; None where there is none."""
    row = session.execute(
        text("select d.id from document d where d.invoice_id = :id and d.kind = 'pdf' order by d.recorded_at, d.id limit 1"),
        {"id": str(invoice_id)},
    ).scalar()
    return None if row is None else read_document(session, sealer, invoice_id, row)


def file_name(number: str, kind: str) -> str:
    """`F-1001.pdf`: the invoice number, with what a file name cannot hold made dashes."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", number).strip("-.") or "invoice"
    return f"{stem}.{kind}" if kind in ("pdf", "xml") else stem
