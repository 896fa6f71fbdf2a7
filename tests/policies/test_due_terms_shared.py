"""The terms of real e-invoices and of a real receivables list lead to the due dates that their publishers state."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from openpyxl import load_workbook

from policies.due_terms import Bases, dues_from
from policies.due_texts import read_terms
from policies.intake import read_invoice
from policies.intake_model import InvoiceIn

pytestmark = pytest.mark.shared
FOLDER = "data/2_einvoice"


def documents(shared: Path) -> list[dict[str, Any]]:
    """What is expected of each file; an Italian file holds several invoices."""
    listed = json.loads((shared / FOLDER / "expected_fields.json").read_text(encoding="utf-8"))
    return [file | one for file in listed for one in file.get("documents", [{}])]


def issued(document: dict[str, Any]) -> date:
    return date.fromisoformat(document["issue_date"][:10])


def texts(document: dict[str, Any]) -> list[str]:
    return [*document.get("terms_note", []), *([document["condiciones"]] if document.get("condiciones") else [])]


def test_terms_in_words_lead_to_the_stated_day_or_say_nothing(shared_folder: Path) -> None:
    agree: list[tuple[str, str, list[str]]] = []
    silent, other = list(agree), list(agree)
    for document in documents(shared_folder):
        for note in texts(document):
            rule = read_terms(note)
            days = [due.isoformat() for _, due, _ in dues_from(rule, 100, Bases(issued(document)))] if rule else []
            stated = document.get("due_dates") or []
            name = (Path(document["file"]).name, " ".join(note.split())[:40], days)
            (silent if not days else agree if days == stated or not stated else other).append(name)
    assert other == []
    assert [(name, days) for name, _, days in agree] == [
        ("UBL-Invoice-2.0-Example-NS2.xml", ["2005-07-21"]), ("ubl-tc434-example5.xml", ["2013-05-10"]),
        ("factur-x.xml", ["2020-12-12"]), ("Factur-X_basic.xml", ["2024-12-15"]), ("01.01a-INVOICE_ubl.xml", ["2016-04-04"]),
        ("01.05a-INVOICE_uncefact.xml", ["2015-05-08"]), ("invoice-b2b-full.xml", ["2023-06-28"]),
    ]  # fmt: skip
    words = ("penalty", "discount")  # a discount or a penalty is no due date
    assert len(silent) == 6 and all(any(word in note.casefold() for word in words) for _, note, _ in silent)


def body(document: dict[str, Any], **dues: Any) -> InvoiceIn:
    """The invoice as a billing system would post what the file states."""
    currency = document.get("currency", "BRL")
    account = {"ref": "C-1", "kind": "business", "country": "ES"}
    if currency == "BRL":
        account |= {"country": "BR", "region": "SP"}
    given: dict[str, Any] = {
        "number": "F-1", "currency": currency, "issued_on": issued(document), "account": account, **dues,
    }  # fmt: skip
    return InvoiceIn.model_validate(given)


def test_stated_days_and_instalments_come_in_as_they_are(shared_folder: Path) -> None:
    checked = 0
    for document in documents(shared_folder):
        currency = document.get("currency", "BRL")
        parts = [(p["due"], p["amount"]) for p in document.get("instalments", [])]
        parts = parts or [(day, document["payable"]) for day in document.get("due_dates") or []]
        if not parts:
            continue
        minor = [int(Decimal(amount) * 100) for _, amount in parts]
        dues = [
            {"number": n, "due_on": due, "amount_minor": m} for n, ((due, _), m) in enumerate(zip(parts, minor, strict=True), 1)
        ]
        intake = read_invoice(body(document, instalments=dues), creditor_country="BR" if currency == "BRL" else "ES")
        assert [(due.isoformat(), amount) for _, due, amount in intake.dues] == list(
            zip((d for d, _ in parts), minor, strict=True)
        )
        assert intake.papers.due_source == "stated"
        checked += 1
    assert checked == 18


def test_a_file_without_a_day_or_a_readable_term_is_due_by_the_law_and_marked(shared_folder: Path) -> None:
    assumed = []
    for document in documents(shared_folder):
        if document.get("due_dates") or document.get("instalments") or any(read_terms(note) for note in texts(document)):
            continue
        intake = read_invoice(body(document | {"currency": "EUR"}, amount_minor=100), creditor_country="ES")
        assumed.append((intake.papers.due_source, (intake.dues[0][1] - issued(document)).days))
    assert assumed and set(assumed) <= {("assumed", 30)}


def test_the_days_in_the_files_themselves_are_those_expected(shared_folder: Path) -> None:
    """An independent look at the XML: due dates by local name, wherever a file of these formats keeps them."""
    names = {"DueDate", "PaymentDueDate", "dVenc", "DataScadenzaPagamento"}
    found = 0
    for document in documents(shared_folder):
        path = shared_folder / "data" / document["file"]
        days = []
        for element in ElementTree.parse(path).iter():
            if element.tag.rpartition("}")[2] in names and element.text and element.text.strip()[:4].isdigit():
                days.append(element.text.strip()[:10])
        stated = [p["due"] for p in document.get("instalments", [])] or document.get("due_dates") or []
        if days and stated:
            assert set(stated) <= set(days), path.name
            found += 1
    assert found >= 12


def test_the_terms_of_a_list_of_900_rows_give_its_due_dates(shared_folder: Path) -> None:
    sheet = load_workbook(shared_folder / "data/1_portfolio/ar_excelx_900rows.xlsx", read_only=True).worksheets[0]
    lines = sheet.iter_rows(values_only=True)
    names = [str(name) for name in next(lines)]
    agree = total = 0
    for cells in lines:
        row = dict(zip(names, cells, strict=False))
        terms, first, due = row["Terms"], row["InvoiceDate"], row["DueDate"]
        rule = read_terms(str(terms))
        assert rule is not None
        total += 1
        agree += dues_from(rule, 100, Bases(_day(first)))[0][1] == _day(due)
    assert (agree, total) == (900, 900)


def _day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else date.fromisoformat(str(value)[:10])
