"""The stage itself: one invoice from the API to the customer and back, every part real."""

from __future__ import annotations

from tests.journeys.stage import Stage


async def test_an_invoice_is_posted_reminded_paid_and_closed_without_a_hand(stage: Stage) -> None:
    invoice = await stage.post()
    await stage.outsider("forgetful", days=2, hour=12)
    await stage.play(days=30)
    assert [channel for channel, _, _ in stage.messages()] == ["email", "email"]
    [row] = stage.rows("select outcome, balance_minor from invoice where id = :i", i=invoice)
    assert (row.outcome, row.balance_minor) == ("paid", 0)
    assert [kind for kind in stage.timeline(invoice) if kind in ("accepted", "contacted", "payment_received", "closed")] == [
        "accepted", "contacted", "contacted", "payment_received", "closed",
    ]  # fmt: skip
    states = stage.rows("select distinct state from contact where invoice_id = :i", i=invoice)
    assert [state.state for state in states] == ["delivered"]
