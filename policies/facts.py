"""What may be known when a decision is taken: ids, sums, dates and states; never a name, a number or an address.

The ledger builds one `InvoiceFacts` in one query and stores it beside the decision, so each decision can be recomputed (I9).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from policies.deductions import Deduction
from policies.delivery_facts import DeliveryFact
from policies.habits import Habits
from policies.start_model import StartFacts
from policies.terms import AttemptState, Channel, Currency, DebtorKind, Instant, MinorUnits, Model


class Instalment(Model):
    """One due date of an invoice. `paid_minor` counts payments and credits allocated to it, net of reversals."""

    number: int
    due_on: date
    amount_minor: MinorUnits
    balance_minor: MinorUnits
    due_assumed: bool = False
    """Nobody stated the date, nor terms that lead to it: courtesy rungs only, until it is confirmed (playbook 3)."""


class PaymentFact(Model):
    """Money allocated to this invoice (negative when reversed), by the payer's date and by our clock."""

    paid_on: date
    recorded_at: Instant
    amount_minor: MinorUnits


HoldKind = Literal[
    "pause", "dispute", "already_paid", "payment_in_process", "owner", "instrument", "ceded", "unapplied", "balance_differs",
    "reply", "part_payment",
]  # fmt: skip
"""Why an invoice rests (playbook 2 and 3); policies/holding.py says what each one stops."""


class Hold(Model):
    """A stop with an end (I7).

    `amount_minor` is the part held; None holds all of it. A hold that starts later than now does not hold yet.
    """

    id: str
    kind: HoldKind
    starts_at: Instant
    until: Instant
    reason: str
    amount_minor: MinorUnits | None = None


class Milestone(Model):
    """One dated sum of an agreement. `number` counts from 1."""

    number: int
    due_on: date
    amount_minor: MinorUnits


class Agreement(Model):
    """What the customer undertook: a promise to pay, an extension, an instalment plan or a discount.

    Judged by the sum paid by the payer's dates from `made_on` on. `waived_minor` is what a kept discount forgives.
    """

    id: str
    kind: Literal["promise", "extension", "plan", "discount"]
    made_at: Instant
    made_on: date
    grace_days: int
    milestones: tuple[Milestone, ...]
    waived_minor: MinorUnits = 0
    state: Literal["open", "kept", "partly", "broken", "withdrawn"] = "open"


class PastContact(Model):
    """One attempt on this invoice, or a reserved slot of it (state `planned`)."""

    key: str
    channel: Channel
    state: AttemptState
    at: Instant
    local_date: date
    late_days: int = 0
    address_id: str = ""
    """Which address was tried; empty where only the channel is known."""
    may_retry: bool = False
    """A failed attempt that surely did not go out: the same channel may be tried again."""
    carried: bool = False
    """The invoice's own document went with it (F42)."""
    earlier: bool = False
    """It was about an invoice that this one replaces: said once, but no evidence that this one was delivered."""
    template: str = ""
    person_id: str = ""
    """Whom it told what: no words twice to one person about one debt (playbook 2)."""


class SkippedRung(Model):
    """A rung that was passed over, with why; it is never sent in that cycle."""

    key: str
    why: str
    passed_at: Instant | None = None
    """Given where only this occurrence was passed over (watched, or declined): the next one counts from that day."""


Outcome = Literal["delivered", "conversation", "voicemail", "no_answer", "not_connected", "no_message_possible", "wrong_number"]
"""How a contact by a person ended; what went out by itself counts as delivered."""


class BudgetEntry(Model):
    """A contact or a reserved slot of the same person or account, whatever the invoice; what limits are counted on.

    `state` planned is a reservation. Failed attempts are not given, nor are calls to a wrong number (F36). `manual`: a person
    made it and told us (F48); then `channel` may be a visit, `key` is `manual:<id>`, and `person_id` is empty where nobody is
    known. `inbound`: the customer began it.
    """

    invoice_id: str
    key: str
    person_id: str
    channel: Channel | Literal["visit"]
    state: AttemptState
    at: Instant
    local_date: date
    outcome: Outcome = "delivered"
    inbound: bool = False
    manual: bool = False
    address_id: str = ""
    template: str = ""
    """With the address, whether a slot can be shared by others (F38)."""
    void: bool = False
    """It should not have gone (mis-sent): the house's own limits do not count it, the law's do."""
    also: tuple[str, ...] = ()
    """The other invoices that this message is about."""
    elsewhere: Literal["", "account", "creditor"] = ""
    """The same person under another account of the creditor, or of another creditor for whom the house collects."""

    @property
    def is_attempt(self) -> bool:
        """Whether a house limit counts it: we tried, and something could reach the customer."""
        return not self.inbound and not self.void and self.outcome not in ("not_connected", "no_message_possible", "wrong_number")


class Ride(Model):
    """A message of this debtor that leaves now; whatever else asks for its window may go with it and costs no contact (F38)."""

    person_id: str
    address_id: str
    channel: Channel
    bundle: str
    """Which texts can share it (`policies.messages.bundle_of`)."""
    ends: Instant
    """A rung that asks for an earlier moment than this may go with it."""


class LawTerms(Model):
    """Which law packs speak for a debt, and what they must know that does not change from contact to contact."""

    packs: tuple[str, ...]
    """Codes of the packs of every place the debtor may be in."""
    zones: tuple[str, ...]
    """Every zone the debtor may be in; a moment must suit all."""
    party: Literal["first", "third"] = "first"
    """Whether the creditor collects in its own name or the house collects for it."""
    debtor: DebtorKind = DebtorKind.CONSUMER
    facts: dict[str, str | bool | int | tuple[str, ...]] = {}
    """Facts of the law vocabulary: creditor_type, debt_type, preferred_window, ..."""
    settings: dict[str, dict[str, str]] = {}
    """The creditor's choices for the settings of packs."""


class Reach(Model):
    """One way to reach one person: allowed or not, and why not."""

    person_id: str
    address_id: str
    role: str
    channel: Channel
    permitted: bool
    why_not: str = ""
    verified: bool = True
    authorised: bool = True
    """The person agreed to this channel; not only did not refuse it."""
    heard_at: Instant | None = None
    """The last sign of life at this address; None while its holder was never confirmed."""
    number: str = ""
    """The first address of this person with the same telephone number; the channels of one number share it."""
    checks: tuple[Instant, ...] = ()
    """When the holder of this number was asked whether it is theirs."""


PERMANENT_STOPS = frozenset({"deceased", "identity_theft", "represented", "cease_request", "insolvency"})
"""Stops that have a day on which a person reviews them, and no end: only a person lifts or renews them (playbook 3)."""
REVIEW_AGAIN_DAYS = 30
"""How long a permanent stop waits, from its review date on, before it is asked again whether a person has reviewed it (I7)."""


class Suppression(Model):
    """A stop on the account as a whole, with its reason and its review date (I7)."""

    reason: str
    until: Instant

    @property
    def is_permanent(self) -> bool:
        """Whether it holds beyond its review date, until a person lifts it."""
        return self.reason in PERMANENT_STOPS

    def holds(self, now: datetime) -> bool:
        """Whether it stops contact at that moment."""
        return self.is_permanent or now < self.until

    def asked_again(self, now: datetime) -> datetime:
        """The moment, after `now`, to look at it again: its review date, then every 30 days; the same whenever it is asked."""
        if now < self.until:
            return self.until
        again = timedelta(days=REVIEW_AGAIN_DAYS)
        return self.until + ((now - self.until) // again + 1) * again


class Placement(Model):
    """The comparison of keeping and placing the debt, and what became of it."""

    id: str
    state: Literal["proposed", "approved", "declined", "placed", "recalled", "returned"]
    proposed_at: Instant
    decide_by: Instant
    placed_at: Instant | None = None
    return_by: Instant | None = None


class Feed(Model):
    """A source that tells the creditor of payments, and how far it has told."""

    name: str
    kind: Literal["bank", "gateway", "erp"]
    complete_to: date | None = None
    """The last bank day of which all is known; only banks have one."""
    seen_at: Instant | None = None
    """When it last said anything, if only that it is there."""
    fresh_minutes: int = 60
    """How long a gateway or an ERP may be silent."""
    expected_by: str = "10:00"
    """Creditor's local hour from which a missing file of the last bank day is told to operations."""


class Apology(Model):
    """An approved apology to one person for a message of this invoice that should not have gone."""

    id: str
    person_id: str
    channel: Channel
    until: Instant
    """Later it would only remind of the mistake."""


class InvoiceFacts(Model):
    """Everything next_step may look at, except the manual and the instant, which are its other arguments."""

    schema_version: int = 1
    invoice_id: str
    creditor_id: str
    account_id: str
    order: str
    """Sorts invoices that fall due at the same instant: the invoice number."""
    currency: Currency
    issued_on: date
    entered_at: Instant
    """When the invoice was accepted; rungs before it are past and are not sent (F9)."""
    status: Literal["open", "cancelled", "written_off"]
    cycle: int
    cycle_started_at: Instant
    """When the present cycle began: `entered_at` for the first, else the breach or the reversal."""
    cycle_notice: Literal["", "missed_promise", "reopened", "instrument_returned"] = ""
    """Why the present cycle began; its first contact carries that text."""
    carried_stage: str = ""
    """Where the system before had come to: a rung's id, or how many reminders it had sent; "" for an invoice of our own."""
    erp_adjusted_minor: MinorUnits = 0
    """What the creditor's own system has settled and no payment of ours explains, net of what came back."""
    shift_days: int = 0
    """Days the ladder was closed before a reversal reopened it; every rung moves by as many."""
    revision: int
    instalments: tuple[Instalment, ...]
    payments: tuple[PaymentFact, ...] = ()
    settled_in_erp: tuple[PaymentFact, ...] = ()
    """What the creditor's lists settled and no payment of ours explains: its day is not known, so it counts as in time."""
    holds: tuple[Hold, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    contacts: tuple[PastContact, ...] = ()
    last_conversation_on: date | None = None
    """The local date on which a person last spoke with the customer about this invoice (F6)."""
    skipped: tuple[SkippedRung, ...] = ()
    placement: Placement | None = None
    delivery: tuple[DeliveryFact, ...] = ()
    """Evidence that the invoice reached its customer, and of the contrary (F42)."""
    has_document: bool = False
    """The invoice's PDF is kept, and goes with the messages that ask for it."""
    age_from: date | None = None
    """The due date of the invoice that this one replaces; the ladder of its first instalment counts from there."""
    # the account and the people behind it
    kind: DebtorKind
    portal_state: Literal["", "submitted", "rejected", "approved", "scheduled"] = ""
    """What became of the invoice in its payer's portal."""
    minor: bool = False
    """Only the guardian is written to."""
    related: Literal["", "employee", "related_party", "shareholder"] = ""
    """Of the creditor's own house: courtesy rungs only, a person takes the rest."""
    habits: Habits = Habits()
    """When the payer pays, and where it wants its invoices handed in."""
    country: str
    region: str = ""
    zone: str
    place_of_payment: str
    """Country whose working days move the due date: the creditor's, unless the invoice says otherwise."""
    place_of_payment_region: str = ""
    reach: tuple[Reach, ...] = ()
    preferred: Channel | None = None
    """The channel the debtor asked to be written to by; tried first wherever a rung offers it (F34)."""
    suppressions: tuple[Suppression, ...] = ()
    exempt_until: Instant | None = None
    key_account: bool = False
    """Each firm rung needs a person's yes; without one it is passed over (playbook 2)."""
    firm_yes: tuple[str, ...] = ()
    """The notices of firm rungs to which a person said yes (policies/owner_notice.py)."""
    has_owner: bool = False
    """Somebody of the creditor answers for this customer, and hears of firm rungs before they go (playbook 3)."""
    law: LawTerms | None = None
    """Which law speaks; None only in the rehearsal of an old book."""
    # the same debtor's other contacts
    budget: tuple[BudgetEntry, ...] = ()
    ride: Ride | None = None
    """Given when the question is whether this invoice goes with a message of another one."""
    # the creditor
    creditor_zone: str
    creditor_country: str
    stopped_until: Instant | None = None
    """The global stop: nothing is sent for this creditor before then."""
    stopped_automatically: bool = False
    """Too many bounces, opt-outs or "already paid" answers stopped it; nobody's hand."""
    apologies: tuple[Apology, ...] = ()
    start: StartFacts | None = None
    """How far the creditor lets things go by themselves; None: all the way."""
    feeds: tuple[Feed, ...] = ()
    """Where the creditor's payments are told; none are relied on while none are declared (playbook 3)."""
    own_promises: tuple[Instant, ...] = ()
    """Ends of what we promised this customer and have not done: a copy, a credit note, a call back (S67)."""
    credit_minor: MinorUnits = 0
    """Money of this account in this currency that lies on no invoice (playbook 3)."""
    credit_since: Instant | None = None
    manual_id: str
    deductions: tuple[Deduction, ...] = ()
    """What is withheld or deposited elsewhere; the instalments hold the net."""
    payment_currency: str = ""
    """An indexed or foreign debt is paid in this currency, at the value of the day."""
    value_missing_on: date | None = None
    """The debtor's present day, when the value of that day is needed and not known."""

    @property
    def received(self) -> tuple[PaymentFact, ...]:
        """All that was paid as far as anybody knows: by it a promise is judged."""
        return self.payments + self.settled_in_erp

    @property
    def balance_minor(self) -> int:
        """What is owed now over all instalments; never below 0 (credits stand in the account, not here)."""
        return sum([i.balance_minor for i in self.instalments if i.balance_minor > 0])
