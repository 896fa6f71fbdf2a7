"""Debts counted in an index or a foreign currency: payments convert at the value of their day, or wait; nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.facts import gather
from ledger.index_values import load, value_on
from ledger.payments import apply_payment
from policies.indexed import IndexValue
from tests.cast import NOW, Creditor, accepted_invoice, creditor_brill
from tests.conftest import Database
from tests.ledger.money import PAID_ON, balances, kinds, pay, row_of, take

UF = IndexValue.model_validate(
    {"code": "UF", "payment_currency": "CLP", "on_day": "2026-03-02", "value": "39383.07", "source": "SII"}
)


class Desk(NamedTuple):
    """A creditor, a debt of UF 12.5, and a session as the worker."""

    database: Database
    creditor: Creditor
    invoice: UUID
    session: Session

    def load(self, *values: IndexValue) -> tuple[int, int]:
        return load(self.session, self.creditor.id, values, now=NOW, actor="test")

    def pay(self, ref: str, amount: int, currency: str = "CLP", **more: Any) -> str:
        return pay(self.session, self.creditor.id, ref, amount, self.invoice, currency=currency, **more).verdict


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    creditor = creditor_brill(database.worker)
    invoice = accepted_invoice(
        database.worker, creditor, currency="CLP", amount_minor=None, index={"code": "UF", "units": "12.5"}
    )
    with Session(database.worker) as session:
        yield Desk(database, creditor, invoice, session)


def test_a_payment_is_converted_at_the_value_of_the_day_it_was_paid_on(desk: Desk) -> None:
    desk.load(UF, UF.model_copy(update={"on_day": date(2026, 3, 3), "value": UF.value * 2}))
    assert desk.pay("p1", 492_288) == "applied"
    assert balances(desk.session, desk.invoice) == {1: 0}
    kept = desk.session.execute(text("select * from payment")).one()
    assert (kept.amount_minor, kept.currency, kept.original_minor, kept.original_currency) == (125_000, "CLF", 492_288, "CLP")
    assert (kept.rate, kept.rate_on, kept.rate_source) == (UF.value, PAID_ON, "SII")


def test_a_payment_in_the_unit_itself_is_not_converted(desk: Desk) -> None:
    assert desk.pay("p1", 125_000, "CLF") == "applied"
    assert desk.session.execute(text("select rate from payment")).scalar_one() is None


def test_while_the_value_of_its_day_is_not_known_money_waits_and_is_applied_afterwards(desk: Desk) -> None:
    assert desk.pay("p1", 492_288) == "unmatched"
    assert balances(desk.session, desk.invoice) == {1: 125_000}
    waiting = desk.session.execute(text("select id, reason from payment")).one()
    assert "no value of CLF for 2026-03-02 is known" in waiting.reason
    desk.load(UF)
    done = apply_payment(desk.session, desk.creditor.id, waiting.id, desk.invoice, now=NOW, actor="test")
    assert (done.verdict, done.balance_minor) == ("applied", 0)


def test_the_same_money_told_again_once_the_value_is_known_is_applied_once(desk: Desk) -> None:
    assert [desk.pay("p1", 492_288), desk.pay("p1", 492_288)] == ["unmatched", "duplicate"]
    desk.load(UF)
    assert [desk.pay("p1", 492_288), desk.pay("p1", 492_288)] == ["applied", "duplicate"]
    assert balances(desk.session, desk.invoice) == {1: 0}


def test_converted_money_that_goes_back_takes_back_the_same_units(desk: Desk) -> None:
    desk.load(UF)
    desk.pay("p1", 492_288)
    desk.load(UF.model_copy(update={"value": UF.value + 1}))
    take(desk.session, desk.creditor.id, "r1", "p1", 492_288, currency="CLP")
    assert balances(desk.session, desk.invoice) == {1: 125_000}


def test_a_value_holds_from_its_day_to_its_last_and_no_longer(desk: Desk) -> None:
    weekend = UF.model_copy(update={"code": "USD", "payment_currency": "COP", "valid_until": date(2026, 3, 4)})
    desk.load(weekend)
    known = [value_on(desk.session, desk.creditor.id, "USD", "COP", date(2026, 3, day)) is not None for day in range(1, 6)]
    assert known == [False, True, True, True, False]


def test_a_value_asks_the_open_invoices_of_its_unit_again_and_only_once(desk: Desk) -> None:
    assert (desk.load(UF), desk.load(UF)) == ((1, 1), (0, 0))
    assert kinds(desk.session, desk.invoice)[-1] == "index_value_loaded"
    dollars = UF.model_copy(update={"code": "USD"})
    assert desk.load(dollars) == (1, 0)


def test_the_facts_say_when_the_value_of_the_customers_day_is_missing(desk: Desk) -> None:
    known = gather(desk.session, desk.invoice, NOW)[0]
    assert (known.payment_currency, known.value_missing_on) == ("CLP", NOW.date())
    desk.load(UF)
    assert gather(desk.session, desk.invoice, NOW)[0].value_missing_on is None
    # Midnight in Bogotá is five hours after midnight UTC: until then the value of the second still holds.
    assert gather(desk.session, desk.invoice, datetime(2026, 3, 3, 4, 59, tzinfo=UTC))[0].value_missing_on is None
    assert gather(desk.session, desk.invoice, datetime(2026, 3, 3, 5, 0, tzinfo=UTC))[0].value_missing_on == date(2026, 3, 3)
    ordinary = accepted_invoice(desk.database.worker, desk.creditor, "F-2")
    plain = gather(desk.session, ordinary, NOW + timedelta(days=1))[0]
    assert (plain.payment_currency, plain.value_missing_on) == ("", None)


def test_one_creditors_values_are_not_anothers(desk: Desk) -> None:
    other = creditor_brill(desk.database.worker, slug="norte")
    desk.load(UF)
    assert value_on(desk.session, other.id, "CLF", "CLP", PAID_ON) is None


def test_a_foreign_debt_is_paid_in_local_currency(desk: Desk) -> None:
    invoice = accepted_invoice(
        desk.database.worker, desk.creditor, "F-3", currency="USD", amount_minor=1_000_00, payment_currency="COP"
    )
    desk.load(UF.model_copy(update={"code": "USD", "payment_currency": "COP", "value": UF.value / 10}))
    paid = pay(desk.session, desk.creditor.id, "p1", 393_830_700, invoice, currency="COP")
    assert (paid.verdict, row_of(desk.session, invoice).balance_minor) == ("applied", 0)


def test_money_that_went_back_before_it_came_takes_back_its_units_whole_or_in_part(desk: Desk) -> None:
    desk.load(UF)
    take(desk.session, desk.creditor.id, "r1", "p1", 492_288, currency="CLP")
    assert desk.pay("p1", 492_288) == "applied"
    assert balances(desk.session, desk.invoice) == {1: 125_000}
    take(desk.session, desk.creditor.id, "r2", "p2", 39_383, currency="CLP")
    desk.pay("p2", 492_288)
    assert balances(desk.session, desk.invoice) == {1: 10_000}
