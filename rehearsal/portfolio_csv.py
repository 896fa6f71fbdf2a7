"""A portfolio from a CSV file: its rows as invoices, in the order of the file, and what could not be read, by line."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from policies.intake import ChannelIn, ContactIn, Unreadable
from policies.portfolio_map import Entry, PortfolioMap, missing_columns, read_entry
from policies.terms import Channel
from supervise import Trouble


@dataclass(frozen=True)
class Portfolio:
    """What a file holds. `unreadable` has a line `file:line: what` for each row that makes no sense."""

    entries: list[Entry]
    unreadable: list[str]


def read_portfolio(path: Path, how: PortfolioMap, *, first: int | None = None) -> Portfolio:
    """Read the file, or its `first` rows; raises Trouble when it cannot be opened or lacks a column of the map."""
    entries: list[Entry] = []
    unreadable: list[str] = []
    try:
        with path.open(encoding=how.format.encoding, newline="") as opened:
            rows = csv.DictReader(opened, delimiter=how.format.delimiter)
            missing = missing_columns(how, list(rows.fieldnames or ()))
            if missing:
                has = ", ".join(rows.fieldnames or ())
                raise Trouble(f"{path} has no column {', '.join(missing)}: it has {has}; correct the map")
            for row in rows:
                if first is not None and len(entries) + len(unreadable) >= first:
                    break
                try:
                    entries.append(read_entry(how, row))
                except Unreadable as wrong:
                    unreadable.append(f"{path.name}:{rows.line_num}: {wrong}")
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"{path} cannot be read ({error}): check its name, and the encoding in the map") from None
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
