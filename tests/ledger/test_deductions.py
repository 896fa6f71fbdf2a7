"""Short by design: the net is asked, what is withheld is booked when it comes, each part has its own balance (I5, I6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import permutations
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import allocation
from ledger.deductions import deductions_of
from ledger.facts import gather
from ledger.holds import open_dispute
from ledger.instruments import hold_instrument
from ledger.invoices import cancel, write_off
from ledger.refusals import Refused
from tests.cast import NOW, Creditor, accepted_invoice, creditor_brill
from tests.conftest import Database
from tests.ledger.money import balances, kinds, pay, row_of, take

WITHHELD = {"kind": "retefuente", "rate": "3.5", "base_minor": 1000, "amount_minor": 35, "certificate_required": True}
DEPOSITED = {
    "kind": "detraccion", "rate": "12", "base_minor": 1000, "amount_minor": 120, "where_paid": "state_bank:00-068-123456",
    "certificate_required": True,
}  # fmt: skip
GUARANTEE = {
    "kind": "retencion_garantia", "rate": "5", "base_minor": 1000, "amount_minor": 50, "where_paid": "creditor_account",
    "released_on": "2026-09-16",
}  # fmt: skip


class Desk(NamedTuple):
    """A creditor and a session as the worker."""

    database: Database
    creditor: Creditor
    session: Session

    def invoice(self, *deductions: dict[str, Any], number: str = "F-1", amount: int = 1000, **change: Any) -> UUID:
        given: dict[str, Any] = {"amount_minor": amount, "deductions": list(deductions)}
        return accepted_invoice(self.database.worker, self.creditor, number, **(given | change))

    def pay(self, ref: str, amount: int, invoice: UUID, **more: Any) -> None:
        pay(self.session, self.creditor.id, ref, amount, invoice, **more)

    def states(self, invoice: UUID) -> list[tuple[str, str, int]]:
        return [(d.kind, d.state, int(d.open_minor)) for d in deductions_of(self.session, [invoice]).get(invoice, [])]

    def asked(self, invoice: UUID) -> int:
        """What the policy may ask; never more than the payable part of the row."""
        payable: int = gather(self.session, invoice, NOW)[0].balance_minor
        row = row_of(self.session, invoice)
        assert payable == max(row.balance_minor - row.apart_minor, 0)
        return payable


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    creditor = creditor_brill(database.worker)
    with Session(database.worker) as session:
        yield Desk(database, creditor, session)


def test_what_is_withheld_is_never_asked_and_the_parts_add_up_to_the_gross(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD)
    assert balances(desk.session, invoice) == {1: 965, 1001: 35}
    assert desk.asked(invoice) == 965
    assert desk.states(invoice) == [("retefuente", "declared", 35)]


def test_the_net_closes_the_withheld_part_and_its_certificate_is_still_missing(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD)
    desk.pay("p1", 965, invoice)
    assert balances(desk.session, invoice) == {1: 0, 1001: 0}
    known = gather(desk.session, invoice, NOW)[0]
    assert (known.balance_minor, known.deductions[0].document_missing, known.deductions[0].settled_at) == (0, True, NOW)
    assert "deduction_booked" in kinds(desk.session, invoice)


def test_a_part_of_the_net_books_nothing(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD)
    desk.pay("p1", 900, invoice)
    assert balances(desk.session, invoice) == {1: 65, 1001: 35}
    assert desk.asked(invoice) == 65
    assert gather(desk.session, invoice, NOW)[0].deductions[0].settled_at is None


def test_who_pays_the_gross_withheld_nothing(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD)
    desk.pay("p1", 1000, invoice)
    entries = desk.session.execute(text("select kind, amount_minor from entry where instalment = 1001 order by id")).all()
    assert [tuple(e) for e in entries] == [("charge", 35), ("payment", -35)]
    assert row_of(desk.session, invoice).balance_minor == 0


def test_money_that_goes_back_takes_the_booking_with_it(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD)
    desk.pay("p1", 965, invoice)
    take(desk.session, desk.creditor.id, "r1", "p1", 965)
    assert balances(desk.session, invoice) == {1: 965, 1001: 35}
    assert desk.asked(invoice) == 965


def test_the_same_money_in_any_order_leads_to_the_same_balances(desk: Desk) -> None:
    ends = set()
    for n, order in enumerate(permutations(["net", "rest", "deposit"])):
        invoice = desk.invoice(WITHHELD, DEPOSITED, number=f"F-{n}")
        for which in order:
            sums: dict[str, tuple[int, dict[str, Any]]] = {
                "net": (845, {}), "rest": (35, {}), "deposit": (120, {"destination": "detraccion"}),
            }  # fmt: skip
            desk.pay(f"{n}-{which}", sums[which][0], invoice, **sums[which][1])
        left = desk.session.execute(text("select sum(unallocated_minor) from payment where invoice_id = :i"), {"i": invoice})
        ends.add((tuple(sorted(balances(desk.session, invoice).items())), left.scalar_one()))
    assert ends == {(((1, 0), (1001, 0), (1002, 0)), 0)}


def test_a_deposit_settles_its_own_part_and_no_other(desk: Desk) -> None:
    invoice = desk.invoice(DEPOSITED)
    desk.pay("p1", 120, invoice, destination="detraccion")
    assert balances(desk.session, invoice) == {1: 880, 1001: 0}
    assert desk.asked(invoice) == 880
    other = desk.invoice(DEPOSITED, number="F-2")
    desk.pay("p2", 880, other)
    assert balances(desk.session, other) == {1: 0, 1001: 120}
    assert desk.states(other) == [("detraccion", "declared", 120)]


def test_too_much_in_one_account_never_pays_the_other(desk: Desk) -> None:
    invoice = desk.invoice(DEPOSITED)
    desk.pay("p1", 1000, invoice)
    assert balances(desk.session, invoice) == {1: 0, 1001: 120}
    desk.pay("p2", 200, invoice, destination="detraccion")
    left = desk.session.execute(text("select source_ref, unallocated_minor from payment order by source_ref")).all()
    assert [tuple(row) for row in left] == [("p1", 120), ("p2", 80)]


def test_a_guarantee_is_an_instalment_of_its_own_day(desk: Desk) -> None:
    invoice = desk.invoice(GUARANTEE, WITHHELD)
    known = gather(desk.session, invoice, NOW)[0]
    assert [(i.due_on, i.balance_minor) for i in known.instalments] == [(date(2026, 3, 16), 915), (date(2026, 9, 16), 50)]
    desk.pay("p1", 915, invoice)
    assert balances(desk.session, invoice) == {1: 0, 2: 50, 1001: 0}


@pytest.mark.parametrize("end", [cancel, write_off])
def test_the_end_of_an_invoice_ends_its_parts(desk: Desk, end: Any) -> None:
    invoice = desk.invoice(WITHHELD, DEPOSITED)
    desk.pay("p1", 100, invoice)
    end(desk.session, invoice, reason="test", now=NOW)
    row = row_of(desk.session, invoice)
    assert (sum(balances(desk.session, invoice).values()), row.apart_minor) == (0, 0)


def task_whys(desk: Desk) -> list[str]:
    return list(desk.session.execute(text("select why from task where kind = 'confirm_deduction' and done_at is null")).scalars())


def test_a_gap_that_equals_a_usual_rate_is_proposed_with_a_task(desk: Desk) -> None:
    invoice = desk.invoice(amount=119_000)
    desk.pay("p1", 119_000 - 3_500, invoice)
    assert desk.states(invoice) == [("retefuente", "proposed", 0)]
    assert ["retefuente of 3.5 %" in why for why in task_whys(desk)] == [True]
    proposed = gather(desk.session, invoice, NOW)[0].deductions[0]
    assert (proposed.state, proposed.amount_minor, proposed.decide_by) == ("proposed", 3_500, NOW + timedelta(days=10))
    assert desk.asked(invoice) == 3_500


def test_a_gap_that_equals_nothing_known_is_not_proposed(desk: Desk) -> None:
    invoice = desk.invoice(amount=119_000)
    desk.pay("p1", 119_000 - 3_777, invoice)
    assert desk.states(invoice) == [] and task_whys(desk) == []


def test_what_the_account_deducted_before_is_usual(desk: Desk) -> None:
    odd = {"kind": "other", "rate": "7.77", "base_minor": 100_000, "amount_minor": 7_770}
    desk.invoice(odd, number="F-0", amount=100_000)
    invoice = desk.invoice(amount=200_000)
    desk.pay("p1", 200_000 - 15_540, invoice)
    assert desk.states(invoice) == [("other", "proposed", 0)]


def test_a_proposal_whose_gap_changes_is_moot(desk: Desk) -> None:
    invoice = desk.invoice(amount=119_000)
    desk.pay("p1", 115_500, invoice)
    desk.pay("p2", 777, invoice)
    assert desk.states(invoice) == [("retefuente", "moot", 0)] and task_whys(desk) == []


def test_a_proposal_that_is_paid_after_all_is_moot(desk: Desk) -> None:
    invoice = desk.invoice(amount=119_000)
    desk.pay("p1", 115_500, invoice)
    desk.pay("p2", 3_500, invoice)
    assert desk.states(invoice) == [("retefuente", "moot", 0)] and task_whys(desk) == []


def test_a_late_charge_is_no_part_of_the_gap_and_leaves_the_proposal_standing(desk: Desk) -> None:
    def charged(invoice: UUID) -> None:
        desk.session.execute(
            text(
                "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
                " recorded_at, cause) select creditor_id, account_id, id, 1, 'interest', 42, currency, issued_on, :now, 'late'"
                " from invoice where id = :id"
            ),
            {"id": invoice, "now": NOW},
        )
        allocation.settle(desk.session, invoice, now=NOW)
        allocation.refresh_balance(desk.session, invoice)

    before, after = desk.invoice(amount=119_000), desk.invoice(number="F-2", amount=119_000)
    charged(before)
    for ref, invoice in (("p1", before), ("p2", after)):
        desk.pay(ref, 115_500, invoice)
    charged(after)
    for invoice in (before, after):
        assert [state for _, state, _ in desk.states(invoice)] == ["proposed"] and desk.asked(invoice) == 3_542
        assert [d.amount_minor for d in deductions_of(desk.session, [invoice])[invoice]] == [3_500]


def test_a_receipt_without_a_name_that_equals_the_net_may_be_for_that_invoice(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD, DEPOSITED, number="F-7")
    pay(desk.session, desk.creditor.id, "u1", 845, None)
    holds = desk.session.execute(text("select invoice_id, kind from hold")).all()
    assert [tuple(row) for row in holds] == [(invoice, "unapplied")]


def test_a_deposit_is_no_payment_by_which_a_promise_is_kept(desk: Desk) -> None:
    invoice = desk.invoice(DEPOSITED)
    desk.pay("p1", 120, invoice, destination="detraccion")
    assert gather(desk.session, invoice, NOW)[0].payments == ()
    desk.pay("p2", 300, invoice)
    assert [one.amount_minor for one in gather(desk.session, invoice, NOW)[0].payments] == [300]


def test_a_deposit_at_the_state_bank_is_no_credit_and_holds_nothing_that_is_asked(desk: Desk) -> None:
    invoice = desk.invoice(DEPOSITED)
    other = desk.invoice(number="F-2", amount=80)
    desk.pay("p1", 200, invoice, destination="detraccion")
    assert gather(desk.session, other, NOW)[0].credit_minor == 0
    desk.pay("p2", 900, invoice)
    facts = gather(desk.session, other, NOW)[0]
    assert (facts.credit_minor, facts.credit_since) == (20, NOW)
    pay(desk.session, desk.creditor.id, "u1", 80, None, destination="detraccion")
    assert desk.session.execute(text("select count(*) from hold")).scalar_one() == 0


def test_a_dispute_of_a_part_is_within_what_is_payable(desk: Desk) -> None:
    invoice = desk.invoice(WITHHELD, DEPOSITED)
    with pytest.raises(Refused) as too_much:
        open_dispute(desk.session, invoice, reason="quality", actor="key", now=NOW, amount_minor=846)
    assert too_much.value.more == {"payable_minor": 845}
    open_dispute(desk.session, invoice, reason="quality", actor="key", now=NOW, amount_minor=845)


@pytest.mark.parametrize(("covered", "kept"), [(844, 844), (845, None), (1000, None)])
def test_a_cheque_for_what_is_payable_covers_all_of_it(desk: Desk, covered: int, kept: int | None) -> None:
    invoice = desk.invoice(WITHHELD, DEPOSITED)
    hold_instrument(
        desk.session, invoice, kind="post_dated_cheque", ref="c-1", amount_minor=covered, matures_on=date(2026, 4, 10),
        actor="key", now=NOW,
    )  # fmt: skip
    assert desk.session.execute(text("select amount_minor from hold")).scalar_one() == kept
