"""Bodies that a program sends by mistake: each is refused at its place, and none harms the others of its batch."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast
from tests.api.conftest import House

_NUL = "a\x00b"
_ODD: list[tuple[str, dict[str, Any]]] = [
    ("/manual_patch", {"manual_patch": {"name": _NUL}}),
    ("/account/manual_patch", {"account": cast.debtor_ana(manual_patch={"name": _NUL})}),
    ("/account/ref", {"account": cast.debtor_ana(ref=_NUL)}),
    ("/account/ref", {"account": cast.debtor_ana(ref="C\u20281")}),
    ("/number", {"number": "F\n1"}),
    ("/number", {"number": "F\u20281"}),
    ("/number", {"number": "F\x851"}),
    ("/number", {"number": "F\u202e1"}),
    ("/account/manual", {"account": cast.debtor_ana(manual=_NUL)}),
    ("/account/region", {"account": cast.debtor_ana(region=_NUL)}),
    ("/account/contacts/0/name", {"account": cast.debtor_ana(contacts=[{"name": _NUL}])}),
    ("/due_on", {"due_on": "20260316"}),
    ("/due_on", {"due_on": 1773619200}),
    ("/place_of_payment", {"place_of_payment": "ZZ"}),
]


@pytest.mark.parametrize(("pointer", "change"), _ODD)
def test_an_odd_value_is_refused_at_its_place(house: House, pointer: str, change: dict[str, Any]) -> None:
    answer = house.client.post("/v1/invoices", json=cast.invoice_body("F-1") | change)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_odd_values_never_lose_the_others_of_their_batch(house: House) -> None:
    bodies = [cast.invoice_body(f"F-{number}") | change for number, (_, change) in enumerate(_ODD)]
    bodies += [cast.invoice_body("F-first"), cast.invoice_body("F-last")]
    answer = house.client.post("/v1/invoices/batch", json={"invoices": bodies}).json()
    assert (answer["created"], answer["refused"]) == (2, len(_ODD))
    assert [result["status"] for result in answer["results"][-2:]] == ["created", "created"]


def test_a_reference_that_no_account_can_have_is_refused_in_the_list(house: House) -> None:
    answer = house.client.get("/v1/invoices", params={"account": _NUL})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/account")


@pytest.mark.parametrize("verb", ["resume", "cancel"])
def test_what_needs_no_words_needs_no_body(house: House, verb: str) -> None:
    made = house.client.post("/v1/invoices", json=cast.invoice_body("F-1")).json()
    answers = [house.client.post(f"/v1/invoices/{made['id']}/{verb}") for _ in range(2)]
    assert [(answer.status_code, answer.json()["changed"]) for answer in answers] == [(200, verb == "cancel"), (200, False)]
    refused = house.client.post(f"/v1/invoices/{made['id']}/{verb}", json={"reazon": "x"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/reazon")
