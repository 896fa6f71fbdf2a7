"""People with a login at the console's door: passwords, locks, roles, ends, and the audit of it all."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.console_acting import Acting, acting, new_once
from api.console_session import PageRoute
from clock import wall_now
from ledger import staff
from ledger.audit import note_act
from ledger.refusals import Refused
from ledger.session import as_creditor
from tests import cast
from tests.api.conftest import House
from tests.api.staff_desk import PASSWORD, Desk, at_desk, audited


def _add(house: House, login: str = "ana-7", role: str = "collector", creditor: cast.Creditor | None = None) -> None:
    with Session(house.database.worker) as session, session.begin():
        staff.add_staff(session, (creditor or house.creditor).id, login, role, cast.NOW, password=PASSWORD)


def _sign_in(house: House, password: str = PASSWORD, login: str = "ana-7", creditor: str = "brill") -> Any:
    form = {"creditor": creditor, "login": login, "password": password}
    return house.public.post("/console/sign-in", data=form, follow_redirects=False)


def _with(house: House, change: str, **values: Any) -> None:
    with house.database.worker.begin() as connection:
        connection.execute(text(change), values)


def test_a_login_and_its_password_open_the_console_and_each_sign_in_is_audited(house: House) -> None:
    _add(house)
    answer = _sign_in(house, login=" Ana-7 ", creditor="BRILL")
    assert answer.status_code == 303 and "HttpOnly" in answer.headers["set-cookie"]
    page = house.public.get("/console").text
    assert "ana-7" in page and "collector" in page
    assert [(row.actor, row.act) for row in audited(house)] == [("staff:ana-7", "signed_in")]


def test_what_is_wrong_is_answered_the_same_whether_the_login_exists_or_not(house: House) -> None:
    _add(house)
    _add(house, "gone-1")
    with Session(house.database.worker) as session, session.begin():
        staff.disable_staff(session, house.creditor.id, "gone-1", cast.NOW)
    said = [
        _sign_in(house, "wrong"),
        _sign_in(house, login="nobody"),
        _sign_in(house, creditor="other"),
        _sign_in(house, login="gone-1"),
    ]
    assert {answer.status_code for answer in said} == {401} and len({answer.text for answer in said}) == 1
    assert all("set-cookie" not in answer.headers for answer in said)
    assert [(row.actor, row.act, row.detail) for row in audited(house)] == [
        ("staff:ana-7", "sign_in_refused", {}), ("staff:gone-1", "sign_in_refused", {"why": "disabled"}),
    ]  # fmt: skip


def test_after_five_wrong_passwords_a_login_rests_for_a_quarter_of_an_hour_and_then_opens_again(house: House) -> None:
    _add(house)
    for _ in range(staff.ATTEMPTS_MAX):
        assert _sign_in(house, "wrong").status_code == 401
    assert _sign_in(house).status_code == 401, "the right password does not open it while it rests"
    assert audited(house)[-1].detail == {"why": "locked"}
    _with(house, "update staff set locked_until = :past", past=wall_now() - timedelta(seconds=1))
    assert _sign_in(house).status_code == 303
    with house.database.worker.connect() as connection:
        assert connection.execute(text("select failed_count, locked_until from staff")).one() == (0, None)


def test_an_address_that_tries_too_many_logins_waits(house: House) -> None:
    answers = [_sign_in(house, "", login="x").status_code]
    door = house.public.app.state.doors.refused_keys  # type: ignore[attr-defined]
    while door.wait_seconds("testclient") == 0:
        pass
    answers.append(_sign_in(house, "", login="x").status_code)
    assert answers == [401, 429]


def test_who_locks_a_login_out_does_not_lock_out_the_browser_of_its_person(house: House) -> None:
    _add(house)
    _sign_in(house)
    known = house.public.cookies["puntual_browser"]
    house.public.cookies.clear()

    def tries(password: str, cookie: str = "") -> Any:
        form = {"creditor": "brill", "login": "ana-7", "password": password}
        headers = {"cookie": f"puntual_browser={cookie}"} if cookie else {}
        answer = house.public.post("/console/sign-in", data=form, headers=headers, follow_redirects=False)
        house.public.cookies.clear()
        return answer.status_code

    for _ in range(staff.ATTEMPTS_MAX):
        tries("wrong")
    assert (tries(PASSWORD), tries(PASSWORD, known[:-1] + "A"), tries(PASSWORD, known)) == (401, 401, 303)
    for _ in range(staff.ATTEMPTS_MAX):
        tries("wrong", known)
    assert tries(PASSWORD, known) == 401, "a stolen cookie is no way to guess on and on"
    assert Desk(house.public, f"puntual_console={known}", "").get("/console").status_code == 303, "it opens nothing"


def test_a_person_changes_their_own_password_and_only_this_browser_goes_on(house: House) -> None:
    _add(house, role="auditor")
    _sign_in(house)
    cookie = f"puntual_console={house.public.cookies['puntual_console']}"
    house.public.cookies.clear()
    desk, new = Desk(house.public, cookie, "ana-7"), "cinco perros pardos"
    forms: tuple[dict[str, Any], ...] = (
        {"present": "wrong", "wanted": new, "again": new}, {"present": PASSWORD, "wanted": new, "again": new + "x"},
        {"present": PASSWORD, "wanted": "short", "again": "short"}, {"present": PASSWORD, "wanted": PASSWORD, "again": PASSWORD},
    )  # fmt: skip
    for wrong in forms:
        answer = desk.post("/console/password", **wrong)
        assert answer.status_code == 422 and new not in answer.text and PASSWORD not in answer.text
    assert desk.get("/console").status_code == 200
    answer = desk.post("/console/password", present=PASSWORD, wanted=new, again=new)
    fresh = Desk(house.public, f"puntual_console={answer.cookies['puntual_console']}", "ana-7")
    assert answer.status_code == 303 and desk.get("/console").status_code == 303, "the old session is over"
    house.public.cookies.clear()
    assert fresh.get("/console/password").status_code == 200
    assert (_sign_in(house).status_code, _sign_in(house, new).status_code) == (401, 303)
    assert [row.subject for row in audited(house, "password")] == ["staff:ana-7"] and new not in str(audited(house))


def test_a_stolen_session_does_not_guess_the_password_on_and_on(house: House) -> None:
    _add(house)
    _sign_in(house)
    desk = Desk(house.public, f"puntual_console={house.public.cookies['puntual_console']}", "ana-7")
    house.public.cookies.clear()
    new = "cinco perros pardos"
    for _ in range(staff.ATTEMPTS_MAX):
        assert desk.post("/console/password", present="wrong", wanted=new, again=new).status_code == 422
    assert desk.post("/console/password", present=PASSWORD, wanted=new, again=new).status_code == 422


@pytest.mark.parametrize("how", ["password", "disable", "role"])
def test_a_new_password_another_role_or_an_end_closes_the_sessions_at_once(house: House, how: str) -> None:
    desk = at_desk(house, "collector")
    assert desk.get("/console").status_code == 200
    with Session(house.database.worker) as session, session.begin():
        if how == "password":
            staff.set_password(session, house.creditor.id, desk.login)
        elif how == "role":
            staff.set_role(session, house.creditor.id, desk.login, "auditor")
        else:
            staff.disable_staff(session, house.creditor.id, desk.login, cast.NOW)
    assert desk.get("/console").status_code == 303


def test_a_cookie_of_one_person_is_not_bent_into_another_ones(house: House) -> None:
    ana, lea = at_desk(house, "collector"), at_desk(house, "lead")
    mixed = lea.cookie.rsplit(".", 1)[0] + "." + ana.cookie.rsplit(".", 1)[1]
    assert Desk(house.public, mixed, "").get("/console").status_code == 303


def test_only_a_hash_is_kept_and_the_api_may_change_neither_it_nor_a_role(house: House) -> None:
    with Session(house.database.worker) as session, session.begin():
        _, password = staff.add_staff(session, house.creditor.id, "ana-7", "collector", cast.NOW)
        row = session.execute(text("select s::text as all, password_hash from staff s")).one()
    assert row.password_hash.startswith("$argon2id$") and password not in row.all
    for change in ("password_hash = 'x'", "role = 'admin'", "session_version = 9"):
        with Session(house.database.api) as session, pytest.raises(DBAPIError, match="permission denied"):
            as_creditor(session, house.creditor.id)
            session.execute(text(f"update staff set {change}"))


@pytest.mark.parametrize("login", ["", "a", "ana@brill.co", "Ana", "a b", "-a", "x" * 41])
def test_a_login_is_an_opaque_name_and_never_an_address(house: House, login: str) -> None:
    with Session(house.database.worker) as session, pytest.raises(Refused) as refused:
        staff.add_staff(session, house.creditor.id, login, "collector", cast.NOW)
    assert refused.value.code == "staff-login"


def test_a_login_is_one_persons_and_a_password_is_long(house: House) -> None:
    _add(house)
    for code, login, password in (("staff-exists", "ana-7", PASSWORD), ("staff-password", "ana-8", "short")):
        with Session(house.database.worker) as session, pytest.raises(Refused) as refused:
            staff.add_staff(session, house.creditor.id, login, "collector", cast.NOW, password=password)
        assert refused.value.code == code
    _add(house, creditor=cast.creditor_brill(house.database.worker, slug="other"))


# The guard of acts, on a form of the test's own

trial = APIRouter(prefix="/console/trial", route_class=PageRoute)


@trial.post("")
def _try(who: Annotated[Acting, acting("collector")], fail: str = "") -> Any:
    if who.note("tried", "trial", {}, cast.NOW) and fail:
        raise Refused("too-late", "This came too late.")
    return {"actor": who.actor}


@pytest.fixture
def house_with_trial(house: House) -> House:
    house.public.app.include_router(trial)  # type: ignore[attr-defined]
    return house


def _post(house: House, desk: Desk, **more: Any) -> Any:
    return desk.post("/console/trial", **more)


def test_roles_that_may_do_and_those_that_may_not_are_told_why(house_with_trial: House) -> None:
    house = house_with_trial
    for role, status in (("collector", 200), ("lead", 200), ("admin", 200), ("auditor", 403)):
        answer = _post(house, at_desk(house, role))  # type: ignore[arg-type]
        assert answer.status_code == status
    assert "Your role (auditor) may not do this" in answer.text
    assert [row.actor for row in audited(house, "tried")] == ["staff:collector-1", "staff:lead-1", "staff:admin-1"]
    assert [(row.actor, row.detail) for row in audited(house, "refused")] == [("staff:auditor-1", {"why": "role-may-not"})]


def test_a_key_that_looks_may_not_act(house_with_trial: House) -> None:
    house_with_trial.public.post("/console/sign-in", data={"key": house_with_trial.creditor.key.key})
    cookie = f"puntual_console={house_with_trial.public.cookies['puntual_console']}"
    answer = _post(house_with_trial, Desk(house_with_trial.public, cookie, ""))
    assert answer.status_code == 403 and "only looks" in answer.text
    assert audited(house_with_trial, "tried") == []


def test_a_form_of_another_site_or_of_another_session_does_nothing(house_with_trial: House) -> None:
    ana, lea = at_desk(house_with_trial, "collector"), at_desk(house_with_trial, "lead")
    assert _post(house_with_trial, ana, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    of_lea = cast.sealer().token("console form", lea.cookie.split("=", 1)[1])
    for wrong in ({"csrf": ""}, {"csrf": of_lea}, {"once": ""}, {"once": "x"}):
        data = {"csrf": cast.sealer().token("console form", ana.cookie.split("=", 1)[1]), "once": new_once()} | wrong
        answer = house_with_trial.public.post("/console/trial", data=data, headers={"cookie": ana.cookie}, follow_redirects=False)
        assert answer.status_code == 403, wrong
    assert audited(house_with_trial, "tried") == []
    assert _post(house_with_trial, ana).status_code == 200


def test_a_form_sent_twice_is_one_act_and_a_refused_one_is_undone_and_audited(house_with_trial: House) -> None:
    desk, once = at_desk(house_with_trial, "collector"), new_once()
    refused = desk.client.post(
        "/console/trial?fail=1", headers={"cookie": desk.cookie},
        data={"csrf": cast.sealer().token("console form", desk.cookie.split("=", 1)[1]), "once": once},
    )  # fmt: skip
    assert refused.status_code == 409 and "This came too late." in refused.text
    assert audited(house_with_trial, "tried") == [] and audited(house_with_trial, "refused")[0].detail == {"why": "too-late"}
    for _ in range(2):
        assert _post(house_with_trial, desk, once=once).status_code == 200
    assert len(audited(house_with_trial, "tried")) == 1


# The audit's page


def test_the_audit_is_for_auditors_leads_and_admins_filtered_and_page_by_page(house: House) -> None:
    with Session(house.database.api) as session, session.begin():
        as_creditor(session, house.creditor.id)
        for number in range(130):
            actor = "staff:ana-7" if number % 2 else "staff:leo-2"
            note_act(session, house.creditor.id, actor=actor, act="called", subject=f"trial:{number}", detail={}, now=cast.NOW)
    auditor = at_desk(house, "auditor")
    first = auditor.get("/console/audit")
    assert first.status_code == 200 and first.text.count("trial:") == 100 and "trial:129" in first.text
    older = auditor.get(first.text.split('class="pager"><a href="')[1].split('"')[0].replace("&amp;", "&"))
    assert older.text.count("trial:") == 30 and "trial:0" in older.text
    ana = auditor.get("/console/audit?actor=staff:ana").text
    assert ana.count("staff:ana-7") == 65 and "leo-2" not in ana.split("<tbody>")[1]
    assert auditor.get("/console/audit?cursor=no").status_code == 422
    assert at_desk(house, "collector").get("/console/audit").status_code == 403
    assert at_desk(house, "lead").get("/console/audit").status_code == 200


def test_the_audit_only_grows_and_is_the_creditors_own(house: House) -> None:
    at_desk(house, "collector")
    other = cast.creditor_brill(house.database.worker, slug="other")
    _add(house)
    _sign_in(house)
    for role in (house.database.api, house.database.worker):
        for change in ("delete from audit", "update audit set actor = 'x'"):
            with Session(role) as session, pytest.raises(DBAPIError, match="permission denied"):
                session.execute(text(change))
    assert "ana-7" not in at_desk(house, "auditor", creditor=other).get("/console/audit").text


def test_a_person_sees_only_their_creditors_invoices(house: House) -> None:
    other = cast.creditor_brill(house.database.worker, slug="other")
    theirs = cast.accepted_invoice(house.database.worker, other, "G-1")
    desk = at_desk(house, "admin")
    assert desk.get(f"/console/invoices/{theirs}").status_code == 404
    assert TestClient(house.public.app).get(f"/console/invoices/{theirs}", follow_redirects=False).status_code == 303
