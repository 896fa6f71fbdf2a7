"""May this contact be made now by the law of the debtor's place, and if not, from which minute on.

Every rule in force of every layer must agree, in every zone the debtor may be in. Each rule answers one question: from this
instant on, when do you first allow it? Asking them in turn until all agree on one instant gives the first that suits all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from policies.hours import local_date_of, zone_of
from policies.law.base import Rule
from policies.law.charges_model import FeeRule, InterestRule, LimitationRule
from policies.law.count import History, HoursApart, LawContact
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
from policies.law.opening import HORIZON_DAYS, HoursOpen, Opens, WishesOpen, always, by_days, moratorium, never, notice
from policies.law.vocabulary import FACTS, plain

_ONE_DAY = timedelta(days=1)


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


class Asked(NamedTuple):
    """A rule in force for one question, in one of the zones."""

    rule: Rule
    opens: Opens


class _Speaker(NamedTuple):
    """A rule that may speak to a question, and what it hangs on besides whom it binds and the channel."""

    pack: Pack
    rule: Rule
    names: frozenset[str]
    """The facts that decide whether it speaks."""
    plainly: bool
    """Whether it speaks where none of them is stated."""
    silent: frozenset[str] | None
    """Facts without which it has nothing to refuse; None where there is more to it than facts."""


class LawHangsOn(NamedTuple):
    """Whether contacts are counted by debt, and facts that no rule looks at."""

    by_debt: bool
    idle: frozenset[str]


_OF_THE_DEBT = frozenset(("days_past_due", "in_debt_collection_procedures", "notice_sent", "notice_never_sent"))
"""Facts that differ from one debt to the next of a debtor; rules look at them only as what they hang on, or as notices."""


class Law:
    """The loaded packs with the settings in force, ready to be asked."""

    def __init__(self, packs: Iterable[Pack], settings: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._packs = {pack.jurisdiction: pack for pack in packs}
        self._settings = settings or {}
        self._holidays = {code: Holidays(pack) for code, pack in self._packs.items()}
        self._speakers: dict[tuple[tuple[str, ...], str, str, str], tuple[_Speaker, ...]] = {}
        self._hours: dict[tuple[int, str], HoursOpen] = {}
        self._hangs_on: dict[tuple[str, ...], LawHangsOn] = {}

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

    def speakers(self, question: Question) -> tuple[_Speaker, ...]:
        """The rules of all layers for the channel, the collector and the debtor of a question, under the settings in force."""
        key = question.packs, question.channel, question.party, question.debtor
        found = self._speakers.get(key)
        if found is None:
            found = self._speakers[key] = tuple(
                _Speaker(pack, rule, _hangs_on(rule), rule.binds_this(question.party, question.debtor, {}), _refuses_by(rule))
                for pack in self.layers(question.packs)
                for rule in pack.rules
                if not isinstance(rule, (InterestRule, FeeRule, LimitationRule))
                and (not rule.channels or question.channel in rule.channels)
                and (not rule.setting or self.chosen(pack, rule.setting) == rule.value)
            )
        return found

    def hangs_on(self, packs: tuple[str, ...]) -> LawHangsOn:
        """What of one debt the rules of these packs look at; of what they do not, no answer depends."""
        found = self._hangs_on.get(packs)
        if found is None:
            rules = [rule for pack in self.layers(packs) for rule in pack.rules]
            names = {name for rule in rules for name in _hangs_on(rule)}
            names.update(name for rule in rules if isinstance(rule, NoticeWait) for name in (rule.notice, "notice_never_sent"))
            by_debt = any(isinstance(rule, Cap | Spacing) and rule.per in ("debt", "person_debt") for rule in rules)
            found = self._hangs_on[packs] = LawHangsOn(by_debt, _OF_THE_DEBT - names)
        return found

    def hours(self, pack: Pack, rule: Hours, zone: str, facts: Mapping[str, Any]) -> HoursOpen:
        """The windows of a rule in a zone; those to which no agreement adds hours are kept."""
        if rule.agreed is not None and facts.get("agreed_hours"):
            return HoursOpen(rule, self.holidays(pack), zone, facts)
        key = id(rule), zone
        found = self._hours.get(key)
        if found is None:
            found = self._hours[key] = HoursOpen(rule, self.holidays(pack), zone, {})
        return found

    def holidays(self, pack: Pack) -> Holidays:
        """The pack's calendar."""
        return self._holidays[pack.jurisdiction]


class Hearing:
    """All rules that speak to one question; asked about as many instants as needed."""

    def __init__(self, law: Law, question: Question) -> None:
        if question.at.tzinfo is None:
            raise ValueError("the asked instant needs its zone")
        for zone in question.zones:
            zone_of(zone)
        self.asked: list[Asked] = []
        books: dict[str, History] = {}
        for pack, rule, names, plainly, silent in law.speakers(question):
            assumed = bool(pack.assumes) and pack.jurisdiction in question.packs
            facts = {**pack.assumes, **question.facts} if assumed else question.facts
            if not (plainly if names.isdisjoint(facts) else rule.binds_this(question.party, question.debtor, facts)):
                continue
            if silent is not None and silent.isdisjoint(facts):
                continue
            for zone in question.zones:
                # What was assumed of one place is not known of another: each keeps its own book of contacts.
                history = History(question, facts, zone) if assumed else books.get(zone)
                if history is None:
                    history = books[zone] = History(question, facts, zone)
                opens = _opens(law, pack, rule, history, question, facts, zone)
                if opens is not always:
                    self.asked.append(Asked(rule, _in_force(rule, zone, opens)))

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
        """`at` itself when every rule allows it, else the first whole minute after it at which all do; None: not in time."""
        last = at + timedelta(days=HORIZON_DAYS) if until is None else until
        while at < last:
            later = at
            for each in self.asked:
                found = each.opens(later)
                if found is None:
                    return None
                later = found
            if later == at:
                return at
            at = _minute(later)
        return None

    def closes(self, at: datetime, end: datetime) -> datetime:
        """A moment up to which an allowed instant surely stays allowed: the next change any rule may make, at most `end`."""
        for each in self.asked:
            closes: Callable[[datetime], datetime] | None = getattr(each.opens, "closes", None)
            if closes is not None:
                end = min(end, closes(at))
        return end


def _minute(at: datetime) -> datetime:
    """The whole minute at or after an instant."""
    floor = at.replace(second=0, microsecond=0)
    return floor if floor == at else floor + timedelta(minutes=1)


def _hangs_on(rule: Rule) -> frozenset[str]:
    binds = rule.binds
    names = {"creditor_type": binds.creditor_types, "debt_type": binds.debt_types, "loan_type": binds.loan_types}
    found = {name for name, wanted in names.items() if wanted}
    if binds.days_past_due_over is not None:
        found.add("days_past_due")
    return frozenset(found.union(rule.when, *rule.unless))


def _refuses_by(rule: Rule) -> frozenset[str] | None:
    match rule:
        case Wishes():
            return frozenset(("preferred_window", "inconvenient"))
        case Channels():
            return frozenset(("opted_out_channels",))
        case Content():
            return frozenset(("message_does",))
        case MustSay():
            return frozenset(("message_says", "message_lacks"))
        case Moratorium() if rule.end is None:
            return frozenset((rule.start,))
        case Addressee() if FACTS["recipient"].ordinary in rule.allowed:
            return frozenset(("recipient",))
    return None


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


def _opens(law: Law, pack: Pack, rule: Rule, history: History, question: Question, facts: Mapping[str, Any], zone: str) -> Opens:
    """How this rule answers this question; `always` when it has nothing to say."""
    match rule:
        case Hours():
            return law.hours(pack, rule, zone, facts)
        case Wishes():
            return WishesOpen(facts, zone) if facts.get("preferred_window") or facts.get("inconvenient") else always
        case Cap():
            return by_days(zone, history.cap(rule, question.channel))
        case Spacing():
            apart = history.spacing(rule)
            return apart if isinstance(apart, HoursApart) else by_days(zone, apart)
        case CrossChannel():
            return by_days(zone, history.cross_channel(rule, question.channel))
        case NoticeWait():
            return notice(rule, facts, zone)
        case Moratorium():
            return moratorium(rule, facts, zone)
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
