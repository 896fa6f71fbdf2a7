"""Where the ladder of an invoice begins that another system collected before: behind the stage that it had reached."""

from __future__ import annotations

from policies.carried import CARRIED, stage_position
from policies.case import Case
from policies.ladder import Candidate, effective_due_on, local_day
from policies.steps import Skip


def passed_before(case: Case, candidate: Candidate) -> Skip | None:
    """Rungs up to the carried stage are passed, also those whose day is still to come: the customer has had their message.

    Only in the first cycle, and only for instalments that had begun: the one that is due first, and those that were due when the
    invoice came over.
    """
    facts = case.facts
    if not facts.carried_stage or facts.cycle != 1:
        return None
    try:
        last = stage_position(case.manual, facts.carried_stage)
    except ValueError:
        return None  # checked when it was accepted
    if candidate.position > last:
        return None
    number = candidate.instalment.number
    entered = local_day(facts.entered_at, facts.zone)
    begun = number == min(i.number for i in facts.instalments)
    if not begun and effective_due_on(facts, case.manual, candidate.instalment) > entered:
        return None
    why = f"{candidate.rung.rung} was behind the invoice when it came over (stage {facts.carried_stage})."
    return Skip(at=case.now, why=why, rules=(CARRIED,), key=str(candidate.key), rung=candidate.rung.rung)
