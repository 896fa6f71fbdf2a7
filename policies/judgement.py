"""Was an agreement kept? Judged by amount and by the payer's dates, milestone by milestone, cumulatively (F66, F71)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from policies.facts import Agreement, Milestone, PaymentFact
from policies.terms import MinorUnits, Model


class Judgement(Model):
    """How an agreement stands on a day.

    `verdict` None: it is still running, and `milestone` is the next one not yet covered, judged after `ends_on` (its date plus
    grace, local to the debtor). Else `milestone` is the one that decided. `promised_minor` is the sum of all milestones up to
    it, `paid_minor` what was paid towards them in time.
    """

    verdict: Literal["kept", "partly", "broken"] | None
    milestone: Milestone
    ends_on: date
    promised_minor: MinorUnits
    paid_minor: MinorUnits


def judge(agreement: Agreement, payments: Iterable[PaymentFact], today: date) -> Judgement:
    """How the agreement stands on `today` (the debtor's local day).

    Counts payments recorded since the agreement was made (earlier ones are in its sums already) by their `paid_on`; a reversal
    always counts against it. Paid ahead counts for the milestones to come. A milestone is judged once its last day of grace is
    over: with all of it paid it is kept, with some of it the agreement is partly kept, with none broken.
    """
    counted = [p for p in payments if p.recorded_at >= agreement.made_at]
    grace = timedelta(days=agreement.grace_days)
    milestones = sorted(agreement.milestones, key=lambda m: m.number)
    promised = 0
    for milestone in milestones:
        before, promised = promised, promised + milestone.amount_minor
        ends_on = milestone.due_on + grace
        paid = _paid_by(counted, ends_on)
        if paid >= promised:
            continue
        verdict: Literal["partly", "broken"] | None = None
        if today > ends_on:
            verdict = "partly" if paid > before else "broken"
        return Judgement(verdict=verdict, milestone=milestone, ends_on=ends_on, promised_minor=promised, paid_minor=paid)
    last = milestones[-1]
    ends_on = last.due_on + grace
    return Judgement(
        verdict="kept", milestone=last, ends_on=ends_on, promised_minor=promised, paid_minor=_paid_by(counted, ends_on)
    )


def _paid_by(payments: Iterable[PaymentFact], day: date) -> int:
    return max(sum(p.amount_minor for p in payments if p.amount_minor < 0 or p.paid_on <= day), 0)
