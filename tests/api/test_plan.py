"""The future and the past of an invoice over HTTP: the plan, both plans of an amendment (F7), and the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from policies.law.packs import pack_versions
from tests.api.conftest import House
from tests.api.console_desk import decide, sign_in
from tests.api.outside import change
from tests.cast import NOW, accepted_invoice


def _contacts(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["rung"], step["at_local"][:16]) for step in plan["steps"] if step["what"] == "contact"]


def test_an_amendment_answers_with_the_plan_before_and_after_it(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    planned = house.client.get(f"/v1/invoices/{invoice}/plan").json()
    done = house.client.patch(f"/v1/invoices/{invoice}", json={"due_on": "2026-03-30", "reason": "new date agreed"}).json()
    assert done["plan_before"] == planned
    assert done["plan_after"] == house.client.get(f"/v1/invoices/{invoice}/plan").json()
    assert _contacts(done["plan_before"])[0] == ("S1", "2026-03-13T09:00")
    assert _contacts(done["plan_after"])[0] == ("S1", "2026-03-27T09:00")
    again = house.client.patch(f"/v1/invoices/{invoice}", json={"due_on": "2026-03-30", "reason": "new date agreed"}).json()
    assert again["changed"] is False and again["plan_before"] == again["plan_after"] == done["plan_after"]


def test_an_amendment_in_a_large_book_is_not_kept_waiting_for_its_plans(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    accepted_invoice(house.database.worker, house.creditor, "F-2")
    monkeypatch.setattr("api.invoices.BOOK_MAX", 1)
    done = house.client.patch(f"/v1/invoices/{invoice}", json={"due_on": "2026-03-30", "reason": "new date agreed"}).json()
    assert (done["changed"], done["plan_before"], done["plan_after"]) == (True, None, None)
    assert _contacts(house.client.get(f"/v1/invoices/{invoice}/plan").json())[0] == ("S1", "2026-03-27T09:00")


def test_the_history_tells_each_event_with_its_contact_and_receipts(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    change(
        house,
        "with k as (insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung,"
        " channel, template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
        " select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, a.id, '1.1.S1.0', 1, 'S1', 'email', 'pre_due',"
        " 'delivered', 25000000, 'COP', '2026-03-01T15:00:00Z', 'America/Bogota', '2026-03-01T10:00:00', '2026-03-01', -300"
        " from invoice i, person p, address a where a.channel = 'email' returning id, creditor_id, invoice_id),"
        " r as (insert into receipt (creditor_id, contact_id, status, at_utc) select creditor_id, id, 'delivered',"
        " '2026-03-01T15:00:01Z' from k) insert into event (creditor_id, invoice_id, at_utc, kind, detail)"
        " select creditor_id, invoice_id, '2026-03-01T15:00:00Z', 'contacted', jsonb_build_object('contact', id) from k",
    )
    told = house.client.get(f"/v1/invoices/{invoice}/history").json()
    assert UUID(told["invoice_id"]) == invoice
    assert [event["what"] for event in told["events"]] == ["accepted", "contacted"]
    assert "contact" not in told["events"][0], "what is not there is left out"
    contact = told["events"][1]["contact"]
    assert (contact["rung"], contact["at_local"], contact["receipts"][0]["status"]) == ("S1", "2026-03-01T10:00:00", "delivered")


def test_a_decision_under_law_is_told_with_the_version_of_each_pack(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    decide(house.database.worker, invoice, NOW + timedelta(days=400))
    law = {code: pack_versions()[code] for code in ("CO", "HOUSE")}
    told = house.client.get(f"/v1/invoices/{invoice}/history")
    assert told.status_code == 200
    assert [event["versions"]["law"] for event in told.json()["events"] if event["versions"]][0] == law
    desk = sign_in(house.public, house.creditor.key.key)
    assert f"law CO {law['CO']}" in desk.get(f"/console/invoices/{invoice}").text


def test_what_people_and_the_negotiation_did_is_told_with_its_reason_rules_and_versions(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    path = f"/v1/invoices/{invoice}"
    for verb, body in (
        ("pause", {"until": "2026-03-10T12:00:00Z", "reason": "customer abroad"}), ("resume", {"reason": "back again"}),
        ("promise", {"on": "2026-03-10"}), ("agreement/withdraw", None),
        ("dispute", {"reason": "wrong_amount"}), ("dispute/close", {"outcome": "for_creditor"}),
    ):  # fmt: skip
        assert house.client.post(f"{path}/{verb}", json=body).status_code < 300, verb
    assert house.client.patch(path, json={"due_on": "2026-03-30", "reason": "new date agreed"}).status_code == 200
    assert house.client.post(f"{path}/cancel", json={"reason": "credit note"}).status_code == 200
    events = {event["what"]: event for event in house.client.get(f"{path}/history").json()["events"]}
    assert {what: event["why"] for what, event in events.items()} == {
        "accepted": "", "paused": "customer abroad", "resumed": "back again",
        "promise_made": "The promise that was asked for is within what the manual allows.", "agreement_withdrawn": "",
        "dispute_opened": "wrong_amount", "dispute_closed": "for_creditor", "amended": "new date agreed",
        "cancelled": "credit note",
    }  # fmt: skip
    promise = events.pop("promise_made")
    assert promise["rules"] == ["negotiation.promise"]
    assert set(promise["versions"]) == {"policy", "tzdata", "holidays", "manual", "law"} and promise["versions"]["law"]["CO"]
    assert all(event["rules"] == [] and event["versions"] == {} for event in events.values()), "a person decided these"
    page = sign_in(house.public, house.creditor.key.key).get(f"/console/invoices/{invoice}").text
    assert [page.count(said) for said in ("customer abroad", "wrong amount", "credit note", "negotiation.promise")] == [1] * 4
