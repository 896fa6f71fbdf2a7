"""What a message may say, and what comes out of rendering it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from messages.short import Conversion, DeductionLine


class OfferTerms(Protocol):
    """The most that may be offered at this rung (`policies.manual.Offer` has this shape); 0 or None means not offered."""

    @property
    def extension_days_max(self) -> int | None: ...

    @property
    def instalments_max(self) -> int | None: ...

    @property
    def first_share_min_pct(self) -> int | None: ...

    @property
    def discount_max_pct(self) -> int | None: ...

    @property
    def discount_days(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One open item of the customer. `instalment` is a text such as `2/6`, or empty; no `currency` is the message's own."""

    invoice_number: str
    due_on: date
    amount_minor: int
    instalment: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageValues:
    """Everything a text may name. Sums are integer minor units of `currency`; dates are local dates of the customer.

    `amount_minor` is what is asked now on this invoice or instalment, with interest and costs inside it; the total over `lines`
    is `amount_total_minor` (None: the same as `amount_minor`). `creditor_short` serves SMS when the legal name is long.
    `salutation` is only ever the field of that name: empty means a greeting without a name (playbook 6).
    `action_on` is the one date the text announces: the first day of the consequence in suspension_notice, final_balance,
    record_notice and interest_notice; the last day to pay or agree in last_days, final_demand, formal_demand and
    last_agreement. Give the date of the manual's own rung, never an earlier one; without it the text's `deadline_days` count
    from `today`. `offer_until` is the offer's last day (a discount without it ends after its `discount_days`).
    """

    creditor_name: str
    country: str
    invoice_number: str
    due_on: date
    amount_minor: int
    currency: str
    today: date
    pay_url: str
    answer_url: str
    stop_url: str
    team: str = ""
    creditor_short: str = ""
    reply_to: str = ""
    phone: str = ""
    salutation: str = ""
    issued_on: date | None = None
    amount_total_minor: int | None = None
    interest_minor: int = 0
    costs_minor: int = 0
    days_late: int = 0
    instalment_number: int = 0
    instalments_count: int = 0
    lines: tuple[Line, ...] = ()
    offer: OfferTerms | None = None
    offer_until: date | None = None
    action_on: date | None = None
    agreement_date: date | None = None
    agreement_amount_minor: int | None = None
    first_contact: bool = False
    check_url: str = ""
    slug: str = ""
    """The creditor's short name, for the command that a refusal names."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the creditor has told of itself and of who collects for it: address, tax_id, agency, ..."""
    first_due_minor: int | None = None
    """What the invoice asked before anything was added or paid; None: `amount_minor`."""
    deductions: tuple[DeductionLine, ...] = ()
    """What is withheld or deposited elsewhere; never part of `amount_minor`."""
    conversions: tuple[Conversion, ...] = ()
    """Today's value of each unit that sums are counted in and not paid in."""
    several: bool = False
    """The message is for all of `lines`, and for nothing else (F38); each currency has its own total."""


@dataclass(frozen=True, slots=True)
class Table:
    """Open items as a table of ready texts, with a total for each currency. `note` says what is left out (five of forty)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, str], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class LetterParts:
    """What an email or a letter is made of, in ready texts: `paragraphs` stand before the table and `after` behind it.

    `ways` and `stop` are labels with their addresses; `notices` is what the law wants said after all that.
    """

    dated: date
    date_line: str
    greeting: str
    paragraphs: tuple[str, ...]
    after: tuple[str, ...]
    table: Table | None
    ways: tuple[tuple[str, str], ...]
    signature: tuple[str, ...]
    footer: str
    reference_label: str
    stop: tuple[str, str]
    notices: str = ""

    def as_text(self) -> str:
        """The same as plain text, an empty line between its parts."""
        blocks = [self.greeting, *self.paragraphs]
        if self.table is not None:
            separator = " · " if self.table.head else ": "
            rows = [separator.join(row) for row in self.table.rows]
            rows = [f"- {row}" for row in rows] if self.table.head else rows
            rows += [": ".join(total) for total in self.table.totals]
            blocks.append("\n".join([*rows, *filter(None, (self.table.note,))]))
        blocks += self.after
        if self.ways:
            blocks.append("\n".join(f"{label}: {url}" for label, url in self.ways))
        blocks.append("\n".join(filter(None, self.signature)))
        blocks += filter(None, (self.notices,))
        blocks.append(f"{self.footer}\n" + ": ".join(filter(None, self.stop)))
        return "\n\n".join(blocks)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message ready to leave. `version` names the text it came from: 12 hex digits of its source's SHA-256.

    `subject` is empty on SMS, WhatsApp and voice; `html` only exists for email and letter. `segments` counts SMS segments,
    `body_words` the words of an email or letter before its table.
    """

    subject: str
    text: str
    html: str
    version: str
    segments: int = 1
    body_words: int = 0
    letter: LetterParts | None = None
    whole: Table | None = None
    """Every line, where the message lists only some of them."""
