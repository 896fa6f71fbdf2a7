"""The call: whom, with which words, what may be offered, and how it ended. Names and numbers are for signed-in staff only."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from sqlalchemy.orm import Session

from api import console_pages as pages
from api.console_acting import Acting, acting, new_once
from api.console_acts import day_of, id_of
from api.console_deeds import Refusal, do, minor, page_of
from api.console_script import script_for
from api.console_session import NO_NUL, PATH, Looker, PageRoute, Who
from api.problems import Stop
from ledger import overview
from ledger.audit import note_act
from ledger.calls import DISPUTES, RESULTS, Call, log_call
from ledger.facts import gather
from ledger.notes import notes_of
from ledger.reading import find_invoice
from ledger.session import as_creditor
from ledger.whom_to_call import whom_to_call, whose_number
from messages.scripts import SITUATIONS
from policies.facts import InvoiceFacts
from policies.holder import PHONES
from policies.ladder import local_day
from policies.manual import Manual
from policies.reachable import contactability
from policies.recipients import tiers
from policies.terms import Channel

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)
Collector = Annotated[Acting, acting("collector")]
Field = Annotated[str, Form(max_length=120, pattern=NO_NUL)]
_Say = Annotated[str, Query(max_length=30, pattern="^[a-z_]*$")]
AGO_MINUTES = (0, 15, 60, 240)


@router.get("/invoices/{invoice_id}/call")
def read_call(invoice_id: UUID, who: Who, request: Request, say: _Say = "") -> Response:
    """Whom to call and what to say; each reading is audited."""
    if not who.may("collector"):
        raise Stop(403, "role-may-not", "Names and numbers are for a login with the role collector, lead or admin.")
    return call_page(who, request, invoice_id, say)


def call_page(who: Looker, request: Request, invoice_id: UUID, say: str, refusal: Refusal | None = None) -> Response:
    """The page of a call, with what was refused of its log."""
    now: datetime = request.app.state.clock.now()
    row = find_invoice(who.session, invoice_id).row
    _note_seen(request, who, invoice_id, now)
    sealer = request.app.state.sealer
    facts, manual = gather(who.session, invoice_id, now)
    aside = _not_about_it(facts)
    people = sorted(whom_to_call(who.session, sealer, row.account_id, now), key=lambda callee: str(callee.id) in aside)
    first = next((callee for callee in people if str(callee.id) not in aside), None)
    situations = [each for each in SITUATIONS if each != "promise_broken" or _missed(facts)]
    situation = say if say in situations else "promise_broken" if _missed(facts) else "first_call"
    today = local_day(now, facts.zone)
    return pages.page(
        "call.html", status=refusal.status if refusal else 200, who=who, now=now,
        waiting=overview.waiting_for_people(who.session, now), stopped=pages.is_stopped(who.creditor, now), once=new_once,
        refusal=refusal, typed=defaultdict(str, refusal.typed if refusal else {}), row=row, people=people, today=today,
        script=script_for(who.session, facts, manual, first, situation, now), situation=situation, aside=aside,
        situations=situations, may_call=_may_call(facts, manual, now), results=RESULTS, disputes=DISPUTES, ago=AGO_MINUTES,
        promise_until=today + timedelta(days=manual.promise.days_max), notes=notes_of(who.session, sealer, invoice_id, limit=5),
        own_until=today + timedelta(days=60), done=None,
    )  # fmt: skip


@router.post("/invoices/{invoice_id}/call")
def post_call(
    invoice_id: UUID, who: Collector, request: Request, result: Field = "", on: Field = "", back_on: Field = "",
    amount: Field = "", disputed: Field = "", reason: Field = "", ago: Field = "0", direction: Field = "out", person: Field = "",
    number: Field = "", words: Annotated[str, Form(max_length=2400, pattern=NO_NUL)] = "", say: Field = "",
) -> Response:  # fmt: skip
    """Log the call and what it brought, in one transaction."""
    currency = str(find_invoice(who.session, invoice_id).row.currency)

    def deed(now: datetime) -> str:
        day, part = {"promise": (on, amount), "call_back": (back_on, ""), "dispute": ("", disputed)}.get(result, ("", ""))
        tried = id_of(number) if number and result == "wrong_number" else None
        holder = whose_number(who.session, tried) if tried else None  # the number says whose it was, whoever else is ticked
        minutes = int(ago) if ago in {str(each) for each in AGO_MINUTES} else 0
        call = Call(
            ref=f"console-{who.once}", result=result, at=now - timedelta(minutes=minutes),
            direction="in" if direction == "in" else "out", person_id=holder or (id_of(person) if person else None),
            address_id=tried, on=day_of(day) if day else None,
            amount_minor=minor(part, currency), reason=reason, words=words,
        )  # fmt: skip
        logged = log_call(who.session, request.app.state.sealer, invoice_id, call, actor=who.actor, now=now)
        return " ".join(("The call is logged.", *logged.follows))

    def again(refusal: Refusal) -> Response:
        return call_page(who, request, invoice_id, say, refusal)

    typed = {
        "result": result, "on": on, "back_on": back_on, "amount": amount, "disputed": disputed, "reason": reason, "ago": ago,
        "direction": direction, "person": person, "words": words,
    }  # fmt: skip
    safe = {"result": result if result in RESULTS else ""}
    return do(who, request, invoice_id, "call", deed, again, typed=typed, detail=safe, back=page_of(invoice_id, "acts"))


def _missed(facts: InvoiceFacts) -> bool:
    return any(each.state in ("broken", "partly") for each in facts.agreements)


def _may_call(facts: InvoiceFacts, manual: Manual, now: datetime) -> Any:
    """Whether law, hours and the caps of people allow a call now.

    A number kept for messages is asked as one for calls, unless its holder wants none there.
    """
    aside = _not_about_it(facts)
    phones = [each for each in facts.reach if each.channel in PHONES and each.person_id not in aside]
    closed = {each.number for each in phones if each.channel is Channel.VOICE and not each.permitted}
    asked = (each for each in phones if each.channel is Channel.VOICE or each.number not in closed)
    reach = tuple(each.model_copy(update={"channel": Channel.VOICE}) for each in asked)
    return contactability(facts.model_copy(update={"reach": reach}), manual, Channel.VOICE, now, by="person")[0]


def _not_about_it(facts: InvoiceFacts) -> set[str]:
    """Whom nobody speaks with about the debt: a minor whose guardian is asked, sales, family, references, guarantors."""
    spoken = {each.person_id for tier in tiers(facts.reach, (), minor=facts.minor) for each in tier}
    return {each.person_id for each in facts.reach} - spoken


def _note_seen(request: Request, who: Looker, invoice_id: UUID, now: datetime) -> None:
    """In a transaction of its own, before anything personal is read: what was seen stays noted."""
    with Session(request.app.state.engine) as session, session.begin():
        as_creditor(session, who.creditor_id)
        detail: dict[str, str] = {}
        note_act(
            session,
            who.creditor_id,
            actor=who.actor,
            act="personal_seen",
            subject=f"invoice:{invoice_id}",
            detail=detail,
            now=now,
        )
