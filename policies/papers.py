"""What comes with an invoice: terms in place of a due date, evidence of its delivery, its documents, the invoice it replaces."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from xml.parsers import expat

from pydantic import AfterValidator, Field

from policies.due_defaults import assumed_dues, default_table, legal_term
from policies.due_terms import Bases, Due, DueSource, MissingDay, TermsTable, UnknownTerm, dues_from
from policies.due_texts import rule_for
from policies.terms import Model
from policies.typed import STORABLE

if TYPE_CHECKING:
    from policies.intake_model import InvoiceIn

DOCUMENT_BYTES, DOCUMENTS_BYTES = 2 * 1024 * 1024, 5 * 1024 * 1024
"""The most that one document, and all documents of an invoice, may hold."""
MEDIA_TYPES = {"pdf": "application/pdf", "xml": "application/xml", "other": "application/octet-stream"}
Say = Callable[[str, str], None]
"""Takes a JSON pointer and what is wrong there."""
SourceWord = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


def _sha256(text: str) -> str:
    if len(text) != 64 or any(c not in "0123456789abcdef" for c in text):
        raise ValueError("sha256 is 64 small hexadecimal digits")
    return text


class DocumentIn(Model):
    """A file that belongs to the invoice. Customers see it as `<invoice number>.pdf`; the name given here is not kept."""

    kind: Literal["pdf", "xml", "other"] = Field(examples=["pdf"])
    name: str = Field("", max_length=200, pattern=STORABLE)
    content_base64: str = Field(
        min_length=4,
        max_length=4 * ((DOCUMENT_BYTES + 2) // 3) + 8,
        description="2 MB at most, decoded",
        examples=["JVBERi0xLjQ="],
    )
    sha256: Annotated[str, AfterValidator(_sha256)] | None = Field(None, description="of the content, in hexadecimal; checked")


class Document(NamedTuple):
    """A checked document."""

    kind: str
    content: bytes
    sha256: bytes


class Told(NamedTuple):
    """One word about the delivery: kind, the day, and who says so."""

    kind: Literal["delivered", "accepted", "rejected"]
    on: date
    source: str


class Papers(NamedTuple):
    """What came with an invoice, with everything filled in."""

    due_source: DueSource = "stated"
    due_terms: str = ""
    """The code or the rule that the due dates follow; with stated dates, what was said beside them."""
    terms: str = ""
    """The term as it was posted."""
    received_on: date | None = None
    told: tuple[Told, ...] = ()
    documents: tuple[Document, ...] = ()
    replaces: str = ""
    keep_age: bool = True


NO_PAPERS = Papers()


def read_papers(body: InvoiceIn, *, place: str, table: TermsTable | None, say: Say) -> tuple[tuple[Due, ...] | None, Papers]:
    """The due dates, where the body states none and they can be told otherwise (else None), and the papers."""
    terms = (body.terms or "").strip()
    dues: tuple[Due, ...] | None = None
    source: DueSource = "stated"
    named = terms
    if body.due_on is None and not body.instalments and body.amount_minor is not None:
        dues, source, named = _dues(body, terms, place, table or default_table(), say)
    days: tuple[tuple[Literal["delivered", "accepted", "rejected"], date | None], ...] = (
        ("delivered", body.delivered_on), ("accepted", body.accepted_on), ("rejected", body.rejected_on),
    )  # fmt: skip
    told = tuple(Told(kind, on, body.delivery_source or "billing_system") for kind, on in days if on is not None)
    for one in told:
        if one.on < body.issued_on:
            say(f"/{one.kind}_on", "that is before the invoice was issued: are the two dates exchanged?")
    if body.replaces is not None and body.replaces == body.number:
        say("/replaces", "an invoice cannot replace itself: give the old number here and the new one as number")
    documents = read_documents(body.documents, say, under="/documents")
    return dues, Papers(
        source, named[:60], terms, body.received_on, told, documents, body.replaces or "", body.keep_age
    )  # fmt: skip


def _dues(body: InvoiceIn, terms: str, place: str, table: TermsTable, say: Say) -> tuple[tuple[Due, ...] | None, DueSource, str]:
    amount, kind = body.amount_minor or 0, body.account.kind.value
    received = body.received_on or body.delivered_on or body.accepted_on
    bases = Bases(body.issued_on, received, body.accepted_on, place[:2], place[3:])
    if terms:
        try:
            known = rule_for(terms, table)
        except UnknownTerm as unknown:
            if legal_term(bases.country, kind, body.issued_on) is None:
                say("/terms", str(unknown))
                return None, "terms", terms
        else:
            try:
                return dues_from(known.rule, amount, bases), "terms", known.name
            except MissingDay:
                # The day it counts from will be known later; from the day of issue it is a guess, and marked as one.
                return dues_from(known.rule.model_copy(update={"base": "issue"}), amount, bases), "assumed", known.name
    dues, rule = assumed_dues(amount, bases, kind=kind)
    return dues, "assumed", rule


def read_documents(posted: Sequence[DocumentIn], say: Say, *, under: str) -> tuple[Document, ...]:
    """The documents that are what they say, each once; what is wrong with the others is said at a pointer under `under`."""
    found: dict[bytes, Document] = {}
    for index, given in enumerate(posted):
        at = f"{under}/{index}"
        try:
            content = base64.b64decode(given.content_base64, validate=True)
        except (binascii.Error, ValueError):
            say(f"{at}/content_base64", "this is not base64")
            continue
        wrong = wrong_content(given.kind, content)
        digest = hashlib.sha256(content).digest()
        if wrong:
            say(f"{at}/content_base64", wrong)
        elif given.sha256 is not None and given.sha256 != digest.hex():
            say(f"{at}/sha256", "the content has another sha256: it was changed or cut on its way")
        else:
            found[digest] = Document(given.kind, content, digest)
    if sum(len(one.content) for one in found.values()) > DOCUMENTS_BYTES:
        say(under, f"the documents of one invoice hold at most {DOCUMENTS_BYTES // 1024 // 1024} MB together")
    return tuple(found.values())


def wrong_content(kind: str, content: bytes) -> str:
    """Why the content is not what its kind says, or empty. XML with entities of its own is refused: it could be a bomb."""
    if len(content) > DOCUMENT_BYTES:
        return f"a document holds at most {DOCUMENT_BYTES // 1024 // 1024} MB"
    if kind == "pdf" and not content.startswith(b"%PDF-"):
        return "this is not a PDF"
    if kind == "xml":
        return _wrong_xml(content)
    return ""


def _wrong_xml(content: bytes) -> str:
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> int:
        raise _Entities

    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(content, True)
    except _Entities:
        return "this XML declares entities: send it without a document type of its own"
    except (expat.ExpatError, ValueError):
        return "this is not well-formed XML"
    return ""


class _Entities(Exception):
    """An entity is declared in the document."""


def papers_as_posted(papers: Papers) -> dict[str, Any]:
    """What the accepted body keeps of the papers: only what was given; of documents their kind and sha256."""
    given: dict[str, Any] = {
        "terms": papers.terms,
        "received_on": papers.received_on.isoformat() if papers.received_on else "",
        "delivery": [{"kind": one.kind, "on": one.on.isoformat(), "source": one.source} for one in papers.told],
        "documents": [{"kind": one.kind, "sha256": one.sha256.hex()} for one in sorted(papers.documents, key=lambda d: d.sha256)],
        "replaces": papers.replaces,
        "keep_age": "" if papers.keep_age else "no",
    }
    return {name: value for name, value in given.items() if value}
