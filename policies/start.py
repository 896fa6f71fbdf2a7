"""A start that people trust: what is watched goes nowhere, what must be approved waits for a person, and a day has a ceiling.

The step that the other rules found is passed through here last, in the plan, in the claim and in the forecast alike.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from policies.calendars import add_working_days, is_working_day
from policies.case import Case
from policies.facts import InvoiceFacts
from policies.ladder import candidates, day_start, local_day, local_moment
from policies.money import written
from policies.start_model import STRICTEST_FIRST, Approval, StartFacts, StartMode
from policies.steps import Contact, Skip, Step, Wait

WATCHED, ASKED, HELD, APPROVED, DECLINED, CEILING = (
    "start.watch", "start.approve", "start.approval", "start.approved", "start.declined", "ceiling.day",
)  # fmt: skip
PASSED_FOR_NOW = (WATCHED, DECLINED)
"""Rules that pass one occurrence of a rung over; a rung that repeats goes on with the next."""
GOOD_FOR_WD = 3
"""Working days of the creditor for which an approval is good."""
APOLOGY = "apology"
"""The rung of an apology for a mis-sent message: two people approved it by name, so no mode holds it."""


def mode_of(facts: InvoiceFacts, rung: str) -> StartMode:
    """The strictest of the modes that apply to this rung of this invoice."""
    start = facts.start
    if start is None:
        return StartMode.AUTO
    modes = {start.default, start.rungs.get(rung, StartMode.AUTO)}
    modes |= {mode for segment, mode in start.segments.items() if _belongs(facts, start, segment)}
    return next(mode for mode in STRICTEST_FIRST if mode in modes)


def _belongs(facts: InvoiceFacts, start: StartFacts, segment: str) -> bool:
    what, _, rest = segment.partition(":")
    if what == "kind":
        return rest == facts.kind
    if what == "debt_type":
        return facts.law is not None and facts.law.facts.get("debt_type") == rest
    if what == "from":
        currency, _, least_minor = rest.partition(":")
        return currency == facts.currency and facts.balance_minor >= int(least_minor)
    return segment == start.segment


def started(case: Case, step: Step) -> Step:
    """The step as the creditor's start allows it; everything but a contact stays as it is."""
    start = case.facts.start
    if start is None or not isinstance(step, Contact) or step.rung == APOLOGY:
        return step
    mode = mode_of(case.facts, step.rung)
    if mode is StartMode.WATCH and start.assumed_from is None:
        return _watched(case, step)
    if mode is not StartMode.AUTO:
        allowed = _approved(case, start, step)
        return _under_ceiling(case, start, allowed) if isinstance(allowed, Contact) else allowed
    return _under_ceiling(case, start, step)


def _watched(case: Case, step: Contact) -> Step:
    if step.at > case.now:
        why = f"{step.why} It is only watched: by {step.channel}, nothing will be sent."
        return Wait(at=step.at, why=why, rules=(*step.rules, WATCHED), until="watch")
    return _passed_over(case, step, f"{would_have_gone(case.facts, step)}; sending is only watched.", WATCHED)


def would_have_gone(facts: InvoiceFacts, step: Contact) -> str:
    """What was not sent: `S2 would have gone by email to payables: COP 250,000.00`."""
    role = next((r.role for r in facts.reach if r.address_id == step.address_id), "") or "the customer"
    return f"{step.rung} would have gone by {step.channel} to {role}: {written(step.amount_minor, facts.currency)}"


def _passed_over(case: Case, step: Contact, why: str, rule: str) -> Step:
    if any(skipped.key == step.key for skipped in case.facts.skipped):
        # Asked for again although it was passed over: it rests for the day, so that nothing is decided in a circle.
        tomorrow = day_start(local_day(case.now, case.facts.zone) + timedelta(days=1), case.facts.zone)
        return Wait(at=tomorrow, why=why, rules=(*step.rules, rule), until="watch")
    return Skip(at=case.now, why=why, rules=(*step.rules, rule), key=step.key, rung=step.rung)


def _approved(case: Case, start: StartFacts, step: Contact) -> Step:
    said = next((a for a in start.approvals if a.key == step.key), None)
    if said is not None and said.state == "declined":
        return _passed_over(case, step, f"{step.rung} was declined by {said.decided_by or 'a person'}.", DECLINED)
    if said is not None and fits(said, step, case.now):
        if step.at < said.planned_at:
            why = f"{step.rung} is approved for {local_day(said.planned_at, case.facts.zone).isoformat()}."
            return Wait(at=said.planned_at, why=why, rules=(*step.rules, APPROVED), until="approval")
        return step.model_copy(update={"rules": (*step.rules, APPROVED)})
    if start.assumed_from is not None:
        earliest = local_moment(start.assumed_from, case.manual.send_at, case.facts.zone)
        if step.at >= earliest:
            return step
        return Wait(at=max(earliest, case.now), why="Nothing goes before the day of the list.", rules=(ASKED,), until="approval")
    if step.at > case.now:
        why = f"{step.why} It goes only once a person approves it."
        return step.model_copy(update={"rules": (*step.rules, ASKED), "why": why})
    return Wait(
        at=_looked_at_again(case, start, step), why=_why_held(said, step), rules=(*step.rules, HELD), until="approval"
    )  # fmt: skip


def fits(said: Approval, step: Contact, now: datetime) -> bool:
    """Whether an approval is for this contact: the same key, channel and person, no more money than shown, and still good."""
    good = said.good_until is not None and max(step.at, now, said.planned_at) < said.good_until
    same = (said.key, said.channel, said.person_id) == (step.key, step.channel, step.person_id)
    return said.state == "approved" and good and same and step.amount_minor <= said.amount_minor


def _why_held(said: Approval | None, step: Contact) -> str:
    if said is None or said.state == "expired":
        return f"{step.rung} waits for a person's approval: it goes on the next list."
    if said.state == "approved":
        return f"{step.rung} is not what was approved (sum, channel or person differ, or too long ago): it goes on the next list."
    return f"{step.rung} waits for a person's approval on the list of {said.for_day.isoformat()}."


def _looked_at_again(case: Case, start: StartFacts, step: Contact) -> datetime:
    """The next list, or sooner the next rung, which may take its place; what is no rung ends with its own window."""
    facts, now = case.facts, case.now
    moments = [next_list(now, start.list_at, facts.creditor_zone, facts.creditor_country)]
    open_rungs = candidates(facts, case.manual)
    moments += [c.at for c in open_rungs if c.at > now]
    if step.key not in {str(c.key) for c in open_rungs} and step.window_ends > now:
        moments.append(step.window_ends)
    return min(moments)


def next_list(now: datetime, list_at: str, zone: str, country: str) -> datetime:
    """The first moment after `now` at which a list is drawn: the hour on a working day of the creditor."""
    day = local_day(now, zone)
    while True:
        at = local_moment(day, list_at, zone)
        if at > now and is_working_day(day, country):
            return at
        day += timedelta(days=1)


def list_due(now: datetime, list_at: str, zone: str, country: str) -> date | None:
    """The working day whose list should be drawn by now: the one after today, from the hour on of a working day."""
    today = local_day(now, zone)
    if not is_working_day(today, country) or now < local_moment(today, list_at, zone):
        return None
    return add_working_days(today, 1, country)


def good_until(decided_at: datetime, zone: str, country: str) -> datetime:
    """The end of the third working day after an approval."""
    last = add_working_days(local_day(decided_at, zone), GOOD_FOR_WD, country)
    return day_start(last + timedelta(days=1), zone)


def _under_ceiling(case: Case, start: StartFacts, step: Contact) -> Step:
    if case.facts.ride is not None and step.at <= case.now:
        return step  # it goes with a message that is counted
    facts = case.facts
    day = local_day(step.at, facts.creditor_zone)
    full = [
        use for use in start.ceilings if use.day == day and use.used >= use.per_day and use.channel in (None, step.channel)
    ]  # fmt: skip
    if not full:
        return step
    next_day = add_working_days(day, 1, facts.creditor_country)
    at = max(local_moment(next_day, case.manual.send_at, facts.zone), case.now + timedelta(minutes=1))
    by = f" by {full[0].channel}" if full[0].channel else ""
    why = f"{step.rung} waits: the day's {full[0].per_day} messages{by} are used; it goes from {next_day.isoformat()} on."
    return Wait(at=at, why=why, rules=(*step.rules, CEILING), until="ceiling")
