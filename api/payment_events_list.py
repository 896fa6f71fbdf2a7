"""For operations: gateways' events that were acknowledged and are not applied yet, or could not be."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.payment_data import DoneFlag
from api.problems import responses
from api.security import Caller, caller
from ledger.inbox_list import EventState, listed, try_again

router = APIRouter(prefix="/v1", tags=["Payment data"], responses=responses(401, 403, 404, 409, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Cashier = Annotated[Caller, caller("payments:write")]
_BIGINT = 2**63 - 1


class StoredEventOut(BaseModel):
    """An event of a gateway; what it holds is not shown."""

    id: int
    source: str = Field(description="standard, stripe or wompi")
    event_id: str = Field(description="the gateway's own id: look it up there by it")
    account_ref: str | None = Field(description="about whom; null where that is not known, and it holds back every contact")
    received_at: datetime
    tries: int
    why: str | None = Field(description="why it could not be applied; null while it waits")


class StoredEventsOut(BaseModel):
    """Some of the events, in the order of arrival; the last one's `id` as `after` fetches what follows."""

    events: list[StoredEventOut]


@router.get("/payment-events", summary="List gateways' events that are not applied")
def get_events(
    who: Reader,
    state: Annotated[
        EventState, Query(description="`waiting`: tried again by itself, no contact passes it; `failed`: given to a person")
    ] = "failed",
    after: Annotated[int, Query(ge=0, le=_BIGINT)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> StoredEventsOut:
    """An event that waits for more than a few seconds, or failed, is a fault that somebody should look at."""
    rows = listed(who.session, state=state, after=after, limit=limit)
    return StoredEventsOut(events=[StoredEventOut(**row._mapping) for row in rows])


@router.post("/payment-events/{stored_event}/again", summary="Apply an event that failed after all")
def post_again(stored_event: Annotated[int, Path(ge=1, le=_BIGINT)], who: Cashier) -> DoneFlag:
    """After its cause was mended; not when the money was recorded by hand. Its task is done when it is applied."""
    try_again(who.session, stored_event)
    return DoneFlag()
