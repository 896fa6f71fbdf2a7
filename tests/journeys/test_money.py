"""Money and time over the wire: what a payment, a broken word, a chargeback and our own downtime change (F2, F12, F13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.conftest import Database
from tests.journeys.own_temporal import OwnTemporal
from tests.journeys.stage import Stage, set_stage

OWED = 25_000_000


def _sent(stage: Stage, invoice: UUID) -> list[tuple[str, str, int]]:
    """(rung, text, minor units asked) of what went out, in order."""
    rows = stage.rows(
        "select rung, template, amount_minor from contact where invoice_id = :i and state in ('accepted', 'delivered')"
        " order by at_utc, attempt",
        i=invoice,
    )
    return [tuple(row) for row in rows]


def _invoice(stage: Stage, invoice: UUID) -> Any:
    return stage.rows("select outcome, balance_minor, cycle from invoice where id = :i", i=invoice)[0]


async def test_a_part_payment_lowers_the_next_sum_that_is_asked(stage: Stage) -> None:
    invoice = await stage.post()
    await stage.play(days=18)
    assert (await stage.pays("p-1", 10_000_000)).json()["result"] == "applied"
    await stage.play(days=10)
    assert [(rung, asked) for rung, _, asked in _sent(stage, invoice)] == [("S1", OWED), ("S2", OWED), ("S3", 15_000_000)]
    assert "150.000" in stage.simulator.world.sent[-1].text and "250.000" not in stage.simulator.world.sent[-1].text


async def test_a_broken_promise_brings_the_text_that_says_so(stage: Stage) -> None:
    invoice = await stage.post()
    await stage.play(days=18)
    promise = {"on": (stage.now + timedelta(days=3)).date().isoformat()}
    answer = await stage.api.post(f"/v1/invoices/{invoice}/promise", json=promise, headers=stage.as_creditor())
    assert answer.status_code == 201, answer.text
    await stage.play(days=12)
    assert "promise_broken" in stage.timeline(invoice) and _invoice(stage, invoice).cycle == 2
    after = [template for _, template, _ in _sent(stage, invoice)]
    assert after[:3] == ["pre_due", "first_reminder", "missed_promise"]


async def test_a_chargeback_reopens_the_invoice_and_says_so(stage: Stage) -> None:
    invoice = await stage.post()
    await stage.play(days=18)
    await stage.pays("p-1", OWED)
    await stage.play(days=5)
    assert _invoice(stage, invoice).outcome == "paid"
    back = {"type": "payment.reversed", "reverses": "p-1", "reason": "chargeback"}
    assert (await stage.pays("r-1", OWED, **back)).json()["result"] == "applied"
    await stage.play(days=14)
    assert tuple(_invoice(stage, invoice))[1:] == (OWED, 2)
    templates = [template for _, template, _ in _sent(stage, invoice)]
    assert templates[:3] == ["pre_due", "first_reminder", "reopened"]


async def test_a_worker_that_was_down_over_three_rungs_sends_one_late_message(stage: Stage) -> None:
    invoice = await stage.post()
    await stage.play(days=1)
    await stage.worker.down()
    await stage.player.start(stage.now + timedelta(days=24))  # 27 March: the three rungs fell on the 13th, the 19th and the 26th
    stage.worker.up()
    await stage.play(until=stage.now + timedelta(days=27))
    assert [(rung, asked) for rung, _, asked in _sent(stage, invoice)] == [("S3", OWED)]
    assert stage.rows("select late_days from contact where invoice_id = :i", i=invoice)[0].late_days == 1
    assert stage.timeline(invoice).count("rung_skipped") == 2 and len(stage.messages()) == 1


async def test_a_payment_told_while_temporal_is_down_is_acknowledged_and_drained_afterwards(
    own_temporal: OwnTemporal, database: Database
) -> None:
    async with set_stage(database, own_temporal.as_server) as stage:
        invoice = await stage.post()
        await stage.play(days=1)
        own_temporal.stop()
        told = await stage.pays("p-1", OWED)
        assert (told.status_code, told.json()["result"]) == (200, "applied")
        assert _invoice(stage, invoice).balance_minor == 0, "the ledger knows it at once"
        waiting = "select count(*) as n from outbox where done_at is null"
        assert stage.rows(waiting)[0].n == 1
        own_temporal.start()
        await stage.play(days=30)
        assert stage.rows(waiting)[0].n == 0
        assert _invoice(stage, invoice).outcome == "paid" and stage.messages() == []
