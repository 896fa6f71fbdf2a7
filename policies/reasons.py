"""Why an invoice is not paid, as the customer says it: the closed lists of consumers and of companies (playbook 5).

A reason is welcome when it is given, and asked for only where the law lets us. What is done about it is for the ledger; here is
what each offers first and second, and how a ladder starts again.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple, get_args

from policies.calendars import add_working_days
from policies.facts import InvoiceFacts, LawTerms
from policies.ladder import rung_day
from policies.law.notices import wording
from policies.manual import Manual, Rung, parse_day
from policies.terms import Channel, ContactKey, DebtorKind

ConsumerReason = Literal[
    "forgot", "unexpected_expense", "finances_in_disorder", "away", "no_money_now", "charge_wrong", "already_paid", "not_said"
]
CompanyReason = Literal[
    "not_received", "waiting_approval", "payment_run", "difference", "tax_withheld", "waiting_document", "offset_or_retention",
    "cash_short", "insolvent",
]  # fmt: skip
Reason = Literal[ConsumerReason, CompanyReason]
Offer = Literal["pay", "reminder", "date", "plan", "pause", "dispute", "detail", "find_payment", "copy", "approver", "deduction",
                "document", "own_date", "claim"]  # fmt: skip
RESTART_WD = 5
"""Working days until the first reminder after the due date, once the invoice was sent again."""


class Offers(NamedTuple):
    """What a reason is answered with, and what if that does not suit; empty where there is no second."""

    first: Offer
    second: Offer | Literal[""] = ""


OFFERS: dict[Reason, Offers] = {
    "forgot": Offers("pay", "reminder"),
    "unexpected_expense": Offers("date", "plan"),
    "finances_in_disorder": Offers("plan", "plan"),
    "away": Offers("pay", "date"),
    "no_money_now": Offers("plan", "pause"),
    "charge_wrong": Offers("dispute", "detail"),
    "already_paid": Offers("find_payment"),
    "not_said": Offers("date", "plan"),
    "not_received": Offers("copy"),
    "waiting_approval": Offers("approver"),
    "payment_run": Offers("date"),
    "difference": Offers("dispute"),
    "tax_withheld": Offers("deduction"),
    "waiting_document": Offers("document"),
    "offset_or_retention": Offers("own_date"),
    "cash_short": Offers("plan"),
    "insolvent": Offers("claim"),
}


def reasons_for(kind: DebtorKind) -> tuple[Reason, ...]:
    """The reasons that this kind of customer may give."""
    return get_args(CompanyReason) if kind is DebtorKind.BUSINESS else get_args(ConsumerReason)


def may_ask(law: LawTerms | None, today: date) -> bool:
    """Whether the list may be shown: in some places a consumer may not be asked why the debt was not paid."""
    bound = wording(law, channel=Channel.EMAIL, on=today, first_contact=False)
    return all(ban.deed != "asks_why" for ban in bound.never)


class Restart(NamedTuple):
    """How the ladder starts again: the whole shift of its days, and the rungs that are over."""

    shift_days: int
    passed: tuple[ContactKey, ...]


def restart(facts: InvoiceFacts, manual: Manual, today: date) -> Restart | None:
    """The ladder anew at its first reminder after the due date, five working days from today; None where none stands yet.

    What would be said before it is over. It only ever moves later.
    """
    first = next((rung for rung in manual.ladder if _reminds(rung)), None)
    open_ones = [part for part in facts.instalments if part.balance_minor > 0]
    if first is None or not open_ones:
        return None
    part = min(open_ones, key=lambda each: each.due_on)
    target = add_working_days(today, RESTART_WD, facts.country, facts.region)
    shift = facts.shift_days
    while rung_day(facts.model_copy(update={"shift_days": shift}), manual, part, first) < target:
        shift += 1
    if shift == facts.shift_days:
        return None
    before = manual.ladder[: manual.ladder.index(first)]
    keys = [ContactKey(each.number, facts.cycle + 1, rung.rung, 0) for each in open_ones for rung in before]
    return Restart(shift, tuple(keys))


def _reminds(rung: Rung) -> bool:
    day = parse_day(rung.day)
    return rung.action == "contact" and (day.anchor == "run" or (day.anchor == "due" and day.days > 0))
