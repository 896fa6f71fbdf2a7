"""What the customer undertakes: a promise, an extension, a plan or a discount, answered and recorded at once (F64-F79).

The policy answers under the debtor's lock, from the same facts that decide contacts; so the customer has the answer at once,
also while nothing else runs, and there is never more than one open agreement on an invoice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.facts import gather
from ledger.holds import locked_invoice
from ledger.refusals import Refused
from ledger.steps import versions_of
from policies import negotiation
from policies.facts import InvoiceFacts, Milestone
from policies.manual import Manual, Offer
from policies.money import written
from policies.terms import AttemptState, ContactKey

Source = Literal["portal", "api", "reply", "portal_payer", "staff"]

SCHEDULED_DAYS_MAX = 180
"""How far away a payment may be that the payer's own system shows."""


@dataclass(frozen=True)
class Agreed:
    """An agreement as recorded."""

    id: UUID
    terms: negotiation.Accepted
    currency: str
    made_on: date


@dataclass(frozen=True)
class Table:
    """What may be asked for today: the facts, the manual, and the offer in force (None: only a promise)."""

    facts: InvoiceFacts
    manual: Manual
    rung_id: str | None
    today: date
    offer: Offer | None
    discount_until: date | None


def table(session: Session, invoice_id: UUID | str, now: datetime) -> Table:
    """What is open to the customer now, for a page that shows choices. Takes no lock and changes nothing."""
    facts, manual = gather(session, invoice_id, now)
    rung_id = rung_reached(facts, manual)
    today = now.astimezone(ZoneInfo(facts.zone)).date()
    offer = negotiation.offer_at(manual, rung_id, facts.balance_minor, facts.currency)
    return Table(facts, manual, rung_id, today, offer, negotiation.discount_until(facts, manual, rung_id, today))


def rung_reached(facts: InvoiceFacts, manual: Manual) -> str | None:
    """The furthest rung that was sent in any cycle; an offer once made stays until a later rung states another."""
    sent = {
        ContactKey.parse(contact.key).rung
        for contact in facts.contacts
        if contact.state not in (AttemptState.PLANNED, AttemptState.FAILED)
    }
    return next((rung.rung for rung in reversed(manual.ladder) if rung.rung in sent), None)


def ask(
    session: Session, invoice_id: UUID | str, request: negotiation.Request, *, source: Source, actor: str, now: datetime
) -> Agreed:
    """Ask the policy and record what it grants; the customer is held to it, and so are we.

    Raises Refused `not-found`, or `not-granted` with `why`, `rules` and `nearest` (the terms nearest to the wish that would be
    granted now, or null) as members of the problem: 422, or 409 when another agreement is open or nothing is owed.
    """
    locked_invoice(session, invoice_id)
    at = table(session, invoice_id, now)
    answer = negotiation.answer(request, facts=at.facts, manual=at.manual, rung_id=at.rung_id, today=at.today, now=now)
    if answer.answer == "refused":
        raise Refused(
            "not-granted",
            answer.why,
            status=422 if answer.nearest is not None else 409,
            more={"rules": list(answer.rules), "nearest": None if answer.nearest is None else spoken(answer.nearest)},
        )
    reached = f" at {at.rung_id}" if at.rung_id is not None else ""
    why = f"The {answer.kind} that was asked for is within what the manual allows{reached}."
    return _record(session, at, answer, why, source=source, actor=actor, now=now)


def schedule(session: Session, invoice_id: UUID | str, on: date, *, actor: str, now: datetime) -> Agreed:
    """The payer's own system says that it pays all on that day: a promise, which no limit of the manual shortens.

    It takes the place of any other open agreement. Raises Refused `portal-scheduled` for a past day or one over 180 days away.
    """
    locked_invoice(session, invoice_id)
    at = table(session, invoice_id, now)
    if not at.today <= on <= at.today + timedelta(days=SCHEDULED_DAYS_MAX):
        said = f"scheduled_for: give a day from {at.today.isoformat()} on, within {SCHEDULED_DAYS_MAX} days"
        raise Refused("portal-scheduled", said, status=422)
    if any(agreement.state == "open" for agreement in at.facts.agreements):
        withdraw(session, invoice_id, actor=actor, now=now)
    milestone = Milestone(number=1, due_on=on, amount_minor=at.facts.balance_minor)
    grace = at.manual.promise.grace_days
    terms = negotiation.Accepted(kind="promise", milestones=(milestone,), grace_days=grace, rules=("portal.scheduled",))
    why = "The payer's own system shows the payment."
    return _record(session, at, terms, why, source="portal_payer", actor=actor, now=now)


def withdraw(session: Session, invoice_id: UUID | str, *, actor: str, now: datetime) -> None:
    """Give up the open agreement; the ladder goes on. Raises Refused `not-found`, `no-agreement`."""
    invoice = locked_invoice(session, invoice_id)
    done = session.execute(
        text(
            "update agreement set state = 'withdrawn', judged_at = :now where invoice_id = :id and state = 'open'"
            " returning id, kind"
        ),
        {"now": now, "id": invoice.id},
    ).one_or_none()
    if done is None:
        raise Refused("no-agreement", f"invoice {invoice.number} has no open agreement")
    detail = {"agreement": str(done.id), "kind": done.kind}
    note_fact(session, invoice.id, at=now, kind="agreement_withdrawn", detail=detail, actor=actor, note=str(done.kind))


def spoken(terms: negotiation.Accepted) -> dict[str, Any]:
    """Terms as the API shows them; sums in minor units."""
    return {
        "kind": terms.kind,
        "milestones": [m.model_dump(mode="json") for m in terms.milestones],
        "grace_days": terms.grace_days,
        "waived_minor": terms.waived_minor,
    }


def _record(
    session: Session, at: Table, terms: negotiation.Accepted, why: str, *, source: Source, actor: str, now: datetime
) -> Agreed:
    agreement_id = uuid4()
    facts = at.facts
    session.execute(
        text(
            "insert into agreement (id, creditor_id, invoice_id, kind, made_at, made_on, grace_days, waived_minor, source, actor)"
            " values (:id, :creditor, :invoice, :kind, :now, :today, :grace, :waived, :source, :actor)"
        ),
        {
            "id": agreement_id, "creditor": facts.creditor_id, "invoice": facts.invoice_id, "kind": terms.kind, "now": now,
            "today": at.today, "grace": terms.grace_days, "waived": terms.waived_minor, "source": source, "actor": actor,
        },
    )  # fmt: skip
    session.execute(
        text(
            "insert into milestone (agreement_id, creditor_id, number, due_on, amount_minor)"
            " values (:agreement, :creditor, :number, :due, :amount)"
        ),
        [
            {
                "agreement": agreement_id, "creditor": facts.creditor_id, "number": m.number, "due": m.due_on,
                "amount": m.amount_minor,
            }
            for m in terms.milestones
        ],
    )  # fmt: skip
    first, last = terms.milestones[0], terms.milestones[-1]
    if len(terms.milestones) == 1:
        note = f"{written(first.amount_minor, facts.currency)} on {first.due_on.isoformat()}"
    else:
        note = f"{len(terms.milestones)} parts from {first.due_on.isoformat()} to {last.due_on.isoformat()}"
    detail = {
        "agreement": str(agreement_id), "why": why, "rules": list(terms.rules), "versions": versions_of(facts),
        "rung": at.rung_id, "source": source, **spoken(terms),
    }  # fmt: skip
    kind = "promise_made" if terms.kind == "promise" else "agreement_made"
    note_fact(session, facts.invoice_id, at=now, kind=kind, detail=detail, actor=actor, note=f"{terms.kind}: {note}")
    return Agreed(agreement_id, terms, facts.currency, at.today)
