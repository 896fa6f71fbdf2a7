"""Explain the future: the policy run forward over one debtor's whole book, with a copy of the budget.

`after` is what a step does to the facts; the ledger does the same to its rows. `forecast` plays the book: at each instant the
steps that are due happen in the order of their time and invoice, exactly as they will if no new fact comes.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from policies.case import open_agreement
from policies.delivery import CARRIES, proof_of
from policies.delivery_facts import DELIVERY_CHECK
from policies.facts import BudgetEntry, InvoiceFacts, PastContact, Placement, Ride, SkippedRung
from policies.folding import carries, ride_of
from policies.hours import local_date_of
from policies.ladder import candidates
from policies.manual import Manual
from policies.messages import bundle_of
from policies.next_step import next_step
from policies.owner_notice import TOLD
from policies.start import PASSED_FOR_NOW
from policies.steps import Ask, Close, Contact, HandOff, Judge, Place, Recall, Skip, Step, Wait
from policies.tally import Spoken, Tally, spoken_of
from policies.terms import AttemptState, Channel

IMMEDIATE_MAX = 1_000
"""More steps than this at one instant means that a step did not change what it should have: an error, not a loop."""


class PolicyLoop(RuntimeError):
    """The policy kept answering with steps that are due at once."""


def after(facts: InvoiceFacts, step: Step, now: datetime) -> InvoiceFacts:
    """The facts once an immediate step is applied; Contact, Wait and Close change nothing by themselves."""
    if isinstance(step, Skip) or (isinstance(step, Ask) and step.rung_key):
        key = step.key if isinstance(step, Skip) else step.rung_key
        only_this_one = bool({*PASSED_FOR_NOW, TOLD}.intersection(step.rules))
        skipped = SkippedRung(key=key, why=step.why, passed_at=now if only_this_one else None)
        return facts.model_copy(update={"skipped": (*facts.skipped, skipped)})
    if isinstance(step, Judge):
        return _judged(facts, step, now)
    if isinstance(step, HandOff):
        placement = Placement(id=step.placement_id or "proposed", state="proposed", proposed_at=now, decide_by=step.decide_by)
        return facts.model_copy(update={"placement": placement})
    if isinstance(step, Place) and facts.placement is not None:
        update = {"state": "placed", "placed_at": now, "return_by": step.return_by}
        return facts.model_copy(update={"placement": facts.placement.model_copy(update=update)})
    if isinstance(step, Recall) and facts.placement is not None:
        state = "recalled" if facts.balance_minor == 0 or facts.status != "open" else "returned"
        return facts.model_copy(update={"placement": facts.placement.model_copy(update={"state": state})})
    return facts


def _judged(facts: InvoiceFacts, step: Judge, now: datetime) -> InvoiceFacts:
    agreements = tuple(a.model_copy(update={"state": step.verdict}) if a.id == step.agreement_id else a for a in facts.agreements)
    update: dict[str, object] = {"agreements": agreements}
    judged = next(a for a in facts.agreements if a.id == step.agreement_id)
    if step.verdict != "kept":
        update |= {"cycle": facts.cycle + 1, "cycle_started_at": now, "cycle_notice": "missed_promise"}
        if facts.placement is not None and facts.placement.state not in ("approved", "placed"):
            update["placement"] = None
    elif judged.kind == "discount" and judged.waived_minor:
        rest, instalments = judged.waived_minor, []
        for instalment in facts.instalments:
            waived = min(rest, max(instalment.balance_minor, 0))
            rest -= waived
            instalments.append(instalment.model_copy(update={"balance_minor": instalment.balance_minor - waived}))
        update["instalments"] = tuple(instalments)
    return facts.model_copy(update=update)


def made(
    facts: InvoiceFacts, step: Contact, now: datetime, *, counts: bool = True, state: AttemptState = AttemptState.ACCEPTED
) -> InvoiceFacts:
    """The facts once a contact was made and accepted at `now`; its reserved slot is spent.

    `state` DELIVERED supposes that it arrives, as the forecast does.
    `counts` is False for a rung that went with another invoice's message: that message is what the limits count.
    """
    budget = tuple(b for b in facts.budget if b.invoice_id != facts.invoice_id or b.state is not AttemptState.PLANNED)
    budget = (*budget, _spent(facts, step, now)) if counts else budget
    return _told(facts, step, now, state=state).model_copy(update={"budget": budget})


def _told(facts: InvoiceFacts, step: Contact, now: datetime, *, state: AttemptState = AttemptState.ACCEPTED) -> InvoiceFacts:
    """What a contact is to the invoice itself."""
    contact = PastContact(
        key=step.key, channel=step.channel, state=state, at=now, local_date=local_date_of(now, facts.zone),
        late_days=step.late_days, template=step.template, person_id=step.person_id,
        carried=facts.has_document and step.channel is Channel.EMAIL and step.template in CARRIES,
    )  # fmt: skip
    contacts = tuple(c for c in facts.contacts if c.state is not AttemptState.PLANNED)
    return facts.model_copy(update={"contacts": (*contacts, contact), "ride": None})


def _spent(facts: InvoiceFacts, step: Contact, at: datetime, state: AttemptState = AttemptState.ACCEPTED) -> BudgetEntry:
    """What a contact is to the debtor's limits; `state` PLANNED: the slot that it reserves."""
    return BudgetEntry(
        invoice_id=facts.invoice_id, key=step.key, person_id=step.person_id, channel=step.channel, state=state,
        at=at, local_date=local_date_of(at, facts.zone), address_id=step.address_id, template=step.template,
    )  # fmt: skip


def settle(
    facts: InvoiceFacts, manual: Manual, now: datetime
) -> tuple[InvoiceFacts, list[tuple[InvoiceFacts, Step]], Contact | Wait | Close]:
    """Ask, apply what is due at once, ask again, until there is something to obey.

    Returns the facts at the end, each immediate answer with the facts it was given on, and the answer to obey.
    """
    answers: list[tuple[InvoiceFacts, Step]] = []
    for _ in range(IMMEDIATE_MAX):
        step = next_step(facts, manual, now)
        if isinstance(step, Contact | Wait | Close):
            return facts, answers, step
        answers.append((facts, step))
        facts = after(facts, step, now)
    raise PolicyLoop(f"invoice {facts.invoice_id}: {IMMEDIATE_MAX} steps at {now.isoformat()}, the last {answers[-1][1].kind}")


@dataclass
class Planned:
    """One thing that will happen to one invoice if no new fact comes."""

    invoice_id: str
    step: Step
    at: datetime
    depends_on: tuple[str, ...] = ()
    """Other invoices of the debtor whose contacts or reserved slots moved this one."""
    together_with: str = ""
    """The invoice whose message this contact is part of (F38)."""


@dataclass
class BookEntry:
    """One open invoice of the debtor: its facts, its manual and when the ledger will ask next."""

    facts: InvoiceFacts
    manual: Manual
    next_at: datetime
    step: Step | None = None


class Rider(NamedTuple):
    """A rung that goes with another invoice's message."""

    entry: BookEntry
    answers: list[tuple[InvoiceFacts, Step]]
    """What was due at once before it, each with the facts it was given on."""
    facts: InvoiceFacts
    step: Contact


def riders(
    leader: BookEntry, step: Contact, others: Iterable[BookEntry], budget: Sequence[BudgetEntry], now: datetime
) -> list[Rider]:
    """What goes with a contact that is made now, in the order of the invoices' numbers (F38).

    `leader` holds the facts after that contact, `budget` the debtor's contacts and slots with it: an invoice that would rather
    be sent by another channel is asked as if the message had left. Each is asked by its own manual, and only the limits that
    this message already met are left out.
    """
    ride = ride_of(step) if leader.manual.limits.fold else None
    if ride is None:
        return []
    found: list[Rider] = []
    spoken = spoken_of(budget)
    for entry in (leader, *sorted(others, key=lambda e: e.facts.order)):
        known = entry.facts
        while (rider := _rider(entry, known, ride, spoken, now)) is not None:
            found.append(rider)
            known = _told(rider.facts, rider.step, now)
    return found


def may_ride(facts: InvoiceFacts, manual: Manual, ride: Ride, now: datetime) -> bool:
    """False where surely nothing of an invoice can go with this message, so that it need not be asked.

    A rung goes along only if it says what the message can say and asks for a moment before its window ends. What may change the
    open rungs (an agreement that is judged, a deduction that takes a part out) is left to the policy; so is the delivery check,
    which goes in place of a rung.
    """
    if not manual.limits.fold:
        return False
    if facts.deductions or open_agreement(facts) is not None:
        return True
    if ride.bundle == DELIVERY_CHECK and manual.delivery == "required" and proof_of(facts, manual) is None:
        return True
    until = max(ride.ends, now + timedelta(microseconds=1))
    open_rungs = itertools.takewhile(lambda candidate: candidate.at < until, candidates(facts, manual))
    return any(bundle_of(candidate.rung.template) == ride.bundle for candidate in open_rungs)


def _rider(entry: BookEntry, known: InvoiceFacts, ride: Ride, budget: Spoken, now: datetime) -> Rider | None:
    if not may_ride(known, entry.manual, ride, now):
        return None
    known = known.model_copy(update={"budget": budget, "ride": ride})
    facts, answers, step = settle(known, entry.manual, now)
    if not isinstance(step, Contact) or step.at > now:
        return None
    fits = carries(ride, step.person_id, step.address_id, step.channel, bundle_of(step.template))
    return Rider(entry, answers, facts, step) if fits else None


@dataclass
class _Play:
    """The copy of the ledger on which the future is played."""

    begins: datetime
    until: datetime
    budget: Tally
    book: dict[str, BookEntry]
    happened: list[Planned] = field(default_factory=list)
    queue: list[tuple[datetime, str, str]] = field(default_factory=list)

    def ask(self, entry: BookEntry, now: datetime) -> None:
        known: dict[str, object] = {"budget": self.budget.spoken()}
        if now > self.begins:
            # Sources go on telling: what is late now has caught up when it is looked at again.
            known["feeds"] = ()
        facts = entry.facts.model_copy(update=known)
        facts, answers, step = settle(facts, entry.manual, now)
        self.happened.extend(Planned(facts.invoice_id, immediate, now) for _, immediate in answers)
        if isinstance(step, Contact) and step.at <= now:
            self.happened.append(Planned(facts.invoice_id, step, now, _others(self.budget.spoken(), facts, step)))
            self._contact(entry, facts, step, now)
            self.ask(entry, now)
            return
        entry.facts = facts
        entry.step = step
        self._reserve(facts, step)
        if isinstance(step, Close):
            self.happened.append(Planned(facts.invoice_id, step, now))
            return
        self.again(entry, step.at)

    def again(self, entry: BookEntry, at: datetime) -> None:
        """Ask this invoice at that moment, and at no earlier planned one."""
        entry.next_at = at
        heapq.heappush(self.queue, (at, entry.facts.order, entry.facts.invoice_id))

    def _contact(self, entry: BookEntry, facts: InvoiceFacts, step: Contact, now: datetime) -> None:
        """One message, with all that goes with it."""
        self._reserve(facts, None)
        entry.facts = _told(facts, step, now, state=AttemptState.DELIVERED)
        spent = _spent(facts, step, now)
        number = self.budget.add(spent)
        ends = step.window_ends
        near = (e for e in self.book.values() if e is not entry and _may_speak_before(e.step, ends))
        along = riders(entry, step, near, self.budget.spoken(), now)
        also = tuple(sorted({rider.facts.invoice_id for rider in along}))
        self.budget.replace(number, spent.model_copy(update={"also": also}))
        for rider in along:
            self.happened.extend(Planned(rider.facts.invoice_id, immediate, now) for _, immediate in rider.answers)
            together = Planned(rider.facts.invoice_id, rider.step, now, (facts.invoice_id,), facts.invoice_id)
            self.happened.append(together)
            self._reserve(rider.facts, None)
            rider.entry.facts = _told(rider.facts, rider.step, now, state=AttemptState.DELIVERED)
            if rider.entry is not entry:
                rider.entry.step = None
                self.again(rider.entry, now)

    def _reserve(self, facts: InvoiceFacts, step: Step | None) -> None:
        self.budget.give_back(facts.invoice_id)
        if isinstance(step, Contact) and step.reserve:
            self.budget.add(_spent(facts, step, step.at, AttemptState.PLANNED))


def _may_speak_before(step: Step | None, ends: datetime) -> bool:
    """Whether an invoice whose last answer was this is worth asking about a window; what is closed stays so without a fact."""
    return not isinstance(step, Close) and (not isinstance(step, Wait) or step.at < ends)


def _others(budget: Iterable[BudgetEntry], facts: InvoiceFacts, step: Contact) -> tuple[str, ...]:
    """Whose contacts could have moved this one: the other invoices in the window that limits are counted on."""
    if not any(rule.startswith("budget.") for rule in step.rules) and step.at == step.rung_at:
        return ()
    near = {b.invoice_id for b in budget if abs((b.at - step.at).days) <= 31 and b.invoice_id != facts.invoice_id}
    return tuple(sorted(near))


def forecast(book: Sequence[BookEntry], *, now: datetime, until: datetime) -> list[Planned]:
    """What will happen to every invoice of one debtor between now and `until` if no new fact comes, in order.

    Each entry's `next_at` is what the ledger recorded, so that what was already decided is not decided anew.
    """
    budget: dict[tuple[str, str, str], BudgetEntry] = {}
    seen: set[int] = set()
    for entry in book:
        for spent in entry.facts.budget if id(entry.facts.budget) not in seen else ():
            budget[(spent.invoice_id, spent.key, spent.at.isoformat())] = spent
        seen.add(id(entry.facts.budget))
    play = _Play(begins=now, until=until, budget=Tally(budget.values()), book={entry.facts.invoice_id: entry for entry in book})
    for entry in book:
        play.again(entry, max(entry.next_at, now))
    while play.queue and play.queue[0][0] <= until:
        at, _, invoice_id = heapq.heappop(play.queue)
        entry = play.book[invoice_id]
        if entry.next_at == at and not isinstance(entry.step, Close):
            play.ask(entry, at)
    return play.happened
