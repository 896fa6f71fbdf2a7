"""The activities of an invoice: plan the next step, or make the contact whose moment has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import arrived
from activities.compose import Composer
from activities.wire import InvoiceRef, Next
from channels import Accepted, OutcomeUnknown, Outgoing, Sender, TryLater, Undeliverable
from clock import Clock
from ledger import approvals, contacts, placements, receipts, starting, steps
from ledger import facts as ledger_facts
from ledger.sealing import Sealer
from ledger.session import lock_debtor_of, lock_people_of
from messages.catalogue import TextError
from policies.facts import InvoiceFacts
from policies.folding import ride_of
from policies.forecast import BookEntry, Rider, made, riders
from policies.manual import Manual
from policies.money import major_units, written
from policies.steps import Close, Contact, Wait
from policies.terms import Channel, days_said

ASK_AGAIN_MAX = 5
"""Claims that were void in a row before the activity gives the thread back and lets Temporal retry it."""


@dataclass(frozen=True)
class Tools:
    """What the activities work with; built once by the worker."""

    engine: Engine
    clock: Clock
    sealer: Sealer
    senders: dict[Channel, Sender]
    composer: Composer


class Collector:
    """One method for each activity. `send_<channel>` differ in name and queue only, so that each provider has its own pace."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="plan")
    def plan(self, ref: InvoiceRef) -> Next:
        """Ask what comes next and record the answer; nothing is sent."""
        with Session(self._tools.engine) as session:
            try:
                known, _, step, step_id, now = self._ask(session, ref.id)
            except _EventsWait:
                # A promise is not judged, nor a debt placed, without the money that was acknowledged; what cannot be applied yet
                # holds back contacts and no plans.
                self._apply_events(session, ref.id)
                known, _, step, step_id, now = self._ask(session, ref.id, passing=True)
            session.commit()
        return self._next(known, step, step_id, now)

    @activity.defn(name="send_email")
    def send_email(self, ref: InvoiceRef) -> Next:
        """Make the contact whose moment has come, by e-mail."""
        return self._contact(ref.id)

    @activity.defn(name="send_sms")
    def send_sms(self, ref: InvoiceRef) -> Next:
        """Make the contact whose moment has come, by SMS."""
        return self._contact(ref.id)

    @activity.defn(name="send_whatsapp")
    def send_whatsapp(self, ref: InvoiceRef) -> Next:
        """Make the contact whose moment has come, by WhatsApp."""
        return self._contact(ref.id)

    @activity.defn(name="call_voice")
    def call_voice(self, ref: InvoiceRef) -> Next:
        """Make the contact whose moment has come, by an automatic call."""
        return self._contact(ref.id)

    @activity.defn(name="post_letter")
    def post_letter(self, ref: InvoiceRef) -> Next:
        """Make the contact whose moment has come, by letter."""
        return self._contact(ref.id)

    def all(self) -> dict[str, Callable[[InvoiceRef], Next]]:
        """The activities by the queue they run on."""
        return {
            "invoices": self.plan,
            "email": self.send_email,
            "sms": self.send_sms,
            "whatsapp": self.send_whatsapp,
            "voice": self.call_voice,
            "letter": self.post_letter,
        }

    def _ask(
        self, session: Session, invoice_id: str, *, contacting: bool = False, passing: bool = False
    ) -> tuple[InvoiceFacts, Manual, Contact | Wait | Close, int, datetime]:
        """Lock the debtor, gather, decide and record, in the caller's transaction; _EventsWait unless `passing` them.

        The last of the answer is the instant of the decision, read when the wait for the lock was over.
        """
        locked = lock_debtor_of(session, invoice_id)
        if locked.events_wait and not passing:
            raise _EventsWait
        now = self._tools.clock.now()
        if contacting:
            lock_people_of(session, invoice_id)
        contacts.settle_leftovers(session, invoice_id, now)
        known, manual = ledger_facts.gather(session, invoice_id, now)
        known = starting.with_room(session, known) if contacting else known
        known, step, step_id = self._decide(session, known, manual, now, contacting=contacting)
        return known, manual, step, step_id, now

    def _decide(
        self, session: Session, known: InvoiceFacts, manual: Manual, now: datetime, *, contacting: bool = False
    ) -> tuple[InvoiceFacts, Contact | Wait | Close, int]:
        known, step, step_id = steps.decide(session, known, manual, now, contacting=contacting)
        if known.placement is not None and known.placement.state in ("placed", "recalled", "returned"):
            placements.write_files(session, self._tools.sealer, known.placement.id, now=now)
        return known, step, step_id

    def _contact(self, invoice_id: str) -> Next:
        alone = False
        for _ in range(ASK_AGAIN_MAX):
            with Session(self._tools.engine) as session:
                try:
                    known, manual, step, step_id, now = self._ask(session, invoice_id, contacting=True)
                except _EventsWait:
                    self._apply_events(session, invoice_id)
                    continue
                if not isinstance(step, Contact) or step.at > now:
                    elsewhere = contacts.went_along(session, invoice_id, now)
                    session.commit()
                    return self._next(known, step, step_id, now, along=elsewhere)
                sender = self._tools.senders.get(step.channel) or NoSender(step.channel)
                claimed = contacts.claim(session, known, step, step_id, provider=sender.provider, now=now)
                starting.count_send(session, known, step, claimed.id)
                along = [] if alone else self._gather_along(session, known, manual, step, claimed, now)
                going = _Going(known, manual, step, claimed.id, along)
                try:
                    outgoing = self._begin(session, going, now)
                except _Unwritable:
                    alone = True
                    continue
            if outgoing is not None:
                return self._finish(going, _make(sender, outgoing))
        raise ApplicationError(
            "facts kept coming in, or a gateway's event cannot be applied yet", type="Busy", next_retry_delay=timedelta(seconds=5)
        )

    def _apply_events(self, session: Session, invoice_id: str) -> None:
        """What a gateway was told to have been taken counts before anybody is written to (I3)."""
        session.rollback()  # the debtor's lock is theirs now
        arrived.apply_waiting_for(self._tools.engine, self._tools.sealer, invoice_id)

    def _gather_along(
        self, session: Session, known: InvoiceFacts, manual: Manual, step: Contact, claimed: contacts.Claimed, now: datetime
    ) -> list[Rider]:
        """What else this debtor's message is for: claimed in the same transaction, each with a decision of its own (F38)."""
        if not manual.limits.fold or ride_of(step) is None:
            return []
        others = ledger_facts.gather_near(session, known, now, step.window_ends)
        leader = BookEntry(facts=made(known, step, now), manual=manual, next_at=now)
        # Gathered after this contact's own slot was given up; a manual without limits has no budget to offer.
        before = max((entry.facts.budget for entry in others), key=len, default=leader.facts.budget[:-1])
        found = riders(leader, step, others, (*before, leader.facts.budget[-1]), now)
        for rider in found:
            step_id = steps.take_along(session, rider, now)
            contacts.claim(session, rider.facts, rider.step, step_id, provider=claimed.provider, now=now, into=claimed)
        return found

    def _begin(self, session: Session, going: _Going, now: datetime) -> Outgoing | None:
        """Render, begin the call, commit; None when the claim was void and the question must be asked again.

        In the transaction of the claim, under the debtor's lock: what is killed before the commit has left nothing behind.
        """
        tools, known, step, contact_id = self._tools, going.known, going.step, going.contact_id
        try:
            message = tools.composer.compose(session, known, going.manual, step, contact_id, going.along)
        except TextError as error:
            if going.along:
                contacts.void_claim(session, contact_id, why="the text for several cannot be written", now=now)
                session.commit()
                raise _Unwritable from None
            # Trying again would not help, and the ladder must not stand still: the rung's next channel, else the next rung.
            contacts.give_up(session, contact_id, why=f"the text cannot be written: {error}"[:200], now=now)
            session.commit()
            return None
        if unlike := approvals.unlike_shown(session, going.parts, message.version):
            self._not_as_shown(session, going, unlike, now)
            return None
        tools.composer.keep(session, known, step, contact_id, message)
        begins = tools.clock.now()  # other locks were waited for, and a message of many pages takes its time
        if not contacts.start_call(session, contact_id, text_version=message.version, register=message.register, now=begins):
            session.rollback()  # a fact came in, or the time ran out: as if it had never been claimed
            return None
        session.commit()
        return message.outgoing

    @staticmethod
    def _not_as_shown(session: Session, going: _Going, unlike: list[tuple[str, Contact]], now: datetime) -> None:
        """A person approved another text: each part goes alone where that one was shown, else back to the list with it."""
        contacts.void_claim(session, going.contact_id, why="the text is not the one that was approved", now=now)
        if not going.along:
            for invoice_id, step in unlike:
                approvals.text_changed(session, invoice_id, step, now)
        session.commit()
        if going.along:
            raise _Unwritable

    def _finish(self, going: _Going, how: _Made) -> Next:
        """Record how the call ended, and what comes next."""
        tools, known, manual, step, contact_id = self._tools, going.known, going.manual, going.step, going.contact_id
        with Session(tools.engine) as session:
            now = tools.clock.now()
            revision = lock_debtor_of(session, known.invoice_id).revision
            if how.retire:
                receipts.apply_receipt(session, contact_id, "failed", at=now, now=now, permanent=True, reason=how.why)
            else:
                again_at = now + how.after if how.after is not None else None
                contacts.finish(
                    session, contact_id, state=how.state, now=now, provider_ref=how.ref, why=how.why, again_at=again_at
                )
            if how.opted_out:
                receipts.opt_out(session, known.account_id, [UUID(step.address_id)], now=now, proof=f"the provider: {how.why}")
            if how.state == "accepted" and revision == known.revision and not going.along:
                fresh = made(known, step, now)  # nothing else is new: the same as gathering again
            else:
                fresh, manual = ledger_facts.gather(session, known.invoice_id, now)
            fresh, following, step_id = self._decide(session, fresh, manual, now)
            session.commit()
        if how.after is not None:
            raise ApplicationError(f"the provider asks to try later: {how.why}", type="TryLater", next_retry_delay=how.after)
        did = f"{step.rung} by {step.channel}, {written(step.amount_minor, known.currency)}, {how.state}"
        if going.along:
            did += f", in one message with {len(going.along)} more"
        if step.late_days:
            did += f", {days_said(step.late_days)} late"
        return self._next(fresh, following, step_id, now, did=did)

    def _next(
        self, known: InvoiceFacts, step: Contact | Wait | Close, step_id: int, now: datetime, *, did: str = "", along: str = ""
    ) -> Next:
        held = isinstance(step, Contact) and step.at > step.rung_at and bool(step.rules[1:])
        return Next(
            kind=step.kind,
            step=step_id,
            wake=self._tools.clock.wake_at(step.at, now=now, started=activity.info().started_time),
            when=spoken(step.at, known.zone),
            why=step.why,
            rung=getattr(step, "rung", ""),
            channel=getattr(step, "channel", ""),
            owed=written(known.balance_minor, known.currency),
            owed_major=float(major_units(known.balance_minor, known.currency)),
            did=did,
            held=along or (step.why if held else ""),
        )


class _EventsWait(Exception):
    """An acknowledged event that may be about this customer is not applied yet: first that, then the question again."""


class _Unwritable(Exception):
    """The text for several invoices cannot be written; each goes alone."""


class _Going(NamedTuple):
    """A claimed contact on its way out: the facts, the decision, and the rungs of other invoices that go with it."""

    known: InvoiceFacts
    manual: Manual
    step: Contact
    contact_id: UUID
    along: list[Rider]

    @property
    def parts(self) -> list[tuple[str, Contact]]:
        """Every rung that leaves in this message, with its invoice."""
        return [(self.known.invoice_id, self.step), *((rider.facts.invoice_id, rider.step) for rider in self.along)]


class NoSender:
    """Stands for a channel without a provider: the attempt fails and the rung's next channel is tried."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.provider = "none"

    def send(self, outgoing: Outgoing) -> Accepted:
        """Always raises Undeliverable."""
        raise Undeliverable("no provider is configured for this channel", retire_address=False)


class _Made(NamedTuple):
    """How a call ended: the attempt's state, the provider's id, why not, when to try again, and whether the address is dead."""

    state: str
    ref: str = ""
    why: str = ""
    after: timedelta | None = None
    retire: bool = False
    opted_out: bool = False


def _make(sender: Sender, outgoing: Outgoing) -> _Made:
    """Call the provider; no connection to the ledger is held meanwhile."""
    try:
        return _Made("accepted", ref=sender.send(outgoing).provider_ref)
    except Undeliverable as error:
        return _Made("failed", why=error.reason, retire=error.retire_address, opted_out=error.opted_out)
    except TryLater as error:
        return _Made("failed", why=contacts.AGAIN + error.reason, after=error.after)
    except OutcomeUnknown as error:
        return _Made("unknown", why=error.reason)


def spoken(at: datetime, zone: str) -> str:
    """`Tue 08 Dec 2026 09:00 (America/Bogota)`: for the people who read the Temporal UI."""
    return f"{at.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M} ({zone})"
