"""Deductions: what is accepted, what is left to ask, what a gap looks like, and what the next step makes of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.deduction_rules import REQUESTS_MAX
from policies.deductions import Deduction, DeductionIn, Guess, apart, look_like, net_dues, of_base
from policies.facts import Instalment, InvoiceFacts, SkippedRung
from policies.forecast import BookEntry, forecast, settle
from policies.intake import Intake, Unreadable, read_invoice
from policies.intake_model import InvoiceIn
from policies.manual import load_manual
from policies.next_step import next_step
from policies.steps import Ask, Close, Contact, Step, Wait
from policies.terms import AttemptState
from tests.cast import invoice_body
from tests.policies.samples import NOW, agreement, paid, past
from tests.policies.test_next_step import BASE, EMAIL, SMS, ana, at

MANUAL = load_manual(BASE, "t.yaml")
SETTLED = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
KINDS = (
    "retefuente reteiva reteica isr_retenido iva_retenido irpf retencion_igv ir_retenido ritenuta iss_retido irrf"
    " retencion_honorarios other"
).split()


def taken(**change: Any) -> dict[str, Any]:
    """3.5 % of 1,000 as it is posted."""
    return {"kind": "retefuente", "rate": "3.5", "base_minor": 1000, "amount_minor": 35} | change


def read(*deductions: dict[str, Any], **change: Any) -> Intake:
    given_: dict[str, Any] = {"amount_minor": 1000, "deductions": list(deductions)}
    body = invoice_body(**(given_ | change))
    return read_invoice(InvoiceIn.model_validate(body), creditor_country="CO")


def wrong(*deductions: dict[str, Any], **change: Any) -> list[str]:
    with pytest.raises(Unreadable) as caught:
        read(*deductions, **change)
    return [problem.pointer for problem in caught.value.problems]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_accepted_and_the_net_is_left(kind: str) -> None:
    assert [amount for _, _, amount in read(taken(kind=kind)).dues] == [965]


def test_a_sum_may_be_one_minor_unit_from_rate_times_base_and_not_two() -> None:
    assert read(taken(amount_minor=36)).dues[0][2] == 964
    assert wrong(taken(amount_minor=37)) == ["/deductions/0/amount_minor"]
    assert wrong(taken(), taken(amount_minor=33)) == ["/deductions/1/amount_minor"]


def test_a_detraccion_is_deposited_in_whole_soles_at_an_account_that_is_named() -> None:
    whole = {"kind": "detraccion", "rate": "12", "base_minor": 100_33, "amount_minor": 12_00, "where_paid": "state_bank:00-068-1"}
    assert read(whole, amount_minor=100_33, currency="PEN").dues[0][2] == 88_33
    assert wrong(whole | {"where_paid": "payer_withholds"}, amount_minor=100_33, currency="PEN") == ["/deductions/0/where_paid"]
    assert wrong(whole | {"amount_minor": 11_00}, amount_minor=100_33, currency="PEN") == ["/deductions/0/amount_minor"]


def test_deductions_leave_something_to_pay() -> None:
    assert read(taken(rate="99.9", amount_minor=999)).dues[0][2] == 1
    assert wrong(taken(rate="100", amount_minor=1000)) == ["/deductions"]


def test_a_guarantee_falls_due_when_it_is_released() -> None:
    kept = taken(kind="retencion_garantia", rate="5", amount_minor=50, released_on="2026-09-16", where_paid="creditor_account")
    assert read(kept).dues == ((1, date(2026, 3, 16), 950), (2, date(2026, 9, 16), 50))
    assert wrong(kept | {"released_on": "2026-03-15"}) == ["/deductions/0/released_on"]
    assert wrong({k: v for k, v in kept.items() if k != "released_on"}) == ["/deductions/0/released_on"]
    assert wrong(taken(released_on="2026-09-16")) == ["/deductions/0/released_on"]


@example([1, 1, 1], [1], True)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=6), st.lists(st.integers(1, 400), max_size=4), st.booleans())
def test_instalments_and_parts_add_up_to_the_gross_and_none_is_below_nothing(
    sums: list[int], rates: list[int], guarantee: bool
) -> None:
    gross = sum(sums)
    dues = tuple((n, date(2026, 3, 1) + timedelta(days=30 * n), amount) for n, amount in enumerate(sums, 1))
    given_ = [
        DeductionIn(kind="other", rate=f"{rate / 20:.2f}", base_minor=gross, amount_minor=max(of_base(gross, rate_of(rate)), 1))
        for rate in rates
    ]
    if guarantee:
        given_.append(
            DeductionIn(kind="retencion_garantia", rate="5", base_minor=gross, amount_minor=1, released_on=date(2027, 1, 1))
        )
    if sum(one.amount_minor for one in given_) >= gross:
        return
    net = net_dues(dues, given_)
    assert sum(amount for _, _, amount in net) + sum(one.amount_minor for _, one in apart(given_)) == gross
    assert [number for number, _, _ in net] == list(range(1, len(net) + 1))
    assert all(amount >= 0 for _, _, amount in net)


def rate_of(rate: int) -> Decimal:
    return Decimal(f"{rate / 20:.2f}")


@pytest.mark.parametrize(
    ("gap", "gross", "country", "kind", "rate"),
    [
        (2_500, 119_000, "CO", "retefuente", "2.5"),
        (966, 119_000, "CO", "reteica", "0.966"),
        (15_000, 121_000, "ES", "irpf", "15"),
        (12_000, 100_000, "PE", "detraccion", "12"),
        (3_000, 100_000, "PE", "retencion_igv", "3"),
        (1_000, 11_600, "MX", "isr_retenido", "10"),
        (175, 11_500, "EC", "ir_retenido", "1.75"),
        (14_500, 100_000, "CL", "retencion_honorarios", "14.5"),
    ],
)
def test_a_gap_that_equals_a_common_rate_is_known_for_it(gap: int, gross: int, country: str, kind: str, rate: str) -> None:
    found = look_like(gap, gross, "USD", country)
    assert [(guess.kind, guess.rate, guess.amount_minor) for guess in found] == [(kind, rate, gap)]
    assert look_like(gap + 77, gross, "USD", country) == ()


def test_two_withholdings_that_go_together_are_known_together() -> None:
    assert look_like(2_067, 11_600, "MXN", "MX") == (
        Guess("isr_retenido", "10", 10_000, 1_000), Guess("iva_retenido", "10.6667", 10_000, 1_067),
    )  # fmt: skip


# -- the next step


def withheld(**change: Any) -> Deduction:
    fields: dict[str, Any] = {
        "number": 1, "kind": "retefuente", "amount_minor": 3_500, "instalment": 1001, "certificate_required": True,
        "settled_at": SETTLED,
    }  # fmt: skip
    return Deduction(**(fields | change))


def net_paid(**change: Any) -> InvoiceFacts:
    """The net was paid on 2 March; the certificate is missing."""
    settled = (Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=96_500, balance_minor=0),)
    fields: dict[str, Any] = {
        "instalments": settled, "payments": (paid(date(2026, 3, 2), 96_500),), "deductions": (withheld(),), "reach": (EMAIL, SMS),
    }  # fmt: skip
    return ana(**(fields | change))


def obey(facts: InvoiceFacts, now: datetime) -> Step:
    return settle(facts, MANUAL, now)[2]


def test_a_missing_certificate_is_asked_for_and_never_dunned() -> None:
    step = obey(net_paid(), at("2026-03-03 10:00"))
    assert isinstance(step, Contact)
    assert (step.rung, step.template, step.rules[0]) == ("certificate_request", "certificate_request", "deduction.certificate")
    assert step.at == at("2026-03-12 09:00") and not step.firm


@pytest.mark.parametrize(
    "known",
    [
        withheld(certificate_on=date(2026, 3, 9)), withheld(certificate_required=False), withheld(state="declined"),
        withheld(state="reclassified"), withheld(state="moot"),
    ],
)  # fmt: skip
def test_without_a_missing_document_the_paid_invoice_closes(known: Deduction) -> None:
    step = obey(net_paid(deductions=(known,)), at("2026-03-20 10:00"))
    assert isinstance(step, Close) and step.outcome == "paid"


def test_what_is_cancelled_asks_for_no_document() -> None:
    step = obey(net_paid(status="cancelled"), at("2026-03-20 10:00"))
    assert isinstance(step, Close) and step.outcome == "cancelled"


def test_while_something_is_owed_the_ladder_goes_on_and_no_document_is_asked_for() -> None:
    step = obey(ana(deductions=(withheld(settled_at=None),)), at("2026-03-05 10:00"))
    assert isinstance(step, Contact) and step.template == "first_reminder"


def test_requests_come_at_most_monthly_and_six_in_all_then_a_person_is_asked() -> None:
    entry = BookEntry(facts=net_paid(), manual=MANUAL, next_at=at("2026-03-03 10:00"))
    happened = forecast([entry], now=at("2026-03-03 10:00"), until=at("2027-03-03 10:00"))
    sent = [one.at for one in happened if isinstance(one.step, Contact)]
    assert len(sent) == REQUESTS_MAX
    assert all((later - earlier).days >= 31 for earlier, later in zip(sent, sent[1:], strict=False))
    assert [type(one.step) for one in happened[-2:]] == [Ask, Close]
    assert happened[-2].at >= sent[-1] + timedelta(days=30)
    asked = happened[-2].step
    assert isinstance(asked, Ask) and asked.task == "certificate_missing"


def test_a_request_waits_for_the_end_of_what_stops_all_contact() -> None:
    stopped = obey(net_paid(stopped_until=at("2026-04-01 08:00")), at("2026-03-20 10:00"))
    assert isinstance(stopped, Wait) and stopped.rules == ("stop.creditor",)
    exempt = obey(net_paid(exempt_until=at("2026-04-01 08:00")), at("2026-03-20 10:00"))
    assert isinstance(exempt, Wait) and exempt.rules == ("stop.exempt",)


def test_an_agreement_is_judged_before_any_document_is_asked_for() -> None:
    promise = agreement((date(2026, 3, 10), 96_500))
    step = next_step(net_paid(agreements=(promise,)), MANUAL, at("2026-03-20 10:00"))
    assert step.kind == "judge" and step.verdict == "kept"


def test_with_nobody_to_write_to_the_requests_pass_and_a_person_is_asked() -> None:
    entry = BookEntry(facts=net_paid(reach=()), manual=MANUAL, next_at=at("2026-03-03 10:00"))
    happened = forecast([entry], now=at("2026-03-03 10:00"), until=at("2027-03-03 10:00"))
    assert [one.step.kind for one in happened] == ["skip"] * REQUESTS_MAX + ["ask", "close"]


def test_an_unpaid_deposit_is_asked_for_as_a_deposit_and_not_as_a_debt() -> None:
    deposit = withheld(kind="detraccion", where_paid="state_bank:00-068", certificate_required=False, open_minor=12_000)
    step = obey(net_paid(deductions=(deposit,)), at("2026-03-12 09:00"))
    assert isinstance(step, Contact) and (step.template, step.amount_minor) == ("certificate_request", 12_000)
    settled = obey(net_paid(deductions=(deposit.model_copy(update={"open_minor": 0}),)), at("2026-03-12 09:00"))
    assert isinstance(settled, Close) and settled.outcome == "paid"


def gap(**change: Any) -> InvoiceFacts:
    """3,500 of 100,000 are left, and look like a deduction."""
    left = (Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=3_500),)
    guess = withheld(state="proposed", instalment=1, settled_at=None, decide_by=NOW + timedelta(days=10))
    return ana(**({"instalments": left, "deductions": (guess,)} | change))


def test_while_a_deduction_is_proposed_the_rungs_of_that_remainder_wait_until_its_end() -> None:
    step = obey(gap(), NOW)
    assert isinstance(step, Wait) and (step.rules, step.at) == (("deduction.proposed",), NOW + timedelta(days=10))
    over = obey(gap(), NOW + timedelta(days=10))
    assert isinstance(over, Contact)


def test_a_declined_deduction_is_a_short_payment_and_the_ladder_goes_on() -> None:
    step = obey(gap(deductions=(withheld(state="declined", instalment=1),)), NOW)
    assert isinstance(step, Contact) and step.amount_minor == 3_500


def test_other_instalments_go_on_beside_a_proposal_and_ask_without_it() -> None:
    both = (
        Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=3_500),
        Instalment(number=2, due_on=date(2026, 3, 20), amount_minor=50_000, balance_minor=50_000),
    )
    step = obey(gap(instalments=both), NOW)
    assert isinstance(step, Contact) and (step.instalment, step.amount_minor) == (2, 50_000)
    far = (both[0], both[1].model_copy(update={"due_on": date(2026, 6, 1)}))
    waits = obey(gap(instalments=far), NOW)
    assert isinstance(waits, Wait) and waits.at == NOW + timedelta(days=10)


# -- debts counted in an index


def indexed(missing: date | None, **change: Any) -> InvoiceFacts:
    return ana(currency="CLF", payment_currency="CLP", value_missing_on=missing, **change)


def test_a_message_waits_for_the_value_of_its_day_and_operations_are_told_once() -> None:
    now = at("2026-03-10 10:00")
    known, answers, step = settle(indexed(date(2026, 3, 10)), MANUAL, now)
    asked = [answer for _, answer in answers if isinstance(answer, Ask)]
    assert [(one.task, one.key) for one in asked] == [("load_index_value", "CLF:CLP:2026-03-10")]
    assert isinstance(step, Wait) and (step.rules, step.at) == (("index.unknown",), at("2026-03-11 00:00"))
    assert next_step(known, MANUAL, now) == step
    assert isinstance(obey(indexed(None), now), Contact)


def test_a_message_to_come_is_planned_though_its_value_is_not_known_yet() -> None:
    step = obey(indexed(date(2026, 2, 10)), at("2026-02-10 10:00"))
    assert isinstance(step, Contact) and step.at == at("2026-02-27 09:00")


def test_after_ten_days_without_a_value_the_rung_is_passed_over() -> None:
    days = [date(2026, 3, 10) + timedelta(days=n) for n in range(11)]
    asked = tuple(SkippedRung(key=f"0.1.index_value.{day.toordinal()}", why="") for day in days)
    rules = [answer.rules for _, answer in settle(indexed(days[-1], skipped=asked), MANUAL, at("2026-03-20 10:00"))[1]]
    assert ("index.unknown",) in rules
    assert isinstance(obey(indexed(days[-1], skipped=asked[1:]), at("2026-03-20 10:00")), Wait)


def test_a_request_for_a_document_needs_no_value() -> None:
    facts = net_paid(currency="CLF", payment_currency="CLP", value_missing_on=date(2026, 3, 12))
    assert isinstance(obey(facts, at("2026-03-12 09:00")), Contact)


def test_a_request_that_went_out_is_not_made_again() -> None:
    made = past("0.1.certificate_request.0", date(2026, 3, 12), state=AttemptState.ACCEPTED)
    step = obey(net_paid(contacts=(made,)), at("2026-03-13 10:00"))
    assert isinstance(step, Contact) and step.key == "0.1.certificate_request.1"
    assert step.at >= at("2026-04-12 00:00")


@given(
    balances=st.lists(st.integers(0, 5_000), min_size=1, max_size=3),
    states=st.lists(st.sampled_from(["declared", "proposed", "confirmed", "declined", "reclassified", "moot"]), max_size=3),
    days=st.integers(-20, 60),
)
def test_no_step_asks_more_than_is_payable(balances: list[int], states: list[Any], days: int) -> None:
    parts = tuple(
        Instalment(number=n, due_on=date(2026, 3, 1) + timedelta(days=10 * n), amount_minor=5_000, balance_minor=owed)
        for n, owed in enumerate(balances, 1)
    )
    taken_off = tuple(
        withheld(number=n, state=state, instalment=n, amount_minor=700 * n, decide_by=NOW + timedelta(days=n), settled_at=None)
        for n, state in enumerate(states, 1)
    )
    facts = ana(instalments=parts, deductions=taken_off)
    step = obey(facts, NOW + timedelta(days=days))
    if isinstance(step, Contact) and step.template != "certificate_request":
        assert 0 < step.amount_minor <= facts.balance_minor
    elif isinstance(step, Contact):
        assert facts.balance_minor == 0
