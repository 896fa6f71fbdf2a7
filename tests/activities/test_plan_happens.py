"""Explain the future: for one to six invoices of one debtor under caps, what `plan` lists is what then happens (I9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from ledger.facts import gather_book
from policies.forecast import forecast
from policies.steps import Contact, Skip
from tests.activities.house import House

LADDER = [
    {"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due"},
    {"rung": "S2", "day": "D+3", "channels": ["sms", "email"], "template": "first_reminder",
     "repeat": {"every_days": 3, "at_most": 2}},
    {"rung": "S3", "day": "D+10", "channels": ["email"], "template": "last_days", "firm": True, "after_contact_days": 2},
]  # fmt: skip

limits = st.fixed_dictionaries(
    {
        "contacts": st.lists(
            st.fixed_dictionaries(
                {"max": st.integers(1, 3), "days": st.integers(1, 9), "per": st.sampled_from(["person", "account"])},
                optional={"channels": st.sampled_from([["email"], ["sms"]])},
            ),
            max_size=3,
        ),
        "gap_hours": st.none() | st.integers(1, 80),
        "holidays": st.booleans(),
        "fold": st.sampled_from([True, True, False]),
        "spread_minutes": st.sampled_from([0, 45]),
        "firm_days": st.just(["mon", "tue", "wed", "thu"]),
    }
)
due_dates = st.lists(st.integers(0, 25), min_size=1, max_size=6)


@settings(max_examples=max(25, settings().max_examples // 40), deadline=None, suppress_health_check=list(HealthCheck))
@given(limits=limits, dues=due_dates, entered_days=st.integers(0, 12))
def play(build: Callable[..., House], limits: dict[str, Any], dues: list[int], entered_days: int) -> None:
    house = build(limits={k: v for k, v in limits.items() if v is not None}, ladder=LADDER)
    start = house.tools.clock.now() + timedelta(days=entered_days)
    house.move(start)
    number = 0
    for offset in dues:
        number += 1
        due = date(2026, 3, 5) + timedelta(days=offset)
        body = {"due_on": due.isoformat(), "now": start}
        house.plan(house.owes(f"F-{number}", **body))
    until = start + timedelta(days=120)
    told = _told(house, start, until)
    happened = _happened(house, until, since=house.rows("select max(id) from step")[0][0])
    assert happened == told
    assert happened, "a whole ladder lies ahead: an empty list would prove nothing"


def _told(house: House, now: datetime, until: datetime) -> list[tuple[datetime, str, str, str, str]]:
    with Session(house.worker) as session:
        account = house.rows("select account_id from invoice limit 1")[0].account_id
        book = gather_book(session, account, now)
    numbers = {entry.facts.invoice_id: entry.facts.order for entry in book}
    return [
        (p.at, numbers[p.invoice_id], p.step.kind, p.step.key, p.step.channel if isinstance(p.step, Contact) else "")
        for p in forecast(book, now=now, until=until)
        if isinstance(p.step, Contact | Skip)
    ]


def _happened(house: House, until: datetime, *, since: int) -> list[tuple[datetime, str, str, str, str]]:
    while True:
        due = house.rows("select id, next_at from invoice where outcome is null order by next_at, number limit 1")
        if not due or due[0].next_at > until:
            break
        house.move(max(due[0].next_at, house.tools.clock.now()))
        house.contact(UUID(str(due[0].id)))
    rows = house.rows(
        "select s.asked_at, i.number, s.kind, s.key, coalesce(s.channel, '') as channel from step s"
        " join invoice i on i.id = s.invoice_id left join contact k on k.step_id = s.id"
        " where (s.kind = 'skip' and s.id > :since) or k.state = 'accepted' order by s.id",
        since=since,
    )
    return [(r.asked_at, r.number, r.kind, r.key, r.channel if r.kind == "contact" else "") for r in rows]


def test_what_was_told_is_what_happens(fresh: Callable[..., House]) -> None:
    play(fresh)
