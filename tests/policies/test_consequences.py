"""A text may only announce what the manual will really do, after its notice and the longer of the manual's and the law's wait."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from policies.consequences import ANNOUNCES, legal_wait_days, may_act_from
from policies.facts import LawTerms
from policies.ladder import candidates
from policies.law.late_debts import money_rules
from policies.manual import BUILTIN, Consequence, Manual, ManualError, builtin_manual, load_manual
from policies.messages import MESSAGES
from policies.terms import DebtorKind
from tests.policies.samples import invoice, past

SMALL = """\
name: small
version: 1
ladder:
  - {rung: N, day: D+10, channels: [email], template: suspension_notice}
  - {rung: A, day: D+16, channels: [email], template: suspended, requires: N}
consequences:
  - {kind: suspension, notice: suspension_notice, wait_days: 6, done_by: A}
"""


def test_a_manual_that_does_what_it_announces_is_read() -> None:
    assert load_manual(SMALL, "small.yaml").consequences == (
        Consequence(kind="suspension", notice="suspension_notice", wait_days=6, done_by="A"),
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("consequences:\n", "pauses: {}\nx:\n", "small.yaml:7: x: is not a field here"),
        (
            "kind: suspension",
            "kind: protest",
            "ladder[0].template: rung N announces a suspension by suspension_notice, and the manual",
        ),
        ("kind: suspension", "kind: protest", "rung A says by suspended that there is a suspension, and the manual does none"),
        ("notice: suspension_notice", "notice: record_notice", "no rung sends record_notice: what is done must be announced"),
        ("done_by: A", "done_by: B", "consequences[0].done_by: there is no rung B; name the rung that does it"),
        ("done_by: A", "done_by: late_charges", "late_charges does interest, not a suspension"),
        ("wait_days: 6", "wait_days: 7", "rung A (D+16) comes 6 days after N (D+10), and 7 must lie between them"),
        ("day: D+16", "day: D+3wd", "must lie between them"),
        (", requires: N", "", "rung A does what N announces: add requires: N; what was not announced is not done"),
    ],
)
def test_a_threat_that_is_not_carried_out_or_comes_too_soon_is_refused(old: str, new: str, expected: str) -> None:
    with pytest.raises(ManualError) as refused:
        load_manual(SMALL.replace(old, new), "small.yaml")
    assert expected in str(refused.value)


def test_interest_is_announced_only_where_it_is_posted() -> None:
    text = """\
name: small
version: 1
ladder:
  - {rung: N, day: D+10, channels: [email], template: interest_notice}
  - {rung: H, day: D+17, action: task, template: hold_new_orders, requires: N}
late_charges: {interest: statutory}
consequences:
  - {kind: interest, notice: interest_notice, wait_days: 7, done_by: late_charges}
  - {kind: order_hold, notice: interest_notice, wait_days: 7, done_by: H}
"""
    load_manual(text, "small.yaml")
    for silent in ("late_charges: {interest: none}", "late_charges: null"):
        with pytest.raises(ManualError, match="late_charges posts no interest"):
            load_manual(text.replace("late_charges: {interest: statutory}", silent), "small.yaml")
    with pytest.raises(ManualError, match="announces interest by interest_notice"):
        load_manual(text.replace("kind: interest", "kind: protest"), "small.yaml")


@pytest.mark.parametrize("name", BUILTIN)
def test_each_manual_of_the_product_does_what_its_messages_announce(name: str) -> None:
    manual = builtin_manual(name)
    said = {(r.template, kind) for r in manual.ladder if r.action == "contact" for kind in ANNOUNCES.get(r.template, ())}
    assert said <= {(c.notice, c.kind) for c in manual.consequences}
    assert set(ANNOUNCES) <= MESSAGES


CO = LawTerms(packs=("CO",), zones=("America/Bogota",), debtor=DebtorKind.CONSUMER)
MX = LawTerms(packs=("MX",), zones=("America/Mexico_City",), debtor=DebtorKind.CONSUMER)


def record(wait_days: int) -> Manual:
    """A notice and an entry in the credit record three days later, as the ladder has it."""
    return load_manual(
        f"""\
name: record
version: 1
send_at: "09:00"
ladder:
  - {{rung: N, day: D+10, channels: [email], template: record_notice}}
  - {{rung: A, day: D+13, action: task, template: credit_record_entry, requires: N}}
consequences:
  - {{kind: credit_record, notice: record_notice, wait_days: {wait_days}, done_by: A}}
""",
        "record.yaml",
    )


def test_the_law_of_colombia_waits_20_days_between_notice_and_credit_record() -> None:
    asked = {"on": date(2026, 3, 1), "party": "first", "debtor": "consumer"}
    assert legal_wait_days(money_rules(CO), "credit_record", **asked) == 20  # type: ignore[arg-type]
    assert legal_wait_days(money_rules(CO), "suspension", **asked) == 0  # type: ignore[arg-type]
    entry = record(3).consequences[0]
    assert may_act_from(entry, date(2026, 3, 2), money_rules(CO), **asked) == date(2026, 3, 22)  # type: ignore[arg-type]
    assert may_act_from(entry, date(2026, 3, 2), money_rules(MX), **asked) == date(2026, 3, 5)  # type: ignore[arg-type]
    assert may_act_from(entry, None, money_rules(CO), **asked) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("law", "first"), [(CO, date(2026, 4, 4)), (MX, date(2026, 3, 18)), (None, date(2026, 3, 18))])
def test_the_act_waits_from_the_day_on_which_its_notice_really_went_out(law: LawTerms | None, first: date) -> None:
    facts = invoice(law=law, contacts=(past("1.1.N.0", date(2026, 3, 15)),))
    act = next(c for c in candidates(facts, record(3)) if c.rung.rung == "A")
    assert act.day == first
    assert act.at > datetime(2026, 3, 17, tzinfo=UTC)
