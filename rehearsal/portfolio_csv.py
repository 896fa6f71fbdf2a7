"""A portfolio from a CSV file or a workbook: its rows as invoices, in the order of the file, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.import_files import UnreadableFile, read_table
from policies.intake import Unreadable
from policies.intake_model import ChannelIn, ContactIn
from policies.portfolio_map import PortfolioMap, is_wanted
from policies.portfolio_rows import Entry, read_entry
from policies.terms import Channel
from supervise import Trouble


@dataclass(frozen=True)
class Portfolio:
    """What a file holds. `unreadable` has a line `file:line: what` for each row that makes no sense, and what is to be known."""

    entries: list[Entry]
    unreadable: list[str]


def read_portfolio(path: Path, how: PortfolioMap, *, first: int | None = None) -> Portfolio:
    """Read the file, or its `first` rows; raises Trouble when it cannot be opened or lacks a column of the map."""
    try:
        table = read_table(path, how)
    except UnreadableFile as error:
        raise Trouble(str(error)) from None
    entries: list[Entry] = []
    unreadable: list[str] = list(table.notes)
    for line, row in table.rows[:first]:
        if not is_wanted(how, row):
            continue
        try:
            entries.append(read_entry(how, row))
        except Unreadable as wrong:
            unreadable.append(f"{path.name}:{line}: {wrong}")
    return Portfolio(entries, unreadable)


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
    return Entry(invoice, entry.debtor, entry.settled_on)
