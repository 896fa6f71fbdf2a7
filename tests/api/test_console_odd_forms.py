"""What no form of ours sends: each is refused on a page, and none breaks the console."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests import cast
from tests.api.conftest import House
from tests.api.staff_desk import Desk, at_desk

NUL = "a\x00b"


@pytest.fixture
def invoice(house: House) -> UUID:
    return cast.accepted_invoice(house.database.worker, house.creditor)


@pytest.fixture
def desk(house: House) -> Desk:
    return at_desk(house, "admin")


def test_a_sum_that_is_none_is_refused(desk: Desk, invoice: UUID) -> None:
    for amount in ("1e999999999", "1e-999999999", "NaN", "sNaN", "Infinity", "-5", "0", "²"):
        answer = desk.post(f"/console/invoices/{invoice}/acts/promise", on="2026-03-10", amount=amount)
        assert answer.status_code == 422, amount


def test_a_day_a_ceiling_or_a_window_that_is_none_is_refused(desk: Desk, invoice: UUID) -> None:
    for day in ("0001-01-01", "9999-12-31", "2026-02-30", ""):
        forms: tuple[tuple[str, dict[str, Any]], ...] = (
            ("acts/promise", {"on": day}), ("acts/snooze", {"until": day}), ("call", {"back_on": day, "result": "call_back"}),
            ("acts/own-promise", {"due_on": day, "kind": "send_copy"}),
        )  # fmt: skip
        for path, form in forms:
            answer = desk.post(f"/console/invoices/{invoice}/{path}", **form)
            assert answer.status_code == 422, (path, day, answer.status_code)
    for ceiling in ("²", "٣", "-1", "1e3", "99999999"):
        assert desk.post("/console/start", ceiling=ceiling).status_code == 422, ceiling
    early, late, end = "0001-01-01T00:00", "0001-01-02T00:00", "9999-12-31T23:59"
    for since, until in ((early, late), ("9999-12-30T00:00", end), (early, end)):
        assert desk.get("/console/missent", params={"since": since, "until": until}).status_code in (200, 422)
        assert desk.post("/console/missent", since=since, until=until, reason="wrong list").status_code == 422


def test_a_character_that_no_table_holds_is_refused_in_every_form(house: House, desk: Desk, invoice: UUID) -> None:
    here = f"/console/invoices/{invoice}"
    forms: list[tuple[str, dict[str, Any]]] = [
        (f"{here}/acts/owner", {"login": NUL}), (f"{here}/acts/note", {"code": NUL, "words": "x"}),
        (f"{here}/acts/hold", {"days": "1", "reason": NUL}), (f"{here}/acts/own-promise", {"kind": NUL, "due_on": "2026-03-04"}),
        (f"{here}/acts/dispute-closed", {"outcome": NUL}), (f"{here}/call", {"result": NUL}), ("/console/start", {"what": NUL}),
        ("/console/missent", {"since": "2026-02-01T00:00", "until": "2026-03-02T00:00", "reason": NUL}),
        (f"/console/missent/{uuid4()}", {"do": NUL}), (f"/console/tasks/{uuid4()}/done", {"outcome": NUL}),
        ("/console/tomorrow", {"day": "2026-03-02", "do": NUL}),
    ]  # fmt: skip
    for path, form in forms:
        assert 400 <= desk.post(path, **form).status_code < 500, path
    for name in ("creditor", "login", "password"):
        form = {"creditor": house.creditor.slug, "login": "ana-7", "password": "x"} | {name: NUL}
        assert 400 <= house.public.post("/console/sign-in", data=form).status_code < 500, name
