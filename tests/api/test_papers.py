"""Documents, delivery, assumed due dates and re-issued invoices over HTTP, and the copy on the customer's page."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import pytest

from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import read, sign_in
from tests.api.outside import gateway
from tests.api.test_portal import Page

PDF = b"%PDF-1.4 the invoice"


def post(house: House, number: str = "F-1", **change: Any) -> str:
    """An invoice posted as JSON; its path."""
    answer = house.client.post("/v1/invoices", json=cast.invoice_body(number, **change))
    assert answer.status_code == 201, answer.text
    return f"/v1/invoices/{answer.json()['id']}"


def document(content: bytes = PDF) -> dict[str, str]:
    """A PDF as it is posted."""
    return {"kind": "pdf", "name": "x.pdf", "content_base64": base64.b64encode(content).decode()}


def test_an_invoice_shows_its_terms_documents_delivery_and_what_it_replaces(house: House) -> None:
    old = post(house)
    new = post(
        house, "F-2", due_on=None, terms="30/60", documents=[document()], accepted_on="2026-03-01", replaces="F-1"
    )  # fmt: skip
    shown = house.client.get(new).json()
    assert [(d["due_on"], d["due_source"], d["due_terms"]) for d in shown["instalments"]] == [
        ("2026-03-31", "terms", "30/60"), ("2026-04-30", "terms", "30/60"),
    ]  # fmt: skip
    assert [d["name"] for d in shown["documents"]] == ["F-2.pdf"] and shown["replaces"]["number"] == "F-1"
    assert [(d["kind"], d["on"]) for d in shown["delivery"]] == [("accepted", "2026-03-01")]
    before = house.client.get(old).json()
    assert (before["state"], before["replaced_by"]["number"], before["replaces"]) == ("cancelled", "F-2", None)


def test_a_document_comes_back_byte_for_byte_under_the_invoices_number(house: House) -> None:
    path = post(house, documents=[document()])
    (listed,) = house.client.get(f"{path}/documents").json()["documents"]
    answer = house.client.get(f"{path}/documents/{listed['id']}")
    assert answer.content == PDF and answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="F-1.pdf"'
    other = post(house, "F-2")
    assert house.client.get(f"{other}/documents/{listed['id']}").status_code == 404


def test_a_document_that_comes_later_is_kept_once_and_checked(house: House) -> None:
    path = post(house)
    for _ in range(2):
        answer = house.client.post(f"{path}/documents", json=document())
        assert answer.status_code == 200 and [d["name"] for d in answer.json()["documents"]] == ["F-1.pdf"]
    timeline = house.client.get(f"{path}/history").json()["events"]
    assert str(timeline).count("document_added") == 1
    wrong = house.client.post(f"{path}/documents", json=document(b"<html>"))
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "/content_base64"
    large = [document(PDF + bytes([n]) * (2 * 1024 * 1024 - 100)) for n in range(3)]
    assert [house.client.post(f"{path}/documents", json=one).status_code for one in large] == [200, 200, 422]
    assert house.client.post(f"/v1/invoices/{uuid4()}/documents", json=document()).status_code == 404


def test_an_invoice_with_five_megabytes_of_documents_fits_and_with_more_is_told_so(house: House) -> None:
    two = [document(PDF + bytes([n]) * (2 * 1024 * 1024 - 100)) for n in range(2)]
    post(house, documents=two)
    answer = house.client.post("/v1/invoices", json=cast.invoice_body("F-2", documents=[*two, document(PDF * 60_000)]))
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/documents"


def test_delivery_is_told_once_and_a_waiver_says_why(house: House) -> None:
    path = post(house)
    told = {"kind": "delivered", "on": "2026-03-02", "source": "courier"}
    assert [house.client.post(f"{path}/delivery", json=told).json()["changed"] for _ in range(2)] == [True, False]
    refused = house.client.post(f"{path}/delivery", json={"kind": "waived", "on": "2026-03-02"})
    assert refused.status_code == 422 and refused.json()["type"].endswith("/delivery-reason")
    waived = house.client.post(f"{path}/delivery", json={"kind": "waived", "on": "2026-03-02", "reason": "seen on site"})
    assert waived.json() == {"changed": True}


@pytest.mark.parametrize(("body", "due"), [({}, "2026-03-31"), ({"due_on": "2026-04-15"}, "2026-04-15")])
def test_an_assumed_due_date_is_confirmed_or_corrected(house: House, body: dict[str, str], due: str) -> None:
    path = post(house, due_on=None)
    assert house.client.get(path).json()["instalments"][0]["due_source"] == "assumed"
    answers = [house.client.post(f"{path}/due-date/confirm", json=body).json()["changed"] for _ in range(2)]
    part = house.client.get(path).json()["instalments"][0]
    assert answers == [True, False] and (part["due_on"], part["due_source"]) == (due, "stated")


def test_amending_the_day_makes_it_certain_and_amending_the_sum_does_not(house: House) -> None:
    path = post(house, due_on=None)
    for change, source in (({"amount_minor": 5}, "assumed"), ({"due_on": "2026-03-31"}, "stated")):
        assert house.client.patch(path, json={**change, "reason": "corrected"}).status_code == 200
        assert house.client.get(path).json()["instalments"][0]["due_source"] == source


def test_the_customer_takes_a_copy_and_has_the_invoice_then(house: House) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor, documents=[document()])
    page = Page(house, invoice)
    assert "Copia de la factura" in page.text()
    path = f"/v1/invoices/{invoice}"
    assert house.client.get(path).json()["delivery"] == []  # looking is no evidence
    assert house.public.post(f"{page.path}/copy", data={"form": "x"}).status_code == 409
    answer = page.send("copy")
    assert answer.content == PDF and "F-1001.pdf" in answer.headers["content-disposition"]
    assert [(d["kind"], d["source"]) for d in house.client.get(path).json()["delivery"]] == [("delivered", "downloaded")]
    bare = Page(house, cast.accepted_invoice(house.database.worker, house.creditor, "F-9"))
    assert "copy" not in bare.verbs()


def test_the_console_shows_where_a_due_date_comes_from_and_the_papers(house: House) -> None:
    desk = sign_in(house.public, house.creditor.key.key)
    old = cast.accepted_invoice(house.database.worker, house.creditor, "F-1")
    new = cast.accepted_invoice(
        house.database.worker, house.creditor, "F-2", due_on=None, documents=[document()], delivered_on="2026-03-01",
        replaces="F-1",
    )  # fmt: skip
    shown = read(desk, f"/console/invoices/{new}").text
    for words in ("assumed, to be confirmed", "F-2.pdf", "Delivered", "In place of F-1"):
        assert words in shown
    assert "Issued again as F-2" in read(desk, f"/console/invoices/{old}").text
    plain = read(desk, f"/console/invoices/{cast.accepted_invoice(house.database.worker, house.creditor, 'F-3')}").text
    assert "assumed" not in plain and "Papers" not in plain


def test_money_that_names_the_old_number_reaches_the_invoice_that_stands(house: House) -> None:
    for number, replaces in (("F-1", None), ("F-2", "F-1"), ("F-3", "F-2")):
        post(house, number, **({"replaces": replaces} if replaces else {}))
    assert gateway(house).paid("p-1", 5_000_000, invoice="F-1").json()["result"] == "applied"
    owed = {row["number"]: row["balance_minor"] for row in house.client.get("/v1/invoices").json()["invoices"]}
    assert owed == {"F-1": 0, "F-2": 0, "F-3": 20_000_000}
