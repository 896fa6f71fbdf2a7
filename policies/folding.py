"""One message for what a person is due by one channel in one window (F38): which reserved slots are one, and who goes with whom.

A slot reserved by several invoices for the same message counts once. A rung that limits hold back takes a slot that is reserved
for such a message, where that comes sooner than a moment of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from policies.facts import BudgetEntry, Reach, Ride
from policies.messages import bundle_of
from policies.steps import Contact
from policies.tally import tally_of
from policies.terms import AttemptState, Channel

TOGETHER = "fold.together"
"""The rule that let a rung go with a message of another invoice."""
SLOT = "fold.slot"
"""The rule that gave a rung the slot reserved by another invoice."""


def counted(budget: Sequence[BudgetEntry], own: tuple[str, str]) -> Sequence[BudgetEntry]:
    """The budget without one's own entry, each message to come once."""
    tally = tally_of(budget)
    if tally is not None:
        return tally.counted(own)
    found: list[BudgetEntry] = []
    seen: set[tuple[object, ...]] = set()
    for entry in budget:
        if (entry.invoice_id, entry.key) == own:
            continue
        bundle = bundle_of(entry.template)
        if entry.state is AttemptState.PLANNED and bundle:
            message = (entry.person_id, entry.channel, entry.address_id, entry.at, bundle)
            if message in seen:
                continue
            seen.add(message)
        found.append(entry)
    return found


def shared_slots(
    budget: Sequence[BudgetEntry], own: tuple[str, str], reach: Reach, bundle: str
) -> Iterator[tuple[datetime, list[BudgetEntry]]]:
    """The moments reserved by other invoices for a message that this one could be part of, earliest first, with their entries."""
    tally = tally_of(budget)
    if tally is not None:
        yield from tally.slots(own[0], (reach.person_id, reach.channel, reach.address_id, bundle))
        return
    fitting = (
        entry
        for entry in budget
        if entry.state is AttemptState.PLANNED
        and entry.invoice_id != own[0]
        and (entry.person_id, entry.channel, entry.address_id) == (reach.person_id, reach.channel, reach.address_id)
        and bundle_of(entry.template) == bundle
    )
    for at, entries in groupby(sorted(fitting, key=lambda e: e.at), key=lambda e: e.at):
        yield at, list(entries)


def about(budget: Sequence[BudgetEntry], invoice_id: str) -> list[BudgetEntry]:
    """What was said, or will be, of one invoice."""
    tally = tally_of(budget)
    if tally is not None:
        return tally.mine(invoice_id)
    return [entry for entry in budget if invoice_id in (entry.invoice_id, *entry.also)]


def ride_of(step: Contact) -> Ride | None:
    """What others may go with when this contact is made; None when its text stands alone."""
    bundle = bundle_of(step.template)
    if not bundle:
        return None
    return Ride(person_id=step.person_id, address_id=step.address_id, channel=step.channel, bundle=bundle, ends=step.window_ends)


def carries(ride: Ride, person_id: str, address_id: str, channel: Channel, bundle: str) -> bool:
    """Whether a message to that address, of that bundle, is this one."""
    return (ride.person_id, ride.address_id, ride.channel, ride.bundle) == (person_id, address_id, channel, bundle)
