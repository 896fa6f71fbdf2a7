"""A call as a collector logs it: that it was made, how it ended, and what follows from that, in one transaction (S49).

A promise, a dispute, "it is paid", a call back or a wrong number is recorded by the same rules as when the customer says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import agreements, holds
from ledger.manual_contacts import Made, record
from ledger.no_calls import refuse_calls
from ledger.notes import add_note
from ledger.own_promises import promise_to_customer
from ledger.refusals import Refused
from ledger.sealing import Sealer
from policies import negotiation
from policies.facts import Outcome

CallResult = Literal[
    "promise", "dispute", "says_paid", "call_back", "spoke", "third_party", "voicemail", "no_answer", "not_connected",
    "wrong_number", "no_more_calls",
]  # fmt: skip
RESULTS: tuple[str, ...] = get_args(CallResult)
_COUNTS_AS: dict[str, Outcome] = {
    "promise": "conversation", "dispute": "conversation", "says_paid": "conversation", "call_back": "conversation",
    "spoke": "conversation", "no_more_calls": "conversation", "third_party": "no_message_possible", "voicemail": "voicemail",
    "no_answer": "no_answer", "not_connected": "not_connected", "wrong_number": "wrong_number",
}  # fmt: skip
DISPUTES: tuple[str, ...] = get_args(holds.DisputeReason)


@dataclass(frozen=True)
class Call:
    """What a collector fills in. `ref` makes it one call; the sums are minor units, None for all that is owed."""

    ref: str
    result: str
    at: datetime
    direction: Literal["out", "in"] = "out"
    person_id: UUID | None = None
    address_id: UUID | None = None
    on: date | None = None
    """The promised day, or the day on which to call back."""
    amount_minor: int | None = None
    reason: str = ""
    """For a dispute, one of its reasons."""
    words: str = ""


class Logged(NamedTuple):
    """What became of a call: its id, and one plain sentence for each thing that follows."""

    id: UUID
    follows: tuple[str, ...]


def log_call(session: Session, sealer: Sealer, invoice_id: UUID | str, call: Call, *, actor: str, now: datetime) -> Logged:
    """Record a call and what it brought; told again by the same ref, the same call and nothing twice.

    Raises Refused as manual_contacts.record, agreements.ask, holds.open_dispute and promise_to_customer do, and `call-result`,
    `call-day`, `call-reason` for what is missing in the form; then nothing is kept, and it can be sent again.
    """
    _complete(call)
    made = Made(
        ref=call.ref, channel="call", direction=call.direction, outcome=_COUNTS_AS[call.result], at=call.at,
        note_code=call.result, person_id=call.person_id, address_id=call.address_id,
    )  # fmt: skip
    kept = record(session, invoice_id, made, now=now, actor=actor)
    if not kept.new:
        return Logged(kept.id, ("This call was logged before.",))
    follows = [_follow(session, sealer, invoice_id, call, actor=actor, now=now)]
    if call.words.strip():
        add_note(session, sealer, invoice_id, code="call", words=call.words, actor=actor, now=now)
    return Logged(kept.id, tuple(line for line in follows if line))


def _complete(call: Call) -> None:
    if call.result not in RESULTS:
        raise Refused("call-result", "say how the call ended: choose one of the list", status=422)
    if call.result in ("promise", "call_back") and call.on is None:
        what = "the day the customer will pay" if call.result == "promise" else "the day on which to call back"
        raise Refused("call-day", f"give {what}", status=422)
    if call.result == "dispute" and call.reason not in DISPUTES:
        raise Refused("call-reason", "say what the customer disputes: choose a reason", status=422)


def _follow(session: Session, sealer: Sealer, invoice_id: UUID | str, call: Call, *, actor: str, now: datetime) -> str:
    if call.result == "promise" and call.on is not None:
        wish = negotiation.Promise(on=call.on, amount_minor=call.amount_minor)
        agreed = agreements.ask(session, invoice_id, wish, source="staff", actor=actor, now=now)
        return f"Promise recorded for {agreed.terms.milestones[0].due_on.isoformat()}: nothing is sent until then but a reminder."
    if call.result == "dispute":
        reason: holds.DisputeReason = call.reason  # type: ignore[assignment]  # _complete has checked it
        holds.open_dispute(session, invoice_id, reason=reason, actor=actor, now=now, amount_minor=call.amount_minor)
        return "Dispute opened: the disputed part is held, and a task asks for an answer."
    if call.result == "says_paid":
        return _says_paid(session, invoice_id, actor=actor, now=now)
    if call.result == "call_back" and call.on is not None:
        promise_to_customer(session, invoice_id, kind="call_back", due_on=call.on, actor=actor, now=now)
        return f"We owe a call back by {call.on.isoformat()}: it is a task."
    if call.result == "no_more_calls":
        _no_more_calls(session, sealer, invoice_id, call, actor=actor, now=now)
        return "No more calls to this person, on any of their numbers and for every invoice of the account; messages go on."
    if call.result == "wrong_number":
        return "The number is retired; a task asks for another."
    return ""


def _says_paid(session: Session, invoice_id: UUID | str, *, actor: str, now: datetime) -> str:
    try:
        with session.begin_nested():
            until = holds.say_already_paid(session, invoice_id, actor=actor, now=now)
    except Refused as refused:
        if refused.code != "said-before":
            raise
        holds.look_again(session, invoice_id, now=now)
        return "It was said before and no payment was found: a person looks again, and reminders go on."
    return f"Held until {until.date().isoformat()} while the payment is looked for."


def _no_more_calls(session: Session, sealer: Sealer, invoice_id: UUID | str, call: Call, *, actor: str, now: datetime) -> None:
    row = session.execute(
        text(
            "select i.account_id, h.person_id as person from invoice i join manual_contact h on h.invoice_id = i.id"
            " where i.id = :id and h.ref = :ref and h.person_id is not null"
        ),
        {"id": str(invoice_id), "ref": call.ref},
    ).one_or_none()
    if row is not None:
        refuse_calls(session, sealer, row.account_id, row.person, proof=f"call {call.ref}", actor=actor, now=now)
