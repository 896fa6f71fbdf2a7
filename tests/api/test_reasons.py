"""Each reason does what stands for it in the table of reasons (playbook 5)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.facts import gather
from ledger.payments import record_payment
from policies.facts import LawTerms
from policies.ladder import candidates
from policies.law.packs import packs_for
from policies.reasons import OFFERS, may_ask, reasons_for
from policies.terms import DebtorKind
from tests import cast
from tests.api.conftest import House

HALF = 12_500_000


def invoice(house: House, kind: str = "business", **account: Any) -> UUID:
    given = cast.debtor_ana(kind=kind, **account)
    return cast.accepted_invoice(house.database.worker, house.creditor, account=given)


def says(house: House, invoice: UUID, reason: str, status: int = 201, **more: Any) -> dict[str, Any]:
    answer = house.client.post(f"/v1/invoices/{invoice}/reason", json={"reason": reason, **more})
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def rows(house: House, sql: str) -> list[tuple[Any, ...]]:
    with house.database.worker.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql)).all()]


def late(house: House) -> None:
    house.clock.at = cast.NOW + timedelta(days=22)  # Tuesday 24 March, eight days after the due date


@pytest.mark.parametrize(
    ("reason", "more", "did"),
    [
        ("waiting_approval", {}, ["pause", "task"]), ("payment_run", {"on": "2026-03-10"}, ["promise"]),
        ("difference", {"amount_minor": HALF}, ["dispute"]), ("tax_withheld", {"amount_minor": HALF}, ["pause", "task"]),
        ("waiting_document", {"document": "credit_note"}, ["own_promise"]), ("cash_short", {}, []),
        ("offset_or_retention", {"amount_minor": HALF, "on": "2026-06-30"}, ["pause", "task"]),
        ("insolvent", {}, ["stop", "task"]), ("not_received", {}, ["own_promise"]),
    ],
)  # fmt: skip
def test_a_companys_reason_does_what_stands_for_it(house: House, reason: str, more: dict[str, Any], did: list[str]) -> None:
    said = says(house, invoice(house), reason, **more)
    assert said["did"] == did and (said["agreement"] is not None) is ("promise" in did)
    assert (said["first_offer"], said["second_offer"]) == tuple(OFFERS[reason])  # type: ignore[index]
    assert rows(house, "select detail ->> 'reason' from event where kind = 'reason_given'") == [(reason,)]


def test_what_is_opened_is_for_the_right_people_and_has_an_end(house: House) -> None:
    opened = {
        "waiting_approval": "follow_approval", "tax_withheld": "confirm_deduction", "offset_or_retention": "confirm_offset",
        "waiting_document": "own_document", "not_received": "own_send_copy", "difference": "answer_dispute",
    }  # fmt: skip
    owed = invoice(house)
    for reason, task in opened.items():
        says(house, owed, reason, amount_minor=1000)
        assert (task,) in rows(house, "select kind from task where due_at > created_at"), reason
    assert rows(house, "select distinct kind, amount_minor from hold order by kind, amount_minor") == [
        ("dispute", 1000), ("pause", 1000), ("pause", None),
    ]  # fmt: skip
    assert rows(house, "select count(*) from hold where until > starts_at + interval '60 days'") == [(0,)]
    assert cast.ANA_NAME not in str(rows(house, "select why from task"))


def test_not_received_starts_the_ladder_again_at_its_first_reminder(house: House) -> None:
    owed = invoice(house)
    late(house)
    assert says(house, owed, "not_received")["did"] == ["own_promise", "restart"]
    with Session(house.database.worker) as session:
        facts, manual = gather(session, owed, house.clock.now())
    found = candidates(facts, manual)
    assert [(c.rung.rung, c.day) for c in found] == [("S2", date(2026, 3, 31)), ("S3", date(2026, 4, 7))]
    assert (facts.cycle, facts.cycle_notice) == (2, "")
    assert says(house, owed, "not_received")["did"] == ["own_promise"], "said again the same day, it does not move again"


def test_a_payment_run_is_known_or_must_be_said(house: House) -> None:
    assert "reason-needs" in says(house, invoice(house), "payment_run", 422)["type"]
    house.client.patch("/v1/accounts/C-1001", json={"habits": {"payment_days": ["fri"]}})
    owed = rows(house, "select id from invoice")[0][0]
    assert says(house, owed, "payment_run")["agreement"]["milestones"][0]["due_on"] == "2026-03-06"


@pytest.mark.parametrize(
    ("reason", "more", "did"),
    [
        ("forgot", {}, []), ("unexpected_expense", {"on": "2026-03-10"}, ["promise"]), ("charge_wrong", {}, ["dispute"]),
        ("already_paid", {}, ["find_payment"]), ("not_said", {}, []), ("away", {"on": "2026-03-12"}, ["promise"]),
    ],
)  # fmt: skip
def test_a_consumers_reason_does_what_stands_for_it(house: House, reason: str, more: dict[str, Any], did: list[str]) -> None:
    assert says(house, invoice(house, "consumer"), reason, **more)["did"] == did


@pytest.mark.parametrize(("kind", "reason"), [("consumer", "cash_short"), ("business", "forgot")])
def test_each_kind_of_customer_has_its_own_list(house: House, kind: str, reason: str) -> None:
    assert says(house, invoice(house, kind), reason, 422)["type"].endswith("/reason")
    assert not set(reasons_for(DebtorKind.CONSUMER)) & set(reasons_for(DebtorKind.BUSINESS))


def test_a_plan_beyond_the_manual_is_refused_and_leaves_nothing(house: House) -> None:
    owed = invoice(house)
    refused = says(house, owed, "cash_short", 422, count=4)
    assert refused["type"].endswith("/not-granted") and refused["nearest"]["kind"] == "promise"
    assert rows(house, "select count(*) from event where kind = 'reason_given'") == [(0,)]


def test_a_sum_must_be_part_of_what_is_owed_and_a_paid_invoice_has_no_reason(house: House) -> None:
    owed = invoice(house)
    assert says(house, owed, "tax_withheld", 422)["type"].endswith("/reason-needs")
    assert says(house, owed, "tax_withheld", 422, amount_minor=25_000_001)["type"].endswith("/amount")
    with Session(house.database.worker) as session, session.begin():
        record_payment(
            session, house.creditor.id, source="manual", source_ref="p", amount_minor=25_000_000, currency="COP",
            paid_on=cast.NOW.date(), value_on=cast.NOW.date(), now=cast.NOW, invoice_id=owed,
        )  # fmt: skip
    assert says(house, owed, "cash_short", 409)["type"].endswith("/invoice-closed")


@pytest.mark.parametrize(
    ("country", "kind", "asked"), [("CO", "consumer", False), ("CO", "business", False), ("ES", "consumer", True)]
)
def test_in_colombia_nobody_is_asked_why(country: str, kind: str, asked: bool) -> None:
    law = LawTerms(packs=packs_for(country, ""), zones=("America/Bogota",), debtor=DebtorKind(kind))
    assert may_ask(law, date(2026, 3, 2)) is asked
