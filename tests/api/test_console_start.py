"""At the console: how far things go by themselves, and a mis-sent batch that two people answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from ledger.starting import read_start
from policies.start_model import StartTerms
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page, contact, sign_in
from tests.api.staff_desk import at_desk, audited

NINE = datetime(2026, 3, 19, 14, 0, tzinfo=UTC)
WINDOW: dict[str, Any] = {"since": "2026-03-19T08:00", "until": "2026-03-19T10:00", "rung": "S2", "template": ""}


def terms(house: House) -> StartTerms:
    with Session(house.database.worker) as session:
        return read_start(session, house.creditor.id)


def test_a_lead_tightens_and_an_admin_lets_go(house: House) -> None:
    lead, admin = at_desk(house, "lead"), at_desk(house, "admin")
    assert lead.post("/console/start", default="watch").status_code == 303
    assert lead.post("/console/start", what="rung:S3", mode="approve").status_code == 303
    assert lead.post("/console/start", what="key", mode="approve", list_at="14:30", ceiling="80").status_code == 303
    now = terms(house)
    assert (now.default, now.rungs, now.segments) == ("watch", {"S3": "approve"}, {"key": "approve"})
    assert (now.list_at, now.ceiling_per_day) == ("14:30", 80)
    assert lead.post("/console/start", default="auto").status_code == 403
    assert lead.post("/console/start", default="approve").status_code == 303
    assert admin.post("/console/start", default="auto", ceiling="0").status_code == 303
    assert (terms(house).default, terms(house).ceiling_per_day) == ("auto", None)
    assert {act.actor for act in audited(house, "start")} == {"staff:lead-1", "staff:admin-1"}
    read = Page(admin.get("/console/start").text).text
    assert "Rung S3" in read and "a person approves it the day before" in read and "above 5 % bounces" in read


def test_what_makes_no_sense_changes_nothing(house: House) -> None:
    lead = at_desk(house, "lead")
    all_wrong: list[dict[str, Any]] = [
        {"what": "kind:robot", "mode": "watch"}, {"list_at": "late"}, {"ceiling": "many"}, {"default": "later"},
    ]  # fmt: skip
    for wrong in all_wrong:
        assert lead.post("/console/start", **wrong).status_code == 422
    assert terms(house).is_plain


def test_collectors_and_keys_change_nothing(house: House) -> None:
    collector = at_desk(house, "collector")
    assert collector.post("/console/start", default="watch").status_code == 403
    assert collector.get("/console/missent").status_code == 403
    assert collector.post("/console/missent", **WINDOW, reason="r").status_code == 403
    looker = sign_in(house.public, house.creditor.key.key)
    assert looker.get("/console/start").status_code == 200 and looker.get("/console/missent").status_code == 403
    assert terms(house).is_plain


def test_a_batch_is_found_proposed_by_one_and_approved_by_another(house: House) -> None:
    entered = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
    invoice = cast.accepted_invoice(house.database.worker, house.creditor, now=entered)
    contact(house.database.worker, invoice, NINE)
    house.clock.at = NINE.replace(hour=16)
    first, second = at_desk(house, "lead"), at_desk(house, "admin")
    found = Page(first.get("/console/missent?since=2026-03-19T08:00&until=2026-03-19T10:00&rung=S2").text).text
    assert "1 message to 1 person of 1 account" in found and "C-1001" in found
    assert first.post("/console/missent", **WINDOW, reason="the wrong list", apologise="1").status_code == 303
    batch = audited(house, "missent.propose")[0].subject.removeprefix("missent:")
    assert first.post(f"/console/missent/{batch}", do="approve").status_code == 403, "not by who proposed it"
    assert second.post(f"/console/missent/{batch}", do="approve").status_code == 303
    read = Page(second.get("/console/missent").text).text
    assert "the wrong list" in read and "approved" in read and "0 of 1 apologies sent" in read
    assert second.post(f"/console/missent/{batch}", do="decline").status_code == 409
    norte = cast.creditor_brill(house.database.worker, slug="norte")
    other = at_desk(house, "lead", login="other", creditor=norte)
    assert other.post(f"/console/missent/{batch}", do="decline").status_code == 404


def test_a_window_that_is_none_is_said(house: House) -> None:
    lead = at_desk(house, "lead")
    assert lead.get("/console/missent?since=soon&until=later").status_code == 422
    assert lead.get("/console/missent?since=2026-03-19T10:00&until=2026-03-19T08:00").status_code == 422
    assert lead.post("/console/missent", **WINDOW, reason=" ").status_code == 422
    assert lead.post("/console/missent", **WINDOW, reason="r").status_code == 422, "nobody got it"
