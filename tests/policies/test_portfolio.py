"""Maps of portfolios, and rows read by them: what makes no sense has its line, and rows of one number belong together."""

from __future__ import annotations

from datetime import date

import pytest

from policies.intake import Problem, Unreadable
from policies.portfolio_groups import entries_of
from policies.portfolio_map import MapError, load_map
from policies.portfolio_rows import Entry, Payment, phone_notes, read_entry

MAP = """columns: {invoice: N, debtor: D, due_on: V, issued_on: I, amount: A, settled_on: P, sms: Cel, voice: Cel, whatsapp: W}
defaults: {currency: USD, country: US, zone: America/New_York}
where: {T: [x]}
"""
HOW = load_map(MAP, "m")


def row(due: str, amount: str = "10", paid: str = "", debtor: str = "C-1", **more: str) -> dict[str, str]:
    return {"N": "F-1", "D": debtor, "I": "2012-01-02", "V": due, "A": amount, "P": paid, "T": "x", **more}


def entries(*rows: dict[str, str]) -> list[Entry | Unreadable]:
    return entries_of([read_entry(HOW, each) for each in rows])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("creditor: {zone: Mars/Base}", "creditor.zone: there is no such time zone: write its IANA name, like America/Bogota"),
        ("creditor: {country: XX}", "creditor.country: there is no such country: write its two capital letters, like CO"),
        ("creditor: {language: fr}", "creditor.language: this is not one of those there are: write es, pt or en"),
        ("defaults: {zone: Bogota}", "defaults.zone: there is no such time zone"),
        ("defaults: {country: ZZ}", "defaults.country: there is no such country"),
    ],
)
def test_a_place_that_does_not_exist_is_told_by_its_line(line: str, says: str) -> None:
    with pytest.raises(MapError) as wrong:
        load_map(f"columns: {{invoice: N, debtor: D, due_on: V, amount: A}}\n{line}\n", "m.yaml")
    assert str(wrong.value).startswith(f"m.yaml:2: {says}")


def test_rows_of_one_number_are_one_entry_whose_parts_are_paid_each_on_its_own_day() -> None:
    later, sooner = row("2012-03-01", "20", "2012-02-20"), row("2012-02-01", "10.50", "2012-02-25")
    [both] = entries(later, sooner)
    assert isinstance(both, Entry) and both.settled_on == date(2012, 2, 25)
    assert [(part.number, part.due_on, part.amount_minor) for part in both.invoice.instalments] == [
        (1, date(2012, 2, 1), 1_050), (2, date(2012, 3, 1), 2_000),
    ]  # fmt: skip
    assert both.payments == [
        Payment("F-1@2", 2_000, date(2012, 2, 20), last=False), Payment("F-1@1", 1_050, date(2012, 2, 25), last=True),
    ]  # fmt: skip
    [half] = entries(later, row("2012-02-01"))
    assert isinstance(half, Entry) and half.settled_on is None
    assert half.payments == [Payment("F-1@2", 2_000, date(2012, 2, 20), last=False)]
    [alone] = entries(later)
    assert isinstance(alone, Entry) and alone.payments == [Payment("F-1", 2_000, date(2012, 2, 20), last=True)]


def test_rows_of_one_number_that_are_no_instalments_stay_apart_and_half_an_invoice_is_none() -> None:
    assert [isinstance(each, Entry) for each in entries(row("2012-02-01"), row("2012-02-01"))] == [True, True]
    assert [isinstance(each, Unreadable) for each in entries(row("2012-02-01"), row("2012-03-01", debtor="C-2"))] == [True, True]
    missing = entries_of([read_entry(HOW, row("2012-02-01")), Unreadable([Problem("/due_on", "no day")])])
    assert [str(each)[:24] for each in missing] == ["/number: another row of ", "/due_on: no day"]


def test_remarks_in_columns_of_telephones_are_told_once_for_each_column_with_their_lines_and_never_repeated() -> None:
    rows = [(line, row("2012-02-01", Cel="llamar a Juan" if line % 2 else "+12125550123", W="-")) for line in range(2, 50)]
    rows.append((50, row("2012-02-01", Cel="foo", W="foo", T="not wanted")))
    [note] = phone_notes(HOW, rows)
    named = ", ".join(str(line) for line in range(3, 43, 2))
    assert note.startswith(f"column 'Cel' holds text without a telephone number in lines {named} and 4 more: nothing is taken")
    assert "Juan" not in note
    [one] = phone_notes(HOW, [(7, row("2012-02-01", W="foo"))])
    assert one.startswith("column 'W' holds text without a telephone number in line 7:")
