"""The sample portfolio makes sense by itself: every invoice is acceptable, and every promise of its variety is kept."""

from __future__ import annotations

import pytest

from policies.intake import read_invoice
from policies.intake_model import InvoiceIn
from policies.manual import builtin_manual
from rehearsal import sample
from rehearsal.simulator.people import CHARACTERS, DebtorIn

BODIES = [(creditor, body) for day in sample.posting_days() for creditor, body in sample.posted_on(day)]


@pytest.mark.parametrize(("creditor", "body"), BODIES, ids=[body["number"] for _, body in BODIES])
def test_each_invoice_can_be_accepted_and_has_an_opaque_free_reference(creditor: str, body: dict[str, object]) -> None:
    country = {c.slug: c.country for c in sample.CREDITORS}[creditor]
    intake = read_invoice(InvoiceIn.model_validate(body), creditor_country=country)
    assert intake.zone
    assert not intake.ref_is_personal


def test_it_has_the_variety_that_a_first_look_should_show() -> None:
    assert (len(sample.CREDITORS), len(sample.DEBTORS), len(BODIES)) == (3, 15, 40)
    assert {d.country for d in sample.DEBTORS} == {"CO", "MX", "CL", "PE", "AR", "BR", "ES", "US"}
    assert {d.language for d in sample.DEBTORS} == {"es", "pt", "en"}
    assert {d.character for d in sample.DEBTORS} == set(CHARACTERS)
    assert any(bill.instalments > 1 for d in sample.DEBTORS for bill in d.bills)
    assert all(len(d.bills) > 1 for d in sample.DEBTORS)


def test_every_debtor_can_be_registered_outside_and_no_two_share_an_address() -> None:
    seen: set[tuple[str, str]] = set()
    for debtor in sample.DEBTORS:
        given = DebtorIn.model_validate(
            sample.simulated(debtor, debtor.bills, {"url": "http://127.0.0.1/x", "secret": "whsec_eA==", "gateway": "standard"})
        )
        ways = {(channel, str(value)) for channel, value in given.addresses.items()}
        assert not seen & ways
        seen |= ways
        assert str(given.addresses["email"]).endswith("example.com")


def test_its_manuals_are_built_in() -> None:
    assert {builtin_manual(creditor.manual).name for creditor in sample.CREDITORS} == {
        "b2c_subscription",
        "b2c_credit",
        "b2b_sme",
    }


def test_it_is_the_same_each_time() -> None:
    assert sample.posted_on(0) == sample.posted_on(0)
    assert len({body["number"] for _, body in BODIES}) == len(BODIES)
