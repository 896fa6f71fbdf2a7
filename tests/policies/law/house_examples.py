"""Random wishes to contact: a manual's limits, a shipped law pack, and the contacts of a debtor as the ledger tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from policies.facts import BudgetEntry, LawTerms
from policies.hours import Place
from policies.law.count import LawContact
from policies.law.engine import Question
from policies.manual_model import WEEKDAYS, Cap, Limits
from policies.terms import AttemptState, Channel, DebtorKind
from tests.policies.law.examples import Chance, clock, moment

PERSON = "ana"
_DAY = 24 * 60
_PLACES: tuple[tuple[tuple[str, ...], Place, tuple[str, ...]], ...] = (
    (("HOUSE", "CO"), Place("America/Bogota", "CO", "", "CO"), ()),
    (("HOUSE", "US-MA"), Place("America/New_York", "US", "MA", "US"), ("America/Los_Angeles",)),
    (("HOUSE", "US-FED"), Place("America/Los_Angeles", "US", "CA", "MX"), ()),
    (("HOUSE", "CL"), Place("America/Santiago", "CL", "", "CL"), ("Pacific/Easter",)),
    (("HOUSE", "EC"), Place("America/Guayaquil", "EC", "", "CO"), ()),
    (("HOUSE", "BR-SP"), Place("America/Sao_Paulo", "BR", "SP", "BR"), ()),
    (("HOUSE", "UK"), Place("Europe/London", "GB", "ENG", "ES"), ()),
    (("HOUSE", "AU"), Place("Australia/Lord_Howe", "AU", "NSW", "AU"), ("Australia/Sydney",)),
    (("HOUSE", "CA-BC"), Place("America/Vancouver", "CA", "BC", "CA"), ("America/Edmonton",)),
)
_OUTCOMES = ("delivered", "delivered", "conversation", "voicemail", "no_answer", "not_connected", "no_message_possible")
_CLOSED = ("good_friday", "12-24..01-02", "02-29", "03-09", "2026-11-02", "10-25..11-01")


@dataclass(frozen=True)
class HouseExample:
    """One wish, as `first_allowed` is asked."""

    at: datetime
    channel: Channel
    entries: tuple[BudgetEntry, ...]
    firm: bool
    place: Place
    limits: Limits
    law: LawTerms


def _limits(chance: Chance) -> Limits:
    week: dict[Any, tuple[str, ...]] = {}
    opens, lasts = 30 * chance.number(0, 40), chance.pick((60, 240, 600, _DAY))
    for day in WEEKDAYS[: chance.pick((5, 6, 7, 7))]:
        week[day] = (f"{clock(opens)}-{clock(min(_DAY, opens + lasts))}",)
        if opens > 300 and chance.once_in(3):
            week[day] = ("02:15-04:00", *week[day])
    channels: tuple[tuple[Channel, ...] | None, ...] = (None, None, (Channel.SMS,), (Channel.EMAIL, Channel.VOICE))
    caps = [
        Cap(
            max=chance.number(1, 3), days=chance.pick((1, 2, 7)), per=chance.pick(("person", "account")),
            channels=chance.pick(channels),
        )
        for _ in range(chance.number(0, 2))
    ]  # fmt: skip
    return Limits(
        windows=week if chance.number(0, 3) else Limits().windows,
        channel_windows={Channel.SMS: {"mon": ("10:00-11:00",), "sun": ()}} if chance.once_in(3) else {},
        holidays=chance.once_in(2), closed_days=tuple(chance.some(_CLOSED, 2)) if chance.once_in(2) else (),
        firm_days=WEEKDAYS[:5] if chance.once_in(2) else WEEKDAYS, firm_eves=chance.once_in(2),
        firm_closed_days=tuple(chance.some(_CLOSED, 2)) if chance.once_in(3) else (),
        contacts=tuple(caps), gap_hours=chance.pick((None, 1, 24, 48)),
    )  # fmt: skip


def _entry(chance: Chance, at: datetime, zone: str) -> BudgetEntry:
    when = at.replace(second=0, microsecond=0) + timedelta(minutes=chance.number(-8 * _DAY, 5 * _DAY))
    states = (AttemptState.DELIVERED, AttemptState.DELIVERED, AttemptState.UNKNOWN, AttemptState.FAILED)
    own, person = chance.once_in(10), chance.pick((PERSON, PERSON, PERSON, "ben", ""))
    return BudgetEntry(
        invoice_id="inv-1" if own else chance.pick(("inv-1", "inv-2")), key="own" if own else "other",
        person_id=person, channel=chance.pick((*Channel, "visit")),
        state=AttemptState.PLANNED if when > at else chance.pick(states), at=when,
        local_date=when.astimezone(ZoneInfo(zone)).date(), outcome="delivered" if when > at else chance.pick(_OUTCOMES),
        inbound=chance.once_in(8), also=("inv-1",) if chance.once_in(6) else (),
        elsewhere=chance.pick(("", "", "account", "creditor")) if person == PERSON else "",
    )  # fmt: skip


@st.composite
def house_examples(draw: st.DrawFn) -> HouseExample:
    """A wish under a manual and a shipped pack."""
    chance = Chance(draw)
    packs, place, more_zones = chance.pick(_PLACES)
    at = moment(chance, place.zone)
    facts: dict[str, Any] = {"preferred_window": ("09:00", "13:30")} if chance.once_in(6) else {}
    law = LawTerms(
        packs=packs, zones=(place.zone, *more_zones) if chance.once_in(3) else (place.zone,),
        party=chance.pick(("first", "third")), debtor=chance.pick((DebtorKind.CONSUMER, DebtorKind.BUSINESS)), facts=facts,
        settings={"CO": {"business_debts": "free"}} if chance.once_in(4) else {},
    )  # fmt: skip
    return HouseExample(
        at=at, channel=chance.pick((Channel.SMS, Channel.EMAIL, Channel.VOICE, Channel.WHATSAPP)), place=place, law=law,
        entries=tuple(_entry(chance, at, place.zone) for _ in range(chance.pick((0, 1, 3, 5, 10)))), firm=chance.once_in(3),
        limits=_limits(chance),
    )  # fmt: skip


def question_of(example: HouseExample, entries: Sequence[BudgetEntry]) -> Question:
    """The wish in the words of the packs: what surely failed is no contact, an automatic call is a call."""
    contacts = [
        LawContact(
            at=entry.at, channel="call" if entry.channel == "voice" else entry.channel,
            connected=entry.outcome in ("delivered", "conversation"),
            outcome="not_connected_to_number" if entry.outcome == "not_connected" else entry.outcome,
            debts=(entry.invoice_id, *entry.also), account="other" if entry.elsewhere else "ours", person=entry.person_id,
            creditor="other" if entry.elsewhere == "creditor" else "ours", inbound=entry.inbound,
        )
        for entry in entries
        if entry.state is not AttemptState.FAILED
    ]  # fmt: skip
    channel = "call" if example.channel is Channel.VOICE else str(example.channel)
    return Question(
        packs=example.law.packs, at=example.at, zones=example.law.zones, channel=channel, party=example.law.party,
        debtor=str(example.law.debtor), contacts=contacts, facts={**example.law.facts, "creditor_id": "ours"}, person=PERSON,
        account="ours", debt="inv-1",
    )  # fmt: skip
