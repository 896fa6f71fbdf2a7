"""Rungs that are a person's call first, and a message only when nobody could be spoken with (playbook 4: call, then e-mail)."""

from __future__ import annotations

from datetime import datetime

from policies.calendars import add_working_days
from policies.case import Case
from policies.ladder import Candidate, local_moment
from policies.steps import Ask, Skip, Step, Wait

CALL = "-call"
"""Ends the key under which a rung's call was asked for."""


def call_first(case: Case, candidate: Candidate) -> Step | None:
    """Some rungs are a person's call, and a message only when nobody could be spoken with (playbook 4: call, then e-mail)."""
    facts, now, rung, working_days = case.facts, case.now, candidate.rung, candidate.rung.call_first_wd
    if working_days is None or now < candidate.at:
        return None
    spoken = facts.last_conversation_on
    if spoken is not None and spoken >= candidate.day:
        why = f"{rung.rung} was a call: somebody spoke with the customer on {spoken.isoformat()}."
        rules = (f"ladder.{rung.rung}", "ladder.spoken")
        return Skip(at=now, why=why, rules=rules, key=str(candidate.key), rung=rung.rung)
    ends = call_ends(case, candidate)
    asked = str(candidate.key._replace(rung=f"{rung.rung}{CALL}"))
    if now >= ends:
        return None
    if asked not in {skipped.key for skipped in facts.skipped}:
        why = f"{rung.rung}: call the customer first; without a conversation by then the message goes."
        rules = (f"ladder.{rung.rung}", "ladder.call")
        key = f"{facts.invoice_id}:{asked}"
        return Ask(at=now, why=why, rules=rules, task="call_customer", key=key, due_at=ends, rung_key=asked)
    why = f"{rung.rung} is a person's call first; without a conversation the message goes then."
    return Wait(at=ends, why=why, rules=(f"ladder.{rung.rung}", "ladder.call"), until="call")


def call_ends(case: Case, candidate: Candidate) -> datetime:
    """The manual's hour of the working day after the last one on which the customer may be called instead."""
    last = add_working_days(candidate.day, candidate.rung.call_first_wd or 0, case.facts.country, case.facts.region)
    return local_moment(last, case.manual.send_at, case.facts.zone)
