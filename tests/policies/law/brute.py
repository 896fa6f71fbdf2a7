"""Law packs by plain comparison: an independent reading of the models, which the engine must agree with.

Written from the field descriptions of the models alone. Nothing here is shared with the engine but the models themselves, the
ordinary values of facts and the calendar of holidays. An instant is read off the wall clock of each zone; the next moment is
found by walking whole minutes. A stretch is jumped over only where no minute of its local day is open and the clocks do not
change inside it, so that walking it would find nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from policies.calendars import holiday_name
from policies.law import model
from policies.law.base import Rule
from policies.law.charges_model import FeeRule, InterestRule, LimitationRule
from policies.law.vocabulary import FACTS

MINUTE = timedelta(minutes=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NOT_SPOKEN = ("voicemail", "ringless_voicemail", "message_left", "no_answer", "not_connected_to_number", "no_message_possible")
_ALL_MINUTES = frozenset(range(24 * 60))
_NONE = frozenset[int]()


class Contact(Protocol):
    """What is read of an earlier or reserved contact."""

    @property
    def at(self) -> datetime: ...
    @property
    def channel(self) -> str: ...
    @property
    def connected(self) -> bool: ...
    @property
    def outcome(self) -> str: ...
    @property
    def debts(self) -> tuple[str, ...]: ...
    @property
    def account(self) -> str: ...
    @property
    def person(self) -> str: ...
    @property
    def creditor(self) -> str: ...
    @property
    def inbound(self) -> bool: ...
    @property
    def consented(self) -> bool: ...


class Asked(Protocol):
    """What is read of a question."""

    @property
    def packs(self) -> tuple[str, ...]: ...
    @property
    def zones(self) -> tuple[str, ...]: ...
    @property
    def channel(self) -> str: ...
    @property
    def party(self) -> str: ...
    @property
    def debtor(self) -> str: ...
    @property
    def contacts(self) -> Sequence[Contact]: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def person(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def debt(self) -> str: ...


def minute_of(text: str) -> int:
    """`09:30` as minutes of the day; `24:00` is the end of it."""
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def between(opens: str, closes: str) -> frozenset[int]:
    """The minutes of a half-open stretch of the day; one that ends before it begins goes over midnight."""
    first, last = minute_of(opens), minute_of(closes)
    if first < last:
        return frozenset(range(first, last))
    return frozenset(range(first, 24 * 60)) | frozenset(range(0, last))


def easter_sunday(year: int) -> date:
    """Western Easter by the anonymous Gregorian computus."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, f = b // 4, b % 4, (b + 8) // 25
    h = (19 * a + b - d - (b - f + 1) // 3 + 15) % 30
    k = (32 + 2 * e + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    n = h + k - 7 * m + 114
    return date(year, n // 31, n % 31 + 1)


def _names_day(entry: model.DayEntry, day: date) -> bool:
    if entry.from_ is not None and day < entry.from_:
        return False
    if entry.until is not None and day > entry.until:
        return False
    text = entry.day
    if text in ("sunday", "saturday"):
        return day.weekday() == {"saturday": 5, "sunday": 6}[text]
    if text.startswith("easter"):
        return day - easter_sunday(day.year) == timedelta(days=int(text.removeprefix("easter")))
    if ">=" in text:
        weekday, month_day = text.split(">=")
        month, number = map(int, month_day.split("-"))
        starts = [date(year, month, number) for year in (day.year - 1, day.year)]
        return _WEEKDAYS[day.weekday()] == weekday and any(0 <= (day - start).days < 7 for start in starts)
    return text in (day.isoformat(), day.isoformat()[5:])


def is_holiday(calendar: model.Calendar, day: date) -> bool:
    """Whether the pack's calendar calls the day a holiday."""
    if any(_names_day(entry, day) for entry in calendar.extra):
        return True
    if any(_names_day(entry, day) for entry in calendar.drop):
        return False
    return bool(calendar.country) and holiday_name(day, calendar.country, calendar.region) is not None


class Checker:
    """One question to a set of packs, under the settings in force."""

    def __init__(
        self, packs: Iterable[model.Pack], asked: Asked, settings: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self._packs = {pack.jurisdiction: pack for pack in packs}
        self._asked = asked
        self._settings = settings or {}
        self._zones = {zone: ZoneInfo(zone) for zone in asked.zones}
        self._rules = [(pack, rule) for pack in self._layers() for rule in pack.rules if self._speaks(pack, rule)]
        self._open: dict[tuple[str, date], frozenset[int]] = {}
        self._dates = {zone: [contact.at.astimezone(tz).date() for contact in asked.contacts] for zone, tz in self._zones.items()}

    # what speaks

    def _layers(self) -> list[model.Pack]:
        wanted, found = list(self._asked.packs), dict[str, model.Pack]()
        while wanted:
            code = wanted.pop()
            found[code] = self._packs[code]
            wanted.extend(self._packs[code].within)
        return list(found.values())

    def _fact(self, name: str) -> Any:
        return self._asked.facts.get(name, FACTS[name].ordinary)

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        for name, wanted in condition.items():
            value = self._fact(name)
            accepted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
            several = isinstance(value, (list, tuple, set, frozenset))
            if not any(each in value if several else each == value for each in accepted):
                return False
        return True

    def _speaks(self, pack: model.Pack, rule: Rule) -> bool:
        if isinstance(rule, (InterestRule, FeeRule, LimitationRule)):
            return False
        if rule.setting:
            chosen = self._settings.get(pack.jurisdiction, {}).get(rule.setting, pack.settings[rule.setting].safe)
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

    def _minutes(self, pack: model.Pack, rule: Rule, zone: str, day: date) -> frozenset[int]:
        """The minutes of a local day at which the rule allows; rules in hours of waiting allow all here."""
        if (rule.from_ is not None and day < rule.from_) or (rule.until is not None and day > rule.until):
            return _ALL_MINUTES
        if isinstance(rule, model.Hours):
            return self._hours(pack, rule, day)
        if isinstance(rule, model.Wishes):
            return self._wishes(day)
        if isinstance(rule, model.Spacing) and rule.hours is not None:
            return _ALL_MINUTES
        return _ALL_MINUTES if self._allowed_on(rule, zone, day) else _NONE

    def _hours(self, pack: model.Pack, rule: model.Hours, day: date) -> frozenset[int]:
        found = set[int]()
        if rule.holidays == "open" or not is_holiday(pack.calendar, day):
            for window in rule.windows.get(_WEEKDAYS[day.weekday()], ()):  # type: ignore[call-overload]
                found |= between(*window.split("-"))
            if rule.agreed is not None and self._holds(rule.agreed) and self._fact("agreed_hours"):
                found |= between(*self._fact("agreed_hours"))
        return frozenset(found)

    def _wishes(self, day: date) -> frozenset[int]:
        preferred = self._fact("preferred_window")
        wanted = between(*preferred) if preferred else _ALL_MINUTES
        for entry in self._fact("inconvenient"):
            days = [name[:3].lower() for name in entry.get("days", _WEEKDAYS)]
            if _WEEKDAYS[day.weekday()] in days:
                wanted -= between(entry["from"], entry["to"])
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
        if self._fact(missing) or (rule.notice in self._asked.facts and not self._fact(rule.notice)):
            return False
        sent = self._day(rule.notice, zone)
        return sent is None or day >= sent + timedelta(days=rule.days)

    def _moratorium(self, rule: model.Moratorium, zone: str, day: date) -> bool:
        starts = self._day(rule.start, zone)
        if starts is None or day < starts:
            return True
        if rule.end is None:
            return day >= starts + timedelta(days=rule.days)
        ends = self._day(rule.end, zone)
        return ends is not None and day > ends + timedelta(days=rule.days)

    # what is counted

    def _same(self, rule: model.Cap | model.Spacing, contact: Contact) -> bool:
        """Whether the contact falls in what the rule counts together; what is not known counts."""
        asked = self._asked
        if rule.per == "debt":
            return not asked.debt or not contact.debts or asked.debt in contact.debts
        ours, theirs = {
            "account": (asked.account, contact.account),
            "person": (asked.person, contact.person),
            "creditor": (self._fact("creditor_id"), contact.creditor),
        }[rule.per]
        return not ours or not theirs or ours == theirs

    def _spoken(self, contact: Contact) -> bool:
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
            return not _run_is_full(dates, day, rule.days, rule.max)
        if rule.period == "ever":
            return len(dates) < rule.max
        if rule.period == "calendar_month":
            return sum((on.year, on.month) == (day.year, day.month) for on in dates) < rule.max
        in_week = sum(_monday(on) == _monday(day) for on in dates) < rule.max
        return in_week and not (rule.period == "week" and _run_is_full(dates, day, 7, rule.max))

    def _counts(self, rule: model.Cap, contact: Contact) -> bool:
        counted = rule.of or rule.channels
        if (counted and contact.channel not in counted) or (rule.same_channel and contact.channel != self._asked.channel):
            return False
        if contact.inbound or contact.consented or contact.outcome in rule.free:
            return False
        return rule.counts == "attempts" or contact.connected or contact.outcome in rule.also

    def _waits_after(self, rule: model.Spacing) -> list[tuple[Contact, int]]:
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
            week, seven = _monday(on) == _monday(day), abs((day - on).days) < 7
            if {"day": on == day, "calendar_week": week, "seven_days": seven, "week": week or seven}[rule.period]:
                return False
        return True

    def _consented(self, rule: model.Cap | model.Spacing, zone: str, day: date) -> bool:
        """Whether a dated consent lifts the rule on this local day."""
        given = self._day("prior_consent_at", zone)
        if rule.consent_days is None or given is None or not 0 <= (day - given).days < rule.consent_days:
            return False
        value = self._fact("prior_consent_at")
        since = datetime.combine(given, time(0), tzinfo=self._zones[zone])
        if "T" in str(value):
            since = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        for contact, on in zip(self._asked.contacts, self._dates[zone], strict=True):
            if self._same(rule, contact) and self._spoken(contact) and contact.at > since and on <= day:
                return False
        return True

    # the answers

    def refused(self, at: datetime) -> frozenset[str]:
        """Ids of the rules against this instant."""
        found = set()
        for zone, tz in self._zones.items():
            local = at.astimezone(tz)
            for pack, rule in self._rules:
                if local.hour * 60 + local.minute not in self._minutes(pack, rule, zone, local.date()):
                    found.add(rule.id)
                elif isinstance(rule, model.Spacing) and not self._hours_kept(rule, zone, local.date(), at):
                    found.add(rule.id)
        return frozenset(found)

    def _hours_kept(self, rule: model.Spacing, zone: str, day: date, at: datetime) -> bool:
        if rule.hours is None or (rule.from_ is not None and day < rule.from_) or (rule.until is not None and day > rule.until):
            return True
        return self._consented(rule, zone, day) or self._spaced(rule, at)

    def _open_minutes(self, zone: str, day: date) -> frozenset[int]:
        found = self._open.get((zone, day))
        if found is None:
            found = _ALL_MINUTES
            for pack, rule in self._rules:
                found &= self._minutes(pack, rule, zone, day)
            self._open[zone, day] = found
        return found

    def allows_minute(self, at: datetime) -> tuple[bool, int]:
        """Whether a whole minute is allowed, and how many minutes on the next one lies that could be."""
        for zone, tz in self._zones.items():
            local = at.astimezone(tz)
            minutes = self._open_minutes(zone, local.date())
            if not minutes:
                return False, _same_day(at, local, tz)
            if local.hour * 60 + local.minute not in minutes:
                return False, 1
        spaced = [rule for _, rule in self._rules if isinstance(rule, model.Spacing) and rule.hours is not None]
        for zone, tz in self._zones.items():
            if not all(self._hours_kept(rule, zone, at.astimezone(tz).date(), at) for rule in spaced):
                return False, 1
        return True, 1

    def first(self, at: datetime, until: datetime) -> datetime | None:
        """The first whole minute at or after `at` and before `until` that every rule allows."""
        at = at.astimezone(UTC)
        whole = at.replace(second=0, microsecond=0)
        at = whole if whole == at else whole + MINUTE
        while at < until:
            allowed, step = self.allows_minute(at)
            if allowed:
                return at
            at += step * MINUTE
        return None


def _same_day(at: datetime, local: datetime, tz: ZoneInfo) -> int:
    """Minutes that surely stay on a local day: the clocks read the same day and offset at both ends of the stretch."""
    for minutes in (360, 60):
        later = (at + minutes * MINUTE).astimezone(tz)
        if later.date() == local.date() and later.utcoffset() == local.utcoffset():
            return minutes
    return 1


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _run_is_full(dates: Sequence[date], day: date, length: int, most: int) -> bool:
    """Whether some run of `length` local dates that holds `day` would hold more than `most` with one more on `day`."""
    for back in range(length):
        first = day - timedelta(days=back)
        last = first + timedelta(days=length - 1)
        if sum(first <= on <= last for on in dates) + 1 > most:
            return True
    return False
