"""A customer's payment history as a segment with its reasons (F20, F21; playbook 2): plain arithmetic, never the only gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from policies.facts import Agreement
from policies.terms import Model

Segment = Literal["good_payer", "late_but_pays", "new_customer", "regular"]

STREAK_LENGTH = 6
"""So many invoices paid on time in a row make a good payer (playbook 2)."""
ENOUGH_HISTORY = 3
"""With fewer settled invoices a customer is new."""
LONG_OPEN_DAYS = 90
"""An invoice open for longer than this speaks against "always pays"."""


class Settled(Model):
    """One past invoice: its effective due date and the day it was paid in full (None: still open)."""

    due_on: date
    paid_on: date | None


class Score(Model):
    """The segment and what it rests on. `days_late_median` counts early payment as 0; percentages are whole numbers."""

    segment: Segment
    days_late_median: int | None
    streak: int
    """Latest invoices in a row that were paid on time."""
    promises_kept_pct: int | None
    reasons: tuple[str, ...]


def score(history: Sequence[Settled], agreements: Sequence[Agreement], today: date) -> Score:
    """Segment a customer by what has fallen due up to `today`; the order of the history does not matter."""
    due = sorted((item for item in history if item.due_on < today), key=lambda item: (item.due_on, item.paid_on or date.max))
    late = sorted(max((item.paid_on - item.due_on).days, 0) for item in due if item.paid_on is not None)
    median = _median(late)
    streak = _streak(due)
    reliability = promises_kept_pct(agreements)
    long_open = [item for item in due if item.paid_on is None and (today - item.due_on).days > LONG_OPEN_DAYS]
    promises = "no promise has been judged" if reliability is None else f"{reliability} % of promises were kept"

    def as_(segment: Segment, *reasons: str) -> Score:
        return Score(
            segment=segment, days_late_median=median, streak=streak, promises_kept_pct=reliability, reasons=(*reasons, promises)
        )

    if median is None or len(late) < ENOUGH_HISTORY:
        return as_("new_customer", f"{len(late)} settled invoices, fewer than {ENOUGH_HISTORY}")
    if streak >= STREAK_LENGTH:
        return as_("good_payer", f"the last {streak} invoices were paid on time")
    if median > 0 and not long_open:
        return as_("late_but_pays", f"pays {median} days late at the median", f"nothing is open over {LONG_OPEN_DAYS} days")
    reasons = [f"the last {streak} invoices were paid on time, fewer than {STREAK_LENGTH}"]
    if long_open:
        reasons.append(f"{len(long_open)} invoices are open for more than {LONG_OPEN_DAYS} days")
    return as_("regular", *reasons)


def promises_kept_pct(agreements: Sequence[Agreement]) -> int | None:
    """Kept in full as a share of all that were judged; None while none was."""
    judged = [a for a in agreements if a.state in ("kept", "partly", "broken")]
    return 100 * sum(a.state == "kept" for a in judged) // len(judged) if judged else None


def _median(values: Sequence[int]) -> int | None:
    """The middle value (the later of two middles, so that lateness is not understated)."""
    return values[len(values) // 2] if values else None


def _streak(due: Sequence[Settled]) -> int:
    count = 0
    for item in reversed(due):
        if item.paid_on is None or item.paid_on > item.due_on:
            break
        count += 1
    return count
