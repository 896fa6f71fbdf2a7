"""Posting, reading and changing invoices over HTTP."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text

from api.examples import AMENDMENT, BATCH, INVOICE, INVOICE_IN_INSTALMENTS
from tests import cast
from tests.api.conftest import House


def _post(house: House, body: dict[str, Any]) -> Any:
    return house.client.post("/v1/invoices", json=body)


def _rows(house: House, table: str) -> int:
    with house.database.worker.connect() as connection:
        return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())


def test_a_new_invoice_is_201_and_the_same_again_is_200_with_the_same_id(house: House) -> None:
    first = _post(house, cast.invoice_body())
    again = _post(house, cast.invoice_body())
    assert (first.status_code, first.json()["status"]) == (201, "created")
    assert (again.status_code, again.json()["status"]) == (200, "same")
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"/v1/invoices/{first.json()['id']}"
    assert [_rows(house, table) for table in ("invoice", "instalment", "entry", "event", "outbox", "person")] == [1] * 6


def test_other_bytes_with_the_same_meaning_are_the_same_invoice(house: House) -> None:
    first = _post(house, cast.invoice_body())
    account = cast.debtor_ana(region="dc")
    account["contacts"][0]["channels"][1]["address"] = "300 123 45 67"
    account["contacts"][0]["name"] = f" {cast.ANA_NAME} "
    body = cast.invoice_body(account=account, place_of_payment="CO", amount_minor=None, due_on=None)
    body["instalments"] = [{"number": 1, "due_on": "2026-03-16", "amount_minor": 25_000_000}]
    again = _post(house, {key: body[key] for key in reversed(body)})
    assert (again.status_code, again.json()) == (200, {"id": first.json()["id"], "number": "F-1001", "status": "same"})


def test_another_content_is_409_and_names_what_differs_without_personal_values(house: House) -> None:
    _post(house, cast.invoice_body())
    account = cast.debtor_ana(kind="business")
    account["contacts"][0]["name"] = "Somebody Else"
    answer = _post(house, cast.invoice_body(amount_minor=26_000_000, account=account))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "https://puntual.example/problems/invoice-differs"
    assert problem["differences"] == [
        {"pointer": "/amount_minor", "was": 25_000_000, "now": 26_000_000},
        {"pointer": "/account/kind", "was": "consumer", "now": "business"},
        {"pointer": "/account/contacts/0/name"},
    ]
    assert not any(word in answer.text for word in (*cast.PERSONAL, "Somebody"))
    assert _rows(house, "entry") == 1


def test_what_differs_is_named_where_it_was_sent(house: House) -> None:
    parts = [{"number": 1, "due_on": "2026-03-16", "amount_minor": 60}, {"number": 2, "due_on": "2026-04-16", "amount_minor": 40}]
    index = {"index": {"code": "UVR", "units": "100"}, "amount_minor": None}
    single, split = {"due_on": "2026-03-20", "amount_minor": 26_000_000}, {"due_on": None, "amount_minor": None}
    _post(house, cast.invoice_body("F-1"))
    _post(house, cast.invoice_body("F-2", **split, instalments=parts))
    _post(house, cast.invoice_body("F-3", **index))

    def places(number: str, **change: Any) -> list[str]:
        body = cast.invoice_body(number, **change)
        one = _post(house, body)
        [batched] = house.client.post("/v1/invoices/batch", json={"invoices": [body]}).json()["results"]
        assert one.status_code == 409 and one.json()["differences"] == batched["problem"]["differences"]
        found = [difference["pointer"] for difference in one.json()["differences"]]
        assert f"({', '.join(found)})" in one.json()["detail"] == batched["problem"]["detail"]
        return found

    assert places("F-1", **single) == ["/due_on", "/amount_minor"]
    assert places("F-1", due_on=None) == ["/due_on"], "left out, it follows from the law"
    assert places("F-1", **split, instalments=[{"number": 1, "due_on": "2026-03-16", "amount_minor": 7}]) == [
        "/instalments/0/amount_minor"
    ]
    assert places("F-2", **split, instalments=[parts[0], parts[1] | {"due_on": "2026-04-20"}]) == ["/instalments/1/due_on"]
    assert places("F-2", **single) == ["/due_on", "/amount_minor", "/instalments/1"], "what is there no more has its old place"
    assert places("F-3", **index | {"index": {"code": "UVR", "units": "101"}}) == ["/index/units"]


def test_an_amendment_with_a_bad_day_says_so_where_it_was_sent(house: House) -> None:
    path = f"/v1/invoices/{_post(house, cast.invoice_body()).json()['id']}"
    wrong: dict[str, Any] = {"due_on": "2096-02-01"}
    parts = {"instalments": [{"number": 1, "amount_minor": 5} | wrong], "reason": "more time"}
    answers = [
        house.client.patch(path, json=wrong | {"reason": "more time"}), house.client.post(f"{path}/due-date/confirm", json=wrong),
        house.client.patch(path, json=parts),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [422] * 3
    assert [answer.json()["errors"][0]["pointer"] for answer in answers] == ["/due_on", "/due_on", "/instalments"]


def test_a_repeat_is_compared_with_the_body_first_accepted_not_with_its_amendment(house: House) -> None:
    invoice = _post(house, cast.invoice_body()).json()["id"]
    change = {"amount_minor": 24_000_000, "reason": "discount"}
    assert house.client.patch(f"/v1/invoices/{invoice}", json=change).status_code == 200
    assert _post(house, cast.invoice_body()).status_code == 200
    assert _post(house, cast.invoice_body(amount_minor=24_000_000)).status_code == 409


@pytest.mark.parametrize("copies", [2, 8])
def test_identical_posts_at_once_make_one_invoice(house: House, copies: int) -> None:
    barrier = threading.Barrier(copies)
    codes: list[int] = []

    def post() -> None:
        barrier.wait()
        codes.append(_post(house, cast.invoice_body()).status_code)

    threads = [threading.Thread(target=post) for _ in range(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] * (copies - 1) + [201]
    assert [_rows(house, t) for t in ("invoice", "account", "person", "address", "entry", "outbox")] == [1, 1, 1, 2, 1, 1]


def test_everything_wrong_is_said_at_once_by_pointer_and_without_the_value(house: House) -> None:
    account = cast.debtor_ana()
    account["contacts"][0]["channels"][0]["address"] = "ana.at.correo"
    account["contacts"][0]["channels"][1]["address"] = "12"
    answer = _post(house, cast.invoice_body(account=account, currency="XXX", due_on=None))
    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == ["/account/contacts/0/channels/1/address"] or set(pointers) >= {"/currency", "/due_on"}
    assert "ana.at.correo" not in answer.text


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"amount_minor": 0}, "/amount_minor"),
    ({"amount_minor": "100"}, "/amount_minor"),
    ({"amount_minor": 100.5}, "/amount_minor"),
    ({"currency": "cop"}, "/currency"),
    ({"currency": "ZZZ"}, "/currency"),
    ({"issued_on": "2026-02-30"}, "/issued_on"),
    ({"due_on": "2024-02-01"}, "/due_on"),
    ({"due_on": "2096-02-01"}, "/due_on"),
    ({"number": "ana@correo.example"}, "/number"),
    ({"colour": "red"}, "/colour"),
    ({"manual_patch": {"send_at": "noon"}}, "/manual_patch"),
    ({"account": cast.debtor_ana(manual="none-such")}, "/account/manual"),
    ({"account": cast.debtor_ana(country="QQ")}, "/account/country"),
    ({"account": cast.debtor_ana(zone="America/Springfield")}, "/account/zone"),
    ({"account": cast.debtor_ana(country="US", region="ZZ", contacts=[])}, "/account/region"),
    ({"account": cast.debtor_ana(country="MX", region="", contacts=[])}, "/account/region"),
]


def test_a_refused_invoice_says_where(house: House) -> None:
    for change, pointer in REFUSED:
        answer = _post(house, cast.invoice_body(**change))
        assert answer.status_code == 422, (change, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer, change
    assert _rows(house, "invoice") == 0 and _rows(house, "account") == 0


def test_instalments_must_add_up_and_follow_each_other(house: House) -> None:
    parts = [{"number": 1, "due_on": "2026-03-16", "amount_minor": 60}, {"number": 2, "due_on": "2026-03-15", "amount_minor": 40}]
    answer = _post(house, cast.invoice_body(due_on=None, amount_minor=101, instalments=parts))
    assert {e["pointer"] for e in answer.json()["errors"]} == {"/amount_minor", "/instalments"}


def test_a_batch_gives_one_result_each_and_a_bad_one_loses_none(house: House) -> None:
    _post(house, cast.invoice_body("F-1"))
    items = [
        cast.invoice_body("F-1"),
        cast.invoice_body("F-2", amount_minor=-5),
        cast.invoice_body("F-3"),
        "not an invoice",
        cast.invoice_body("F-1", amount_minor=7),
        cast.invoice_body("F-3"),
        cast.invoice_body("F-3", currency="USD"),
        cast.invoice_body("F-4", currency="ZZZ"),
        cast.invoice_body("F-5", manual_patch={"ladder": [{"rung": "S9", "remove": True}]}),
        cast.invoice_body("F-6", account=cast.debtor_luis()),
    ]
    answer = house.client.post("/v1/invoices/batch", json={"invoices": items})
    assert answer.status_code == 200
    out = answer.json()
    assert [result["status"] for result in out["results"]] == [
        "same", "refused", "created", "refused", "different", "same", "different", "refused", "refused", "created",
    ]  # fmt: skip
    assert [result["index"] for result in out["results"]] == list(range(10))
    assert (out["created"], out["same"], out["different"], out["refused"]) == (2, 2, 2, 4)
    assert out["results"][1]["problem"]["errors"][0]["pointer"] == "/amount_minor"
    assert out["results"][4]["problem"]["differences"][0]["pointer"] == "/amount_minor"
    assert _rows(house, "invoice") == 3
    again = house.client.post("/v1/invoices/batch", json={"invoices": items}).json()
    assert (again["created"], again["same"]) == (0, 4)


def test_a_batch_reads_each_account_as_a_single_post_does(house: House) -> None:
    """Invoices that say the same of their account share what was read of it; those that say something else do not."""
    ana, wrong = cast.debtor_ana(), cast.debtor_ana(contacts=[{"channels": [{"channel": "sms", "address": "12"}]}])
    accounts = [
        ana, cast.debtor_luis(), ana, cast.debtor_ana(language="en"), wrong, cast.debtor_ana(city="Bogotá"), wrong,
        cast.debtor_ana(ref="ana@example.com"), ana, cast.debtor_ana(ref="ana@example.com"), cast.debtor_ana(treatment=1),
        cast.debtor_luis(contacts=[]), cast.debtor_luis(), dict(reversed(ana.items())), "nobody",
    ]  # fmt: skip
    bodies = [cast.invoice_body(f"F-{n}", account=account) for n, account in enumerate(accounts)]
    results = house.client.post("/v1/invoices/batch", json={"invoices": bodies}).json()["results"]
    assert [r["status"] for r in results].count("created") == 11
    for body, result in zip(bodies, results, strict=True):
        single = _post(house, body)
        if result["status"] == "created":
            assert (single.status_code, single.json()["id"]) == (200, result["id"]), "its hash is that of a single post"
        else:
            assert (single.status_code, single.json()["errors"]) == (422, result["problem"]["errors"])
    assert _rows(house, "person") == 3


def test_a_batch_is_one_list_of_at_most_ten_thousand(house: House) -> None:
    assert house.client.post("/v1/invoices/batch", json=[]).json()["errors"][0]["pointer"] == "/invoices"
    answer = house.client.post("/v1/invoices/batch", json={"invoices": [{}] * 10_001})
    assert answer.status_code == 422 and "10,001" in answer.text


def test_the_examples_of_the_documentation_are_accepted(house: House) -> None:
    assert _post(house, INVOICE).status_code == 201
    assert _post(house, INVOICE_IN_INSTALMENTS).status_code == 201
    assert house.client.post("/v1/invoices/batch", json=BATCH).json()["same"] == 2
    invoice = _post(house, INVOICE).json()["id"]
    assert house.client.patch(f"/v1/invoices/{invoice}", json=AMENDMENT).json()["changed"] is True


def test_reading_shows_the_balance_and_the_level_each_part_of_the_manual_came_from(house: House) -> None:
    account = cast.debtor_ana(manual_patch={"limits": {"gap_hours": 24}})
    invoice = _post(house, cast.invoice_body(account=account, manual_patch={"send_at": "10:30"})).json()["id"]
    seen = house.client.get(f"/v1/invoices/{invoice}").json()
    assert (seen["state"], seen["balance_minor"], seen["account"]["ref"]) == ("open", 25_000_000, "C-1001")
    due = {"number": 1, "due_on": "2026-03-16", "amount_minor": 25_000_000, "balance_minor": 25_000_000}
    assert seen["instalments"] == [due | {"effective_due_on": "2026-03-16", "due_source": "stated", "due_terms": ""}]
    assert seen["manual"]["content"]["send_at"] == "10:30"
    origin = seen["manual"]["origin"]
    assert (origin["send_at"], origin["limits.gap_hours"], origin["ladder"]) == ("invoice", "account", "creditor")
    assert not any(word in str(seen) for word in cast.PERSONAL)


@pytest.mark.parametrize(
    ("basis", "place", "counts_from"),
    [("effective", "CO", "2026-03-24"), ("effective", "MX", "2026-03-23"), ("as_stated", "CO", "2026-03-21")],
)
def test_an_invoice_shows_the_day_its_deadlines_count_from(house: House, basis: str, place: str, counts_from: str) -> None:
    # A Saturday; the Monday after it is the day of Saint Joseph in Colombia.
    body = cast.invoice_body(due_on="2026-03-21", place_of_payment=place, manual_patch={"deadline_basis": basis})
    _post(house, cast.invoice_body("F-9"))
    found = _post(house, body).json()["id"]
    one = house.client.get(f"/v1/invoices/{found}").json()
    listed = {row["number"]: row for row in house.client.get("/v1/invoices").json()["invoices"]}
    for seen in (one, listed["F-1001"]):
        assert [(due["due_on"], due["effective_due_on"]) for due in seen["instalments"]] == [("2026-03-21", counts_from)]


def test_the_list_pages_through_everything_once_while_more_comes_in(house: House) -> None:
    for number in range(5):
        _post(house, cast.invoice_body(f"F-{number}"))
    first = house.client.get("/v1/invoices", params={"limit": 2}).json()
    _post(house, cast.invoice_body("F-5"))
    numbers, cursor = [row["number"] for row in first["invoices"]], first["cursor"]
    while cursor:
        page = house.client.get("/v1/invoices", params={"limit": 2, "cursor": cursor}).json()
        numbers += [row["number"] for row in page["invoices"]]
        cursor = page["cursor"]
    assert sorted(numbers) == [f"F-{n}" for n in range(6)]
    assert house.client.get("/v1/invoices", params={"cursor": "abc"}).status_code == 422


def test_the_list_keeps_the_order_of_a_batch_and_of_posts_of_one_moment(house: House) -> None:
    batch = [f"F-{n * 37 % 60}" for n in range(60)]
    bodies = [cast.invoice_body(number) for number in batch]
    assert house.client.post("/v1/invoices/batch", json={"invoices": bodies}).json()["created"] == 60
    for number in ("S-2", "S-3", "S-1"):
        _post(house, cast.invoice_body(number))
    listed = house.client.get("/v1/invoices", params={"limit": 100}).json()["invoices"]
    assert len({row["entered_at"] for row in listed}) == 1, "the clock stands still"
    assert [row["number"] for row in listed] == [*batch, "S-2", "S-3", "S-1"]


def test_the_list_is_narrowed_by_number_and_by_nothing_like_it(house: House) -> None:
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    cast.accepted_invoice(house.database.worker, norte, number="N-77")
    for number in ("F-1", "F-10", "f-1"):
        _post(house, cast.invoice_body(number))

    def numbers(**query: Any) -> list[str]:
        return [row["number"] for row in house.client.get("/v1/invoices", params=query).json()["invoices"]]

    assert (numbers(number="F-1"), numbers(number="F-"), numbers(number="N-77")) == (["F-1"], [], [])
    assert (numbers(number="F-1", status="open"), numbers(number="F-1", status="closed")) == (["F-1"], [])
    answer = house.client.get("/v1/invoices", params={"number": " F-1"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/number")
    asked = house.public.get("/openapi.json").json()["paths"]["/v1/invoices"]["get"]["parameters"]
    assert "number" in [one["name"] for one in asked]


def test_the_list_is_narrowed_by_state_account_and_lateness(house: House) -> None:
    _post(house, cast.invoice_body("F-1", issued_on="2026-02-01", due_on="2026-02-27"))
    _post(house, cast.invoice_body("F-2", issued_on="2026-02-01", due_on="2026-03-01"))
    gone = _post(house, cast.invoice_body("F-3", account=cast.debtor_luis())).json()["id"]
    house.client.post(f"/v1/invoices/{gone}/cancel", json={"reason": "credit note"})

    def numbers(**query: Any) -> list[str]:
        return [row["number"] for row in house.client.get("/v1/invoices", params=query).json()["invoices"]]

    # Today is Monday the 2nd: what fell due on Sunday is due today, and what is due today is not late (playbook 1).
    assert (numbers(overdue=True), numbers(overdue=False)) == (["F-1"], ["F-2", "F-3"])
    assert numbers(status="open") == ["F-1", "F-2"]
    assert numbers(status="cancelled") == numbers(status="closed") == ["F-3"]
    assert numbers(account="B-2001") == ["F-3"]
    assert numbers(next_before="2026-04-01T00:00:00Z") == []


def test_the_list_is_narrowed_by_the_state_it_shows(house: House) -> None:
    _post(house, cast.invoice_body("F-1"))
    with house.database.worker.begin() as connection:
        connection.execute(text("update invoice set balance_minor = 0"))
    assert [row["state"] for row in house.client.get("/v1/invoices").json()["invoices"]] == ["paid"]
    found = {
        s: len(house.client.get("/v1/invoices", params={"status": s}).json()["invoices"]) for s in ("open", "closed", "paid")
    }
    assert found == {"open": 0, "closed": 1, "paid": 1}


def test_a_state_that_no_invoice_has_is_refused_with_those_there_are(house: House) -> None:
    answer = house.client.get("/v1/invoices", params={"status": "foo"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/status")
    for state in ("open", "closed", "paid", "cancelled", "written_off", "credited", "ladder_ended", "recalled_paid", "returned"):
        assert state in answer.json()["errors"][0]["detail"]


def test_an_account_reference_that_is_an_address_is_opaque_everywhere_and_still_finds_its_invoices(house: House) -> None:
    account = cast.debtor_ana(ref=cast.ANA_EMAIL)
    invoice = _post(house, cast.invoice_body(account=account)).json()["id"]
    ref = house.client.get(f"/v1/invoices/{invoice}").json()["account"]["ref"]
    assert ref.startswith("a-") and len(ref) == 22
    found = house.client.get("/v1/invoices", params={"account": cast.ANA_EMAIL}).json()["invoices"]
    assert [row["id"] for row in found] == [invoice]


def test_cancel_pause_and_resume_can_be_sent_twice(house: House) -> None:
    invoice = _post(house, cast.invoice_body()).json()["id"]
    pause = {"until": "2026-03-20T09:00:00-05:00", "reason": "customer abroad"}
    first, again = (house.client.post(f"/v1/invoices/{invoice}/pause", json=pause).json() for _ in range(2))
    assert first == again
    holds = house.client.get(f"/v1/invoices/{invoice}").json()["holds"]
    assert [(h["kind"], h["reason"]) for h in holds] == [("pause", "customer abroad")]
    resumed = [house.client.post(f"/v1/invoices/{invoice}/resume", json={}).json()["changed"] for _ in range(2)]
    assert resumed == [True, False]
    address = f"/v1/invoices/{invoice}/cancel"
    cancelled = [house.client.post(address, json={"reason": "error"}).json()["changed"] for _ in range(2)]
    assert cancelled == [True, False]
    answer = house.client.post(f"/v1/invoices/{invoice}/pause", json=pause)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "invoice-closed")


def test_an_invoice_that_is_paid_is_not_paused(house: House) -> None:
    invoice = _post(house, cast.invoice_body()).json()["id"]
    with house.database.worker.begin() as connection:
        connection.execute(text("update invoice set balance_minor = 0"))
    answer = house.client.post(f"/v1/invoices/{invoice}/pause", json={"until": "2026-03-20T09:00:00-05:00", "reason": "abroad"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "invoice-closed")
    assert answer.json()["state"] == "paid" and house.client.get(f"/v1/invoices/{invoice}").json()["holds"] == []


@pytest.mark.parametrize("until", ["2026-03-02T14:59:00Z", "2026-06-01T00:00:00Z"])
def test_a_pause_ends_in_the_future_and_within_the_manual(house: House, until: str) -> None:
    invoice = _post(house, cast.invoice_body()).json()["id"]
    answer = house.client.post(f"/v1/invoices/{invoice}/pause", json={"until": until, "reason": "holiday"})
    assert answer.status_code == 422 and answer.json()["type"].endswith("/pause-end")


def test_a_reason_with_an_address_is_refused(house: House) -> None:
    invoice = _post(house, cast.invoice_body()).json()["id"]
    answer = house.client.post(f"/v1/invoices/{invoice}/cancel", json={"reason": f"wrote to {cast.ANA_EMAIL}"})
    assert answer.status_code == 422 and cast.ANA_EMAIL not in answer.text
