"""What a person does with a task on the page of tasks: takes it, gives it back, says how it ended."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.console_acting import Acting, acting
from api.console_session import PATH, PageRoute
from ledger.insolvency import ANSWERS as CLAIM_ANSWERS
from ledger.insolvency import TASK as CLAIM
from ledger.refusals import Refused
from ledger.task_acts import finish_task, take_task

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)
Collector = Annotated[Acting, acting("collector")]
OUTCOMES = ("done", "found", "not_found", "not_needed", "let_it_go")
OUTCOMES_OF = {"firm_rung_yes": ("yes", "no"), "match_payment": ("found", "not_ours"), CLAIM: CLAIM_ANSWERS}
"""How a task ended, as a person says it; what was promised to a customer is kept or not, and is only `done`."""


@router.post("/tasks/{task_id}/take")
def take(task_id: UUID, who: Collector, request: Request) -> Response:
    """Assign it to me."""
    return _done(who, request, task_id, "task_taken")


@router.post("/tasks/{task_id}/give-back")
def give_back(task_id: UUID, who: Collector, request: Request) -> Response:
    """Assign it to nobody."""
    return _done(who, request, task_id, "task_given_back")


@router.post("/tasks/{task_id}/done")
def done(task_id: UUID, who: Collector, request: Request, outcome: Annotated[str, Form(max_length=40)] = "done") -> Response:
    """Say that it is done, and how it ended."""
    if outcome not in {*OUTCOMES, *chain.from_iterable(OUTCOMES_OF.values())}:
        raise Refused("task-outcome", f"Say how it ended: {', '.join(OUTCOMES)}.", status=422)
    return _done(who, request, task_id, "task_done", outcome)


def _done(who: Acting, request: Request, task_id: UUID, act: str, outcome: str = "") -> Response:
    now: datetime = request.app.state.clock.now()
    if not who.taken_before():
        if act == "task_done":
            finish_task(who.session, task_id, outcome=outcome, actor=who.actor, now=now, role=who.role)
        else:
            take_task(who.session, task_id, who.login if act == "task_taken" else None, now=now)
        who.note(act, f"task:{task_id}", {"outcome": outcome} if outcome else {}, now)
    return RedirectResponse(f"{PATH}/tasks", 303)
