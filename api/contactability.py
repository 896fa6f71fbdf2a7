"""`GET /v1/debtors/{id}/contactability`: may this debtor be contacted by this channel at a moment, and if not, when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import Field

from api.problems import responses
from api.security import Caller, caller
from ledger.facts import gather
from ledger.reading import debtor_invoice
from ledger.refusals import Refused, not_found
from ledger.stops import account_by_ref
from policies.law.packs import HOUSE, rule_index
from policies.reachable import Answer, contactability
from policies.terms import Channel, Instant, Model

router = APIRouter(prefix="/v1/debtors", tags=["Explain"], responses=responses(401, 403, 404, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
AHEAD_DAYS = 730


class RuleOut(Model):
    """A rule that speaks against the asked moment."""

    id: str
    basis: Literal["law", "guidance", "house"]
    text: str | None = None
    citation: str | None = None
    source: str | None = None
    confidence: Literal["high", "medium", "low"] | None = None


class PersonAnswer(Model):
    """The answer for one person at one address."""

    person_id: UUID | None
    role: str
    verdict: Literal["allow", "deny"]
    next_allowed_at: datetime | None
    why: str
    rules: tuple[str, ...]
    confirmed: bool = Field(
        description="false: a telephone whose holder nobody confirmed; it may be asked whose it is and told nothing of the debt"
    )


class ContactabilityOut(Model):
    """The best answer among the people of the account, and each of them."""

    channel: Channel
    at: datetime
    at_local: datetime
    zone: str
    verdict: Literal["allow", "deny"]
    next_allowed_at: datetime | None
    next_allowed_local: datetime | None
    why: str
    rules: tuple[RuleOut, ...]
    people: tuple[PersonAnswer, ...]
    jurisdictions: tuple[str, ...]
    zones: tuple[str, ...]


@router.get("/{debtor}/contactability", summary="May this debtor be contacted now, and if not, from when on")
def read_contactability(
    debtor: str,
    who: Reader,
    request: Request,
    channel: Annotated[Channel, Query(description="the channel; `voice` is a call")],
    at: Annotated[Instant | None, Query(description="the moment, with its offset; now if left out")] = None,
    by: Annotated[
        Literal["machine", "person"], Query(description="person: somebody of yours calls or writes, and the caps for people hold")
    ] = "machine",
) -> ContactabilityOut:
    """Law, limits, consent and the account's condition together; `debtor` is your own reference of the account, or its id."""
    now: datetime = request.app.state.clock.now()
    asked = at or now
    if not now - timedelta(days=AHEAD_DAYS) <= asked <= now + timedelta(days=AHEAD_DAYS):
        raise Refused("at", f"the moment must lie within {AHEAD_DAYS} days of now", status=422)
    sealer = request.app.state.sealer
    account = account_by_ref(who.session, who.creditor_id, (debtor, sealer.opaque_ref(debtor)))
    invoice_id = debtor_invoice(who.session, account or _as_id(debtor))
    if invoice_id is None:
        raise not_found("debtor", debtor)
    facts, manual = gather(who.session, invoice_id, asked)
    answers = contactability(facts, manual, channel, asked, by=by)
    best, zone = answers[0], ZoneInfo(facts.zone)
    law = facts.law
    return ContactabilityOut(
        channel=channel, at=asked, at_local=asked.astimezone(zone), zone=facts.zone,
        verdict="allow" if best.allowed else "deny",
        next_allowed_at=None if best.allowed else best.at,
        next_allowed_local=None if best.allowed or best.at is None else best.at.astimezone(zone),
        why=best.why, rules=tuple(_rule(rule) for rule in best.rules), people=tuple(_person(answer) for answer in answers),
        jurisdictions=tuple(code for code in law.packs if code != HOUSE) if law else (),
        zones=law.zones if law else (facts.zone,),
    )  # fmt: skip


def _as_id(debtor: str) -> UUID | None:
    try:
        return UUID(debtor)
    except ValueError:
        return None


def _person(answer: Answer) -> PersonAnswer:
    return PersonAnswer(
        person_id=UUID(answer.person_id) if answer.person_id else None, role=answer.role,
        verdict="allow" if answer.allowed else "deny", next_allowed_at=None if answer.allowed else answer.at, why=answer.why,
        rules=answer.rules, confirmed=answer.confirmed,
    )  # fmt: skip


def _rule(rule_id: str) -> RuleOut:
    rule = rule_index().get(rule_id)
    if rule is None:
        return RuleOut(id=rule_id, basis="house")
    return RuleOut(
        id=rule_id, basis=rule.basis, text=rule.text, citation=rule.citation, source=rule.source, confidence=rule.confidence
    )
