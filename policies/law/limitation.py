"""Until when a debt can be sued for, and whether that day is past: then no firm rung and no word of court or credit record.

A date is given only where the packs know one; otherwise it is `unknown`, and shown so. Where several periods may fit, the
earliest date is taken: to be silent too early costs little, to threaten what has lapsed is wrong (playbook 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, NamedTuple

from dateutil.relativedelta import relativedelta

from policies.facts import InvoiceFacts
from policies.law.base import Rule
from policies.law.charges import in_force
from policies.law.charges_model import LimitationEvent, LimitationRule
from policies.terms import Model


class DebtEvent(NamedTuple):
    """Something that begins the period anew, or ends the count, where the pack says so."""

    kind: LimitationEvent
    on: date


class LimitationDate(Model):
    """The last day on which the debt can be sued for, and by which rule."""

    kind: Literal["known"] = "known"
    last_day: date
    counted_from: date
    rule: str
    basis: str
    confidence: str
    why: str


class Unknown(Model):
    """No date is given, and why."""

    kind: Literal["unknown"] = "unknown"
    why: str


def limitation_date(
    rules: Iterable[Rule],
    *,
    due_on: date,
    party: str,
    debtor: str,
    facts: Mapping[str, Any] | None = None,
    events: Iterable[DebtEvent] = (),
) -> LimitationDate | Unknown:
    """The limitation date of one debt with one due date, by the rules of its debtor's packs that were in force on that date."""
    speaking = [
        rule
        for rule in rules
        if isinstance(rule, LimitationRule) and rule.binds_this(party, debtor, facts or {}) and in_force(rule, due_on)
    ]
    if not speaking:
        return Unknown(why="the law packs of this place give no limitation period for this debt")
    ordered = sorted(events, key=lambda event: event.on)
    found: list[LimitationDate] = []
    for rule in speaking:
        counted = _counted(rule, due_on, ordered)
        if isinstance(counted, Unknown):
            return counted
        found.append(counted)
    return min(found, key=lambda each: each.last_day)


def _counted(rule: LimitationRule, due_on: date, events: Iterable[DebtEvent]) -> LimitationDate | Unknown:
    period = relativedelta(years=rule.years, months=rule.months)
    start, why = due_on, f"{rule.text} Counted from the due date."
    for event in events:
        if event.on < start or event.on > start + period:
            continue  # what comes after the last day revives nothing
        if event.kind in rule.stopped_by:
            return Unknown(why=f"{rule.id}: since the {event.kind} of {event.on.isoformat()} the date is the court's")
        if event.kind in rule.renewed_by:
            start, why = event.on, f"{rule.text} Begun anew by the {event.kind.replace('_', ' ')} of {event.on.isoformat()}."
    return LimitationDate(
        last_day=start + period, counted_from=start, rule=rule.id, basis=rule.basis, confidence=rule.confidence, why=why
    )


def barred(limitation: LimitationDate | Unknown, on: date) -> bool:
    """Whether the right to sue has lapsed by that day. An unknown date bars nothing, and is shown as unknown."""
    return isinstance(limitation, LimitationDate) and on > limitation.last_day


def events_of(facts: InvoiceFacts) -> tuple[DebtEvent, ...]:
    """What the ledger knows of such events: payments, and agreements of the customer (an acknowledgement, not a signed one)."""
    paid = [DebtEvent("part_payment", payment.paid_on) for payment in facts.payments if payment.amount_minor > 0]
    agreed = [DebtEvent("acknowledgement", agreement.made_on) for agreement in facts.agreements]
    return tuple(sorted([*paid, *agreed], key=lambda event: event.on))


def limitation_of(rules: Iterable[Rule], facts: InvoiceFacts) -> LimitationDate | Unknown:
    """The earliest limitation date among an invoice's open instalments; Unknown when any of them has none."""
    if facts.law is None:
        return Unknown(why="no law pack speaks for this account")
    rules, law, events = tuple(rules), facts.law, events_of(facts)
    found: list[LimitationDate] = []
    for instalment in facts.instalments:
        if instalment.balance_minor <= 0:
            continue
        one = limitation_date(
            rules, due_on=instalment.due_on, party=law.party, debtor=law.debtor.value, facts=law.facts, events=events
        )
        if isinstance(one, Unknown):
            return one
        found.append(one)
    return min(found, key=lambda each: each.last_day) if found else Unknown(why="nothing is owed")
