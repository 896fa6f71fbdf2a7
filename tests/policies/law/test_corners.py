"""Corners of the engine, one each: what the checker by plain comparison found, and the smallest question that shows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from policies.contactable import first_allowed
from policies.facts import LawTerms
from policies.hours import Place, closed
from policies.law.count import LawContact
from policies.law.days import Holidays
from policies.law.engine import Hearing, Law, Question
from policies.law.model import Pack
from policies.manual_model import Limits
from policies.terms import Channel

BOGOTA = "America/Bogota"
MONDAY = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)
"""10:00 in Bogota."""
_DAY = timedelta(days=1)
_SAID = {
    "id": "XA.r",
    "basis": "law",
    "citation": "a test",
    "source": "a test",
    "confidence": "high",
    "text": "Made up for a test.",
}


def _pack(*rules: dict[str, Any], **more: Any) -> Pack:
    """A pack of these rules."""
    named = [_SAID | rule | {"id": f"XA.r{number}"} for number, rule in enumerate(rules)]
    return Pack.model_validate(
        {"jurisdiction": "XA", "name": "x", "reviewed_on": "2026-01-01", "summary": "x", "rules": named} | more
    )


def _heard(
    *rules: dict[str, Any], at: datetime = MONDAY, channel: str = "call", contacts: tuple[LawContact, ...] = (), **more: Any
) -> Hearing:
    """A question to a pack of these rules, by `ana` in Bogota unless `zones` says otherwise; the rest are facts."""
    zones = more.pop("zones", (BOGOTA,))
    calendar = more.pop("calendar", {})
    question = Question(
        packs=("XA",), at=at, zones=zones, channel=channel, party="first", debtor="consumer", contacts=contacts, facts=more,
        person="ana", account="a1", debt="d1",
    )  # fmt: skip
    return Hearing(Law([_pack(*rules, calendar=calendar)]), question)


def _call(at: datetime, **more: Any) -> LawContact:
    return LawContact(at=at, channel="call", connected=True, **({"person": "ana"} | more))


def test_a_contact_with_another_person_closes_no_channel_for_this_one() -> None:
    rule = {"kind": "cross_channel", "period": "week"}
    assert _heard(rule, channel="sms", contacts=(_call(MONDAY, person="ben"),)).first(MONDAY) == MONDAY
    assert _heard(rule, channel="sms", contacts=(_call(MONDAY, person=""),)).refusals(MONDAY), "nobody knows with whom"


def test_hours_that_the_debtor_does_not_want_may_go_over_midnight() -> None:
    night = {"days": ["mon"], "from": "21:00", "to": "09:00"}
    hearing = _heard({"kind": "wishes"}, inconvenient=[night])
    tuesday_at_nine = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)
    assert not hearing.refusals(MONDAY.replace(hour=13)), "the morning of Monday is not its night"
    assert hearing.first(datetime(2026, 3, 10, 2, 0, tzinfo=UTC)) == tuesday_at_nine
    assert hearing.first(datetime(2026, 3, 10, 6, 0, tzinfo=UTC)) == tuesday_at_nine
    to_midnight = _heard({"kind": "wishes"}, inconvenient=[{"from": "21:00", "to": "00:00"}])
    assert to_midnight.first(datetime(2026, 3, 10, 2, 0, tzinfo=UTC)) == datetime(2026, 3, 10, 5, 0, tzinfo=UTC)


def test_the_only_hours_that_a_debtor_wants_may_go_over_midnight() -> None:
    hearing = _heard({"kind": "wishes"}, preferred_window=("22:00", "02:00"))
    assert hearing.first(MONDAY) == datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
    assert hearing.refusals(datetime(2026, 3, 10, 7, 0, tzinfo=UTC))


def test_a_day_that_is_stated_as_an_instant_is_the_debtors_day() -> None:
    # 9 March in London is still 8 March in Bogota.
    stated = datetime(2026, 3, 9, 2, 0, tzinfo=UTC).isoformat()
    notice = _heard({"kind": "notice_wait", "days": 1}, notice_sent=stated)
    assert notice.first(MONDAY - 9 * timedelta(hours=1)) == MONDAY - 9 * timedelta(hours=1)
    rest = _heard({"kind": "moratorium", "start": "workplace_stop_at", "days": 1}, workplace_stop_at=stated)
    assert not rest.refusals(MONDAY)


def test_a_notice_that_is_stated_as_never_sent_is_waited_for_without_end() -> None:
    first = {"kind": "notice_wait", "days": 1}
    assert _heard(first).first(MONDAY) == MONDAY, "not stated: sent long ago"
    assert _heard(first, notice_sent=None).first(MONDAY) is None
    action = {"kind": "notice_wait", "days": 1, "notice": "action_notice_sent"}
    assert _heard(action).first(MONDAY) is None, "an action is announced before it is taken"
    assert _heard(action, action_notice_sent="2026-01-01", action_notice_missing=True).first(MONDAY) is None


def test_a_dated_consent_lifts_a_gap_in_hours_too() -> None:
    rule = {"kind": "spacing", "hours": 48, "consent_days": 1}
    before = (_call(MONDAY - timedelta(hours=1), outcome="no_answer"),)
    assert _heard(rule, contacts=before).first(MONDAY) == MONDAY + timedelta(hours=47)
    agreed = _heard(rule, contacts=before, prior_consent_at="2026-03-09")
    assert agreed.first(MONDAY) == MONDAY
    midnight = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
    assert agreed.closes(MONDAY, MONDAY + 3 * _DAY) == midnight, "the consent was for one day"
    assert agreed.refusals(midnight)


def test_a_consent_still_to_come_does_not_hide_the_days_before_it() -> None:
    rule = {"kind": "spacing", "days": 7, "consent_days": 1}
    hearing = _heard(rule, contacts=(_call(MONDAY, outcome="no_answer"),), prior_consent_at="2026-03-12")
    assert hearing.first(MONDAY) == datetime(2026, 3, 12, 5, 0, tzinfo=UTC)


def test_a_cap_on_each_channel_still_counts_only_the_channels_it_names() -> None:
    rule = {"kind": "cap", "max": 1, "days": 1, "of": ["sms"], "same_channel": True}
    assert not _heard(rule, contacts=(_call(MONDAY),)).refusals(MONDAY)


def test_the_first_monday_from_a_day_on_may_lie_in_the_next_year() -> None:
    calendar = {"extra": [{"day": "sat>=12-30", "name": "x"}, {"day": "tue>=02-29", "name": "y"}]}
    holidays = Holidays(_pack(calendar=calendar))
    assert holidays.name(date(2027, 1, 2)) == "x"
    assert holidays.name(date(2026, 3, 3)) == "y", "2026 has no 29 February: counted from 1 March"
    assert holidays.name(date(2028, 2, 29)) == "y"


def test_other_hours_that_were_agreed_open_no_other_day() -> None:
    windows = {"kind": "hours", "windows": {"mon-fri": ["07:00-19:00"]}, "agreed": {"hours_waiver_separate_document": True}}
    hearing = _heard(windows, hours_waiver_separate_document=True, agreed_hours=["19:00", "21:00"])
    friday_at_20 = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
    assert not hearing.refusals(friday_at_20)
    assert hearing.first(friday_at_20 + _DAY) == datetime(2026, 3, 16, 12, 0, tzinfo=UTC), "not on Saturday"


def test_a_moment_stays_open_only_until_the_first_rule_closes_it() -> None:
    far = MONDAY + 9 * _DAY
    tomorrow = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
    reserved = (_call(MONDAY + _DAY, outcome="no_answer"),)
    assert _heard({"kind": "cap", "max": 1, "days": 1}, contacts=reserved).closes(MONDAY, far) == tomorrow
    gap = _heard({"kind": "spacing", "hours": 20, "after": "attempt"}, contacts=reserved)
    assert gap.closes(MONDAY, far) == MONDAY + timedelta(hours=4, microseconds=1), "twenty hours are still enough"
    last_good = MONDAY + timedelta(hours=4)
    assert gap.first(last_good) == last_good
    rest = _heard({"kind": "moratorium", "start": "breathing_space_start", "days": 3}, breathing_space_start="2026-03-10")
    assert rest.closes(MONDAY, far) == tomorrow


def test_a_window_is_the_wall_clocks_where_it_skips_and_where_it_repeats() -> None:
    zone = "America/New_York"
    rule = {"kind": "hours", "windows": {"mon-sun": ["01:30-02:30"]}}
    skipped = _heard(rule, zones=(zone,), at=datetime(2026, 3, 8, 6, 0, tzinfo=UTC))
    assert skipped.closes(datetime(2026, 3, 8, 6, 30, tzinfo=UTC), MONDAY) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    again = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    repeated = _heard(rule, zones=(zone,), at=again)
    assert repeated.first(datetime(2026, 11, 1, 6, 0, tzinfo=UTC)) == again, "01:00 comes twice, and 01:30 with it"


def test_of_two_days_that_interleave_the_earlier_moment_is_given() -> None:
    # In Newfoundland of 2010 one minute of Sunday passed before Saturday's last hour came again.
    zone = "America/St_Johns"
    rule = {"kind": "hours", "windows": {"sat": ["23:30-24:00"], "sun": ["00:00-00:01"]}}
    sunday = datetime(2010, 11, 7, 0, 0, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    hearing = _heard(rule, zones=(zone,), at=sunday)
    assert hearing.first(sunday) == sunday
    assert hearing.first(sunday + timedelta(minutes=1)) == sunday + timedelta(minutes=30), "and Saturday again"


def test_a_moment_at_the_end_of_the_search_is_not_given() -> None:
    hearing = _heard({"kind": "hours", "windows": {"mon-fri": ["11:00-12:00"]}})
    eleven = MONDAY + timedelta(hours=1)
    assert hearing.first(MONDAY, until=eleven) is None
    assert hearing.first(MONDAY, until=eleven + timedelta(minutes=1)) == eleven


def test_who_closed_all_channels_closed_this_one() -> None:
    assert _heard({"kind": "opt_out"}, opted_out_channels=["all"]).first(MONDAY) is None
    assert _heard({"kind": "opt_out"}, opted_out_channels=["sms"]).first(MONDAY) == MONDAY


def test_the_same_month_of_another_year_is_another_month() -> None:
    rule = {"kind": "cap", "max": 1, "period": "calendar_month"}
    assert not _heard(rule, contacts=(_call(MONDAY - 365 * _DAY),)).refusals(MONDAY)
    assert _heard(rule, contacts=(_call(MONDAY - 8 * _DAY),)).refusals(MONDAY)
    assert not _heard(rule, contacts=(_call(MONDAY - 9 * _DAY),)).refusals(MONDAY), "that was February"


def test_a_day_that_the_pack_drops_is_ordinary_up_to_the_last_day_of_the_entry() -> None:
    drop = {"day": "12-25", "name": "x", "until": "2026-12-25"}
    holidays = Holidays(_pack(calendar={"country": "US", "drop": [drop]}))
    assert holidays.name(date(2026, 12, 25)) is None, "the last day counts"
    assert holidays.name(date(2028, 12, 25)) is not None
    assert holidays.name(date(2026, 7, 3)) is not None


def test_a_closed_day_of_the_house_is_a_date_or_a_stretch_with_both_its_ends() -> None:
    limits = Limits(closed_days=("2026-11-02", "12-20..12-24"))
    place = Place(BOGOTA, "CO", "", "CO")

    def shut(*day: int) -> bool:
        return bool(closed(date(*day), limits, Channel.SMS, place, firm=False))

    assert shut(2026, 11, 2) and not shut(2027, 11, 2)
    assert not shut(2026, 12, 19) and shut(2026, 12, 20) and shut(2026, 12, 24) and not shut(2026, 12, 25)


def test_an_allowed_moment_lasts_no_longer_than_the_law_lets_it() -> None:
    law = LawTerms(packs=("HOUSE", "CO"), zones=(BOGOTA,))
    at = datetime(2026, 3, 9, 23, 0, tzinfo=UTC)
    verdict = first_allowed(
        at, channel=Channel.SMS, person_id="ana", budget=(), own=("i", "k"), firm=False, place=Place(BOGOTA, "CO", "", "CO"),
        limits=Limits(), law=law,
    )  # fmt: skip
    assert verdict.allowed and verdict.window_ends == at + timedelta(hours=1), "19:00, though the house is open all day"
    alone = first_allowed(
        at.replace(hour=5), channel=Channel.SMS, person_id="ana", budget=(), own=("i", "k"), firm=False,
        place=Place(BOGOTA, "CO", "", "CO"), limits=Limits(),
    )  # fmt: skip
    assert alone.allowed, "midnight is the first instant of a window that opens at 00:00"
