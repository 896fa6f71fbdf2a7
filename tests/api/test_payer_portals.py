"""What people saw in the payer's portal, and what each step means (playbook 4.4)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger.facts import gather
from ledger.steps import decide
from policies.facts import InvoiceFacts
from tests import cast
from tests.api.conftest import House
from tests.api.test_reasons import rows

HABITS = {"portal": {"name": "Ariba"}}


@pytest.fixture
def owed(house: House) -> UUID:
    account = cast.debtor_ana(kind="business", habits=HABITS)
    return cast.accepted_invoice(house.database.worker, house.creditor, account=account)


def shows(house: House, invoice: UUID, state: str, status: int = 200, **more: Any) -> dict[str, Any]:
    answer = house.client.post(f"/v1/invoices/{invoice}/portal", json={"state": state, "on": "2026-03-02", **more})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def facts(house: House, invoice: UUID) -> InvoiceFacts:
    with Session(house.database.worker) as session:
        return gather(session, invoice, house.clock.now())[0]


def test_the_last_step_is_a_fact_and_ends_the_task(house: House, owed: UUID) -> None:
    with Session(house.database.worker) as session, session.begin():
        known, manual = gather(session, owed, house.clock.now())
        decide(session, known, manual, house.clock.now())
    assert rows(house, "select kind, outcome from task where kind = 'submit_to_portal'") == [("submit_to_portal", None)]
    assert facts(house, owed).portal_state == ""
    for state in ("submitted", "approved"):
        shows(house, owed, state, ref="4500017731")
        assert facts(house, owed).portal_state == state
    assert rows(house, "select outcome from task where kind = 'submit_to_portal'") == [("submitted",)]
    assert rows(house, "select kind, source from delivery order by kind") == [("accepted", "portal"), ("delivered", "portal")]


def test_a_rejection_holds_the_invoice_and_asks_our_side_until_it_is_handed_in_again(house: House, owed: UUID) -> None:
    shows(house, owed, "rejected")
    assert [(h.kind, h.reason) for h in facts(house, owed).holds] == [("dispute", "not_accepted")]
    assert rows(house, "select kind from task where done_at is null") == [("reissue",)]
    shows(house, owed, "submitted", ref="second")
    assert facts(house, owed).holds == () and facts(house, owed).portal_state == "submitted"


def test_a_scheduled_date_is_a_promise_beyond_any_limit_and_a_new_date_takes_its_place(house: House, owed: UUID) -> None:
    first = shows(house, owed, "scheduled", scheduled_for="2026-05-08")
    assert first["agreement"] and shows(house, owed, "scheduled", scheduled_for="2026-05-08")["agreement"] is None
    shows(house, owed, "scheduled", scheduled_for="2026-05-15")
    assert rows(house, "select state, source from agreement order by state") == [
        ("open", "portal_payer"), ("withdrawn", "portal_payer"),
    ]  # fmt: skip
    agreed = [a for a in facts(house, owed).agreements if a.state == "open"][0]
    assert [(m.due_on.isoformat(), m.amount_minor) for m in agreed.milestones] == [("2026-05-15", 25_000_000)]


@pytest.mark.parametrize(
    ("state", "more", "code"),
    [
        ("scheduled", {}, "portal-scheduled"), ("submitted", {"scheduled_for": "2026-05-08"}, "portal-scheduled"),
        ("scheduled", {"scheduled_for": "2026-03-01"}, "portal-scheduled"), ("submitted", {"on": "2026-03-03"}, "portal-day"),
        ("scheduled", {"scheduled_for": "2026-12-01"}, "portal-scheduled"), ("lost", {}, "invalid"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    house: House, owed: UUID, state: str, more: dict[str, Any], code: str
) -> None:
    assert shows(house, owed, state, 422, **more)["type"].endswith(f"/{code}")
    assert rows(house, "select count(*) from portal_step") == [(0,)]
