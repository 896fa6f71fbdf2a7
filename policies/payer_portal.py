"""A payer that takes invoices only through its portal: a person hands them in; nothing is asked before that (playbook 4.4)."""

from __future__ import annotations

from datetime import timedelta

from policies.calendars import add_working_days
from policies.case import Case
from policies.facts import InvoiceFacts
from policies.ladder import Candidate, day_start, local_day
from policies.steps import Ask, Skip, Step, Wait
from policies.terms import ContactKey

SUBMIT = "submit_to_portal"
"""The task, and the key under which it counts as asked."""
SUBMIT_WD = 2
PATIENCE_DAYS = 30
"""How long a rung waits for its invoice to be handed in, before it is passed over."""
NOT_THERE = ("", "rejected")


def missing(facts: InvoiceFacts) -> bool:
    """Whether the payer wants the invoice in its portal and it is not there, or came back."""
    return facts.habits.portal is not None and facts.portal_state in NOT_THERE


def submit(case: Case) -> Ask | None:
    """A person is asked once, as soon as the invoice comes in; the deadline is the payer's cut-off where that is near."""
    facts = case.facts
    key = str(ContactKey(0, 1, SUBMIT))
    portal = facts.habits.portal
    if portal is None or facts.portal_state or any(passed.key == key for passed in facts.skipped):
        return None
    last = add_working_days(local_day(case.now, facts.zone), SUBMIT_WD, facts.country, facts.region)
    return Ask(
        at=case.now,
        why=f"The payer takes invoices through its portal ({portal.name}): hand {facts.order} in and record it.",
        rules=("portal.submit",),
        task=SUBMIT,
        key=facts.invoice_id,
        due_at=day_start(last + timedelta(days=1), facts.zone),
        rung_key=key,
    )


def waits(case: Case, candidate: Candidate) -> Step | None:
    """A message about an invoice that the payer cannot pay yet, because it is not in its portal, waits; None: it may go."""
    facts, rung, now = case.facts, candidate.rung, case.now
    if rung.action != "contact" or not missing(facts):
        return None
    state = "came back from" if facts.portal_state == "rejected" else "is not in"
    why = f"{rung.rung} waits: the invoice {state} the payer's portal."
    rules, ends = (f"ladder.{rung.rung}", "portal.not_submitted"), candidate.at + timedelta(days=PATIENCE_DAYS)
    if now < candidate.at:
        return Wait(at=candidate.at, why=why, rules=rules, until="rung")
    if now < ends:
        return Wait(at=ends, why=why, rules=rules, until="portal")
    return Skip(at=now, why=f"{why} Nobody did for {PATIENCE_DAYS} days.", rules=rules, key=str(candidate.key), rung=rung.rung)
