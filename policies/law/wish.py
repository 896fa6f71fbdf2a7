"""A wish to contact as the law engine hears it: our channels, contacts and facts in the words of the packs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from policies.facts import BudgetEntry, LawTerms
from policies.law.count import Heard, LawContact
from policies.law.engine import Hearing, Question
from policies.law.packs import shipped_law
from policies.tally import Counted
from policies.terms import AttemptState

_CHANNELS = {"voice": "call"}
_OUTCOMES = {"not_connected": "not_connected_to_number"}
_OWN, _OTHER = "own", "other"
_REACHED = frozenset(("delivered", "conversation"))


def law_channel(channel: str) -> str:
    """Our channel in the words of the packs: an automatic call is a call."""
    return _CHANNELS.get(channel, channel)


def law_contact(entry: BudgetEntry) -> LawContact | None:
    """A contact or a reserved slot as packs count it; None for one that reached a stranger or surely failed."""
    if entry.state is AttemptState.FAILED or entry.outcome == "wrong_number":
        return None
    return LawContact(
        at=entry.at,
        channel=law_channel(entry.channel),
        connected=entry.outcome in _REACHED,
        outcome=_OUTCOMES.get(entry.outcome, entry.outcome),
        debts=(entry.invoice_id, *entry.also) if entry.invoice_id else (),
        account=_OTHER if entry.elsewhere else _OWN,
        person=entry.person_id,
        creditor=_OTHER if entry.elsewhere == "creditor" else _OWN,
        inbound=entry.inbound,
    )


def _once(each: dict[int, tuple[BudgetEntry, LawContact | None]], entry: BudgetEntry) -> LawContact | None:
    found = each.get(id(entry))
    if found is None:
        found = each[id(entry)] = entry, law_contact(entry)
    return found[1]


def _contacts(budget: Sequence[BudgetEntry], own: tuple[str, str]) -> Sequence[LawContact]:
    if isinstance(budget, Counted):
        found: Heard | None = budget.made.get(("law",))
        if found is None:
            heard = (_once(budget.each, entry) for entry in budget)
            found = budget.made["law",] = Heard(contact for contact in heard if contact is not None)
        return found
    return [
        contact
        for entry in budget
        if not (entry.key == own[1] and entry.invoice_id == own[0]) and (contact := law_contact(entry)) is not None
    ]


def hangs_on(law: LawTerms, own: tuple[str, str]) -> tuple[object, ...]:
    """What an answer of the packs hangs on besides the moment, the channel, the person and the contacts."""
    heard = shipped_law(law.settings)
    by_debt, idle = heard.hangs_on(law.packs)
    facts = frozenset(fact for fact in law.facts.items() if fact[0] not in idle)
    return heard, law.packs, law.zones, law.party, law.debtor, facts, own[0] if by_debt else ""


def hearing(
    law: LawTerms, asked: datetime, *, channel: str, person_id: str, budget: Sequence[BudgetEntry], own: tuple[str, str]
) -> Hearing:
    """Everything the packs have to say to this wish. The entry named by `own` (invoice id, key) is not counted."""
    contacts = _contacts(budget, own)
    question = Question(
        packs=law.packs,
        at=asked,
        zones=law.zones,
        channel=law_channel(channel),
        party=law.party,
        debtor=law.debtor.value,
        contacts=contacts,
        facts={**law.facts, "creditor_id": _OWN},
        person=person_id,
        account=_OWN,
        debt=own[0],
    )
    return Hearing(shipped_law(law.settings), question)
