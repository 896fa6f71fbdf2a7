"""What waits for a person, over the API: open tasks and placements, a page at a time, of the caller's own creditor only (I8)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from ledger.task_acts import ENDS_ELSEWHERE
from ledger.tasks import open_task
from tests import cast
from tests.api.conftest import House
from tests.api.outside import change, one
from tests.cast import NOW

FIGURES = {"balance_minor": 1000, "expected_house_minor": 40, "expected_agency_minor": 190, "advantage_minor": 150}


@pytest.fixture
def invoice(house: House) -> UUID:
    return cast.accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)


def ask(house: House, creditor: UUID, kind: str, hours: int, **about: Any) -> None:
    """A task that is due so many hours from now; its key says so."""
    with Session(house.database.worker) as session, session.begin():
        open_task(
            session, creditor_id=creditor, kind=kind, key=f"k{hours}", why=f"due in {hours} h", now=NOW,
            due_at=NOW + timedelta(hours=hours), **about,
        )  # fmt: skip


def propose(house: House, creditor: UUID, invoice: UUID, *, cycle: int = 1, hours: int = 48, state: str = "proposed") -> str:
    made = str(uuid4())
    change(
        house,
        "insert into placement (id, creditor_id, invoice_id, cycle, state, recommend, figures, proposed_at, decide_by)"
        " values (:id, :c, :i, :cycle, :state, 'place', cast(:figures as jsonb), :now, :by)",
        id=made, c=creditor, i=invoice, cycle=cycle, state=state, now=NOW, by=NOW + timedelta(hours=hours),
        figures=str(FIGURES).replace("'", '"'),
    )  # fmt: skip
    return made


def whys(house: House, path: str) -> list[str]:
    return [task["why"] for task in house.client.get(path).json()["tasks"]]


def test_open_tasks_are_told_with_what_they_are_about_the_most_urgent_first(house: House, invoice: UUID) -> None:
    account = one(house, "select account_id from invoice where id = :id", id=invoice)
    ask(house, house.creditor.id, "approve_placement", 30, invoice_id=invoice)
    ask(house, house.creditor.id, "record_consent", 10, account_id=account)
    ask(house, house.creditor.id, "match_payment", 20)
    ask(house, house.creditor.id, "find_payment", 5, invoice_id=invoice)
    change(house, "update task set done_at = now() where kind = 'find_payment'")
    change(house, "update task set assigned_to = 'eva' where kind = 'match_payment'")
    tasks = house.client.get("/v1/tasks").json()["tasks"]
    about = [(t["kind"], t["invoice_id"], t["number"], t["account_ref"], t["assigned_to"], t["ends_with"]) for t in tasks]
    assert about == [
        ("record_consent", None, None, "C-1001", None, None),
        ("match_payment", None, None, None, "eva", None),
        ("approve_placement", str(invoice), "F-1001", "C-1001", None, ENDS_ELSEWHERE["approve_placement"]),
    ]
    assert (tasks[0]["due_at"], tasks[0]["created_at"]) == ("2026-03-03T01:00:00Z", "2026-03-02T15:00:00Z")


def test_tasks_are_narrowed_by_kind_and_an_unknown_kind_is_an_empty_list(house: House) -> None:
    for kind, hours in (("match_payment", 1), ("record_consent", 2), ("match_payment", 3)):
        ask(house, house.creditor.id, kind, hours)
    assert whys(house, "/v1/tasks?kind=match_payment") == ["due in 1 h", "due in 3 h"]
    assert whys(house, "/v1/tasks?kind=none_such") == []
    assert house.client.get("/v1/tasks?kind=No%20Such").status_code == 422


def test_pages_of_tasks_hold_each_once_while_more_comes_in(house: House) -> None:
    for hours in (5, 1, 4, 2, 3):
        ask(house, house.creditor.id, "match_payment", hours)
    change(house, "update task set due_at = :at where key in ('k2', 'k3')", at=NOW + timedelta(hours=2))
    seen: list[str] = []
    cursor = ""
    while True:
        page = house.client.get(f"/v1/tasks?limit=2{cursor}").json()
        seen += [task["why"] for task in page["tasks"]]
        if page["cursor"] is None:
            break
        ask(house, house.creditor.id, "record_consent", 0)  # due before what was shown: not on the pages that follow
        cursor = f"&cursor={page['cursor']}"
    assert sorted(seen) == [f"due in {hours} h" for hours in (1, 2, 3, 4, 5)] and seen[0] == "due in 1 h"


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/placements", "/v1/invoices"])
def test_a_cursor_that_somebody_made_up_is_refused_or_finds_nothing_and_breaks_nothing(house: House, path: str) -> None:
    nobody = str(UUID(int=0))
    assert house.client.get(f"{path}?cursor=abc").json()["type"].endswith("/bad-cursor")
    for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00+23:59", "2026-01-01"):
        made = urlsafe_b64encode(json.dumps([at, nobody]).encode()).decode().rstrip("=")
        assert house.client.get(path, params={"cursor": made}).status_code in (200, 422), at
    backwards = urlsafe_b64encode(json.dumps([1, nobody]).encode()).decode()
    assert house.client.get(path, params={"cursor": backwards}).status_code == 422


def test_a_placement_waits_for_its_decision_with_its_figures_until_the_deadline(house: House, invoice: UUID) -> None:
    made = propose(house, house.creditor.id, invoice)
    [waiting] = house.client.get("/v1/placements?state=proposed").json()["placements"]
    assert waiting == {
        "id": made, "invoice_id": str(invoice), "number": "F-1001", "account_ref": "C-1001", "currency": "COP",
        "state": "proposed", "recommend": "place", "figures": FIGURES, "payable_minor": 1000,
        "proposed_at": "2026-03-02T15:00:00Z", "decide_by": "2026-03-04T15:00:00Z",
        "decided_by": None, "decided_at": None, "placed_at": None, "return_by": None, "ended_at": None,
    }  # fmt: skip
    assert house.client.get("/v1/placements").json()["placements"] == [waiting]
    house.clock.at = NOW + timedelta(hours=48)
    assert house.client.get("/v1/placements").json()["placements"] == []
    [lapsed] = house.client.get("/v1/placements?state=lapsed").json()["placements"]
    assert (lapsed["id"], lapsed["state"]) == (made, "lapsed")
    assert house.client.post(f"/v1/invoices/{invoice}/placement/approve", json={}).status_code == 409


@pytest.mark.parametrize("ended", ["cycle = 2", "outcome = 'paid', outcome_at = now()"])
def test_a_proposal_that_its_invoice_left_behind_waits_for_nobody(house: House, invoice: UUID, ended: str) -> None:
    propose(house, house.creditor.id, invoice)
    change(house, f"update invoice set {ended}")
    assert house.client.get("/v1/placements").json()["placements"] == []


def test_a_decided_placement_is_found_under_its_state(house: House, invoice: UUID) -> None:
    propose(house, house.creditor.id, invoice)
    assert house.client.post(f"/v1/invoices/{invoice}/placement/approve", json={"by": "ops-7"}).status_code == 200
    assert house.client.get("/v1/placements").json()["placements"] == []
    [approved] = house.client.get("/v1/placements?state=approved").json()["placements"]
    assert approved["decided_by"].endswith(": ops-7") and approved["decided_at"] == "2026-03-02T15:00:00Z"
    assert house.client.get("/v1/placements?state=undecided").status_code == 422


def test_pages_of_placements_hold_each_once_the_earliest_deadline_first(house: House, invoice: UUID) -> None:
    made = [propose(house, house.creditor.id, invoice, cycle=n, hours=h, state="placed") for n, h in ((1, 30), (2, 10), (3, 20))]
    first = house.client.get("/v1/placements?state=placed&limit=2").json()
    rest = house.client.get(f"/v1/placements?state=placed&limit=2&cursor={first['cursor']}").json()
    assert [p["id"] for p in (*first["placements"], *rest["placements"])] == [made[1], made[2], made[0]]
    assert rest["cursor"] is None


def test_another_creditors_tasks_and_placements_are_not_there(house: House) -> None:
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    theirs = cast.accepted_invoice(house.database.worker, norte)
    ask(house, norte.id, "match_payment", 1)
    ask(house, norte.id, "approve_placement", 2, invoice_id=theirs)
    propose(house, norte.id, theirs)
    assert house.client.get("/v1/tasks").json() == {"tasks": [], "cursor": None}
    assert house.client.get("/v1/placements").json() == {"placements": [], "cursor": None}
    own = {"Authorization": f"Bearer {norte.key.key}"}
    assert len(house.public.get("/v1/tasks", headers=own).json()["tasks"]) == 2
    assert len(house.public.get("/v1/placements", headers=own).json()["placements"]) == 1
