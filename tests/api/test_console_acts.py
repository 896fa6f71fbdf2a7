"""Acts on an invoice's pages: who may, once, with the plan before and after, and refusals in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from api.console_acting import new_once
from api.console_acts import router as acts_router
from api.console_call import router as call_router
from tests import cast
from tests.api.conftest import House
from tests.api.console_desk import Page
from tests.api.staff_desk import Desk, at_desk, audited

FORMS: dict[str, dict[str, str]] = {
    "promise": {"on": "2026-03-10"}, "withdraw": {}, "dispute": {"reason": "quality"}, "dispute-closed": {"outcome": "corrected"},
    "note": {"code": "internal", "words": "asked for the order number"}, "hold": {"days": "2", "reason": "meeting"},
    "snooze": {"until": "2026-03-05"}, "resume": {}, "contact": {"channel": "sms", "address": "300 765 4321"},
    "own-promise": {"kind": "send_copy", "due_on": "2026-03-04"}, "own-promise-kept": {}, "owner": {"login": "collector-1"},
}  # fmt: skip
"""A form that is right in itself for every act, so that what decides is who sends it and about what."""


@pytest.fixture
def invoice(house: House) -> UUID:
    return cast.accepted_invoice(house.database.worker, house.creditor)


@pytest.fixture
def desk(house: House) -> Desk:
    return at_desk(house, "collector")


def one(house: House, question: str, **values: Any) -> Any:
    with house.database.worker.connect() as connection:
        return connection.execute(text(question), values).scalar()


def act(desk: Desk, invoice: UUID, what: str, **more: Any) -> Any:
    return desk.post(f"/console/invoices/{invoice}/acts/{what}", **(FORMS[what] | more))


def call(desk: Desk, invoice: UUID, result: str, **more: Any) -> Any:
    return desk.post(f"/console/invoices/{invoice}/call", result=result, **more)


def shown(desk: Desk, answer: Any) -> str:
    """The page that an act leads to, as a reader sees it."""
    assert answer.status_code == 303, answer.text
    page = desk.get(answer.headers["location"])
    assert page.status_code == 200
    return Page(page.text).text


def test_every_act_has_a_form_here() -> None:
    posts = {route.path for route in acts_router.routes if isinstance(route, APIRoute) and route.methods == {"POST"}}
    assert {path.rpartition("/")[2] for path in posts} == set(FORMS)
    assert [route.path for route in call_router.routes if isinstance(route, APIRoute) and route.methods == {"POST"}] == [
        "/console/invoices/{invoice_id}/call"
    ]


# Who may


def test_auditors_keys_and_strangers_may_do_none_of_it_and_see_no_name(house: House, invoice: UUID) -> None:
    auditor = at_desk(house, "auditor")
    house.public.post("/console/sign-in", data={"key": house.creditor.key.key})
    key = Desk(house.public, f"puntual_console={house.public.cookies['puntual_console']}", "")
    house.public.cookies.clear()
    for desk in (auditor, key):
        for what in FORMS:
            assert act(desk, invoice, what).status_code == 403, what
        assert call(desk, invoice, "spoke").status_code == 403
        for page in ("acts", "call"):
            answer = desk.get(f"/console/invoices/{invoice}/{page}")
            assert answer.status_code == 403 and cast.ANA_NAME not in answer.text
        assert "Act</a>" not in desk.get(f"/console/invoices/{invoice}").text
    assert one(house, "select count(*) from hold") == one(house, "select count(*) from manual_contact") == 0
    assert audited(house, "personal_seen") == [] and len(audited(house, "refused")) == 2 * (len(FORMS) + 1)


def test_a_collector_may_do_what_is_no_leads_business(house: House, invoice: UUID, desk: Desk) -> None:
    assert {what for what in FORMS if act(desk, invoice, what).status_code == 403} == {"dispute-closed", "owner", "hold"}
    assert "Owner's hold" not in desk.get(f"/console/invoices/{invoice}/acts").text


def test_another_creditors_invoice_is_not_there(house: House) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    theirs = cast.accepted_invoice(house.database.worker, other, "G-1")
    desk = at_desk(house, "admin")
    for what in FORMS:
        answer = act(desk, theirs, what)
        assert answer.status_code == 404 and "G-1" not in answer.text, what
    assert call(desk, theirs, "spoke").status_code == desk.get(f"/console/invoices/{theirs}/call").status_code == 404
    assert one(house, "select count(*) from event where kind not in ('accepted')") == 0


def test_a_form_without_the_sessions_token_does_nothing(house: House, invoice: UUID, desk: Desk) -> None:
    for what in FORMS:
        assert act(desk, invoice, what, csrf="").status_code == 403
    assert call(desk, invoice, "spoke", csrf="").status_code == 403
    assert act(desk, invoice, "promise", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert one(house, "select count(*) from agreement") == 0


# What they do


def test_a_promise_says_what_comes_next_before_and_after_it_and_is_audited(house: House, invoice: UUID, desk: Desk) -> None:
    answer = act(desk, invoice, "promise", amount="1250.50")
    said = shown(desk, answer)
    assert "Promise recorded for 2026-03-10" in said and "Before" in said and "Now" in said
    assert "S1 by e-mail" in said and "the agreement is judged" in said
    assert one(house, "select amount_minor from milestone") == 125_050
    row = audited(house, "promise")[0]
    assert (row.actor, row.subject, row.detail["on"]) == ("staff:collector-1", f"invoice:{invoice}", "2026-03-10")
    assert "Promise" in shown(desk, act(desk, invoice, "withdraw"))


def test_what_the_manual_does_not_allow_is_said_and_what_was_typed_is_still_there(
    house: House, invoice: UUID, desk: Desk
) -> None:
    answer = act(desk, invoice, "promise", on="2026-04-30")
    page = Page(answer.text)
    assert answer.status_code == 422 and "A promise may be at most 10 days away" in page.text
    assert ("input", "2026-04-30") in [(tag, given.get("value")) for tag, given in page.tags]
    for wrong in ({"on": "soon"}, {"amount": "12,50"}, {"amount": "0.001"}, {"amount": "-1"}, {"amount": "NaN"}):
        assert act(desk, invoice, "promise", **wrong).status_code == 422, wrong
    assert one(house, "select count(*) from agreement") == 0
    assert {row.detail["why"] for row in audited(house, "refused")} == {"not-granted", "day", "amount"}


def test_a_form_sent_twice_does_its_act_once(house: House, invoice: UUID, desk: Desk) -> None:
    once = new_once()
    first, second = (act(desk, invoice, "note", once=once) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert one(house, "select count(*) from note") == 1 and len(audited(house, "note")) == 1
    again = new_once()
    assert act(desk, invoice, "promise", once=again, on="2026-04-30").status_code == 422
    assert act(desk, invoice, "promise", once=again).status_code == 303, "a refused form may be sent again"


def test_a_lead_names_the_owner_who_holds_the_invoice_once(house: House, invoice: UUID, desk: Desk) -> None:
    lead = at_desk(house, "lead")
    assert "collector-1 answers for this account" in shown(lead, act(lead, invoice, "owner"))
    assert act(lead, invoice, "owner", login="nobody-9").status_code == 422
    assert "Held by its owner until 2026-03-05" in shown(desk, act(desk, invoice, "hold"))
    answer = act(desk, invoice, "hold")
    assert answer.status_code == 409 and "once is the most" in answer.text


def test_a_snooze_ends_by_itself_or_is_ended(house: House, invoice: UUID, desk: Desk) -> None:
    assert "Put off until 2026-03-05" in shown(desk, act(desk, invoice, "snooze"))
    assert "The ladder goes on" in shown(desk, act(desk, invoice, "resume"))
    assert act(desk, invoice, "resume").status_code == 409
    assert "a lead may allow longer" in act(desk, invoice, "snooze", until="2026-03-20").text


def test_a_note_is_shown_to_those_who_act_and_nowhere_else(house: House, invoice: UUID, desk: Desk) -> None:
    said = shown(desk, act(desk, invoice, "note", words="Ana's sister Rosa answers on Fridays"))
    assert "sister Rosa answers" in said
    auditor = at_desk(house, "auditor")
    for page in (f"/console/invoices/{invoice}", "/console/audit"):
        assert "Rosa" not in auditor.get(page).text


def test_our_own_promise_is_kept_from_the_same_page(house: House, invoice: UUID, desk: Desk) -> None:
    assert "firm rungs wait" in shown(desk, act(desk, invoice, "own-promise"))
    task = str(one(house, "select id from task where kind = 'own_send_copy'"))
    assert "Our promise is kept" in shown(desk, act(desk, invoice, "own-promise-kept", task=task))
    assert one(house, "select done_by from task") == "staff:collector-1"


def test_a_dispute_is_closed_by_a_lead(house: House, invoice: UUID, desk: Desk) -> None:
    shown(desk, act(desk, invoice, "dispute", amount="10"))
    lead = at_desk(house, "lead")
    assert "The dispute is closed" in shown(lead, act(lead, invoice, "dispute-closed"))
    assert act(lead, invoice, "dispute-closed").status_code == 409


# The call


def test_a_collector_sees_whom_to_call_and_each_look_is_audited(house: House, invoice: UUID, desk: Desk) -> None:
    page = Page(desk.get(f"/console/invoices/{invoice}/call").text)
    assert cast.ANA_NAME in page.text and f"tel:{cast.ANA_PHONE}" in page.hrefs() and "may be called now" in page.text
    assert [(row.actor, row.subject) for row in audited(house, "personal_seen")] == [("staff:collector-1", f"invoice:{invoice}")]
    house.clock.at = cast.NOW + timedelta(hours=12)
    assert "do not call now" in desk.get(f"/console/invoices/{invoice}/call").text


def test_the_script_is_in_the_customers_words_and_tells_a_stranger_nothing(house: House, invoice: UUID, desk: Desk) -> None:
    address = f"/console/invoices/{invoice}/call"
    page = Page(desk.get(address).text).text
    assert f"¿Hablo con {cast.ANA_NAME}?" in page and "vence el lunes 16 de marzo" in page and "¿me dice el nombre" in page
    assert "A day to pay, until 12 Mar 2026" in page
    house.clock.at = cast.NOW + timedelta(days=20)
    assert "Aún no vemos el pago" in desk.get(address).text
    stranger = desk.get(f"{address}?say=third_party").text.split('id="script"')[1].split('id="log"')[0]
    assert "250.000" not in stranger and "F-1001" not in stranger and "Nothing but this" in stranger
    assert desk.get(f"{address}?say=nonsense").status_code == 200


def test_a_call_is_logged_with_its_promise_in_one_form(house: House, invoice: UUID, desk: Desk) -> None:
    once = new_once()
    answer = call(desk, invoice, "promise", on="2026-03-10", amount="100000", words="pays after the 8th", once=once)
    said = shown(desk, answer)
    assert "The call is logged. Promise recorded for 2026-03-10" in said and "pays after the 8th" in said
    call(desk, invoice, "promise", on="2026-03-10", amount="100000", words="pays after the 8th", once=once)
    assert one(house, "select count(*) from manual_contact") == one(house, "select count(*) from note") == 1
    assert one(house, "select recorded_by from manual_contact") == "staff:collector-1"
    assert audited(house, "call")[0].detail["result"] == "promise"


@pytest.mark.parametrize(
    ("result", "more", "said"),
    [
        ("dispute", {"reason": "quality", "disputed": "5"}, "Dispute opened"),
        ("says_paid", {}, "Held until"),
        ("call_back", {"back_on": "2026-03-04"}, "We owe a call back by 2026-03-04"),
        ("no_answer", {"ago": "60"}, "The call is logged."),
        ("third_party", {}, "The call is logged."),
        ("wrong_number", {}, "The number is retired"),
    ],
)
def test_every_end_of_a_call_brings_what_belongs_to_it(
    house: House, invoice: UUID, desk: Desk, result: str, more: dict[str, str], said: str
) -> None:
    assert said in shown(desk, call(desk, invoice, result, **more))


def test_a_call_whose_promise_is_not_granted_is_not_logged_and_the_form_comes_back(
    house: House, invoice: UUID, desk: Desk
) -> None:
    answer = call(desk, invoice, "promise", on="2026-05-01", words="says May")
    assert answer.status_code == 422 and "at most 10 days" in answer.text and "says May" in answer.text
    assert 'value="promise" required="required" checked="checked"' in answer.text
    assert call(desk, invoice, "").status_code == 422
    assert one(house, "select count(*) from manual_contact") == one(house, "select count(*) from note") == 0


def test_a_corrected_number_is_not_said_again_in_answer_or_audit(house: House, invoice: UUID, desk: Desk) -> None:
    person, old = one(house, "select id::text from person"), one(house, "select id::text from address where channel = 'sms'")
    answer = act(desk, invoice, "contact", person=person, instead_of=old)
    assert "The contact is corrected" in shown(desk, answer)
    assert "7654321" not in str(audited(house)) and "7654321" not in str(one(house, "select json_agg(e) from event e"))
    assert "+573007654321" in desk.get(f"/console/invoices/{invoice}/call").text
    wrong = act(desk, invoice, "contact", person=person, address="12")
    assert wrong.status_code == 422
