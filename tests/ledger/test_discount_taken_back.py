"""A discount was for a payment: when that payment goes back, what was forgiven is owed again (I6, F13, F76)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.facts import gather
from ledger.steps import decide
from tests.cast import NOW, accepted_invoice, creditor_brill
from tests.conftest import Database
from tests.ledger.money import balances, pay, row_of, take

DAY = timedelta(days=1)


@pytest.mark.parametrize(("back", "owed"), [(900, 1000), (1, 101)])
def test_what_a_kept_discount_forgave_is_owed_again_when_its_payment_goes_back(database: Database, back: int, owed: int) -> None:
    creditor = creditor_brill(database.worker)
    invoice = accepted_invoice(database.worker, creditor, amount_minor=1000)
    with Session(database.worker) as session:
        session.execute(
            text(
                "with g as (insert into agreement (id, creditor_id, invoice_id, kind, made_at, made_on, grace_days, waived_minor,"
                " source, actor) values (gen_random_uuid(), :c, :i, 'discount', :now, '2026-03-02', 0, 100, 'portal', 't')"
                " returning id, creditor_id) insert into milestone select id, creditor_id, 1, '2026-03-05', 900 from g"
            ),
            {"c": creditor.id, "i": invoice, "now": NOW},
        )
        pay(session, creditor.id, "p1", 900, invoice, now=NOW + DAY)
        facts, manual = gather(session, invoice, NOW + DAY)
        assert decide(session, facts, manual, NOW + DAY)[1].kind == "close" and balances(session, invoice) == {1: 0}
        for _ in range(2):
            take(session, creditor.id, "r1", "p1", back, now=NOW + 5 * DAY)
            assert balances(session, invoice) == {1: owed}
        assert session.execute(text("select state from agreement")).scalar_one() in ("broken", "partly")
        assert row_of(session, invoice).outcome is None
