"""`GET /v1/debtors/{id}/contactability` answers for a live debtor as the engine does for a case."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.api.conftest import House
from tests.api.outside import change
from tests.cast import accepted_invoice


@pytest.fixture
def invoice(house: House) -> UUID:
    return accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)


def ask(house: House, at: str, channel: str = "email", debtor: str = "") -> dict[str, Any]:
    ref = debtor or house.client.get("/v1/invoices").json()["invoices"][0]["account"]["ref"]
    answer = house.client.get(f"/v1/debtors/{ref}/contactability", params={"channel": channel, "at": at})
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def place(house: House, country: str, region: str, zone: str, kind: str = "consumer") -> None:
    change(house, "update account set country = :c, region = :r, zone = :z, kind = :k", c=country, r=region, z=zone, k=kind)
    change(house, "update address set consent = 'given'")


def test_inside_the_hours_of_the_law_the_answer_is_yes(house: House, invoice: UUID) -> None:
    place(house, "CO", "", "America/Bogota")
    said = ask(house, "2026-03-03T10:00:00-05:00")
    assert (said["verdict"], said["next_allowed_at"], said["rules"]) == ("allow", None, [])
    assert said["jurisdictions"] == ["CO"] and said["zones"] == ["America/Bogota"]


def test_a_refusal_names_its_rules_with_their_source_and_the_next_moment(house: House, invoice: UUID) -> None:
    place(house, "CO", "", "America/Bogota")
    said = ask(house, "2026-03-07T16:00:00-05:00")  # a Saturday afternoon
    law = {rule["id"]: rule for rule in said["rules"]}
    assert said["verdict"] == "deny" and said["next_allowed_local"] == "2026-03-09T09:00:00-05:00"  # the house opens at nine
    assert law["CO.hours"]["basis"] == "law" and "Ley 2300" in law["CO.hours"]["citation"]


def test_an_earlier_contact_by_another_channel_closes_the_week(house: House, invoice: UUID) -> None:
    place(house, "CO", "", "America/Bogota")
    call = {"ref": "c-1", "channel": "call", "direction": "out", "at": "2026-02-27T15:00:00Z", "outcome": "conversation"}
    assert house.client.post(f"/v1/invoices/{invoice}/contacts", json=call).status_code == 201
    said = ask(house, "2026-02-28T10:00:00-05:00")
    assert "CO.one_channel_a_week" in [rule["id"] for rule in said["rules"]]
    assert said["next_allowed_local"] == "2026-03-06T09:00:00-05:00"  # seven days and the calendar week are both over


def test_a_channel_that_was_not_authorised_stays_closed_in_colombia(house: House, invoice: UUID) -> None:
    place(house, "CO", "", "America/Bogota")
    change(house, "update address set consent = 'unknown'")
    said = ask(house, "2026-03-03T10:00:00-05:00")
    assert (said["verdict"], said["next_allowed_at"]) == ("deny", None)
    assert "CO.authorised_channel" in [rule["id"] for rule in said["rules"]]


def test_a_doubtful_place_takes_the_overlap(house: House, invoice: UUID) -> None:
    place(house, "US", "NJ", "America/New_York")
    change(house, """update account set terms = '{"zones": ["America/Los_Angeles"]}'""")
    change(house, """update creditor set settings = settings || '{"law": {"party": "third"}}'""")
    said = ask(house, "2026-03-03T09:30:00-05:00")
    assert (said["verdict"], said["next_allowed_local"]) == ("deny", "2026-03-03T11:00:00-05:00")
    assert said["zones"] == ["America/New_York", "America/Los_Angeles"]


def test_a_suppression_and_the_law_speak_together(house: House, invoice: UUID) -> None:
    place(house, "CO", "", "America/Bogota")
    ref = house.client.get("/v1/invoices").json()["invoices"][0]["account"]["ref"]
    stop = {"reason": "complaint", "evidence": "letter 12", "until": "2026-03-14T22:00:00Z"}
    assert house.client.post(f"/v1/accounts/{ref}/suppressions", json=stop).status_code == 201
    said = ask(house, "2026-03-03T06:00:00-05:00")
    assert {"suppression.complaint", "CO.hours"} <= {rule["id"] for rule in said["rules"]}
    assert said["next_allowed_local"] == "2026-03-16T09:00:00-05:00"


def test_a_stranger_learns_nothing_and_a_wild_moment_is_refused(house: House, invoice: UUID) -> None:
    at = {"channel": "email", "at": "2026-03-03T10:00:00-05:00"}
    assert house.client.get("/v1/debtors/nobody/contactability", params=at).status_code == 404
    ref = house.client.get("/v1/invoices").json()["invoices"][0]["account"]["ref"]
    wild = house.client.get(f"/v1/debtors/{ref}/contactability", params={**at, "at": "2099-01-01T00:00:00Z"})
    naive = house.client.get(f"/v1/debtors/{ref}/contactability", params={**at, "at": "2026-03-03T10:00:00"})
    assert (wild.status_code, naive.status_code) == (422, 422)
