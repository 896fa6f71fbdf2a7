"""What was done to a customer is undone when nothing is owed any more: one task for a person for each thing done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.consequences import undo_when_paid
from ledger.facts import gather
from ledger.steps import decide
from tests.cast import NOW, accepted_invoice, creditor_brill
from tests.conftest import Database
from tests.ledger.money import pay

LADDER = [
    {"rung": "N", "day": "D+14", "channels": ["email"], "template": "suspension_notice"},
    {"rung": "A", "day": "D+20", "channels": ["email"], "template": "suspended", "requires": "N"},
]
CONSEQUENCES = [{"kind": "suspension", "notice": "suspension_notice", "wait_days": 5, "done_by": "A"}]
_CONTACT = text(
    """
    insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel, template,
        state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)
    select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, r.id, '1.1.' || :rung || '.0', 1, :rung, 'email',
        'suspended', :state, 1, i.currency, :at, 'America/Bogota', cast(:at as timestamp), cast(:day as date), -300
    from invoice i join person p on p.account_id = i.account_id join address r on r.person_id = p.id where i.id = :invoice limit 1
    """
)


def contacted(session: Session, invoice: UUID, rung: str, state: str) -> None:
    values: dict[str, Any] = {"rung": rung, "state": state, "at": NOW, "day": NOW.date().isoformat(), "invoice": invoice}
    session.execute(_CONTACT, values)


def tasks(session: Session) -> list[str]:
    return list(session.execute(text("select kind from task where done_at is null order by created_at, kind")).scalars())


@pytest.mark.parametrize(
    ("rung", "state", "asked"), [("A", "delivered", True), ("A", "failed", False), ("N", "delivered", False)]
)
def test_a_payment_in_full_asks_to_lift_a_suspension_that_was_made(
    database: Database, rung: str, state: str, asked: bool
) -> None:
    creditor = creditor_brill(database.worker, ladder=LADDER, consequences=CONSEQUENCES)
    invoice = accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session:
        contacted(session, invoice, rung, state)
        pay(session, creditor.id, "p1", 25_000_000, invoice, now=NOW + timedelta(days=1))
        facts, manual = gather(session, invoice, NOW + timedelta(days=1))
        decide(session, facts, manual, now=NOW + timedelta(days=1))
        assert tasks(session) == (["undo_suspension"] if asked else [])
        assert undo_when_paid(session, invoice, now=NOW + timedelta(days=2)) == []


def test_what_is_done_again_is_undone_again(database: Database) -> None:
    creditor = creditor_brill(database.worker, ladder=LADDER, consequences=CONSEQUENCES)
    invoice = accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session:
        contacted(session, invoice, "A", "delivered")
        assert undo_when_paid(session, invoice, now=NOW + timedelta(days=1)) == ["suspension"]
        session.execute(text("update contact set at_utc = :at"), {"at": NOW + timedelta(days=2)})
        assert undo_when_paid(session, invoice, now=NOW + timedelta(days=3)) == ["suspension"]
