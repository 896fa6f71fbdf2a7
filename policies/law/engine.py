"""May this contact be made now by the law of the debtor's place, and if not, from which minute on.

Every rule in force of every layer must agree, in every zone the debtor may be in. Each rule answers one question: from this
instant on, when do you first allow it? Asking them in turn until all agree on one instant gives the first that suits all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from policies.hours import changes_offset, local_date_of, local_spans, zone_of
from policies.law.base import Rule
from policies.law.count import CountedDays, History, LawContact
from policies.law.days import Holidays, day_start
from policies.law.model import (
    Addressee,
    Bar,
    Cap,
    Channels,
    Content,
    CrossChannel,
    Hours,
    Moratorium,
    MustSay,
    NoticeWait,
    Pack,
    Spacing,
    Wishes,
)
from policies.law.vocabulary import plain
from policies.manual_model import WEEKDAYS, parse_window

HORIZON_DAYS = 400
"""How far ahead a moment is looked for."""
_ONE_DAY = timedelta(days=1)
_WEEK_DAYS = 7


@dataclass(frozen=True)
class Question:
    """One wish to contact. `facts` are under the names of the vocabulary; `contacts` are earlier or reserved ones."""

    packs: tuple[str, ...]
    at: datetime
    zones: tuple[str, ...]
    channel: str
    party: str
    debtor: str
    contacts: Sequence[LawContact] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    person: str = ""
    account: str = ""
    debt: str = ""


class Refusal(NamedTuple):
    """A rule that speaks against the asked instant."""

    rule: str
    why: str
    basis: str


class LawVerdict(NamedTuple):
    """Allowed or not, the first allowed minute from the asked one on (None: waiting does not help), and by which rules."""

    allowed: bool
    at: datetime | None
    refusals: tuple[Refusal, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that refuse the asked instant."""
        return tuple(dict.fromkeys(refusal.rule for refusal in self.refusals))


Opens = Callable[[datetime], "datetime | None"]
"""The first instant from the given one on that a rule allows; None when it never does."""


class Asked(NamedTuple):
    """A rule in force for one question, in one of the zones."""

    rule: Rule
    opens: Opens


def always(at: datetime) -> datetime:
    """The answer of a rule that allows everything."""
    return at


def never(at: datetime) -> datetime | None:
    """The answer of a rule that allows nothing."""
    return None


class Law:
    """The loaded packs with the settings in force, ready to be asked."""

    def __init__(self, packs: Iterable[Pack], settings: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._packs = {pack.jurisdiction: pack for pack in packs}
        self._settings = settings or {}
        self._holidays = {code: Holidays(pack) for code, pack in self._packs.items()}

    def pack(self, code: str) -> Pack:
        """The pack of a jurisdiction; raises KeyError with the codes there are."""
        try:
            return self._packs[code]
        except KeyError:
            known = " ".join(sorted(self._packs))
            raise KeyError(f"there is no law pack {code!r}: there are {known}") from None

    def layers(self, codes: Iterable[str]) -> tuple[Pack, ...]:
        """The packs of these jurisdictions and of the places they lie in, the largest first, each once."""
        found: dict[str, Pack] = {}
        for code in codes:
            for outer in self.pack(code).within:
                for pack in self.layers((outer,)):
                    found.setdefault(pack.jurisdiction, pack)
            found.setdefault(code, self.pack(code))
        return tuple(found.values())

    def verdict(self, question: Question) -> LawVerdict:
        """The answer for one question; raises KeyError for an unknown pack, ValueError for an unknown zone or naive instant."""
        return Hearing(self, question).verdict(question.at)

    def chosen(self, pack: Pack, setting: str) -> str:
        """The value of a pack's setting: the creditor's choice, else the safe one."""
        return self._settings.get(pack.jurisdiction, {}).get(setting, pack.settings[setting].safe)

    def holidays(self, pack: Pack) -> Holidays:
        """The pack's calendar."""
        return self._holidays[pack.jurisdiction]


class Hearing:
    """All rules that speak to one question; asked about as many instants as needed."""

    def __init__(self, law: Law, question: Question) -> None:
        if question.at.tzinfo is None:
            raise ValueError("the asked instant needs its zone")
        self.asked: list[Asked] = []
        for pack in law.layers(question.packs):
            facts = {**pack.assumes, **question.facts} if pack.jurisdiction in question.packs else question.facts
            for rule in pack.rules:
                if rule.channels and question.channel not in rule.channels:
                    continue
                if rule.setting and law.chosen(pack, rule.setting) != rule.value:
                    continue
                if rule.binds_this(question.party, question.debtor, facts):
                    self.asked.extend(_per_zone(law, pack, rule, question, facts))

    def refusals(self, at: datetime) -> tuple[Refusal, ...]:
        """Every rule against this instant."""
        found = [Refusal(each.rule.id, each.rule.text, each.rule.basis) for each in self.asked if each.opens(at) != at]
        return tuple(dict.fromkeys(found))

    def verdict(self, at: datetime) -> LawVerdict:
        """Allowed at this instant, or from which minute on."""
        at = at.astimezone(UTC)
        refusals = self.refusals(at)
        return LawVerdict(not refusals, self.first(at) if refusals else at, refusals)

    def first(self, at: datetime, *, until: datetime | None = None) -> datetime | None:
        """The first whole minute at or after `at` at which every rule allows it; None when there is none in time."""
        last = at + timedelta(days=HORIZON_DAYS) if until is None else until
        while at < last:
            later: datetime | None = at
            for each in self.asked:
                later = each.opens(later)
                if later is None:
                    return None
            if later == at:
                return at
            at = _minute(later)
        return None

    def closes(self, at: datetime, end: datetime) -> datetime:
        """A moment up to which an allowed instant surely stays allowed: the next change any rule may make, at most `end`."""
        for each in self.asked:
            if isinstance(each.rule, (Hours, Wishes)):
                end = min(end, getattr(each.opens, "closes", lambda _: end)(at))
        return end


def _minute(at: datetime) -> datetime:
    """The whole minute at or after an instant."""
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + timedelta(minutes=1)


def _per_zone(law: Law, pack: Pack, rule: Rule, question: Question, facts: Mapping[str, Any]) -> list[Asked]:
    found: list[Asked] = []
    for zone in question.zones:
        zone_of(zone)
        opens = _opens(law, pack, rule, question, facts, zone)
        if opens is not always:
            found.append(Asked(rule, _in_force(rule, zone, opens)))
    return found


def _in_force(rule: Rule, zone: str, opens: Opens) -> Opens:
    """The same answer, but only on the local days on which the rule is in force."""
    if rule.from_ is None and rule.until is None:
        return opens
    return _Dated(rule, zone, opens)


class _Dated:
    def __init__(self, rule: Rule, zone: str, opens: Opens) -> None:
        self._rule, self._zone, self._opens = rule, zone, opens

    def __call__(self, at: datetime) -> datetime | None:
        day = local_date_of(at, self._zone)
        first, last = self._rule.from_, self._rule.until
        if (first is not None and day < first) or (last is not None and day > last):
            return at
        found = self._opens(at)
        if last is not None and (found is None or local_date_of(found, self._zone) > last):
            return max(at, day_start(self._zone, last + _ONE_DAY))
        return found

    def closes(self, at: datetime) -> datetime:
        """When the rule may next close."""
        day = local_date_of(at, self._zone)
        first, last = self._rule.from_, self._rule.until
        if first is not None and day < first:
            return day_start(self._zone, first)
        inner = getattr(self._opens, "closes", None)
        if inner is None or (last is not None and day > last):
            return datetime.max.replace(tzinfo=UTC)
        found: datetime = inner(at)
        return found


def _opens(law: Law, pack: Pack, rule: Rule, question: Question, facts: Mapping[str, Any], zone: str) -> Opens:
    """How this rule answers this question; `always` when it has nothing to say."""
    history = History(question, facts, zone)
    match rule:
        case Hours():
            return _HoursOpen(rule, law.holidays(pack), zone, facts)
        case Wishes():
            return _WishesOpen(facts, zone) if facts.get("preferred_window") or facts.get("inconvenient") else always
        case Cap():
            return _by_days(zone, history.cap(rule, question.channel))
        case Spacing():
            return history.spacing(rule, question.channel, zone)
        case CrossChannel():
            return _by_days(zone, history.cross_channel(rule, question.channel))
        case NoticeWait():
            return _notice(rule, facts, zone)
        case Moratorium():
            return _moratorium(rule, facts, zone)
        case _:
            return never if _barred(rule, question.channel, facts) else always


def _barred(rule: Rule, channel: str, facts: Mapping[str, Any]) -> bool:
    match rule:
        case Bar():
            return True
        case Channels():
            closed = plain("opted_out_channels", facts)
            return channel in closed or "all" in closed
        case Addressee():
            mentions = plain("message_mentions_debt", facts) or not rule.only_if_debt_mentioned
            return bool(mentions) and plain("recipient", facts) not in rule.allowed
        case Content():
            return any(word in rule.never for word in plain("message_does", facts))
        case MustSay():
            says, lacks = plain("message_says", facts), plain("message_lacks", facts)
            return any(item in lacks or (says is not None and item not in says) for item in rule.items)
    return False


def _by_days(zone: str, full: CountedDays | None) -> Opens:
    """Allowed on the local days that are not full."""
    if full is None:
        return always

    def opens(at: datetime) -> datetime | None:
        day = local_date_of(at, zone)
        if not full.refuses(day):
            return at
        for _ in range(HORIZON_DAYS):
            day += _ONE_DAY
            if not full.refuses(day):
                return max(at, day_start(zone, day))
        return None

    return opens


class _HoursOpen:
    """The windows of a rule of hours in one zone."""

    def __init__(self, rule: Hours, holidays: Holidays, zone: str, facts: Mapping[str, Any]) -> None:
        self._windows = {day: [parse_window(text) for text in rule.windows.get(day, ())] for day in WEEKDAYS}
        self._closed_on = holidays.name if rule.holidays == "closed" else None
        self._zone = zone
        agreed = facts.get("agreed_hours")
        if agreed and rule.agreed is not None and _all_hold(rule.agreed, facts):
            also = parse_window(f"{agreed[0]}-{agreed[1]}")
            self._windows = {day: [*windows, also] if windows else windows for day, windows in self._windows.items()}

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        windows = self._windows[WEEKDAYS[day.weekday()]]
        if not windows or (self._closed_on is not None and self._closed_on(day) is not None):
            return []
        return [(s.start, s.end) for opens, closes in windows for s in local_spans(self._zone, day, opens, closes)]

    def __call__(self, at: datetime) -> datetime | None:
        return first_in_spans(at, self._zone, self._spans)

    def closes(self, at: datetime) -> datetime:
        """When the window that holds `at` ends; `at` itself outside of all."""
        return _span_end(at, self._zone, self._spans)


class _WishesOpen:
    """The debtor's own hours in one zone."""

    def __init__(self, facts: Mapping[str, Any], zone: str) -> None:
        self._zone = zone
        wanted = facts.get("preferred_window")
        self._wanted = parse_window(f"{wanted[0]}-{wanted[1]}") if wanted else (0, 24 * 60)
        self._unwanted: dict[str, list[tuple[int, int]]] = {day: [] for day in WEEKDAYS}
        for block in facts.get("inconvenient") or ():
            for day in block.get("days") or WEEKDAYS:
                self._unwanted[str(day)[:3].lower()].append(parse_window(f"{block['from']}-{block['to']}"))

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        free = [self._wanted]
        for start, end in self._unwanted[WEEKDAYS[day.weekday()]]:
            free = [piece for low, high in free for piece in ((low, min(high, start)), (max(low, end), high)) if piece[0] < piece[1]]
        return [(s.start, s.end) for low, high in free for s in local_spans(self._zone, day, low, high)]

    def __call__(self, at: datetime) -> datetime | None:
        return first_in_spans(at, self._zone, self._spans)

    def closes(self, at: datetime) -> datetime:
        """When the stretch of wanted time that holds `at` ends."""
        return _span_end(at, self._zone, self._spans)


def first_in_spans(at: datetime, zone: str, spans: Callable[[date], list[tuple[datetime, datetime]]]) -> datetime | None:
    """The first instant at or after `at` inside the spans of the local days."""
    day = local_date_of(at, zone) - _ONE_DAY
    best: datetime | None = None
    for _ in range(HORIZON_DAYS + 4):
        later = [max(start, at) for start, end in spans(day) if end > at]
        if later:
            best = min(later) if best is None else min(best, *later)
        # Where the clocks change at midnight two local days may interleave: then the next day is looked at too.
        if best is not None and not changes_offset(zone, day):
            return best
        day += _ONE_DAY
    return best


def _span_end(at: datetime, zone: str, spans: Callable[[date], list[tuple[datetime, datetime]]]) -> datetime:
    today = local_date_of(at, zone)
    ends = [end for start, end in spans(today) if start <= at < end]
    return max(ends, default=at)


def _all_hold(condition: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return all(plain(name, facts) == value for name, value in condition.items())


def _notice(rule: NoticeWait, facts: Mapping[str, Any], zone: str) -> Opens:
    sent = facts.get(rule.notice)
    if rule.notice == "action_notice_sent":
        missing = not sent
    else:
        missing = bool(plain("notice_never_sent", facts))
    if missing:
        return never
    if not sent:
        return always
    return _from_day(zone, _as_date(sent) + timedelta(days=rule.days))


def _moratorium(rule: Moratorium, facts: Mapping[str, Any], zone: str) -> Opens:
    start = facts.get(rule.start)
    if not start:
        return always
    first = _as_date(start)
    if rule.end is not None:
        end = facts.get(rule.end)
        return _between(zone, first, _as_date(end) + timedelta(days=rule.days + 1) if end else None)
    return _between(zone, first, first + timedelta(days=rule.days))


def _from_day(zone: str, day: date) -> Opens:
    start = day_start(zone, day)
    return lambda at: max(at, start)


def _between(zone: str, first: date, free: date | None) -> Opens:
    """Closed from `first` until the local day `free` begins; for good when nobody knows the end."""

    def opens(at: datetime) -> datetime | None:
        day = local_date_of(at, zone)
        if day < first or (free is not None and day >= free):
            return at
        return None if free is None else max(at, day_start(zone, free))

    return opens


def _as_date(given: Any) -> date:
    return given if isinstance(given, date) and not isinstance(given, datetime) else date.fromisoformat(str(given)[:10])
