"""What a signed-in person does about an invoice: promise, dispute, note, hold, snooze, corrected contact, our own promises.

Plain forms, each sent once. Every act says what comes next before and after it; what cannot be done is said with what to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from api import console_pages as pages
from api.console_acting import Acting, acting, new_once
from api.console_deeds import Refusal, do, done_before, minor, page_of
from api.console_session import NO_NUL, PATH, Looker, PageRoute, Who
from api.problems import Stop
from ledger import agreements, holds, overview
from ledger.account_owners import assign_owner, owner_of
from ledger.calls import DISPUTES
from ledger.corrections import correct_contact
from ledger.facts import gather
from ledger.notes import NOTE_CODES, add_note, notes_of
from ledger.own_promises import OWN_PROMISES, keep_own_promise, own_promises_of, promise_to_customer
from ledger.owner_holds import OWNER_HOLD_WD_MAX, OWNER_REASONS, go_on, hold_by_owner, snooze, snooze_latest
from ledger.reading import find_invoice, holds_of
from ledger.refusals import Refused
from ledger.staff import list_staff
from ledger.structure import speaks_for
from policies import negotiation
from policies.ladder import local_day
from policies.terms import Channel

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)
Collector = Annotated[Acting, acting("collector")]
Lead = Annotated[Acting, acting("lead")]
Field = Annotated[str, Form(max_length=120, pattern=NO_NUL)]
Words = Annotated[str, Form(max_length=2400, pattern=NO_NUL)]
_Once = Annotated[str, Query(max_length=40, pattern="^[0-9a-f]*$")]
_CLOSED_AS = ("for_customer", "for_creditor", "corrected", "withdrawn")


@router.get("/invoices/{invoice_id}/acts")
def read_acts(invoice_id: UUID, who: Who, request: Request, done: _Once = "") -> Response:
    """Everything that may be done about an invoice, and what the last act changed."""
    if not who.may("collector"):
        raise Stop(403, "role-may-not", "Acting needs a login with the role collector, lead or admin: sign in with one.")
    return acts_page(who, request, invoice_id, done=done_before(who, done) if done else None)


def acts_page(
    who: Looker, request: Request, invoice_id: UUID, *, done: dict[str, Any] | None = None, refusal: Refusal | None = None
) -> Response:
    """The page of acts, with what was done or what was refused."""
    now: datetime = request.app.state.clock.now()
    view = find_invoice(who.session, invoice_id)
    facts, manual = gather(who.session, invoice_id, now)
    today = local_day(now, facts.zone)
    held = holds_of(who.session, invoice_id, now)
    values = {
        "row": view.row, "facts": facts, "today": today, "tomorrow": today + timedelta(days=1), "held": held,
        "promise_until": today + timedelta(days=manual.promise.days_max),
        "snooze_until": snooze_latest(facts, manual.pauses.pause_days_max, who.role, now),
        "own_until": today + timedelta(days=60), "agreed": any(a.state == "open" for a in facts.agreements),
        "disputed": any(hold.kind == "dispute" for hold in held),
        "resting": any(hold.kind in ("pause", "owner") for hold in held),
        "ours": own_promises_of(who.session, invoice_id), "owner": owner_of(who.session, view.row.account_id),
        "logins": [one.login for one in list_staff(who.session, who.creditor_id) if one.disabled_at is None],
        "notes": notes_of(who.session, request.app.state.sealer, invoice_id),
        "disputes": DISPUTES, "note_codes": NOTE_CODES, "owner_reasons": OWNER_REASONS, "own_kinds": OWN_PROMISES,
        "hold_days_max": OWNER_HOLD_WD_MAX, "closed_as": _CLOSED_AS,
    }  # fmt: skip
    return pages.page(
        "acts.html", status=refusal.status if refusal else 200, who=who, now=now,
        waiting=overview.waiting_for_people(who.session, now), stopped=pages.is_stopped(who.creditor, now), once=new_once,
        done=done, refusal=refusal, typed=defaultdict(str, refusal.typed if refusal else {}), **values,
    )  # fmt: skip


def _act(
    who: Acting, request: Request, invoice_id: UUID, act: str, deed: Callable[[datetime], str], detail: dict[str, Any],
    **typed: str,
) -> Response:  # fmt: skip
    def again(refusal: Refusal) -> Response:
        return acts_page(who, request, invoice_id, refusal=refusal)

    back = page_of(invoice_id, "acts")
    return do(who, request, invoice_id, act, deed, again, typed=typed, detail=detail, back=back)


@router.post("/invoices/{invoice_id}/acts/promise")
def act_promise(invoice_id: UUID, who: Collector, request: Request, on: Field = "", amount: Field = "") -> Response:
    """A promise to pay on a day, within the manual's limits."""
    currency = _currency(who, invoice_id)

    def deed(now: datetime) -> str:
        wish = negotiation.Promise(on=day_of(on), amount_minor=minor(amount, currency))
        agreed = agreements.ask(who.session, invoice_id, wish, source="staff", actor=who.actor, now=now)
        return f"Promise recorded for {agreed.terms.milestones[0].due_on.isoformat()}."

    return _act(who, request, invoice_id, "promise", deed, {"on": on}, on=on, amount=amount)


@router.post("/invoices/{invoice_id}/acts/withdraw")
def act_withdraw(invoice_id: UUID, who: Collector, request: Request) -> Response:
    """Give up the open agreement."""

    def deed(now: datetime) -> str:
        agreements.withdraw(who.session, invoice_id, actor=who.actor, now=now)
        return "The agreement is given up; the ladder goes on."

    return _act(who, request, invoice_id, "agreement_withdrawn", deed, {})


@router.post("/invoices/{invoice_id}/acts/dispute")
def act_dispute(invoice_id: UUID, who: Collector, request: Request, reason: Field = "", amount: Field = "") -> Response:
    """The customer disputes all of it or a part."""
    currency = _currency(who, invoice_id)

    def deed(now: datetime) -> str:
        if reason not in DISPUTES:
            raise Refused("call-reason", "say what the customer disputes: choose a reason", status=422)
        known: holds.DisputeReason = reason  # type: ignore[assignment]  # checked above
        part = minor(amount, currency)
        holds.open_dispute(who.session, invoice_id, reason=known, actor=who.actor, now=now, amount_minor=part)
        return "Dispute opened: what is disputed is held, and a task asks for an answer."

    return _act(who, request, invoice_id, "dispute", deed, {"reason": reason[:20]}, reason=reason, amount=amount)


@router.post("/invoices/{invoice_id}/acts/dispute-closed")
def act_dispute_closed(invoice_id: UUID, who: Lead, request: Request, outcome: Field = "") -> Response:
    """A lead says how a dispute ended."""

    def deed(now: datetime) -> str:
        if outcome not in _CLOSED_AS:
            raise Refused("dispute-outcome", "say how the dispute ended: choose an outcome", status=422)
        holds.close_dispute(who.session, invoice_id, outcome=outcome, actor=who.actor, now=now)
        return "The dispute is closed; the ladder goes on."

    return _act(who, request, invoice_id, "dispute_closed", deed, {"outcome": outcome[:20]}, outcome=outcome)


@router.post("/invoices/{invoice_id}/acts/note")
def act_note(invoice_id: UUID, who: Collector, request: Request, code: Field = "", words: Words = "") -> Response:
    """A note in one's own words, sealed."""

    def deed(now: datetime) -> str:
        add_note(who.session, request.app.state.sealer, invoice_id, code=code, words=words, actor=who.actor, now=now)
        return "The note is kept."

    return _act(who, request, invoice_id, "note", deed, {"code": code[:20]}, code=code, words=words)


@router.post("/invoices/{invoice_id}/acts/hold")
def act_hold(invoice_id: UUID, who: Collector, request: Request, days: Field = "", reason: Field = "") -> Response:
    """The account owner's hold, once; by its owner, or by a lead for them."""

    def deed(now: datetime) -> str:
        owner = owner_of(who.session, find_invoice(who.session, invoice_id).row.account_id)
        if who.login != owner and not who.may("lead"):
            whom = f"its owner {owner}" if owner else "an owner, and this account has none yet:"
            raise Refused(
                "not-the-owner", f"this hold is for {whom} or a lead: snooze it instead, or ask one of them", status=403
            )
        count = int(days) if days.isdecimal() and len(days) < 4 else 0
        until = hold_by_owner(who.session, invoice_id, working_days=count, reason=reason, actor=who.actor, now=now)
        return f"Held by its owner until {until.date().isoformat()}."

    return _act(who, request, invoice_id, "owner_hold", deed, {"days": days[:3], "reason": reason[:20]}, days=days, reason=reason)


@router.post("/invoices/{invoice_id}/acts/snooze")
def act_snooze(invoice_id: UUID, who: Collector, request: Request, until: Field = "") -> Response:
    """Put off what comes next."""

    def deed(now: datetime) -> str:
        snooze(who.session, invoice_id, until_on=day_of(until), role=who.role, actor=who.actor, now=now)
        return f"Put off until {until}; then it goes on by itself."

    return _act(who, request, invoice_id, "snooze", deed, {"until": until[:10]}, until=until)


@router.post("/invoices/{invoice_id}/acts/resume")
def act_resume(invoice_id: UUID, who: Collector, request: Request) -> Response:
    """End a snooze, a pause or an owner's hold before its time."""

    def deed(now: datetime) -> str:
        go_on(who.session, invoice_id, actor=who.actor, now=now)
        return "The ladder goes on."

    return _act(who, request, invoice_id, "resume", deed, {})


@router.post("/invoices/{invoice_id}/acts/contact")
def act_contact(
    invoice_id: UUID, who: Collector, request: Request, person: Field = "", channel: Field = "", address: Words = "",
    instead_of: Field = "",
) -> Response:  # fmt: skip
    """A corrected number or address of a person; the old one is used no more. What was typed is not shown again."""

    def deed(now: datetime) -> str:
        account = speaks_for(who.session, find_invoice(who.session, invoice_id).row.account_id)
        if channel not in {each.value for each in Channel}:
            raise Refused("channel", "choose what kind of address it is", status=422)
        correct_contact(
            who.session, request.app.state.sealer, id_of(person), channel=Channel(channel), value=address,
            instead_of=id_of(instead_of) if instead_of else None, actor=who.actor, now=now, account_id=account,
        )  # fmt: skip
        return "The contact is corrected; the new address is unverified until its holder confirms it."

    return _act(who, request, invoice_id, "contact_corrected", deed, {"channel": channel[:10]})


@router.post("/invoices/{invoice_id}/acts/own-promise")
def act_own_promise(invoice_id: UUID, who: Collector, request: Request, kind: Field = "", due_on: Field = "") -> Response:
    """We promise the customer something by a day."""

    def deed(now: datetime) -> str:
        promise_to_customer(who.session, invoice_id, kind=kind, due_on=day_of(due_on), actor=who.actor, now=now)
        return f"We owe it by {due_on}: while it is late, firm rungs wait."

    return _act(who, request, invoice_id, "own_promise", deed, {"kind": kind[:20], "due_on": due_on[:10]}, due_on=due_on)


@router.post("/invoices/{invoice_id}/acts/own-promise-kept")
def act_own_promise_kept(invoice_id: UUID, who: Collector, request: Request, task: Field = "") -> Response:
    """A promise of ours is kept."""

    def deed(now: datetime) -> str:
        keep_own_promise(who.session, id_of(task), actor=who.actor, now=now, invoice_id=invoice_id)
        return "Our promise is kept."

    return _act(who, request, invoice_id, "own_promise_kept", deed, {"task": task[:36]})


@router.post("/invoices/{invoice_id}/acts/owner")
def act_owner(invoice_id: UUID, who: Lead, request: Request, login: Field = "") -> Response:
    """A lead says who answers for this customer."""

    def deed(now: datetime) -> str:
        account = find_invoice(who.session, invoice_id).row.account_id
        assign_owner(who.session, account, login, actor=who.actor, now=now)
        return f"{login} answers for this account." if login else "Nobody in particular answers for this account."

    return _act(who, request, invoice_id, "owner_assigned", deed, {"login": login[:40]}, login=login)


def day_of(typed: str) -> date:
    """A day of a date field; raises Refused `day`."""
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        raise Refused("day", "choose a day", status=422) from None


def id_of(typed: str) -> UUID:
    """An id out of a form; raises Refused `not-found`."""
    try:
        return UUID(typed.strip())
    except ValueError:
        raise Refused("not-found", "There is no such thing here.", status=404) from None


def _currency(who: Looker, invoice_id: UUID) -> str:
    return str(find_invoice(who.session, invoice_id).row.currency)
