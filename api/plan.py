"""Explain the future and the past of one invoice: what will happen if nothing new comes, and what happened with its reasons."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from api.models import HistoryOut, Plan, PlannedStep
from api.problems import responses
from api.security import Caller, caller
from ledger.facts import gather_book
from ledger.history import history
from ledger.reading import find_invoice
from policies.forecast import BookEntry, Planned, forecast
from policies.steps import Close, Contact, Judge, Wait

router = APIRouter(prefix="/v1/invoices", tags=["Explain"], responses=responses(401, 403, 404, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]

_ALWAYS = ("payment in full", "cancellation", "write-off", "stop of the creditor")
_CANCELS_CONTACT = (
    *_ALWAYS, "promise or agreement", "dispute", "pause or other hold", "opt-out or suppression of the person",
    "reply that the invoice is paid", "a contact of another invoice that uses the same limit",
)  # fmt: skip
_CANCELS_WAIT = {
    "promise": (*_ALWAYS, "withdrawal of the agreement"),
    "pause": (*_ALWAYS, "resume"),
    "dispute": (*_ALWAYS, "the dispute is closed"),
    "approval": (*_ALWAYS, "approval or refusal by a person"),
    "agency": ("payment in full (recalls the debt)",),
    "stop": ("the stop is lifted",),
    "suppression": (*_ALWAYS, "the suppression is lifted"),
    "exemption": (*_ALWAYS, "the exemption is ended"),
}


def plan_of(book: list[BookEntry], invoice_id: str, *, now: datetime, until: datetime) -> list[PlannedStep]:
    """The future of one invoice out of its debtor's whole book; empty when the invoice is closed."""
    numbers = {entry.facts.invoice_id: entry.facts.order for entry in book}
    zones = {entry.facts.invoice_id: entry.facts.zone for entry in book}
    mine = (p for p in forecast(book, now=now, until=until) if p.invoice_id == invoice_id)
    return [_told(planned, numbers, zones[invoice_id]) for planned in mine]


def _told(planned: Planned, numbers: dict[str, str], zone: str) -> PlannedStep:
    step = planned.step
    return PlannedStep(
        invoice_id=UUID(planned.invoice_id), number=numbers[planned.invoice_id], what=step.kind, at=planned.at,
        at_local=planned.at.astimezone(ZoneInfo(zone)), rung=getattr(step, "rung", None), channel=getattr(step, "channel", None),
        amount_minor=getattr(step, "amount_minor", None), why=step.why, rules=list(step.rules),
        depends_on=sorted(numbers[other] for other in planned.depends_on if other in numbers),
        together_with=numbers.get(planned.together_with), cancelled_by=list(_cancels(planned)),
    )  # fmt: skip


def _cancels(planned: Planned) -> Iterable[str]:
    if isinstance(planned.step, Contact):
        return _CANCELS_CONTACT
    if isinstance(planned.step, Wait):
        return _CANCELS_WAIT.get(planned.step.until, _ALWAYS)
    if isinstance(planned.step, Close):
        return ()
    if isinstance(planned.step, Judge):
        return ("payment of what was agreed", "withdrawal of the agreement")
    return _ALWAYS


def foresee(session: Session, account_id: UUID, invoice_id: UUID, *, now: datetime, days: int = 365) -> Plan:
    """The plan of an invoice of that account, `days` ahead, as the ledger stands in this transaction."""
    until = now + timedelta(days=days)
    book = gather_book(session, account_id, now)
    return Plan(invoice_id=invoice_id, as_of=now, until=until, steps=plan_of(book, str(invoice_id), now=now, until=until))


@router.get("/{invoice_id}/plan", summary="What will happen, when and why")
def read_plan(
    invoice_id: UUID,
    who: Reader,
    request: Request,
    days: Annotated[int, Query(ge=1, le=730, description="how far ahead to look, in days")] = 365,
) -> Plan:
    """The steps to come: when, why, and what would cancel each; the policy run forward over the debtor's whole book."""
    view = find_invoice(who.session, invoice_id)
    return foresee(who.session, view.row.account_id, invoice_id, now=request.app.state.clock.now(), days=days)


@router.get("/{invoice_id}/history", summary="What happened, by whom and why", response_model_exclude_unset=True)
def read_history(invoice_id: UUID, who: Reader) -> HistoryOut:
    """In order: each fact, decision and contact with its reason, rule ids and versions."""
    find_invoice(who.session, invoice_id)
    return HistoryOut.model_validate({"invoice_id": invoice_id, "events": history(who.session, invoice_id)})
