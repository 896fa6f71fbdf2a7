"""A portfolio as its creditor's systems tell it: a list of open items each morning, and a bank file that is late every second
week.

Nothing is posted one by one. At 05:00 of each working day the ERP's list of open items as of the evening before is taken in; at
08:00 the bank's file of the last working day comes, in every second ISO week two working days later. The ERP books what the
bank's file says on the evening of the day on which it comes, or already at 04:00 of it in odd months: then the list knows of
money before we do. Some late customers promise a day, and keep their word or not as the portfolio's dates say.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from ledger import agreements, avoidable, feeds, snapshots
from ledger.payments import record_payment
from ledger.refusals import Refused
from ledger.sealing import Sealer
from ledger.snapshot_apply import apply_run
from ledger.snapshot_store import Item
from policies.calendars import add_working_days, is_working_day, next_working_day
from policies.negotiation import Promise
from policies.portfolio_rows import Entry

BANK = "bank"
LIST_AT, FILE_AT, PROMISE_AT = time(5, 0), time(8, 0), time(10, 0)
LATE_BY_WD = 2
PROMISED_AFTER, PROMISE_MOST = timedelta(days=8), timedelta(days=10)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Word:
    """A promise that was made: for which day, and how many days of grace it has."""

    number: str
    on: date
    grace_days: int


@dataclass
class LateBank:
    """The outside world of such a replay; the same shape as `rehearsal.replay.Schedule`."""

    engine: Engine
    sealer: Sealer
    creditor_id: UUID
    slug: str
    zone: ZoneInfo
    country: str
    accepted: int = 0
    paid: int = 0
    lists: int = 0
    confirmed: int = 0
    late_files: int = 0
    refused: list[str] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    _entries: list[Entry] = field(default_factory=list)
    _files: dict[date, list[date]] = field(default_factory=lambda: defaultdict(list))
    """By the day on which it comes: the bank days that the file holds."""
    _known_to: date = date.min
    _moments: list[tuple[datetime, str]] = field(default_factory=list)
    _promises: dict[date, list[Entry]] = field(default_factory=lambda: defaultdict(list))

    def put(self, entries: Sequence[Entry], as_of: date | None) -> None:
        """Lay lists, files and promises on their days."""
        del as_of
        self._entries = list(entries)
        first = min(entry.invoice.issued_on for entry in entries)
        last = max(entry.settled_on or entry.invoice.issued_on for entry in entries) + timedelta(days=20)
        day, came = first, first
        self._known_to = add_working_days(first, -1, self.country)
        while day <= last:
            if is_working_day(day, self.country):
                came = max(came, self._comes_on(day))
                self._files[came].append(day)
            day += _DAY
        for at, entry in enumerate(entries):
            due, settled = entry.invoice.due_on, entry.settled_on
            if due is not None and settled is not None and settled - due > PROMISED_AFTER and at % 3 == 0:
                self._promises[due + timedelta(days=3)].append(entry)
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        moments = [(self._moment(d, LIST_AT), "list") for d in days if is_working_day(d, self.country)]
        moments += [(self._moment(d, FILE_AT), "file") for d in self._files]
        moments += [(self._moment(d, PROMISE_AT), "promise") for d in self._promises]
        self._moments = sorted(moments, reverse=True)
        with Session(self.engine) as session, session.begin():
            feeds.declare(
                session, self.creditor_id, name=BANK, kind="bank", fresh_minutes=60, expected_by="10:00",
                now=self._moment(first, time(0, 0)),
            )  # fmt: skip

    def _comes_on(self, day: date) -> date:
        comes = add_working_days(day, 1, self.country)
        if comes.isocalendar().week % 2 == 0:
            self.late_files += 1
            comes = add_working_days(comes, LATE_BY_WD, self.country)
        return comes

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    @property
    def last(self) -> datetime | None:
        """The last thing that happens outside."""
        return self._moments[0][0] if self._moments else None

    async def next_at(self) -> datetime | None:
        return self._moments[-1][0] if self._moments else None

    async def play(self, now: datetime) -> bool:
        happened = False
        while self._moments and self._moments[-1][0] <= now:
            _, what = self._moments.pop()
            await asyncio.to_thread({"list": self._list, "file": self._file, "promise": self._promise}[what], now)
            happened = True
        return happened

    def bank_day(self, entry: Entry) -> date | None:
        """The day on which the bank booked it: the working day on or after the day on which it was paid."""
        return None if entry.settled_on is None else next_working_day(entry.settled_on, self.country)

    def _list(self, now: datetime) -> None:
        today = now.astimezone(self.zone).date()
        booked = self._known_to
        if today.month % 2 == 1:
            booked = max([booked, *self._files.get(today, [])])
        as_of = today - _DAY
        items = []
        for entry in self._entries:
            paid_on, amount = self.bank_day(entry), entry.invoice.amount_minor or 0
            if entry.invoice.issued_on <= as_of and not (paid_on is not None and paid_on <= booked):
                items.append(Item(entry.invoice.number, entry.invoice.currency, amount, entry.invoice.due_on, entry.invoice))
        listed = snapshots.Listed(items=items, rows=len(items))
        name = f"open-items-{as_of.isoformat()}.csv"
        with Session(self.engine) as session, session.begin():
            seen = snapshots.preview(session, self.slug, listed, as_of=as_of, absent_anyway=False, now=now)
            self.confirmed += bool(seen.why)  # a person looks at a list that fell far, and says yes
            digest = sha256(f"{name}:{len(items)}".encode()).digest()
            run = snapshots.begin(
                session, self.slug, listed, seen, file=Path(name), digest=digest, now=now, sealer=self.sealer
            )  # fmt: skip
        done = apply_run(sessionmaker(self.engine).begin, run.id, now=lambda: now, sealer=self.sealer)
        self.lists += 1
        self.accepted += done.results.get("new", 0)
        self.refused += [f"{number}: {why}" for number, why in done.refused]

    def _file(self, now: datetime) -> None:
        """The bank's file: its payments first, then how far it is complete."""
        days = self._files.get(now.astimezone(self.zone).date(), [])
        with Session(self.engine) as session, session.begin():
            for entry in self._entries:
                booked, paid_on = self.bank_day(entry), entry.settled_on
                if booked in days and paid_on is not None and booked is not None:
                    self._pay(session, entry, paid_on, booked, now)
            feeds.told(session, self.creditor_id, BANK, now=now, complete_to=max(days), actor="replay")
        self._known_to = max(self._known_to, *days)

    def _pay(self, session: Session, entry: Entry, paid_on: date, booked: date, now: datetime) -> None:
        invoice_id = self._id(session, entry.invoice.number)
        record_payment(
            session, self.creditor_id, source="bank", source_ref=entry.invoice.number, currency=entry.invoice.currency,
            amount_minor=entry.invoice.amount_minor or 0, paid_on=paid_on, value_on=booked, now=now, invoice_id=invoice_id,
        )  # fmt: skip
        self.paid += 1

    def _promise(self, now: datetime) -> None:
        """A late customer names a day: every second time one that is kept, else one that is missed by days."""
        today = now.astimezone(self.zone).date()
        for entry in self._promises.get(today, []):
            settled = entry.settled_on
            if settled is None:
                continue
            early = timedelta(days=0 if int(sha256(entry.invoice.number.encode()).hexdigest(), 16) % 2 else 5)
            on = min(settled - early, today + PROMISE_MOST)
            with Session(self.engine) as session:
                invoice_id = self._id(session, entry.invoice.number)
                if on <= today or invoice_id is None:
                    continue
                try:
                    agreements.ask(session, invoice_id, Promise(on=on), source="api", actor="replay", now=now)
                except Refused:
                    session.rollback()
                    continue
                grace = session.execute(
                    text("select grace_days from agreement where invoice_id = :id order by made_at desc limit 1"),
                    {"id": invoice_id},
                ).scalar_one()
                session.commit()
            self.words.append(Word(entry.invoice.number, on, int(grace)))

    def _id(self, session: Session, number: str) -> UUID | None:
        found: UUID | None = session.execute(
            text("select id from invoice where creditor_id = :c and number = :n"), {"c": self.creditor_id, "n": number}
        ).scalar()
        return found


def told(engine: Engine, late: LateBank) -> dict[str, object]:
    """The figures of such a replay: what it was fed with, avoidable chases, and verdicts against the portfolio's own dates."""
    settled = {entry.invoice.number: entry.settled_on for entry in late._entries}
    booked = {entry.invoice.number: late.bank_day(entry) for entry in late._entries}
    with Session(engine) as session:
        first = date(1990, 1, 1)
        found = avoidable.conduct(session, late.creditor_id, since=first, until=date(2100, 1, 1))
        contacts = session.execute(
            text(
                "select i.number, k.local_date from contact k join invoice i on i.id = k.invoice_id where k.creditor_id = :c"
                " and k.state in ('accepted', 'delivered', 'unknown')"
            ),
            {"c": late.creditor_id},
        ).all()
        verdicts = session.execute(
            text(
                "select i.number, m.due_on, g.state from agreement g join invoice i on i.id = g.invoice_id"
                " join milestone m on m.agreement_id = g.id where g.creditor_id = :c"
            ),
            {"c": late.creditor_id},
        ).all()
    after = sum(1 for row in contacts if (day := booked[row.number]) is not None and day < row.local_date)
    said = {(row.number, row.due_on): row.state for row in verdicts}
    wrong, states = [], dict.fromkeys(("kept", "broken", "partly", "open", "withdrawn"), 0)
    for word in late.words:
        state = said[(word.number, word.on)]
        states[state] += 1
        paid_on = settled[word.number]
        truly = "kept" if paid_on is not None and paid_on <= word.on + timedelta(days=word.grace_days) else "broken"
        if state != truly:
            wrong.append(f"{word.number}: {state}, truly {truly}")
    return {
        "lists": late.lists, "lists_confirmed_by_a_person": late.confirmed, "late_bank_days": late.late_files,
        "contacts_after_payment": after, "avoidable_contacts": len(found.avoidable), "promises": len(late.words),
        "verdicts": {state: count for state, count in states.items() if count}, "promises_judged_wrongly": len(wrong),
    }  # fmt: skip
