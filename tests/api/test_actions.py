"""Decisions by API: one transaction each, refused with what would be allowed, only on the caller's own (I8)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from ledger.creditors import create_api_key
from ledger.facts import gather
from ledger.placements import write_files
from policies.next_step import next_step
from policies.steps import Close
from tests import cast
from tests.api.conftest import House
from tests.api.outside import change, gateway, one
from tests.cast import NOW, accepted_invoice, sealer


@pytest.fixture
def invoice(house: House) -> UUID:
    return accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)


def propose(house: House, invoice: UUID) -> UUID:
    placement = uuid4()
    change(
        house,
        "insert into placement (id, creditor_id, invoice_id, cycle, state, recommend, figures, proposed_at, decide_by)"
        " values (:id, :c, :i, 1, 'proposed', 'place', '{}', '2026-03-01T00:00:00Z', '2026-03-12T00:00:00Z')",
        id=placement, c=house.creditor.id, i=invoice,
    )  # fmt: skip
    return placement


def test_a_promise_is_answered_at_once(house: House, invoice: UUID) -> None:
    answer = house.client.post(f"/v1/invoices/{invoice}/promise", json={"on": "2026-03-10", "amount_minor": 400})
    assert answer.status_code == 201
    said = answer.json()
    assert (said["kind"], said["milestones"]) == ("promise", [{"number": 1, "due_on": "2026-03-10", "amount_minor": 400}])
    again = house.client.post(f"/v1/invoices/{invoice}/promise", json={"on": "2026-03-10"})
    assert (again.status_code, again.json()["rules"]) == (409, ["negotiation.open_agreement"])
    assert house.client.post(f"/v1/invoices/{invoice}/agreement/withdraw").json()["done"] is True
    assert one(house, "select state from agreement") == "withdrawn"


def test_what_is_not_allowed_carries_the_nearest_that_is(house: House, invoice: UUID) -> None:
    wish = {"kind": "plan", "count": 3, "first_on": "2026-03-10"}
    answer = house.client.post(f"/v1/invoices/{invoice}/agreement", json=wish)
    said = answer.json()
    assert (answer.status_code, said["type"].rsplit("/", 1)[-1]) == (422, "not-granted")
    assert said["nearest"]["kind"] == "promise" and said["nearest"]["milestones"][0]["due_on"] == "2026-03-10"


def test_a_dispute_is_opened_and_closed(house: House, invoice: UUID) -> None:
    path = f"/v1/invoices/{invoice}/dispute"
    assert house.client.post(path, json={"reason": "quality", "amount_minor": 400}).status_code == 201
    assert house.client.post(path, json={"reason": "quality"}).status_code == 409
    assert house.client.post(f"{path}/close", json={"outcome": "corrected"}).status_code == 200
    assert one(house, "select release_why from hold") == "corrected"
    assert house.client.post(path, json={"reason": "she said so"}).status_code == 422


def test_already_paid_says_until_when_it_holds(house: House, invoice: UUID) -> None:
    answer = house.client.post(f"/v1/invoices/{invoice}/already-paid")
    assert (answer.status_code, answer.json()["until"]) == (200, "2026-03-06T05:00:00Z")
    change(house, "update hold set until = until - interval '30 days', starts_at = starts_at - interval '30 days'")
    again = house.client.post(f"/v1/invoices/{invoice}/already-paid")
    assert again.status_code == 409 and again.json()["type"].endswith("said-before")
    assert one(house, "select count(*) from task where kind = 'find_payment'") == 2


def test_a_placement_is_approved_and_its_file_read(house: House, invoice: UUID) -> None:
    path = f"/v1/invoices/{invoice}/placement"
    assert house.client.post(f"{path}/approve", json={}).json()["type"].endswith("no-proposal")
    placement = propose(house, invoice)
    assert house.client.post(f"{path}/approve", json={"by": "ops-7"}).json() == {"id": str(placement)}
    assert one(house, "select decided_by from placement").endswith(": ops-7")
    assert house.client.get(f"{path}/file.csv").status_code == 404
    change(house, "update placement set state = 'placed', placed_at = proposed_at")
    with Session(house.database.worker) as session, session.begin():
        write_files(session, sealer(), placement, now=NOW)
    for name, media in (("file.csv", "text/csv"), ("file.json", "application/json")):
        answer = house.client.get(f"{path}/{name}")
        assert (answer.status_code, answer.headers["content-type"].startswith(media)) == (200, True)
        assert answer.headers["cache-control"] == "no-store" and "F-1001" in answer.text
    assert house.client.get(f"{path}/recall.json").status_code == 404


def test_a_declined_placement_stays_declined(house: House, invoice: UUID) -> None:
    propose(house, invoice)
    path = f"/v1/invoices/{invoice}/placement"
    assert house.client.post(f"{path}/decline", json={}).status_code == 200
    assert house.client.post(f"{path}/approve", json={}).status_code == 409


def test_an_account_is_stopped_by_its_own_reference_and_the_stop_lifted(house: House, invoice: UUID) -> None:
    body = {"reason": "insolvency", "evidence": "case 7", "until": "2026-09-01T00:00:00Z"}
    stop = house.client.post("/v1/accounts/C-1001/suppressions", json=body)
    assert stop.status_code == 201
    assert house.client.post(f"/v1/suppressions/{stop.json()['id']}/lift").status_code == 200
    assert house.client.post("/v1/accounts/nobody/suppressions", json=body).status_code == 404
    endless = body | {"until": "2030-01-01T00:00:00Z"}
    assert house.client.post("/v1/accounts/C-1001/suppressions", json=endless).status_code == 422


def test_one_person_of_an_account_is_stopped(house: House, invoice: UUID) -> None:
    person = one(house, "select id::text from person limit 1")
    body = {"reason": "represented", "evidence": "letter 3", "until": "2026-09-01T00:00:00Z", "person_id": person}
    assert house.client.post("/v1/accounts/C-1001/suppressions", json=body).status_code == 201
    assert one(house, "select person_id::text from suppression") == person
    nobody = body | {"person_id": str(invoice)}
    assert house.client.post("/v1/accounts/C-1001/suppressions", json=nobody).status_code == 404


def test_an_account_is_exempt_until_a_date_or_until_it_is_ended(house: House, invoice: UUID) -> None:
    path, body = "/v1/accounts/C-1001/exempt", {"until": "2026-06-01T00:00:00Z", "reason": "pays quarterly"}
    assert house.client.post(path, json=body).json() == {"done": True, "invoices": 1}
    assert one(house, "select exempt_why from account") == "pays quarterly"
    assert house.client.post(path, json=body | {"until": "2030-01-01T00:00:00Z"}).status_code == 422
    assert house.client.post(f"{path}/end").json() == {"done": True, "invoices": 1}
    assert house.client.post(f"{path}/end").status_code == 409


def test_all_sending_is_stopped_with_an_end_and_resumed(house: House, invoice: UUID) -> None:
    stop = house.client.post("/v1/creditor/stop", json={"until": "2026-03-04T00:00:00Z", "reason": "bad file"})
    assert stop.json() == {"done": True, "invoices": 1}
    assert one(house, "select stopped_why from creditor") == "bad file"
    assert house.client.post("/v1/creditor/resume").status_code == 200
    assert house.client.post("/v1/creditor/resume").status_code == 409


def test_what_is_written_off_asks_for_nothing_and_later_money_reopens_nothing(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)
    hook = gateway(house)
    hook.paid("p-1", 300)
    first, again = (
        house.client.post(f"/v1/invoices/{invoice}/write-off", json={"reason": "cheaper so"}).json() for _ in range(2)
    )
    assert (first, again) == ({"changed": True}, {"changed": False})
    entries = "select string_agg(kind || ' ' || amount_minor, ', ' order by id) from entry"
    assert one(house, entries) == "charge 1000, payment -300, write_off -700"
    shown = house.client.get(f"/v1/invoices/{invoice}").json()
    assert (shown["state"], shown["balance_minor"]) == ("written_off", 0)
    with Session(house.database.worker) as session:
        facts, manual = gather(session, invoice, NOW)
    step = next_step(facts, manual, NOW)
    assert isinstance(step, Close) and step.outcome == "written_off"
    change(house, "update invoice set outcome = 'written_off', outcome_at = now()")
    assert hook.paid("p-2", 700).json()["result"] == "applied"
    after = house.client.get(f"/v1/invoices/{invoice}").json()
    assert (after["state"], after["balance_minor"], after["cycle"]) == ("written_off", 0, 1)
    assert one(house, "select detail ->> 'applied_minor' from event order by id desc limit 1") == "0", "it is told"
    [left] = house.client.get("/v1/payments/unmatched").json()
    assert (left["why"], left["left_minor"]) == ("invoice_closed", 700)


def test_only_what_is_owed_is_written_off(house: House, invoice: UUID) -> None:
    gateway(house).paid("p-1", 1000)
    answer = house.client.post(f"/v1/invoices/{invoice}/write-off", json={"reason": "cheaper so"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "invoice-closed")


CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/invoices/{id}/promise", {"on": "2026-03-10"}),
    ("POST", "/v1/invoices/{id}/agreement", {"kind": "extension", "until": "2026-03-10"}),
    ("POST", "/v1/invoices/{id}/agreement/withdraw", None),
    ("POST", "/v1/invoices/{id}/dispute", {"reason": "other"}),
    ("POST", "/v1/invoices/{id}/dispute/close", {"outcome": "withdrawn"}),
    ("POST", "/v1/invoices/{id}/already-paid", None),
    ("POST", "/v1/invoices/{id}/placement/approve", {}),
    ("POST", "/v1/invoices/{id}/placement/decline", {}),
    ("POST", "/v1/invoices/{id}/write-off", {"reason": "cheaper so"}),
    ("GET", "/v1/invoices/{id}/placement/file.csv", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anothers_invoice_is_not_found(house: House, method: str, path: str, body: Any) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    theirs = accepted_invoice(house.database.worker, other, "O-1")
    before = one(house, "select revision from invoice")
    answer = house.client.request(method, path.format(id=theirs), json=body)
    assert answer.status_code == 404
    assert one(house, "select revision from invoice") == before


@pytest.mark.parametrize(
    ("method", "path", "body"), [*CALLS, ("POST", "/v1/creditor/stop", {}), ("POST", "/v1/creditor/resume", None)]
)
def test_a_decision_needs_its_scope(house: House, invoice: UUID, method: str, path: str, body: Any) -> None:
    with Session(house.database.worker) as session, session.begin():
        key = create_api_key(session, house.creditor.id, "reader", ["invoices:read", "payments:write"], NOW)
    headers = {"Authorization": f"Bearer {key.key}"}
    public: TestClient = house.public
    assert public.request(method, path.format(id=invoice), json=body).status_code == 401
    assert public.request(method, path.format(id=invoice), json=body, headers=headers).status_code == 403
