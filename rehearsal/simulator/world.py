"""The outside world's state and time: what came in, who read it, and what happens next.

In played mode time moves only by `advance`; with `real_time` it runs on the wall clock, by a factor.
"""

from __future__ import annotations

import asyncio
import heapq
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from clock import monotonic
from rehearsal.simulator import characters
from rehearsal.simulator.characters import Message
from rehearsal.simulator.courier import Courier
from rehearsal.simulator.faults import FaultDice
from rehearsal.simulator.keys import SimulatedKeys
from rehearsal.simulator.people import Bill, Debtor, DebtorIn, Event, event, stable_id

_LINK = re.compile(r"https?://[^\s<>\"')\]]+")
_WORD = re.compile(r"[\w./#-]+")
START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class WorldConfig:
    """How the simulator runs."""

    api_url: str
    public_url: str = ""
    """The name under which the API signs and writes its links, where that differs from where it is reached."""
    seed: int = 1
    receipts: Literal["instant", "delayed", "none"] = "instant"
    """`instant` receipts are due when the message is; `delayed` come 20 to 90 seconds later."""
    all_statuses: bool = True
    """Every status on the way (processed, sent), or only the last one."""
    real_time: bool = False
    speed: float = 1.0
    give_up_seconds: float = 120.0
    state_file: str = ""


@dataclass(slots=True)
class Sent:
    """A message the outside really got."""

    channel: str
    contact_id: str
    ref: str
    to: str
    subject: str
    text: str
    at: datetime
    files: tuple[str, ...] = ()
    """The names of what was attached."""


@dataclass
class World:
    """Everything outside. One event loop uses it, so nothing here is locked but `turn`."""

    config: WorldConfig
    keys: SimulatedKeys
    dice: FaultDice
    courier: Courier
    played_now: datetime = START
    debtors: dict[str, Debtor] = field(default_factory=dict)
    by_address: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Messages by contact id: what crash tests read."""
    places: dict[str, list[int]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    blocked: set[tuple[str, str]] = field(default_factory=set)
    """Addresses that told their carrier to stop: it refuses further messages by itself."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What came of each visit to the portal."""
    money: dict[tuple[str, str], int] = field(default_factory=dict)
    """Sums in minor units by (`payment` or `reversal`, its id): everything that customers ever paid or took back."""
    queue: list[Event] = field(default_factory=list)
    firing: list[Event] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _started: float = field(default_factory=monotonic)
    _started_at: datetime = START

    def start_real_time(self, at: datetime) -> None:
        """Begin to run on the wall clock at `at`."""
        self._started, self._started_at = monotonic(), at

    def now(self) -> datetime:
        """The outside's own time."""
        if not self.config.real_time:
            return self.played_now
        return self._started_at + timedelta(seconds=(monotonic() - self._started) * self.config.speed)

    def register(self, given: DebtorIn) -> Debtor:
        """Add a debtor, or addresses and invoices to the one of that `ref`; an invoice given again changes its sum and date."""
        debtor = self.debtors.get(given.ref)
        if debtor is None:
            debtor = Debtor(given.ref, given.character, given.seed, given.language, given.zone, {}, dict(given.traits))
            self.debtors[given.ref] = debtor
        for channel, values in given.addresses.items():
            for value in [values] if isinstance(values, str) else values:
                refs = self.by_address.setdefault((channel, normal(value)), [])
                if debtor.ref not in refs:
                    refs.append(debtor.ref)
                    debtor.addresses.setdefault(channel, []).append(value)
        for asked in given.invoices:
            known = debtor.bills.get(asked.number)
            if known is not None:
                known.amount_minor, known.due_on = asked.amount_minor, asked.due_on
                continue
            hook = asked.payment_webhook.model_dump() if asked.payment_webhook else None
            bill = Bill(asked.number, asked.amount_minor, asked.currency, asked.due_on, asked.creditor, hook)
            debtor.bills[asked.number] = bill
            if not given.payments:
                self.plan(characters.on_registered(debtor, bill, self.now()))
        for known_payment in given.payments:
            self.plan([characters.pay(debtor, debtor.bills[known_payment.number], known_payment.at, known_payment.amount_minor)])
        return debtor

    def receive(self, message: Message, subject: str, ref: str, status_url: str, files: tuple[str, ...] = ()) -> None:
        """Take one message: count it, let its receipt come, and let its reader do what such a reader does."""
        self.places.setdefault(message.contact_id, []).append(len(self.sent))
        self.counts[message.contact_id] += 1
        self.sent.append(Sent(message.channel, message.contact_id, ref, message.to, subject, message.text, message.at, files))
        reader, bills = self._reader(message, subject)
        outcome = _outcome(message.channel, reader)
        self._plan_receipt(message, ref, status_url, outcome, reader)
        if reader is None or outcome != "delivered":
            return
        for bill in bills:
            bill.chased += reader.local_date(message.at) > bill.due_on
            self.plan(characters.on_message(reader, bill, message))

    def is_known(self, channel: str, value: str) -> bool:
        """Whether somebody here has that address."""
        return (channel, normal(value)) in self.by_address

    def plan(self, events: Iterable[Event]) -> None:
        """Put events in their place in time."""
        for one in events:
            heapq.heappush(self.queue, one)
        self.stirred.set()

    def next_at(self) -> datetime | None:
        """When something happens next, if anything does."""
        return self.queue[0].at if self.queue else None

    def take_due(self, until: datetime) -> list[Event]:
        """The next events of one instant and one priority that are due, out of the queue; all that is due when shuffled."""
        if not self.queue or self.queue[0].at > until:
            return []
        first = heapq.heappop(self.queue)
        taken = [first]
        if self.dice.faults.shuffle_webhooks:
            while self.queue and self.queue[0].at <= until:
                taken.append(heapq.heappop(self.queue))
            taken.sort(key=lambda _: self.dice.place())
            return taken
        while self.queue and (self.queue[0].at, self.queue[0].priority) == (first.at, first.priority):
            taken.append(heapq.heappop(self.queue))
        return taken

    def _reader(self, message: Message, subject: str) -> tuple[Debtor | None, list[Bill]]:
        """Who reads it, and which invoices it names; all open ones when it names none."""
        refs = self.by_address.get((message.channel, normal(message.to)), [])
        whole = f"{subject}\n{message.text}"
        words = {word.strip(".,:;#") for word in _WORD.findall(whole)}
        for ref in refs:
            debtor = self.debtors[ref]
            named = [debtor.bills[number] for number in sorted(words & debtor.bills.keys())]
            named = named or [bill for number, bill in debtor.bills.items() if " " in number and number in whole]
            if named:
                return debtor, named
        if not refs:
            return None, []
        debtor = self.debtors[refs[0]]
        return debtor, [bill for bill in debtor.bills.values() if bill.owed_minor]

    def _plan_receipt(self, message: Message, ref: str, status_url: str, outcome: str, reader: Debtor | None) -> None:
        if self.config.receipts == "none" or self.dice.lose_receipt():
            return
        at = message.at
        if self.config.receipts == "delayed":
            at += timedelta(seconds=20 + int(stable_id("", self.config.seed, message.contact_id)[-4:], 16) % 71)
        self.plan([event(
            at, "receipt", reader.ref if reader else "", f"{message.to}|{message.contact_id}|{ref}",
            channel=message.channel, contact_id=message.contact_id, ref=ref, to=message.to, url=status_url, outcome=outcome,
        )])  # fmt: skip


def _outcome(channel: str, reader: Debtor | None) -> str:
    """`delivered`, or the word for what went wrong on the way."""
    if reader is None:
        return "delivered"
    if reader.character == "bouncer" and channel == "email":
        return "bounce"
    if reader.character == "wrong_number":
        dead = reader.traits.get("wrong") == "dead"
        failing = {"sms": "unknown_number" if dead else "delivered", "whatsapp": "not_on_channel" if dead else "delivered"}
        return (failing | {"voice": "no_answer", "letter": "returned"}).get(channel, "delivered")
    return "delivered"


def normal(value: str) -> str:
    """An address as it is compared."""
    return " ".join(value.casefold().split())


def links_in(*texts: str) -> tuple[str, ...]:
    """The links in the texts, each once, without the full stop that ends a sentence."""
    return tuple(dict.fromkeys(link.rstrip(".,;:!?") for text in texts for link in _LINK.findall(text.replace("&amp;", "&"))))
