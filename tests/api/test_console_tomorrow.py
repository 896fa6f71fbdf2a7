"""Tomorrow's list at the console: read with its words, approved whole, in part or not at all, by whoever may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from api.console_acting import new_once
from ledger.staff import StaffRole
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page, sign_in
from tests.api.staff_desk import Desk, at_desk, audited
from tests.api.test_approvals import DAY, drawn, shown


def page(desk: Desk, more: str = "") -> Page:
    answer = desk.get(f"/console/tomorrow{more}")
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def send(desk: Desk, do: str, *ids: str, **more: Any) -> Any:
    return desk.post("/console/tomorrow", day=DAY, do=do, yes=list(ids), **more)


def states(house: House) -> list[str]:
    return [contact["state"] for contact in shown(house)]


def test_before_any_list_it_says_when_one_is_drawn(house: House) -> None:
    assert "Everything goes by itself" in page(at_desk(house, "lead")).text


def test_a_lead_reads_the_words_and_the_sums_by_rung_and_customer(house: House) -> None:
    drawn(house)
    read = page(at_desk(house, "lead"))
    for said in ("Thu 19 Mar", "2 to decide", "S2", "C-0", "F-1", "Hola, Ana 0:", "500,000.00", "Approve all 2"):
        assert said in read.text, (said, read.text)
    boxes = [a for tag, a in read.tags if tag == "input" and a.get("type") == "checkbox"]
    assert [box["value"] for box in boxes] == [contact["id"] for contact in shown(house)]
    assert "<script" not in at_desk(house, "lead", login="lead-2").get("/console/tomorrow").text


def test_who_may_not_read_names_sees_what_goes_but_no_words(house: House) -> None:
    drawn(house)
    looker = sign_in(house.public, house.creditor.key.key)
    for said in (looker.get("/console/tomorrow").text, at_desk(house, "auditor").get("/console/tomorrow").text):
        assert "F-0" in said and "Ana 0" not in said and "Approve ticked" not in said
    collector = page(at_desk(house, "collector"))
    assert "Hola, Ana 0:" in collector.text and "A lead or an admin decides." in collector.text


def test_what_is_ticked_is_approved_and_the_rest_stays(house: House) -> None:
    drawn(house)
    lead = at_desk(house, "lead")
    answer = send(lead, "approve", shown(house)[1]["id"])
    assert answer.status_code == 303 and states(house) == ["proposed", "approved"]
    assert "1 approved: they go on their day." in Page(lead.get(answer.headers["location"]).text).text
    acts = audited(house, "list_decided")
    assert [(act.actor, act.detail) for act in acts] == [("staff:lead-1", {"approved": 1, "declined": 0})]


def test_all_of_a_filter_is_approved_and_what_is_ticked_is_declined(house: House) -> None:
    drawn(house, 3)
    lead = at_desk(house, "lead")
    send(lead, "approve_all", q="F-0")
    assert states(house) == ["approved", "proposed", "proposed"]
    send(lead, "decline", shown(house)[1]["id"])
    send(lead, "approve_all")
    assert states(house) == ["approved", "declined", "approved"]


def test_nothing_is_approved_unseen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(house, 3)
    lead = at_desk(house, "lead")

    def seen() -> str:
        return next(a["value"] for tag, a in page(lead).tags if tag == "input" and a.get("name") == "seen")

    before = seen()
    with house.database.worker.begin() as connection:
        connection.execute(text("delete from approval where key = (select min(key) from approval) and invoice_id in"
                                " (select id from invoice where number = 'F-2')"))  # fmt: skip
    answer = send(lead, "approve_all", seen=before)
    assert answer.status_code == 409 and "The list changed" in answer.text and states(house) == ["proposed"] * 2
    monkeypatch.setattr("api.console_tomorrow.SHOWN_MAX", 1)
    assert "1 more are not shown here" in page(lead).text and "Approve all 1" in page(lead).text
    assert send(lead, "approve_all", seen=seen()).status_code == 303 and states(house) == ["approved", "proposed"]


def test_a_form_that_is_sent_twice_is_one_decision(house: House) -> None:
    drawn(house)
    lead, once = at_desk(house, "lead"), new_once()
    one, two = (contact["id"] for contact in shown(house))
    send(lead, "approve", one, once=once)
    send(lead, "decline", two, once=once)
    assert states(house) == ["approved", "proposed"]


def test_collectors_keys_and_other_sites_decide_nothing(house: House) -> None:
    drawn(house)
    one = shown(house)[0]["id"]
    roles: tuple[StaffRole, ...] = ("collector", "auditor")
    for role in roles:
        assert send(at_desk(house, role), "approve", one).status_code == 403
    lead = at_desk(house, "lead")
    assert send(lead, "approve", one, csrf="x").status_code == 403
    assert send(lead, "approve", one, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    assert send(at_desk(house, "lead", login="other", creditor=norte), "approve", one).status_code == 303
    assert states(house) == ["proposed", "proposed"]
    assert send(lead, "approve").status_code == 422 and send(lead, "burn", one).status_code == 422


def test_a_list_that_is_over_takes_no_decision_and_says_so(house: House) -> None:
    drawn(house)
    lead = at_desk(house, "lead")
    house.clock.at = datetime(2026, 3, 20, 14, 0, tzinfo=UTC)
    assert "This day is over" in page(lead).text and send(lead, "approve_all").status_code == 409


def test_filters_narrow_the_list(house: House) -> None:
    drawn(house, 3)
    lead = at_desk(house, "lead")
    assert "F-2" not in page(lead, f"?day={DAY}&q=c-1").text
    assert "Nothing of that kind" in page(lead, "?state=declined").text
    assert lead.get("/console/tomorrow?state=odd").status_code == 404 == lead.get("/console/tomorrow?day=soon").status_code
