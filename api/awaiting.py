"""For systems: what waits for a person, which the console shows too: open tasks and their end, and debts for the agency."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from api.models import Closed
from api.payment_data import DoneFlag
from api.problems import responses
from api.security import Caller, caller
from ledger.awaiting import PlacementState, placements_page, tasks_page
from ledger.task_acts import ENDS_ELSEWHERE, finish_task
from policies.terms import MinorUnits

router = APIRouter(prefix="/v1", responses=responses(401, 403, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Decider = Annotated[Caller, caller("decisions:write")]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=500)]


class TaskOut(BaseModel):
    """Something a person is asked to do; no personal data."""

    id: UUID
    kind: str = Field(description="approve_placement, answer_dispute, find_payment, read_reply, ...")
    invoice_id: UUID | None
    number: str | None = Field(description="of the invoice; null where the task is about an account or about money of no invoice")
    account_ref: str | None
    why: str
    due_at: datetime
    created_at: datetime
    assigned_to: str | None = Field(description="the login of who does it")
    ends_with: str | None = Field(
        description="the act that ends it by itself; null where `POST /v1/tasks/{task_id}/done` says that it is done"
    )


class TaskDoneIn(Closed):
    """How a task ended, in one word of your own list."""

    outcome: str = Field("done", pattern=r"^[a-z][a-z_]{1,39}$", examples=["answered"])


class TasksOut(BaseModel):
    """Some of the open tasks; `cursor` fetches what follows and is null at the end."""

    tasks: list[TaskOut]
    cursor: str | None


class PlacementOut(BaseModel):
    """Keeping or placing a debt: what was compared, what the figures recommend, and what became of it."""

    id: UUID
    invoice_id: UUID
    number: str
    account_ref: str
    currency: str
    state: PlacementState = Field(
        description="lapsed: nobody answered before the deadline, the debt ended otherwise, or its ladder began anew"
    )
    recommend: Literal["place", "keep"]
    figures: dict[str, int] = Field(
        description="in minor units, as of the proposal: balance_minor, expected_house_minor, house_cost_minor,"
        " agency_gross_minor, commission_minor, expected_agency_minor, advantage_minor, minimum_minor"
    )
    payable_minor: MinorUnits = Field(description="what may be asked now")
    proposed_at: datetime
    decide_by: datetime = Field(description="without an answer before it the proposal counts as declined")
    decided_by: str | None
    decided_at: datetime | None
    placed_at: datetime | None
    return_by: datetime | None
    ended_at: datetime | None


class PlacementsOut(BaseModel):
    """Some of the placements; `cursor` fetches what follows and is null at the end."""

    placements: list[PlacementOut]
    cursor: str | None


@router.get("/tasks", tags=["Tasks"], summary="List open tasks")
def get_tasks(
    who: Reader,
    kind: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{1,59}$", examples=["approve_placement"])] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> TasksOut:
    """The most urgent first; follow `cursor` for more."""
    page = tasks_page(who.session, kind=kind, limit=limit, cursor=cursor)
    return TasksOut(
        tasks=[TaskOut(**row._mapping, ends_with=ENDS_ELSEWHERE.get(row.kind)) for row in page.rows], cursor=page.cursor
    )


@router.post("/tasks/{task_id}/done", tags=["Tasks"], summary="Say that a task is done", responses=responses(404, 409))
def post_task_done(task_id: UUID, body: TaskDoneIn, who: Decider, request: Request) -> DoneFlag:
    """What waited for it goes on: an answered reply, a promise of ours that was kept."""
    finish_task(who.session, task_id, outcome=body.outcome, actor=who.actor, now=request.app.state.clock.now())
    return DoneFlag()


@router.get("/placements", tags=["Placement"], summary="List placements, those that wait for a decision first of all")
def get_placements(
    who: Reader,
    request: Request,
    state: Annotated[PlacementState, Query(description="`proposed`: it may still be approved or declined")] = "proposed",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PlacementsOut:
    """The earliest deadline first; follow `cursor` for more. `/invoices/{invoice_id}/placement/approve` or `decline` decides."""
    now: datetime = request.app.state.clock.now()
    page = placements_page(who.session, state=state, now=now, limit=limit, cursor=cursor)
    return PlacementsOut(placements=[PlacementOut(**row._mapping) for row in page.rows], cursor=page.cursor)
