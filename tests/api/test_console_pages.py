"""What the pages of the console say, and how little a browser has to be trusted with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from ledger import agreements, holds, payments
from policies.negotiation import Promise
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page, contact, decide, numbers, on, read, sign_in


@pytest.fixture
def desk(house: House) -> TestClient:
    """Somebody of Brill at the console."""
    return sign_in(house.public, house.creditor.key.key)


def test_what_came_from_outside_is_shown_and_never_obeyed(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    invoice = cast.accepted_invoice(worker, house.creditor)
    nasty = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
    with Session(worker) as session, session.begin():
        session.execute(
            text("update invoice set number = :x, held_why = :x, next_why = :x, next_kind = 'wait', next_at = :at"),
            {"x": nasty, "at": on(20)},
        )
        session.execute(text("update account set ref = :x"), {"x": nasty})
        payments.record_payment(
            session, house.creditor.id, source="standard", source_ref=nasty, amount_minor=500, currency="COP", now=cast.NOW,
            paid_on=cast.NOW.date(), value_on=cast.NOW.date(), invoice_id=None,
            hint_sealed=cast.sealer().seal(nasty.encode()),
        )  # fmt: skip
        session.execute(
            text(
                "insert into task (id, creditor_id, invoice_id, kind, key, why, due_at, created_at)"
                " select gen_random_uuid(), creditor_id, id, :x, :x, :x, :at, :at from invoice"
            ),
            {"x": nasty, "at": cast.NOW},
        )
        session.execute(
            text(
                "insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)"
                " select creditor_id, id, :at, :x, jsonb_build_object('reason', cast(:x as text)), :x from invoice"
            ),
            {"x": nasty, "at": cast.NOW},
        )
    for address in (
        "/console",
        f"/console?q={nasty}",
        f"/console?account={nasty}",
        f"/console/invoices/{invoice}",
        "/console/tasks",
        "/console/payments",
        f"/console/sign-in?back={nasty}",
    ):
        page = read(desk, address)
        assert not [
            tag for tag, attributes in page.tags if tag in ("script", "img") or any(name.startswith("on") for name in attributes)
        ]
    assert nasty in read(desk).text
    workflow = next(href for href in read(desk, f"/console/invoices/{invoice}").hrefs() if "/workflows/" in href)
    assert (
        workflow
        == "http://127.0.0.1:8233/namespaces/default/workflows/invoice%3Abrill%3A%22%27%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E"
    )


@pytest.mark.parametrize(
    "address",
    [
        "/console?state=nonsense",
        "/console?sort=price",
        "/console?overdue=2",
        "/console?q=%00",
        "/console/invoices/7",
        "/console?cursor=x",
    ],
)
def test_what_makes_no_sense_gets_a_page_that_says_so(desk: TestClient, address: str) -> None:
    answer = desk.get(address)
    assert answer.status_code in (404, 422) and "Back to the console" in Page(answer.text).text


def test_pages_need_no_script_and_nothing_from_elsewhere(house: House, desk: TestClient) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor)
    for address in ("/console", f"/console/invoices/{invoice}", "/console/tasks", "/console/payments", "/console/sign-in"):
        answer = desk.get(address)
        page = Page(answer.text)
        assert not {"script", "style", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
        assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on") or a == "style"]
        links = [a["href"] for tag, a in page.tags if tag == "link"]
        assert all(href.startswith("/console/console.css?v=") or href == "data:," for href in links)
        assert all(href.startswith(("/console", "#main", "http://127.0.0.1:8233/")) for href in page.hrefs())
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';") and "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "same-origin"
        labelled = {a.get("for") for tag, a in page.tags if tag == "label"}
        assert page.tags[0][0] == "html" and page.tags[0][1]["lang"] == "en" and labelled is not None
    style = desk.get("/console/console.css")
    assert (
        style.headers["content-type"].startswith("text/css")
        and "http" not in style.text
        and "immutable" in style.headers["cache-control"]
    )


# What the list says


@pytest.fixture
def counted(house: House) -> Iterator[list[str]]:
    """The questions that the API puts to the ledger."""
    asked: list[str] = []
    engine: Engine = house.public.app.state.engine  # type: ignore[attr-defined]

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def test_a_page_asks_the_ledger_as_often_for_fifty_invoices_as_for_two(
    house: House, desk: TestClient, counted: list[str]
) -> None:
    worker = house.database.worker
    for number in range(2):
        decide(
            worker,
            cast.accepted_invoice(worker, house.creditor, f"F-{number}", account=cast.debtor_ana(ref=f"C-{number}")),
            cast.NOW,
        )
    read(desk), read(desk, "/console?overdue=1")
    asked = {}
    for count in (2, 55):
        for number in range(2, count):
            cast.accepted_invoice(worker, house.creditor, f"F-{number}", account=cast.debtor_ana(ref=f"C-{number}"))
        for address in ("/console", "/console?overdue=1", "/console/tasks", "/console/payments"):
            counted.clear()
            read(desk, address)
            asked[count, address] = len(counted)
    for address in ("/console", "/console?overdue=1", "/console/tasks", "/console/payments"):
        assert asked[2, address] == asked[55, address] <= 11, asked


def test_pages_of_fifty_hold_every_invoice_once_whatever_the_order(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    made = {f"F-{number:03}" for number in range(120)}
    with Session(worker) as session, session.begin():
        first = cast.accepted_invoice(worker, house.creditor, "F-000")
    for number in sorted(made - {"F-000"}):
        cast.accepted_invoice(worker, house.creditor, number, due_on=f"2026-03-{10 + int(number[2:]) % 3}")
    decide(worker, first, cast.NOW)
    for sort in ("due", "next", "number"):
        seen: list[str] = []
        address: str | None = f"/console?sort={sort}"
        while address:
            page = read(desk, address)
            seen += numbers(page)
            address = next((href for href in page.hrefs() if "cursor=" in href), None)
        assert len(seen) == 120 and set(seen) == made
    cursor = next(href for href in read(desk).hrefs() if "cursor=" in href).split("cursor=")[1]
    assert desk.get(f"/console?sort=number&cursor={cursor}").status_code == 422


def test_an_invoice_due_on_saturday_is_late_from_tuesday_on(house: House, desk: TestClient) -> None:
    cast.accepted_invoice(house.database.worker, house.creditor, "F-1", due_on="2026-03-14")
    for day, late, says in (
        (14, False, "in 2 days"),
        (16, False, "due today"),
        (17, True, "1 day late"),
        (19, True, "3 days late"),
    ):
        house.clock.at = on(day)
        page = read(desk)
        assert says in page.text and f"{1 if late else 0} overdue" in page.text, day
        assert numbers(read(desk, "/console?overdue=1")) == (["F-1"] if late else []), day
        assert ("100.0 %" in page.text) is late


def test_sums_are_by_currency_and_never_added_up(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    cast.accepted_invoice(worker, house.creditor, "F-1")
    cast.accepted_invoice(
        worker, house.creditor, "F-2", currency="CLP", amount_minor=1_234_567, due_on="2026-03-03", account=cast.debtor_luis()
    )
    house.clock.at = on(10)
    said = read(desk).text
    assert "COP 1 250,000.00 0.00 0.0 % 0" in said and "CLP 1 1,234,567 1,234,567 100.0 % 1" in said


def test_the_list_is_narrowed_by_what_comes_next_what_is_held_and_what_a_person_must_do(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    made = {
        n: cast.accepted_invoice(worker, house.creditor, n, account=cast.debtor_ana(ref=f"C-{n}"))
        for n in ("F-1", "F-2", "F-3", "F-4")
    }
    with Session(worker) as session, session.begin():
        holds.open_dispute(session, made["F-2"], reason="quality", actor="portal", now=cast.NOW)
    contact(worker, made["F-3"], on(13))
    for invoice in made.values():
        decide(worker, invoice, on(13, 15) if invoice == made["F-3"] else cast.NOW)
    house.clock.at = on(13, 16)
    assert numbers(read(desk, "/console?following=rung:S1")) == ["F-1", "F-4"]
    assert numbers(read(desk, "/console?following=rung:S2")) == ["F-3"]
    assert numbers(read(desk, "/console?following=wait")) == ["F-2"]
    assert numbers(read(desk, "/console?held=1")) == ["F-2"]
    assert numbers(read(desk, "/console?person=1")) == ["F-2"]
    assert numbers(read(desk, "/console?account=C-F-4")) == ["F-4"]
    assert numbers(read(desk, "/console?q=C-F")) == ["F-1", "F-2", "F-3", "F-4"] and numbers(read(desk, "/console?q=%25")) == []
    assert numbers(read(desk, "/console?q=f-3")) == ["F-3"]
    said = read(desk).text
    assert "On hold: dispute (quality)." in said and "Disputed" in said and "Answer the dispute" in said
    assert "S2 first reminder, e-mail Thu 19 Mar 2026, 09:00 Bogota, in 6 days" in said
    assert "S1 e-mail delivered Fri 13 Mar 2026, 09:00" in said


def test_a_closed_invoice_leaves_the_open_list_and_says_how_it_ended(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    invoice = cast.accepted_invoice(worker, house.creditor, "F-1")
    with Session(worker) as session, session.begin():
        payments.record_payment(
            session, house.creditor.id, source="standard", source_ref="p1", amount_minor=25_000_000, currency="COP",
            paid_on=cast.NOW.date(), value_on=cast.NOW.date(), now=cast.NOW, invoice_id=invoice,
        )  # fmt: skip
    decide(worker, invoice, cast.NOW)
    assert numbers(read(desk)) == []
    assert numbers(read(desk, "/console?state=paid")) == numbers(read(desk, "/console?state=closed")) == ["F-1"]
    said = read(desk, f"/console/invoices/{invoice}").text
    assert "Ended: Paid" in said and "Payment received COP 250,000.00; owed now 0.00" in said


# What the page of an invoice says


def test_the_page_of_an_invoice_tells_its_past_its_future_and_why(house: House, desk: TestClient) -> None:
    worker = house.database.worker
    patch = {"ladder": [{"rung": "S2", "channels": ["sms"]}]}
    invoice = cast.accepted_invoice(worker, house.creditor, "F-1", manual_patch=patch)
    contact(worker, invoice, on(13))
    house.clock.at = on(17)
    with Session(worker) as session, session.begin():
        wish = Promise(on=cast.day("2026-03-20"))
        agreements.ask(session, invoice, wish, source="portal", actor="portal", now=on(17))
    decide(worker, invoice, on(17))
    said = read(desk, f"/console/invoices/{invoice}").text
    for words in (
        "owed now COP 250,000.00", "1 day late", "Customer's time Tue 17 Mar 2026, 09:00 America/Bogota",
        "Promise open COP 250,000.00 by 20 Mar 2026", "S1 by e-mail delivered pre due, asked for COP 250,000.00",
        "receipt delivered, Fri 13 Mar 2026, 09:00", "rules ladder.S1", "tzdata", "contact 1.1.S1.0, attempt 1, simulated",
        "The agreement is judged", "Cancelled or moved by:", "S2 D+3 first reminder SMS invoice",
        "S1 D-3 pre due e-mail, then SMS creditor",
    ):  # fmt: skip
        assert words in said, words


def test_the_plan_of_a_large_account_is_drawn_only_when_asked_for(
    house: House, desk: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = house.database.worker
    made = [cast.accepted_invoice(worker, house.creditor, f"F-{n}") for n in range(3)]
    monkeypatch.setattr("api.console_invoice.BOOK_MAX", 2)
    page = read(desk, f"/console/invoices/{made[0]}")
    assert "3 open invoices" in page.text and "S1 falls on" not in page.text
    assert "S1 falls on" in read(desk, f"/console/invoices/{made[0]}?plan=1").text


def test_the_page_says_which_channels_are_open_by_whose_rule_and_until_when_it_can_be_sued_for(
    house: House, desk: TestClient
) -> None:
    invoice = cast.accepted_invoice(house.database.worker, house.creditor, "F-1")
    house.clock.at = datetime(2026, 3, 7, 21, 30, tzinfo=UTC)  # a Saturday, 16:30 in Bogotá
    said = read(desk, f"/console/invoices/{invoice}").text
    for words in (
        "May we write now?",
        "CO.hours: In Colombia a consumer",
        "Ley 2300 de 2023",
        "from Mon 9 Mar 2026",
        "Law of Colombia",
        "Can be sued for until",
    ):
        assert words in said, words
    assert "default of the house, not law" not in said.split("CO.hours: In Colombia")[1].split("Law of Colombia")[0]
