"""A portfolio from a CSV file or a workbook: its rows as invoices, in the order of the file, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledger.import_files import UnreadableFile, read_table
from policies.instalment_rows import groups_of, together
from policies.intake import Unreadable
from policies.intake_model import ChannelIn, ContactIn
from policies.portfolio_groups import entries_of
from policies.portfolio_map import PortfolioMap, is_wanted
from policies.portfolio_rows import Entry, NoInvoice, number_of, phone_notes, read_entry
from policies.terms import Channel
from supervise import Trouble


@dataclass(frozen=True)
class Portfolio:
    """What a file holds. `unreadable` has a line `file:line: what` for each row that makes no sense; `notes` are of the whole."""

    entries: list[Entry]
    unreadable: list[str]
    notes: list[str]


def read_portfolio(path: Path, how: PortfolioMap, *, first: int | None = None) -> Portfolio:
    """Read the file, or its `first` rows; several rows of one number are the instalments of one invoice, as in an import.

    Raises Trouble when the file cannot be opened or lacks a column of the map.
    """

    def number(row: tuple[int, dict[str, Any]]) -> str:
        return number_of(how, row[1])

    try:
        table = read_table(path, how)
    except UnreadableFile as error:
        raise Trouble(str(error)) from None
    taken = [(line, row) for line, row in table.rows[:first] if is_wanted(how, row)]
    entries: list[Entry] = []
    unreadable: list[tuple[int, str]] = []
    for rows in groups_of(together(taken, number), number):
        read = [(line, _read(how, row)) for line, row in rows]
        invoices = [(line, each) for line, each in read if not isinstance(each, NoInvoice)]
        found = entries_of([each for _, each in invoices])
        entries += [each for each in found if isinstance(each, Entry)]
        refused = [(line, each) for (line, _), each in zip(invoices, found, strict=False) if isinstance(each, Unreadable)]
        left_out = [(line, each) for line, each in read if isinstance(each, NoInvoice)]
        unreadable += [(line, f"{path.name}:{line}: {each}") for line, each in [*refused, *left_out]]
    notes = [*table.notes, *phone_notes(how, taken)]
    return Portfolio(entries, [said for _, said in sorted(unreadable)], notes)


def _read(how: PortfolioMap, row: dict[str, Any]) -> Entry | Unreadable:
    try:
        return read_entry(how, row)
    except Unreadable as wrong:
        return wrong


def with_addresses(entries: list[Entry]) -> list[Entry]:
    """The same, with an invented address at example.com for each debtor of whom the file knows none."""
    numbers: dict[str, int] = {}
    return [_with_address(entry, numbers) for entry in entries]


def _with_address(entry: Entry, numbers: dict[str, int]) -> Entry:
    account = entry.invoice.account
    if any(contact.channels for contact in account.contacts):
        return entry
    number = numbers.setdefault(entry.debtor, len(numbers) + 1)
    address = ChannelIn(channel=Channel.EMAIL, address=f"payables-{number}@example.com", consent="given", verified=True)
    old = account.contacts[0] if account.contacts else ContactIn()
    contact = old.model_copy(update={"channels": (address,)})
    invoice = entry.invoice.model_copy(update={"account": account.model_copy(update={"contacts": (contact,)})})
    return replace(entry, invoice=invoice)
