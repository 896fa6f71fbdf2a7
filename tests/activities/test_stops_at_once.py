"""What stops a contact stops it as soon as it is recorded, also when another machine's clock is ahead of the worker's (I11)."""

from __future__ import annotations

from datetime import timedelta

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
