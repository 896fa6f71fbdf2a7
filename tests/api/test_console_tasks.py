"""Tasks at the console: taken, given back, finished; and what we promised, over the API as well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import holds
from ledger.task_acts import ENDS_ELSEWHERE
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page
from tests.api.outside import one
from tests.api.staff_desk import Desk, at_desk, audited


@pytest.fixture
def invoice(house: House) -> UUID:
    found = cast.accepted_invoice(house.database.worker, house.creditor)
    with Session(house.database.worker) as session, session.begin():
        holds.say_already_paid(session, found, actor="customer", now=cast.NOW)
    return found


def act(desk: Desk, task: object, verb: str, **more: Any) -> int:
    return int(desk.post(f"/console/tasks/{task}/{verb}", **more).status_code)


def promised(house: House, invoice: UUID, **change: Any) -> Any:
    body = {"kind": "send_copy", "due_on": "2026-03-04"} | change
    return house.client.post(f"/v1/invoices/{invoice}/own-promises", json=body)


def test_a_task_is_taken_given_back_and_finished_by_whoever_may_act(house: House, invoice: UUID) -> None:
    task, desk = one(house, "select id::text from task"), at_desk(house, "collector")
    assert act(at_desk(house, "auditor"), task, "take") == 403
    assert act(desk, task, "take") == 303
    assert "collector-1" in Page(desk.get("/console/tasks?mine=1").text).text.split("Who does it")[1]
    assert act(desk, task, "give-back") == 303
    assert "Nothing waits for you." in desk.get("/console/tasks?mine=1").text
    assert act(desk, task, "done", outcome="shouted") == 422 and act(desk, task, "done", outcome="found") == 303
    assert one(house, "select outcome || ' ' || done_by from task") == "found staff:collector-1"
    assert [row.act for row in audited(house) if row.act.startswith("task_")] == ["task_taken", "task_given_back", "task_done"]
    assert act(desk, task, "take") == 409


@pytest.mark.parametrize("kind", sorted(ENDS_ELSEWHERE))
def test_a_task_that_asks_for_another_act_is_not_called_done(house: House, invoice: UUID, kind: str) -> None:
    with house.database.worker.begin() as connection:
        connection.execute(text("update task set kind = :kind"), {"kind": kind})
    task, desk = one(house, "select id::text from task"), at_desk(house, "lead")
    said = Page(desk.get("/console/tasks").text).text
    assert ENDS_ELSEWHERE[kind][1:] in said and act(desk, task, "done") == 409
    assert one(house, "select done_at from task") is None


def test_another_creditors_task_is_not_there(house: House) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    theirs = cast.accepted_invoice(house.database.worker, other, "G-1")
    with Session(house.database.worker) as session, session.begin():
        holds.open_dispute(session, theirs, reason="quality", actor="portal", now=cast.NOW)
    task, desk = one(house, "select id::text from task"), at_desk(house, "admin")
    assert {act(desk, task, verb) for verb in ("take", "give-back", "done")} == {404}


def test_what_we_promised_stands_first_and_looking_shows_no_buttons(house: House, invoice: UUID) -> None:
    assert promised(house, invoice, due_on="2026-03-20").status_code == 201
    rows = Page(at_desk(house, "collector").get("/console/tasks").text).text
    assert rows.index("Send a copy, as promised") < rows.index("Look for the payment"), "although it is due later"
    seen = at_desk(house, "auditor").get("/console/tasks").text
    assert "Send a copy, as promised" in seen and "Take it" not in seen


def test_a_promise_of_ours_is_made_read_and_kept_over_the_api(house: House, invoice: UUID) -> None:
    first, again = promised(house, invoice), promised(house, invoice)
    assert (first.status_code, again.json()) == (201, first.json())
    assert promised(house, invoice, due_on="2026-03-06").status_code == 409
    assert promised(house, invoice, kind="repair", due_on="2026-03-01").status_code == 422
    path = f"/v1/invoices/{invoice}/own-promises"
    assert [(each["kind"], each["done_at"]) for each in house.client.get(path).json()] == [("send_copy", None)]
    house.clock.at = cast.NOW + timedelta(days=9)
    done = [house.client.post(f"{path}/{first.json()['id']}/done").json() for _ in range(2)]
    assert done == [{"changed": True}, {"changed": False}]
    assert one(house, "select detail ->> 'late' from event where kind = 'own_promise_kept'") == "true"


def test_an_accounts_owner_is_named_over_the_api(house: House, invoice: UUID) -> None:
    at_desk(house, "collector", login="sales-3")
    path = "/v1/accounts/C-1001/owner"
    assert house.client.post(path, json={"login": "sales-3"}).json() == {"changed": True}
    assert house.client.post(path, json={"login": "sales-3"}).json() == {"changed": False}
    assert house.client.post(path, json={"login": "nobody-9"}).status_code == 422
    assert one(house, "select owner_staff from account") == "sales-3"
    assert house.client.post(path, json={"login": None}).json() == {"changed": True}
