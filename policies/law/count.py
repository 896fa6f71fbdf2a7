"""Which earlier contacts a cap or a spacing counts, and on which local days there is no room left."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from policies.budget import rolling_refuses
from policies.hours import local_date_of
from policies.law.base import Rule
from policies.law.days import day_start
from policies.law.model import Cap, CrossChannel, Spacing

if TYPE_CHECKING:
    from policies.law.engine import Question

_R = TypeVar("_R", bound=Rule)
_D = TypeVar("_D")
CONVERSATION = "conversation"
_NO_CONVERSATION = frozenset(
    "voicemail ringless_voicemail message_left limited_content_voicemail limited_content_message no_answer busy delivered "
    "no_message_possible not_connected_to_number wrong_number third_party answered_by_third_party".split()
)
_WEEK_DAYS = 7
_TICK = timedelta(microseconds=1)
FOR_EVER = datetime.max.replace(tzinfo=UTC)


class LawContact(NamedTuple):
    """One contact or attempt, whoever made it; a reserved slot counts as one that reaches the debtor."""

    at: datetime
    channel: str
    connected: bool
    outcome: str = ""
    debts: tuple[str, ...] = ()
    account: str = ""
    person: str = ""
    creditor: str = ""
    inbound: bool = False
    consented: bool = False
    place: str = ""


class Heard(tuple[LawContact, ...]):
    """Contacts about which many questions are asked, and the days that rules have counted of them."""

    @cached_property
    def days(self) -> dict[tuple[object, ...], Any]:
        """By rule and by what its count hangs on besides the contacts."""
        return {}


class CountedDays:
    """The local dates of the contacts that count, and the test whether one more fits on a day."""

    def __init__(self, dates: list[date], test: Callable[[list[int], int], bool]) -> None:
        self._days = sorted(day.toordinal() for day in dates)
        self._test = test

    def refuses(self, day: date) -> bool:
        """True when one more contact on this day would be too many."""
        return self._test(self._days, day.toordinal())


class HoursApart:
    """A gap in hours to every contact that counts, before and after it; none on the days for which the debtor agreed."""

    def __init__(self, instants: list[datetime], gap: timedelta, zone: str, free: range) -> None:
        self._instants, self._gap, self._zone, self._free = sorted(instants), gap, zone, free

    def __call__(self, at: datetime) -> datetime | None:
        """The first instant from `at` on that keeps the gap."""
        for each in self._instants:
            if abs(at - each) < self._gap:
                at = self._agreed(at, each + self._gap)
        return at

    def _agreed(self, at: datetime, later: datetime) -> datetime:
        """The first instant from `at` on of the days agreed to, if that is before `later`; else `later`."""
        free = self._free
        day = local_date_of(at, self._zone).toordinal()
        if not free or day >= free.stop:
            return later
        return at if day in free else min(later, max(at, day_start(self._zone, date.fromordinal(free.start))))

    def closes(self, at: datetime) -> datetime:
        """The first instant after an allowed one that is too near to a contact still to come, or whose day was not agreed to."""
        if local_date_of(at, self._zone).toordinal() in self._free:
            return day_start(self._zone, date.fromordinal(self._free.stop))
        # Exactly the gap is still enough, so the first refused instant lies just after it.
        later = (each - self._gap for each in self._instants if each - self._gap >= at)
        return min(later, default=FOR_EVER - _TICK) + _TICK


class History:
    """The contacts of one question as one zone dates them."""

    def __init__(self, question: Question, facts: Mapping[str, Any], zone: str) -> None:
        self._question, self._facts, self._zone = question, facts, zone
        self._dated: dict[datetime, date] = {}

    def _mine(self, contact: LawContact, per: str) -> bool:
        question = self._question
        debt = question.debt or str(self._facts.get("debt_id", ""))
        if per == "person_debt":
            return self._mine(contact, "debt") and self._mine(contact, "person")
        if per == "debt":
            return not contact.debts or not debt or debt in contact.debts
        if per == "account":
            return not contact.account or not question.account or contact.account == question.account
        if per == "creditor":
            creditor = str(self._facts.get("creditor_id", ""))
            return not contact.creditor or not creditor or contact.creditor == creditor
        return not contact.person or not question.person or contact.person == question.person

    def _dates(self, contacts: list[LawContact]) -> list[date]:
        return [self._date(contact.at) for contact in contacts]

    def _date(self, at: datetime) -> date:
        found = self._dated.get(at)
        if found is None:
            found = self._dated[at] = local_date_of(at, self._zone)
        return found

    def cap(self, rule: Cap, channel: str) -> CountedDays | None:
        """The days on which the cap leaves no room; None when nothing counts and there is room."""
        return self._kept(rule, rule.per, channel, self._cap)

    def _kept(self, rule: _R, per: str, channel: str, count: Callable[[_R, str], _D]) -> _D:
        """The count, made once for all questions about the same contacts, unless it hangs on the debt or on a consent."""
        contacts, question = self._question.contacts, self._question
        if not isinstance(contacts, Heard) or per in ("debt", "person_debt") or "prior_consent_at" in self._facts:
            return count(rule, channel)
        key = id(rule), self._zone, channel, question.person, question.account, self._facts.get("creditor_id")
        found: tuple[_R, _D] | None = contacts.days.get(key)
        if found is None:
            found = contacts.days[key] = rule, count(rule, channel)  # with the rule, whose identity is part of the key
        return found[1]

    def _cap(self, rule: Cap, channel: str) -> CountedDays | None:
        counted = [contact for contact in self._question.contacts if self._counts(rule, contact, channel)]
        if rule.after_conversation:
            talks = [each.at for each in self._question.contacts if _conversation(each) and self._mine(each, rule.per)]
            counted = [contact for contact in counted if talks and contact.at >= min(talks)]
        if len(counted) < rule.max:
            return None
        full = _test_of(rule)
        free = self._consented_days(rule)
        return CountedDays(self._dates(counted), (lambda days, day: day not in free and full(days, day)) if free else full)

    def _consented_days(self, rule: Cap | Spacing) -> range:
        """The local dates (as ordinals) on which a dated consent lifts the rule."""
        given = self._facts.get("prior_consent_at")
        if not given or rule.consent_days is None:
            return range(0)
        first, since = _consent(given, self._zone)
        talks = [
            local_date_of(each.at, self._zone).toordinal()
            for each in self._question.contacts
            if _conversation(each) and self._mine(each, rule.per) and each.at > since
        ]
        last = first + rule.consent_days - 1
        return range(first, 1 + (min(last, min(talks) - 1) if talks else last))

    def _counts(self, rule: Cap, contact: LawContact, channel: str) -> bool:
        channels = rule.of or rule.channels
        if (channels and contact.channel not in channels) or (rule.same_channel and contact.channel != channel):
            return False
        if contact.inbound or contact.consented or contact.outcome in rule.free:
            return False
        if "number_type" in rule.when and contact.place and contact.place not in _listed(rule.when["number_type"]):
            return False
        if rule.counts == "contacts" and not contact.connected and contact.outcome not in rule.also:
            return False
        return self._mine(contact, rule.per)

    def spacing(self, rule: Spacing) -> CountedDays | HoursApart | None:
        """The days, or the hours, that are too near to a contact that counts; None when nothing counts."""
        return self._kept(rule, rule.per, "", self._spacing)

    def _spacing(self, rule: Spacing, _channel: str) -> CountedDays | HoursApart | None:
        channels = rule.of or rule.channels
        counted = [
            contact
            for contact in self._question.contacts
            if (not channels or contact.channel in channels)
            and self._mine(contact, rule.per)
            and (_conversation(contact) if rule.after == "conversation" else contact.connected or rule.after == "attempt")
            and (rule.after == "conversation" or not contact.inbound)
        ]
        if not counted:
            return None
        free = self._consented_days(rule)
        if rule.days is None:
            assert rule.hours is not None, "a spacing has days or hours"
            return HoursApart([contact.at for contact in counted], timedelta(hours=rule.hours), self._zone, free)
        near = _within(rule.days)
        return CountedDays(self._dates(counted), (lambda days, day: day not in free and near(days, day)) if free else near)

    def cross_channel(self, rule: CrossChannel, channel: str) -> CountedDays | None:
        """The days closed by a contact on another channel."""
        return self._kept(rule, "person", channel, self._cross_channel)

    def _cross_channel(self, rule: CrossChannel, channel: str) -> CountedDays | None:
        others = [
            each
            for each in self._question.contacts
            if each.connected and not each.inbound and each.channel != channel and self._mine(each, "person")
        ]
        if not others:
            return None
        tests = {"day": _within(1), "seven_days": _within(_WEEK_DAYS), "calendar_week": _same_week}
        by_seven, by_week = tests["seven_days"], tests["calendar_week"]
        test = tests.get(rule.period, lambda days, day: by_seven(days, day) or by_week(days, day))
        return CountedDays(self._dates(others), test)


def _test_of(rule: Cap) -> Callable[[list[int], int], bool]:
    most = rule.max
    if rule.days is not None:
        reach = rule.days - 1
        return lambda days, day: rolling_refuses(days, day, reach, most)
    if rule.period == "calendar_week":
        return lambda days, day: _in_week(days, day) >= most
    if rule.period == "calendar_month":
        return lambda days, day: sum(_month(each) == _month(day) for each in days) >= most
    if rule.period == "week":
        return lambda days, day: rolling_refuses(days, day, _WEEK_DAYS - 1, most) or _in_week(days, day) >= most
    return lambda days, day: len(days) >= most


def _in_week(days: list[int], day: int) -> int:
    """How many of the sorted days lie in the day's week, Monday to Sunday; 1 January of year 1 was a Monday."""
    monday = day - (day - 1) % _WEEK_DAYS
    return bisect_left(days, monday + _WEEK_DAYS) - bisect_left(days, monday)


def _month(ordinal: int) -> tuple[int, int]:
    day = date.fromordinal(ordinal)
    return day.year, day.month


def _within(reach: int) -> Callable[[list[int], int], bool]:
    return lambda days, day: bisect_left(days, day + reach) > bisect_left(days, day - reach + 1)


def _same_week(days: list[int], day: int) -> bool:
    return _in_week(days, day) > 0


def _conversation(contact: LawContact) -> bool:
    """Whether the debtor was spoken to: a call or visit that reached the debtor, unless its outcome says otherwise."""
    spoken = contact.connected and contact.channel in ("call", "visit") and contact.outcome not in _NO_CONVERSATION
    return CONVERSATION in contact.outcome or contact.outcome == "consumer_called" or spoken


def _consent(given: object, zone: str) -> tuple[int, datetime]:
    """The local date (ordinal) of a consent, and the instant after which a conversation uses it up."""
    try:
        at = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        if at.tzinfo is not None:
            return local_date_of(at, zone).toordinal(), at
        day = at.date()
    except ValueError:
        raise ValueError(f"prior_consent_at: {given!r} is not a date or an instant") from None
    # Only the day is known: a conversation of the same day is the one in which the consent was given.
    return day.toordinal(), day_start(zone, day + timedelta(days=1)) - timedelta(microseconds=1)


def _listed(wanted: object) -> tuple[object, ...]:
    return tuple(wanted) if isinstance(wanted, (list, tuple)) else (wanted,)
