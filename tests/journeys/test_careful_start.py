"""A careful start in played time: watched for days, approved in part, then left to itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from activities.compose import Composer
from activities.tomorrow import draw_lists
from clock import LedgerClock
from ledger.starting import set_start
from policies.start_model import StartMode
from tests import cast
from tests.journeys.stage import PUBLIC, Stage

CUSTOMERS = ("1", "2", "3", "4")


def begins(stage: Stage, mode: StartMode) -> None:
    with Session(stage.database.worker) as session, session.begin():
        set_start(session, stage.creditor().id, {"default": mode}, actor="staff:lead-1", now=stage.now)


async def owed(stage: Stage, due_on: str, prefix: str) -> list[UUID]:
    """One invoice of each customer, due on that day."""
    found = []
    for name in CUSTOMERS:
        channels = [{"channel": "email", "address": f"ana{name}@correo.example.com", "consent": "given", "verified": True}]
        account = cast.debtor_ana(ref=f"C-{name}", contacts=[{"role": "holder", "name": f"Ana {name}", "channels": channels}])
        found.append(await stage.post(f"{prefix}-{name}", due_on=due_on, account=account))
    return found


def draw(stage: Stage) -> int:
    worker, sealer = stage.database.worker, cast.sealer()
    return draw_lists(worker, LedgerClock(worker), Composer(sealer, PUBLIC), sealer)


async def on_list(stage: Stage) -> dict[str, Any]:
    """The latest list: contacts by invoice number."""
    answer = await stage.api.get("/v1/approvals", headers=stage.as_creditor())
    return {contact["number"]: contact for contact in answer.json()["contacts"]}


def sent(stage: Stage) -> list[str]:
    """The numbers of the invoices that were written about, in order, with the rung."""
    rows = stage.rows(
        "select i.number || ' ' || k.rung as said from contact k join invoice i on i.id = k.invoice_id"
        " where k.state in ('accepted', 'delivered') order by k.at_utc, i.number"
    )
    return [row.said for row in rows]


async def test_watched_then_approved_in_part_then_left_to_itself(stage: Stage) -> None:
    stage.creditor()
    begins(stage, StartMode.WATCH)
    await owed(stage, "2026-03-06", "A")  # S1 on Tuesday the 3rd
    await stage.play(days=5)  # Saturday 7 March
    assert sent(stage) == [] and stage.messages() == []
    watched = stage.rows("select why from step where kind = 'skip' and 'start.watch' = any(rules)")
    assert len(watched) == len(CUSTOMERS) and all("S1 would have gone by email" in row.why for row in watched)

    begins(stage, StartMode.APPROVE)
    await stage.play(until=stage.now.replace(day=8, hour=21))  # Sunday: S2 falls on Monday the 9th
    assert draw(stage) == 0, "no list is drawn on a Sunday"
    await stage.play(until=stage.now.replace(day=9, hour=20))  # Monday at three
    assert sent(stage) == [] and draw(stage) == len(CUSTOMERS)
    listed = await on_list(stage)
    half = [listed[f"A-{name}"]["id"] for name in CUSTOMERS[:2]]
    day = listed["A-1"]["planned_at"][:10]
    answer = await stage.api.post("/v1/approvals", json={"day": day, "approve": half}, headers=stage.as_creditor())
    assert answer.json() == {"approved": 2, "declined": 0}
    await stage.play(until=stage.now.replace(day=10, hour=20))  # Tuesday at three: half went, half is held and listed again
    assert sent(stage) == ["A-1 S2", "A-2 S2"]
    assert draw(stage) == 2 and set(await on_list(stage)) == {"A-3", "A-4"}
    everything = {"day": "2026-03-11", "approve": "all"}
    assert (await stage.api.post("/v1/approvals", json=everything, headers=stage.as_creditor())).json()["approved"] == 2
    await stage.play(until=stage.now.replace(day=11, hour=20))
    assert sorted(sent(stage)) == [f"A-{name} S2" for name in CUSTOMERS]

    begins(stage, StartMode.AUTO)
    await stage.play(until=stage.now + timedelta(days=8))
    assert sorted(sent(stage)) == sorted(f"A-{name} {rung}" for name in CUSTOMERS for rung in ("S2", "S3"))
    assert not any("S1" in said for said in sent(stage)), "what was only watched never goes"
