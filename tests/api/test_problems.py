"""Everything that goes wrong is problem+json: what, where, what to do, and nothing personal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import Limits, Rate, TokenBuckets
from ledger.session import make_engine
from tests import cast
from tests.api.conftest import House, settings_of
from tests.api.console_desk import sign_in
from tests.api.test_portal import Page

JSON = {"Content-Type": "application/json"}


def _is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"https://puntual.example/problems/{code}" and body["status"] == status
    assert body["title"] and body["detail"]
    return body


def test_what_does_not_exist_or_is_not_known_there(house: House) -> None:
    _is_problem(house.client.get("/v1/nothing"), 404, "not-found")
    _is_problem(house.client.get("/v1/invoices/01a200bd-7838-7c19-9aef-e6c7f409367f"), 404, "not-found")
    _is_problem(house.client.delete("/v1/invoices"), 405, "method-not-allowed")


def test_a_body_that_is_not_json_names_line_and_column(house: House) -> None:
    answer = house.client.post("/v1/invoices", content='{"number": "F-1",\n "currency" "COP"}', headers=JSON)
    assert (_is_problem(answer, 400, "not-json")["line"], answer.json()["column"]) == (2, 13)
    _is_problem(house.client.post("/v1/invoices/batch", content="[1,", headers=JSON), 400, "not-json")


def test_a_body_of_another_kind_is_415(house: House) -> None:
    for path in ("/v1/invoices", "/v1/invoices/batch"):
        _is_problem(house.client.post(path, content="a,b", headers={"Content-Type": "text/csv"}), 415, "not-a-media-type")


def test_a_wrong_query_names_its_parameter(house: House) -> None:
    body = _is_problem(house.client.get("/v1/invoices", params={"limit": 0}), 422, "invalid")
    assert (body["errors"][0]["where"], body["errors"][0]["pointer"]) == ("query", "/limit")


def test_a_query_parameter_that_is_not_there_is_refused_with_those_there_are(house: House) -> None:
    answer = house.client.get("/v1/invoices", params={"state": "open", "limit": 5, "utm_source": "x"})
    body = _is_problem(answer, 422, "invalid")
    assert [(error["where"], error["pointer"]) for error in body["errors"]] == [("query", "/state"), ("query", "/utm_source")]
    names = "status, number, account, overdue, next_before, cursor, limit"
    assert f"(write {names})" in body["errors"][0]["detail"] and names in body["detail"]
    body = _is_problem(house.client.get("/v1/payment-sources", params={"kind": "bank"}), 422, "invalid")
    assert "it takes none" in body["errors"][0]["detail"]
    assert house.public.get("/v1/invoices?state=open").status_code == 401, "the key comes first"


def test_every_json_list_and_reading_refuses_a_strange_parameter_and_pages_and_webhooks_do_not(house: House) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor)
    described = house.public.get("/openapi.json").json()["paths"]
    paths = [path for path, operations in described.items() if "get" in operations and path.startswith("/v1/")]
    assert all("422" in described[path]["get"]["responses"] for path in paths)
    asked = [path.replace("{invoice_id}", str(invoice)).replace("{name}", "file.csv") for path in paths]
    asked = [re.sub(r"\{\w+\}", "7", path) for path in asked]
    assert len(asked) > 20
    for path in asked:
        answer = house.client.get(path, params={"stranger": "1"})
        assert (answer.status_code, "/stranger" in answer.text) == (422, True), (path, answer.text)
    desk = sign_in(house.public, house.creditor.key.key)
    assert desk.get("/console?utm_source=mail").status_code == 200
    page = Page(house, invoice)
    assert house.public.get(f"{page.path}?utm_source=mail").status_code == 200
    assert house.public.get("/health?x=1").status_code == 200
    told = house.public.post("/webhooks/carrier?utm_source=mail", json={})
    assert "utm_source" not in told.text and told.status_code == house.public.post("/webhooks/carrier", json={}).status_code


@pytest.mark.parametrize("path", ["/v1/invoices", "/v1/invoices/batch", "/webhooks/carrier"])
def test_too_large_a_body_is_refused_announced_or_streamed(house: House, path: str) -> None:
    small = Limits(body_bytes=1000, invoice_bytes=1000, batch_bytes=1000, webhook_bytes=1000)
    app = create_app(settings_of(house.database), limits=small)
    headers = {**JSON, "Authorization": f"Bearer {house.creditor.key.key}"}

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        _is_problem(client.post(path, content=b" " * 1001), 413, "body-too-large")
        _is_problem(client.post(path, content=pieces()), 413, "body-too-large")


def test_too_many_requests_of_one_key_wait_and_another_key_goes_on(house: House) -> None:
    app = create_app(settings_of(house.database), clock=house.clock, limits=Limits(key=Rate(0.01, 2)))
    other = cast.creditor_brill(house.database.worker, slug="norte")
    with TestClient(app) as client:
        mine, theirs = ({"Authorization": f"Bearer {c.key.key}"} for c in (house.creditor, other))
        assert [client.get("/v1/invoices", headers=mine).status_code for _ in range(2)] == [200, 200]
        answer = client.get("/v1/invoices", headers=mine)
        _is_problem(answer, 429, "too-many-requests")
        assert 90 <= int(answer.headers["retry-after"]) <= 100
        assert client.get("/v1/invoices", headers=theirs).status_code == 200


def test_buckets_forget_the_oldest_keys_first() -> None:
    buckets = TokenBuckets(Rate(0.001, 1), remembered=2)
    assert [buckets.wait_seconds(key) > 0 for key in ("a", "a", "b", "c", "b", "a")] == [False, True, False, False, True, False]


def test_an_error_on_our_side_says_nothing_of_the_inside(house: House, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(*args: Any, **more: Any) -> Any:
        raise RuntimeError(f"could not greet {cast.ANA_EMAIL}")

    monkeypatch.setattr("api.invoices.list_invoices", broken)
    answer = house.client.get("/v1/invoices")
    _is_problem(answer, 500, "internal")
    assert cast.ANA_EMAIL not in answer.text and "greet" not in answer.text
    said = "\n".join(record.getMessage() for record in caplog.records if record.name == "puntual.api")
    assert "RuntimeError" in said and "api/invoices.py" in said and cast.ANA_EMAIL not in said


def test_without_the_ledger_the_answer_is_503_and_when_to_come_back(house: House) -> None:
    app = create_app(settings_of(house.database), clock=house.clock)
    with TestClient(app, headers={"Authorization": f"Bearer {house.creditor.key.key}"}, raise_server_exceptions=False) as client:
        assert client.get("/health").json() == {"status": "ok"}
        app.state.engine.dispose()
        app.state.engine = make_engine("postgresql+psycopg2://puntual_api@/none?host=/tmp/there-is-no-server-here")
        for answer in (client.get("/health"), client.post("/v1/invoices", json=cast.invoice_body())):
            _is_problem(answer, 503, "database-away")
            assert answer.headers["retry-after"] == "5"


def test_the_description_names_guard_examples_and_problems_of_every_route(house: House) -> None:
    described = house.public.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["API key"]["scheme"] == "bearer"
    assert {"BatchIn", "InvoiceIn", "ProblemOut"} <= set(described["components"]["schemas"])
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            refusals = {status: r for status, r in operation["responses"].items() if int(status) >= 400}
            assert all(list(r["content"]) == ["application/problem+json"] for r in refusals.values()), (method, path)
            if path.startswith("/v1/"):
                assert operation["security"] == [{"API key": []}], (method, path)
                assert {"401", "403", "429"} <= set(refusals), (method, path)
