"""An invoice posted with where it stood in the system before."""

from __future__ import annotations

from tests import cast
from tests.api.conftest import House

CARRIED = {
    "balance_minor": 10_000_000, "last_contact_on": "2026-02-27", "last_contact_channel": "voice", "stage": "S2",
    "promised_on": "2026-03-06", "disputed": "quality", "hold_until": "2026-03-20",
}  # fmt: skip


def test_what_an_invoice_carries_over_is_written_by_the_api_and_posting_it_again_changes_nothing(house: House) -> None:
    body = cast.invoice_body(issued_on="2026-01-10", due_on="2026-02-20", carried=CARRIED)
    made = house.client.post("/v1/invoices", json=body)
    assert made.status_code == 201, made.text
    known = house.client.get(f"/v1/invoices/{made.json()['id']}").json()
    assert known["balance_minor"] == 10_000_000
    assert {hold["kind"] for hold in known["holds"]} == {"dispute", "pause"}
    contacts = house.client.get(f"/v1/invoices/{made.json()['id']}/contacts").json()
    assert [(one["made"], one["channel"], one["recorded_by"]) for one in contacts["contacts"]] == [("manual", "voice", "carried")]
    again = house.client.post("/v1/invoices", json=body)
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    other = house.client.post("/v1/invoices", json=body | {"carried": CARRIED | {"stage": "S3"}})
    assert other.status_code == 409 and "/carried/stage" in other.text


def test_a_stage_that_the_manual_does_not_have_is_refused_by_its_pointer(house: House) -> None:
    refused = house.client.post("/v1/invoices", json=cast.invoice_body(carried={"stage": "S9"}))
    assert refused.status_code == 422 and "/carried/stage" in refused.text and "it has S1, S2, S3" in refused.text
