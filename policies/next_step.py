"""Facts and an instant in, the next step out: the rules in order, the first that has something to say wins.

The plan asks this, the contact asks it again under the debtor's lock when the moment has come, and the forecast asks it for
moments to come; so what is explained, what is planned and what happens come from the same lines.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from policies import agency, negotiation
from policies.contactable import Place, Verdict, first_allowed
from policies.facts import Agreement, Hold, InvoiceFacts, Reach
from policies.ladder import (
    AGREEMENT_REMINDER,
    Candidate,
    candidates,
    day_start,
    last_real_contact,
    local_day,
    local_moment,
)
from policies.manual import Manual
from policies.steps import Ask, Close, Contact, HandOff, Judge, Recall, Skip, Step, Wait
from policies.steps import Place as PlaceStep
from policies.terms import AttemptState, Channel, ContactKey

UNKNOWN_SETTLES_HOURS = 24
"""How long a receipt may still settle an unknown outcome; after that it counts as a contact and is never repeated."""


class _Case(NamedTuple):
    facts: InvoiceFacts
    manual: Manual
    now: datetime

    @property
    def place(self) -> Place:
        f = self.facts
        return Place(zone=f.zone, country=f.country, region=f.region, creditor_country=f.creditor_country)


def next_step(facts: InvoiceFacts, manual: Manual, now: datetime) -> Step:
    """The one next step. Steps other than Contact, Wait and Close are due at once: apply them (`after`) and ask again."""
    case = _Case(facts, manual, now)
    for rule in _RULES:
        step = rule(case)
        if step is not None:
            return step
    return _ladder(case)


def _settled(case: _Case) -> Step | None:
    facts, now = case.facts, case.now
    open_agreement = _open_agreement(facts)
    if facts.status == "open" and facts.balance_minor > 0:
        return None
    if facts.placement is not None and facts.placement.state == "placed":
        return Recall(
            at=now,
            why="Nothing is owed any more: the debt is recalled from the agency.",
            rules=("agency.recall",),
            placement_id=facts.placement.id,
        )
    if open_agreement is not None and facts.status == "open":
        paid = sum(m.amount_minor for m in open_agreement.milestones)
        return Judge(
            at=now,
            why="Nothing is owed any more: what was agreed is kept.",
            rules=("agreement.kept",),
            agreement_id=open_agreement.id,
            verdict="kept",
            paid_minor=paid,
            promised_minor=paid,
        )
    if facts.status == "cancelled":
        return Close(at=now, why="The invoice was cancelled.", rules=("close.cancelled",), outcome="cancelled")
    if facts.status == "written_off":
        return Close(at=now, why="The invoice was written off.", rules=("close.written_off",), outcome="written_off")
    paid_minor = sum(p.amount_minor for p in facts.payments)
    if paid_minor > 0:
        return Close(at=now, why="The invoice is paid in full.", rules=("close.paid",), outcome="paid")
    return Close(at=now, why="The invoice is credited in full.", rules=("close.credited",), outcome="credited")


def _unknown_outcome(case: _Case) -> Step | None:
    for contact in case.facts.contacts:
        if contact.state is not AttemptState.UNKNOWN:
            continue
        settles = contact.at + timedelta(hours=UNKNOWN_SETTLES_HOURS)
        if case.now < settles:
            why = f"It is not known whether {contact.key} went out by {contact.channel}; a receipt may still tell until then."
            return Wait(at=settles, why=why, rules=("contact.unknown",), until="receipt")
    return None


def _at_agency(case: _Case) -> Step | None:
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


def _stops(case: _Case) -> Step | None:
    facts, now = case.facts, case.now
    if facts.stopped_until is not None and now < facts.stopped_until:
        return Wait(
            at=facts.stopped_until, why="All sending of this creditor is stopped.", rules=("stop.creditor",), until="stop"
        )
    if facts.exempt_until is not None and now < facts.exempt_until:
        return Wait(
            at=facts.exempt_until, why="This customer is exempt from reminders.", rules=("stop.exempt",), until="exemption"
        )
    active = [s for s in facts.suppressions if now < s.until]
    if active:
        until = max(s.until for s in active)
        why = f"Contact with this customer is suppressed: {', '.join(sorted({s.reason for s in active}))}."
        return Wait(at=until, why=why, rules=tuple(f"suppression.{s.reason}" for s in active), until="suppression")
    return None


def _active_holds(case: _Case) -> list[Hold]:
    return [h for h in case.facts.holds if h.starts_at <= case.now < h.until]


def _held(case: _Case) -> Step | None:
    active = _active_holds(case)
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


def _open_agreement(facts: InvoiceFacts) -> Agreement | None:
    return next((a for a in facts.agreements if a.state == "open"), None)


def _agreed(case: _Case) -> Step | None:
    facts, now = case.facts, case.now
    agreement = _open_agreement(facts)
    if agreement is None:
        return None
    verdict = negotiation.judge(agreement, facts.payments, local_day(now, facts.zone))
    if verdict.verdict is not None:
        words = {"kept": "was kept", "partly": "was kept in part", "broken": "was not kept"}[verdict.verdict]
        return Judge(
            at=now,
            why=f"The {agreement.kind} {words}: {verdict.paid_minor} of {verdict.promised_minor} minor units came.",
            rules=(f"agreement.{verdict.verdict}",),
            agreement_id=agreement.id,
            verdict=verdict.verdict,
            paid_minor=verdict.paid_minor,
            promised_minor=verdict.promised_minor,
        )
    milestone = verdict.milestone
    ends = day_start(milestone.due_on + timedelta(days=agreement.grace_days + 1), facts.zone)
    reminder = _reminder(case, agreement)
    if reminder is not None and reminder.at < ends:
        return reminder
    why = f"Agreed: {milestone.amount_minor} minor units by {milestone.due_on.isoformat()}, {agreement.grace_days} days of grace."
    return Wait(at=ends, why=why, rules=(f"agreement.{agreement.kind}",), until="promise")


def _reminder(case: _Case, agreement: Agreement) -> Contact | None:
    """The message on the day before a promised date (F65), unless it was sent, or there is no lawful moment on that day."""
    facts, manual, now = case.facts, case.manual, case.now
    if not manual.promise.remind_day_before:
        return None
    today = local_day(now, facts.zone)
    verdict = negotiation.judge(agreement, facts.payments, today)
    milestone = verdict.milestone
    day = milestone.due_on - timedelta(days=1)
    key = ContactKey(0, facts.cycle, f"{AGREEMENT_REMINDER}-{agreement.id[:8]}-{milestone.number}", 0)
    if day <= agreement.made_on or today > day or any(c.key == str(key) and c.state not in _NOT_MADE for c in facts.contacts):
        return None
    asked = max(local_moment(day, manual.send_at, facts.zone), now)
    chosen = _choose(
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


_NOT_MADE = (AttemptState.PLANNED, AttemptState.FAILED)


def _last_channels(case: _Case) -> list[Channel]:
    """The channel of the last contact first, then the quieter ones: a promise is confirmed where it was spoken of."""
    used = [c.channel for c in sorted(case.facts.contacts, key=lambda c: c.at, reverse=True) if c.state not in _NOT_MADE]
    order = [*used[:1], Channel.EMAIL, Channel.WHATSAPP, Channel.SMS]
    return [c for c in dict.fromkeys(order) if c not in (Channel.VOICE, Channel.LETTER)]


def _proposed(case: _Case) -> Step | None:
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


_RULES = (_settled, _at_agency, _unknown_outcome, _stops, _held, _agreed, _proposed)


def _ladder(case: _Case) -> Step:
    facts, now = case.facts, case.now
    if facts.placement is not None and facts.placement.state in ("declined", "recalled", "returned"):
        outcome = "returned" if facts.placement.state == "returned" else "ladder_ended"
        return Close(
            at=now,
            why=f"The ladder has ended; the agency question is {facts.placement.state}.",
            rules=("close.ladder_ended",),
            outcome=outcome,
        )
    open_rungs = candidates(facts, case.manual)
    for candidate in open_rungs:
        passed = _passed(case, candidate, open_rungs)
        if passed is not None:
            return passed
    if not open_rungs:
        return _rested(case)
    return _rung(case, open_rungs[0], open_rungs)


def _rested(case: _Case) -> Step:
    """Every rung has been used: time to answer the last one, so that a payment still finds the ladder open."""
    facts, now = case.facts, case.now
    last = last_real_contact(facts)
    if last is not None:
        days = max((r.expires_days for r in case.manual.ladder[-1:]), default=0)
        ends = day_start(last.local_date + timedelta(days=days), facts.zone)
        if now < ends:
            why = "Every rung has been used; the ladder stays open for an answer to the last one."
            return Wait(at=ends, why=why, rules=("ladder.answer",), until="answer")
    why = "Every rung has been used; what is still owed is for a person to decide."
    return Close(at=now, why=why, rules=("close.ladder_ended",), outcome="ladder_ended")


def _passed(case: _Case, candidate: Candidate, others: list[Candidate]) -> Skip | None:
    """Rungs that are never sent: before the cycle began (F9), or overtaken by a later rung that is due too (F2)."""
    facts, now = case.facts, case.now
    if candidate.at > now:
        return None
    later_due = [
        o.rung.rung
        for o in others
        if o.instalment.number == candidate.instalment.number and o.position > candidate.position and o.at <= now
    ]
    later_done = _later_done(case, candidate)
    entered = local_day(facts.cycle_started_at, facts.zone)
    if facts.cycle == 1 and candidate.day < entered:
        why = f"{candidate.rung.rung} fell on {candidate.day.isoformat()}, before the invoice came in on {entered.isoformat()}."
        return Skip(at=now, why=why, rules=("ladder.entered_later",), key=str(candidate.key), rung=candidate.rung.rung)
    if later_due or later_done:
        over = later_due[-1] if later_due else later_done[-1]
        why = f"{candidate.rung.rung} of {candidate.day.isoformat()} was overtaken by {over}."
        return Skip(at=now, why=why, rules=("ladder.overtaken",), key=str(candidate.key), rung=candidate.rung.rung)
    return None


def _later_done(case: _Case, candidate: Candidate) -> list[str]:
    """Later rungs of the same instalment and cycle that went out before this one."""
    later = {r.rung for r in case.manual.ladder[candidate.position + 1 :]}
    done = (ContactKey.parse(c.key) for c in case.facts.contacts if c.state not in _NOT_MADE)
    return [k.rung for k in done if k[:2] == candidate.key[:2] and k.rung in later]


def _rung(case: _Case, candidate: Candidate, others: list[Candidate]) -> Step:
    facts, _manual, now, rung = case.facts, case.manual, case.now, candidate.rung
    if rung.action == "decision":
        return _decision(case, candidate)
    if rung.action == "task":
        if now < candidate.at:
            return Wait(at=candidate.at, why=f"{rung.rung}: a task for a person.", rules=(f"ladder.{rung.rung}",), until="rung")
        key = f"{facts.invoice_id}:{candidate.key}"
        return Ask(
            at=now,
            why=f"{rung.rung}: {rung.template.replace('_', ' ')}.",
            rules=(f"ladder.{rung.rung}",),
            task=rung.template,
            key=key,
            due_at=now + timedelta(days=2),
            rung_key=str(candidate.key),
        )
    asked = max(candidate.at, now)
    amount = _asked_minor(case, candidate)
    ends = _rung_ends(case, candidate, others)
    firm = rung.firm
    chosen = _choose(case, candidate.key, tuple(rung.channels), asked, ends, firm, amount, rung.minimum)
    if chosen is None:
        if now < candidate.at:
            return Wait(
                at=candidate.at,
                why=f"{rung.rung} falls then; as things stand there is no way to send it.",
                rules=(f"ladder.{rung.rung}",),
                until="rung",
            )
        return _cannot(case, candidate, asked, ends, amount)
    reach, slot = chosen
    at = slot.at or asked
    first_of_cycle = facts.cycle > 1 and not any(
        c.state not in _NOT_MADE and ContactKey.parse(c.key).cycle == facts.cycle for c in facts.contacts
    )
    late = max((local_day(at, facts.zone) - candidate.day).days, 0)
    why = f"{rung.rung} falls on {candidate.day.isoformat()}"
    why += f"; {slot.why}" if slot.rules else (f"; it is late by {late} days." if late else ".")
    return Contact(
        at=at,
        why=why,
        rules=(f"ladder.{rung.rung}", *slot.rules),
        key=str(candidate.key),
        rung=rung.rung,
        channel=reach.channel,
        person_id=reach.person_id,
        address_id=reach.address_id,
        template=facts.cycle_notice if first_of_cycle and facts.cycle_notice else rung.template,
        instalment=candidate.instalment.number,
        amount_minor=amount,
        rung_at=candidate.at,
        window_ends=slot.window_ends,
        late_days=late,
        firm=firm,
        reserve=at > now >= candidate.at and any(r.startswith("budget.") for r in slot.rules),
    )


def _asked_minor(case: _Case, candidate: Candidate) -> int:
    """What is asked: the balance of all instalments due no later than this one, less the part in dispute (F12)."""
    due = [i for i in case.facts.instalments if i.due_on <= candidate.instalment.due_on]
    owed = sum(max(i.balance_minor, 0) for i in due)
    return max(owed - sum(h.amount_minor or 0 for h in _active_holds(case)), 0)


def _rung_ends(case: _Case, candidate: Candidate, others: list[Candidate]) -> datetime:
    """A rung that limits push to the next rung's moment gives way to it; the last one gives up after its own days."""
    ends = local_moment(candidate.day + timedelta(days=candidate.rung.expires_days), case.manual.send_at, case.facts.zone)
    ends = max(ends, case.now + timedelta(days=1)) if case.now >= ends else ends
    later = [o.at for o in others if o.instalment.number == candidate.instalment.number and o.position > candidate.position]
    return min([ends, *later])


def _choose(
    case: _Case,
    key: ContactKey,
    channels: tuple[Channel, ...],
    asked: datetime,
    ends: datetime,
    firm: bool,
    amount_minor: int,
    rung_minimum: dict[str, int] | None = None,
) -> tuple[Reach, Verdict] | None:
    """The first channel of the rung's order that is permitted, worth its cost and has a lawful moment before `ends`."""
    facts, manual = case.facts, case.manual
    if amount_minor <= 0 or amount_minor < (rung_minimum or {}).get(facts.currency, 0):
        return None
    failed = {c.channel for c in facts.contacts if c.key == str(key) and c.state is AttemptState.FAILED and not c.may_retry}
    for channel in channels:
        if channel in failed or amount_minor < manual.minimums.get(channel, {}).get(facts.currency, 0):
            continue
        for reach in facts.reach:
            if reach.channel is not channel or not reach.permitted:
                continue
            slot = first_allowed(
                asked,
                channel=channel,
                person_id=reach.person_id,
                budget=facts.budget,
                own=(facts.invoice_id, str(key)),
                firm=firm,
                place=case.place,
                limits=manual.limits,
                until=ends,
            )
            if slot.at is not None and slot.at < ends:
                return reach, slot
    return None


def _cannot(case: _Case, candidate: Candidate, asked: datetime, ends: datetime, amount_minor: int) -> Step:
    """Why a due rung has no channel: too little owed, nobody to write to, or no lawful moment before it gives way."""
    facts, manual, rung = case.facts, case.manual, candidate.rung
    least = [manual.minimums.get(c, {}).get(facts.currency, 0) for c in rung.channels]
    key = str(candidate.key)
    if amount_minor <= 0 or amount_minor < max((rung.minimum or {}).get(facts.currency, 0), min(least, default=0)):
        return Skip(
            at=case.now,
            why=f"{rung.rung}: {amount_minor} minor units are below what this rung is worth.",
            rules=("minimum.balance",),
            key=key,
            rung=rung.rung,
        )
    usable = [r for r in facts.reach if r.permitted and r.channel in rung.channels]
    if not usable:
        reasons = sorted({f"{r.channel}: {r.why_not}" for r in facts.reach if r.why_not}) or ["no address is known"]
        return Skip(
            at=case.now,
            why=f"{rung.rung}: nobody may be reached on its channels ({'; '.join(reasons)}).",
            rules=("reach.none",),
            key=key,
            rung=rung.rung,
        )
    slot = first_allowed(
        asked,
        channel=usable[0].channel,
        person_id=usable[0].person_id,
        budget=facts.budget,
        own=(facts.invoice_id, key),
        firm=rung.firm,
        place=case.place,
        limits=manual.limits,
        until=None,
    )
    rules = slot.rules or ("channel.failed",)
    why = slot.why or "each of its channels failed."
    return Skip(at=case.now, why=f"{rung.rung} gives way before {ends.isoformat()}: {why}", rules=rules, key=key, rung=rung.rung)


def _decision(case: _Case, candidate: Candidate) -> Step:
    facts, manual, now, rung = case.facts, case.manual, case.now, candidate.rung
    if now < candidate.at:
        return Wait(
            at=candidate.at,
            why=f"{rung.rung}: the decision to keep the debt or to place it falls then.",
            rules=(f"ladder.{rung.rung}",),
            until="rung",
        )
    if manual.agency is None or facts.placement is not None:
        return Skip(
            at=now,
            why=f"{rung.rung}: the manual knows no agency, or it was asked before.",
            rules=("agency.none",),
            key=str(candidate.key),
            rung=rung.rung,
        )
    compared = agency.compare(facts.balance_minor, facts.currency, manual.agency)
    return HandOff(
        at=now,
        why=f"{rung.rung}: by the manual's figures it is better to {compared.recommend} the debt.",
        rules=(f"ladder.{rung.rung}", f"agency.{compared.recommend}"),
        recommend=compared.recommend,
        figures=compared.figures,
        decide_by=now + timedelta(days=manual.agency.approve_within_days),
    )
