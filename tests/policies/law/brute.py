"""Law packs by plain comparison: an independent reading of the models, which the engine must agree with.

Written from the field descriptions of the models alone. Nothing here is shared with the engine but the models themselves, the
ordinary values of facts and the calendar of holidays. An instant is read off the wall clock of each zone; the next moment is
found by walking whole minutes. A stretch is jumped over only where no minute of its local day is open and the clocks do not
change inside it, so that walking it would find nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from policies.law import model
from policies.law.base import Rule
from policies.law.charges_model import FeeRule, InterestRule, LimitationRule
from policies.law.vocabulary import FACTS
from policies.manual_model import WEEKDAYS
from tests.policies.law.brute_days import ALL_MINUTES, NONE, between, is_holiday, minute_of, monday, run_is_full

if TYPE_CHECKING:
    from policies.law.count import LawContact
    from policies.law.engine import Question

MINUTE = timedelta(minutes=1)
_NOT_SPOKEN = "voicemail no_answer delivered not_connected_to_number no_message_possible".split()


class Layer:
    """What one pack says to a question, under the settings in force."""

    def __init__(self, pack: model.Pack, asked: Question, settings: Mapping[str, str]) -> None:
        self._pack, self._asked, self._settings = pack, asked, settings
        self._facts = {**pack.assumes, **asked.facts} if pack.jurisdiction in asked.packs else asked.facts
        self._zones = {zone: ZoneInfo(zone) for zone in asked.zones}
        self._dates = {zone: [contact.at.astimezone(tz).date() for contact in asked.contacts] for zone, tz in self._zones.items()}
        self.rules = [rule for rule in pack.rules if self._speaks(rule)]

    # what speaks

    def _fact(self, name: str) -> Any:
        return self._facts.get(name, FACTS[name].ordinary)

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        for name, wanted in condition.items():
            value = self._fact(name)
            accepted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
            several = isinstance(value, (list, tuple, set, frozenset))
            if not any(each in value if several else each == value for each in accepted):
                return False
        return True

    def _speaks(self, rule: Rule) -> bool:
        if isinstance(rule, (InterestRule, FeeRule, LimitationRule)):
            return False
        if rule.setting:
            chosen = self._settings.get(rule.setting, self._pack.settings[rule.setting].safe)
            if chosen != rule.value:
                return False
        if rule.channels and self._asked.channel not in rule.channels:
            return False
        binds = rule.binds
        if self._asked.party not in binds.party or self._asked.debtor not in binds.debtor:
            return False
        for kinds, name in (
            (binds.creditor_types, "creditor_type"),
            (binds.debt_types, "debt_type"),
            (binds.loan_types, "loan_type"),
        ):
            if kinds and self._fact(name) not in kinds:
                return False
        late = self._fact("days_past_due")
        if binds.days_past_due_over is not None and late is not None and late <= binds.days_past_due_over:
            return False
        return self._holds(rule.when) and not any(self._holds(each) for each in rule.unless)

    # what is open

    def minutes(self, rule: Rule, zone: str, day: date) -> frozenset[int]:
        """The minutes of a local day at which the rule allows; rules in hours of waiting allow all here."""
        if (rule.from_ is not None and day < rule.from_) or (rule.until is not None and day > rule.until):
            return ALL_MINUTES
        if isinstance(rule, model.Hours):
            return self._hours(rule, day)
        if isinstance(rule, model.Wishes):
            return self._wishes(day)
        if isinstance(rule, model.Spacing) and rule.hours is not None:
            return ALL_MINUTES
        return ALL_MINUTES if self._allowed_on(rule, zone, day) else NONE

    def _hours(self, rule: model.Hours, day: date) -> frozenset[int]:
        found = set[int]()
        if rule.holidays == "open" or not is_holiday(self._pack.calendar, day):
            for window in rule.windows.get(WEEKDAYS[day.weekday()], ()):
                found |= between(*window.split("-"))
            # A day that is closed as a whole stays closed: other hours were agreed, not other days.
            if found and rule.agreed is not None and self._holds(rule.agreed) and self._fact("agreed_hours"):
                found |= between(*self._fact("agreed_hours"))
        return frozenset(found)

    def _wishes(self, day: date) -> frozenset[int]:
        preferred = self._fact("preferred_window")
        wanted = between(*preferred) if preferred else ALL_MINUTES
        for entry in self._fact("inconvenient"):
            days = [name[:3].lower() for name in entry.get("days", WEEKDAYS)]
            bad = between(entry["from"], entry["to"])
            over_midnight = minute_of(entry["to"]) <= minute_of(entry["from"])
            morning = frozenset(range(minute_of(entry["to"]))) if over_midnight else NONE
            if WEEKDAYS[day.weekday()] in days:
                wanted -= bad - morning
            if WEEKDAYS[day.weekday() - 1] in days:
                wanted -= morning
        return wanted

    def _allowed_on(self, rule: Rule, zone: str, day: date) -> bool:
        """Whether a rule that looks at whole local days allows this one."""
        days: Mapping[type[Rule], Callable[[], bool]] = {
            model.Bar: lambda: False,
            model.Cap: lambda: isinstance(rule, model.Cap) and self._cap(rule, zone, day),
            model.Spacing: lambda: isinstance(rule, model.Spacing) and self._spacing_days(rule, zone, day),
            model.CrossChannel: lambda: isinstance(rule, model.CrossChannel) and self._cross_channel(rule, zone, day),
            model.Channels: lambda: not {self._asked.channel, "all"} & set(self._fact("opted_out_channels")),
            model.Addressee: lambda: isinstance(rule, model.Addressee) and self._addressee(rule),
            model.Content: lambda: isinstance(rule, model.Content) and not set(rule.never) & set(self._fact("message_does")),
            model.MustSay: lambda: isinstance(rule, model.MustSay) and self._says(rule),
            model.NoticeWait: lambda: isinstance(rule, model.NoticeWait) and self._notice(rule, zone, day),
            model.Moratorium: lambda: isinstance(rule, model.Moratorium) and self._moratorium(rule, zone, day),
        }
        return days[type(rule)]()

    def _addressee(self, rule: model.Addressee) -> bool:
        if rule.only_if_debt_mentioned and not self._fact("message_mentions_debt"):
            return True
        return self._fact("recipient") in rule.allowed

    def _says(self, rule: model.MustSay) -> bool:
        if set(rule.items) & set(self._fact("message_lacks")):
            return False
        said = self._fact("message_says")
        return said is None or set(rule.items) <= set(said)

    def _day(self, name: str, zone: str) -> date | None:
        value = self._fact(name)
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
        if isinstance(value, datetime):
            return value.astimezone(self._zones[zone]).date()
        return value if isinstance(value, date) else None

    def _notice(self, rule: model.NoticeWait, zone: str, day: date) -> bool:
        missing = {"notice_sent": "notice_never_sent", "action_notice_sent": "action_notice_missing"}[rule.notice]
        if self._fact(missing) or (rule.notice in self._facts and not self._fact(rule.notice)):
            return False
        sent = self._day(rule.notice, zone)
        if sent is None and rule.notice == "action_notice_sent":
            return False  # The first notice went out long ago unless somebody says otherwise; that of an action did not.
        return sent is None or day >= sent + timedelta(days=rule.days)

    def _moratorium(self, rule: model.Moratorium, zone: str, day: date) -> bool:
        starts = self._day(rule.start, zone)
        ends = self._day(rule.end, zone) if rule.end is not None else None
        if starts is None and ends is None:
            return rule.end is None  # A rest until an end that nobody knows is going on.
        if starts is not None and day < starts:
            return True
        if rule.end is None:
            return starts is None or day >= starts + timedelta(days=rule.days)
        return ends is not None and day > ends + timedelta(days=rule.days)

    # what is counted

    def _same(self, rule: model.Cap | model.Spacing, contact: LawContact) -> bool:
        """Whether the contact falls in what the rule counts together; what is not known counts."""
        asked = self._asked
        if rule.per in ("debt", "person_debt") and asked.debt and contact.debts and asked.debt not in contact.debts:
            return False
        if rule.per == "debt":
            return True
        ours, theirs = {
            "account": (asked.account, contact.account),
            "person": (asked.person, contact.person),
            "person_debt": (asked.person, contact.person),
            "creditor": (self._fact("creditor_id"), contact.creditor),
        }[rule.per]
        return not ours or not theirs or ours == theirs

    def _spoken(self, contact: LawContact) -> bool:
        if contact.outcome == "conversation":
            return True
        return contact.connected and contact.channel in ("call", "visit") and contact.outcome not in _NOT_SPOKEN

    def _cap(self, rule: model.Cap, zone: str, day: date) -> bool:
        if self._consented(rule, zone, day):
            return True
        mine = [(contact, on) for contact, on in zip(self._asked.contacts, self._dates[zone], strict=True)]
        mine = [(contact, on) for contact, on in mine if self._same(rule, contact)]
        if rule.after_conversation:
            talks = [contact.at for contact, _ in mine if self._spoken(contact)]
            mine = [(contact, on) for contact, on in mine if talks and contact.at >= min(talks)]
        dates = [on for contact, on in mine if self._counts(rule, contact)]
        if rule.days is not None:
            return not run_is_full(dates, day, rule.days, rule.max)
        if rule.period == "ever":
            return len(dates) < rule.max
        if rule.period == "calendar_month":
            return sum((on.year, on.month) == (day.year, day.month) for on in dates) < rule.max
        in_week = sum(monday(on) == monday(day) for on in dates) < rule.max
        return in_week and not (rule.period == "week" and run_is_full(dates, day, 7, rule.max))

    def _counts(self, rule: model.Cap, contact: LawContact) -> bool:
        counted = rule.of or rule.channels
        if (counted and contact.channel not in counted) or (rule.same_channel and contact.channel != self._asked.channel):
            return False
        if contact.inbound or contact.consented or contact.outcome in rule.free:
            return False
        types = rule.when.get("number_type")
        if types and contact.place and contact.place not in types:
            return False  # A rule about some kinds of number counts what went to those kinds.
        return rule.counts == "attempts" or contact.connected or contact.outcome in rule.also

    def _waits_after(self, rule: model.Spacing) -> list[tuple[LawContact, int]]:
        counted = rule.of or rule.channels
        found = []
        for index, contact in enumerate(self._asked.contacts):
            if not self._same(rule, contact) or (counted and contact.channel not in counted):
                continue
            if rule.after == "conversation":
                if self._spoken(contact):
                    found.append((contact, index))
            elif not contact.inbound and (rule.after == "attempt" or contact.connected):
                found.append((contact, index))
        return found

    def _spacing_days(self, rule: model.Spacing, zone: str, day: date) -> bool:
        assert rule.days is not None
        if self._consented(rule, zone, day):
            return True
        dates = [self._dates[zone][index] for _, index in self._waits_after(rule)]
        return all(abs((day - on).days) >= rule.days for on in dates)

    def _spaced(self, rule: model.Spacing, at: datetime) -> bool:
        """Whether a spacing in hours allows this instant."""
        assert rule.hours is not None
        return all(abs(at - contact.at) >= timedelta(hours=rule.hours) for contact, _ in self._waits_after(rule))

    def _cross_channel(self, rule: model.CrossChannel, zone: str, day: date) -> bool:
        for contact, on in zip(self._asked.contacts, self._dates[zone], strict=True):
            if contact.channel == self._asked.channel or not contact.connected or contact.inbound:
                continue
            if self._asked.person and contact.person and contact.person != self._asked.person:
                continue
            week, seven = monday(on) == monday(day), abs((day - on).days) < 7
            if {"day": on == day, "calendar_week": week, "seven_days": seven, "week": week or seven}[rule.period]:
                return False
        return True

    def _consented(self, rule: model.Cap | model.Spacing, zone: str, day: date) -> bool:
        """Whether a dated consent lifts the rule on this local day."""
        given = self._day("prior_consent_at", zone)
        if rule.consent_days is None or given is None or not 0 <= (day - given).days < rule.consent_days:
            return False
        value = self._fact("prior_consent_at")
        # Of a day alone, a conversation on it is taken to be the one in which the debtor agreed.
        since = datetime.combine(given, time.max, tzinfo=self._zones[zone]).replace(fold=1)
        if "T" in str(value):
            since = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        for contact, on in zip(self._asked.contacts, self._dates[zone], strict=True):
            if self._same(rule, contact) and self._spoken(contact) and contact.at > since and on <= day:
                return False
        return True

    def hours_kept(self, rule: Rule, zone: str, day: date, at: datetime) -> bool:
        """Whether a rule that waits for hours allows this instant."""
        if not isinstance(rule, model.Spacing) or rule.hours is None:
            return True
        if (rule.from_ is not None and day < rule.from_) or (rule.until is not None and day > rule.until):
            return True
        return self._consented(rule, zone, day) or self._spaced(rule, at)


class Checker:
    """One question to a set of packs."""

    def __init__(
        self, packs: Iterable[model.Pack], asked: Question, settings: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        by_code = {pack.jurisdiction: pack for pack in packs}
        wanted, heard = list(asked.packs), set[str]()
        while wanted:
            code = wanted.pop()
            heard.add(code)
            wanted.extend(by_code[code].within)
        self._layers = [Layer(by_code[code], asked, (settings or {}).get(code, {})) for code in heard]
        self._zones = {zone: ZoneInfo(zone) for zone in asked.zones}
        self._open: dict[tuple[str, date], frozenset[int]] = {}

    def refused(self, at: datetime) -> frozenset[str]:
        """Ids of the rules against this instant."""
        found = set()
        for zone, tz in self._zones.items():
            local = at.astimezone(tz)
            day, minute = local.date(), local.hour * 60 + local.minute
            for layer in self._layers:
                for rule in layer.rules:
                    if minute not in layer.minutes(rule, zone, day) or not layer.hours_kept(rule, zone, day, at):
                        found.add(rule.id)
        return frozenset(found)

    def _open_minutes(self, zone: str, day: date) -> frozenset[int]:
        found = self._open.get((zone, day))
        if found is None:
            found = ALL_MINUTES
            for layer in self._layers:
                for rule in layer.rules:
                    found &= layer.minutes(rule, zone, day)
            self._open[zone, day] = found
        return found

    def allows_minute(self, at: datetime) -> tuple[bool, int]:
        """Whether a whole minute is allowed, and how many minutes on the next one lies that could be."""
        for zone, tz in self._zones.items():
            local = at.astimezone(tz)
            minutes = self._open_minutes(zone, local.date())
            if not minutes:
                return False, same_day(at, local, tz)
            if local.hour * 60 + local.minute not in minutes:
                return False, 1
        for zone, tz in self._zones.items():
            day = at.astimezone(tz).date()
            if not all(layer.hours_kept(rule, zone, day, at) for layer in self._layers for rule in layer.rules):
                return False, 1
        return True, 1

    def first(self, at: datetime, until: datetime) -> datetime | None:
        """`at` itself where every rule allows it, else the first whole minute after it and before `until` that all allow."""
        at = at.astimezone(UTC)
        if not self.refused(at):
            return at
        whole = at.replace(second=0, microsecond=0)
        at = whole if whole == at else whole + MINUTE
        while at < until:
            allowed, step = self.allows_minute(at)
            if allowed:
                return at
            at += step * MINUTE
        return None


def same_day(at: datetime, local: datetime, tz: ZoneInfo) -> int:
    """Minutes that surely stay on a local day: the clocks read the same day and offset at both ends of the stretch."""
    for minutes in (360, 60):
        later = (at + minutes * MINUTE).astimezone(tz)
        if later.date() == local.date() and later.utcoffset() == local.utcoffset():
            return minutes
    return 1
