"""What came in is stored once, sealed, and forgotten after its time; its id is remembered (I5, F55)."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.inbox import applied, empty_payloads, store
from tests.cast import NOW, creditor_brill, sealer
from tests.conftest import Database


def test_an_event_is_stored_once_for_each_creditor_and_source(database: Database) -> None:
    one, two = creditor_brill(database.worker).id, creditor_brill(database.worker, slug="two").id
    with Session(database.worker) as session:
        kept = [
            store(session, sealer(), creditor, source, "evt_1", b"{}", now=NOW)
            for creditor, source in ((one, "stripe"), (one, "stripe"), (one, "standard"), (two, "stripe"))
        ]
    assert [row is not None for row in kept] == [True, False, True, True]


def test_a_second_delivery_at_the_same_moment_waits_for_the_first(database: Database) -> None:
    creditor = creditor_brill(database.worker).id
    stored: list[bool] = []

    def deliver() -> None:
        with Session(database.worker) as session, session.begin():
            row = store(session, sealer(), creditor, "stripe", "evt_1", b"{}", now=NOW)
            stored.append(row is not None)

    threads = [threading.Thread(target=deliver) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [False] * 5 + [True]


def test_an_event_whose_transaction_failed_may_come_again(database: Database) -> None:
    creditor = creditor_brill(database.worker).id
    with Session(database.worker) as session:
        store(session, sealer(), creditor, "stripe", "evt_1", b"{}", now=NOW)
        session.rollback()
        assert store(session, sealer(), creditor, "stripe", "evt_1", b"{}", now=NOW) is not None


def test_content_is_sealed_and_emptied_after_its_time_unless_it_waits(database: Database) -> None:
    creditor = creditor_brill(database.worker).id
    with Session(database.worker) as session:
        first = store(session, sealer(), creditor, "stripe", "e1", b"a name", now=NOW)
        store(session, sealer(), creditor, "stripe", "e2", b"never applied", now=NOW)
        given_up = store(session, sealer(), creditor, "stripe", "e3", b"a name too", now=NOW)
        session.execute(text("update inbox set result = 'failed: ValueError' where id = :id"), {"id": given_up})
        assert first is not None
        applied(session, first, "applied", now=NOW)
        sealed = bytes(session.execute(text("select payload from inbox where event_id = 'e1'")).scalar_one())
        assert b"a name" not in sealed and sealer().unseal(sealed) == b"a name"
        assert empty_payloads(session, NOW) == 0
        assert empty_payloads(session, NOW + timedelta(days=1)) == 2
        assert session.execute(text("select count(*) from inbox where payload is null")).scalar() == 2
        assert store(session, sealer(), creditor, "stripe", "e1", b"a name", now=NOW) is None
