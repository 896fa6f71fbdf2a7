"""A plan is agreed on the customer's page or through the API, judged by amount, and missed: the ladder goes on (F66, F71, F72).

Three customers owe 250,000.00 each, due on Monday 16 March. S2 of the 19th offers three parts. Each asks for weekly parts from
Wednesday the 25th: 83,333.33 twice and 83,333.34 on 8 April, with one day of grace.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from rehearsal.simulator.portal import read_forms
from tests import cast
from tests.journeys.stage import PUBLIC, Stage

OWED = 25_000_000
PARTS = [(date(2026, 3, 25), 8_333_333), (date(2026, 4, 1), 8_333_333), (date(2026, 4, 8), 8_333_334)]
OFFER: dict[str, Any] = {
    "ladder": [
        {"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due"},
        {"rung": "S2", "day": "D+3", "channels": ["email"], "template": "offer_ways",
         "offer": {"instalments_max": 3, "first_share_min_pct": 20}},
        {"rung": "S3", "day": "D+10", "channels": ["email"], "template": "last_days", "firm": True},
        {"rung": "S4", "day": "D+40", "channels": ["email"], "template": "last_days", "firm": True},
    ],
}  # fmt: skip


def _at(day: int, month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


async def _owes(stage: Stage, name: str) -> UUID:
    channels = [{"channel": "email", "address": f"{name}@correo.example.com", "consent": "given", "verified": True}]
    contacts = [{"role": "holder", "name": cast.ANA_NAME, "channels": channels}]
    return await stage.post(f"F-{name}", account=cast.debtor_ana(ref=f"C-{name}", contacts=contacts))


async def _agrees_on_the_page(stage: Stage, name: str) -> None:
    """Through the signed link of the latest message, with the form that stands there."""
    message = [sent for sent in stage.simulator.world.sent if sent.to == f"{name}@correo.example.com"][-1]
    link = re.search(rf"{PUBLIC}(/p/[\w-]+)", message.text)
    assert link is not None and "en hasta 3 pagos" in message.text
    form = next(form for form in read_forms((await stage.api.get(link[1])).text) if form.action.endswith("/plan"))
    assert form.choices["count"] == ["2", "3"]
    wish = {"count": "3", "first_on": "2026-03-25", "every": "every_7"}
    answer = await stage.api.post(form.action, data=form.fields | wish, follow_redirects=True)
    assert answer.status_code == 200, answer.text


async def _agrees_by_the_api(stage: Stage, invoice: UUID) -> None:
    """Four parts are more than was offered: refused with the nearest that is, and that is posted."""
    url = f"/v1/invoices/{invoice}/agreement"
    wish = {"kind": "plan", "count": 4, "first_on": "2026-03-25", "every_days": 7}
    refused = await stage.api.post(url, json=wish, headers=stage.as_creditor())
    nearest = [(date.fromisoformat(m["due_on"]), m["amount_minor"]) for m in refused.json()["nearest"]["milestones"]]
    assert (refused.status_code, refused.json()["rules"], nearest) == (422, ["negotiation.instalments"], PARTS)
    assert (await stage.api.post(url, json=wish | {"count": 3}, headers=stage.as_creditor())).status_code == 201


def _agreement(stage: Stage, invoice: UUID) -> tuple[Any, ...]:
    """(state, day on which it was judged, what came in time, its parts)."""
    [found] = stage.rows("select id, state, judged_at, paid_minor from agreement where invoice_id = :i", i=invoice)
    parts = stage.rows("select due_on, amount_minor from milestone where agreement_id = :a order by number", a=found.id)
    return found.state, found.judged_at, found.paid_minor, [tuple(part) for part in parts]


def _sent(stage: Stage, invoice: UUID) -> list[tuple[str, str, datetime, int]]:
    """(rung, text, local time, asked) of what went out."""
    rows = stage.rows(
        "select rung, template, at_local, amount_minor from contact where invoice_id = :i order by at_utc", i=invoice
    )
    return [tuple(row) for row in rows]


def _nine(day: int, month: int) -> datetime:
    """Nine in the morning in Bogotá, as the ledger keeps local times."""
    return _at(day, month, hour=9).replace(tzinfo=None)


def _text(stage: Stage, name: str) -> str:
    """The latest message to a customer."""
    return [sent.text for sent in stage.simulator.world.sent if sent.to == f"{name}@correo.example.com"][-1]


async def test_a_plan_of_which_the_second_part_is_missed_is_judged_and_the_ladder_goes_on(stage: Stage) -> None:
    stage.creditor(**OFFER)
    missed, partly, kept = [await _owes(stage, name) for name in ("missed", "partly", "kept")]
    await stage.play(until=_at(20, 3))
    await _agrees_on_the_page(stage, "missed")
    await _agrees_by_the_api(stage, partly)
    await _agrees_on_the_page(stage, "kept")
    for invoice in (missed, partly, kept):
        assert _agreement(stage, invoice) == ("open", None, None, PARTS)

    await stage.play(until=_at(25, 3))
    for name in ("missed", "partly", "kept"):
        await stage.pays(f"{name}-1", PARTS[0][1], number=f"F-{name}")
    await stage.play(until=_at(1, 4))
    await stage.pays("partly-2", 4_000_000, number="F-partly")
    await stage.pays("kept-2", PARTS[1][1], number="F-kept")
    await stage.play(until=_at(3, 4, hour=4))  # the last hour of the day of grace in Bogotá
    assert [_agreement(stage, invoice)[0] for invoice in (missed, partly, kept)] == ["open"] * 3
    await stage.play(until=_at(8, 4))
    await stage.pays("kept-3", PARTS[2][1], number="F-kept")
    await stage.play(until=_at(1, 5))
    judged = _at(3, 4, hour=5)
    assert _agreement(stage, missed)[:3] == ("broken", judged, PARTS[0][1]), "nothing came towards the second part"
    assert _agreement(stage, partly)[:3] == ("partly", judged, PARTS[0][1] + 4_000_000)
    assert _agreement(stage, kept)[:3] == ("kept", _at(8, 4), OWED)

    before = [("S1", "pre_due", _nine(13, 3), OWED), ("S2", "offer_ways", _nine(19, 3), OWED)]
    reminders = [("agreement_reminder", "promise_reminder", _nine(day, 3), PARTS[0][1]) for day in (24, 31)]
    for invoice, owed in ((missed, OWED - PARTS[0][1]), (partly, OWED - PARTS[0][1] - 4_000_000)):
        assert _sent(stage, invoice) == [
            *before, *reminders,
            ("S3", "missed_promise", _nine(6, 4), owed),  # not S1 or S2 again; the 3rd is Good Friday
            ("S4", "last_days", _nine(27, 4), owed),
        ]  # fmt: skip
    assert _sent(stage, kept)[2:] == [*reminders, ("agreement_reminder", "promise_reminder", _nine(7, 4), PARTS[2][1])]
    assert ("166.666,67" in _text(stage, "missed"), "126.666,67" in _text(stage, "partly")) == (True, True)
    assert [stage.timeline(invoice).count("rung_skipped") for invoice in (missed, partly, kept)] == [2, 2, 0]
    assert stage.rows("select outcome, cycle from invoice where id = :i", i=kept) == [("paid", 1)]
    assert stage.rows("select outcome, cycle from invoice where id = :i", i=missed) == [(None, 2)]
