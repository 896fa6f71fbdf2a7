"""Who may look at the console, and whose rows they see (I8)."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from api.app import create_app
from api.console import router
from api.console_session import COOKIE, looker, signed
from clock import wall_now
from ledger import holds, payments
from ledger.creditors import create_api_key, revoke_api_key
from settings import Settings
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page, contact, numbers, on, read, sign_in
from tests.conftest import Database


@pytest.fixture
def desk(house: House) -> TestClient:
    """Somebody of Brill at the console."""
    return sign_in(house.public, house.creditor.key.key)


def test_a_key_opens_the_console_for_eight_hours_with_a_cookie_that_scripts_and_other_sites_never_get(house: House) -> None:
    answer = house.public.post("/console/sign-in", data={"key": house.creditor.key.key}, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/console"
    cookie = answer.headers["set-cookie"]
    assert re.search(r"; HttpOnly; Max-Age=28800; Path=/console; SameSite=strict$", cookie)
    assert house.creditor.key.key not in cookie
    assert "F-" not in house.public.get("/console").text and house.public.get("/console").status_code == 200


def test_the_cookie_is_for_https_only_where_the_console_is_reached_by_https(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    app = create_app(Settings(api_url=database.api_url, master_key=cast.MASTER_KEY, public_url="https://pay.example"))
    with TestClient(app) as client:
        answer = client.post("/console/sign-in", data={"key": creditor.key.key}, follow_redirects=False)
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("given", ["", "nonsense", "pk_0123456789_" + "x" * 43, "pk_" + "\u00e9" * 10])
def test_what_is_no_key_opens_nothing(house: House, given: str) -> None:
    answer = house.public.post("/console/sign-in", data={"key": given}, follow_redirects=False)
    assert answer.status_code in (401, 404) and "set-cookie" not in answer.headers


def test_the_right_prefix_with_another_secret_opens_nothing(house: House) -> None:
    wrong = house.creditor.key.key[:14] + "x" * 43
    answer = house.public.post("/console/sign-in", data={"key": wrong}, follow_redirects=False)
    assert answer.status_code == 401 and "does not open the console" in answer.text and wrong not in answer.text


def test_a_key_without_the_scope_does_not_open_the_console(house: House) -> None:
    with Session(house.database.worker) as session, session.begin():
        key = create_api_key(session, house.creditor.id, "intake", ["invoices:read", "invoices:write"], cast.NOW)
    assert house.public.post("/console/sign-in", data={"key": key.key}, follow_redirects=False).status_code == 401


DOORS = {"/console/sign-in", "/console/sign-out", "/console/demo/{prefix}", "/console/console.css"}


def test_every_page_asks_who_looks() -> None:
    pages = [route for route in router.routes if isinstance(route, APIRoute)]
    unguarded = {r.path for r in pages if looker not in [d.call for d in r.dependant.dependencies]}
    assert unguarded == DOORS
    assert {r.path for r in pages} - DOORS == {
        "/console",
        "/console/invoices/{invoice_id}",
        "/console/tasks",
        "/console/payments",
    }
    assert all(route.methods == {"GET"} for route in pages if route.path not in DOORS), "the console is read-only"


@pytest.mark.parametrize("address", ["/console", "/console/tasks", "/console/payments", f"/console/invoices/{UUID(int=0)}"])
def test_without_a_session_every_page_leads_to_the_sign_in_and_back(house: House, address: str) -> None:
    answer = house.public.get(address, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/console/sign-in?back=%2Fconsole")


def test_the_api_key_in_a_header_is_not_a_session(house: House) -> None:
    assert house.client.get("/console", follow_redirects=False).status_code == 303


def test_a_revoked_key_ends_the_session_at_the_next_page(house: House, desk: TestClient) -> None:
    assert desk.get("/console").status_code == 200
    with Session(house.database.worker) as session, session.begin():
        revoke_api_key(session, house.creditor.key.prefix, cast.NOW)
    answer = desk.get("/console", follow_redirects=False)
    assert answer.status_code == 303 and 'puntual_console=""' in answer.headers["set-cookie"]


def test_a_key_past_its_end_ends_the_session(house: House) -> None:
    with Session(house.database.worker) as session, session.begin():
        ends = cast.NOW + timedelta(hours=1)
        key = create_api_key(session, house.creditor.id, "short", ["console:read"], cast.NOW, expires_at=ends)
    desk = sign_in(house.public, key.key)
    house.clock.at = ends - timedelta(seconds=1)
    assert desk.get("/console", follow_redirects=False).status_code == 200
    house.clock.at = ends
    assert desk.get("/console", follow_redirects=False).status_code == 303


def test_a_session_ends_by_itself_and_cannot_be_stretched_or_moved_to_another_key(house: House) -> None:
    prefix, sealer = house.creditor.key.prefix, cast.sealer()
    now = wall_now()

    def opens(cookie: str) -> bool:
        answer = house.public.get("/console", headers={"cookie": f"{COOKIE}={cookie}"}, follow_redirects=False)
        return bool(answer.status_code == 200)

    good = signed(sealer, prefix, now + timedelta(minutes=5))
    assert opens(good)
    assert not opens(signed(sealer, prefix, now - timedelta(seconds=1)))
    _, ends, mac = good.split(".")
    assert not opens(f"{prefix}.{int(ends) + 60}.{mac}")
    other = cast.creditor_brill(house.database.worker, slug="other").key.prefix
    assert not opens(f"{other}.{ends}.{mac}")
    assert not opens(f"{prefix}.{ends}.{'A' * 43}") and not opens("") and not opens(f"{prefix}.{ends}")


def test_a_form_of_another_site_neither_signs_in_nor_out(house: House, desk: TestClient) -> None:
    key = {"key": house.creditor.key.key}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        assert house.public.post("/console/sign-in", data=key, headers=headers).status_code == 403
        assert desk.post("/console/sign-out", headers=headers).status_code == 403
    assert desk.get("/console", follow_redirects=False).status_code == 200
    assert desk.post("/console/sign-out", headers={"origin": "http://testserver"}, follow_redirects=False).status_code == 303
    assert desk.get("/console", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "back", ["https://evil.example", "//evil.example", "/console@evil.example", "/consoles", "/v1/invoices", "/console\\x"]
)
def test_the_way_back_never_leaves_the_console(house: House, back: str) -> None:
    answer = house.public.post("/console/sign-in", data={"key": house.creditor.key.key, "back": back}, follow_redirects=False)
    assert answer.headers["location"] == "/console"


def test_a_link_from_another_site_offers_to_go_on_because_the_strict_cookie_did_not_travel(house: House) -> None:
    page = Page(house.public.get("/console/sign-in?back=/console/tasks", headers={"sec-fetch-site": "cross-site"}).text)
    assert "/console/tasks" in page.hrefs()


@pytest.mark.parametrize(
    ("demo", "public_url", "base_url", "caller", "opens"),
    [
        ("1", "http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1", True),
        ("1", "http://localhost:8080", "http://localhost:8080", "127.0.0.1", True),
        ("", "http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1", False),
        ("1", "https://pay.example", "http://127.0.0.1:8080", "127.0.0.1", False),
        ("1", "http://127.0.0.1:8080", "http://127.0.0.1:8080", "10.0.0.9", False),
        ("1", "http://127.0.0.1:8080", "http://rebound.example:8080", "127.0.0.1", False),
    ],
)  # fmt: skip
def test_the_demo_opens_without_a_key_on_this_machine_only(
    database: Database, demo: str, public_url: str, base_url: str, caller: str, opens: bool
) -> None:
    creditor = cast.creditor_brill(database.worker)
    settings = Settings(api_url=database.api_url, master_key=cast.MASTER_KEY, demo=demo, public_url=public_url)
    with TestClient(create_app(settings), base_url=base_url, client=(caller, 50_000)) as client:
        answer = client.get(f"/console/demo/{creditor.key.prefix}", follow_redirects=False)
        assert (answer.status_code == 303, "set-cookie" in answer.headers) == (opens, opens)
        assert client.get("/console/demo/0123456789", follow_redirects=False).status_code == 404
        assert client.get("/console", follow_redirects=False).status_code == (200 if opens else 303)


# Whose rows


def test_a_creditor_never_sees_another_ones_invoice_task_or_money(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    other = cast.creditor_brill(worker, slug="other")
    mine, theirs = cast.accepted_invoice(worker, house.creditor, "F-1"), cast.accepted_invoice(worker, other, "G-1")
    with Session(worker) as session, session.begin():
        for creditor in (house.creditor, other):
            payments.record_payment(
                session, creditor.id, source="standard", source_ref=f"ref-{creditor.slug}", amount_minor=500, currency="COP",
                paid_on=cast.NOW.date(), value_on=cast.NOW.date(), now=cast.NOW, invoice_id=None,
                hint_sealed=cast.sealer().seal(f"hint-{creditor.slug}".encode()),
            )  # fmt: skip
        holds.open_dispute(session, theirs, reason="quality", actor="portal", now=cast.NOW)
    assert numbers(read(desk)) == ["F-1"]
    assert numbers(read(desk, "/console?q=G-1&state=all")) == []
    assert desk.get(f"/console/invoices/{mine}").status_code == 200
    answer = desk.get(f"/console/invoices/{theirs}")
    assert answer.status_code == 404 and "G-1" not in answer.text
    assert "hint-brill" in (money := read(desk, "/console/payments").text) and "hint-other" not in money
    tasks = read(desk, "/console/tasks").text
    assert "G-1" not in tasks and "Tasks 1" in tasks and "1 unmatched payment" in read(desk).text


def test_no_page_shows_personal_data(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    invoice = cast.accepted_invoice(worker, house.creditor)
    by_email = cast.accepted_invoice(worker, house.creditor, "F-2", account=cast.debtor_luis(ref=cast.LUIS_EMAIL))
    contact(worker, invoice, on(13))
    house.clock.at = on(14)
    for address in ("/console", f"/console/invoices/{invoice}", f"/console/invoices/{by_email}", "/console/tasks"):
        said = desk.get(address).text
        assert not [word for word in cast.PERSONAL if word in said]
    assert numbers(read(desk, f"/console?q={cast.LUIS_EMAIL}")) == ["F-2"], "the reference they know still finds it"
