"""Which rung falls on which day, for each open instalment, in the present cycle.

`D` is the effective due date (playbook 1), `I` the day of issue; working days are the debtor's. A rung asks for the manual's hour
on its day in the debtor's zone; hours and limits may move it later, never earlier.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policies import habits
from policies.calendars import add_working_days, effective_due
from policies.consequences import legal_wait_days
from policies.delivery import PROOF_HANGS_ON, stood_still_days
from policies.facts import Instalment, InvoiceFacts, PastContact
from policies.holder import is_check
from policies.law.late_debts import money_rules
from policies.manual import Manual, Rung, parse_day
from policies.remembered import OncePerFacts
from policies.terms import AttemptState, ContactKey

_DONE = frozenset(s for s in AttemptState if s not in (AttemptState.PLANNED, AttemptState.FAILED))


class Candidate(NamedTuple):
    """One rung that has not been dealt with in this cycle."""

    at: datetime
    instalment: Instalment
    position: int
    key: ContactKey
    rung: Rung
    day: date


@lru_cache(maxsize=65536)
def local_moment(day: date, hour: str, zone: str) -> datetime:
    """`HH:MM` on a local day; in a DST gap the first instant after it, in a fold the first of the two."""
    hours, minutes = hour.split(":")
    naive = datetime.combine(day, time(int(hours), int(minutes)))
    tz = ZoneInfo(zone)
    aware = naive.replace(tzinfo=tz)
    real = aware.astimezone(ZoneInfo("UTC")).astimezone(tz)
    return real if real.replace(tzinfo=None) != naive else aware


def day_start(day: date, zone: str) -> datetime:
    """The first instant of a local day."""
    return local_moment(day, "00:00", zone)


def local_day(at: datetime, zone: str) -> date:
    """The calendar day of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date()


def effective_due_on(facts: InvoiceFacts, manual: Manual, instalment: Instalment) -> date:
    """The due date, moved to the next working day of the place of payment unless the manual says as_stated.

    A re-issued invoice keeps the age of the one it replaces: its first instalment counts from there.
    """
    first = instalment.number == min(part.number for part in facts.instalments)
    due_on = min(facts.age_from, instalment.due_on) if facts.age_from is not None and first else instalment.due_on
    return effective_due(due_on, manual.deadline_basis, facts.place_of_payment, facts.place_of_payment_region)


def rung_day(facts: InvoiceFacts, manual: Manual, instalment: Instalment, rung: Rung) -> date:
    """The local day on which a rung falls, moved by the days that a closed ladder stood still."""
    offset = parse_day(rung.day)
    if offset.anchor == "month":
        return _of_month(facts, offset.days, max(facts.issued_on, local_day(facts.cycle_started_at, facts.zone)))
    anchor = facts.issued_on if offset.anchor == "issued" else effective_due_on(facts, manual, instalment)
    if offset.anchor == "run":
        anchor = run_of(facts, anchor)
    if offset.anchor != "issued" and offset.days > 0:
        anchor += timedelta(days=stood_still_days(facts, manual, anchor))
    anchor += timedelta(days=facts.shift_days)
    if offset.working:
        return add_working_days(anchor, offset.days, facts.country, facts.region)
    return anchor + timedelta(days=offset.days)


def _of_month(facts: InvoiceFacts, nth: int, after: date) -> date:
    """The nth working day of a month, the first such day after `after`; working days are the debtor's."""
    month = after.replace(day=1)
    while True:
        day = add_working_days(month - timedelta(days=1), nth, facts.country, facts.region)
        if day > after:
            return day
        month = (month + timedelta(days=32)).replace(day=1)


def _again(facts: InvoiceFacts, rung: Rung, last: date) -> date:
    """When a repeated rung falls after it went out, or was passed over, on `last`."""
    offset = parse_day(rung.day)
    if offset.anchor == "month":
        return _of_month(facts, offset.days, last)
    return last + timedelta(days=rung.repeat.every_days if rung.repeat else 0)


def run_of(facts: InvoiceFacts, due_on: date) -> date:
    """The payer's first payment run on or after an effective due date for which the invoice came before its cut-off; that due
    date where no run is known."""
    place = habits.Place(facts.country, facts.region)
    registered = add_working_days(facts.issued_on, facts.habits.cut_off_wd, *place) if facts.habits.cut_off_wd else due_on
    return habits.run_for(facts.habits, max(due_on, registered), place) or due_on


def last_real_contact(facts: InvoiceFacts) -> PastContact | None:
    """The latest contact of this invoice that was or may have been made."""
    made = [c for c in facts.contacts if c.state in _DONE and not is_check(c.key)]
    return max(made, key=lambda c: c.at) if made else None


def last_contact_day(facts: InvoiceFacts) -> date | None:
    """The local date of the latest contact of this invoice, by us or by a person who spoke with the customer (F6)."""
    last = last_real_contact(facts)
    days = [day for day in (last.local_date if last else None, facts.last_conversation_on) if day is not None]
    return max(days, default=None)


def candidates(facts: InvoiceFacts, manual: Manual) -> list[Candidate]:
    """The rungs still to come or due, earliest first; each with the moment the ladder asks for."""
    return list(_ladder_of(facts, manual))


def _find_candidates(facts: InvoiceFacts, manual: Manual) -> tuple[Candidate, ...]:
    done = {c.key: c for c in facts.contacts if c.state in _DONE}
    passed = {s.key: s.passed_at for s in facts.skipped}
    last = last_contact_day(facts)
    found: list[Candidate] = []
    for first in (_firsts_proved if manual.delivery == "required" else _firsts)(facts, manual):
        if first.monthly and found and found[0].instalment is not first.candidate.instalment:
            continue  # a statement is about the invoice as a whole, once
        if not first.moves and first.key not in passed and first.key not in done:
            found.append(first.candidate)
            continue
        candidate = _of_rung(facts, manual, first, done, passed, last)
        if candidate is not None:
            found.append(candidate)
    return tuple(sorted(found, key=lambda c: (c.at, c.instalment.number, c.position)))


class _First(NamedTuple):
    """A rung as it falls the first time, and whether earlier contacts may move it even then."""

    key: str
    candidate: Candidate
    monthly: bool
    moves: bool


def _find_firsts(facts: InvoiceFacts, manual: Manual) -> tuple[_First, ...]:
    found: list[_First] = []
    for instalment in facts.instalments:
        for position, rung in enumerate(manual.ladder) if instalment.balance_minor > 0 else ():
            monthly = parse_day(rung.day).anchor == "month"
            key = ContactKey(0 if monthly else instalment.number, facts.cycle, rung.rung)
            day = rung_day(facts, manual, instalment, rung)
            candidate = Candidate(local_moment(day, manual.send_at, facts.zone), instalment, position, key, rung, day)
            moves = rung.after_contact_days is not None or (bool(manual.consequences) and rung.requires is not None)
            found.append(_First(str(key), candidate, monthly, moves))
    return tuple(found)


DAYS_HANG_ON = (
    "instalments", "issued_on", "cycle", "cycle_started_at", "age_from", "shift_days", "habits", "country", "region", "zone",
    "place_of_payment", "place_of_payment_region",
)  # fmt: skip
LADDER_HANGS_ON = (*DAYS_HANG_ON, "contacts", "skipped", "last_conversation_on", "law", *PROOF_HANGS_ON)
"""The facts that the days of the rungs, and the rungs that are still open, are told from; a test reads no other."""
_firsts = OncePerFacts(_find_firsts, DAYS_HANG_ON, size=8192)
_firsts_proved = OncePerFacts(_find_firsts, (*DAYS_HANG_ON, *PROOF_HANGS_ON), size=8192)
_ladder_of = OncePerFacts(_find_candidates, LADDER_HANGS_ON, size=8192)


def _of_rung(
    facts: InvoiceFacts,
    manual: Manual,
    first: _First,
    done: dict[str, PastContact],
    passed: dict[str, datetime | None],
    last: date | None,
) -> Candidate | None:
    candidate = first.candidate
    rung, day = candidate.rung, candidate.day
    for occurrence in range(rung.repeat.at_most if rung.repeat else 1):
        key = candidate.key._replace(occurrence=occurrence)
        said = str(key)
        if said in passed:
            over_at = passed[said]
            if rung.repeat is None or over_at is None:
                return None
            day = _again(facts, rung, local_day(over_at, facts.zone))
            continue
        made = done.get(said)
        if made is not None:
            if rung.repeat is None:
                return None
            day = _again(facts, rung, made.local_date)
            continue
        if occurrence == 0 and rung.after_contact_days is not None and last is not None:
            day = max(day, last + timedelta(days=rung.after_contact_days))
        if occurrence == 0 and manual.consequences and rung.requires is not None:
            day = max(day, _announced_long_enough(facts, manual, rung, candidate.instalment.number))
        return candidate._replace(at=local_moment(day, manual.send_at, facts.zone), key=key, day=day)
    return None


def _announced_long_enough(facts: InvoiceFacts, manual: Manual, rung: Rung, instalment: int) -> date:
    """The first day on which the rung may carry out its consequence: the manual's wait, or the law's where that is longer."""
    done = [consequence for consequence in manual.consequences if consequence.done_by == rung.rung]
    keys = [(ContactKey.parse(contact.key), contact) for contact in facts.contacts if contact.state in _DONE]
    told = [contact.local_date for key, contact in keys if key.rung == rung.requires and key.instalment == instalment]
    if not done or not told:
        return date.min
    wait_days = max(consequence.wait_days for consequence in done)
    law = facts.law
    if law is not None:
        rules = money_rules(law)
        for each in done:
            legal = legal_wait_days(rules, each.kind, on=told[-1], party=law.party, debtor=law.debtor.value)
            wait_days = max(wait_days, legal)
    return max(told) + timedelta(days=wait_days)
