"""The invoice's own document in the messages that bring it: the delivery check and those before the due date."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from channels import Attachment
from ledger.documents import pdf_of
from ledger.sealing import Sealer
from policies.delivery import CARRIES
from policies.facts import InvoiceFacts
from policies.steps import Contact
from policies.terms import Channel

ATTACHED_BYTES = 8 * 1024 * 1024
"""The most that documents may add to one message; mail servers refuse much more."""

_CARRIED = text(
    "update contact set carried_document = true where (id = :contact or folded_into = :contact)"
    " and invoice_id = any(cast(:invoices as uuid[]))"
)


def papers_for(
    session: Session, sealer: Sealer, told: Iterable[tuple[InvoiceFacts, Contact]], contact_id: UUID
) -> tuple[Attachment, ...]:
    """The PDFs of the invoices that a message by e-mail is about, noted on its contact: delivered, it is evidence (F42)."""
    found: dict[str, Attachment] = {}
    room = ATTACHED_BYTES
    for facts, step in told:
        if step.channel is not Channel.EMAIL or step.template not in CARRIES or not facts.has_document:
            continue
        pdf = pdf_of(session, sealer, facts.invoice_id)
        if pdf is not None and facts.invoice_id not in found and len(pdf.content) <= room:
            found[facts.invoice_id] = Attachment(pdf.name, pdf.media_type, pdf.content)
            room -= len(pdf.content)
    if found:
        session.execute(_CARRIED, {"contact": str(contact_id), "invoices": list(found)})
    return tuple(found.values())
