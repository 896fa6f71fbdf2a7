"""No refusal speaks of our insides: no class, no pattern, no error number; each says what to write instead."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from policies.plain_errors import plain
from tests import cast
from tests.api.conftest import House
from tests.api.outside import gateway
from tests.cast import accepted_invoice

INSIDE = re.compile(
    r"instance of|pattern|\^\[|Errno|Input should|should be a valid|[A-Z][a-z]+In\b|Model|dictionary|UUID|Extra inputs"
)


def _wrong_things() -> list[Any]:
    """One of everything that a place may not be."""
    return [None, 7, -1, 1.5, "", "x" * 10_000, "no\x00", "Ñandú 8!", [], [1], {}, {"a": 1}, True]


def _told(answer: Any) -> list[str]:
    body = answer.json()
    return [body["detail"], *(error["detail"] for error in body.get("errors", []))]


def _spoilt(body: dict[str, Any]) -> list[Any]:
    """The body as something else, each member of it wrong in each way or left out, and one that nobody knows."""
    found: list[Any] = [[], "text", 5, {}, body | {"stranger": 1}]
    for name, value in body.items():
        found += [{key: inner for key, inner in body.items() if key != name}]
        found += [body | {name: wrong} for wrong in _wrong_things()]
        if isinstance(value, dict):
            found += [body | {name: inner} for inner in _spoilt(value)]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found += [body | {name: [inner]} for inner in _spoilt(value[0])]
    return found


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "PATCH": ("", {"due_on": "2026-03-31", "amount_minor": 5, "instalments": [{"number": 1, "due_on": "x"}], "reason": "agreed"}),
    "pause": ("/pause", {"until": "2026-03-10T12:00:00Z", "reason": "test"}),
    "promise": ("/promise", {"on": "2026-03-20", "amount_minor": 5}),
    "agreement": ("/agreement", {"kind": "plan", "count": 3, "first_on": "2026-03-20", "every_days": "monthly"}),
    "dispute": ("/dispute", {"reason": "quality", "amount_minor": 3}),
    "contacts": ("/contacts", {
        "ref": "a", "channel": "call", "direction": "out", "at": "2026-03-02T14:00:00Z", "outcome": "voicemail",
        "person_id": str(uuid4()), "note_code": "x"}),
    "write-off": ("/write-off", {"reason": "cheaper"}),
    "approve": ("/placement/approve", {"by": "staff"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_decisions_refusals_are_plain(house: House, name: str) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor)
    path, body = BODIES[name]
    said = []
    for wrong in _spoilt(body):
        answer = house.client.request("PATCH" if name == "PATCH" else "POST", f"/v1/invoices/{invoice}{path}", json=wrong)
        assert answer.status_code < 500, (wrong, answer.text)
        said += _told(answer) if answer.status_code == 422 else []
    assert said and [text for text in said if INSIDE.search(text)] == []


def test_an_invoices_refusals_are_plain_one_by_one_and_in_a_batch(house: House) -> None:
    invoices = [wrong for wrong in _spoilt(cast.invoice_body()) if wrong != cast.invoice_body()]
    answer = house.client.post("/v1/invoices/batch", json={"invoices": invoices})
    problems = [one["problem"] for one in answer.json()["results"] if one["status"] == "refused"]
    said = [error["detail"] for problem in problems for error in problem["errors"]] + [p["detail"] for p in problems]
    assert len(said) > 300 and [text for text in said if INSIDE.search(text)] == []
    bare: list[Any] = [[], "text", {"number": 5, "currency": "pesos", "account": 3}]
    for wrong in bare:
        assert not any(INSIDE.search(text) for text in _told(house.client.post("/v1/invoices", json=wrong)))


def test_queries_paths_and_webhooks_are_refused_plainly(house: House) -> None:
    invoice, door = accepted_invoice(house.database.worker, house.creditor), gateway(house)
    queries = {
        "/v1/invoices": ("status", "account", "overdue", "next_before", "cursor", "limit"),
        f"/v1/invoices/{invoice}/plan": ("days",), f"/v1/invoices/{invoice}/contacts": ("limit", "cursor"),
        "/v1/payments/unmatched": ("limit",),
    }  # fmt: skip
    said = []
    for path, names in queries.items():
        for name in names:
            for value in ("", "foo", "-1", "1.5", "2026-03-01", "\x01"):
                answer = house.client.get(path, params={name: value})
                said += _told(answer) if answer.status_code >= 400 else []
    said += _told(house.client.get("/v1/invoices/nonsense"))
    data = {"id": "p", "amount_minor": 5, "currency": "COP", "paid_on": "2026-03-02", "invoice": "F-1", "value_on": "2026-03-02"}
    for number, wrong in enumerate(_spoilt(data)):
        answer = door.send({"type": "payment.succeeded", "data": wrong}, event_id=f"e{number}")
        said += _told(answer) if answer.status_code == 400 else []
    assert len(said) > 60 and [text for text in said if INSIDE.search(text)] == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ({"type": "greater_than", "ctx": {"gt": 0}, "msg": ""}, "this must be above 0"),
        ({"type": "too_long", "ctx": {"max_length": 10_000}, "msg": ""}, "there are too many: give at most 10,000"),
        ({"type": "literal_error", "ctx": {"expected": "'a', 'b' or 'c'"}, "msg": ""},
         "this is not one of those there are: write a, b or c"),
        ({"type": "value_error", "msg": "Value error, use another"}, "use another"),
        ({"type": "of_tomorrow", "msg": "Input should be an instance of Thing"},
         "this is not written in the way that is described for it"),
    ],
)  # fmt: skip
def test_a_sentence_says_what_to_write(error: dict[str, Any], sentence: str) -> None:
    assert plain(error) == sentence
