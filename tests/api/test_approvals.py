"""Tomorrow's list over the API: read with its states, approved whole or in part, by whoever may decide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from activities.compose import Composer
from activities.tomorrow import draw_lists
from ledger.creditors import create_api_key
from ledger.starting import set_start
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import decide

AFTERNOON = datetime(2026, 3, 18, 20, 0, tzinfo=UTC)
"""Wednesday at three in Bogotá, the day before S2."""
DAY = "2026-03-19"


def drawn(house: House, count: int = 2) -> None:
    """A list with S2 of so many customers."""
    with Session(house.database.worker) as session, session.begin():
        set_start(session, house.creditor.id, {"default": "approve"}, actor="a", now=cast.NOW)
    house.clock.at = AFTERNOON
    for number in range(count):
        channels = [{"channel": "email", "address": f"ana{number}@correo.example.com", "consent": "given"}]
        contacts = [{"role": "holder", "name": f"Ana {number}", "salutation": f"Ana {number}", "channels": channels}]
        account = cast.debtor_ana(ref=f"C-{number}", contacts=contacts)
        decide(house.database.worker, cast.accepted_invoice(
            house.database.worker, house.creditor, f"F-{number}", account=account, now=AFTERNOON
        ), AFTERNOON)  # fmt: skip
    draw_lists(house.database.worker, house.clock, Composer(cast.sealer(), "https://pay.example"), cast.sealer())


def shown(house: House, day: str = DAY) -> list[dict[str, Any]]:
    answer = house.client.get(f"/v1/approvals?day={day}")
    assert answer.status_code == 200, answer.text
    contacts: list[dict[str, Any]] = answer.json()["contacts"]
    return contacts


def test_before_the_first_list_there_is_none(house: House) -> None:
    assert house.client.get("/v1/approvals").json() == {"day": None, "contacts": []}


def test_the_latest_list_is_shown_without_names(house: House) -> None:
    drawn(house)
    answer = house.client.get("/v1/approvals")
    assert answer.json()["day"] == DAY
    assert [(c["number"], c["rung"], c["state"]) for c in answer.json()["contacts"]] == [
        ("F-0", "S2", "proposed"), ("F-1", "S2", "proposed"),
    ]  # fmt: skip
    assert "Ana 0" not in answer.text and "correo.example.com" not in answer.text


def test_one_is_approved_one_declined_and_each_is_said_once(house: House) -> None:
    drawn(house)
    one, two = (contact["id"] for contact in shown(house))
    body = {"day": DAY, "approve": [one], "decline": [two], "by": "lead-7"}
    assert house.client.post("/v1/approvals", json=body).json() == {"approved": 1, "declined": 1}
    assert house.client.post("/v1/approvals", json=body).json() == {"approved": 0, "declined": 0}
    assert [contact["state"] for contact in shown(house)] == ["approved", "declined"]
    assert shown(house)[0]["decided_by"].endswith("for lead-7") and shown(house)[0]["good_until"] == "2026-03-25T05:00:00Z"


def test_all_that_is_left_is_approved_at_once(house: House) -> None:
    drawn(house, 3)
    declined = shown(house)[0]["id"]
    answer = house.client.post("/v1/approvals", json={"day": DAY, "approve": "all", "decline": [declined]})
    assert answer.json() == {"approved": 2, "declined": 1}


def test_another_creditors_contact_is_not_touched(house: House) -> None:
    drawn(house, 1)
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    headers = {"Authorization": f"Bearer {norte.key.key}"}
    body = {"day": DAY, "approve": [shown(house)[0]["id"]]}
    assert house.public.post("/v1/approvals", json=body, headers=headers).status_code == 404
    with Session(house.database.worker) as session, session.begin():
        set_start(session, norte.id, {"default": "approve"}, actor="a", now=cast.NOW)
    draw_lists(house.database.worker, house.clock, Composer(cast.sealer(), "https://pay.example"), cast.sealer())
    assert house.public.post("/v1/approvals", json=body, headers=headers).json() == {"approved": 0, "declined": 0}
    assert shown(house)[0]["state"] == "proposed"


def test_what_decides_nothing_is_refused(house: House) -> None:
    drawn(house, 1)
    for body, status in (
        ({"day": DAY}, 422), ({"day": DAY, "approve": "some"}, 422), ({"day": DAY, "approve": ["x"]}, 422),
        ({"approve": "all"}, 422), ({"day": "2026-03-20", "approve": "all"}, 404), ({"day": DAY, "approve": [str(uuid4())]}, 200),
        ({"day": DAY, "approve": "all", "by": "Ana María"}, 422),
    ):  # fmt: skip
        assert house.client.post("/v1/approvals", json=body).status_code == status, body
    assert shown(house)[0]["state"] == "proposed"


def test_a_list_that_is_over_takes_no_decision(house: House) -> None:
    drawn(house, 1)
    house.clock.at = datetime(2026, 3, 20, 14, 0, tzinfo=UTC)
    answer = house.client.post("/v1/approvals", json={"day": DAY, "approve": "all"})
    assert answer.status_code == 409 and answer.json()["type"].endswith("/list-over")


def test_deciding_needs_its_own_scope(house: House) -> None:
    drawn(house, 1)
    with Session(house.database.worker) as session, session.begin():
        reader = create_api_key(session, house.creditor.id, "reports", ["invoices:read"], cast.NOW)
    headers = {"Authorization": f"Bearer {reader.key}"}
    assert house.public.get("/v1/approvals", headers=headers).status_code == 200
    answer = house.public.post("/v1/approvals", json={"day": DAY, "approve": "all"}, headers=headers)
    assert (answer.status_code, answer.json()["scope"]) == (403, "decisions:write")
