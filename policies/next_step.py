"""Facts and an instant in, the next step out: the rules in order, the first that has something to say wins.

The plan asks this, the contact asks it again under the debtor's lock when the moment has come, and the forecast asks it for
moments to come; so what is explained, what is planned and what happens come from the same lines.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from policies import deduction_rules as withheld
from policies import holding
from policies.apology import apology_step
from policies.case import NOT_MADE, Case, active_holds, choose, open_agreement
from policies.facts import Agreement, InvoiceFacts
from policies.feeds import look_again, said, uncovered
from policies.judgement import Judgement, judge
from policies.ladder import day_start, local_day, local_moment
from policies.manual import Manual
from policies.manual_checks import AGREEMENT_REMINDER
from policies.money import written
from policies.rungs import ladder_step
from policies.start import started
from policies.steps import Close, Contact, Judge, Recall, Step, Wait
from policies.steps import Place as PlaceStep
from policies.terms import AttemptState, Channel, ContactKey, days_said

UNKNOWN_SETTLES_HOURS = 24
"""How long a receipt may still settle an unknown outcome; after that it counts as a contact and is never repeated."""


def next_step(facts: InvoiceFacts, manual: Manual, now: datetime) -> Step:
    """The one next step. Steps other than Contact, Wait and Close are due at once: apply them (`after`) and ask again."""
    case = Case(facts, manual, now)
    sorry = apology_step(case)
    if sorry is not None:
        return sorry
    settled = _settled(case)
    if settled is not None:
        return settled
    deadline = holding.unmoved(case)
    if deadline is not None and deadline.at <= now:
        return holding.deadline_task(case, deadline)
    step = next((found for rule in _RULES if (found := rule(case)) is not None), None) or withheld.beside(case, ladder_step)
    step = started(case, withheld.valued(case, step))
    return step if deadline is None else holding.not_beyond(step, deadline)


def _settled(case: Case) -> Step | None:
    facts, now = case.facts, case.now
    agreement = open_agreement(facts)
    if facts.status == "open" and facts.balance_minor > 0:
        return None
    if facts.placement is not None and facts.placement.state == "placed":
        return Recall(
            at=now,
            why="Nothing is owed any more: the debt is recalled from the agency.",
            rules=("agency.recall",),
            placement_id=facts.placement.id,
        )
    if agreement is not None and facts.status == "open":
        late = _came_late(case, agreement)
        if late is not None:
            return late
        unseen = _settled_unseen(case, agreement)
        if unseen is not None:
            return unseen
        paid = sum(m.amount_minor for m in agreement.milestones)
        return Judge(
            at=now,
            why="Nothing is owed any more: what was agreed is kept.",
            rules=("agreement.kept",),
            agreement_id=agreement.id,
            verdict="kept",
            paid_minor=paid,
            promised_minor=paid,
        )
    if withheld.missing_documents(facts):
        return None
    if facts.status == "cancelled":
        return Close(at=now, why="The invoice was cancelled.", rules=("close.cancelled",), outcome="cancelled")
    if facts.status == "written_off":
        return Close(at=now, why="The invoice was written off.", rules=("close.written_off",), outcome="written_off")
    paid_minor = sum(p.amount_minor for p in facts.payments)
    if facts.erp_adjusted_minor > 0:
        why = "The creditor's own system has settled it; no payment that was seen here explains it all."
        return Close(at=now, why=why, rules=("close.settled_in_erp",), outcome="settled_in_erp")
    if paid_minor > 0:
        return Close(at=now, why="The invoice is paid in full.", rules=("close.paid",), outcome="paid")
    return Close(at=now, why="The invoice is credited in full.", rules=("close.credited",), outcome="credited")


def _came_late(case: Case, agreement: Agreement) -> Judge | None:
    """Paid in full, but after the agreed day and its grace, before anybody judged: late money is not a kept word (F66)."""
    came = sum(p.amount_minor for p in case.facts.payments if p.recorded_at >= agreement.made_at)
    if came < sum(m.amount_minor for m in agreement.milestones):
        return None  # it was settled otherwise, by a credit or a corrected sum
    verdict = judge(agreement, case.facts.payments, local_day(case.now, case.facts.zone))
    return _judged(case, agreement, verdict) if verdict.verdict in ("partly", "broken") else None


def _settled_unseen(case: Case, agreement: Agreement) -> Wait | None:
    """Settled by something that is no payment, after the agreed day: the payment behind it may come and say when it was."""
    facts = case.facts
    found = judge(agreement, facts.payments, local_day(case.now, facts.zone))
    if found.verdict not in ("partly", "broken"):
        return None
    return _not_yet_known(case, agreement, found)


def _judged(case: Case, agreement: Agreement, found: Judgement) -> Judge | None:
    if found.verdict is None:
        return None
    words = {"kept": "was kept", "partly": "was kept in part", "broken": "was not kept"}[found.verdict]
    paid, promised = (written(sum_minor, case.facts.currency) for sum_minor in (found.paid_minor, found.promised_minor))
    return Judge(
        at=case.now,
        why=f"The {agreement.kind} {words}: {paid} of {promised} came in time.",
        rules=(f"agreement.{found.verdict}",),
        agreement_id=agreement.id,
        verdict=found.verdict,
        paid_minor=found.paid_minor,
        promised_minor=found.promised_minor,
    )


def _unknown_outcome(case: Case) -> Step | None:
    for contact in case.facts.contacts:
        if contact.state is not AttemptState.UNKNOWN:
            continue
        settles = contact.at + timedelta(hours=UNKNOWN_SETTLES_HOURS)
        if case.now < settles:
            why = f"It is not known whether {contact.key} went out by {contact.channel}; a receipt may still tell until then."
            return Wait(at=settles, why=why, rules=("contact.unknown",), until="receipt")
    return None


def _at_agency(case: Case) -> Step | None:
    placement, now = case.facts.placement, case.now
    if placement is None:
        return None
    if placement.state == "approved":
        days = case.manual.agency.return_after_days if case.manual.agency else 180
        return PlaceStep(
            at=now,
            why="Approved: the debt goes to the agency and chasing stops here.",
            rules=("agency.place",),
            placement_id=placement.id,
            return_by=now + timedelta(days=days),
        )
    if placement.state == "placed" and placement.return_by is not None:
        if now >= placement.return_by:
            return Recall(
                at=now, why="The agency's time is over: the debt comes back.", rules=("agency.return",), placement_id=placement.id
            )
        return Wait(
            at=placement.return_by,
            why="The debt is at the agency; we do not write meanwhile.",
            rules=("agency.placed",),
            until="agency",
        )
    return None


def _stops(case: Case) -> Step | None:
    facts, now = case.facts, case.now
    if facts.stopped_until is not None and now < facts.stopped_until:
        why, rule = "All sending of this creditor is stopped.", "stop.creditor"
        if facts.stopped_automatically:
            why, rule = "Sending stopped by itself, because too much of it went wrong; a person looks at it.", "stop.automatic"
        return Wait(at=facts.stopped_until, why=why, rules=(rule,), until="stop")
    if facts.exempt_until is not None and now < facts.exempt_until:
        return Wait(
            at=facts.exempt_until, why="This customer is exempt from reminders.", rules=("stop.exempt",), until="exemption"
        )
    active = [s for s in facts.suppressions if s.holds(now)]
    if active:
        until = max(s.asked_again(now) for s in active)
        why = f"Contact with this customer is suppressed: {', '.join(sorted({s.reason for s in active}))}."
        overdue = sorted({s.reason for s in active if s.until <= now})
        if overdue:
            why += f" The review date has passed ({', '.join(overdue)}): it waits for a person to review it."
        return Wait(at=until, why=why, rules=tuple(f"suppression.{s.reason}" for s in active), until="suppression")
    return None


def _held(case: Case) -> Step | None:
    active = [h for h in active_holds(case) if h.kind not in holding.OVERDUE_ONLY]
    whole = [h for h in active if h.amount_minor is None]
    if not whole and active and sum(h.amount_minor or 0 for h in active) >= case.facts.balance_minor:
        whole = active
    if not whole:
        return None
    first = min(whole, key=lambda h: h.until)
    return Wait(
        at=first.until,
        why=f"On hold: {first.kind.replace('_', ' ')} ({first.reason}).",
        rules=tuple(f"hold.{h.kind}" for h in whole),
        until=first.kind,
    )


def _agreed(case: Case) -> Step | None:
    facts, now = case.facts, case.now
    agreement = open_agreement(facts)
    if agreement is None:
        return None
    verdict = judge(agreement, facts.received, local_day(now, facts.zone))
    if verdict.verdict is not None:
        return _not_yet_known(case, agreement, verdict) or _judged(case, agreement, verdict)
    milestone = verdict.milestone
    ends = day_start(milestone.due_on + timedelta(days=agreement.grace_days + 1), facts.zone)
    reminder = _reminder(case, agreement)
    if reminder is not None and reminder.at < ends:
        return reminder
    agreed = f"{written(milestone.amount_minor, facts.currency)} by {milestone.due_on.isoformat()}"
    why = f"Agreed: {agreed}, {days_said(agreement.grace_days)} of grace."
    return Wait(at=ends, why=why, rules=(f"agreement.{agreement.kind}",), until="promise")


def _not_yet_known(case: Case, agreement: Agreement, found: Judgement) -> Wait | None:
    """Nobody is said to have broken a word while the bank day of its last day is not complete (playbook 3)."""
    facts = case.facts
    lacking = uncovered(facts, found.ends_on) if found.verdict != "kept" else []
    if not lacking:
        return None
    why = f"The {agreement.kind} ended on {found.ends_on.isoformat()}; payments of that day are not all known:"
    return Wait(
        at=look_again(case.now, facts.creditor_zone),
        why=f"{why} {said(lacking, facts.creditor_zone)}.",
        rules=(f"agreement.{agreement.kind}", "promise.bank_day"),
        until="payment_data",
    )


def _reminder(case: Case, agreement: Agreement) -> Contact | None:
    """The message on the day before a promised date (F65), unless it was sent, or there is no lawful moment on that day."""
    facts, manual, now = case.facts, case.manual, case.now
    if not manual.promise.remind_day_before:
        return None
    today = local_day(now, facts.zone)
    verdict = judge(agreement, facts.received, today)
    milestone = verdict.milestone
    day = milestone.due_on - timedelta(days=1)
    key = ContactKey(0, facts.cycle, f"{AGREEMENT_REMINDER}-{agreement.id[:8]}-{milestone.number}", 0)
    if str(key) in {skipped.key for skipped in facts.skipped}:
        return None
    if day <= agreement.made_on or today > day or any(c.key == str(key) and c.state not in NOT_MADE for c in facts.contacts):
        return None
    asked = max(local_moment(day, manual.send_at, facts.zone), now)
    chosen = choose(
        case, key, tuple(_last_channels(case)), asked, day_start(milestone.due_on, facts.zone), False, milestone.amount_minor
    )
    if chosen is None:
        return None
    reach, slot = chosen
    return Contact(
        at=slot.at or asked,
        why=f"Tomorrow is the agreed day, {milestone.due_on.isoformat()}.",
        rules=("agreement.reminder", *slot.rules),
        key=str(key),
        rung=AGREEMENT_REMINDER,
        channel=reach.channel,
        person_id=reach.person_id,
        address_id=reach.address_id,
        template="promise_reminder",
        instalment=0,
        amount_minor=min(milestone.amount_minor, facts.balance_minor),
        rung_at=asked,
        window_ends=slot.window_ends,
    )


def _last_channels(case: Case) -> list[Channel]:
    """The channel of the last contact first, then the quieter ones: a promise is confirmed where it was spoken of."""
    used = [c.channel for c in sorted(case.facts.contacts, key=lambda c: c.at, reverse=True) if c.state not in NOT_MADE]
    order = [*used[:1], Channel.EMAIL, Channel.WHATSAPP, Channel.SMS]
    return [c for c in dict.fromkeys(order) if c not in (Channel.VOICE, Channel.LETTER)]


def _proposed(case: Case) -> Step | None:
    placement, now = case.facts.placement, case.now
    if placement is None or placement.state != "proposed":
        return None
    if now < placement.decide_by:
        return Wait(
            at=placement.decide_by,
            why="A person decides whether the debt is kept or goes to the agency.",
            rules=("agency.proposed",),
            until="approval",
        )
    return Close(
        at=now,
        why="Nobody approved the agency before the deadline; the ladder has ended and the debt is kept.",
        rules=("agency.no_answer", "close.ladder_ended"),
        outcome="ladder_ended",
    )


_RULES = (_at_agency, _unknown_outcome, _stops, _held, withheld.documents, _agreed, _proposed)
