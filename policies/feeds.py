"""How fresh what we know of payments is: who is behind, and which bank day is complete (playbook 3, row 2).

A creditor declares the sources that tell of its payments. While one is late, nobody is chased for what may be paid already:
rungs from the due date on and verdicts on promises wait; rungs before it wait for a file that is a little late and may go
without it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from policies.calendars import add_working_days, next_working_day
from policies.facts import Feed, InvoiceFacts
from policies.ladder import day_start, local_day, local_moment

A_LITTLE_WD = 3
"""Bank days that may lack while a file is still waited for before the due date: the last one, and two more of a late file."""
LOOK_AGAIN_AT = "06:00"
"""Local hour of the creditor at which a verdict that waits for a late source looks again; one that catches up rings it before."""


def wanted_day(now: datetime, zone: str, country: str, region: str = "") -> date:
    """The bank day up to which a bank's file must be complete at `now`: the last working day before today."""
    return add_working_days(local_day(now, zone), -1, country, region)


def is_behind(feed: Feed, now: datetime, zone: str, country: str, region: str = "") -> bool:
    """Whether a source may still tell of money paid up to yesterday: a bank file by its days, a gateway or an ERP by when it was
    last seen. Whoever is late may be paid already, however early in the morning it is."""
    if feed.kind == "bank":
        return feed.complete_to is None or feed.complete_to < wanted_day(now, zone, country, region)
    return feed.seen_at is None or now - feed.seen_at > timedelta(minutes=feed.fresh_minutes)


def is_late(feed: Feed, now: datetime, zone: str, country: str, region: str = "") -> bool:
    """Whether operations are to be told: a bank's file of the last working day is behind only from its own hour on."""
    if not is_behind(feed, now, zone, country, region):
        return False
    today = local_day(now, zone)
    if feed.kind != "bank" or now >= local_moment(today, feed.expected_by, zone):
        return True
    before = add_working_days(wanted_day(now, zone, country, region), -1, country, region)
    return feed.complete_to is None or feed.complete_to < before


def is_a_little_late(feed: Feed, now: datetime, zone: str, country: str, region: str = "") -> bool:
    """Whether a bank's file lacks no more than its last days: it will come, and a rung before the due date can wait for it."""
    hoped = add_working_days(wanted_day(now, zone, country, region), -A_LITTLE_WD, country, region)
    return feed.kind == "bank" and feed.complete_to is not None and feed.complete_to >= hoped


def feeds_behind(facts: InvoiceFacts, now: datetime) -> list[Feed]:
    """The sources of this creditor that are behind at `now`."""
    return [f for f in facts.feeds if is_behind(f, now, facts.creditor_zone, facts.creditor_country)]


def covers(feed: Feed, day: date, zone: str, country: str, region: str = "") -> bool:
    """Whether all that was paid on `day` must be known by now: its bank day (the next working day) is complete, or the gateway
    or ERP was seen after the day was over."""
    if feed.kind == "bank":
        return feed.complete_to is not None and feed.complete_to >= next_working_day(day, country, region)
    return feed.seen_at is not None and feed.seen_at >= day_start(day + timedelta(days=1), zone)


def uncovered(facts: InvoiceFacts, day: date) -> list[Feed]:
    """The sources that may still tell of money paid on `day`: until they have, no promise that ended then is judged."""
    return [f for f in facts.feeds if not covers(f, day, facts.creditor_zone, facts.creditor_country)]


def look_again(now: datetime, zone: str) -> datetime:
    """When to look again if nothing rings before: the creditor's next early morning."""
    today = local_moment(local_day(now, zone), LOOK_AGAIN_AT, zone)
    return today if today > now else local_moment(local_day(now, zone) + timedelta(days=1), LOOK_AGAIN_AT, zone)


def said(feeds: list[Feed], zone: str) -> str:
    """`bank statement (complete to 2026-03-12), stripe (seen 2026-03-13 10:00)`: for people."""
    parts = []
    for feed in feeds:
        if feed.kind == "bank":
            known = f"complete to {feed.complete_to.isoformat()}" if feed.complete_to else "never complete"
        else:
            known = f"seen {feed.seen_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" if feed.seen_at else "never seen"
        parts.append(f"{feed.name} ({known})")
    return ", ".join(parts)
