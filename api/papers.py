"""What comes with an invoice: its documents, whether it reached its customer, and a due date that was only assumed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api.models import Closed, DoneOut, InvoiceOut, Reason, Word
from api.problems import responses
from api.security import Caller, caller
from ledger.delivery import record_delivery, told_of_delivery
from ledger.documents import add_document, documents_of, file_name, read_document
from ledger.due_dates import confirm_due_date
from ledger.reading import find_invoice
from ledger.replacing import links_of
from policies.intake import Problem, Unreadable
from policies.papers import DocumentIn, read_documents
from policies.typed import Day

router = APIRouter(prefix="/v1/invoices/{invoice_id}", tags=["Invoices"], responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Writer = Annotated[Caller, caller("invoices:write")]


class DeliveryIn(Closed):
    """What happened to the invoice on its way; `waived`: a person goes on without proof, and says why."""

    kind: Literal["delivered", "accepted", "rejected", "waived"] = Field(examples=["accepted"])
    on: Day = Field(examples=["2026-03-02"])
    source: Word = Field("person", description="who says so, in a word: tax_authority, portal, courier, person")
    reason: Reason | None = Field(None, description="needed to waive; why it came back, without personal data")


class DeliveryOut(BaseModel):
    """One word about the delivery."""

    kind: Literal["delivered", "accepted", "rejected", "waived"]
    on: date
    source: str
    reason: str
    by: str
    recorded_at: datetime


class DocumentOut(BaseModel):
    """A document that is kept; customers see it under the same name."""

    id: UUID
    kind: Literal["pdf", "xml", "other"]
    name: str
    media_type: str
    bytes: int
    sha256: str
    recorded_at: datetime
    erased: bool = Field(False, description="its content was erased with the customer it named")


class DocumentsOut(BaseModel):
    """The documents of an invoice, the PDF first."""

    documents: list[DocumentOut]


class DueConfirmIn(Closed):
    """The right day; left out, the assumed one is right."""

    due_on: Day | None = Field(None, examples=["2026-04-15"])


class OtherInvoice(BaseModel):
    """The invoice at the other end of a replacement."""

    id: UUID
    number: str


class InvoiceWithPapers(InvoiceOut):
    """An invoice in full, with what came with it."""

    delivery: list[DeliveryOut]
    documents: list[DocumentOut]
    replaces: OtherInvoice | None
    replaced_by: OtherInvoice | None


_AS_ASSUMED = DueConfirmIn(due_on=None)


@router.post("/delivery", response_model=DoneOut, summary="Say that it was delivered, accepted or came back")
def post_delivery(invoice_id: UUID, body: DeliveryIn, who: Writer, request: Request) -> DoneOut:
    """Where the manual asks for proof, overdue messages wait for it (F42). A rejection holds the invoice until it is issued
    again or accepted after all. Told again, nothing changes."""
    done = record_delivery(
        who.session, invoice_id, body.kind, body.on, source=body.source, reason=body.reason or "", actor=who.actor,
        now=request.app.state.clock.now(),
    )  # fmt: skip
    return DoneOut(changed=done)


@router.post("/due-date/confirm", response_model=DoneOut, summary="Confirm or correct an assumed due date")
def post_due_date(invoice_id: UUID, who: Writer, request: Request, body: DueConfirmIn = _AS_ASSUMED) -> DoneOut:
    """Until then only courtesy goes out, and no interest runs."""
    now = request.app.state.clock.now()
    return DoneOut(changed=confirm_due_date(who.session, invoice_id, due_on=body.due_on, now=now, actor=who.actor))


@router.get("/documents", response_model=DocumentsOut, summary="List its documents")
def get_documents(invoice_id: UUID, who: Reader) -> DocumentsOut:
    """Without their content."""
    find_invoice(who.session, invoice_id)
    return DocumentsOut(documents=_documents(who.session, invoice_id))


@router.post("/documents", response_model=DocumentsOut, summary="Add a document that came later")
def post_document(invoice_id: UUID, body: DocumentIn, who: Writer, request: Request) -> DocumentsOut:
    """It goes with the messages from now on, and the customer sees it. Told again, nothing changes."""
    wrong: list[Problem] = []
    read = read_documents([body], lambda pointer, what: wrong.append(Problem(pointer, what)), under="")
    if wrong:
        raise Unreadable([Problem(problem.pointer.removeprefix("/0"), problem.detail) for problem in wrong])
    state = request.app.state
    for document in read:
        add_document(who.session, state.sealer, invoice_id, document, actor=who.actor, now=state.clock.now())
    return DocumentsOut(documents=_documents(who.session, invoice_id))


@router.get(
    "/documents/{document_id}", summary="Download a document", response_class=Response,
    responses={200: {"description": "the document", "content": {"application/pdf": {}, "application/xml": {}}}},
)  # fmt: skip
def get_document(invoice_id: UUID, document_id: UUID, who: Reader, request: Request) -> Response:
    """Byte for byte as it was posted."""
    found = read_document(who.session, request.app.state.sealer, invoice_id, document_id)
    return Response(found.content, media_type=found.media_type, headers=as_download(found.name))


def as_download(name: str) -> dict[str, str]:
    """Headers under which a browser keeps the file and shows nothing of it."""
    return {
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip


def papers_of(session: Session, invoice_id: UUID) -> dict[str, Any]:
    """The members that InvoiceWithPapers adds."""
    told = [
        DeliveryOut(kind=r.kind, on=r.on_day, source=r.source, reason=r.reason, by=r.actor, recorded_at=r.recorded_at)
        for r in told_of_delivery(session, invoice_id)
    ]
    older, newer = (None if row is None else OtherInvoice(id=row.id, number=row.number) for row in links_of(session, invoice_id))
    return {"delivery": told, "documents": _documents(session, invoice_id), "replaces": older, "replaced_by": newer}


def _documents(session: Session, invoice_id: UUID) -> list[DocumentOut]:
    return [
        DocumentOut(
            id=row.id, kind=row.kind, name=file_name(row.number, row.kind), media_type=row.media_type, bytes=row.bytes,
            sha256=bytes(row.sha256).hex(), recorded_at=row.recorded_at, erased=row.erased,
        )
        for row in documents_of(session, invoice_id)
    ]  # fmt: skip
