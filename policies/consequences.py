"""A text may only announce what the manual will really do: after its notice, after the wait, undone on payment.

The manual lists its consequences; each message of the product that announces something is listed here. The check runs when a
manual is written. The wait that a law demands comes from the packs and is asked for when the debtor's place is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from policies.law.base import Rule
from policies.law.charges import in_force
from policies.law.model import NoticeWait
from policies.manual_model import Consequence, ConsequenceKind, Manual, Rung, RungDay, parse_day

Finding = tuple[tuple[str | int, ...], str]
ANNOUNCES: dict[str, tuple[ConsequenceKind, ...]] = {
    "suspension_notice": ("suspension",),
    "record_notice": ("credit_record",),
    "interest_notice": ("interest", "order_hold"),
    "final_balance": ("contract_end",),
    "final_demand": ("decision",),
    "formal_demand": ("decision",),
}
"""What a message says will happen if nothing is paid or agreed."""
CARRIED_OUT: frozenset[ConsequenceKind] = frozenset(("credit_record", "protest"))
"""What may not be done once the debt can no longer be sued for; whether it is kept or placed is still for a person to decide."""
SUED_OR_RECORDED: frozenset[ConsequenceKind] = CARRIED_OUT | {"decision"}
"""What may then not be announced either."""
STATES: dict[str, ConsequenceKind] = {"suspended": "suspension", "come_back": "suspension"}
"""What a message says has happened; it goes out with the act or after it."""
LATE_CHARGES = "late_charges"


def findings_of(manual: Manual) -> Iterator[Finding]:
    """What is announced and not done, and what is done without its notice or its wait."""
    for index, rung in enumerate(manual.ladder):
        if rung.action == "contact":
            yield from _announced(manual, index, rung)
    for index, consequence in enumerate(manual.consequences):
        yield from _carried_out(manual, index, consequence)


def _announced(manual: Manual, index: int, rung: Rung) -> Iterator[Finding]:
    for kind in ANNOUNCES.get(rung.template, ()):
        if not any(c.kind == kind and c.notice == rung.template for c in manual.consequences):
            yield (
                ("ladder", index, "template"),
                f"rung {rung.rung} announces {_said(kind)} by {rung.template}, and the manual does none: add it to consequences"
                " with the rung that does it, or use another message",
            )
    stated = STATES.get(rung.template)
    if stated is not None and not any(c.kind == stated for c in manual.consequences):
        message = f"rung {rung.rung} says by {rung.template} that there is {_said(stated)}, and the manual does none"
        yield ("ladder", index, "template"), f"{message}: add it to consequences, or use another message"


def _carried_out(manual: Manual, index: int, consequence: Consequence) -> Iterator[Finding]:
    place = ("consequences", index)
    notices = [rung for rung in manual.ladder if rung.action == "contact" and rung.template == consequence.notice]
    if not notices:
        yield (*place, "notice"), f"no rung sends {consequence.notice}: what is done must be announced; add a rung that sends it"
    if consequence.done_by == LATE_CHARGES:
        if consequence.kind != "interest":
            yield (*place, "done_by"), f"late_charges does interest, not {_said(consequence.kind)}; name the rung that does it"
        elif manual.late_charges is None or manual.late_charges.interest == "none":
            yield (*place, "done_by"), "late_charges posts no interest; set late_charges.interest, or name the rung that does it"
        return
    if consequence.kind == "interest":
        yield (*place, "done_by"), "interest is posted by late_charges; write done_by: late_charges"
        return
    acts = [rung for rung in manual.ladder if rung.rung == consequence.done_by]
    if not acts:
        yield (*place, "done_by"), f"there is no rung {consequence.done_by}; name the rung that does it"
        return
    for notice in notices:
        yield from _between(place, consequence, notice, acts[0])


def _between(place: tuple[str | int, ...], consequence: Consequence, notice: Rung, act: Rung) -> Iterator[Finding]:
    told, done = parse_day(notice.day), parse_day(act.day)
    days = least_days(told, done)
    if days is None:
        yield (*place, "done_by"), f"rung {act.rung} and {notice.rung} count from different days; count both from the due date"
    elif days < max(consequence.wait_days, 1):
        most = max(consequence.wait_days, 1)
        yield (
            (*place, "wait_days"),
            f"rung {act.rung} ({act.day}) comes {days} days after {notice.rung} ({notice.day}), and {most} must lie between them",
        )
    if act.action != "decision" and consequence.kind != "decision" and act.requires != notice.rung:
        yield (
            (*place, "done_by"),
            f"rung {act.rung} does what {notice.rung} announces: add requires: {notice.rung}; what was not announced is not done",
        )


def least_days(told: RungDay, done: RungDay) -> int | None:
    """The least calendar days between two rungs of one ladder; None when they count from different days."""
    if told.anchor != done.anchor:
        return None
    if not told.working and not done.working:
        return done.days - told.days
    # n working days are at least n calendar days; up to n + 2 per begun week + 3 holidays
    latest_told = told.days if not told.working else told.days + 2 * ((abs(told.days) + 4) // 5) + 3
    return done.days - latest_told


def legal_wait_days(rules: Iterable[Rule], kind: str, *, on: date, party: str, debtor: str) -> int:
    """Calendar days that the packs of a debtor's place demand between a consequence's notice and the act; 0 where none does."""
    waits = [
        rule.days
        for rule in rules
        if isinstance(rule, NoticeWait)
        and rule.notice == "action_notice_sent"
        and kind in _named(rule.when.get("action"))
        and in_force(rule, on)
        and party in rule.binds.party
        and debtor in rule.binds.debtor
    ]
    return max(waits, default=0)


def may_act_from(
    consequence: Consequence, notice_on: date | None, rules: Iterable[Rule], *, on: date, party: str, debtor: str
) -> date | None:
    """The first day on which a consequence may be carried out, by the manual's wait and the law's; None: not announced yet.

    `notice_on` is the local day on which its notice reached the person; the act may follow from that day plus the wait on.
    """
    if notice_on is None:
        return None
    legal = legal_wait_days(rules, consequence.kind, on=on, party=party, debtor=debtor)
    return notice_on + timedelta(days=max(consequence.wait_days, legal))


def _named(given: object) -> tuple[object, ...]:
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


_SAID: dict[ConsequenceKind, str] = {
    "suspension": "a suspension", "order_hold": "a hold on new orders", "contract_end": "the end of the contract",
    "interest": "interest", "credit_record": "an entry in a credit record", "protest": "a protest", "decision": "a decision",
}  # fmt: skip


def _said(kind: ConsequenceKind) -> str:
    return _SAID[kind]
