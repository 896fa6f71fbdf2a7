"""Whoever asked for no more messages is not written to because the same address comes in again (I11, F49)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ledger.facts import gather
from ledger.receipts import opt_out
from tests import cast
from tests.conftest import Database
from tests.ledger.people import address

LATER = cast.NOW + timedelta(days=1)


def _email(**change: Any) -> dict[str, Any]:
    return {"channel": "email", "address": cast.ANA_EMAIL, "consent": "given"} | change


def _contact(name: str, **change: Any) -> dict[str, Any]:
    return {"role": "payables", "name": name, "channels": [_email(**change)]}


@pytest.mark.parametrize("ref", ["C-1001", "C-2002"], ids=["the same account", "another account"])
@pytest.mark.parametrize(("again", "may"), [({}, False), ({"consent_at": LATER.isoformat(), "proof": "form 7"}, True)])
def test_an_address_that_opted_out_stays_so_until_a_later_consent(
    database: Database, ref: str, again: dict[str, Any], may: bool
) -> None:
    creditor = cast.creditor_brill(database.worker)
    first = cast.accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session, session.begin():
        account = cast.account_of(database.worker, first)
        opt_out(session, account, [address(session, "email").id], now=cast.NOW, proof="one-click")
    both = [_contact("Ana"), _contact("Eva", **again)]
    second = cast.accepted_invoice(database.worker, creditor, "F-2", now=LATER, account=cast.debtor_ana(ref=ref, contacts=both))
    with Session(database.worker) as session:
        facts, _ = gather(session, second, LATER)
    assert any(reach.channel == "email" and reach.permitted for reach in facts.reach) is may
