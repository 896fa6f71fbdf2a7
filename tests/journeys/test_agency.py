"""After the last rung: keep the debt or place it; a person decides in time or not, the file goes once, money ends it (F86-F88).

Ana owes 250,000.00. By these figures the house would bring 24,000.00 (a tenth, less 1,000.00 of cost) and the agency 80,000.00
(four tenths, less a fifth of it): it is better to place the debt.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from httpx import Response

from tests import cast
from tests.journeys.stage import Stage

OWED = 25_000_000
AGENCY: dict[str, Any] = {
    "ladder": [
        {"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due"},
        {"rung": "S2", "day": "D+3", "channels": ["email"], "template": "first_reminder"},
        {"rung": "S3", "day": "D+10", "channels": ["email"], "template": "last_days", "firm": True},
        {"rung": "S4", "day": "D+20", "action": "decision"},
    ],
    "agency": {
        "commission_pct": 20, "recover_agency_pct": 40, "recover_house_pct": 10, "house_cost_minor": {"COP": 100_000},
        "minimum": {"COP": 1_000_000}, "approve_within_days": 10, "return_after_days": 30,
    },
}  # fmt: skip
ASKED = datetime(2026, 4, 5, 14, 0, tzinfo=UTC)
"""The twentieth day after 16 March, at the manual's hour in Bogotá."""


async def _owes(stage: Stage, name: str) -> UUID:
    """A customer of their own with one invoice."""
    channels = [{"channel": "email", "address": f"{name}@correo.example.com", "consent": "given", "verified": True}]
    contacts = [{"role": "holder", "name": cast.ANA_NAME, "channels": channels}]
    return await stage.post(f"F-{name}", account=cast.debtor_ana(ref=f"C-{name}", contacts=contacts))


async def _decide(stage: Stage, invoice: UUID, verb: str) -> Response:
    url = f"/v1/invoices/{invoice}/placement/{verb}"
    return await stage.api.post(url, json={"by": "staff-17"}, headers=stage.as_creditor())


async def _file(stage: Stage, invoice: UUID, name: str) -> Response:
    return await stage.api.get(f"/v1/invoices/{invoice}/placement/{name}", headers=stage.as_creditor())


def _placement(stage: Stage, invoice: UUID) -> Any:
    [row] = stage.rows("select state, recommend, figures, decide_by from placement where invoice_id = :i", i=invoice)
    return row


def _files(stage: Stage, invoice: UUID) -> list[str]:
    query = (
        "select kind from placement_file f join placement p on p.id = f.placement_id where p.invoice_id = :i order by written_at"
    )
    return [row.kind for row in stage.rows(query, i=invoice)]


def _stands(stage: Stage, invoice: UUID) -> tuple[str | None, int]:
    [row] = stage.rows("select outcome, balance_minor from invoice where id = :i", i=invoice)
    return row.outcome, row.balance_minor


def _rules(stage: Stage, invoice: UUID) -> set[str]:
    query = "select distinct unnest(rules) as rule from step where invoice_id = :i"
    return {row.rule for row in stage.rows(query, i=invoice)}


async def _ended(stage: Stage, number: str) -> str:
    """What ended the workflow, as the Temporal UI shows it."""
    why: str = await stage.client.get_workflow_handle(f"invoice:{stage.creditor().slug}:{number}").result()
    return why


async def test_an_approved_debt_goes_once_is_chased_no_more_and_comes_back_with_its_payment(stage: Stage) -> None:
    stage.creditor(**AGENCY)
    invoice = await _owes(stage, "ana")
    await stage.play(until=ASKED - timedelta(minutes=1))
    assert len(stage.messages()) == 3 and (await _decide(stage, invoice, "approve")).status_code == 409, (
        "the ladder has not ended"
    )
    await stage.play(until=ASKED + timedelta(hours=1))
    proposed = _placement(stage, invoice)
    assert (proposed.state, proposed.recommend, proposed.decide_by) == ("proposed", "place", ASKED + timedelta(days=10))
    assert (proposed.figures["expected_house_minor"], proposed.figures["expected_agency_minor"]) == (2_400_000, 8_000_000)
    assert [row.kind for row in stage.rows("select kind from task where done_at is null")] == ["approve_placement"]
    assert _files(stage, invoice) == [] and (await _file(stage, invoice, "file.csv")).status_code == 404

    await stage.play(until=proposed.decide_by - timedelta(minutes=1))
    assert (await _decide(stage, invoice, "approve")).status_code == 200
    assert (await _decide(stage, invoice, "decline")).status_code == 409, "it is decided"
    await stage.play(days=1)
    assert _placement(stage, invoice).state == "placed" and _files(stage, invoice) == ["placement"]
    assert stage.rows("select 1 from task where done_at is null") == []
    sheet, document = await _file(stage, invoice, "file.csv"), await _file(stage, invoice, "file.json")
    [line] = csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig")))
    told = json.loads(document.content)
    assert (line["invoice"], line["balance_minor"], line["names"], line["addresses"]) == (
        "F-ana", str(OWED), cast.ANA_NAME, "email ana@correo.example.com",
    )  # fmt: skip
    assert (told["balance_minor"], told["contacts_made"], told["people"][0]["name"]) == (OWED, 3, cast.ANA_NAME)

    await stage.play(days=10)
    await stage.pays("p-part", 1_000_000, number="F-ana")
    await stage.play(days=1)
    back = {"type": "payment.reversed", "reverses": "p-part", "reason": "chargeback"}
    await stage.pays("r-part", 1_000_000, number="F-ana", **back)
    assert (await _decide(stage, invoice, "approve")).status_code == 200, "said again, nothing changes"
    await stage.play(days=9)
    assert _placement(stage, invoice).state == "placed" and _files(stage, invoice) == ["placement"]
    assert _stands(stage, invoice) == (None, OWED), "it is neither chased nor given up"
    assert len(stage.messages()) == 3, "whoever is with the agency hears no more of us, not even of a chargeback"

    await stage.pays("p-all", OWED, number="F-ana")
    await stage.play(days=2)
    assert _placement(stage, invoice).state == "recalled" and _files(stage, invoice) == ["placement", "recall"]
    notice = json.loads((await _file(stage, invoice, "recall.json")).content)
    assert (notice["reason"], notice["balance_minor"], notice["paid_since_placement_minor"]) == ("settled", 0, OWED)
    assert (await _file(stage, invoice, "file.csv")).content == sheet.content
    assert (await _file(stage, invoice, "file.json")).content == document.content
    assert _stands(stage, invoice) == ("paid", 0) and len(stage.messages()) == 3
    assert await _ended(stage, "F-ana") == "The invoice is paid in full."
    await stage.play(days=60)
    assert _files(stage, invoice) == ["placement", "recall"]


async def test_a_debt_declined_or_left_undecided_is_kept_and_one_whose_time_is_over_comes_back(stage: Stage) -> None:
    stage.creditor(**AGENCY)
    declined, undecided, unpaid = [await _owes(stage, name) for name in ("declined", "undecided", "unpaid")]
    await stage.play(until=ASKED + timedelta(hours=1))
    assert (await _decide(stage, declined, "decline")).status_code == 200
    assert (await _decide(stage, unpaid, "approve")).status_code == 200
    await stage.play(until=ASKED + timedelta(days=9, hours=23))
    assert _stands(stage, declined) == ("ladder_ended", OWED), "at once"
    assert _stands(stage, undecided) == (None, OWED), "a person may still decide"
    await stage.play(until=ASKED + timedelta(days=10, hours=1))
    assert _stands(stage, undecided) == ("ladder_ended", OWED) and "agency.no_answer" in _rules(stage, undecided)
    late = await _decide(stage, undecided, "approve")
    assert (late.status_code, late.json()["type"].rsplit("/", 1)[-1]) == (409, "too-late")

    await stage.play(until=ASKED + timedelta(days=32))
    assert _stands(stage, unpaid) == ("returned", OWED) and "agency.return" in _rules(stage, unpaid)
    assert json.loads((await _file(stage, unpaid, "recall.json")).content)["reason"] == "time_over"
    assert [_files(stage, invoice) for invoice in (declined, undecided, unpaid)] == [[], [], ["placement", "recall"]]
    assert len(stage.messages()) == 9, "three rungs for each of the three, and nothing after them"
    assert [await _ended(stage, f"F-{name}") for name in ("declined", "undecided", "unpaid")] == [
        "The ladder has ended; the agency question is declined.",
        "Nobody approved the agency before the deadline; the ladder has ended and the debt is kept.",
        "The ladder has ended; the agency question is returned.",
    ]
