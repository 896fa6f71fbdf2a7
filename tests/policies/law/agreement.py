"""Whether the engine and the checker say the same of an example: the verdict, the rules that refuse, and the next moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from policies.contactable import first_allowed
from policies.law.engine import Hearing, Law
from policies.law.packs import shipped_packs
from tests.policies.law.brute import MINUTE, Checker
from tests.policies.law.brute_house import BothChecker, HouseChecker
from tests.policies.law.examples import HORIZON_DAYS, Example
from tests.policies.law.house_examples import PERSON, HouseExample, question_of

_HORIZON = timedelta(days=HORIZON_DAYS)
_LOOK_AHEAD = timedelta(hours=30)


class Agreed(NamedTuple):
    """What both said of one example."""

    said: Literal["allow", "deny, with next", "never"]
    rules: int
    """How many rules refused."""
    crossed: bool
    """A clock changed in one of the zones between the asked moment and the next one."""


def _agreed(at: datetime, zones: tuple[str, ...], rules: frozenset[str], first: datetime | None) -> Agreed:
    ends = first if first is not None else at + _HORIZON
    crossed = any(at.astimezone(tz).utcoffset() != ends.astimezone(tz).utcoffset() for tz in map(ZoneInfo, zones))
    return Agreed("allow" if not rules else "deny, with next" if first is not None else "never", len(rules), crossed)


def agree(example: Example) -> Agreed:
    """The common answer; raises AssertionError where the two differ."""
    question = example.question
    until = question.at + _HORIZON
    heard = Hearing(Law(example.packs, example.settings), question)
    checker = Checker(example.packs, question, example.settings)
    rules = checker.refused(question.at)
    assert frozenset(refusal.rule for refusal in heard.refusals(question.at)) == rules, "engine == checker: rules that refuse"
    first = checker.first(question.at, until)
    assert heard.first(question.at, until=until) == first, "engine == checker: first moment"
    if first is not None:
        ends = heard.closes(first, first + _LOOK_AHEAD)
        assert first < ends, "an allowed moment lasts"
        _all_allowed(checker, first, ends)
    return _agreed(question.at, question.zones, rules, first)


def _all_allowed(checker: Checker | BothChecker, at: datetime, ends: datetime) -> None:
    """Every 13th minute of a stretch that is said to stay open, and its last microsecond."""
    minute = at.replace(second=0, microsecond=0) + MINUTE
    while minute < ends:
        assert checker.allows_minute(minute)[0], f"said to be open until {ends}, refused at {minute}"
        minute += 13 * MINUTE
    last = ends - timedelta(microseconds=1)
    assert not checker.refused(last), f"said to be open until {ends}, refused at {last}"


def agree_on_both(example: HouseExample) -> Agreed:
    """The same for the whole question: the house's limits and a shipped law pack together."""
    until = example.at + _HORIZON
    verdict = first_allowed(
        example.at, channel=example.channel, person_id=PERSON, budget=example.entries, own=("inv-1", "own"), firm=example.firm,
        place=example.place, limits=example.limits, law=example.law, until=until,
    )  # fmt: skip
    others = [entry for entry in example.entries if (entry.invoice_id, entry.key) != ("inv-1", "own")]
    house = HouseChecker(
        example.limits, example.place, others, channel=example.channel, person=PERSON, firm=example.firm
    )  # fmt: skip
    checker = BothChecker(house, Checker(shipped_packs(), question_of(example, others), example.law.settings))
    rules = checker.refused(example.at)
    assert frozenset(verdict.rules) == rules, "engine == checker: rules that refuse"
    assert verdict.allowed == (not rules)
    first = checker.first(example.at, until)
    assert verdict.at == first, "engine == checker: first moment"
    if first is not None:
        assert first < verdict.window_ends, "an allowed moment lasts"
        _all_allowed(checker, first, verdict.window_ends)
    return _agreed(example.at, example.law.zones, rules, first)
