"""How many contacts there may be, and how far apart: rolling caps over local dates and a gap in hours (F48).

A cap of n in d days holds in every run of d local dates, so a contact must fit with those before it and with the slots already
reserved after it. Planned, claimed, calling, accepted, delivered and unknown all count; failed attempts do not. Of what people
did, calls that never connected and the customer's own do not count.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

from policies.facts import BudgetEntry
from policies.manual import Cap, Limits
from policies.tally import Counted
from policies.terms import AttemptState, Channel, days_said


class Refusal(NamedTuple):
    """A limit that speaks against a moment."""

    rule: str
    why: str


def cap_rule(cap: Cap) -> str:
    """`budget.7d.person`, `budget.14d.person.voice`."""
    channels = "" if cap.channels is None else "." + "+".join(sorted(cap.channels))
    by = "" if cap.by == "anyone" else f".by_{cap.by}"
    return f"budget.{cap.days}d.{cap.per}{channels}{by}" + (".conversation" if cap.outcome == "conversation" else "")


class _Counter(NamedTuple):
    cap: Cap
    days: list[int]
    """Ordinals of the local dates of the contacts that count, sorted."""

    def refuses(self, ordinal: int) -> bool:
        return rolling_refuses(self.days, ordinal, self.cap.days - 1, self.cap.max)


def rolling_refuses(days: Sequence[int], ordinal: int, reach: int, most: int) -> bool:
    """Whether one more contact on a date would make more than `most` in some run of `reach` + 1 dates; `days` is sorted."""
    first = bisect_left(days, ordinal - reach)
    last = bisect_right(days, ordinal + reach)
    if last - first < most:
        return False
    if most == 0:
        return True
    # Of the runs of days that hold this one, the fullest begins on a contact or on the day itself.
    for index in range(first, last):
        start = days[index]
        if start > ordinal:
            break
        if bisect_right(days, start + reach) - index >= most:
            return True
    return bisect_right(days, ordinal + reach) - bisect_left(days, ordinal) >= most


class Budget:
    """The contacts that count for one wish to contact, ready to be asked about many days."""

    def __init__(
        self,
        entries: Sequence[BudgetEntry],
        limits: Limits,
        *,
        channel: Channel,
        person_id: str,
        own: tuple[str, str],
        since: datetime | None,
        by: Literal["machine", "person"] = "machine",
    ) -> None:
        caps = [cap for cap in limits.contacts if cap.by in ("anyone", by) and (cap.channels is None or channel in cap.channels)]
        self._gap = timedelta(hours=limits.gap_hours) if limits.gap_hours is not None else None
        longest = max([cap.days for cap in caps], default=0)
        oldest = since - max(timedelta(days=longest + 3), self._gap or timedelta()) if since is not None else None
        counted = [
            entry
            for entry in entries
            if (oldest is None or entry.at >= oldest)
            and entry.state is not AttemptState.FAILED
            and entry.is_attempt
            and not (entry.key == own[1] and entry.invoice_id == own[0])
        ]
        self._counters = [_Counter(cap, _days(counted, cap, person_id)) for cap in caps]
        self._instants: list[datetime] = []
        if self._gap is not None:
            self._instants = sorted(entry.at.astimezone(UTC) for entry in counted if entry.person_id == person_id)

    def refusals_on(self, day: date) -> list[Refusal]:
        """The caps that a contact on this local date would break."""
        ordinal = day.toordinal()
        return [
            Refusal(cap_rule(c.cap), f"more than {c.cap.max} in {days_said(c.cap.days)} per {c.cap.per}")
            for c in self._counters
            if c.refuses(ordinal)
        ]

    def full_on(self, day: date) -> bool:
        """True when some cap is used up on this local date."""
        ordinal = day.toordinal()
        for counter in self._counters:  # Asked for every day of a search: a loop is twice as fast as any().
            if counter.refuses(ordinal):
                return True
        return False

    def too_close(self, at: datetime) -> Refusal | None:
        """The contact to the same person that is nearer than the gap, if any."""
        if self._gap is None or self.clear_from(at) == at:
            return None
        hours = int(self._gap.total_seconds() // 3600)
        return Refusal("budget.gap", f"another contact to this person is less than {hours} hours away")

    def clear_from(self, at: datetime) -> datetime:
        """The first instant from `at` on that keeps the gap to every other contact."""
        if self._gap is None:
            return at
        for other in self._instants[bisect_right(self._instants, at - self._gap) :]:
            if at <= other - self._gap:
                break
            at = max(at, other + self._gap)
        return at

    def clear_until(self, at: datetime, end: datetime) -> datetime:
        """How long from `at` on the gap to the next contact is kept, at most until `end` (excluded)."""
        if self._gap is None:
            return end
        index = bisect_right(self._instants, at)
        if index == len(self._instants):
            return end
        # Exactly the gap is still enough, so the first refused instant lies just after it.
        last_good = self._instants[index] - self._gap
        return min(end, last_good + timedelta(microseconds=1))


def budget_of(
    entries: Sequence[BudgetEntry],
    limits: Limits,
    *,
    channel: Channel,
    person_id: str,
    own: tuple[str, str],
    since: datetime,
    by: Literal["machine", "person"],
) -> Budget:
    """The budget of a wish to contact from `since` on; of entries that many rungs ask about it is made once."""
    if not isinstance(entries, Counted):
        return Budget(entries, limits, channel=channel, person_id=person_id, own=own, since=since, by=by)
    key = "budget", id(limits), channel, person_id, by
    found: tuple[Limits, Budget] | None = entries.made.get(key)
    if found is None:
        made = Budget(entries, limits, channel=channel, person_id=person_id, own=own, since=None, by=by)
        found = entries.made[key] = limits, made  # with the limits, whose identity is part of the key
    return found[1]


def _days(entries: Sequence[BudgetEntry], cap: Cap, person_id: str) -> list[int]:
    return sorted(
        entry.local_date.toordinal()
        for entry in entries
        if ((cap.per == "account" and not entry.elsewhere) or entry.person_id == person_id)
        and (cap.channels is None or entry.channel in cap.channels)
        and (cap.by == "anyone" or entry.manual == (cap.by == "person"))
        and (cap.outcome == "attempt" or (entry.manual and entry.outcome == "conversation"))
    )
