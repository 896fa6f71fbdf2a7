"""What other dunning products' own tests demand of ladders, limits and exemptions: a test with each id, or why ours differs.

The ids are those of a list of peers' behaviours; the facts are restated here in our own terms.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from policies.facts import Hold, Instalment, InvoiceFacts, Reach
from policies.forecast import BookEntry, after, forecast
from policies.manual import Manual, ManualError, load_manual
from policies.next_step import next_step
from policies.steps import Close, Contact, Skip, Step, Wait
from policies.terms import Channel
from tests.policies.samples import invoice, paid, past

UTC_ZONE = "Europe/London"
DIFFERS = {
    "KB-04": "A draft is never posted, so there is nothing to chase; what is posted is an issued invoice.",
    "OCA-11": "There are no runs: each invoice has its own moment; the business clock never goes back (tests/test_clock.py).",
    "LAGO-02": "The least balance is counted on each invoice, which has its own ladder, not on the customer's sum.",
}
ELSEWHERE = {
    "OCA-16": "tests/activities/test_folding.py",
    "ERP-01": "tests/policies/test_charges.py",
    "ERP-02": "tests/policies/test_charges.py",
    "ERP-07": "tests/activities/test_folding.py",
    "INJ-07": "tests/policies/test_charges.py",
}


def ladder(*rungs: str, send_at: str = "09:00") -> Manual:
    lines = "\n".join(f"  - {{{rung}, template: first_reminder}}" for rung in rungs)
    text = f'name: peer\nversion: 1\nsend_at: "{send_at}"\ndeadline_basis: as_stated\nladder:\n{lines}\n'
    return load_manual(text, "peer.yaml")


def stage(number: int, day: str, more: str = "channels: [email]") -> str:
    return f"rung: L{number}, day: {day}, {more}"


def owed(due_on: date = date(2026, 3, 1), amount_minor: int = 10_000, **changes: Any) -> InvoiceFacts:
    ways = tuple(
        Reach(person_id="p", address_id=c.value, role="payables", channel=c, permitted=True)
        for c in (Channel.EMAIL, Channel.LETTER)
    )
    entered = datetime(due_on.year, due_on.month, due_on.day, tzinfo=UTC) - timedelta(days=60)
    dues = (Instalment(number=1, due_on=due_on, amount_minor=amount_minor, balance_minor=amount_minor),)
    fields: dict[str, Any] = {
        "zone": UTC_ZONE, "country": "GB", "place_of_payment": "GB", "reach": ways, "entered_at": entered, "instalments": dues,
        "cycle_started_at": entered, "issued_on": entered.date(),
    }  # fmt: skip
    return invoice(amount_minor, **(fields | changes))


def lived(facts: InvoiceFacts, manual: Manual, start: date, until: date) -> list[tuple[date, str]]:
    """The contacts that happen, by day and rung."""
    now, end = _at(start), _at(until, 23)
    found = forecast([BookEntry(facts=facts, manual=manual, next_at=now)], now=now, until=end)
    return [(p.at.date(), p.step.rung) for p in found if isinstance(p.step, Contact)]


def at_once(facts: InvoiceFacts, manual: Manual, day: date, hour: int = 12) -> Step:
    """What is decided at one moment, once everything that is passed over is."""
    now = _at(day, hour)
    while isinstance(step := next_step(facts, manual, now), Skip):
        facts = after(facts, step, now)
    return step


def _at(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.mark.parametrize("peer", ["KB-01", "KB-03"])
def test_stages_follow_the_age_of_the_debt_to_the_day(peer: str) -> None:
    manual = ladder(stage(1, "D+30"), stage(2, "D+40"), stage(3, "D+50"))
    happened = lived(owed(), manual, date(2026, 3, 1), date(2026, 5, 30))
    assert happened == [(date(2026, 3, 31), "L1"), (date(2026, 4, 10), "L2"), (date(2026, 4, 20), "L3")], peer


def test_kb_07_what_is_left_is_chased_at_its_own_age() -> None:
    manual = ladder(stage(1, "D+30"))
    older, newer = owed(date(2026, 3, 1)), owed(date(2026, 3, 31), invoice_id="inv-2")
    settled = older.model_copy(update={"instalments": (older.instalments[0].model_copy(update={"balance_minor": 0}),)})
    assert isinstance(at_once(settled, manual, date(2026, 4, 5)), Close)
    step = at_once(newer, manual, date(2026, 4, 5))
    assert isinstance(step, Contact) and step.at.date() == date(2026, 4, 30)


def test_kb_12_what_is_written_off_is_not_chased() -> None:
    """A write-off is not taken back: what is claimed again comes in as an invoice of its own and enters at its age (F9)."""
    manual = ladder(stage(1, "D+30"), stage(2, "D+40"))
    step = at_once(owed(status="written_off"), manual, date(2026, 4, 20))
    assert isinstance(step, Close) and step.outcome == "written_off"
    entered = datetime(2026, 4, 5, tzinfo=UTC)
    again = owed(entered_at=entered, cycle_started_at=entered)
    assert lived(again, manual, date(2026, 4, 5), date(2026, 5, 5)) == [(date(2026, 4, 10), "L2")]


@pytest.mark.parametrize("peer", ["KB-14", "LAGO-04", "OCA-10 no follow"])
def test_an_exempt_customer_is_left_alone_and_taken_up_again(peer: str) -> None:
    manual, until = ladder(stage(1, "D+5")), _at(date(2026, 3, 20))
    facts = owed(exempt_until=until)
    step = at_once(facts, manual, date(2026, 3, 8))
    assert isinstance(step, Wait) and step.at == until, peer
    back = at_once(facts, manual, date(2026, 3, 20), 10)
    assert isinstance(back, Contact) and back.rung == "L1"


def test_kb_15_each_stage_on_its_day() -> None:
    manual = ladder(stage(1, "D+5"), stage(2, "D+7"), stage(3, "D+11"))
    happened = lived(owed(), manual, date(2026, 3, 1), date(2026, 3, 11))
    assert happened == [(date(2026, 3, 6), "L1"), (date(2026, 3, 8), "L2"), (date(2026, 3, 12), "L3")][:2]


def test_kb_16_after_a_standstill_only_the_severest_stage_is_sent() -> None:
    manual = ladder(stage(1, "D+5"), stage(2, "D+7"), stage(3, "D+11"))
    assert lived(owed(), manual, date(2026, 3, 9), date(2026, 3, 11)) == [(date(2026, 3, 9), "L2")]


@pytest.mark.parametrize(("amount", "day", "kind"), [(10_000, 11, "contact"), (9_999, 11, "skip"), (10_000, 10, "later")])
def test_kb_18_a_boundary_that_is_met_counts(amount: int, day: int, kind: str) -> None:
    manual = ladder(stage(1, "D+10", "channels: [email], minimum: {USD: 10000}"))
    step = next_step(owed(amount_minor=amount), manual, _at(date(2026, 3, day), 12))
    assert step.kind == ("contact" if kind == "later" else kind)
    assert (step.at > _at(date(2026, 3, day), 12)) == (kind == "later")


def test_oca_01_02_03_one_notice_a_level_and_the_third_by_letter() -> None:
    manual = ladder(stage(1, "D+10"), stage(2, "D+41"), stage(3, "D+45", "channels: [letter], after_contact_days: 10"))
    facts = owed(date(2013, 1, 18), 30_000)
    month = [lived(facts, manual, date(2013, 1, 1), end) for end in (date(2013, 1, 31), date(2013, 2, 28), date(2013, 3, 31))]
    assert month[0] == [(date(2013, 1, 28), "L1")]
    assert month[1][1:] == [(date(2013, 2, 28), "L2")]
    assert month[2][2:] == [(date(2013, 3, 10), "L3")], "ten days after the previous one"
    by_letter = at_once(
        facts.model_copy(update={"contacts": (past("1.1.L1.0", date(2013, 1, 28)), past("1.1.L2.0", date(2013, 2, 28)))}),
        manual, date(2013, 3, 10),
    )  # fmt: skip
    assert isinstance(by_letter, Contact) and by_letter.channel is Channel.LETTER


def test_oca_03_a_part_payment_lowers_what_is_asked_and_not_what_was_due() -> None:
    dues = (
        Instalment(number=1, due_on=date(2013, 3, 1), amount_minor=45_000, balance_minor=15_000),
        Instalment(number=2, due_on=date(2013, 6, 1), amount_minor=105_000, balance_minor=105_000),
    )
    facts = owed(date(2013, 3, 1), 150_000, instalments=dues)
    step = at_once(facts, ladder(stage(1, "D+10")), date(2013, 3, 31))
    assert isinstance(step, Contact) and step.amount_minor == 15_000
    assert facts.instalments[0].amount_minor == 45_000


def test_oca_10_a_sum_below_what_a_message_is_worth_is_not_chased() -> None:
    manual = load_manual(
        "name: peer\nversion: 1\nminimums: {email: {USD: 100}, letter: {USD: 100}}\nladder:\n"
        "  - {rung: L1, day: D+5, channels: [email, letter], template: first_reminder}\n",
        "peer.yaml",
    )
    assert lived(owed(amount_minor=9), manual, date(2026, 3, 1), date(2026, 6, 1)) == []


def test_oca_12_one_level_at_each_date() -> None:
    manual = ladder(stage(1, "D+10"), stage(2, "D+20"), stage(3, "D+30"))
    for days, levels in ((10, 1), (20, 2), (30, 3)):
        happened = lived(owed(), manual, date(2026, 3, 1), date(2026, 3, 1) + timedelta(days=days))
        assert [rung for _, rung in happened] == ["L1", "L2", "L3"][:levels]


def test_oca_15_the_first_level_has_no_previous_one() -> None:
    with pytest.raises(ManualError, match="no contact before it"):
        ladder(stage(1, "D+1", "channels: [email], after_contact_days: 5"))


@pytest.mark.parametrize(("days", "sent"), [(3, []), (15, ["L1"])])
def test_odoo_01_02_the_boundary_day_is_included(days: int, sent: list[str]) -> None:
    happened = lived(
        owed(), ladder(stage(1, "D+15"), stage(2, "D+30")), date(2026, 3, 1), date(2026, 3, 1) + timedelta(days=days)
    )
    assert [rung for _, rung in happened] == sent


def test_odoo_05_no_level_while_disputed_and_a_normal_climb_after() -> None:
    manual = ladder(stage(1, "D+15"), stage(2, "D+30"), stage(3, "D+60"))
    until = _at(date(2026, 4, 15))
    held = Hold(id="h", kind="dispute", starts_at=_at(date(2026, 3, 2)), until=until, reason="quality")
    facts = owed(holds=(held,))
    assert isinstance(at_once(facts, manual, date(2026, 4, 10)), Wait)
    happened = lived(facts, manual, date(2026, 4, 10), date(2026, 6, 1))
    assert happened == [(date(2026, 4, 15), "L2"), (date(2026, 4, 30), "L3")], "caught up once, then as usual"


@pytest.mark.parametrize("peer", ["ERP-03", "INJ-02", "LAGO-10 paid"])
def test_what_is_paid_is_closed_and_never_reminded(peer: str) -> None:
    dues = (Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100, balance_minor=0),)
    settled = owed(instalments=dues, payments=(paid(date(2026, 3, 10), 100),))
    step = at_once(settled, ladder(stage(1, "D+5")), date(2026, 3, 20))
    assert isinstance(step, Close) and step.outcome == "paid", peer


@pytest.mark.parametrize(("due", "overdue"), [(1, True), (2, True), (-1, False)])
def test_lago_01_10_overdue_begins_the_day_after_the_due_date(due: int, overdue: bool) -> None:
    today = date(2026, 3, 10)
    step = at_once(owed(today - timedelta(days=due)), ladder(stage(1, "D+1")), today)
    assert isinstance(step, Contact) and (step.at <= _at(today, 12)) == overdue


def test_lago_02_so_many_attempts_so_far_apart_and_no_more() -> None:
    manual = ladder(stage(1, "D+3", "channels: [email], repeat: {every_days: 3, at_most: 2}"))
    happened = lived(owed(), manual, date(2026, 3, 1), date(2026, 5, 1))
    assert [day for day, _ in happened] == [date(2026, 3, 4), date(2026, 3, 7)]


def test_inj_01_the_first_reminder_counts_from_the_day_of_issue() -> None:
    issued = date(2026, 3, 1)
    manual = ladder(stage(1, "I+7"), stage(2, "D-1"), stage(3, "D+1"))
    entered = _at(issued)
    facts = owed(issued + timedelta(days=30), issued_on=issued, entered_at=entered, cycle_started_at=entered)
    step = at_once(facts, manual, issued)
    assert isinstance(step, Contact) and step.at.date() == date(2026, 3, 8)


def test_inj_09_each_moment_is_at_the_hour_of_the_customers_zone_across_a_clock_change() -> None:
    manual = ladder(stage(1, "D-4"), stage(2, "D-2"), stage(3, "D+3"), send_at="08:00")
    facts = owed(date(2026, 3, 30), zone="Europe/London")  # the clocks change on 29 March
    now = _at(date(2026, 3, 20))
    found = forecast([BookEntry(facts=facts, manual=manual, next_at=now)], now=now, until=_at(date(2026, 4, 5)))
    sent = [p.at.isoformat() for p in found if isinstance(p.step, Contact)]
    assert sent == ["2026-03-26T08:00:00+00:00", "2026-03-28T08:00:00+00:00", "2026-04-02T07:00:00+00:00"]


@pytest.mark.shared
def test_every_behaviour_of_the_list_has_its_test_or_its_reason(shared_folder: Path) -> None:
    listed = {row["id"] for row in json.loads((shared_folder / "data/7_dunning/behaviours.json").read_text(encoding="utf-8"))}
    here = Path(__file__).read_text(encoding="utf-8").lower().replace("_", "-")
    named = {peer for peer in listed if peer.lower() in here}
    assert listed - named - _in_groups(here) == set()


@pytest.mark.parametrize(("peer", "place"), ELSEWHERE.items())
def test_what_is_tried_elsewhere_is_named_there(peer: str, place: str) -> None:
    assert peer in (Path(__file__).parents[2] / place).read_text(encoding="utf-8").upper().replace("_", "-")


def _in_groups(text: str) -> set[str]:
    """Ids that share a test whose name lists them: `oca_01_02_03`."""
    groups = {
        "oca-01-02-03": ("OCA-01", "OCA-02", "OCA-03"),
        "odoo-01-02": ("ODOO-01", "ODOO-02"),
        "lago-01-10": ("LAGO-01", "LAGO-10"),
    }
    return {peer for name, peers in groups.items() if name in text for peer in peers}
