"""What makes a due rung wait although nothing holds the invoice as a whole (playbook 2 and 3).

Each rule has an id, a reason in words and an end. Rules of the whole invoice (stops, disputes, agreements) are in
`policies.next_step`; the table `SECTION_3` says for every row of the playbook where its rule lives and what ends it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from policies.calendars import add_working_days
from policies.case import NOT_MADE, Case, active_holds
from policies.facts import HoldKind, PaymentFact
from policies.feeds import feeds_behind, is_a_little_late, said
from policies.ladder import Candidate, candidates, day_start, effective_due_on, local_day, local_moment
from policies.money import written
from policies.steps import Ask, Contact, Step, Wait
from policies.terms import ContactKey, DebtorKind, days_said

OVERDUE_ONLY: Final[frozenset[HoldKind]] = frozenset({"balance_differs"})
"""Holds that leave the rungs before the due date alone."""


class Row(NamedTuple):
    """One row of playbook 3: the ids of its rules, and what ends it."""

    rules: tuple[str, ...]
    ends: str


SECTION_3: Final[dict[str, Row]] = {
    "settled": Row(
        ("close.paid", "close.cancelled", "close.credited", "close.written_off", "close.settled_in_erp"),
        "a reversal reopens the invoice",
    ),
    "payment_data_late": Row(("feed.late", "promise.bank_day"), "the source catches up; looked at each morning"),
    "payment_in_process": Row(("hold.payment_in_process",), "settled, failed, or the method's clearing time"),
    "unapplied": Row(("hold.unapplied", "unapplied.credit"), "applied, released, or so many working days"),
    "due_assumed": Row(("due.assumed",), "the date is confirmed"),
    "not_delivered": Row(("delivery.missing",), "evidence or a person's waiver"),
    "dispute": Row(("hold.dispute",), "outcome or deadline"),
    "certificate": Row(("deduction.certificate", "deduction.proposed"), "certificate, or reclassified as a short payment"),
    "instrument": Row(("hold.instrument",), "cleared, returned, or maturity and clearing"),
    "ceded": Row(("hold.ceded",), "recourse, buy-back, or the review date"),
    "own_promise": Row(("own_promise.overdue",), "done; looked at each morning"),
    "scheduled": Row(("agreement.promise",), "kept or missed"),
    "insolvency": Row(
        ("suppression.insolvency", "suppression.insolvency_claimed"),
        "a person lifts it, asked again every 30 days; a claim that nobody confirms, after two working days",
    ),
    "person": Row(
        ("suppression.deceased", "suppression.minor", "suppression.vulnerable", "suppression.identity_theft",
         "suppression.disaster"),
        "that person's decision with its review date",
    ),
    "complaint": Row(("suppression.complaint",), "answered, or the deadline"),
    "legal_stage": Row(("suppression.court", "suppression.represented", "agency.placed"), "the stage is left"),
    "limitation": Row(("limitation.passed",), "never: the rung is skipped"),
    "owner": Row(("hold.owner",), "its end date, five working days at most"),
}  # fmt: skip
"""Playbook 3, row by row."""


def rung_waits(case: Case, candidate: Candidate, asked_minor: int) -> Wait | None:
    """Why a rung that speaks to the customer (or places the debt) waits, and until when; None: nothing here holds it.

    `asked_minor` is what it would ask for.
    """
    for rule in (_data_late, _balance_differs, _credit, _part_paid, _own_promise):
        wait = rule(case, candidate, asked_minor)
        if wait is not None:
            return wait
    return None


def silent(case: Case) -> int:
    """For how many days we wrote without any sign of the customer, where that is more than the manual allows; else 0.

    A sign is an answer, a conversation, a payment, something agreed, or a visit of the customer's page.
    """
    facts, most = case.facts, case.manual.pauses.silence_days
    made = [c.local_date for c in facts.contacts if c.state not in NOT_MADE and ContactKey.parse(c.key).cycle == facts.cycle]
    if most is None or not made:
        return 0
    signs = [r.heard_at for r in facts.reach if r.heard_at is not None]
    signs += [p.recorded_at for p in facts.payments] + [a.made_at for a in facts.agreements]
    since = max([min(made), *(local_day(at, facts.zone) for at in signs), *filter(None, [facts.last_conversation_on])])
    days = (local_day(case.now, facts.zone) - since).days
    return days if days >= most else 0


def is_overdue(case: Case, candidate: Candidate) -> bool:
    """Whether the rung would speak of something that is late on the day it goes."""
    day = local_day(max(candidate.at, case.now), case.facts.zone)
    return day > effective_due_on(case.facts, case.manual, candidate.instalment)


def _wait(candidate: Candidate, at: datetime, rule: str, until: str, why: str) -> Wait:
    rung = candidate.rung.rung
    return Wait(at=at, why=f"{rung} waits: {why}", rules=(f"ladder.{rung}", rule), until=until)


def _next_morning(case: Case) -> datetime:
    """The manual's hour of the customer's next day: when what waits for others looks again, if nothing rings before."""
    today = local_day(case.now, case.facts.zone)
    return local_moment(today + timedelta(days=1), case.manual.send_at, case.facts.zone)


def _data_late(case: Case, candidate: Candidate, _asked_minor: int) -> Wait | None:
    facts, now = case.facts, case.now
    if not facts.feeds or now < candidate.at:
        return None
    late = feeds_behind(facts, now)
    due = effective_due_on(facts, case.manual, candidate.instalment)
    if local_day(now, facts.zone) < due:
        # A courtesy waits for a file that is a little late, for whoever pays early; without one that is lost it goes.
        late = [f for f in late if is_a_little_late(f, now, facts.creditor_zone, facts.creditor_country)]
    if not late:
        return None
    why = f"payments are not known up to yesterday: {said(late, facts.creditor_zone)}."
    return _wait(candidate, _next_morning(case), "feed.late", "payment_data", why)


def _balance_differs(case: Case, candidate: Candidate, _asked_minor: int) -> Wait | None:
    held = [h for h in active_holds(case) if h.kind in OVERDUE_ONLY]
    if not held or not is_overdue(case, candidate):
        return None
    until = max(h.until for h in held)
    if until <= candidate.at:
        return None
    why = "the creditor's own system shows another balance."
    return _wait(candidate, until, "hold.balance_differs", "balance_differs", why)


def _credit(case: Case, candidate: Candidate, asked_minor: int) -> Wait | None:
    """Money of this customer that lies on no invoice covers what the rung would ask for."""
    facts = case.facts
    if facts.credit_since is None or asked_minor <= 0 or facts.credit_minor < asked_minor:
        return None
    since = local_day(max(facts.credit_since, facts.entered_at), facts.zone)
    last = add_working_days(since, case.manual.pauses.unapplied_wd, facts.place_of_payment, facts.place_of_payment_region)
    until = day_start(last + timedelta(days=1), facts.zone)
    if until <= max(candidate.at, case.now):
        return None
    why = f"{written(facts.credit_minor, facts.currency)} of this customer lies on no invoice and covers it."
    return _wait(candidate, until, "unapplied.credit", "unapplied", why)


def _part_paid(case: Case, candidate: Candidate, _asked_minor: int) -> Wait | None:
    """After a part payment of some size the customer is left in peace for some days (playbook 2)."""
    facts, pauses = case.facts, case.manual.pauses
    if pauses.part_payment_pct is None or not facts.received or not is_overdue(case, candidate):
        return None
    ends = [_peace_until(case, p) for p in facts.received if p.amount_minor > 0 and _is_sizable(case, p)]
    until = max(ends, default=None)
    if until is None or until <= max(candidate.at, case.now):
        return None
    why = f"a part of it was paid; nothing is asked for {days_said(pauses.part_payment_days)}."
    return _wait(candidate, until, "part_payment.peace", "part_payment", why)


def _is_sizable(case: Case, payment: PaymentFact) -> bool:
    came = sum(p.amount_minor for p in case.facts.received if p.recorded_at >= payment.recorded_at)
    owed_before = case.facts.balance_minor + came
    return payment.amount_minor * 100 >= (case.manual.pauses.part_payment_pct or 0) * owed_before


def _peace_until(case: Case, payment: PaymentFact) -> datetime:
    facts, days = case.facts, case.manual.pauses.part_payment_days
    day = local_day(payment.recorded_at, facts.zone)
    if facts.kind is DebtorKind.BUSINESS:
        last = add_working_days(day, days, facts.place_of_payment, facts.place_of_payment_region)
    else:
        last = day + timedelta(days=days)
    return day_start(last + timedelta(days=1), facts.zone)


def _own_promise(case: Case, candidate: Candidate, _asked_minor: int) -> Wait | None:
    """A firm word waits for ours (S67)."""
    facts, now = case.facts, case.now
    if not candidate.rung.firm or now < candidate.at or not any(end <= now for end in facts.own_promises):
        return None
    why = "what we promised this customer is overdue: keep it first."
    return _wait(candidate, _next_morning(case), "own_promise.overdue", "own_promise", why)


def unmoved(case: Case) -> Candidate | None:
    """The next task whose deadline is somebody else's (an insurer's): no hold, pause or promise moves it."""
    if not any(rung.unmoved for rung in case.manual.ladder):
        return None
    return next((c for c in candidates(case.facts, case.manual) if c.rung.unmoved), None)


def not_beyond(step: Step, deadline: Candidate) -> Step:
    """The step, or the wait for an unmoved task that falls before it."""
    if not isinstance(step, Contact | Wait) or step.at <= deadline.at:
        return step
    rung = deadline.rung.rung
    if isinstance(step, Wait):
        return step.model_copy(update={"at": deadline.at, "rules": (*step.rules, f"ladder.{rung}")})
    why = f"{rung}: a task whose deadline nothing moves comes first."
    return Wait(at=deadline.at, why=why, rules=(f"ladder.{rung}",), until="rung")


def deadline_task(case: Case, deadline: Candidate) -> Ask:
    """The unmoved task itself, due on its day."""
    rung = deadline.rung
    return Ask(
        at=case.now,
        why=f"{rung.rung}: {rung.template.replace('_', ' ')}. No hold or pause moves this deadline.",
        rules=(f"ladder.{rung.rung}", "deadline.unmoved"),
        task=rung.template,
        key=f"{case.facts.invoice_id}:{deadline.key}",
        due_at=case.now + timedelta(days=2),
        rung_key=str(deadline.key),
    )
