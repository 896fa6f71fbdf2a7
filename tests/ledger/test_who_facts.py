"""What the policy may know of who owes, gathered from the account: each fact in both of its values."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from ledger.facts import gather
from policies.facts import InvoiceFacts
from policies.habits import Habits, Portal
from tests import cast
from tests.conftest import Database

HABITS = {"payment_days": ["fri"], "cut_off_wd": 3, "portal": {"name": "Ariba"}}


@pytest.mark.parametrize(
    ("account", "minor", "related", "habits"),
    [
        ({}, False, "", Habits()),
        ({"minor": True, "related": "employee"}, True, "employee", Habits()),
        ({"habits": HABITS}, False, "", Habits(payment_days=("fri",), cut_off_wd=3, portal=Portal(name="Ariba"))),
    ],
)
def test_what_an_account_says_of_itself_is_a_fact(
    database: Database, account: dict[str, Any], minor: bool, related: str, habits: Habits
) -> None:
    creditor = cast.creditor_brill(database.worker)
    invoice = cast.accepted_invoice(database.worker, creditor, account=cast.debtor_ana(**account))
    with Session(database.worker) as session:
        facts: InvoiceFacts = gather(session, invoice, cast.NOW)[0]
    assert (facts.minor, facts.related, facts.habits) == (minor, related, habits)


def test_when_an_address_was_confirmed_before_it_came_in_is_kept(database: Database) -> None:
    sms = {"channel": "sms", "address": cast.ANA_PHONE, "consent": "given", "verified_at": "2025-12-01T12:00:00Z"}
    account = cast.debtor_ana(contacts=[{"role": "holder", "salutation": "Ana", "channels": [sms]}])
    invoice = cast.accepted_invoice(database.worker, cast.creditor_brill(database.worker), account=account)
    with Session(database.worker) as session:
        reach = gather(session, invoice, cast.NOW)[0].reach[0]
    assert reach.verified and reach.heard_at is not None and reach.heard_at.isoformat() == "2025-12-01T12:00:00+00:00"
