"""The pages in a real browser: the console, the customer's page, and what ops staff see in the Temporal UI."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from ledger.payments import record_payment
from ledger.staff import add_staff
from tests import cast
from tests.browser.browser import Browser
from tests.browser.scene import Scene
from tests.conftest import Database, TemporalServer

pytestmark = pytest.mark.browser


@pytest.fixture
def scene(database: Database, temporal: TemporalServer) -> Iterator[Scene]:
    with Scene(database, temporal).running() as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


def test_ops_staff_sign_in_open_an_invoice_and_follow_it_into_the_temporal_ui(scene: Scene, browser: Browser) -> None:
    brill = cast.creditor_brill(scene.database.worker, slug=scene.database.name.replace("_", "-"))
    cast.accepted_invoice(scene.database.worker, brill, "F-1001")
    scene.play(cast.NOW + timedelta(days=18))
    browser.open(f"{scene.url}/console/tasks")
    browser.click("Only to look, with an API key")
    browser.fill("#key", brill.key.key)
    browser.press("Enter")
    browser.wait_for(text="Nothing waits for a person.")
    browser.follow("Invoices")
    assert "F-1001" in browser.text() and "4 days late" in browser.text()
    browser.follow("F-1001")
    browser.wait_for(text="S2 by e-mail")
    browser.click(".timeline summary")
    browser.wait_for(text="ladder.S2")
    workflow = f"invoice:{brill.slug}:F-1001"
    browser.follow(workflow)
    browser.wait_for(text=workflow)
    assert "/namespaces/default/workflows/" in browser.url
    assert [said for said in browser.complaints if scene.url in said] == []


def test_the_console_works_without_scripts_on_a_phone_and_in_the_dark(scene: Scene, browser: Browser) -> None:
    brill = cast.creditor_brill(scene.database.worker, slug=scene.database.name.replace("_", "-"))
    cast.accepted_invoice(scene.database.worker, brill, "F-1001")
    scene.settle()
    browser.without_scripts()
    browser.size(390, 844, phone=True)
    browser.dark()
    browser.open(f"{scene.url}/console/demo/{brill.key.prefix}")
    for address in ("/console", "/console/tasks", "/console/payments"):
        browser.open(scene.url + address)
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth"), f"{address} is wider than the phone"
    browser.open(f"{scene.url}/console")
    browser.follow("F-1001")
    assert "Plan ahead" in browser.text()
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"


def test_a_collector_logs_a_call_with_its_promise_on_a_phone_with_a_thumb(scene: Scene, browser: Browser) -> None:
    brill = cast.creditor_brill(scene.database.worker, slug=scene.database.name.replace("_", "-"))
    invoice = cast.accepted_invoice(scene.database.worker, brill, "F-1001")
    with Session(scene.database.worker) as session, session.begin():
        add_staff(session, brill.id, "ana-7", "collector", cast.NOW, password="cuatro gatos grises")
    scene.play(cast.NOW + timedelta(days=18))
    before = len(scene.sent)
    browser.size(390, 844, phone=True)
    browser.open(f"{scene.url}/console/invoices/{invoice}/call")
    for field, typed in (("#creditor", brill.slug), ("#login", "ana-7"), ("#password", "cuatro gatos grises")):
        browser.fill(field, typed)
    browser.press("Enter")
    browser.wait_for(text=cast.ANA_NAME)
    assert "¿Hablo con" in browser.text() and "Log the call" in browser.text()
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth"), "the call is wider than the phone"
    small = "[...document.querySelectorAll('#log label, #log button, .dial')].filter(e => e.offsetParent && e.offsetHeight < 44)"
    assert browser.run(f"{small}.map(e => e.innerText)") == [], "too small for a thumb"
    browser.click("Promises to pay")
    browser.fill("input[name=on]", "2026-03-27")
    browser.fill("#log textarea", "pays on Friday")
    browser.follow("#log form > button")
    browser.wait_for(text="The call is logged. Promise recorded for 2026-03-27")
    assert "Before" in browser.text() and "pays on Friday" in browser.text()
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
    browser.run("history.back()")
    browser.wait_for(text="Log the call")
    scene.play(cast.NOW + timedelta(days=23))
    assert len(scene.sent) == before, "nobody writes before the promised day, but for the reminder on its eve"
    assert [said for said in browser.complaints if scene.url in said] == []


def test_a_customer_promises_a_date_by_clicking_and_is_not_written_to_before(scene: Scene, browser: Browser) -> None:
    brill = cast.creditor_brill(scene.database.worker, slug=scene.database.name.replace("_", "-"))
    cast.accepted_invoice(scene.database.worker, brill, "F-1001")
    scene.play(cast.NOW + timedelta(days=18))
    before = len(scene.sent)
    browser.size(390, 844, phone=True)
    browser.open(scene.link("F-1001"))
    browser.wait_for(selector="form[action$='/promise'] input[type=date]")
    browser.run("document.querySelector(\"form[action$='/promise']\").closest('details').querySelector('summary').id = 'ways'")
    browser.click("#ways")
    browser.fill("form[action$='/promise'] input[type=date]", "2026-03-27")
    browser.follow("form[action$='/promise'] button")
    browser.wait_for(text="27")
    scene.play(cast.NOW + timedelta(days=23))
    assert len(scene.sent) == before, "nobody writes before the agreed day, but for the reminder on its eve"
    browser.open(f"{scene.url}/console/demo/{brill.key.prefix}")
    browser.follow("F-1001")
    assert "Promise" in browser.text() and "by 27 Mar 2026" in browser.text()


def test_the_temporal_ui_tells_what_is_owed_what_comes_next_and_what_happened(scene: Scene, browser: Browser) -> None:
    brill = cast.creditor_brill(scene.database.worker, slug=scene.database.name.replace("_", "-"))
    invoice = cast.accepted_invoice(scene.database.worker, brill, "F-1001")
    scene.play(cast.NOW + timedelta(days=12))
    now = cast.NOW + timedelta(days=12)
    with Session(scene.database.worker) as session, session.begin():
        record_payment(
            session, brill.id, source="standard", source_ref="p-1", amount_minor=5_000_000, currency="COP",
            paid_on=cast.day("2026-03-14"), value_on=cast.day("2026-03-14"), now=now, invoice_id=invoice,
        )  # fmt: skip
    scene.settle()
    workflow = f"invoice:{brill.slug}:F-1001"
    browser.open(f"{scene.workflow_url(workflow)}")
    browser.wait_for(text="User Metadata")
    browser.click("User Metadata")
    for words in (
        f"Invoice F-1001 of account C-1001 ({brill.slug})", "Open in the console", "COP 200,000.00", "S2",
        "Thu 19 Mar 2026 09:00", "America/Bogota", "S2 falls on 2026-03-19", "payment received", "S1 by email",
    ):  # fmt: skip
        browser.wait_for(text=words)
    browser.open(f"{scene.workflow_url(workflow)}")
    browser.wait_for(text="payment_received")
    browser.wait_for(text="S1, COP 250,000.00")
    for personal in cast.PERSONAL:
        assert personal not in browser.text()
