"""The rung that comes next: on which channel, how much is asked, when it may go out, and when it gives way."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from policies import agency, owner_notice, payer_portal
from policies.carried_ladder import passed_before
from policies.case import NOT_MADE, Case, active_holds, choose, law_for, spoken_for
from policies.consequences import ANNOUNCES, CARRIED_OUT, SUED_OR_RECORDED
from policies.contactable import first_allowed
from policies.facts import InvoiceFacts
from policies.holder import is_check
from policies.holding import rung_waits, silent
from policies.ladder import Candidate, candidates, day_start, last_real_contact, local_day, local_moment
from policies.law.late_debts import money_rules
from policies.law.limitation import LimitationDate, Unknown, barred, limitation_of
from policies.law.packs import limits_of_law
from policies.manual import Manual
from policies.readiness import confirm_due, may_stand, not_ready
from policies.remembered import OncePerFacts
from policies.rung_calls import call_ends, call_first
from policies.rung_people import ask_holder, by_hand, ways_of
from policies.steps import Ask, Close, Contact, HandOff, Skip, Step, Wait
from policies.terms import AttemptState, ContactKey, days_said
from policies.wording import TEXT_TWICE, unsaid


def ladder_step(case: Case) -> Step:
    facts, now = case.facts, case.now
    if facts.placement is not None and facts.placement.state in ("declined", "recalled", "returned"):
        outcome = "returned" if facts.placement.state == "returned" else "ladder_ended"
        return Close(
            at=now,
            why=f"The ladder has ended; the agency question is {facts.placement.state}.",
            rules=("close.ladder_ended",),
            outcome=outcome,
        )
    asked = confirm_due(case) or payer_portal.submit(case)
    if asked is not None:
        return asked
    open_rungs = _old_decision_last(case, candidates(facts, case.manual))
    for candidate in open_rungs:
        if candidate.at > now and not facts.carried_stage:
            break  # nothing later is passed yet
        passed = _passed(case, candidate, open_rungs)
        if passed is not None:
            return passed
    if not open_rungs:
        return _rested(case)
    ahead = owner_notice.tell(case, open_rungs)
    if ahead is not None:
        return ahead
    # A task does not wait for a message that limits hold back.
    coming = next((c for c in open_rungs if c.rung.action == "task" and c.at <= now), open_rungs[0])
    coming = owner_notice.after_notice(case, coming)
    step = owner_notice.waits_for_yes(case, coming) or _rung(case, coming, open_rungs)
    return owner_notice.not_beyond(case, step, open_rungs)


def _rested(case: Case) -> Step:
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


def _old_decision_last(case: Case, found: list[Candidate]) -> list[Candidate]:
    """A decision whose day was before the invoice came in is asked when nothing else is left to do: not before, and not never."""
    if case.facts.cycle != 1:
        return found
    entered = local_day(case.facts.cycle_started_at, case.facts.zone)
    return [c for c in found if c.rung.action != "decision" or c.day >= entered] or found


def _passed(case: Case, candidate: Candidate, others: list[Candidate]) -> Skip | None:
    """Rungs that are never sent: before the cycle began (F9), or overtaken by a later rung that is due too (F2).

    The decision is no message: an invoice that comes in after its whole ladder is put before a person, not closed in silence.
    """
    facts, now = case.facts, case.now
    carried = passed_before(case, candidate)
    if carried is not None or candidate.at > now:
        return carried
    entered = local_day(facts.cycle_started_at, facts.zone)
    if facts.cycle == 1 and candidate.day < entered and candidate.rung.action != "decision":
        why = f"{candidate.rung.rung} fell on {candidate.day.isoformat()}, before the invoice came in on {entered.isoformat()}."
        return Skip(at=now, why=why, rules=("ladder.entered_later",), key=str(candidate.key), rung=candidate.rung.rung)
    due = (other.rung.rung for other in reversed(others) if other.at <= now and _takes_its_place(case, other, candidate))
    over = next(due, None) or next(reversed(_later_done(case, candidate)), None)
    if over is not None:
        why = f"{candidate.rung.rung} of {candidate.day.isoformat()} was overtaken by {over}."
        return Skip(at=now, why=why, rules=("ladder.overtaken",), key=str(candidate.key), rung=candidate.rung.rung)
    return None


def _takes_its_place(case: Case, later: Candidate, earlier: Candidate) -> bool:
    """Whether a later rung stands for an earlier one; a task tells the customer nothing, nor does a rung that may not go out."""
    if later.instalment.number != earlier.instalment.number or later.position <= earlier.position:
        return False
    if later.key.instalment != earlier.key.instalment:  # a statement of the month stands beside the ladder
        return False
    if later.rung.action == "task" and earlier.rung.action == "contact":
        return False
    if not may_stand(case, later):
        return False
    return later.rung.requires is None or _went_out(case, later, later.rung.requires)


def _later_done(case: Case, candidate: Candidate) -> list[str]:
    """Later rungs of the same instalment and cycle that went out before this one."""
    later = {r.rung for r in case.manual.ladder[candidate.position + 1 :]}
    done = (ContactKey.parse(c.key) for c in case.facts.contacts if c.state not in NOT_MADE)
    return [k.rung for k in done if k[:2] == candidate.key[:2] and k.rung in later]


def _went_out(case: Case, candidate: Candidate, rung_id: str) -> bool:
    """Whether an earlier rung reached its person in any cycle: what was never announced is not carried out."""
    told = (AttemptState.ACCEPTED, AttemptState.DELIVERED)
    keys = (ContactKey.parse(c.key) for c in case.facts.contacts if c.state in told)
    return any(k.rung == rung_id and k.instalment == candidate.key.instalment for k in keys)


def _rung(case: Case, candidate: Candidate, others: list[Candidate]) -> Step:
    aside = _set_aside(case, candidate)
    if aside is not None:
        return aside
    if candidate.rung.action == "decision":
        return _decision(case, candidate)
    if candidate.rung.action == "task":
        return _task(case, candidate)
    return by_hand(case, candidate) or _message(case, candidate, others)


def _set_aside(case: Case, candidate: Candidate) -> Step | None:
    """Why a rung does not go, or not yet, whatever the hours and limits say."""
    facts, now, rung = case.facts, case.now, candidate.rung
    if now >= candidate.at and rung.requires is not None and not _went_out(case, candidate, rung.requires):
        return _skip(case, candidate, "ladder.requires", f"{rung.rung} may only follow {rung.requires}, which did not go out.")
    lapsed = _lapsed(case, candidate)
    if lapsed is not None:
        return lapsed
    spoken = facts.last_conversation_on
    if now >= candidate.at and rung.unless_spoken_days is not None and spoken is not None:
        if (candidate.day - spoken).days <= rung.unless_spoken_days:
            why = f"{rung.rung} is not needed: somebody spoke with the customer on {spoken.isoformat()}."
            return _skip(case, candidate, "ladder.spoken", why)
    if rung.action == "task":
        return None
    call = call_first(case, candidate)
    if call is not None:
        return call
    waits = payer_portal.waits(case, candidate) or not_ready(case, candidate)
    waits = waits or rung_waits(case, candidate, _asked_minor(case, candidate))
    if waits is not None:
        return waits
    if now >= candidate.at and rung.action == "contact" and (days := silent(case)):
        why = f"{rung.rung}: the customer gave no sign for {days_said(days)}; first the data are to be refreshed."
        return _skip(case, candidate, "reach.silent", why)
    return None


def _skip(case: Case, candidate: Candidate, rule: str, why: str) -> Skip:
    rung = candidate.rung.rung
    return Skip(at=case.now, why=why, rules=(f"ladder.{rung}", rule), key=str(candidate.key), rung=rung)


def _task(case: Case, candidate: Candidate) -> Step:
    facts, now, rung = case.facts, case.now, candidate.rung
    if now < candidate.at:
        return Wait(at=candidate.at, why=f"{rung.rung}: a task for a person.", rules=(f"ladder.{rung.rung}",), until="rung")
    return Ask(
        at=now,
        why=f"{rung.rung}: {rung.template.replace('_', ' ')}.",
        rules=(f"ladder.{rung.rung}",),
        task=rung.template,
        key=f"{facts.invoice_id}:{candidate.key}",
        due_at=now + timedelta(days=2),
        rung_key=str(candidate.key),
    )


def _message(case: Case, candidate: Candidate, others: list[Candidate]) -> Step:
    """The contact itself: whom, by which channel, when, and how much is asked."""
    facts, now, rung = case.facts, case.now, candidate.rung
    asked = max(candidate.at, now)
    amount = _asked_minor(case, candidate)
    ends = _rung_ends(case, candidate, others)
    firm = rung.firm
    template = _template(case, candidate)
    case = _without_ride(case) if _too_early_to_ride(case, candidate) else case
    channels = tuple(rung.channels)
    ways = ways_of(case, candidate)
    chosen = choose(case, candidate.key, channels, asked, ends, firm, amount, rung.minimum, template, rung.legal_notice, ways)
    if chosen is None:
        question = ask_holder(_without_ride(case), candidate, ways, asked, ends, amount)
        if question is not None:
            return question
        if now < candidate.at:
            return Wait(
                at=candidate.at,
                why=f"{rung.rung} falls then; as things stand there is no way to send it.",
                rules=(f"ladder.{rung.rung}",),
                until="rung",
            )
        return _cannot(case, candidate, asked, ends, amount)
    reach, slot = chosen
    words = unsaid(case, template, reach, candidate.instalment.number)
    if words is None:
        return _no_words(case, candidate)
    at = slot.at or asked
    due_day = local_day(call_ends(case, candidate), facts.zone) if rung.call_first_wd else candidate.day
    late = max((local_day(at, facts.zone) - due_day).days, 0)
    why = f"{rung.rung} falls on {candidate.day.isoformat()}"
    why += f"; {slot.why}" if slot.rules else (f"; it is {days_said(late)} late." if late else ".")
    return Contact(
        at=at,
        why=why,
        rules=(f"ladder.{rung.rung}", *slot.rules),
        key=str(candidate.key),
        rung=rung.rung,
        channel=reach.channel,
        person_id=reach.person_id,
        address_id=reach.address_id,
        template=words,
        instalment=candidate.instalment.number,
        amount_minor=amount,
        rung_at=candidate.at if slot.rules or at <= asked else at,  # its own moment after the hour is what it asks for
        window_ends=slot.window_ends,
        late_days=late,
        firm=firm,
        reserve=at > now >= candidate.at and any(r.startswith("budget.") or r in limits_of_law() for r in slot.rules),
    )


def _no_words(case: Case, candidate: Candidate) -> Step:
    rung, rules = candidate.rung.rung, (f"ladder.{candidate.rung.rung}", TEXT_TWICE)
    why = f"{rung}: this person has had every text there is for it about this invoice."
    if case.now < candidate.at:
        return Wait(at=candidate.at, why=why, rules=rules, until="rung")
    return Skip(at=case.now, why=why, rules=rules, key=str(candidate.key), rung=rung)


def _find_limitation(facts: InvoiceFacts, _: Manual) -> LimitationDate | Unknown:
    return limitation_of(money_rules(facts.law) if facts.law is not None else (), facts)


LIMITATION_HANGS_ON = ("law", "instalments", "payments", "agreements")
"""The facts that the last day for a suit is told from; a test reads no other."""
_limitation = OncePerFacts(_find_limitation, LIMITATION_HANGS_ON, size=4096)


def _lapsed(case: Case, candidate: Candidate) -> Step | None:
    """Once a debt can no longer be sued for, nothing firm is said and nothing of court or credit record is said or done."""
    rung, day = candidate.rung, max(candidate.day, local_day(case.now, case.facts.zone))
    said = ANNOUNCES.get(rung.template, ())
    done = [c.kind for c in case.manual.consequences if c.done_by == rung.rung]
    speaks_of_it = SUED_OR_RECORDED.intersection(said) or CARRIED_OUT.intersection(done)
    if case.facts.law is None or not (rung.firm or speaks_of_it):
        return None
    limitation = _limitation(case.facts, case.manual)
    if not isinstance(limitation, LimitationDate) or not barred(limitation, day):
        return None
    why = (
        f"{rung.rung} is not for a debt that could be sued for until {limitation.last_day.isoformat()} only ({limitation.rule})."
    )
    rules = (f"ladder.{rung.rung}", "limitation.passed")
    if case.now < candidate.at:
        return Wait(at=candidate.at, why=why, rules=rules, until="rung")
    return Skip(at=case.now, why=why, rules=rules, key=str(candidate.key), rung=rung.rung)


def _template(case: Case, candidate: Candidate) -> str:
    """The rung's text; the first contact of a new cycle says why there is one, unless the rung has something to announce."""
    facts, rung = case.facts, candidate.rung
    if ANNOUNCES.get(rung.template) or any(other.requires == rung.rung for other in case.manual.ladder):
        return rung.template
    first_of_cycle = facts.cycle > 1 and not any(
        c.state not in NOT_MADE and ContactKey.parse(c.key).cycle == facts.cycle and not is_check(c.key) for c in facts.contacts
    )
    return facts.cycle_notice if first_of_cycle and facts.cycle_notice else candidate.rung.template


def _too_early_to_ride(case: Case, candidate: Candidate) -> bool:
    """A rung goes with another's message only when it asks for the same window, and nothing has yet to be announced for it."""
    ride = case.facts.ride
    return ride is not None and candidate.at > case.now and (candidate.at >= ride.ends or candidate.rung.requires is not None)


def _without_ride(case: Case) -> Case:
    return case._replace(facts=case.facts.model_copy(update={"ride": None}))


def _asked_minor(case: Case, candidate: Candidate) -> int:
    """What is asked: the balance of all instalments due no later than this one, less the part in dispute (F12)."""
    due = [i for i in case.facts.instalments if i.due_on <= candidate.instalment.due_on]
    owed = sum(max(i.balance_minor, 0) for i in due)
    return max(owed - sum(h.amount_minor or 0 for h in active_holds(case)), 0)


def _rung_ends(case: Case, candidate: Candidate, others: list[Candidate]) -> datetime:
    """A rung that limits push to the next rung's moment gives way to it; the last one gives up after its own days."""
    ends = local_moment(candidate.day + timedelta(days=candidate.rung.expires_days), case.manual.send_at, case.facts.zone)
    ends = max(ends, case.now + timedelta(days=1)) if case.now >= ends else ends
    sooner = itertools.takewhile(lambda other: other.at < ends, others)  # the earliest first
    return next((other.at for other in sooner if _takes_its_place(case, other, candidate)), ends)


def _cannot(case: Case, candidate: Candidate, asked: datetime, ends: datetime, amount_minor: int) -> Step:
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
    tier = [r for ways in ways_of(case, candidate) for r in ways]
    usable = [r for r in tier if r.permitted and r.channel in rung.channels]
    if not usable:
        reasons = sorted({f"{r.channel}: {r.why_not}" for r in tier if r.why_not}) or ["no address is known"]
        return Skip(
            at=case.now,
            why=f"{rung.rung}: nobody may be reached on its channels ({'; '.join(reasons)}).",
            rules=("reach.none",),
            key=key,
            rung=rung.rung,
        )
    said: dict[str, str] = {}
    rules: list[str] = []
    for reach in usable:
        slot = first_allowed(
            asked,
            channel=reach.channel,
            person_id=reach.person_id,
            budget=spoken_for(case, candidate.key),
            own=(facts.invoice_id, key),
            firm=rung.firm,
            place=case.place,
            limits=manual.limits,
            law=law_for(case, reach, asked),
        )
        rules += slot.rules
        if slot.rules:
            said.setdefault(slot.why, reach.channel)
    why = "; ".join(f"by {channel}, {reason}" for reason, channel in said.items()) or "each of its channels failed."
    return Skip(
        at=case.now,
        why=f"{rung.rung} gives way before {local_day(ends, facts.zone).isoformat()}: {why}",
        rules=tuple(dict.fromkeys(rules)) or ("channel.failed",),
        key=key,
        rung=rung.rung,
    )


def _decision(case: Case, candidate: Candidate) -> Step:
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
    silent_so_far = "" if last_real_contact(facts) else " Nothing was sent or announced from here before."
    return HandOff(
        at=now,
        why=f"{rung.rung}: by the manual's figures it is better to {compared.recommend} the debt.{silent_so_far}",
        rules=(f"ladder.{rung.rung}", f"agency.{compared.recommend}"),
        recommend=compared.recommend,
        figures=compared.figures,
        decide_by=now + timedelta(days=manual.agency.approve_within_days),
    )
