"""Where the creditor's own list of open items shows more than is known here to be owed."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.problems import responses
from api.security import Caller, caller
from ledger.snapshots import differences

router = APIRouter(prefix="/v1/snapshots", tags=["Explain"], responses=responses(401, 403, 429))


class DifferenceOut(BaseModel):
    """One invoice; sums in minor units."""

    invoice_id: UUID
    number: str
    currency: str
    as_of: date = Field(description="the day whose end the list describes")
    erp_minor: int = Field(description="what the list shows as open")
    balance_minor: int = Field(description="what is owed here now")
    differs_minor: int = Field(description="how much more the list showed than was owed here at the end of that day")
    state: str = Field(description="open, or how the invoice ended here")


class DifferencesOut(BaseModel):
    """Those of the last list that was applied, the largest gap first; overdue rungs of open ones are held."""

    differences: list[DifferenceOut]


@router.get("/differences", summary="Invoices that the creditor's own list shows higher")
def read_differences(who: Annotated[Caller, caller("invoices:read")]) -> DifferencesOut:
    """Invoices whose balance in the creditor's system is above ours: nothing is raised until they agree."""
    rows = differences(who.session, who.creditor_id)
    return DifferencesOut(differences=[DifferenceOut.model_validate(row, from_attributes=True) for row in rows])
