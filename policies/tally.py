"""A debtor's contacts and reserved slots, indexed by what limits and folding ask of them.

A book of thousands of invoices reserves thousands of slots, most of them for the same few messages: a question about one rung
looks at the messages, not at the slots. A `Tally` is kept up to date while a future is played; `Spoken` is the plain tuple of a
moment, which brings its tally along for as long as that has not moved on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from policies.facts import BudgetEntry
from policies.messages import bundle_of
from policies.terms import AttemptState

Address = tuple[str, str, str, str]
"""Person, channel, address and bundle: reserved slots that agree in these and in their moment are one message to come."""
Slot = tuple[datetime, list[BudgetEntry]]
"""The moment of a message to come, with the entries that reserve it."""


def is_slot(entry: BudgetEntry) -> bool:
    """Whether it is reserved for a message that others can share."""
    return entry.state is AttemptState.PLANNED and bundle_of(entry.template) != ""


class Tally:
    """The entries in their order, each under a number that grows, and where to find them."""

    def __init__(self, entries: Iterable[BudgetEntry] = ()) -> None:
        self.version = 0
        self._number = 0
        self._entries: dict[int, BudgetEntry] = {}
        self._mine: dict[str, dict[int, BudgetEntry]] = {}
        self._slots: dict[Address, dict[datetime, dict[int, BudgetEntry]]] = {}
        self._once: dict[int, BudgetEntry] = {}
        self._each: dict[int, tuple[BudgetEntry, Any]] = {}
        self._counted: Counted | None = None
        self._spoken: Spoken | None = None
        for entry in entries:
            self.add(entry)

    def add(self, entry: BudgetEntry) -> int:
        """Put an entry behind the others; returns its number."""
        self._number += 1
        self._put(self._number, entry)
        return self._number

    def replace(self, number: int, entry: BudgetEntry) -> None:
        """Another entry in the place of one; neither is a slot."""
        for name in _told(self._entries[number]):
            del self._mine[name][number]
        self._put(number, entry)

    def give_back(self, invoice_id: str) -> None:
        """Drop the slots that an invoice has reserved."""
        mine = self._mine.get(invoice_id)
        for number, entry in list(mine.items()) if mine else ():
            if entry.invoice_id == invoice_id and entry.state is AttemptState.PLANNED:
                self._drop(number, entry)

    def spoken(self) -> Spoken:
        """All entries as they stand now."""
        if self._spoken is None:
            self._spoken = Spoken(self._entries.values())
            self._spoken.tally, self._spoken.version = self, self.version
        return self._spoken

    def mine(self, invoice_id: str) -> list[BudgetEntry]:
        """What was or will be said of this invoice."""
        return [entry for _, entry in sorted(self._mine.get(invoice_id, {}).items())]

    def counted(self, own: tuple[str, str]) -> Counted:
        """The entries without one's own (invoice id, key), each message to come once: the first slot reserved for it."""
        mine = {n: e for n, e in self._mine.get(own[0], {}).items() if (e.invoice_id, e.key) == own}
        gone = [number for number in mine if number in self._once]
        if not gone:
            if self._counted is None:
                self._counted = self._listed(self._once)
            return self._counted
        once = dict(self._once)
        for number in gone:
            del once[number]
            following = next(((n, e) for n, e in self._together(mine[number]).items() if n not in mine), None)
            if following is not None:
                once[following[0]] = following[1]
        return self._listed(once)

    def slots(self, invoice_id: str, address: Address) -> list[Slot]:
        """The messages to come, earliest first, for which other invoices have reserved slots, each with the first of these.

        The further slots of a message are never counted, so whoever leaves the message out has left them out already.
        """
        found = []
        for at, members in sorted(self._slots.get(address, {}).items()):
            first = next((entry for entry in members.values() if entry.invoice_id != invoice_id), None)
            if first is not None:
                found.append((at, [first]))
        return found

    def _listed(self, once: dict[int, BudgetEntry]) -> Counted:
        found = Counted(once[number] for number in sorted(once))
        found.each = self._each
        return found

    def _together(self, entry: BudgetEntry) -> dict[int, BudgetEntry]:
        """The slots of the same message; none for what is no slot."""
        return self._slots.get(_address(entry), {}).get(entry.at, {}) if is_slot(entry) else {}

    def _put(self, number: int, entry: BudgetEntry) -> None:
        self._entries[number] = entry
        for name in _told(entry):
            self._mine.setdefault(name, {})[number] = entry
        if is_slot(entry):
            together = self._slots.setdefault(_address(entry), {}).setdefault(entry.at, {})
            if not together:
                self._once[number] = entry
            together[number] = entry
        else:
            self._once[number] = entry
        self._changed(counts=number in self._once)

    def _drop(self, number: int, entry: BudgetEntry) -> None:
        del self._entries[number]
        self._each.pop(id(entry), None)
        for name in _told(entry):
            del self._mine[name][number]
        counts = self._once.pop(number, None) is not None
        together = self._together(entry)
        if together:
            del together[number]
            if not together:
                del self._slots[_address(entry)][entry.at]
            elif counts:
                first = next(iter(together))
                self._once[first] = together[first]
        self._changed(counts=counts)

    def _changed(self, *, counts: bool) -> None:
        self.version += 1
        self._spoken = None
        if counts:
            self._counted = None


class Spoken(tuple[BudgetEntry, ...]):
    """The entries of one moment, and the tally that they were taken from."""

    tally: Tally
    version: int


class Counted(tuple[BudgetEntry, ...]):
    """Entries of which none is one's own, and what limits and law have made of them: it is the same for every rung that asks."""

    each: dict[int, tuple[BudgetEntry, Any]]
    """What was made of single entries, by their identity and with them; all that one tally counts share it."""

    @cached_property
    def places(self) -> dict[int, int]:
        """Where each entry stands, by its identity."""
        return {id(entry): place for place, entry in enumerate(self)}

    @cached_property
    def made(self) -> dict[tuple[object, ...], Any]:
        """Whatever follows from these entries alone and from what its key names."""
        return {}


def besides(entries: Sequence[BudgetEntry], these: Iterable[BudgetEntry]) -> Sequence[BudgetEntry]:
    """The entries without these very ones."""
    left_out = {id(entry) for entry in these}
    if not isinstance(entries, Counted):
        return [entry for entry in entries if id(entry) not in left_out]
    gone = sorted(entries.places[number] for number in left_out if number in entries.places)
    if not gone:
        return entries
    key = "besides", *gone
    found: Counted | None = entries.made.get(key)
    if found is None:
        found = entries.made[key] = Counted(entry for entry in entries if id(entry) not in left_out)
        found.each = entries.each
    return found


def tally_of(budget: Sequence[BudgetEntry]) -> Tally | None:
    """The tally of these entries, where they brought one that is still theirs."""
    return budget.tally if isinstance(budget, Spoken) and budget.version == budget.tally.version else None


def spoken_of(budget: Sequence[BudgetEntry]) -> Spoken:
    """The same entries with their tally, for whoever asks about them many times."""
    return budget if isinstance(budget, Spoken) and tally_of(budget) is not None else Tally(budget).spoken()


def _told(entry: BudgetEntry) -> set[str]:
    return {entry.invoice_id, *entry.also}


def _address(entry: BudgetEntry) -> Address:
    return entry.person_id, entry.channel, entry.address_id, bundle_of(entry.template)
