"""What the console shows of law and limits on an invoice: which channels are open now, who says so, and the limitation date."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from ledger.facts import gather
from policies.law.base import Rule
from policies.law.late_debts import money_rules
from policies.law.limitation import LimitationDate, limitation_of
from policies.law.packs import HOUSE, rule_index, shipped_packs
from policies.reachable import contactability
from policies.terms import Channel


class WayShown(NamedTuple):
    """A channel: open now, or from when on, and the rules that speak against it now."""

    channel: Channel
    allowed: bool
    at: datetime | None
    why: str
    law: list[Rule]


class LawShown(NamedTuple):
    """`places` are the packs that speak, by name; `last_day` is None where no pack knows until when the debt can be sued for."""

    places: list[str]
    zones: tuple[str, ...]
    ways: list[WayShown]
    last_day: date | None
    limitation_why: str
    lapsed: bool


def law_of(session: Session, invoice_id: UUID, now: datetime, today: date) -> LawShown:
    """Asked as the next step would ask; nothing is recorded."""
    facts, manual = gather(session, invoice_id, now)
    rules = rule_index()
    ways = []
    for channel in dict.fromkeys(reach.channel for reach in facts.reach):
        best = contactability(facts, manual, channel, now)[0]
        ways.append(WayShown(channel, best.allowed, best.at, best.why, [rules[rule] for rule in best.rules if rule in rules]))
    if facts.law is None:
        return LawShown([], (facts.zone,), ways, None, "no law pack speaks for this account", False)
    names = {pack.jurisdiction: pack.name for pack in shipped_packs()}
    limitation = limitation_of(money_rules(facts.law), facts)
    known = limitation if isinstance(limitation, LimitationDate) else None
    return LawShown(
        [names[code] for code in facts.law.packs if code != HOUSE], facts.law.zones, ways, known.last_day if known else None,
        limitation.why, known is not None and today > known.last_day,
    )  # fmt: skip
