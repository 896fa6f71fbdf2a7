"""Stripe's events: one payment under its several names, counted once; equal sums of two customers, counted twice (I5)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from channels import BadSignature
from channels.gateways import BadBody, read_stripe, stripe_minor, verify_stripe
from ledger.payments import record_payment, record_reversal
from tests.api.conftest import House
from tests.api.outside import gateway, one
from tests.cast import NOW, accepted_invoice

BALANCE = "select balance_minor from invoice where number = 'F-1001'"


@pytest.fixture
def invoice(house: House) -> UUID:
    return accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)


def pi(ref: str = "pi_1", amount: int = 400, **more: Any) -> dict[str, Any]:
    thing = {
        "id": ref,
        "object": "payment_intent",
        "customer": "cus_1",
        "amount": amount,
        "amount_received": amount,
        "currency": "cop",
    }
    return thing | {"metadata": {"puntual_invoice": "F-1001"}} | more


def stripe_invoice(ref: str = "in_1", amount: int = 400, **more: Any) -> dict[str, Any]:
    thing = {"id": ref, "object": "invoice", "customer": "cus_1", "amount_paid": amount, "currency": "cop", "number": "S-1"}
    return thing | {"metadata": {"invoice_number": "F-1001"}} | more


def charge(refunded: int = 0, **more: Any) -> dict[str, Any]:
    thing = {"id": "ch_1", "object": "charge", "amount": 400, "currency": "cop", "paid": True, "payment_intent": "pi_1"}
    return thing | {"amount_refunded": refunded, "metadata": {}} | more


def dispute(status: str = "needs_response") -> dict[str, Any]:
    return {"id": "dp_1", "object": "dispute", "amount": 400, "currency": "cop", "charge": "ch_1", "payment_intent": "pi_1",
            "status": status, "metadata": {}}  # fmt: skip


REPORTS = {
    "intent": ("payment_intent.succeeded", pi()),
    "invoice": ("invoice.paid", stripe_invoice(payment_intent="pi_1", charge="ch_1")),
    "checkout": (
        "checkout.session.completed",
        {"id": "cs_1", "object": "checkout.session", "amount_total": 400, "currency": "cop", "payment_status": "paid",
         "payment_intent": "pi_1", "metadata": {}, "client_reference_id": "F-1001", "mode": "payment"},
    ),
    "charge": ("charge.succeeded", charge(metadata={"puntual_invoice": "F-1001"})),
}  # fmt: skip


@pytest.mark.parametrize("first", REPORTS)
def test_the_same_money_told_by_four_events_is_applied_once(house: House, invoice: UUID, first: str) -> None:
    door = gateway(house, "stripe")
    for number, name in enumerate([first, *(name for name in REPORTS if name != first)]):
        kind, thing = REPORTS[name]
        assert door.event(kind, thing, event_id=f"evt_{number}").status_code == 200
    assert one(house, BALANCE) == 600
    assert one(house, "select count(*) from payment") == 1


@pytest.mark.parametrize("intent_first", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_stripe_invoice_that_no_longer_names_its_payment_counts_once(
    house: House, invoice: UUID, intent_first: bool, named: bool
) -> None:
    door = gateway(house, "stripe")
    intent = pi(metadata={"puntual_invoice": "F-1001"} if named else {})
    reports = [("payment_intent.succeeded", intent), ("invoice.paid", stripe_invoice())]
    for number, (kind, thing) in enumerate(reports if intent_first else reversed(reports)):
        door.event(kind, thing, event_id=f"evt_{number}")
    assert one(house, BALANCE) == 600
    assert one(house, "select array_agg(source_ref || ' ' || unallocated_minor) from payment") == ["pi_1 0"]
    # a second payment of the same sum is other money
    door.event("payment_intent.succeeded", pi("pi_2"), event_id="evt_9")
    assert one(house, BALANCE) == 200
    # and a refund finds the first by its own name
    door.event("charge.refunded", charge(refunded=400), event_id="evt_10")
    assert one(house, BALANCE) == 600


@pytest.mark.parametrize("intent_first", [True, False])
@pytest.mark.parametrize("other", ["cus_2", None])
def test_equal_sums_of_two_customers_are_two_payments(house: House, invoice: UUID, intent_first: bool, other: str | None) -> None:
    door = gateway(house, "stripe")
    others = pi(customer=other, metadata={})
    reports = [("payment_intent.succeeded", others), ("invoice.paid", stripe_invoice())]
    for number, (kind, thing) in enumerate(reports if intent_first else reversed(reports)):
        door.event(kind, thing, event_id=f"evt_{number}")
    assert one(house, "select array_agg(source_ref || ' ' || unallocated_minor order by source_ref) from payment") == [
        "in_1 0",
        "pi_1 400",
    ]


def test_a_refund_and_a_payment_under_different_names_never_pass_each_other(house: House, invoice: UUID) -> None:
    """The refund names the intent and its charge, the payment came under the charge only: they meet on the charge's lock."""
    creditor = house.creditor.id
    with Session(house.database.worker) as first, Session(house.database.worker) as second:
        record_payment(
            first, creditor, source="stripe", source_ref="ch_1", amount_minor=400, currency="COP", paid_on=NOW.date(),
            value_on=NOW.date(), now=NOW, invoice_id=invoice, names=("ch_1",),
        )  # fmt: skip
        second.execute(text("set local lock_timeout = '50ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            record_reversal(
                second, creditor, source="stripe", source_ref="refund", payment_ref="pi_1", amount_minor=400, currency="COP",
                reversed_on=NOW.date(), now=NOW, running_total=True, names=("pi_1", "ch_1"),
            )  # fmt: skip
        second.rollback()
        first.commit()
        record_reversal(
            second, creditor, source="stripe", source_ref="refund", payment_ref="pi_1", amount_minor=400, currency="COP",
            reversed_on=NOW.date(), now=NOW, running_total=True, names=("pi_1", "ch_1"),
        )  # fmt: skip
        second.commit()
    assert one(house, BALANCE) == 1000


def test_refunds_are_a_running_total(house: House, invoice: UUID) -> None:
    door = gateway(house, "stripe")
    door.event("payment_intent.succeeded", pi(), event_id="e1")
    for number, (total, owed) in enumerate([(100, 700), (300, 900), (100, 900)]):
        door.event("charge.refunded", charge(refunded=total), event_id=f"r{number}")
        assert one(house, BALANCE) == owed


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_a_dispute_takes_the_money_once_and_a_won_one_gives_it_back(house: House, invoice: UUID, order: tuple[int, ...]) -> None:
    door = gateway(house, "stripe")
    story: list[tuple[str, dict[str, Any]]] = [
        ("payment_intent.succeeded", pi()), ("charge.dispute.created", dispute()),
        ("charge.dispute.funds_withdrawn", dispute()), ("charge.dispute.closed", dispute("lost")),
    ]  # fmt: skip
    for number in order:
        kind, thing = story[number]
        door.event(kind, thing, event_id=f"e{number}")
    assert one(house, BALANCE) == 1000
    for number, kind in enumerate(("charge.dispute.funds_reinstated", "charge.dispute.closed")):
        door.event(kind, dispute("won"), event_id=f"w{number}")
    assert one(house, BALANCE) == 600


def test_an_inquiry_moves_no_money(house: House, invoice: UUID) -> None:
    door = gateway(house, "stripe")
    door.event("payment_intent.succeeded", pi(), event_id="e1")
    assert (
        door.event("charge.dispute.created", dispute("warning_needs_response"), event_id="e2")
        .json()["result"]
        .startswith("stored")
    )
    assert one(house, BALANCE) == 600


def test_an_unpaid_checkout_is_money_on_its_way(house: House, invoice: UUID) -> None:
    door = gateway(house, "stripe")
    thing = REPORTS["checkout"][1] | {"payment_status": "unpaid", "payment_method_types": ["sepa_debit"]}
    assert door.event("checkout.session.completed", thing, event_id="e1").json()["result"] == "in_process"
    assert one(house, BALANCE) == 1000
    thing = thing | {"payment_status": "paid"}
    door.event("checkout.session.async_payment_succeeded", thing, event_id="e2")
    assert one(house, BALANCE) == 600


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [(500, "clp", 500), (500, "jpy", 500), (1250, "usd", 1250), (500, "isk", 5), (5, "mga", 500)],
)
def test_stripes_sums_in_minor_units(amount: int, currency: str, expected: int) -> None:
    assert stripe_minor(amount, currency) == (expected, currency.upper())


def test_a_fraction_that_a_currency_does_not_have_is_refused() -> None:
    with pytest.raises(BadBody):
        stripe_minor(550, "isk")


@pytest.mark.parametrize(
    "wrong", [{"amount": 10**16, "amount_received": 10**16}, {"metadata": {"puntual_invoice": "F\x001"}}, {"id": "pi_\ud800"}],
    ids=["sum", "reference", "id"],
)  # fmt: skip
def test_what_no_ledger_could_hold_is_refused_and_not_acknowledged(house: House, wrong: dict[str, Any]) -> None:
    thing = {"id": "pi_1", "object": "payment_intent", "amount": 400, "amount_received": 400, "currency": "cop"} | wrong
    answer = gateway(house, "stripe").event("payment_intent.succeeded", thing, event_id="evt_1")
    assert answer.status_code == 400 and one(house, "select count(*) from inbox") == 0


@pytest.mark.shared
def test_every_published_stripe_signature_is_judged_as_published(shared_folder: Path) -> None:
    vectors = json.loads((shared_folder / "data" / "3_signatures" / "vectors.json").read_text())
    ours = [vector for vector in vectors if vector["scheme"] == "stripe-v1"]
    assert len(ours) == 7
    for vector in ours:
        now = datetime.fromtimestamp(vector["now_unix"], tz=UTC)
        body, tolerance = vector["body"].encode(), timedelta(seconds=vector["tolerance_s"])
        try:
            verify_stripe(body, vector["headers"], secret=vector["secret"], now=now, tolerance=tolerance)
            found = "valid"
        except BadSignature:
            found = "invalid"
        if vector["expect"] == "valid-signature-bad-body":
            assert found == "valid"
            with pytest.raises(BadBody):
                read_stripe(body)
        else:
            assert found == vector["expect"], vector["id"]


@pytest.mark.shared
def test_the_published_stripe_events_are_read(shared_folder: Path) -> None:
    said = {}
    for path in sorted((shared_folder / "data" / "4_events" / "stripe").glob("*.json")):
        event = json.loads(path.read_text())
        if event.get("object") == "event":
            found = read_stripe(path.read_bytes())
            said[path.stem] = (found.what, found.amount_minor, found.currency, found.money[:3])
    assert said == {
        "charge.dispute.created": ("nothing", 100, "USD", "ch_"), "charge.refunded": ("refunded_total", 100, "USD", "ch_"),
        "invoice.finalized": ("nothing", 0, "", ""), "invoice.paid": ("paid", 2000, "USD", "pi_"),
        "invoice.payment_failed": ("nothing", 0, "", ""), "payment_intent.succeeded": ("paid", 2000, "USD", "pi_"),
    }  # fmt: skip
    bare = json.loads((shared_folder / "data" / "4_events" / "stripe" / "pay_charge.succeeded.json").read_text())
    wrapped = json.dumps({"id": "evt_1", "type": "charge.succeeded", "created": 1, "data": bare}).encode()
    assert read_stripe(wrapped).amount_minor == 500
