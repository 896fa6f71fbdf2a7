"""What a rung does where the people behind the account ask for more than a message: minors, the creditor's own house, and
telephones whose holder nobody knows yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from policies.case import Case, addressed, choose
from policies.facts import InvoiceFacts, Reach
from policies.holder import HOLDER_CHECK, check_key, checks_of, may_ask_from, unconfirmed
from policies.ladder import Candidate, local_moment
from policies.law.packs import limits_of_law
from policies.manual import Manual
from policies.recipients import is_courtesy
from policies.remembered import OncePerFacts
from policies.steps import Ask, Contact, Step, Wait

DUE_DAYS = 2
"""How long a person has for what a rung asks of them."""


def _find_ways(facts: InvoiceFacts, manual: Manual) -> tuple[list[list[Reach]], ...]:
    """For each rung whom it is for; most rungs name the same people."""
    found: dict[tuple[tuple[str, ...], bool], list[list[Reach]]] = {}
    for rung in manual.ladder:
        named = rung.roles, is_courtesy(rung)
        if named not in found:
            found[named] = addressed(facts, rung.roles, courtesy=named[1])
    return tuple(found[rung.roles, is_courtesy(rung)] for rung in manual.ladder)


PEOPLE_HANG_ON = ("reach", "minor")
"""The facts that tell whom a rung is for; a test reads no other."""
_ways = OncePerFacts(_find_ways, PEOPLE_HANG_ON, size=4096)


def ways_of(case: Case, candidate: Candidate) -> list[list[Reach]]:
    """Whom this rung is for, best first (F85)."""
    return _ways(case.facts, case.manual)[candidate.position]


def by_hand(case: Case, candidate: Candidate) -> Step | None:
    """A rung that a person takes: a minor without a guardian, or anything firm to one of the creditor's own house."""
    facts, rung = case.facts, candidate.rung
    if rung.action != "contact":
        return None
    if facts.minor and not any(ways_of(case, candidate)):
        task, rule, why = "find_guardian", "minor.no_guardian", "a minor is written to through the guardian, and none is known"
        key = f"{facts.account_id}:guardian"
    elif facts.related and not is_courtesy(rung):
        whose = facts.related.replace("_", " ")
        task, rule, why = "speak_with_related", f"related.{facts.related}", f"a person speaks with this {whose}"
        key = f"{facts.invoice_id}:{candidate.key}"
    else:
        return None
    why, rules = f"{rung.rung}: {why}.", (f"ladder.{rung.rung}", rule)
    if case.now < candidate.at:
        return Wait(at=candidate.at, why=why, rules=rules, until="rung")
    due = case.now + timedelta(days=DUE_DAYS)
    return Ask(at=case.now, why=why, rules=rules, task=task, key=key, due_at=due, rung_key=str(candidate.key))


def ask_holder(
    case: Case, candidate: Candidate, ways: Sequence[Sequence[Reach]], asked: datetime, ends: datetime, amount_minor: int
) -> Step | None:
    """Where a rung has only telephones that nobody confirmed: the question, then the wait for its answer, then a person.

    None where it has no such telephone, or none that may be written to before the rung gives way.
    """
    facts, rung, now = case.facts, candidate.rung, case.now
    phones = unconfirmed([r for tier in ways for r in tier], rung.channels, asked)
    for reach in phones:
        question = _question(case, candidate, reach, asked, ends, amount_minor)
        if question is not None:
            return question
    if now < candidate.at or not any(checks_of(facts, reach) for reach in phones):
        return None
    expires = local_moment(candidate.day + timedelta(days=rung.expires_days), case.manual.send_at, facts.zone)
    gives_way = min(expires, ends)
    rules = (f"ladder.{rung.rung}", "holder.unconfirmed")
    if now < gives_way and any(may_ask_from(facts, reach) for reach in phones):
        why = f"{rung.rung} waits until the holder of the telephone has confirmed it; there is no other way to send it."
        return Wait(at=gives_way, why=why, rules=rules, until="holder")
    why = f"{rung.rung}: nobody confirmed the telephone, and there is no other way to write: find one."
    due = now + timedelta(days=DUE_DAYS)
    key = f"{facts.account_id}:{max(len(checks_of(facts, reach)) for reach in phones)}"
    return Ask(at=now, why=why, rules=rules, task="confirm_holder", key=key, due_at=due, rung_key=str(candidate.key))


def _question(
    case: Case, candidate: Candidate, reach: Reach, asked: datetime, ends: datetime, amount_minor: int
) -> Contact | None:
    facts, rung, now = case.facts, candidate.rung, case.now
    start = may_ask_from(facts, reach)
    if start is None or max(asked, start) >= ends:
        return None
    start, key = max(asked, start), check_key(facts, reach)
    chosen = choose(case, key, (reach.channel,), start, ends, False, amount_minor, rung.minimum, HOLDER_CHECK, ways=[[reach]])
    if chosen is None:
        return None
    reach, slot = chosen
    at = slot.at or start
    moved = any(rule.startswith("budget.") or rule in limits_of_law() for rule in slot.rules)
    return Contact(
        at=at,
        why=f"{rung.rung} has only a telephone that nobody confirmed: first the question whether it is theirs.",
        rules=(f"ladder.{rung.rung}", "holder.unconfirmed", *slot.rules),
        key=str(key),
        rung=key.rung,
        channel=reach.channel,
        person_id=reach.person_id,
        address_id=reach.address_id,
        template=HOLDER_CHECK,
        instalment=0,
        amount_minor=0,
        rung_at=start if slot.rules or at <= start else at,
        window_ends=slot.window_ends,
        reserve=at > now >= candidate.at and moved,
    )
