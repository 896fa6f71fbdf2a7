"""What holds for every invoice, whatever its facts: the sum asked is the balance, and every step has an end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.facts import Agreement, Hold, Instalment, InvoiceFacts, Milestone, PaymentFact, Placement, Suppression
from policies.forecast import made, settle
from policies.manual import Manual, builtin_manual
from policies.steps import Close, Contact
from policies.terms import Channel
from tests.policies.samples import invoice
from tests.policies.test_next_step import EMAIL, SMS

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
DAY0 = date(2026, 3, 2)
MANUALS = [builtin_manual(name) for name in ("b2c_subscription", "b2c_credit", "b2b_sme", "b2b_corporate", "weekly", "unlimited")]
WHATSAPP = EMAIL.model_copy(update={"address_id": "ana-wa", "channel": Channel.WHATSAPP})

days = st.integers(-60, 120).map(lambda n: DAY0 + timedelta(days=n))
instants = st.integers(-24 * 40, 24 * 90).map(lambda hours: START + timedelta(hours=hours))
kinds = st.sampled_from(["pause", "dispute", "already_paid", "payment_in_process", "owner"])


@st.composite
def instalments(draw: st.DrawFn) -> tuple[Instalment, ...]:
    """One to four, each paid in part, in full or not at all."""
    found = []
    for number, due in enumerate(sorted(draw(st.lists(days, min_size=1, max_size=4))), 1):
        amount = draw(st.integers(1, 5_000_000))
        found.append(Instalment(number=number, due_on=due, amount_minor=amount, balance_minor=draw(st.integers(0, amount))))
    return tuple(found)


@st.composite
def holds(draw: st.DrawFn) -> tuple[Hold, ...]:
    """Up to two, of the whole or a part."""
    found = []
    for number in range(draw(st.integers(0, 2))):
        starts = draw(instants)
        part = draw(st.none() | st.integers(1, 5_000_000))
        ends = starts + timedelta(hours=draw(st.integers(1, 24 * 60)))
        found.append(Hold(id=str(number), kind=draw(kinds), starts_at=starts, until=ends, reason="r", amount_minor=part))
    return tuple(found)


@st.composite
def agreements(draw: st.DrawFn) -> tuple[Agreement, ...]:
    """None, or an open one of one to three dates."""
    if draw(st.booleans()):
        return ()
    dates = sorted(draw(st.lists(days, min_size=1, max_size=3, unique=True)))
    kind: Literal["promise", "plan"] = "promise" if len(dates) == 1 else "plan"
    milestones = tuple(
        Milestone(number=n, due_on=on, amount_minor=draw(st.integers(1, 1_000_000))) for n, on in enumerate(dates, 1)
    )
    at = START - timedelta(days=draw(st.integers(0, 30)))
    return (Agreement(id="a" * 12, kind=kind, made_at=at, made_on=at.date(), grace_days=2, milestones=milestones),)


@st.composite
def lives(draw: st.DrawFn) -> tuple[InvoiceFacts, Manual]:
    """An invoice of any manual, somewhere in its life."""
    entered = START - timedelta(days=draw(st.integers(0, 60)))
    change: dict[str, Any] = {
        "instalments": draw(instalments()), "holds": draw(holds()), "agreements": draw(agreements()), "entered_at": entered,
        "cycle_started_at": entered, "issued_on": DAY0 - timedelta(days=draw(st.integers(0, 90))),
        "reach": draw(st.lists(st.sampled_from([EMAIL, SMS, WHATSAPP]), unique_by=lambda r: r.channel).map(tuple)),
        "stopped_until": draw(st.none() | instants), "exempt_until": draw(st.none() | instants),
        "payments": tuple(
            PaymentFact(paid_on=on, recorded_at=START, amount_minor=amount)
            for on, amount in draw(st.lists(st.tuples(days, st.integers(-1000, 1_000_000)), max_size=3))
        ),
    }  # fmt: skip
    if draw(st.booleans()):
        change["suppressions"] = (Suppression(reason="hardship", until=draw(instants)),)
    if draw(st.integers(0, 4)) == 0:
        state = draw(st.sampled_from(["proposed", "approved", "declined"]))
        change["placement"] = Placement(id="p", state=state, proposed_at=START, decide_by=draw(instants))
    return invoice(**change), draw(st.sampled_from(MANUALS))


def test_a_drill_draws_twenty_thousand_examples_and_an_everyday_run_a_hundred(drilling: bool) -> None:
    assert settings().max_examples == (20_000 if drilling else 100)


@given(life=lives(), now=instants)
def test_the_sum_asked_is_the_balance_that_is_due_less_what_is_in_dispute(
    life: tuple[InvoiceFacts, Manual], now: datetime
) -> None:
    facts, manual = life
    facts, _, step = settle(facts, manual, now)
    if not isinstance(step, Contact):
        return
    held = sum(h.amount_minor or 0 for h in facts.holds if h.starts_at <= now < h.until)
    assert 0 < step.amount_minor <= facts.balance_minor
    if step.template == "promise_reminder":
        promised = {m.amount_minor for a in facts.agreements for m in a.milestones}
        assert step.amount_minor in promised | {facts.balance_minor}
        return
    if step.instalment == 0:  # about the invoice as a whole: is it there?
        assert step.template == "delivery_check"
        return
    asked = next(i for i in facts.instalments if i.number == step.instalment)
    assert step.amount_minor == sum(i.balance_minor for i in facts.instalments if i.due_on <= asked.due_on) - held


@given(life=lives(), now=instants)
def test_every_step_lies_ahead_has_a_reason_and_leads_to_an_end(life: tuple[InvoiceFacts, Manual], now: datetime) -> None:
    facts, manual = life
    for _ in range(400):
        facts, answers, step = settle(facts, manual, now)
        assert all(answer.why and answer.rules for answer in [*(a for _, a in answers), step])
        if isinstance(step, Close):
            return
        if isinstance(step, Contact) and step.at <= now:
            facts = made(facts, step, now)
            continue
        assert step.at > now, "a wait without an end"
        assert step.at - now < timedelta(days=800), "an end that nobody will see"
        now = step.at
    raise AssertionError("400 steps and no end")
