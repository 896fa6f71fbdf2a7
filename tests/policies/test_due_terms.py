"""Terms of payment: a code or a text and the day it leads to, with both sides of each edge."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.due_defaults import assumed_dues, default_table, legal_term
from policies.due_terms import (
    Bases,
    MissingDay,
    TableError,
    TermRule,
    TermsTable,
    UnknownTerm,
    dues_from,
    load_table,
    next_pay_day,
    split_minor,
)
from policies.due_texts import read_terms, rule_for

D = date.fromisoformat
BASES = Bases(D("2026-01-20"), D("2026-01-23"), D("2026-01-27"), "CO", "")


def days(text: str, bases: Bases = BASES) -> list[str]:
    """The due dates of a text for an invoice of 100.00."""
    rule = read_terms(text)
    assert rule is not None, text
    return [due.isoformat() for _, due, _ in dues_from(rule, 10_000, bases)]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("Net 45", "2026-03-06"), ("N30", "2026-02-19"), ("n/30", "2026-02-19"), ("net30", "2026-02-19"), ("30", "2026-02-19"),
        ("30 dias", "2026-02-19"), ("30 días fecha factura", "2026-02-19"), ("30 Tage", "2026-02-19"),
        ("Pago a 30 días.", "2026-02-19"), ("crédito 30 días", "2026-02-19"), ("30 dias transferencia", "2026-02-19"),
        ("Payment terms: 30 days net", "2026-02-19"), ("contado", "2026-01-20"), ("À vista", "2026-01-20"),
        ("Zahlbar sofort ohne Abzug.", "2026-01-20"), ("PUE", "2026-01-31"), ("60 días fin de mes", "2026-03-31"),
        ("60FM", "2026-03-31"), ("30 EOM", "2026-02-28"), ("30 EOM 15", "2026-03-15"), ("30 dias fora o mês", "2026-03-02"),
        ("2/10 net 30", "2026-02-19"), ("3% 10 dias, 30 dias neto", "2026-02-19"), ("2 semanas", "2026-02-03"),
        ("Payable within 1 calendar month from the invoice date", "2026-02-20"),
        ("50% prepaid, 50% within one month", "2026-02-20"),
        ("Due on receipt", "2026-01-23"), ("30 días fecha recepción", "2026-02-22"),
        ("30 days from receipt of invoice", "2026-02-22"),
        ("30 días desde la aceptación", "2026-02-26"), ("5 días hábiles", "2026-01-27"), ("5 dias úteis", "2026-01-27"),
        ("pago los días 10 y 25", "2026-01-25"), ("30 días, pago días 10 y 25", "2026-02-25"),
        ("Zahlbar ohne Abzug bis 12.12.2026", "2026-12-12"), ("vence el 15/04/2026", "2026-04-15"),
        ("1% 10 Net 60", "2026-03-21"), ("30 dias líquidos", "2026-02-19"), ("60 días f.f.", "2026-03-21"),
        ("30.0", "2026-02-19"),
        ("60 días, pagos 5 y 20", "2026-04-05"), ("30 days after end of month", "2026-03-02"), ("1", "2026-01-20"),
        ("30 días después de fin de mes", "2026-03-02"), ("PUE - Pago en una sola exhibición", "2026-01-31"),
        ("30 días de la radicación", "2026-02-22"), ("15 días calendario después de la aceptación", "2026-02-11"),
    ],
)  # fmt: skip
def test_a_common_text_leads_to_its_day(text: str, due: str) -> None:
    assert days(text) == [due]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("30/60/90", ["2026-02-19", "2026-03-21", "2026-04-20"]), ("30-60-90 DDL", ["2026-02-19", "2026-03-21", "2026-04-20"]),
        ("30, 60 y 90 días", ["2026-02-19", "2026-03-21", "2026-04-20"]), ("0/30", ["2026-01-20", "2026-02-19"]),
        ("40% 30 días, 60% 60 días", ["2026-02-19", "2026-03-21"]),
    ],
)  # fmt: skip
def test_a_list_of_days_is_instalments(text: str, due: list[str]) -> None:
    assert days(text) == due


@pytest.mark.parametrize(
    "text",
    ["", "PPD", "Crédito", "2/10", "1/3", "Payment within 10 days, 2% discount", "Penalty percentage 10% from due date",
     "2 % discount if paid within 2 days\n Penalty percentage 10% from due date", "as agreed with Ana", "60/30", "45 or 60 days",
     "transferencia", "40% 30 días, 40% 60 días", "01", "00", "-30", "30/70", "45-60 days", "PPD - Pago en parcialidades",
     "60 días, pagos el 5 de enero", "1+2", "3x sem juros", "12 cuotas", "Z030", "03/04/2026"],
)  # fmt: skip
def test_what_says_no_certain_day_is_not_guessed(text: str) -> None:
    assert read_terms(text) is None
    with pytest.raises(UnknownTerm, match="Net 45"):
        rule_for(text or "?", TermsTable())


def test_a_creditors_code_goes_before_the_text_it_looks_like() -> None:
    table = load_table('codes:\n  "30 D": {days: 33}\n', "own.yaml")
    assert rule_for("30d", table).rule.days == 33
    assert rule_for("45d", table).rule.days == 45


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("codes: {A: {parts: [{days: 30, pct: 40}, {days: 60, pct: 50}]}}", "add up to 90"),
        ("codes: {A: {parts: [{days: 30, pct: 40}, {days: 60}]}}", "every part its pct"),
        ("codes: {A: {days: 30, parts: [{days: 3}]}}", "not both"), ("codes: {A: {dayz: 30}}", "dayz"),
        ("codes: {A: {pay_days: [32]}}", "pay_days"), ("codes: {A: {working: true, days: 3, end_of_month: true}}", "stand alone"),
        ("codes: {N 30: {days: 30}, n30: {days: 31}}", "same code"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_says_where_and_why(text: str, said: str) -> None:
    with pytest.raises(TableError, match="t.yaml") as error:
        load_table(text, "t.yaml")
    assert said in str(error.value)


def test_the_table_that_ships_is_usable_and_its_instalments_are_whole() -> None:
    bases = Bases(D("2026-01-20"), D("2026-01-23"), D("2026-01-27"), "ES")
    for rule in default_table().codes.values():
        assert sum(minor for _, _, minor in dues_from(rule, 10_001, bases)) == 10_001


@given(st.integers(1, 10**12), st.lists(st.integers(1, 60), min_size=1, max_size=12), st.sampled_from(["first", "last"]))
def test_parts_always_add_up_and_the_odd_cents_lie_where_the_rule_says(amount: int, weights: list[int], where: str) -> None:
    total = sum(weights)
    shares = [Decimal(w * 100) / total for w in weights]
    for given_shares in ([None] * len(weights), shares):
        sums = split_minor(amount, given_shares, "first" if where == "first" else "last")
        assert sum(sums) == amount and all(part >= 0 for part in sums)
    equal = split_minor(amount, [None] * len(weights), "last")
    assert len(set(equal[:-1])) <= 1


def test_the_odd_cent_of_a_third_lies_on_the_last_part_unless_the_rule_says_first() -> None:
    assert split_minor(10_000, [None] * 3) == [3_333, 3_333, 3_334]
    assert split_minor(10_000, [None] * 3, "first") == [3_334, 3_333, 3_333]


@pytest.mark.parametrize(
    ("day", "paid"), [("2026-02-10", "2026-02-10"), ("2026-02-11", "2026-02-28"), ("2026-02-28", "2026-02-28"),
     ("2026-03-01", "2026-03-10")]
)  # fmt: skip
def test_the_next_day_of_payment_may_be_the_day_itself_and_the_30th_of_february_is_its_last(day: str, paid: str) -> None:
    assert next_pay_day(D(day), (10, 30)) == D(paid)


def test_a_term_from_receipt_asks_for_that_day_and_does_not_take_another() -> None:
    with pytest.raises(MissingDay) as error:
        dues_from(TermRule(days=30, base="reception"), 100, Bases(D("2026-01-20")))
    assert error.value.day == "received_on"


@pytest.mark.parametrize(
    ("country", "kind", "due", "rule"),
    [
        ("ES", "business", "2026-02-22", "es.ley-3-2004"), ("ES", "consumer", "2026-02-19", "house.30"),
        ("DE", "business", "2026-02-22", "eu.2011-7"), ("CO", "business", "2026-03-09", "co.ley-2024-2020"),
        ("MX", "business", "2026-02-19", "house.30"), ("PE", "business", "2026-02-19", "pe.ley-31362"),
    ],
)  # fmt: skip
def test_without_a_term_the_law_of_the_place_or_thirty_days_is_assumed(country: str, kind: str, due: str, rule: str) -> None:
    dues, found = assumed_dues(10_000, BASES._replace(country=country), kind=kind)
    assert [(d.isoformat(), found) for _, d, _ in dues] == [(due, rule)]


def test_a_law_holds_from_its_day_on() -> None:
    assert legal_term("CO", "business", D("2021-12-31")) is None
    assert legal_term("CO", "business", D("2022-01-01")) is not None
