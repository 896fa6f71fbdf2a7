"""The house's own limits by plain comparison, minute by minute, alone and together with law packs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from policies.calendars import holiday_name
from policies.facts import BudgetEntry
from policies.hours import Place
from policies.manual_model import WEEKDAYS, Cap, Limits
from policies.terms import AttemptState, Channel
from tests.policies.law.brute import MINUTE, Checker, same_day
from tests.policies.law.brute_days import between, easter_sunday, run_is_full

_DAY = timedelta(days=1)


class HouseChecker:
    """One wish to contact a person by a channel, under the limits of a manual. `entries` are without the wish's own."""

    def __init__(
        self, limits: Limits, place: Place, entries: Sequence[BudgetEntry], *, channel: Channel, person: str, firm: bool
    ) -> None:
        self._limits, self._place, self._channel, self._person, self._firm = limits, place, channel, person, firm
        self._zone = ZoneInfo(place.zone)
        self._entries = [entry for entry in entries if _counts(entry)]
        self._days: dict[date, frozenset[str]] = {}
        self._open: dict[date, frozenset[int]] = {}

    def refused(self, at: datetime) -> frozenset[str]:
        """Ids of the rules against this instant."""
        local = at.astimezone(self._zone)
        day = local.date()
        if day not in self._days:
            self._days[day] = self._refused_all_day(day)
            self._open[day] = frozenset[int]().union(*(between(*window.split("-")) for window in self._windows(day)))
        found = set(self._days[day])
        if local.hour * 60 + local.minute not in self._open[day]:
            found.add("hours.window")
        if self._limits.gap_hours is not None:
            gap = timedelta(hours=self._limits.gap_hours)
            if any(abs(at - entry.at) < gap for entry in self._entries if entry.person_id == self._person):
                found.add("budget.gap")
        return frozenset(found)

    def shut_for(self, at: datetime) -> int:
        """Minutes from a refused one on that surely lie in a local day which is refused as a whole; 1 on any other."""
        local = at.astimezone(self._zone)
        whole_day = self._days[local.date()] or not self._open[local.date()]
        return same_day(at, local, self._zone) if whole_day else 1

    def _windows(self, day: date) -> tuple[str, ...]:
        weekday = WEEKDAYS[day.weekday()]
        own = self._limits.channel_windows.get(self._channel, {})
        return own[weekday] if weekday in own else self._limits.windows.get(weekday, ())

    def _refused_all_day(self, day: date) -> frozenset[str]:
        limits, found = self._limits, set[str]()
        if _listed(day, limits.closed_days):
            found.add("hours.closed_day")
        if limits.holidays and self._holiday(day):
            found.add("hours.holiday")
        if self._firm and WEEKDAYS[day.weekday()] not in limits.firm_days:
            found.add("hours.firm_day")
        if self._firm and _listed(day, limits.firm_closed_days):
            found.add("hours.firm_closed_day")
        if self._firm and not limits.firm_eves and self._holiday(day + _DAY):
            found.add("hours.firm_eve")
        for cap in limits.contacts:
            if cap.by == "person":  # What is asked here goes out by itself.
                continue
            if (cap.channels is None or self._channel in cap.channels) and self._full(cap, day):
                channels = "." + "+".join(sorted(cap.channels)) if cap.channels else ""
                found.add(f"budget.{cap.days}d.{cap.per}{channels}{'.by_machine' if cap.by == 'machine' else ''}")
        return frozenset(found)

    def _holiday(self, day: date) -> bool:
        place = self._place
        if holiday_name(day, place.country, place.region) is not None:
            return True
        # A sender of the same country is taken to be of the same region: nobody says of which.
        abroad = bool(place.creditor_country) and place.creditor_country != place.country
        return abroad and holiday_name(day, place.creditor_country) is not None

    def _full(self, cap: Cap, day: date) -> bool:
        counted = [
            entry.local_date
            for entry in self._entries
            if (cap.channels is None or entry.channel in cap.channels)
            and ((cap.per == "account" and not entry.elsewhere) or entry.person_id == self._person)
            and not (cap.by == "machine" and entry.manual)
        ]
        return run_is_full(counted, day, cap.days, cap.max)


class BothChecker:
    """The house's limits and the law together: both must allow."""

    def __init__(self, house: HouseChecker, law: Checker) -> None:
        self._house, self._law = house, law

    def refused(self, at: datetime) -> frozenset[str]:
        """Ids of the rules of both against this instant."""
        return self._house.refused(at) | self._law.refused(at)

    def allows_minute(self, at: datetime) -> tuple[bool, int]:
        """Whether both allow a whole minute, and how many minutes on the next one lies that they could."""
        if self._house.refused(at):
            return False, self._house.shut_for(at)
        return self._law.allows_minute(at)

    def first(self, at: datetime, until: datetime) -> datetime | None:
        """`at` itself where nothing refuses it, else the first whole minute after it and before `until` that both allow."""
        at = at.astimezone(UTC)
        if not self.refused(at):
            return at if at < until else None
        whole = at.replace(second=0, microsecond=0)
        at = whole if whole == at else whole + MINUTE
        while at < until:
            allowed, step = self.allows_minute(at)
            if allowed:
                return at
            at += step * MINUTE
        return None


def _counts(entry: BudgetEntry) -> bool:
    if entry.state is AttemptState.FAILED or entry.inbound:
        return False
    return entry.outcome not in ("not_connected", "no_message_possible", "wrong_number")


def _listed(day: date, entries: Sequence[str]) -> bool:
    """Whether a list of closed days names the day: a date, MM-DD, MM-DD..MM-DD (also over new year) or good_friday."""
    for entry in entries:
        first, _, last = entry.partition("..")
        month_day = day.isoformat()[5:]
        if entry == "good_friday":
            if day == easter_sunday(day.year) - 2 * _DAY:
                return True
        elif last and (first <= month_day <= last if first <= last else month_day >= first or month_day <= last):
            return True
        elif entry in (month_day, day.isoformat()):
            return True
    return False
