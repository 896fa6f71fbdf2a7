"""Keys and scopes: every route has its guard, a key opens only its own creditor's things, and ends when it should (I8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.app import ROOMS, create_app
from api.console_rooms import CONSOLE
from ledger.creditors import create_api_key, revoke_api_key, rotate_api_key
from ledger.people import person_card
from ledger.session import WrongRole
from tests import cast
from tests.api.conftest import House, settings_of
from tests.api.outside import change, one

# These are opened by something else than a key: a token in the address, a provider's signature, or nothing at all.
PUBLIC = {
    "/health", "/docs", "/docs/assets", "/docs/oauth2-redirect", "/openapi.json",
    "/webhooks/payments/{token}", "/webhooks/stripe/{token}", "/webhooks/wompi/{token}", "/webhooks/sendgrid",
    "/webhooks/twilio/status/{contact_id}",
    "/webhooks/twilio/inbound", "/webhooks/carrier",
    "/p/{token}", "/p/{token}/copy", "/p/{token}/stop", "/p/{token}/{verb}",
    "/console/sign-in", "/console/sign-out", "/console/demo/{prefix}", "/console/console.css",
}  # fmt: skip
_UNTIL = "2026-03-10T12:00:00Z"
# A body that is right in itself, so that what decides is whose the thing is.
BODIES: dict[str, Any] = {
    "POST /v1/payment-sources/{source}/told": {"complete_to": "2026-03-01"},
    "DELETE /v1/payment-sources/{source}": None,
    "POST /v1/invoices/{invoice_id}/payments-in-process": {"ref": "m-1", "method": "cheque"},
    "POST /v1/invoices/{invoice_id}/instruments": {
        "ref": "n-1",
        "kind": "post_dated_cheque",
        "amount_minor": 5,
        "matures_on": "2026-04-01",
    },
    "POST /v1/invoices/{invoice_id}/instruments/{instrument_id}/end": {"how": "returned"},
    "POST /v1/invoices/{invoice_id}/cession": {"assignee_ref": "f-1", "ceded_on": "2026-03-01", "review_at": _UNTIL},
    "POST /v1/invoices/{invoice_id}/cession/end": {"how": "recourse"},
    "POST /v1/invoices/{invoice_id}/deadlines": {"kind": "insurer_notice", "on": "2026-04-01", "ref": "p-1"},
    "POST /v1/tasks/{task_id}/done": {"outcome": "done"},
    "POST /v1/payment-events/{stored_event}/again": None,
    "POST /v1/invoices/{invoice_id}/delivery": {"kind": "delivered", "on": "2026-03-02"},
    "POST /v1/invoices/{invoice_id}/due-date/confirm": {},
    "POST /v1/invoices/{invoice_id}/documents": {"kind": "pdf", "content_base64": "JVBERi0xLjQ="},
    "PATCH /v1/invoices/{invoice_id}": {"amount_minor": 5, "reason": "test"},
    "POST /v1/invoices/{invoice_id}/cancel": {"reason": "test"},
    "POST /v1/invoices/{invoice_id}/pause": {"until": _UNTIL, "reason": "test"},
    "POST /v1/invoices/{invoice_id}/resume": {},
    "POST /v1/invoices/{invoice_id}/contacts": {
        "ref": "c-1",
        "channel": "call",
        "at": "2026-03-02T14:00:00Z",
        "outcome": "conversation",
    },
    "POST /v1/invoices/{invoice_id}/deductions/{number}/confirm": {},
    "POST /v1/invoices/{invoice_id}/deductions/{number}/decline": None,
    "POST /v1/invoices/{invoice_id}/deductions/{number}/certificate": {"received_on": "2026-03-02", "ref": "file 7"},
    "POST /v1/invoices/{invoice_id}/deductions/{number}/reclassify": {"reason": "test"},
    "POST /v1/invoices/{invoice_id}/promise": {"on": "2026-03-05"},
    "POST /v1/invoices/{invoice_id}/agreement": {"kind": "promise", "on": "2026-03-05"},
    "POST /v1/invoices/{invoice_id}/agreement/withdraw": None,
    "POST /v1/invoices/{invoice_id}/dispute": {"reason": "wrong_amount"},
    "POST /v1/invoices/{invoice_id}/dispute/close": {"outcome": "withdrawn"},
    "POST /v1/invoices/{invoice_id}/already-paid": None,
    "POST /v1/accounts/{account_ref}/owner": {"login": None},
    "POST /v1/invoices/{invoice_id}/own-promises": {"kind": "send_copy", "due_on": "2026-03-05"},
    "POST /v1/invoices/{invoice_id}/own-promises/{promise_id}/done": None,
    "POST /v1/invoices/{invoice_id}/write-off": {"reason": "test"},
    "POST /v1/invoices/{invoice_id}/placement/approve": {"by": "lead"},
    "POST /v1/invoices/{invoice_id}/placement/decline": {"by": "lead"},
    "POST /v1/payments/{payment_id}/apply": {"invoice_id": "01a200bd-7838-7c19-9aef-e6c7f409367f"},
    "PATCH /v1/accounts/{account_ref}": {"city": "Cali"},
    "POST /v1/invoices/{invoice_id}/reason": {"reason": "forgot"},
    "POST /v1/invoices/{invoice_id}/portal": {"state": "submitted", "on": "2026-03-02"},
    "POST /v1/accounts/{account_ref}/consents": {
        "channel": "email",
        "consent": "withdrawn",
        "at": "2026-03-02T14:00:00Z",
        "proof": "call 7",
    },
    "POST /v1/accounts/{account_ref}/suppressions": {"reason": "deceased", "evidence": "file 7", "until": _UNTIL},
    "POST /v1/accounts/{account_ref}/exempt": {"until": _UNTIL, "reason": "test"},
    "POST /v1/accounts/{account_ref}/exempt/end": None,
    "POST /v1/suppressions/{suppression_id}/lift": None,
}

QUERIES = {
    "/v1/debtors/{debtor}/contactability": "?channel=email",
    "/v1/index-values": "?on=2026-03-02",
    "/v1/reports/conduct": "?since=2026-03-01&until=2026-03-31",
}
"""What such a route must be asked with."""


def _routes() -> Iterator[APIRoute]:
    for room in ROOMS:
        yield from (route for route in room.router.routes if isinstance(route, APIRoute))
    for pages in CONSOLE:
        yield from (route for route in pages.routes if isinstance(route, APIRoute))


def _scopes(dependant: Dependant) -> set[str]:
    found = {getattr(dependant.call, "puntual_scope", "")} - {""}
    return found.union(*(_scopes(inner) for inner in dependant.dependencies)) if dependant.dependencies else found


def test_the_app_serves_these_rooms_and_nothing_else(house: House) -> None:
    known = {route.path for route in _routes()} | PUBLIC
    served = set(house.client.get("/openapi.json").json()["paths"])
    assert served <= known
    for route in house.client.app.routes:  # type: ignore[attr-defined]
        path = getattr(route, "path", "")
        assert not path or path in known, path


@pytest.mark.parametrize("route", list(_routes()), ids=lambda route: f"{min(route.methods)} {route.path}")
def test_every_route_has_a_guard_or_is_on_the_public_list(route: APIRoute) -> None:
    scopes = _scopes(route.dependant)
    assert bool(scopes) != (route.path in PUBLIC), f"{route.path}: guard {scopes or 'none'}"
    if scopes and route.methods and not route.methods <= {"GET", "HEAD"}:
        assert all(scope.endswith(":write") for scope in scopes), f"{route.path} writes with {scopes}"


def _method(route: APIRoute) -> str:
    return min(route.methods or {"GET"})


_GUARDED = [route for route in _routes() if _scopes(route.dependant) and route.path.startswith("/v1/")]


def _call(client: TestClient, route: APIRoute, path: str) -> Any:
    method = _method(route)
    body = BODIES.get(f"{method} {route.path}")
    return client.request(method, path, json=body) if body is not None else client.request(method, path)


def test_without_a_key_every_guarded_route_is_401(house: House) -> None:
    for route in _GUARDED:
        answer = _call(house.public, route, route.path.replace("{name}", "file.csv").replace("{", "").replace("}", ""))
        assert answer.status_code == 401, (route.path, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"].endswith("/key-missing")


def test_another_creditors_key_finds_nothing_under_an_id(house: House) -> None:
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    invoice = cast.accepted_invoice(house.database.worker, norte)
    change(
        house,
        "insert into inbox (creditor_id, source, event_id, received_at, payload, result)"
        " values (:c, 'stripe', 'e', :at, '\\x00', 'failed: x')", c=norte.id, at=cast.NOW,
    )  # fmt: skip
    event = one(house, "select id from inbox")
    ids = {"stored_event": event,
           "invoice_id": invoice, "payment_id": invoice, "suppression_id": invoice, "account_ref": "C-1001", "name": "file.csv",
           "promise_id": invoice, "document_id": invoice,
           "source": "bank", "instrument_id": invoice, "task_id": invoice,
           "number": 1, "debtor": "C-1001"}  # fmt: skip
    before = _everything(house)
    for route in (route for route in _GUARDED if "{" in route.path):
        method = _method(route)
        assert method == "GET" or f"{method} {route.path}" in BODIES, f"give {method} {route.path} a body in BODIES"
        answer = _call(house.client, route, route.path.format(**ids) + QUERIES.get(route.path, ""))
        assert answer.status_code == 404, (method, route.path, answer.text)
        assert str(norte.id) not in answer.text
    assert _everything(house) == before


def test_a_list_holds_nothing_of_another_creditor(house: House) -> None:
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    invoice = cast.accepted_invoice(house.database.worker, norte, number="N-77")
    about = {"c": norte.id, "i": invoice, "at": cast.NOW, "by": cast.NOW + timedelta(days=2)}
    with house.database.worker.begin() as connection:
        connection.execute(
            text(
                "insert into task (id, creditor_id, invoice_id, kind, key, why, due_at, created_at)"
                " values (gen_random_uuid(), :c, :i, 'find_payment', 'k', 'test', :by, :at)"
            ),
            about,
        )
        connection.execute(
            text(
                "insert into placement (id, creditor_id, invoice_id, cycle, state, recommend, figures, proposed_at, decide_by)"
                " values (gen_random_uuid(), :c, :i, 1, 'proposed', 'place', '{}', :at, :by)"
            ),
            about,
        )
    theirs = {"Authorization": f"Bearer {norte.key.key}"}
    shown = set()
    for route in (route for route in _GUARDED if "{" not in route.path and _method(route) == "GET"):
        path = route.path + QUERIES.get(route.path, "")
        ours = house.client.get(path)
        assert ours.status_code == 200 and str(invoice) not in ours.text and "N-77" not in ours.text, (path, ours.text)
        if "N-77" in house.public.get(path, headers=theirs).text:
            shown.add(route.path)
    assert shown >= {"/v1/invoices", "/v1/tasks", "/v1/placements"}


def _everything(house: House) -> list[Any]:
    with house.database.worker.connect() as connection:
        return [
            connection.execute(text(f"select md5(string_agg(t::text, '' order by t::text)) from {table} t")).scalar_one()
            for table in (
                "invoice",
                "instalment",
                "entry",
                "event",
                "outbox",
                "hold",
                "agreement",
                "suppression",
                "payment",
                "manual_contact",
            )
        ]


def _get(house: House, key: str) -> Any:
    return house.public.get("/v1/invoices", headers={"Authorization": f"Bearer {key}".encode()})


def test_a_key_that_is_none_is_refused_without_saying_why(house: House) -> None:
    said = [_get(house, key) for key in ("x", "pk_0000000000_" + "a" * 43, "pk_" + "é" * 54, house.creditor.key.key + "a")]
    assert [answer.status_code for answer in said] == [401] * 4
    assert len({answer.text for answer in said}) == 1


def test_one_wrong_character_of_the_secret_opens_nothing(house: House) -> None:
    key = house.creditor.key.key
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert (_get(house, key).status_code, _get(house, wrong).status_code) == (200, 401)
    with house.database.worker.connect() as connection:
        stored = connection.execute(text("select k::text from api_key k")).scalar_one()
    assert key not in stored and key.split("_", 2)[2] not in stored


def test_a_scope_is_needed_and_named(house: House) -> None:
    with Session(house.database.worker) as session, session.begin():
        reader = create_api_key(session, house.creditor.id, "reports", ["invoices:read"], cast.NOW)
    assert _get(house, reader.key).status_code == 200
    answer = house.public.post("/v1/invoices", json=cast.invoice_body(), headers={"Authorization": f"Bearer {reader.key}"})
    assert (answer.status_code, answer.json()["scope"]) == (403, "invoices:write")


def test_after_a_rotation_both_keys_open_until_the_overlap_ends_and_a_revoked_one_at_once_no_more(house: House) -> None:
    old = house.creditor.key
    with Session(house.database.worker) as session, session.begin():
        new = rotate_api_key(session, old.prefix, cast.NOW, overlap=timedelta(hours=1))
    house.clock.at = cast.NOW + timedelta(minutes=59)
    assert (_get(house, old.key).status_code, _get(house, new.key).status_code) == (200, 200)
    house.clock.at = cast.NOW + timedelta(hours=1)
    assert (_get(house, old.key).status_code, _get(house, new.key).status_code) == (401, 200)
    with Session(house.database.worker) as session, session.begin():
        revoke_api_key(session, new.prefix, cast.NOW)
    assert _get(house, new.key).status_code == 401


def test_an_answer_is_sent_only_after_the_commit(house: House) -> None:
    with house.database.owner.begin() as connection:
        connection.execute(
            text(
                "create function refuse() returns trigger language plpgsql as $$ begin raise 'the sky fell'; end $$;"
                " create constraint trigger at_commit after insert on invoice deferrable initially deferred"
                " for each row execute function refuse()"
            )
        )
    answer = house.client.post("/v1/invoices", json=cast.invoice_body())
    assert answer.status_code == 500, "the answer was sent before the commit failed"
    assert answer.json()["type"].endswith("/internal") and "fell" not in answer.text
    with house.database.worker.connect() as connection:
        assert connection.execute(text("select count(*) from invoice")).scalar_one() == 0


def test_the_api_may_open_cards_of_its_own_people_only(house: House) -> None:
    cast.accepted_invoice(house.database.worker, house.creditor)
    with house.database.worker.connect() as connection:
        person = connection.execute(text("select id from person")).scalar_one()
    with Session(house.database.api) as session, pytest.raises(Exception, match="no person"):
        person_card(session, cast.sealer(), person)


def test_a_service_that_connects_as_owner_does_not_start(house: House) -> None:
    with pytest.raises(WrongRole):
        create_app(replace(settings_of(house.database), api_url=house.database.owner_url))
