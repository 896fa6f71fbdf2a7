"""What holds for every law pack that is shipped: sources, honesty about what is not law, and cases at every boundary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies.hours import zone_of
from policies.law.base import Rule
from policies.law.cases import Case, judge, read_cases
from policies.law.days import Holidays
from policies.law.model import Hours, Pack
from policies.law.packs import PackError, packs_for, read_pack, shipped_law, shipped_packs
from policies.law.page import page
from policies.manual_model import WEEKDAYS, parse_window

PACKS = {pack.jurisdiction: pack for pack in shipped_packs()}
RULES: list[tuple[Pack, Rule]] = [(pack, rule) for pack in PACKS.values() for rule in pack.rules]
MONEY = ("interest", "fee", "limitation")
EXPECTED = (
    "HOUSE CO MX CL PE AR AR-CABA BR BR-SP BR-AL EC ES EU UK US-FED US-MA US-FL US-NYC US-WA US-DC "
    "CA-FED CA-ON CA-QC CA-BC CA-AB AU IN ZA"
).split()


def test_every_promised_jurisdiction_has_a_pack() -> None:
    assert set(EXPECTED) <= set(PACKS)


def test_every_rule_has_an_address_or_a_named_act_and_its_sentence() -> None:
    bad = [
        rule.id for _, rule in RULES if not (rule.source.startswith("https://") or len(rule.source) > 8) or len(rule.text) < 20
    ]
    assert bad == []


def test_what_is_thinly_sourced_is_never_called_law() -> None:
    assert [rule.id for _, rule in RULES if rule.basis == "law" and rule.confidence == "low"] == []


def test_every_house_default_that_reads_a_doubtful_text_hangs_on_a_setting_or_says_so() -> None:
    doubtful = [rule for _, rule in RULES if rule.basis == "house" and rule.confidence == "low" and isinstance(rule, Hours)]
    assert [rule.id for rule in doubtful if not rule.setting] == []


@pytest.mark.parametrize(
    "rule_id",
    [
        "MX.days",
        "CL.hours.messages",
        "CL.message_gap",
        "AR.hours",
        "ES.hours",
        "UK.hours",
        "US-NYC.after_exchange",
        "CA-AB.sundays",
        "IN.hours.visits",
        "ZA.hours",
        "CO.hours.business",
    ],
)
def test_what_the_sources_call_shaky_is_a_house_default_with_a_setting(rule_id: str) -> None:
    rule = next(rule for _, rule in RULES if rule.id == rule_id)
    assert (rule.basis, rule.confidence, bool(rule.setting)) == ("house", "low", True)


@pytest.mark.parametrize(
    "rule_id", ["CO.one_channel_a_week", "CL.one_call_a_week", "CL.two_messages_a_week", "US-WA.three_a_week"]
)
def test_a_week_that_the_law_does_not_define_is_said_to_be_read_strictly(rule_id: str) -> None:
    rule = next(rule for _, rule in RULES if rule.id == rule_id)
    assert rule.confidence == "medium" and "stricter of its two readings" in rule.note and "safe choice" in rule.note


def test_a_page_says_which_words_all_hold_and_what_is_not_known() -> None:
    said = " ".join(page(shipped_law(), "US-FED", date(2026, 11, 22), layers=False).split())
    assert "per person and debt" in said and "prior consent at is not known" in said and "person_debt" not in said
    said = " ".join(page(shipped_law(), "UK", date(2026, 11, 22), layers=False).split())
    assert "threatens, harasses, looks like court paper" in said and "harasses or" not in said


def test_no_hours_are_invented_for_the_european_union() -> None:
    assert [rule.id for rule in PACKS["EU"].rules if isinstance(rule, Hours)] == []


def test_every_setting_is_used_and_its_safe_value_is_offered() -> None:
    for pack in PACKS.values():
        named = {rule.setting for rule in pack.rules if rule.setting}
        assert named == set(pack.settings), pack.jurisdiction


def test_a_rule_that_stands_twice_on_the_same_date_is_refused() -> None:
    twice = "jurisdiction: XX\nname: X\nreviewed_on: 2026-11-21\nsummary: x\nrules:\n" + 2 * (
        "  - {id: XX.a, kind: bar, text: Nobody is contacted., basis: house, citation: none, source: none, confidence: low}\n"
    )
    with pytest.raises(PackError, match=r"XX\.a stands twice"):
        read_pack(twice, "XX.yaml")


HOLIDAYS = {
    "CO": ("2026-07-13 2027-07-12 2028-07-10 2027-01-11 2028-03-20", "2025-07-14 2027-07-09"),
    "CL": ("2027-03-27 2026-09-18 2027-09-17 2028-11-01 2026-11-29", "2026-12-24"),
    "PE": ("2027-07-28 2027-07-29 2026-12-08 2028-06-29", "2027-07-30"),
    "BR-SP": ("2026-07-09 2027-11-20 2028-04-21", "2027-02-08 2027-02-09 2027-05-27 2023-11-20 2027-09-16"),
    "BR-AL": ("2027-09-16 2026-11-30 2027-11-20", "2027-02-09 2027-07-09"),
    "EC": ("2026-12-25 2027-08-09 2028-08-11", "2026-12-24"),
    "CA-QC": ("2027-03-29 2026-06-24 2026-11-29 2028-04-17", "2026-08-03"),
    "CA-ON": ("2027-07-01 2026-12-26 2027-02-15", "2027-03-29 2026-11-11"),
    "CA-BC": ("2026-08-03 2026-09-30 2026-11-11", "2027-03-29"),
    "CA-AB": ("2026-11-11 2027-02-15", "2026-08-03"),
    "CA-FED": ("2027-05-24 2026-10-12 2026-09-30 2026-11-11 2027-03-29 2028-05-22 2028-10-09", "2027-05-17 2026-02-16"),
    "AU": ("2027-01-26 2027-03-26 2027-03-29 2026-12-26", "2027-03-27 2026-11-03 2026-06-08"),
    "AR": ("2026-11-23 2027-06-21 2026-12-08", "2026-11-24"),
    "ES": ("2026-12-08 2027-10-12", "2026-12-07"),
    "MX": ("2026-11-16 2027-02-01 2028-11-20", "2026-11-02"),
}


@pytest.mark.parametrize("code", sorted(HOLIDAYS))
def test_the_calendar_of_a_pack_is_the_statutory_one(code: str) -> None:
    calendar = Holidays(PACKS[code])
    closed, open_ = (tuple(date.fromisoformat(day) for day in days.split()) for days in HOLIDAYS[code])
    assert [day for day in closed if calendar.name(day) is None] == []
    assert [day for day in open_ if calendar.name(day) is not None] == []


def _boundaries() -> Iterator[tuple[Pack, Hours, str, str, int]]:
    for pack, rule in RULES:
        if isinstance(rule, Hours) and rule.basis != "house":
            for window in sorted({window for windows in rule.windows.values() for window in windows}):
                for side, minute in zip(("opening", "closing"), parse_window(window), strict=True):
                    yield pack, rule, window, side, minute


def _of_rule(rule: Hours, pack: Pack, cases: list[Case], window: str) -> Iterator[tuple[Case, int]]:
    for case in cases:
        local = case.local_datetime.astimezone(zone_of(case.tz))
        known = {**pack.assumes, **case.question()[0].facts}
        dated = (rule.from_ or date.min) <= local.date() <= (rule.until or date.max)
        if case.jurisdiction != pack.jurisdiction or (rule.channels and case.channel not in rule.channels) or not dated:
            continue
        if window in rule.windows.get(WEEKDAYS[local.weekday()], ()) and rule.binds_this(case.party, case.debtor, known):
            yield case, local.hour * 3600 + local.minute * 60 + local.second


def test_every_window_of_law_or_guidance_has_a_case_on_each_side_of_each_edge() -> None:
    cases = read_cases(json.loads(Path(__file__).with_name("own_cases.json").read_text(encoding="utf-8")), "own_cases.json")
    law, missing = shipped_law(), []
    for pack, rule, window, side, minute in _boundaries():
        for name, low, high, inside in (
            ("before", minute * 60 - 60, minute * 60, side == "closing"),
            ("after", minute * 60, minute * 60 + 60, side == "opening"),
        ):
            near = [case for case, second in _of_rule(rule, pack, cases, window) if low <= second < high]
            if not any((rule.id not in judge(law, case).verdict.rules) == inside for case in near):
                missing.append(f"{rule.id} {window}: {name} the {side}")
    assert missing == []


def test_a_place_is_spoken_for_by_all_its_layers() -> None:
    assert set(packs_for("BR", "SP")) == {"HOUSE", "BR", "BR-SP"}
    assert set(packs_for("US", "NY", "New York")) == {"HOUSE", "US-FED", "US-NY", "US-NYC"}
    assert set(packs_for("CA", "ON")) == {"HOUSE", "CA-FED", "CA-ON"}
    assert set(packs_for("ES")) == {"HOUSE", "ES", "EU"}
    assert packs_for("GB") == ("HOUSE", "UK")
    assert set(packs_for("AR", "C")) == {"HOUSE", "AR", "AR-CABA"}


MONDAY_CALL = [{"at": "2026-11-23T10:00:00Z", "channel": "call", "connected": True, "outcome": "conversation"}]
FRIDAY_CALL = [{**MONDAY_CALL[0], "at": "2026-11-27T15:00:00Z"}]
MONDAY_TEXT = [{"at": "2026-11-23T14:00:00Z", "channel": "sms", "connected": True, "outcome": "delivered"}]
SETTINGS = [
    ("MX", "days", "every_day", "2026-11-28T16:00:00Z", "America/Mexico_City", "call", [], {}, True),
    ("CL", "message_hours", "none", "2026-11-28T01:00:00Z", "America/Santiago", "email", [], {}, True),
    ("CL", "message_gap", "hours_48", "2026-11-25T14:30:00Z", "America/Santiago", "email", MONDAY_TEXT, {}, True),
    ("CL", "message_gap", "hours_48", "2026-11-25T13:30:00Z", "America/Santiago", "email", MONDAY_TEXT, {}, False),
    ("CL", "message_gap", "two_dates", "2026-11-25T13:30:00Z", "America/Santiago", "email", MONDAY_TEXT, {}, True),
    ("CL", "message_gap", "two_dates", "2026-11-24T20:30:00Z", "America/Santiago", "email", MONDAY_TEXT, {}, False),
    ("CO", "business_debts", "free", "2026-11-24T02:00:00Z", "America/Bogota", "call", [], {"debtor": "business"}, True),
    ("CO", "week", "calendar", "2026-11-30T15:00:00Z", "America/Bogota", "email", FRIDAY_CALL, {}, True),
    ("CO", "week", "seven_days", "2026-11-30T15:00:00Z", "America/Bogota", "email", FRIDAY_CALL, {}, False),
    ("EC", "once_a_day", "any_means", "2026-11-23T16:00:00Z", "America/Guayaquil", "call", MONDAY_TEXT, {}, False),
    ("EC", "message_hours", "none", "2026-11-28T16:00:00Z", "America/Guayaquil", "email", [], {}, True),
    ("AR", "hours", "none", "2026-11-29T16:00:00Z", "America/Argentina/Buenos_Aires", "call", [], {}, True),
    ("ES", "hours", "none", "2026-11-29T16:00:00Z", "Europe/Madrid", "call", [], {}, True),
    ("UK", "hours", "none", "2026-11-23T22:00:00Z", "Europe/London", "call", [], {}, True),
    ("UK", "breathing_space_days", "next_day", "2027-04-30T10:00:00Z", "Europe/London", "call", [],
     {"facts": {"breathing_space_start": "2027-03-01"}}, False),
    ("US-NYC", "after_exchange", "none", "2026-11-24T16:00:00Z", "America/New_York", "letter", MONDAY_CALL, {}, True),
    ("US-WA", "unanswered", "all_count", "2026-11-24T18:00:00Z", "America/Los_Angeles", "email",
     [{"at": f"2026-11-23T{hour}:00:00Z", "channel": "call", "outcome": "no_answer"} for hour in (18, 19, 20)], {}, False),
    ("CA-ON", "cap_from", "first_conversation", "2026-11-26T16:00:00Z", "America/Toronto", "email",
     [{"at": f"2026-11-{day}T16:00:00Z", "channel": "email", "connected": True} for day in (23, 24, 25)], {}, True),
    ("CA-AB", "sundays", "as_weekdays", "2026-11-29T16:00:00Z", "America/Edmonton", "call", [], {}, True),
    ("IN", "microfinance_hours", "general", "2026-11-24T03:00:00Z", "Asia/Kolkata", "call", [],
     {"facts": {"loan_type": "microfinance", "creditor_type": "nbfc_mfi"}}, True),
    ("IN", "visits", "as_calls", "2026-11-24T15:00:00Z", "Asia/Kolkata", "visit", [], {}, False),
    ("IN", "draft_2026", "ignore", "2026-11-24T10:00:00Z", "Asia/Kolkata", "call", [], {"facts": {"in_bereavement": True}}, True),
    ("ZA", "hours", "from_eight", "2026-11-24T05:30:00Z", "Africa/Johannesburg", "call", [], {}, False),
    ("ZA", "hours", "office", "2026-11-24T15:30:00Z", "Africa/Johannesburg", "call", [], {}, False),
    ("CL", "week", "calendar", "2026-11-30T14:00:00Z", "America/Santiago", "call", FRIDAY_CALL, {}, True),
    ("EU", "transfer_notice", "none", "2026-11-30T14:00:00Z", "Europe/Berlin", "email", [],
     {"facts": {"debt_type": "regulated_credit", "notice_sent": None}}, True),
]  # fmt: skip


@pytest.mark.parametrize(("code", "name", "value", "at", "tz", "channel", "priors", "more", "allowed"), SETTINGS)
def test_a_setting_changes_the_answer_where_the_text_is_in_doubt(
    code: str,
    name: str,
    value: str,
    at: str,
    tz: str,
    channel: str,
    priors: list[dict[str, Any]],
    more: dict[str, Any],
    allowed: bool,
) -> None:
    asked = {"id": "1", "jurisdiction": code, "local_datetime": at, "tz": tz, "channel": channel, "party": "third"}
    (case,) = read_cases([{"debtor": "consumer", "expect": "allow", "prior_contacts": priors, **asked, **more}], "here")
    assert judge(shipped_law({code: {name: value}}), case).verdict.allowed is allowed


def test_every_choice_of_a_contact_rule_beside_the_safe_one_is_tried() -> None:
    tried = {(code, name, value) for code, name, value, *_ in SETTINGS}
    offered = {
        (pack.jurisdiction, name, value)
        for pack in PACKS.values()
        for name, setting in pack.settings.items()
        for value in setting.choices
        if value != setting.safe and any(rule.setting == name and rule.kind not in MONEY for rule in pack.rules)
    }
    assert offered - tried == set()
