"""Amendments, cancellations and pauses in the ledger: entries only grow, and money is never lost between them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.acceptance import accept_batch
from ledger.invoices import amend, cancel, pause, resume
from ledger.payments import record_payment
from ledger.refusals import Refused
from policies.intake import Unreadable
from policies.intake_model import InvoiceIn
from tests import cast
from tests.conftest import Database

TODAY = date(2026, 3, 2)


class Desk:
    """One invoice of Ana's in instalments of 60 and 40 pesos, and what may be done with it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.creditor = cast.creditor_brill(database.worker)
        dues = [("2026-03-16", 60), ("2026-04-16", 40)]
        parts = [{"number": n, "due_on": due_on, "amount_minor": amount} for n, (due_on, amount) in enumerate(dues, 1)]
        self.invoice = cast.accepted_invoice(database.worker, self.creditor, due_on=None, amount_minor=None, instalments=parts)

    def pay(self, amount_minor: int, ref: str = "p-1") -> None:
        with Session(self.database.worker) as session, session.begin():
            record_payment(
                session, self.creditor.id, source="standard", source_ref=ref, amount_minor=amount_minor, currency="COP",
                paid_on=TODAY, value_on=TODAY, now=cast.NOW, invoice_id=self.invoice,
            )  # fmt: skip

    def do(self, verb: Any, *args: Any, **more: Any) -> Any:
        with Session(self.database.worker) as session, session.begin():
            return verb(session, self.invoice, *args, now=cast.NOW, **more)

    def one(self, sql: str) -> Any:
        with self.database.worker.connect() as connection:
            return connection.execute(text(sql), {"id": self.invoice}).scalar_one()

    def balances(self) -> tuple[int, int, int]:
        """Cached balance, sum of the entries, money not applied."""
        return (
            self.one("select balance_minor from invoice where id = :id"),
            int(self.one("select sum(amount_minor) from entry where invoice_id = :id")),
            int(self.one("select coalesce(sum(unallocated_minor), 0) from payment")),
        )

    def events(self) -> list[str]:
        with self.database.worker.connect() as connection:
            return list(connection.execute(text("select kind from event order by id")).scalars())


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_an_amendment_adds_the_difference_and_keeps_the_old_instalments(desk: Desk) -> None:
    done = desk.do(amend, [(1, date(2026, 3, 20), 60), (2, date(2026, 4, 20), 30)], reason="price agreed")
    assert (done.changed, done.balance_minor, done.freed_minor) == (True, 90, 0)
    assert desk.balances() == (90, 90, 0)
    assert desk.one("select count(*) from instalment where superseded_at is not null") == 2
    assert desk.one("select array_agg(amount_minor order by id) from entry where invoice_id = :id") == [60, 40, -10]
    detail = desk.one("select detail from event where kind = 'amended'")
    assert detail["was"][0] == {"number": 1, "due_on": "2026-03-16", "amount_minor": 60}
    assert detail["now"][1] == {"number": 2, "due_on": "2026-04-20", "amount_minor": 30}
    assert desk.one("select note from outbox where signal = 'amended'") == "90 COP, due 2026-03-20, 2026-04-20"


def test_the_same_amendment_again_changes_nothing_and_rings_nobody(desk: Desk) -> None:
    dues = [(1, date(2026, 3, 20), 100)]
    assert desk.do(amend, dues, reason="one date").changed is True
    assert desk.do(amend, dues, reason="one date").changed is False
    assert desk.events() == ["accepted", "amended"]


def test_an_amendment_below_what_was_paid_frees_the_rest_and_says_so(desk: Desk) -> None:
    desk.pay(80)
    done = desk.do(amend, [(1, date(2026, 3, 16), 50)], reason="credit agreed")
    assert (done.balance_minor, done.freed_minor) == (0, 30)
    assert desk.balances() == (0, 0, 30)
    desk.do(amend, [(1, date(2026, 3, 16), 70)], reason="corrected")
    assert desk.balances() == (0, 0, 10)


def test_cancelling_brings_the_balance_to_nothing_and_frees_what_was_paid(desk: Desk) -> None:
    desk.pay(25)
    assert desk.do(cancel, reason="credit note") is True
    assert desk.balances() == (0, 0, 25)
    assert desk.do(cancel, reason="credit note") is False
    assert desk.events() == ["accepted", "payment_received", "cancelled"]
    for verb, args, more in (
        (amend, [[(1, TODAY, 5)]], {"reason": "late"}),
        (pause, [], {"until": cast.NOW + timedelta(days=2), "reason": "late"}),
    ):
        with pytest.raises(Refused, match="is cancelled") as refused:
            desk.do(verb, *args, **more)
        assert (refused.value.status, refused.value.code) == (409, "invoice-closed")


@pytest.mark.parametrize("dues", [[], [(1, TODAY, 0)], [(2, TODAY, 5)], [(1, date(2026, 4, 1), 5), (2, date(2026, 3, 1), 5)]])
def test_an_amendment_that_makes_no_sense_is_refused(desk: Desk, dues: list[Any]) -> None:
    with pytest.raises(Unreadable):
        desk.do(amend, dues, reason="error")
    assert desk.balances() == (100, 100, 0)


def test_a_pause_has_an_end_within_the_manual_and_a_new_one_replaces_it(desk: Desk) -> None:
    longest = cast.NOW + timedelta(days=30)
    first = desk.do(pause, until=longest, reason="abroad")
    assert desk.do(pause, until=longest, reason="abroad") == first
    second = desk.do(pause, until=cast.NOW + timedelta(days=1), reason="back soon")
    assert second != first
    assert desk.one("select count(*) from hold where released_at is null") == 1
    for until in (cast.NOW, longest + timedelta(seconds=1)):
        with pytest.raises(Refused) as refused:
            desk.do(pause, until=until, reason="too far")
        assert refused.value.code == "pause-end"
    assert desk.do(resume) is True
    assert desk.do(resume) is False
    assert desk.events() == ["accepted", "paused", "paused", "resumed"]


def test_what_has_ended_is_not_paused_and_what_stands_on_it_may_still_be_ended(desk: Desk) -> None:
    more: dict[str, Any] = {"until": cast.NOW + timedelta(days=2), "reason": "late"}
    desk.do(pause, **more)
    desk.pay(100)
    with pytest.raises(Refused, match="is paid: nothing is sent any more") as refused:
        desk.do(pause, **more)
    assert (refused.value.status, refused.value.code, refused.value.more) == (409, "invoice-closed", {"state": "paid"})
    assert (desk.do(resume), desk.do(resume)) == (True, False), "the payment may come back"
    assert desk.events() == ["accepted", "paused", "payment_received", "resumed"]


def test_a_ladder_that_has_ended_is_not_paused_until_something_new_is_known(desk: Desk) -> None:
    more: dict[str, Any] = {"until": cast.NOW + timedelta(days=2), "reason": "late"}
    with desk.database.worker.begin() as connection:
        connection.execute(text("update invoice set outcome = 'ladder_ended', seen_revision = revision"))
    with pytest.raises(Refused, match="is ladder ended") as refused:
        desk.do(pause, **more)
    assert refused.value.more == {"state": "ladder_ended"}
    desk.do(amend, [(1, date(2026, 5, 20), 100)], reason="more time")
    assert desk.do(pause, **more), "nobody has decided yet what the new date opens again"


def test_an_amendment_that_makes_no_sense_is_refused_where_it_was_given(desk: Desk) -> None:
    for said_at in ("/due_on", "/instalments"):
        with pytest.raises(Unreadable) as wrong:
            desk.do(amend, [(1, date(2096, 1, 1), 100)], reason="error", said_at=said_at)
        assert [problem.pointer for problem in wrong.value.problems] == [said_at]


def test_a_payment_and_an_amendment_at_once_end_in_one_consistent_ledger(desk: Desk) -> None:
    barrier = threading.Barrier(6)

    def run(n: int) -> None:
        barrier.wait()
        if n % 2:
            desk.pay(20, f"p-{n}")
        else:
            desk.do(amend, [(1, date(2026, 3, 16), 40 + n)], reason=f"turn {n}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))
    cached, summed, free = desk.balances()
    charged = desk.one("select amount_minor from instalment where superseded_at is null and invoice_id = :id")
    assert cached == summed == max(charged - 60, 0)
    assert free == max(60 - charged, 0)
    revision = desk.one("select revision from invoice where id = :id")
    # a gap that looks like a deduction on the way is told beside the payment that left it, and rings nothing of its own
    facts = [kind for kind in desk.events() if not kind.startswith("deduction_")]
    assert revision == len(facts) == desk.one("select count(*) from outbox")


def test_two_overlapping_batches_at_once_never_deadlock_and_make_each_invoice_once(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    accounts = [cast.debtor_ana(ref=f"C-{n}X", contacts=[]) for n in range(40)]
    bodies = [InvoiceIn.model_validate(cast.invoice_body(f"F-{n}", account=accounts[n % 40])) for n in range(200)]

    def run(order: list[InvoiceIn]) -> list[str]:
        with Session(database.worker) as session, session.begin():
            done = accept_batch(session, creditor.id, order, now=cast.NOW, sealer=cast.sealer())
        return [accepted.verdict for accepted in done]

    with ThreadPoolExecutor(3) as pool:
        verdicts = list(pool.map(run, (bodies, bodies[::-1], bodies[100:] + bodies[:100])))
    assert sorted(verdict for one in verdicts for verdict in one) == ["new"] * 200 + ["same"] * 400
    tables = ("invoice", "account", "entry", "outbox")
    with database.worker.connect() as connection:
        counts = [connection.execute(text(f"select count(*) from {table}")).scalar_one() for table in tables]
    assert counts == [200, 40, 200, 200]


def test_a_text_with_the_separator_of_columns_is_refused_and_not_written_to_its_neighbour(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    bodies = [InvoiceIn.model_validate(cast.invoice_body(f"F-{n}")) for n in range(3)]
    bodies[1] = bodies[1].model_copy(update={"number": "F-1\x1fF-9"})
    with pytest.raises(ValueError, match="control characters"), Session(database.worker) as session, session.begin():
        accept_batch(session, creditor.id, bodies, now=cast.NOW, sealer=cast.sealer())


def test_a_batch_of_many_parts_keeps_the_order_of_its_results(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.acceptance.PART", 7)
    creditor = cast.creditor_brill(database.worker)
    bodies = [InvoiceIn.model_validate(cast.invoice_body(f"F-{n % 30}", amount_minor=1 + n // 45)) for n in range(60)]
    with Session(database.worker) as session, session.begin():
        done = accept_batch(session, creditor.id, bodies, now=cast.NOW, sealer=cast.sealer())
    assert [a.verdict for a in done] == ["new"] * 30 + ["same"] * 15 + ["different"] * 15
    ids: dict[str, UUID | None] = {}
    for body, accepted in zip(bodies, done, strict=True):
        assert ids.setdefault(body.number, accepted.id) == accepted.id


def test_one_manual_row_serves_all_invoices_with_the_same_patches(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    for number in range(3):
        cast.accepted_invoice(database.worker, creditor, f"A-{number}")
        cast.accepted_invoice(database.worker, creditor, f"B-{number}", manual_patch={"send_at": "11:00"})
    with database.worker.connect() as connection:
        rows = connection.execute(
            text("select m.origin, count(*) from invoice i join manual m on m.id = i.manual_id group by 1, m.id")
        )
        found = sorted((origin.get("send_at", "creditor"), count) for origin, count in rows)
    assert found == [("creditor", 3), ("invoice", 3)]
