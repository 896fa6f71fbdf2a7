"""May this debtor be contacted by this channel at this moment: law, limits, consent and condition together (F46)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from policies.case import Case, law_for
from policies.contactable import first_allowed
from policies.facts import InvoiceFacts, Reach
from policies.holder import confirmed
from policies.manual import Manual
from policies.terms import Channel


class Answer(NamedTuple):
    """For one person at one address; `person_id` is empty where nobody can be reached by that channel at all."""

    person_id: str
    address_id: str
    role: str
    allowed: bool
    at: datetime | None
    """The first allowed moment from the asked one on; None where waiting does not help."""
    rules: tuple[str, ...]
    why: str
    confirmed: bool = True
    """Whether the address is known to be theirs; a telephone that nobody confirmed may be asked whose it is and told nothing."""


def contactability(
    facts: InvoiceFacts, manual: Manual, channel: Channel, asked: datetime, *, by: Literal["machine", "person"] = "machine"
) -> list[Answer]:
    """One answer for each address of that channel, the allowed ones first, then by the moment they open.

    `facts` are those of any invoice of the account; every contact of the account counts. The order is that of the account
    where moments are equal. `by` person: somebody of the house would call or write, so its own caps hold (playbook 2).
    """
    rules, why, free = _condition(facts, asked)
    answers = [_answer(facts, manual, reach, asked, (rules, why, free), by) for reach in facts.reach if reach.channel is channel]
    if not answers:
        return [Answer("", "", "", False, None, ("consent.no_address",), f"there is no address for {channel}")]
    return sorted(answers, key=lambda a: (not a.allowed, a.at is None, a.at or asked))


_Condition = tuple[list[str], list[str], datetime | None]


def _condition(facts: InvoiceFacts, asked: datetime) -> tuple[list[str], list[str], datetime | None]:
    """What stands against any contact with the account, and when the last of it ends; None where only a person ends it."""
    rules: list[str] = []
    why: list[str] = []
    ends = [asked]
    if facts.stopped_until is not None and asked < facts.stopped_until:
        rules.append("stop.creditor")
        why.append("all sending of this creditor is stopped")
        ends.append(facts.stopped_until)
    if facts.exempt_until is not None and asked < facts.exempt_until:
        rules.append("stop.exempt")
        why.append("this customer is exempt from reminders")
        ends.append(facts.exempt_until)
    active = [s for s in facts.suppressions if s.holds(asked)]
    for suppression in active:
        rules.append(f"suppression.{suppression.reason}")
        review = ", until a person has reviewed it" if suppression.is_permanent else ""
        why.append(f"contact is suppressed ({suppression.reason}{review})")
        ends.append(suppression.until)
    return rules, why, None if any(s.is_permanent for s in active) else max(ends)


def _answer(
    facts: InvoiceFacts, manual: Manual, reach: Reach, asked: datetime, condition: _Condition, by: Literal["machine", "person"]
) -> Answer:
    rules, why, free = condition
    if not reach.permitted:
        said = "; ".join([*why, reach.why_not or "this person may not be contacted here"])
        closed = (*rules, "consent.not_permitted")
        return Answer(reach.person_id, reach.address_id, reach.role, False, None, closed, said, confirmed(reach, asked))
    case = Case(facts, manual, asked)
    now, later = (
        first_allowed(
            at, channel=reach.channel, person_id=reach.person_id, budget=facts.budget, own=("", ""), firm=False,
            place=case.place, limits=manual.limits, law=law_for(case, reach, at), by=by,
        )
        for at in (asked, free or asked)
    )  # fmt: skip
    allowed = not rules and now.allowed
    opens = asked if allowed else later.at if free is not None else None
    said = "; ".join([*why, now.why])
    known = confirmed(reach, asked)
    if not known:
        said = f"{said}; nobody confirmed this telephone: nothing of the debt may be said there, only asked whose it is"
    return Answer(reach.person_id, reach.address_id, reach.role, allowed, opens, (*rules, *now.rules), said, known)
