"""Each debtor its own moment after the opening, so that the first minute of a window is not everybody's (stampede)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from hashlib import blake2b


def own_seconds(account_id: str, day: date, within: timedelta) -> timedelta:
    """A stable delay of a debtor on a local day, in whole seconds from 0 up to `within` (excluded); the same for all invoices."""
    seconds = int(within.total_seconds())
    if seconds <= 0:
        return timedelta()
    digest = blake2b(f"{account_id}|{day.isoformat()}".encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest) % seconds)


def spread_out(
    at: datetime, *, starts: Iterable[datetime], ends: datetime, account_id: str, day: date, spread: timedelta
) -> datetime:
    """The debtor's own moment: not sooner after any of `starts` (openings, the hour asked for) than its own delay.

    It stays before `ends`: where less than `spread` is left of a window, the debtors are spread over what is left. A moment
    that is already past the own delay is kept, so asking again at the answer gives the same answer.
    """
    moments = [at]
    for start in starts:
        if start <= at:
            moments.append(start + own_seconds(account_id, day, min(spread, ends - start)))
    return max(moments)
