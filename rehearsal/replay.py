"""A portfolio played on its own dates through the real workflows, activities and ledger.

Each invoice is accepted at 00:00 of its day of issue (or at `as_of`), and paid in full at 12:00 of the day on which the file says
it was settled, both in the creditor's zone; an invoice that was settled before it was issued is paid as it is accepted. An
instalment with a row of its own is paid on the day of that row.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from clock import monotonic
from ledger.acceptance import accept_batch
from ledger.creditors import add_creditor, describe_creditor
from ledger.payments import record_payment
from ledger.sealing import Sealer
from ledger.session import make_engine
from policies.manual import Manual, parse_day
from policies.portfolio_map import MapCreditor
from policies.portfolio_rows import Entry, Payment
from rehearsal.late_bank import LateBank
from rehearsal.playing import playing
from settings import Settings
from worker import THREADS

ACCEPT_AT = time(0, 0)
PAY_AT = time(12, 0)
ANSWER_DAYS = 31
"""How long an open invoice is played beyond its last rung."""
_BATCH = 1_000


@dataclass(frozen=True)
class Looks:
    """What a progress bar shows."""

    now: datetime
    contacts: int
    paid: int
    share: float
    """Of the days to play, 0 to 1."""


@dataclass
class Schedule:
    """The outside world of a replay: when invoices come in and when they are paid. Payments come before anything else."""

    engine: Engine
    sealer: Sealer
    creditor_id: UUID
    zone: ZoneInfo
    accepted: int = 0
    paid: int = 0
    refused: list[str] = field(default_factory=list)
    _arrivals: dict[datetime, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _payments: dict[datetime, list[tuple[Entry, Payment]]] = field(default_factory=lambda: defaultdict(list))
    _moments: list[datetime] = field(default_factory=list)
    _ids: dict[str, UUID] = field(default_factory=dict)

    def put(self, entries: Sequence[Entry], as_of: date | None) -> None:
        """Lay the entries on their dates."""
        for entry in entries:
            arrives = self._moment(as_of or entry.invoice.issued_on, ACCEPT_AT)
            self._arrivals[arrives].append(entry)
            for payment in entry.payments:
                self._payments[max(self._moment(payment.on, PAY_AT), arrives)].append((entry, payment))
        self._moments = sorted({*self._arrivals, *self._payments}, reverse=True)

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    @property
    def last(self) -> datetime | None:
        """The last thing that happens outside."""
        return self._moments[0] if self._moments else None

    async def next_at(self) -> datetime | None:
        return self._moments[-1] if self._moments else None

    async def play(self, now: datetime) -> bool:
        happened = False
        while self._moments and self._moments[-1] <= now:
            at = self._moments.pop()
            await asyncio.to_thread(self._happen, self._arrivals.pop(at, []), self._payments.pop(at, []), now)
            happened = True
        return happened

    def _happen(self, arrivals: list[Entry], payments: list[tuple[Entry, Payment]], now: datetime) -> None:
        for start in range(0, len(arrivals), _BATCH):
            with Session(self.engine) as session, session.begin():
                self._accept(session, arrivals[start : start + _BATCH], now)
        if payments:
            # One transaction for the day: nobody else holds a debtor's lock while the clock stands.
            with Session(self.engine) as session, session.begin():
                for entry, payment in payments:
                    self._pay(session, entry, payment, now)

    def _accept(self, session: Session, entries: list[Entry], now: datetime) -> None:
        bodies = [entry.invoice for entry in entries]
        for entry, result in zip(
            entries, accept_batch(session, self.creditor_id, bodies, now=now, sealer=self.sealer, actor="replay"), strict=True
        ):
            if result.verdict == "new" and result.id is not None:
                self._ids[entry.invoice.number] = result.id
                self.accepted += 1
            else:
                why = "; ".join(f"{p.pointer} {p.detail}" for p in result.problems) or "the same number again"
                self.refused.append(f"{entry.invoice.number}: {result.verdict}: {why}")

    def _pay(self, session: Session, entry: Entry, payment: Payment, now: datetime) -> None:
        invoice_id = self._ids.get(entry.invoice.number)
        if invoice_id is None:
            return
        day = now.astimezone(self.zone).date()
        record_payment(
            session, self.creditor_id, source="replay", source_ref=payment.ref, amount_minor=payment.amount_minor,
            currency=entry.invoice.currency, paid_on=day, value_on=day, now=now, invoice_id=invoice_id,
        )  # fmt: skip
        self.paid += payment.last


def add_replay_creditor(engine: Engine, given: MapCreditor, manual: Manual, now: datetime) -> UUID:
    """The creditor whose portfolio is played: an old book, whose contacts are never made, so no law of today speaks."""
    with Session(engine) as session, session.begin():
        creditor_id = add_creditor(
            session, given.slug, given.name, given.country, given.zone, given.language, manual, now, start="rehearsal"
        )
        describe_creditor(session, creditor_id, {}, {"packs": "none"})
        return creditor_id


def last_moment(
    entries: Sequence[Entry], manual: Manual, schedule: Schedule | LateBank, days: int | None, as_of: date | None
) -> datetime:
    """Until when to play: so many days, or the last payment, or a month past the last rung of what is never paid."""
    first = as_of or min(entry.invoice.issued_on for entry in entries)
    if days is not None:
        return schedule._moment(first + timedelta(days=days), time(23, 59))
    ends = schedule.last or schedule._moment(first, ACCEPT_AT)
    rungs = [parse_day(rung.day).days for rung in manual.ladder]
    for entry in entries:
        last_due = max((each.due_on for each in entry.invoice.instalments), default=entry.invoice.due_on)
        if entry.settled_on is None and last_due is not None:
            beyond = last_due + timedelta(days=max(rungs, default=0) + ANSWER_DAYS)
            ends = max(ends, schedule._moment(beyond, time(23, 59)))
    return max(ends, schedule._moment(first, time(23, 59)))


@dataclass(frozen=True)
class Played:
    """How it went; seconds are of playing alone, without bringing the stack up or down."""

    creditor_id: UUID
    schedule: Schedule | LateBank
    until: datetime
    seconds: float


async def play(
    settings: Settings, entries: Sequence[Entry], manual: Manual, given: MapCreditor, *,
    as_of: date | None = None, days: int | None = None, late_bank: bool = False,
    show: Callable[[Looks], None] = lambda looks: None,
) -> Played:  # fmt: skip
    """Play the entries on the stack that the settings name, with a worker in this process; raises Stalled."""
    engine = make_engine(settings.worker_url, pool_size=THREADS + 4, name="puntual-replay")
    sealer = Sealer(settings.master_key)
    zone = ZoneInfo(given.zone)
    begins = datetime.combine(as_of or min(e.invoice.issued_on for e in entries), ACCEPT_AT, zone).astimezone(UTC)
    creditor_id = await asyncio.to_thread(add_replay_creditor, engine, given, manual, begins)
    schedule: Schedule | LateBank = Schedule(engine, sealer, creditor_id, zone)
    if late_bank:
        schedule = LateBank(engine, sealer, creditor_id, given.slug, zone, given.country)
    schedule.put(entries, as_of)
    until = last_moment(entries, manual, schedule, days, as_of)
    watch = _Watch(engine, creditor_id, schedule, begins, until, show)
    async with playing(settings, engine, outside=schedule, on_instant=watch.look) as player:
        began = monotonic()
        await player.start(begins - timedelta(seconds=1))
        await player.advance(until)
        seconds = monotonic() - began
        await watch.look(until, force=True)
    engine.dispose()
    return Played(creditor_id, schedule, until, seconds)


@dataclass
class _Watch:
    """Tells the progress bar how far it is, at most four times a second."""

    engine: Engine
    creditor_id: UUID
    schedule: Schedule | LateBank
    begins: datetime
    until: datetime
    show: Callable[[Looks], None]
    _shown: float = 0.0

    async def look(self, now: datetime, *, force: bool = False) -> None:
        if not force and monotonic() - self._shown < 0.25:
            return
        self._shown = monotonic()
        contacts = await asyncio.to_thread(self._contacts)
        whole = max((self.until - self.begins).total_seconds(), 1.0)
        self.show(Looks(now, contacts, self.schedule.paid, min((now - self.begins).total_seconds() / whole, 1.0)))

    def _contacts(self) -> int:
        with Session(self.engine) as session:
            counted: int = session.execute(
                text(
                    "select count(*) from contact where creditor_id = :c and folded_into is null"
                    " and state not in ('planned', 'failed')"
                ),
                {"c": self.creditor_id},
            ).scalar_one()
            return counted
