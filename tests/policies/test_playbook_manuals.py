"""The four manuals against the tables they come from, written out here by hand: limit by limit, rung by rung.

A rung that the house leaves to a person says so in `action`; what the manuals cannot say yet stands in no row.
"""

from __future__ import annotations

from typing import Any

import pytest

from policies.manual import Cap, Manual, builtin_manual
from policies.terms import Channel

CLOSED = {"good_friday", "12-24", "12-25", "12-31", "01-01"}
CONSUMER, BUSINESS = ("b2c_subscription", "b2c_credit"), ("b2b_sme", "b2b_corporate")
NAMES = CONSUMER + BUSINESS

# name: closes Mon-Fri, Saturday, contacts per 1 / 7 / 30 days, gap hours, calls by people (attempts / conversations per 7 days),
# automatic calls, per account in 7 days, least balance of message / call / letter / agency in USD cents, already-paid pause in
# working days, longest promise in days, promises, days of peace after a part payment
LIMITS: dict[str, tuple[Any, ...]] = {
    "b2c_subscription": ("19:00", "10:00-13:00", (1, 2, 7), 48, (2, 1), (1, 14), None, (100, 2500, 6000, 15000), 3, 10, 2, 5),
    "b2c_credit": ("19:00", "10:00-13:00", (1, 3, 8), 48, (3, 1), (1, 14), None, (100, 2500, 6000, 20000), 3, 15, 2, 5),
    "b2b_sme": ("18:00", None, (1, 2, 6), 72, (3, 1), (0, 1), 2, (500, 10000, 20000, 50000), 5, 30, 3, 5),
    "b2b_corporate": ("17:30", None, (1, 1, 4), 96, (3, 1), (0, 1), 2, (5000, 20000, 50000, None), 5, 45, 3, 5),
}

# rung, day, channels in order or the kind of a person's act, firm, offer as (extension, instalments, first share, discount); None
# leaves the earlier offer in force
RUNGS: dict[str, tuple[tuple[str, str, str, bool, tuple[int, int, int, int] | None], ...]] = {
    "b2c_subscription": (
        ("S1", "D-5", "email whatsapp sms", False, None),
        ("S3", "D+2", "whatsapp sms email", False, (7, 0, 0, 0)),
        ("S4", "D+7", "whatsapp email", False, (10, 0, 0, 0)),
        ("S5", "D+12", "voice sms", False, (10, 2, 50, 0)),
        ("S6", "D+16", "email letter", True, None),
        ("S7", "D+22", "whatsapp sms email", True, (0, 0, 0, 0)),
        ("S8", "D+35", "email whatsapp", False, None),
        ("S9", "D+50", "email letter", True, (0, 0, 0, 20)),
        ("S10", "D+65", "decision", False, None),
    ),
    "b2c_credit": (
        ("C1", "D-3", "whatsapp sms email", False, None),
        ("C2", "D+2", "whatsapp sms", False, (7, 0, 0, 0)),
        ("C3", "D+6", "whatsapp email", False, (15, 2, 50, 0)),
        ("C4", "D+10", "voice", False, None),
        ("C5", "D+17", "email letter", False, None),
        ("C6", "D+25", "voice whatsapp", False, (15, 6, 20, 0)),
        ("C7", "D+32", "email letter", True, None),
        ("C8", "D+45", "whatsapp email", False, (0, 9, 20, 0)),
        ("C9", "D+58", "task", False, None),
        ("C10", "D+62", "task", False, (0, 12, 20, 0)),
        ("C11", "D+78", "letter email", True, (0, 0, 0, 15)),
        ("C12", "D+92", "decision", False, None),
    ),
    "b2b_sme": (
        ("B1", "I+2wd", "email", False, None),
        ("B2", "D-7", "email", False, None),
        ("B3", "D+2wd", "email", False, None),
        ("B4", "D+6wd", "email", False, (0, 2, 50, 0)),
        ("B5", "D+14", "email", False, (0, 3, 20, 0)),
        ("B6", "D+19", "task", False, None),
        ("B7", "D+22", "email", False, (0, 4, 20, 0)),
        ("B8", "D+30", "email", True, None),
        ("B9", "D+40", "task", False, None),
        ("B10", "D+45", "letter email", True, (0, 6, 20, 0)),
        ("B11", "D+60", "task", False, None),
        ("B12", "D+75", "decision", False, None),
    ),
    "b2b_corporate": (
        ("K1", "I+3wd", "task", False, None),
        ("K2", "D-15", "email", False, None),
        ("K3", "M+1wd", "email", False, None),
        ("K4", "R+2wd", "email", False, None),
        ("K5", "D+12", "task", False, None),
        ("K6", "D+22", "email", False, None),
        ("K7", "D+32", "task", False, None),
        ("K8", "D+45", "letter", True, (0, 3, 20, 0)),
        ("K9", "D+60", "task", False, (0, 6, 20, 0)),
        ("K10", "D+90", "decision", False, None),
    ),
}
OWN = {"S9E", "B8H", "K8H"}
"""Rungs of the house by which a person carries out, or not, what the rung before announced."""


def caps(manual: Manual, **wanted: Any) -> list[int]:
    """The caps of these properties; the others are as usual."""
    usual = {"per": "person", "channels": None, "by": "anyone", "outcome": "attempt"}
    return [cap.max for cap in manual.limits.contacts if all(getattr(cap, k) == v for k, v in (usual | wanted).items())]


@pytest.mark.parametrize("name", NAMES)
def test_the_hours_and_days_are_those_of_the_table(name: str) -> None:
    limits = builtin_manual(name).limits
    closes, saturday = LIMITS[name][:2]
    assert {day: limits.windows[day] for day in ("mon", "tue", "wed", "thu", "fri")} == dict.fromkeys(
        ("mon", "tue", "wed", "thu", "fri"), (f"09:00-{closes}",)
    )
    assert limits.windows.get("sat", ()) == ((saturday,) if saturday else ()) and "sun" not in limits.windows
    assert saturday is None or limits.channel_windows[Channel.VOICE] == {"sat": ()}
    assert limits.holidays and set(limits.closed_days) == CLOSED and limits.firm_days == ("mon", "tue", "wed", "thu")
    assert limits.firm_closed_days == (("12-23..01-02",) if name in BUSINESS else ())


@pytest.mark.parametrize("name", NAMES)
def test_the_counts_are_those_of_the_table(name: str) -> None:
    manual = builtin_manual(name)
    _, _, contacts, gap, people, automatic, account = LIMITS[name][:7]
    assert [*caps(manual, days=1), *caps(manual, days=7), *caps(manual, days=30)] == list(contacts)
    assert manual.limits.gap_hours == gap
    voice = {"days": 7, "channels": (Channel.VOICE,), "by": "person"}
    assert (caps(manual, **voice), caps(manual, **voice, outcome="conversation")) == ([people[0]], [people[1]])
    assert caps(manual, days=automatic[1], channels=(Channel.VOICE,), by="machine") == [automatic[0]]
    assert caps(manual, days=7, per="account") == ([account] if account else [])
    assert Cap(max=0, days=1, channels=(Channel.SMS,)) in manual.limits.contacts or name != "b2b_corporate"
    assert manual.limits.text_once


@pytest.mark.parametrize("name", NAMES)
def test_the_least_balances_pauses_and_promises_are_those_of_the_table(name: str) -> None:
    manual = builtin_manual(name)
    (message, call, letter, agency), paid, longest, count, peace = LIMITS[name][7:]
    for channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP):
        assert manual.minimums[channel]["USD"] == message
    assert (manual.minimums[Channel.VOICE]["USD"], manual.minimums[Channel.LETTER]["USD"]) == (call, letter)
    assert manual.agency is not None and manual.agency.minimum.get("USD") == agency
    assert manual.pauses.already_paid_wd == paid and (manual.promise.days_max, manual.promise.count_max) == (longest, count)
    assert (manual.pauses.part_payment_pct, manual.pauses.part_payment_days, manual.pauses.silence_days) == (30, peace, 180)
    assert manual.promise.runs_max == (2 if name == "b2b_corporate" else 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_rungs_are_those_of_the_ladder(name: str) -> None:
    found = []
    for rung in builtin_manual(name).ladder:
        if rung.rung in OWN:
            continue
        how = " ".join(rung.channels) if rung.action == "contact" else rung.action
        offer = rung.offer
        most = offer and (offer.extension_days_max, offer.instalments_max, offer.first_share_min_pct, offer.discount_max_pct)
        found.append((rung.rung, rung.day, how, rung.firm, most))
    assert found == [(*row,) for row in RUNGS[name]]


def test_a_suspension_waits_for_its_notice_and_an_entry_and_an_order_hold_for_theirs() -> None:
    subscription, credit = builtin_manual("b2c_subscription"), builtin_manual("b2c_credit")
    assert (subscription.rung("S7").requires, subscription.rung("S7").after_contact_days) == ("S6", 6)
    assert credit.rung("C9").requires == "C7" and credit.rung("C7").legal_notice
    assert builtin_manual("b2b_sme").rung("B8H").requires == "B8" and builtin_manual("b2b_corporate").rung("K8H").requires == "K8"


def test_where_the_playbook_calls_before_it_writes_a_person_is_asked_first() -> None:
    manuals = {name: builtin_manual(name) for name in NAMES}
    asked = {(name, r.rung): r.call_first_wd for name, manual in manuals.items() for r in manual.ladder if r.call_first_wd}
    assert asked == {("b2b_sme", "B4"): 2, ("b2b_sme", "B7"): 2, ("b2b_corporate", "K2"): 2}


@pytest.mark.parametrize("name", BUSINESS)
def test_a_business_is_shown_delivery_first_and_its_deciders_get_the_firm_words(name: str) -> None:
    manual = builtin_manual(name)
    assert manual.delivery == "required"
    assert all(rung.roles for rung in manual.ladder if rung.firm and rung.action == "contact")


def test_a_corporate_account_is_never_called_by_a_machine_written_to_by_sms_or_placed_by_itself() -> None:
    manual = builtin_manual("b2b_corporate")
    assert not {Channel.SMS, Channel.VOICE, Channel.WHATSAPP} & {c for rung in manual.ladder for c in rung.channels}
    assert (
        manual.agency is not None
        and manual.agency.minimum == {}
        and not any(r.offer and r.offer.discount_max_pct for r in manual.ladder)
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("balance_usd", "extension", "instalments", "share", "discount"),
    [(100, 10, 2, 50, 20), (1_000, 15, 6, 20, 15), (10_000, 30, 9, 20, 10), (None, 30, 12, 15, 0)],
)
def test_no_offer_exceeds_its_band(
    name: str, balance_usd: int | None, extension: int, instalments: int, share: int, discount: int
) -> None:
    bands = {b.up_to_minor: b for b in builtin_manual(name).bands if b.currency == "USD"}
    band = bands[balance_usd * 100 if balance_usd is not None else None]
    assert (band.extension_days_max, band.instalments_max, band.first_share_min_pct, band.discount_max_pct) == (
        extension, instalments, share, discount,
    )  # fmt: skip
