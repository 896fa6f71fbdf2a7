"""What people did by themselves, told by the creditor's systems, and the list of every contact of an invoice (F48)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.examples import MANUAL_CONTACT
from api.models import ClientRef, Closed, Word
from api.problems import responses
from api.security import Caller, caller
from ledger import manual_contacts
from ledger.manual_contacts import MadeBy
from ledger.reading import find_invoice
from policies.facts import Outcome
from policies.terms import Instant, MinorUnits

router = APIRouter(prefix="/v1/invoices", tags=["Contacts"], responses=responses(401, 403, 404, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Writer = Annotated[Caller, caller("invoices:write")]


class ContactIn(Closed):
    """A contact that a person made or received about an invoice. Words of lists only: leave what was said in your own system."""

    ref: ClientRef = Field(description="your own id of this contact; told again, it is the same one", examples=["call-2026-118"])
    channel: MadeBy = Field(examples=["call"])
    direction: Literal["out", "in"] = Field("out", description="`in`: the customer began it", examples=["out"])
    at: Instant = Field(description="when it was; not in the future and not over 90 days ago")
    outcome: Outcome = Field(
        description="`conversation` counts for `after_contact_days` of the ladder; `not_connected` and `no_message_possible` do"
        " not count towards the house's limits; `wrong_number` counts as no contact and retires the address",
        examples=["conversation"],
    )
    person_id: UUID | None = Field(None, description="left out, the account's first person")
    address_id: UUID | None = Field(None, description="for a wrong number of a person with several: which one")
    note_code: Word | None = Field(
        None, description="one word of your own list; never a person's text", examples=["asked_for_copy"]
    )


class ContactKept(BaseModel):
    """The contact's id; `same`: it was told before, with the same content."""

    id: UUID
    status: Literal["created", "same"]


class ContactOut(BaseModel):
    """One contact. `rung`, `key`, `template` and the sum: sent by itself; `ref` and `note_code`: told."""

    id: UUID
    made: Literal["automatic", "manual"]
    channel: str = Field(description="email, sms, whatsapp, voice (a call), letter or visit")
    direction: Literal["out", "in"]
    outcome: str = Field(
        description="automatic: claimed, calling, accepted, delivered, failed or unknown; manual: as it was told"
    )
    at: datetime
    at_local: datetime = Field(description="the same moment on the customer's clock, without its offset")
    zone: str
    person_id: UUID | None
    address_id: UUID | None
    rung: str | None
    key: str | None
    template: str | None
    amount_minor: MinorUnits | None
    currency: str | None
    ref: str | None
    note_code: str
    recorded_by: str | None
    folded_into: UUID | None = Field(description="the contact of another rung or invoice whose one message carried this one too")


class ContactPageOut(BaseModel):
    """Some of the contacts, oldest first; `cursor` fetches what follows and is null at the end."""

    contacts: list[ContactOut]
    cursor: str | None


@router.post(
    "/{invoice_id}/contacts", status_code=201, response_model=ContactKept, summary="Tell of a contact that a person made",
    responses={200: {"model": ContactKept, "description": "told before, with the same content"}, **responses(409)},
    openapi_extra={"requestBody": {"content": {"application/json": {"example": MANUAL_CONTACT}}}},
)  # fmt: skip
def post_contact(invoice_id: UUID, body: ContactIn, who: Writer, request: Request, response: Response) -> ContactKept:
    """It counts towards the limits of the customer, whichever invoice it was about. Idempotent by `ref`: 201 new, 200 the same
    again, 409 the same ref with another content."""
    made = manual_contacts.Made(
        ref=body.ref, channel=body.channel, direction=body.direction, outcome=body.outcome, at=body.at,
        note_code=body.note_code or "", person_id=body.person_id, address_id=body.address_id,
    )  # fmt: skip
    kept = manual_contacts.record(who.session, invoice_id, made, now=request.app.state.clock.now(), actor=who.actor)
    response.status_code = 201 if kept.new else 200
    return ContactKept(id=kept.id, status="created" if kept.new else "same")


@router.get("/{invoice_id}/contacts", summary="Every contact about an invoice, by us and by people")
def get_contacts(
    invoice_id: UUID,
    who: Reader,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ContactPageOut:
    """Oldest first; follow `cursor` for more. Slots that are only reserved are in the plan."""
    find_invoice(who.session, invoice_id)
    page = manual_contacts.contacts_of(who.session, invoice_id, limit=limit, cursor=cursor)
    rows = [
        ContactOut(
            id=row.id, made=row.made, channel=row.channel, direction=row.direction, outcome=row.outcome, at=row.at_utc,
            at_local=row.at_local, zone=row.zone, person_id=row.person_id, address_id=row.address_id, rung=row.rung, key=row.key,
            template=row.template, amount_minor=row.amount_minor, currency=row.currency, ref=row.ref, note_code=row.note_code,
            recorded_by=row.recorded_by, folded_into=row.folded_into,
        )
        for row in page.rows
    ]  # fmt: skip
    return ContactPageOut(contacts=rows, cursor=page.cursor)
