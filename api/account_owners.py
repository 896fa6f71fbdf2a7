"""Who of the creditor's people answers for a customer: told of firm rungs before they go, and may hold each invoice once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from api.models import Closed, DoneOut
from api.problems import responses
from api.security import Caller, caller
from ledger.account_owners import assign_owner
from ledger.refusals import not_found
from ledger.stops import account_by_ref

router = APIRouter(prefix="/v1/accounts", tags=["Accounts"], responses=responses(401, 403, 404, 422, 429))
Decider = Annotated[Caller, caller("decisions:write")]


class OwnerIn(Closed):
    """The login of one of the creditor's people."""

    login: str | None = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{1,39}$", description="as in `puntual staff list`; null: nobody", examples=["sales-3"]
    )


@router.post("/{account_ref}/owner", summary="Say who answers for an account")
def post_owner(account_ref: str, body: OwnerIn, who: Decider, request: Request) -> DoneOut:
    """Two working days before each firm rung they get a task, and may hold the invoice once; 422 for a login that is none."""
    refs = (account_ref, request.app.state.sealer.opaque_ref(account_ref))
    found = account_by_ref(who.session, who.creditor_id, refs)
    if found is None:
        raise not_found("account", account_ref)
    now = request.app.state.clock.now()
    return DoneOut(changed=assign_owner(who.session, found, body.login or "", actor=who.actor, now=now))
