"""The rows of one invoice number as they are accepted: the instalments of one invoice, or each for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from policies.instalment_rows import are_instalments, as_one
from policies.intake import Problem, Unreadable
from policies.intake_model import InvoiceIn
from policies.portfolio_rows import Credit, Entry

Read = InvoiceIn | Credit | Unreadable


class Whole(NamedTuple):
    """What is accepted for rows of one number: one invoice for all of them, or each for itself."""

    reads: list[Read]
    rows: int

    @property
    def by_row(self) -> list[Read]:
        """For each row what is accepted, or refused, of it."""
        return self.reads if len(self.reads) == self.rows else self.reads * self.rows


def whole_of(reads: Sequence[Read]) -> Whole:
    """The rows of one number, as they were read; what cannot be read makes the others unreadable, for the sum is not whole."""
    invoices = [read for read in reads if isinstance(read, InvoiceIn)]
    if 0 < len(invoices) < len(reads) and not any(isinstance(read, Credit) for read in reads):
        why = "another row of this invoice number cannot be read: without it the sum is not whole"
        missing = Unreadable([Problem("/number", why)])
        return Whole([read if isinstance(read, Unreadable) else missing for read in reads], len(reads))
    if len(invoices) == len(reads) and are_instalments(invoices):
        try:
            return Whole([as_one(invoices)], len(reads))
        except Unreadable as wrong:
            return Whole([wrong], len(reads))
    return Whole(list(reads), len(reads))


def entries_of(reads: Sequence[Entry | Unreadable]) -> list[Entry | Unreadable]:
    """The same for a replay: one entry with its parts for all rows, or what each row comes to, in their order."""
    whole = whole_of([read.invoice if isinstance(read, Entry) else read for read in reads])
    entries = [read for read in reads if isinstance(read, Entry)]
    one = whole.reads[0] if whole.reads else None
    if isinstance(one, InvoiceIn) and len(whole.reads) < len(entries):
        rows = sorted(entries, key=lambda entry: entry.invoice.due_on or date.max)  # as the instalments are numbered
        parts = tuple((row.invoice.amount_minor or 0, row.settled_on) for row in rows)
        days = [on for _, on in parts if on is not None]
        return [Entry(one, entries[0].debtor, max(days) if len(days) == len(parts) else None, parts)]
    return [found if isinstance(found, Unreadable) else read for found, read in zip(whole.by_row, reads, strict=True)]
