"""Sums, days, addresses and tax numbers as spreadsheets write them; a column in doubt is told and never guessed."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from policies.amounts import decimal_of_column, parse_amount
from policies.sheet_addresses import emails_in, no_phone_in, phones_in, tax_number
from policies.sheet_dates import order_of_column, read_day

_CELL = datetime(2026, 3, 31, 5)  # noqa: DTZ001 - a workbook's dates have no zone


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("1.234.567,89", ",", "1234567.89"), ("1,234,567.89", ".", "1234567.89"), ("1 234 567,89", ",", "1234567.89"),
        ("1\u00a0234,50", ",", "1234.50"), ("(1.234,56)", ",", "-1234.56"), ("1.234,56-", ",", "-1234.56"),
        ("-5,00", ",", "-5"), ("\u22125,00", ",", "-5"), ("CLP 1.234", ",", "1234"), ("$ 1.234.567", ",", "1234567"),
        ("US$ 1,234.50", ".", "1234.50"), ("$ -5.00", ".", "-5"), ("1.234,00 EUR", ",", "1234"), ("R$ 0,99", ",", "0.99"),
    ],
)  # fmt: skip
def test_a_sum_is_read_with_its_marks(text: str, decimal: str, amount: str) -> None:
    assert parse_amount(text, decimal) == Decimal(amount)


@pytest.mark.parametrize("text", ["12 kg", "(-5)", "--5", "1.2.3", "ABC 12", "EUR 5 USD", "5 6", "1 23"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    for decimal in (".", ","):
        with pytest.raises(ValueError):
            parse_amount(text, decimal)


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["1.234", "500"], None), (["1.234", "2.345.678"], ","), (["1.234", "7,5"], ","), (["1,234", "7.50"], "."),
        (["1.234,50", "1,234.50"], None), (["CLP 1.234"], None), (["500", "12"], "."), (["1,234"], None),
    ],
)  # fmt: skip
def test_the_decimal_sign_is_judged_by_the_whole_column(cells: list[str], sign: str | None) -> None:
    told = decimal_of_column(cells)
    assert told.sign == sign
    assert sign is not None or "thousand times" in told.why or "both" in told.why


@pytest.mark.parametrize(
    ("value", "order"),
    [
        ("31/03/26", "dmy"), ("31-03-2026", "dmy"), ("2026/03/31", "dmy"), ("03/31/2026", "mdy"), ("31-mar-2026", "mdy"),
        ("31 de marzo de 2026", "mdy"), ("31 de março de 2026", "dmy"), ("Mar 31, 2026", "dmy"), ("31/MAR/26", "dmy"),
        (46112, "dmy"), ("46112", "dmy"), ("20260331", "mdy"), (_CELL, "mdy"), ("2026-03-31 00:00:00", "dmy"),
    ],
)  # fmt: skip
def test_a_day_is_read_however_it_is_written(value: Any, order: Any) -> None:
    assert read_day(value, order) == date(2026, 3, 31)


@pytest.mark.parametrize("value", ["31/13/2026", "31/02/2026", "12", 12, "1.234", "ayer", "03/31/2026"])
def test_what_is_no_day_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        read_day(value, "dmy")


def test_the_order_of_days_is_judged_by_the_whole_column() -> None:
    assert order_of_column(["01/02/2026", "13/02/2026"]).order == "dmy"
    assert order_of_column(["01/02/2026", "02/13/2026"]).order == "mdy"
    both = order_of_column(["13/02/2026", "02/13/2026"])
    assert both.order is None and not both.open
    either = order_of_column(["01/02/2026", "03/03/2026"])
    assert either.order is None and either.open


def test_every_address_of_a_cell_is_found_and_a_broken_one_is_kept_to_be_refused() -> None:
    cell = "Ana Gil <ana@x.co>; luis@x.co / eva@x.co\npedro@x.co,juan@x.co rosa@x.co"
    assert emails_in(cell) == ["ana@x.co", "luis@x.co", "eva@x.co", "pedro@x.co", "juan@x.co", "rosa@x.co"]
    assert emails_in("ana@x.com; pedro.x.com") == ["ana@x.com", "pedro.x.com"]
    assert emails_in("Sin correo") == emails_in("-") == []
    assert phones_in("Cel: 300 123 4567 / Teléfono (601) 234 5678 ext 12") == ["300 123 4567", "(601) 234 5678"]


def test_a_tax_number_has_one_form() -> None:
    assert {tax_number(t) for t in ("NIT 900.123.456-7", "900.123.456-7", "9001234567", "nit: 900123456-7")} == {"9001234567"}
    assert tax_number("RUT 12.345.678-k") == "12345678K" and tax_number("12.345.678/0001-95") == "12345678000195"


@pytest.mark.parametrize(
    "cell",
    ["", "-", "---", "n/a", "N.A.", "Sin teléfono", "ninguno", "No tiene.", "s/n", "Não tem", "none", "?", "Tel:",
     "no tiene celular", "sem telefone", "(sin  datos)", "Desconocido"],
)  # fmt: skip
def test_what_says_nothing_is_no_telephone_and_no_remark(cell: str) -> None:
    assert (phones_in(cell), no_phone_in(cell)) == ([], False)


@pytest.mark.parametrize("cell", ["foo", "llamar a Juan", "Tel. de la oficina", "ext 12", "ana@x.co"])
def test_text_without_a_number_is_a_remark_and_a_number_with_text_is_none(cell: str) -> None:
    assert (phones_in(cell), no_phone_in(cell)) == ([], True)
    assert not no_phone_in(f"300 123 4567 / {cell}")
