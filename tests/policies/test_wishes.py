"""What the debtor asked for shapes the next step: the channel first, the hours only, the closed channels never, save by law."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from policies.facts import Instalment, InvoiceFacts, LawTerms, Reach, SkippedRung
from policies.law.packs import packs_for, shipped_packs
from policies.law.place import BY_A_PERSON, LIVE
from policies.law.vocabulary import FACTS
from policies.manual import load_manual
from policies.next_step import next_step
from policies.steps import Contact, Step
from policies.terms import Channel
from tests.policies.samples import BOGOTA, NOW, entry, invoice

MANUAL = """
name: wishes
version: 1
limits: {holidays: true}
ladder:
  - {rung: S1, day: D+8, channels: [email, whatsapp], template: first_reminder, legal_notice: %s}
"""


def reach(channel: Channel, **changes: Any) -> Reach:
    fields = {"person_id": "ana", "address_id": channel.value, "role": "holder", "channel": channel, "permitted": True}
    return Reach(**(fields | changes))


def asked(*, legal_notice: bool = False, email: dict[str, Any] | None = None, **changes: Any) -> Step:
    law = LawTerms(packs=packs_for("CO"), zones=(BOGOTA,), facts=changes.pop("facts", {}))
    ways = (reach(Channel.EMAIL, **(email or {})), reach(Channel.WHATSAPP))
    facts: InvoiceFacts = invoice(law=law, reach=changes.pop("ways", ways), **changes)
    manual = load_manual(MANUAL % "false", "wishes.yaml")
    if legal_notice:  # of such a rung the manual's check would want a whole announcement
        manual = manual.model_copy(update={"ladder": (manual.ladder[0].model_copy(update={"legal_notice": True}),)})
    return next_step(facts, manual, NOW)


def test_without_a_wish_the_order_of_the_rung_decides() -> None:
    step = asked()
    assert isinstance(step, Contact) and step.channel is Channel.EMAIL


def test_the_preferred_channel_comes_first() -> None:
    step = asked(preferred=Channel.WHATSAPP)
    assert isinstance(step, Contact) and step.channel is Channel.WHATSAPP


def test_the_preferred_hours_are_waited_for_inside_the_law() -> None:
    step = asked(facts={"preferred_window": ("18:00", "20:00")})
    assert isinstance(step, Contact) and step.rules == ("ladder.S1", "HOUSE.wishes")
    assert step.at.isoformat() == "2026-03-10T23:00:00+00:00"  # 18:00 in Bogotá
    assert step.window_ends.isoformat() == "2026-03-11T00:00:00+00:00"  # the law closes at 19:00


@pytest.mark.parametrize(("legal_notice", "kind"), [(True, "contact"), (False, "skip")])
def test_an_opt_out_silences_everything_but_a_notice_that_the_law_requires(legal_notice: bool, kind: str) -> None:
    closed = {"permitted": False, "why_not": "opted out"}
    ways = (reach(Channel.EMAIL, **closed),)
    assert asked(legal_notice=legal_notice, ways=ways, entered_at=NOW, issued_on=date(2026, 2, 1)).kind == kind


def test_a_dead_address_stays_dead_for_a_legal_notice_too() -> None:
    dead = {"permitted": False, "why_not": "address retired: bounced"}
    assert asked(legal_notice=True, ways=(reach(Channel.EMAIL, **dead),)).kind == "skip"


def test_a_channel_that_was_never_authorised_gives_way_to_the_next_in_colombia() -> None:
    step = asked(email={"authorised": False})
    assert isinstance(step, Contact) and step.channel is Channel.WHATSAPP


FIRM = """
name: firm
version: 1
ladder:
  - {rung: S1, day: D+1, channels: [email], template: first_reminder}
  - {rung: S2, day: D+8, channels: [email], template: %s, firm: %s}
"""


@pytest.mark.parametrize(
    ("due_on", "template", "firm", "kind"),
    [
        (date(2026, 3, 2), "first_reminder", True, "contact"),
        (date(2010, 3, 2), "first_reminder", True, "skip"),
        (date(2010, 3, 2), "first_reminder", False, "contact"),
    ],
)
def test_past_its_limitation_a_debt_is_not_chased_firmly(due_on: date, template: str, firm: bool, kind: str) -> None:
    manual = load_manual(FIRM % (template, str(firm).lower()), "firm.yaml")
    dues = (Instalment(number=1, due_on=due_on, amount_minor=100_000, balance_minor=100_000),)
    law = LawTerms(packs=packs_for("CO"), zones=(BOGOTA,))
    facts = invoice(law=law, reach=(reach(Channel.EMAIL),), instalments=dues, skipped=(SkippedRung(key="1.1.S1.0", why="-"),))
    now = datetime(due_on.year + (16 if due_on.year == 2010 else 0), 3, 10, 15, tzinfo=UTC)
    facts = facts.model_copy(update={"cycle_started_at": datetime(due_on.year, 2, 1, tzinfo=UTC)})
    step = next_step(facts, manual, now)
    assert step.kind == kind
    assert ("limitation.passed" in step.rules) == (kind == "skip")


def agency_in_ontario(**changes: Any) -> Step:
    law = LawTerms(packs=packs_for("CA", "ON"), zones=("America/Toronto",), party="third", facts=changes.pop("facts", {}))
    ways = (reach(Channel.EMAIL), reach(Channel.LETTER))
    manual = load_manual(MANUAL.replace("[email, whatsapp]", "[email, letter]") % "false", "ontario.yaml")
    facts = invoice(law=law, reach=ways, zone="America/Toronto", country="CA", region="ON", **changes)
    return next_step(facts, manual, NOW)


def test_where_a_notice_comes_first_only_the_letter_may_go_before_it() -> None:
    step = agency_in_ontario()
    assert isinstance(step, Contact) and step.channel is Channel.LETTER


def test_after_the_notice_its_wait_is_kept() -> None:
    step = agency_in_ontario(facts={"notice_sent": "2026-03-06"})
    assert isinstance(step, Contact) and step.channel is Channel.EMAIL
    assert step.at == datetime(2026, 3, 12, 13, tzinfo=UTC)  # six days from the 6th, at the manual's hour


def test_a_rung_that_no_law_lets_out_says_which_one() -> None:
    closed = {"authorised": False}
    step = asked(ways=(reach(Channel.EMAIL, **closed), reach(Channel.WHATSAPP, **closed)))
    assert step.kind == "skip" and "CO.authorised_channel" in step.rules
    assert "in Colombia only channels that the consumer authorised may be used" in step.why


def test_a_legal_notice_overrides_a_refusal_and_never_a_missing_consent() -> None:
    closed = {"permitted": False, "authorised": False, "why_not": "opted out"}
    assert asked(legal_notice=True, ways=(reach(Channel.EMAIL, **closed),)).kind == "skip"


@pytest.mark.parametrize(
    ("country", "region", "role", "party", "kind"),
    [
        ("CO", "", "holder", "first", "contact"),
        ("CO", "", "reference", "first", "skip"),
        ("CO", "", "neighbour", "first", "skip"),
        ("CO", "", "guarantor", "first", "skip"),  # lawful, and still only by a rung for guarantors
        ("MX", "", "family_member", "first", "skip"),
        ("CL", "", "employer", "first", "skip"),
        ("AR", "C", "spouse", "third", "skip"),
        ("US", "TX", "workmate", "third", "skip"),
        ("US", "TX", "spouse", "third", "contact"),
        ("GB", "", "somebody_else", "first", "skip"),
    ],
)
def test_nobody_but_those_the_law_names_is_told_of_a_debt(country: str, region: str, role: str, party: str, kind: str) -> None:
    law = LawTerms.model_validate({
        "packs": packs_for(country, region), "zones": (BOGOTA,), "party": party,
        "facts": {"debt_type": "regulated_credit"},
    })  # fmt: skip
    facts = invoice(law=law, reach=(reach(Channel.EMAIL, role=role),), country=country, region=region)
    assert next_step(facts, load_manual(MANUAL % "false", "wishes.yaml"), NOW).kind == kind


def test_an_automatic_call_is_a_recorded_call() -> None:
    law = LawTerms(packs=packs_for("US", "TX"), zones=("America/Chicago",), party="third")
    calls = tuple(entry(NOW - timedelta(days=days), channel=Channel.VOICE) for days in (9, 16, 23))
    manual = load_manual((MANUAL % "false").replace("[email, whatsapp]", "[voice]"), "calls.yaml")
    voice = (reach(Channel.VOICE),)
    facts = invoice(law=law, reach=voice, zone="America/Chicago", country="US", region="TX", budget=calls)
    step = next_step(facts, manual, NOW)
    assert step.at.date() > NOW.date() and "US-FED.recorded_calls" in step.rules


def test_every_fact_that_a_rule_hangs_on_is_known_live_or_told_to_be_a_persons_task() -> None:
    named = {
        name for pack in shipped_packs() for rule in pack.rules for condition in (rule.when, *rule.unless) for name in condition
    }
    assert named - LIVE - set(BY_A_PERSON) == set()
    assert not LIVE & set(BY_A_PERSON) and (LIVE | set(BY_A_PERSON)) <= set(FACTS)
