"""Tomorrow's list for systems: what waits for a person's approval, and what the person said. The console has a page for it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, model_validator

from api.problems import responses
from api.security import Caller, caller
from ledger import approvals
from ledger.refusals import not_found
from policies.terms import MinorUnits, Model
from policies.typed import Day

router = APIRouter(prefix="/v1/approvals", tags=["Approvals"], responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Decider = Annotated[Caller, caller("decisions:write")]
IDS_MAX = 10_000


class ApprovalOut(BaseModel):
    """One contact that needs a person's approval. Its words are shown in the console only: they name people."""

    id: UUID
    invoice_id: UUID
    number: str
    account_ref: str
    key: str
    rung: str
    channel: str
    template: str
    amount_minor: MinorUnits = Field(description="as shown; when it goes it may ask less, never more")
    currency: str
    planned_at: datetime
    why: str
    state: Literal["proposed", "approved", "declined", "expired", "watched"] = Field(
        description="watched: nothing of it goes, it only shows what would"
    )
    together_with: str | None = Field(description="the invoice in whose message it goes")
    decided_by: str | None
    decided_at: datetime | None
    good_until: datetime | None
    went: str | None = Field(description="what became of the contact, once it was made")


class ApprovalsOut(BaseModel):
    """The list of one working day."""

    day: date | None = Field(description="null before the first list was drawn")
    contacts: list[ApprovalOut]


class ApprovalsIn(Model):
    """What to approve and what to decline; the rest stays as it is and is held."""

    day: Day = Field(examples=["2026-03-19"])
    approve: Literal["all"] | Annotated[tuple[UUID, ...], Field(max_length=IDS_MAX)] = Field((), examples=["all"])
    decline: Annotated[tuple[UUID, ...], Field(max_length=IDS_MAX)] = ()
    by: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,40}$", description="who decided; a reference, no name", examples=["staff-17"])

    @model_validator(mode="after")
    def _something(self) -> ApprovalsIn:
        if not self.approve and not self.decline:
            raise ValueError("give ids to approve or to decline, or approve: all")
        return self


class DecidedOut(BaseModel):
    """How many contacts changed; those that were decided before, or went, are not among them."""

    approved: int
    declined: int


@router.get("", summary="What waits for approval, and what was decided")
def read_approvals(
    who: Reader, day: Annotated[date | None, Query(description="the working day of the list; left out, the latest")] = None
) -> ApprovalsOut:
    """By rung, account and number."""
    wanted = day or approvals.last_list(who.session, who.creditor_id)
    rows = approvals.listed(who.session, who.creditor_id, wanted) if wanted is not None else []
    contacts = [
        ApprovalOut(
            id=row.id, invoice_id=row.invoice_id, number=row.number, account_ref=row.account_ref, key=row.key, rung=row.rung,
            channel=row.channel, template=row.template, amount_minor=row.amount_minor, currency=row.currency,
            planned_at=row.planned_at, why=row.why, state=row.state, together_with=row.with_number,
            decided_by=row.decided_by or None, decided_at=row.decided_at, good_until=row.good_until, went=row.went,
        )
        for row in rows
    ]  # fmt: skip
    return ApprovalsOut(day=wanted, contacts=contacts)


@router.post("", summary="Approve or decline contacts of a day's list")
def decide_approvals(body: ApprovalsIn, who: Decider, request: Request) -> DecidedOut:
    """404 when no list of that day was drawn, 409 when that day is over. `all` approves what is left and not declined here."""
    if not approvals.has_list(who.session, who.creditor_id, body.day):
        raise not_found("list", body.day.isoformat())
    actor = f"{who.actor} for {body.by}" if body.by else who.actor
    approved, declined = approvals.decide(
        who.session, who.creditor_id, body.day, approve=None if body.approve == "all" else body.approve, decline=body.decline,
        actor=actor, now=request.app.state.clock.now(),
    )  # fmt: skip
    return DecidedOut(approved=approved, declined=declined)
