"""Random questions to random law packs: zones with odd clocks, moments near their changes, histories with reserved slots.

Everything is chosen by number through `Chance`, which draws from Hypothesis: plain draws are quick, and a failure shrinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from policies.law.count import LawContact
from policies.law.engine import Question
from policies.law.model import Pack

ZONES = (
    "America/New_York America/Los_Angeles America/Santiago America/Punta_Arenas Pacific/Easter Australia/Sydney "
    "Australia/Lord_Howe Europe/London Pacific/Apia America/Vancouver America/Edmonton America/Bogota Asia/Kolkata Africa/Cairo "
    "Asia/Beirut America/Havana Africa/Casablanca America/Nuuk America/Asuncion Pacific/Chatham Asia/Kathmandu America/St_Johns "
    "Pacific/Kiritimati"
).split()  # fmt: skip
HORIZON_DAYS = 20
"""A moment that lies further ahead is taken as none."""
CHANNELS = ("call", "sms", "email", "visit")
OUTCOMES = ("", "conversation", "delivered", "voicemail", "no_answer", "not_connected_to_number", "no_message_possible")
_REACHED = ("", "conversation", "delivered")
_FIRST, _LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
_DAY = 24 * 60
_SAID = {
    "basis": "law", "citation": "a test", "source": "a test", "confidence": "high", "text": "A rule that was made up for a test.",
}  # fmt: skip
T = TypeVar("T")


class Chance:
    """Choices of one example."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        """Any number from `low` to `high`."""
        return self._draw(st.integers(low, high))

    def pick(self, choices: Sequence[T]) -> T:
        """Any one of them."""
        return choices[self.number(0, len(choices) - 1)]

    def once_in(self, times: int) -> bool:
        """True about once in so many times."""
        return self.number(1, times) == times

    def some(self, choices: Sequence[T], most: int) -> list[T]:
        """One to `most` of them."""
        return list({id(each): each for each in (self.pick(choices) for _ in range(self.number(1, most)))}.values())


@dataclass(frozen=True)
class Example:
    """Packs, the creditor's choices and one question."""

    packs: tuple[Pack, ...]
    settings: Mapping[str, Mapping[str, str]]
    question: Question


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The instants, to the minute, at which the clocks of a zone change between 2026 and 2028."""
    tz, found, at = ZoneInfo(zone), [], _FIRST
    while at < _LAST:
        before = at.astimezone(tz).utcoffset()
        if before != (at + timedelta(days=1)).astimezone(tz).utcoffset():
            low, high = 0, _DAY
            while high - low > 1:
                middle = (low + high) // 2
                same = (at + timedelta(minutes=middle)).astimezone(tz).utcoffset() == before
                low, high = (middle, high) if same else (low, middle)
            found.append(at + timedelta(minutes=high))
        at += timedelta(days=1)
    return tuple(found)


def moment(chance: Chance, zone: str) -> datetime:
    """An instant: near a change of the clocks, at a turn of a month, around the leap day, or any."""
    kind = chance.pick(("change", "change", "month", "leap", "any"))
    if kind == "change" and changes(zone):
        at = chance.pick(changes(zone)) + timedelta(minutes=chance.number(-3 * _DAY, _DAY))
    elif kind == "leap":
        at = datetime(2028, 2, 29, tzinfo=UTC) + timedelta(minutes=chance.number(-2 * _DAY, 2 * _DAY))
    elif kind == "month":
        turn = datetime(2026 + chance.number(0, 1), chance.number(1, 12), 1, tzinfo=UTC)
        at = turn + timedelta(minutes=chance.number(-2 * _DAY, _DAY))
    else:
        at = _FIRST + timedelta(minutes=chance.number(0, 730 * _DAY))
    if chance.once_in(3):
        at = at.replace(minute=chance.pick((0, 30)))
    if chance.once_in(4):
        at += timedelta(seconds=chance.number(1, 59), microseconds=chance.pick((0, 1, 999_999)))
    return at


def clock(minutes: int) -> str:
    """`09:30`."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def windows(chance: Chance) -> dict[str, list[str]]:
    """Windows by weekday: wide ones and narrow ones, several a day, up to midnight; some days closed."""
    week: dict[str, list[str]] = {}
    for days in chance.pick((("mon-sun",), ("mon-fri", "sat"), ("mon-fri",), ("mon", "thu-sun"), ("tue-wed", "fri", "sun"))):
        week[days] = []
        for _ in range(chance.pick((1, 1, 2, 3))):
            opens = 30 * chance.number(0, 47) if chance.number(0, 1) else chance.number(0, _DAY - 1)
            week[days].append(f"{clock(opens)}-{clock(min(_DAY, opens + chance.pick((1, 30, 60, 180, 600, _DAY))))}")
    return week


_CONDITIONS: tuple[dict[str, Any], ...] = (
    {"prior_consent": True}, {"information_requested": True}, {"loan_type": ["microcredit", "farm_credit"]},
    {"recipient": ["debtor", "guarantor"]}, {"place": ["", "home"], "visit_authorised": False}, {"recipient": "employer"},
    {"opted_out_channels": ["sms", "call"]}, {"number_type": ["mobile", "home"]},
)  # fmt: skip
_BINDS: tuple[dict[str, Any], ...] = (
    {"party": ["third"]}, {"debtor": ["consumer"]}, {"creditor_types": ["bank"]}, {"debt_types": ["trade", "utility"]},
    {"loan_types": ["microcredit"]}, {"days_past_due_over": 30}, {"party": ["first"], "debtor": ["business"]},
)  # fmt: skip


def _common(chance: Chance, near: date) -> dict[str, Any]:
    """What every kind of rule may say: dates, whom it binds, channels, facts, a setting."""
    found: dict[str, Any] = {}
    if chance.once_in(4):
        found["from"] = near + timedelta(days=chance.number(-5, 6))
    if chance.once_in(4):
        found["until"] = max(found.get("from", near - timedelta(days=9)), near + timedelta(days=chance.number(-2, 8)))
    if chance.once_in(8):
        found["binds"] = chance.pick(_BINDS)
    if chance.once_in(4):
        found["channels"] = chance.some(CHANNELS, 4)
    if chance.once_in(10):
        found["when"] = chance.pick(_CONDITIONS)
    if chance.once_in(5):
        found["unless"] = chance.some(_CONDITIONS, 2)
    if chance.once_in(6):
        found |= {"setting": "reading", "value": chance.pick(("strict", "mild"))}
    return found


_SPACINGS: tuple[dict[str, Any], ...] = ({"days": 1}, {"days": 2}, {"days": 7}, {"hours": 1}, {"hours": 24}, {"hours": 48})


def _counting(chance: Chance) -> dict[str, Any]:
    """A cap, a spacing or a lock between channels."""
    kind = chance.pick(("cap", "cap", "spacing", "cross_channel"))
    if kind == "cross_channel":
        return {"kind": kind, "period": chance.pick(("day", "week", "calendar_week", "seven_days"))}
    found: dict[str, Any] = {"kind": kind, "per": chance.pick(("debt", "account", "person", "person_debt", "creditor"))}
    found["of"] = chance.some(CHANNELS, 2) if chance.once_in(3) else []
    found["consent_days"] = chance.pick((None, None, 1, 3, 7))
    if kind == "spacing":
        return found | {"after": chance.pick(("attempt", "contact", "conversation"))} | chance.pick(_SPACINGS)
    period = chance.pick(("days", "days", "days", "week", "calendar_week", "calendar_month", "ever"))
    found |= {"days": chance.pick((1, 2, 7, 14))} if period == "days" else {"period": period}
    found["max"] = 0 if chance.once_in(12) else chance.number(1, 3)
    found["counts"] = chance.pick(("attempts", "contacts"))
    if chance.once_in(4):
        found["also"] = ["voicemail"]
    if chance.once_in(4):
        found["free"] = ["no_message_possible", "not_connected_to_number"]
    found["same_channel"] = chance.once_in(5)
    found["after_conversation"] = chance.once_in(6)
    return found


_PLAIN: tuple[dict[str, Any], ...] = (
    {"kind": "bar", "when": {"disputed": True}}, {"kind": "bar", "when": {"channel_authorised": False}}, {"kind": "opt_out"},
    {"kind": "addressee", "allowed": ["debtor", "guarantor"]}, {"kind": "wishes"}, {"kind": "wishes"},
    {"kind": "addressee", "allowed": ["debtor"], "only_if_debt_mentioned": True},
    {"kind": "content", "never": ["asks_why", "threatens"]}, {"kind": "must_say", "items": ["creditor", "amount"]},
    {"kind": "must_say", "items": ["opt_out"]}, {"kind": "notice_wait", "days": 5}, {"kind": "notice_wait", "days": 0},
    {"kind": "notice_wait", "notice": "action_notice_sent", "days": 3, "when": {"action": "credit_record"}},
    {"kind": "moratorium", "start": "breathing_space_start", "days": 6},
    {"kind": "moratorium", "start": "workplace_stop_at", "days": 1},
    {"kind": "moratorium", "start": "breathing_space_start", "days": 3, "end": "breathing_space_end"},
    {"kind": "interest", "use": "contract_only"},
)  # fmt: skip
_CALENDARS: tuple[dict[str, Any], ...] = (
    {}, {"country": "CO"}, {"country": "US", "region": "MA"},
    {"country": "AU", "region": "NSW", "drop": [{"day": "12-26", "name": "x"}]},
    {"country": "CL", "extra": [{"day": day, "name": "x"} for day in ("sunday", "mon>=05-18", "sat>=12-30", "tue>=02-29")]},
    {"country": "GB", "extra": [{"day": "easter+1", "name": "x"}, {"day": "easter-47", "name": "x", "from": "2027-01-01"}]},
    {"country": "US", "drop": [{"day": "mon>=05-25", "name": "x", "until": "2027-12-31"}, {"day": "07-04", "name": "x"}]},
    {"extra": [{"day": "02-29", "name": "x"}, {"day": "2026-11-01", "name": "x"}, {"day": "03-08", "name": "x"}]},
)  # fmt: skip


def packs(chance: Chance, near: date) -> tuple[Pack, ...]:
    """One or two layers of one to six rules."""
    found: list[Pack] = []
    for code in ("XA", "XA-R")[: chance.number(1, 2)]:
        rules: list[dict[str, Any]] = []
        if chance.number(0, 2):
            agreed = {"hours_waiver_separate_document": True} if chance.once_in(4) else None
            hours = {"kind": "hours", "windows": windows(chance), "holidays": chance.pick(("open", "closed")), "agreed": agreed}
            rules.append(hours | _common(chance, near))
        rules.extend(_counting(chance) | _common(chance, near) for _ in range(chance.number(1, 2)))
        rules.extend(_common(chance, near) | chance.pick(_PLAIN) for _ in range(chance.pick((0, 1, 1, 2))))
        found.append(
            Pack.model_validate(
                {"jurisdiction": code, "name": "x", "reviewed_on": near, "summary": "x", "calendar": chance.pick(_CALENDARS)}
                | {"within": [pack.jurisdiction for pack in found], "assumes": {"creditor_type": "bank"}}
                | {"settings": {"reading": {"safe": "strict", "choices": {"strict": "x", "mild": "x"}}}}
                | {"rules": [_SAID | rule | {"id": f"{code}.r{number}"} for number, rule in enumerate(rules)]}
            )
        )
    return tuple(found)


def contacts(chance: Chance, at: datetime) -> tuple[LawContact, ...]:
    """None to six contacts of the last two weeks, and slots reserved for the week to come."""
    found = []
    for _ in range(chance.pick((0, 1, 2, 3, 3, 4, 6))):
        when = at.replace(second=0, microsecond=0) + timedelta(minutes=chance.number(-12 * _DAY, 6 * _DAY))
        if chance.once_in(5):
            when += timedelta(seconds=chance.number(1, 59))
        outcome = chance.pick(OUTCOMES)
        debts: Sequence[tuple[str, ...]] = ((), ("d1",), ("d2",), ("d1", "d2"))
        found.append(
            LawContact(
                at=when, channel=chance.pick(CHANNELS), connected=outcome in _REACHED and not chance.once_in(6),
                outcome=outcome, debts=chance.pick(debts), account=chance.pick(("a1", "a2", "")),
                person=chance.pick(("ana", "ana", "ben", "")), creditor=chance.pick(("c1", "c2", "")),
                inbound=chance.once_in(6), consented=chance.once_in(8), place=chance.pick(("", "", "mobile", "work")),
            )
        )  # fmt: skip
    return tuple(found)


_HOURS = (["12:00", "18:00"], ["00:00", "09:30"], ["19:00", "24:00"], ["22:00", "02:00"])
_BAD = {"days": ["Mon", "tue", "Sunday"], "from": "15:00", "to": "17:00"}
_INCONVENIENT = (
    [_BAD], [_BAD, {"days": ["sat"], "from": "00:00", "to": "24:00"}], [{"from": "21:00", "to": "09:00"}],
    [{"days": ["fri", "mon"], "from": "23:30", "to": "10:15"}],
)  # fmt: skip
_FLAGS = (
    "prior_consent information_requested disputed channel_authorised message_mentions_debt notice_never_sent visit_authorised "
    "action_notice_missing hours_waiver_separate_document"
).split()  # fmt: skip
_WORDS: dict[str, Sequence[Any]] = {
    "recipient": ("employer", "guarantor"), "creditor_type": ("bank", "retailer"), "loan_type": ("microcredit",),
    "debt_type": ("trade",), "days_past_due": (30, 31), "opted_out_channels": (["sms"], ["all"], ["call", "email"]),
    "message_does": (["asks_why"], ["mentions_court"]), "message_says": (["opt_out"], ["creditor", "amount"]),
    "message_lacks": (["opt_out"],), "preferred_window": _HOURS, "agreed_hours": _HOURS, "inconvenient": _INCONVENIENT,
    "place": ("home",), "number_type": ("work",), "creditor_id": ("c1",), "action": ("credit_record",),
}  # fmt: skip
_DAYS = (
    "notice_sent",
    "action_notice_sent",
    "breathing_space_start",
    "breathing_space_end",
    "workplace_stop_at",
    "prior_consent_at",
)
_NAMES = (*_FLAGS, *_WORDS, *_DAYS, "prior_consent_at", "preferred_window", "inconvenient")


def facts(chance: Chance, near: date, at: datetime) -> dict[str, Any]:
    """Facts, few of them stated; a day is a date or an instant, a notice may be stated as never sent."""
    found: dict[str, Any] = {}
    for _ in range(chance.number(0, 7)):
        name = chance.pick(_NAMES)
        if name in _FLAGS:
            found[name] = bool(chance.number(0, 1))
        elif name in _WORDS:
            found[name] = chance.pick(_WORDS[name])
        elif name.endswith("notice_sent") and chance.once_in(4):
            found[name] = None
        elif chance.number(0, 1):
            found[name] = (near + timedelta(days=chance.number(-9, 4))).isoformat()
        else:
            found[name] = (at + timedelta(minutes=chance.number(-9 * _DAY, _DAY))).isoformat()
    return found


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Packs and one question to them."""
    chance = Chance(draw)
    zones = tuple(chance.some(ZONES, 3) if chance.once_in(3) else [chance.pick(ZONES)])
    at = moment(chance, zones[0])
    near = at.astimezone(ZoneInfo(zones[0])).date()
    given = packs(chance, near)
    question = Question(
        packs=(given[-1].jurisdiction,), at=at, zones=zones, channel=chance.pick(CHANNELS), party=chance.pick(("first", "third")),
        debtor=chance.pick(("consumer", "consumer", "business")), contacts=contacts(chance, at), facts=facts(chance, near, at),
        person="ana", account=chance.pick(("a1", "")), debt=chance.pick(("d1", "")),
    )  # fmt: skip
    settings = {given[0].jurisdiction: {"reading": "mild"}} if chance.once_in(4) else {}
    return Example(given, settings, question)
