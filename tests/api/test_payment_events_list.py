"""Events that were acknowledged and are not applied are seen, and one that was given up is applied once its cause is mended."""

from __future__ import annotations

from uuid import UUID

import pytest

from activities import arrived
from ledger.inbox import TRIES
from tests import cast
from tests.api.conftest import House
from tests.api.outside import change, gateway, one

BALANCE = "select balance_minor from invoice where number = 'F-1001'"


@pytest.fixture
def event(house: House, monkeypatch: pytest.MonkeyPatch) -> int:
    """An event that was given up: of 400, about Ana's invoice of 1,000."""
    cast.accepted_invoice(house.database.worker, house.creditor, amount_minor=1000)
    with monkeypatch.context() as broken:
        broken.setitem(arrived._KINDS, "standard", (arrived._KINDS["standard"][0], lambda come, event: 1 / 0))
        assert gateway(house).paid("p1", 400).json()["result"] is None
        [waits] = house.client.get("/v1/payment-events?state=waiting").json()["events"]
        assert (waits["event_id"], waits["account_ref"], waits["tries"], waits["why"]) == ("evt_p1", "C-1001", 1, None)
        assert house.client.get("/v1/payment-events").json()["events"] == []
        creditor = UUID(str(one(house, "select creditor_id from inbox")))
        for _ in range(TRIES - 1):
            arrived.apply_event(house.database.worker, cast.sealer(), creditor, waits["id"])
    return int(waits["id"])


def test_an_event_that_was_given_up_is_listed_with_its_task(house: House, event: int) -> None:
    [failed] = house.client.get("/v1/payment-events").json()["events"]
    assert (failed["id"], failed["tries"], failed["why"]) == (event, TRIES, "failed: ZeroDivisionError")
    assert house.client.get(f"/v1/payment-events?after={event}").json()["events"] == []
    assert house.client.get("/v1/payment-events?state=waiting").json()["events"] == []
    [task] = house.client.get("/v1/tasks?kind=read_event").json()["tasks"]
    assert str(event) in task["why"]


def test_tried_again_it_is_applied_and_its_task_is_done(house: House, event: int) -> None:
    assert house.client.post(f"/v1/payment-events/{event}/again").json() == {"done": True}
    assert house.client.post(f"/v1/payment-events/{event}/again").status_code == 409
    assert arrived.apply_waiting(house.database.worker, cast.sealer()) == 1
    assert one(house, BALANCE) == 600
    assert house.client.get("/v1/tasks?kind=read_event").json()["tasks"] == []
    assert house.client.post(f"/v1/payment-events/{event}/again").status_code == 409


def test_one_that_fails_again_is_given_up_at_once_and_its_task_stays(
    house: House, event: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(arrived._KINDS, "standard")
    house.client.post(f"/v1/payment-events/{event}/again")
    arrived.apply_waiting(house.database.worker, cast.sealer())
    assert [e["why"] for e in house.client.get("/v1/payment-events").json()["events"]] == ["failed: KeyError"]
    assert len(house.client.get("/v1/tasks?kind=read_event").json()["tasks"]) == 1


def test_what_is_no_longer_kept_or_never_was_is_not_tried(house: House, event: int) -> None:
    change(house, "update inbox set payload = null")
    answer = house.client.post(f"/v1/payment-events/{event}/again")
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (409, "emptied")
    assert house.client.post(f"/v1/payment-events/{event + 1}/again").status_code == 404
