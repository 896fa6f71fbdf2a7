"""Indexed and foreign debts: what is accepted, in which unit it is kept, and how sums are rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.indexed import IndexValue, in_units, spoken_code, to_payment, to_units
from policies.intake import Intake, Unreadable, read_invoice
from policies.intake_model import InvoiceIn
from tests.cast import invoice_body


def read(**change: Any) -> Intake:
    return read_invoice(InvoiceIn.model_validate(invoice_body(**change)), creditor_country="CL")


def wrong(**change: Any) -> list[str]:
    with pytest.raises(Unreadable) as caught:
        read(**change)
    return [problem.pointer for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("code", "units", "currency", "kept", "paid_in"),
    [("UF", "12.5000", "CLP", 125_000, "CLP"), ("UDI", "1000.25", "MXN", 100_025, "MXN"), ("UVR", "10", "COP", 1_000, "COP")],
)
def test_a_debt_in_an_index_is_kept_in_its_own_unit(code: str, units: str, currency: str, kept: int, paid_in: str) -> None:
    intake = read(currency=currency, amount_minor=None, index={"code": code, "units": units})
    assert (intake.dues[0][2], intake.payment_currency, spoken_code(intake.currency)) == (kept, paid_in, code)


def test_the_units_code_alone_says_in_which_currency_it_is_paid() -> None:
    intake = read(currency="CLF", amount_minor=125_000)
    assert (intake.currency, intake.payment_currency) == ("CLF", "CLP")
    assert read(currency="USD", payment_currency="PEN").payment_currency == "PEN"
    assert read(currency="USD", payment_currency="USD").payment_currency == read(currency="COP").payment_currency == ""


def test_what_contradicts_itself_is_refused_at_its_place() -> None:
    uf = {"code": "UF", "units": "12.5"}
    assert wrong(currency="CLP", amount_minor=5, index=uf) == ["/index"]
    assert wrong(currency="COP", amount_minor=None, index=uf) == ["/currency"]
    assert "/index" in wrong(currency="CLP", amount_minor=None, index=uf | {"units": "12.50001"})
    assert "/index" in wrong(currency="CLP", amount_minor=None, index=uf | {"code": "XX"})
    assert wrong(currency="CLP", amount_minor=None, index=uf | {"units": "0"}) == ["/index/units"]
    assert wrong(currency="USD", payment_currency="CLF") == wrong(currency="CLF", payment_currency="USD") == ["/payment_currency"]


def test_half_a_minor_unit_is_rounded_up_once_at_the_end() -> None:
    assert to_payment(125_000, "CLF", Decimal("39383.07"), "CLP") == 492_288  # 492,288.375
    assert to_payment(1, "CLF", Decimal("5000"), "CLP") == 1  # 0.5
    assert to_payment(1, "CLF", Decimal("4999"), "CLP") == 0
    assert to_payment(100_00, "USD", Decimal("3.7525"), "PEN") == 375_25
    assert to_units(492_288, "CLP", Decimal("39383.07"), "CLF") == 125_000


@given(units=st.integers(1, 10**9), value=st.integers(20_000_00, 60_000_00))
def test_what_was_asked_in_pesos_pays_exactly_the_units_it_was_asked_for(units: int, value: int) -> None:
    rate = Decimal(value) / 100
    assert to_units(to_payment(units, "CLF", rate, "CLP"), "CLP", rate, "CLF") == units


def test_a_unit_is_counted_with_the_decimals_it_has() -> None:
    assert in_units("1.2345", "UF") == 12_345
    with pytest.raises(ValueError, match="4 decimals"):
        in_units("1.23456", "UF")


def test_a_value_is_for_its_day_unless_it_says_until_when() -> None:
    given_: dict[str, Any] = {
        "code": "UF",
        "payment_currency": "CLP",
        "on_day": "2026-06-12",
        "value": "39383.07",
        "source": "SII",
    }
    value = IndexValue.model_validate(given_)
    assert (value.ledger_code, value.last_day) == ("CLF", value.on_day)
    for until in ("2026-06-11", "2028-01-01"):
        with pytest.raises(ValueError, match="valid_until"):
            IndexValue.model_validate(given_ | {"valid_until": until})
