"""Eight workers on debtors with many invoices each, a fifth of all their runs cut off at a random point: limits and law hold.

A run is cut off before or after any of its commits, or before or after the call to the provider, as kill -9 would; whoever asks
again finds what is left. Afterwards SQL on the stored local times says whether a cap, a window or a rung was lost.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

import activities.collector as collector
from channels import Accepted, Outgoing, Sender
from ledger.outbox import reconcile
from policies.calendars import holiday_name
from tests import cast
from tests.activities.conftest import build
from tests.activities.house import House
from tests.crash.checks import Outside, findings
from tests.crash.town import manual_drill

__all__ = ["build"]
WORKERS = 8
SHARE = 0.2
"""At least so many of all runs are cut off."""
DRAWN = 0.35
"""So many are drawn for it: some end before the point at which they would have been."""
POINTS = 8
"""Of a contact that is made: before and after its three commits and the call."""
TRIES = 60
"""Rounds at one moment after which a run that never ends is an error."""


class CutOff(BaseException):
    """The process is gone: nothing after this line runs, and no handler for errors sees it."""


class Cutter:
    """Decides for each run whether and where it is cut off, and counts."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._run = threading.local()
        self.runs: Counter[str] = Counter()

    def begin(self, points: int) -> None:
        """A run that passes so many points at least; it is cut off at one of them, or not at all."""
        with self._lock:
            reach = self._dice.choice((2, points))  # many runs find that their contact was made, and end early
            self._run.left = self._dice.randrange(reach) if self._dice.random() < DRAWN else -1
            self.runs["all"] += 1

    def point(self, where: str) -> None:
        left = getattr(self._run, "left", -1)
        if left < 0:
            return
        self._run.left = left - 1
        if left == 0:
            with self._lock:
                self.runs["cut off"] += 1
                self.runs[where] += 1
            raise CutOff(where)


def cutting_session(cutter: Cutter) -> type[Session]:
    class Cutting(Session):
        def commit(self) -> None:
            cutter.point("before a commit")
            super().commit()
            cutter.point("after a commit")

    return Cutting


class CuttingSender:
    """A provider whose caller may die before or after the call."""

    def __init__(self, inner: Sender, cutter: Cutter) -> None:
        self._inner, self._cutter = inner, cutter
        self.channel, self.provider = inner.channel, inner.provider

    def send(self, outgoing: Outgoing) -> Accepted:
        self._cutter.point("before the call")
        done = self._inner.send(outgoing)
        self._cutter.point("after the call")
        return done


@contextmanager
def cut_off(house: House, cutter: Cutter, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(collector, "Session", cutting_session(cutter))
        for channel, sender in list(house.tools.senders.items()):
            patch.setitem(house.tools.senders, channel, CuttingSender(sender, cutter))
        yield


def debtors(house: House, count: int, invoices: int) -> None:
    """Every debtor in Bogotá with three channels, each invoice of one due on one of three days."""
    for number in range(count):
        ways = [
            {"channel": "email", "address": f"d{number}@example.com", "consent": "given"},
            {"channel": "sms", "address": f"+57310555{number:04d}", "consent": "given", "verified": True},
            {"channel": "whatsapp", "address": f"+57310555{number:04d}", "consent": "given", "verified": True},
        ]
        account = cast.debtor_ana(ref=f"D-{number}", contacts=[{"role": "holder", "channels": ways}])
        for each in range(invoices):
            due = date(2026, 3, 9) + timedelta(days=each % 3)
            house.owes(f"F-{number}-{each}", account=account, due_on=due.isoformat())


def play(house: House, cutter: Cutter, seed: int) -> None:
    """Do what is due, in any order and by eight at a time, and go on to the next moment, until the last day."""
    dice, end = random.Random(seed), datetime(2026, 4, 21, tzinfo=UTC)
    with ThreadPoolExecutor(WORKERS) as pool:
        while True:
            now = house.tools.clock.now()
            for _ in range(TRIES):
                due = house.rows(
                    "select id, next_kind from invoice where outcome is null and (revision > seen_revision or next_at <= :now)",
                    now=now,
                )
                if not due:
                    break
                dice.shuffle(due)
                list(pool.map(lambda row: run(house, cutter, row.id, row.next_kind), due))
            else:
                raise AssertionError(f"{len(due)} invoices never came to rest at {now}")
            coming = house.rows("select min(next_at) as at from invoice where outcome is null")[0].at
            if coming is None or coming > end:
                return
            house.move(coming)


def run(house: House, cutter: Cutter, invoice: UUID, kind: str | None) -> None:
    cutter.begin(POINTS if kind == "contact" else 2)
    try:
        (house.contact if kind == "contact" else house.plan)(invoice)
    except (CutOff, ApplicationError):
        return


def unlawful(house: House) -> list[str]:
    """Contacts outside the hours of Ley 2300, on a Sunday or holiday, twice a day, or on a second channel in one week."""
    found = []
    before: dict[UUID, list[tuple[date, str]]] = defaultdict(list)
    rows = house.rows(
        "select person_id, channel, at_local, local_date from contact where folded_into is null"
        " and state in ('claimed', 'calling', 'accepted', 'delivered', 'unknown') order by at_utc"
    )
    for row in rows:
        opens, closes = (8, 15) if row.local_date.isoweekday() == 6 else (7, 19)
        if row.local_date.isoweekday() == 7 or holiday_name(row.local_date, "CO") or not opens <= row.at_local.hour < closes:
            found.append(f"{row.at_local} is outside the law's hours")
        for day, channel in before[row.person_id]:
            same_week = day.isocalendar()[:2] == row.local_date.isocalendar()[:2] or (row.local_date - day).days < 7
            if day == row.local_date or (channel != row.channel and same_week):
                found.append(f"{row.local_date}: {row.channel} after {channel} of {day}")
        before[row.person_id].append((row.local_date, row.channel))
    return found


@pytest.mark.timeout(3600)
def test_limits_and_law_hold_while_a_fifth_of_all_runs_is_cut_off(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch, drilling: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    count, invoices = (20, 50) if drilling else (6, 12)
    manual = manual_drill()
    house = build(limits=manual.model_dump(mode="json")["limits"], ladder=manual.model_dump(mode="json")["ladder"])
    debtors(house, count, invoices)
    cutter = Cutter(seed=20260302)
    with cut_off(house, cutter, monkeypatch):
        play(house, cutter, seed=7)
    with Session(house.worker) as session, session.begin():
        reconcile(session, now=house.tools.clock.now())
    received = [str(sent.contact_id) for sent in house.outside.world.sent]
    found = {
        name: lines
        for name, lines in findings(house.worker, Outside(received=received), manual).items()
        if name.startswith(("I2", "I4"))
    }
    figures = house.rows(
        "select count(*) filter (where folded_into is null) as messages, count(*) as rungs,"
        " count(*) filter (where state = 'unknown') as unknown from contact where state <> 'failed'"
    )[0]
    with capsys.disabled():
        sys.stdout.write(f"\nlimits under crashes: {dict(cutter.runs)}, {figures._asdict()}\n")
    assert found == {}
    assert unlawful(house) == []
    assert cutter.runs["cut off"] >= cutter.runs["all"] * SHARE and figures.messages >= count * 3
    idle = house.rows("select number from invoice where outcome is null and next_at is null")
    assert idle == [], "an invoice nobody would ever wake"


def test_the_checks_see_a_contact_at_night_and_a_second_channel(build: Callable[..., House]) -> None:
    house = build()
    debtors(house, 1, 1)
    with Session(house.worker) as session, session.begin():
        for hour, channel in ((10, "email"), (23, "sms")):
            session.execute(
                text(
                    "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung,"
                    " channel, template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
                    " select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, a.id, :key, 1, 'X', a.channel,"
                    " 'pre_due', 'accepted', 1, 'COP', :utc, 'America/Bogota', :local, :day, -300 from invoice i"
                    " join person p on p.account_id = i.account_id join address a on a.person_id = p.id and a.channel = :channel"
                ),
                {
                    "key": f"1.1.X.{hour}", "utc": datetime(2026, 3, 3, hour, tzinfo=UTC) + timedelta(hours=5),
                    "local": f"2026-03-03T{hour}:00:00", "day": date(2026, 3, 3), "channel": channel,
                },
            )  # fmt: skip
    assert len(unlawful(house)) == 2  # one at night, and it is the second of its day
