"""The invoice's document in its first message, and what the delivered message proves, through the real activities."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger.facts import gather_book
from ledger.receipts import apply_receipt
from policies.forecast import forecast
from policies.steps import Contact
from tests.activities.house import House

PDF = b"%PDF-1.4 the invoice"
DOCUMENTS: list[dict[str, Any]] = [{"kind": "pdf", "content_base64": base64.b64encode(PDF).decode()}]
CHECKED: dict[str, Any] = {
    "delivery": "required",
    "limits": {"fold": False},
    "ladder": [
        {"rung": "S1", "day": "I+2wd", "channels": ["email"], "template": "delivery_check"},
        {"rung": "S2", "day": "D+2wd", "channels": ["email"], "template": "first_reminder"},
    ],
}


def arrives(house: House, invoice: UUID) -> None:
    """The provider says that all that went out was delivered."""
    now = house.tools.clock.now()
    for row in house.rows("select id from contact where invoice_id = :i and state = 'accepted'", i=invoice):
        with Session(house.worker) as session, session.begin():
            apply_receipt(session, row.id, "delivered", at=now, now=now)


def planned(house: House, invoice: UUID) -> list[tuple[str, str]]:
    """The contacts that the plan says, with their moments."""
    account = house.rows("select account_id from invoice where id = :i", i=invoice)[0].account_id
    now = house.tools.clock.now()
    with Session(house.worker) as session:
        happened = forecast(gather_book(session, account, now), now=now, until=now.replace(year=now.year + 1))
    return [(p.step.rung, p.step.at.isoformat()) for p in happened if isinstance(p.step, Contact)]


def happened(house: House, invoice: UUID) -> list[tuple[str, str]]:
    """The contacts that were made, with their moments."""
    rows = house.rows("select rung, at_utc from contact where invoice_id = :i order by at_utc", i=invoice)
    return [(row.rung, row.at_utc.isoformat()) for row in rows]


def play(house: House, invoice: UUID, *, receipts: bool = True) -> list[tuple[str, str]]:
    """Obey until nothing more is sent."""
    for _ in range(20):
        house.plan(invoice)
        (row,) = house.rows("select next_kind, next_at from invoice where id = :i", i=invoice)
        if row.next_kind == "close":
            break
        house.move(max(row.next_at, house.tools.clock.now()))
        if row.next_kind == "contact":
            house.contact(invoice)
            if receipts:
                arrives(house, invoice)
    return happened(house, invoice)


def test_the_first_message_brings_the_document_and_the_reminder_does_not(build: Any) -> None:
    house = build(**CHECKED)
    invoice = house.owes(documents=DOCUMENTS, due_on="2026-03-20")
    play(house, invoice)
    carried = house.rows("select rung, carried_document from contact where invoice_id = :i order by at_utc", i=invoice)
    assert [(row.rung, row.carried_document) for row in carried] == [("S1", True), ("S2", False), ("S3", False)]
    files = [list(one.files) for one in house.outside.world.sent]
    assert files == [["F-1001.pdf"], [], []]


@pytest.mark.parametrize(("due", "documents"), [("2026-03-20", DOCUMENTS), ("2026-03-06", []), ("2026-03-06", DOCUMENTS)])
def test_what_the_plan_says_of_a_checked_invoice_happens(build: Any, due: str, documents: list[dict[str, Any]]) -> None:
    house = build(**CHECKED)
    invoice = house.owes(due_on=due, documents=documents)
    house.plan(invoice)
    said = planned(house, invoice)
    assert [rung for rung, _ in said] == ["S1", "S2", "S3"]
    assert play(house, invoice) == said


def test_without_a_receipt_nobody_is_reminded_and_a_person_is_asked(build: Any) -> None:
    house = build(**CHECKED)
    invoice = house.owes(due_on="2026-03-20")
    assert [rung for rung, _ in play(house, invoice, receipts=False)] == ["S1"]
    assert [row.kind for row in house.rows("select kind from task")] == ["prove_delivery"] * 2  # for each rung that is given up
