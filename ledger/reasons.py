"""What is done about the reason a customer gives for not paying: each company reason does what the playbook's table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import agreements, holds, insolvency, steps, stops
from ledger.events import note_fact
from ledger.facts import gather
from ledger.own_promises import promise_to_customer
from ledger.refusals import Refused
from ledger.tasks import open_task
from policies import habits, negotiation
from policies.calendars import add_working_days
from policies.facts import InvoiceFacts
from policies.ladder import day_start, local_day
from policies.manual import Manual
from policies.money import written
from policies.reasons import OFFERS, RESTART_WD, Reason, reasons_for, restart
from policies.steps import Skip

Document = Literal["send_copy", "credit_note", "document"]
About = Literal["price", "quantity", "quality"]
_DISPUTED_AS: dict[About, holds.DisputeReason] = {"price": "wrong_amount", "quantity": "not_received", "quality": "quality"}
APPROVAL_WD, COPY_WD, DOCUMENT_WD, CHECK_DAYS = 5, 1, 3, 10
"""How long an approval is waited for without a date; by when we send a copy or a document; how long a sum rests unchecked."""
REVIEW_DAYS = 90


@dataclass(frozen=True)
class Said:
    """A reason and what came with it: a day, a sum, a number of parts, which document, what differs."""

    reason: Reason
    on: date | None = None
    amount_minor: int | None = None
    count: int | None = None
    document: Document = "document"
    about: About = "price"


@dataclass(frozen=True)
class Answered:
    """What a reason set off: words of a list, in order, and what may be offered."""

    did: tuple[str, ...]
    first: str
    second: str
    agreement: agreements.Agreed | None = None


@dataclass(frozen=True)
class _Case:
    session: Session
    invoice: Row[object]
    facts: InvoiceFacts
    manual: Manual
    said: Said
    source: agreements.Source
    actor: str
    now: datetime

    @property
    def today(self) -> date:
        return local_day(self.now, self.facts.zone)

    def in_working_days(self, count: int) -> date:
        return add_working_days(self.today, count, self.facts.country, self.facts.region)

    def ask(self, request: negotiation.Request) -> agreements.Agreed:
        return agreements.ask(
            self.session, self.facts.invoice_id, request, source=self.source, actor=self.actor, now=self.now
        )  # fmt: skip

    def task(self, kind: str, why: str, due_on: date) -> None:
        open_task(
            self.session, creditor_id=self.facts.creditor_id, invoice_id=self.facts.invoice_id, account_id=self.facts.account_id,
            kind=kind, key=f"{self.facts.invoice_id}:{self.today.isoformat()}", why=why,
            due_at=day_start(due_on + timedelta(days=1), self.facts.zone), now=self.now,
        )  # fmt: skip

    @property
    def by_customer(self) -> bool:
        """Whether nobody of the house has looked: a link, or a telephone, may be in anybody's hands."""
        return self.source not in ("api", "staff")

    def said_before(self) -> bool:
        """Whether a customer gave this reason for the invoice before, and it was answered by what it asks for."""
        asked = text(
            "select exists (select 1 from event where invoice_id = :id and kind = 'reason_given' and actor = :actor"
            " and detail ->> 'reason' = :reason and detail -> 'did' ?| array['pause', 'restart'])"
        )
        given = {"id": self.facts.invoice_id, "actor": self.actor, "reason": self.said.reason}
        return self.by_customer and bool(self.session.execute(asked, given).scalar_one())

    def rest(self, until_on: date, amount_minor: int | None = None) -> list[str]:
        """Hold the invoice, or a part of it, to the end of a day; what a customer says again holds nothing again.

        Returns what was done, in words of the list.
        """
        if self.said_before():
            return []
        until = day_start(until_on + timedelta(days=1), self.facts.zone)
        self.session.execute(
            text(
                "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, amount_minor, reason, actor, created_at)"
                " values (:id, :creditor, :invoice, 'pause', :now, :until, :amount, :reason, :actor, :now)"
            ),
            {
                "id": uuid4(), "creditor": self.facts.creditor_id, "invoice": self.facts.invoice_id, "now": self.now,
                "until": until, "amount": amount_minor, "reason": self.said.reason, "actor": self.actor,
            },
        )  # fmt: skip
        return ["pause"]


def give_reason(
    session: Session, invoice_id: UUID | str, said: Said, *, source: agreements.Source, actor: str, now: datetime
) -> Answered:
    """Record the reason and do what it asks for, at once and under the debtor's lock.

    Raises Refused: `not-found`, `invoice-closed`; `reason` for a reason of the other kind of customer; `reason-needs` when it
    needs a day or a sum; and what agreements, disputes and stops refuse. The caller undoes what was begun.
    """
    invoice = holds.locked_invoice(session, invoice_id)
    holds.must_owe(invoice)
    facts, manual = gather(session, invoice_id, now)
    if said.reason not in reasons_for(facts.kind):
        known = ", ".join(reasons_for(facts.kind))
        raise Refused("reason", f"a {facts.kind.value} gives one of: {known}", status=422)
    if said.amount_minor is not None and not 0 < said.amount_minor <= invoice.balance_minor:
        raise Refused("amount", f"the sum must be from 1 to {invoice.balance_minor}, the balance in minor units", status=422)
    case = _Case(session, invoice, facts, manual, said, source, actor, now)
    did, agreement = _DOES.get(said.reason, _date_or_plan)(case)
    offers = OFFERS[said.reason]
    note_fact(
        session, invoice.id, at=now, kind="reason_given", detail={"reason": said.reason, "did": list(did), "source": source},
        actor=actor, note=said.reason.replace("_", " "),
    )  # fmt: skip
    return Answered(tuple(did), offers.first, offers.second, agreement)


_Done = tuple[list[str], agreements.Agreed | None]


def _date_or_plan(case: _Case) -> _Done:
    """A day is a promise, a number of parts a plan; without either the offers are the answer."""
    said = case.said
    if said.count is not None:
        first = said.on or case.today
        return ["plan"], case.ask(negotiation.Plan(count=said.count, first_on=first, first_amount_minor=said.amount_minor))
    if said.on is not None:
        return ["promise"], case.ask(negotiation.Promise(on=said.on, amount_minor=said.amount_minor))
    return [], None


def _dispute(case: _Case) -> _Done:
    reason = _DISPUTED_AS[case.said.about] if case.said.reason == "difference" else "wrong_amount"
    holds.open_dispute(
        case.session, case.facts.invoice_id, reason=reason, actor=case.actor, now=case.now, amount_minor=case.said.amount_minor
    )
    return ["dispute"], None


def _already_paid(case: _Case) -> _Done:
    holds.say_already_paid(case.session, case.facts.invoice_id, actor=case.actor, now=case.now)
    return ["find_payment"], None


def _not_received(case: _Case) -> _Done:
    """Sent again with proof; the ladder starts again at its first reminder."""
    promise_to_customer(
        case.session, case.facts.invoice_id, kind="send_copy", due_on=case.in_working_days(COPY_WD), actor=case.actor,
        now=case.now,
    )  # fmt: skip
    again = restart(case.facts, case.manual, case.today)
    if again is None or case.said_before():
        return ["own_promise"], None
    case.session.execute(
        text(
            "update invoice set cycle = cycle + 1, cycle_started_at = :now, cycle_notice = '', shift_days = :shift where id = :id"
        ),
        {"now": case.now, "shift": again.shift_days, "id": case.facts.invoice_id},
    )
    fresh, _ = gather(case.session, case.facts.invoice_id, case.now)
    why = f"The invoice is sent again; the ladder starts again {RESTART_WD} working days later."
    passed = [
        Skip(at=case.now, why=why, rules=("reason.not_received",), key=str(key), rung=key.rung) for key in again.passed
    ]  # fmt: skip
    steps.pass_over(case.session, fresh, passed, case.now)
    return ["own_promise", "restart"], None


def _waiting_approval(case: _Case) -> _Done:
    latest = case.in_working_days(APPROVAL_WD)
    until = min(max(case.said.on or latest, case.today), latest)
    rests = case.rest(until)
    case.task("follow_approval", "the customer waits for approval or receipt: ask who approves it, and by which day", until)
    return [*rests, "task"], None


def _payment_run(case: _Case) -> _Done:
    place = habits.Place(case.facts.country, case.facts.region)
    on = case.said.on or habits.run_for(case.facts.habits, case.today + timedelta(days=1), place)
    if on is None:
        raise Refused("reason-needs", "on: the day of the payment run; this payer's payment days are not known", status=422)
    return ["promise"], case.ask(negotiation.Promise(on=on, amount_minor=case.said.amount_minor))


def _sum_to_check(kind: str, why: str) -> Callable[[_Case], _Done]:
    """The stated sum rests while a person checks it; the rest goes on."""

    def do(case: _Case) -> _Done:
        amount = case.said.amount_minor
        if amount is None:
            raise Refused("reason-needs", "amount_minor: how much of the balance it is", status=422)
        until = case.today + timedelta(days=CHECK_DAYS)
        rests = case.rest(until, amount)
        day = f", until {case.said.on.isoformat()}" if case.said.on else ""
        case.task(
            kind, f"the customer says that {written(amount, case.facts.currency)} {why}{day}: confirm it, or decline", until
        )
        return [*rests, "task"], None

    return do


def _waiting_document(case: _Case) -> _Done:
    promise_to_customer(
        case.session, case.facts.invoice_id, kind=case.said.document, due_on=case.said.on or case.in_working_days(DOCUMENT_WD),
        actor=case.actor, now=case.now,
    )  # fmt: skip
    return ["own_promise"], None


def _insolvent(case: _Case) -> _Done:
    until = case.now + timedelta(days=REVIEW_DAYS)
    opened = case.said.on or case.today
    if case.by_customer:
        held = insolvency.claim(case.session, case.facts, opened_on=min(opened, case.today), actor=case.actor, now=case.now)
        return ["stop", "task"] if held else ["task"], None
    stops.suppress(
        case.session, case.facts.account_id, reason="insolvency", evidence="said by the customer", until=until,
        actor=case.actor, now=case.now, opened_on=opened,
    )  # fmt: skip
    return ["stop", "task"], None


_DOES: dict[Reason, Callable[[_Case], _Done]] = {
    "charge_wrong": _dispute,
    "already_paid": _already_paid,
    "not_received": _not_received,
    "waiting_approval": _waiting_approval,
    "payment_run": _payment_run,
    "difference": _dispute,
    "tax_withheld": _sum_to_check("confirm_deduction", "was withheld as tax or deposited"),
    "waiting_document": _waiting_document,
    "offset_or_retention": _sum_to_check("confirm_offset", "is an agreed offset or retention"),
    "insolvent": _insolvent,
}
