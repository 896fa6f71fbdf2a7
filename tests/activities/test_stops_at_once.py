"""What stops a contact stops it as soon as it is recorded, also when another machine's clock is ahead of the worker's (I11)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from ledger import holds, invoices, stops
from tests.activities.house import House
from tests.activities.test_collector import due
from tests.cast import account_of

AHEAD = timedelta(seconds=2)


@pytest.mark.parametrize("what", ["pause", "dispute", "suppression"])
def test_a_stop_recorded_by_a_clock_that_is_ahead_holds_already(house: House, what: str) -> None:
    invoice = due(house)
    ahead = house.tools.clock.now() + AHEAD
    with Session(house.worker) as session, session.begin():
        if what == "pause":
            invoices.pause(session, invoice, until=ahead + timedelta(days=5), reason="asked for", now=ahead)
        elif what == "dispute":
            holds.open_dispute(session, invoice, reason="quality", actor="customer", now=ahead)
        else:
            account, until = account_of(house.worker, invoice), ahead + timedelta(days=90)
            stops.suppress(session, account, reason="deceased", evidence="c-1", until=until, actor="t", now=ahead)
    step = house.contact(invoice)
    assert step.kind == "wait" and house.received() == 0


def test_an_insolvency_stops_what_is_older_and_asks_for_the_claim(house: House) -> None:
    now = house.tools.clock.now()
    old, new = house.owes("OLD-1", issued_on="2026-01-10"), house.owes("NEW-1", issued_on="2026-02-20")
    until, claim_by = now + timedelta(days=200), now + timedelta(days=40)
    with Session(house.worker) as session, session.begin():
        stops.suppress(
            session, account_of(house.worker, old), reason="insolvency", evidence="court 12", until=until, actor="t", now=now,
            opened_on=date(2026, 2, 1), claim_by=claim_by,
        )  # fmt: skip
    assert (house.plan(old).kind, house.plan(new).kind) == ("wait", "contact")
    assert house.rows("select kind, due_at from task order by kind") == [("insolvency_claim", claim_by), ("review_stop", until)]
