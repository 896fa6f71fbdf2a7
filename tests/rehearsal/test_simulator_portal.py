"""Simulated customers with a browser: they find the form they came for, fill it in, and pay what was agreed there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.channels.outside import Listener, listener
from tests.rehearsal.playing import START, Played, filled, playing


@pytest.fixture(scope="module")
def listening() -> Iterator[Listener]:
    with listener() as house:
        yield house


@pytest.fixture
def played(listening: Listener) -> Iterator[Played]:
    with playing(listening) as running:
        yield running


def form(verb: str, fields: str) -> str:
    known = '<input type="hidden" name="form" value="k1plan">'
    return f'<form action="/p/abc/{verb}" method="post">{known}{fields}<button>Ok</button></form>'


PROMISE = '<input type="date" name="on" value="2026-03-02"><input type="text" name="amount" value="1">'
PLAN = """
<select name="count"><option value="2">2</option><option value="3">3</option></select>
<input type="date" name="first_on" value="2026-03-05"><select name="every"><option value="monthly">mes</option></select>
"""
DISPUTE = """
<select name="reason"><option value="wrong_amount">El importe</option><option value="other">Otro</option></select>
<input type="text" name="amount" value="">
"""
PORTAL = form("promise", PROMISE) + form("plan", PLAN) + form("dispute", DISPUTE) + form("already-paid", "")


def test_the_promiser_fills_in_the_portal_and_keeps_the_promise(played: Played) -> None:
    played.house.pages["/p/abc"] = PORTAL
    played.debtor("promiser_keeper", promise_days=5)
    played.remind()
    played.play(10)
    assert filled(played, "/p/abc/promise") == {"form": "k1plan", "on": "2026-03-07", "amount": "90000.00"}
    [payment] = played.payments()
    assert payment["paid_on"] == "2026-03-07"


def test_the_breaker_promises_and_does_not_pay(played: Played) -> None:
    played.house.pages["/p/abc"] = PORTAL
    played.debtor("promiser_breaker", promise_days=5, pays_after_chases=10_000)
    for _ in range(3):
        played.remind()
        played.play(10)
    assert filled(played, "/p/abc/promise")["on"] == "2026-03-07"
    assert played.payments() == []


@pytest.mark.parametrize(
    ("character", "path", "fields"),
    [
        ("disputer", "/p/abc/dispute", {"reason": "wrong_amount", "amount": "90000.00"}),
        ("negotiator", "/p/abc/plan", {"count": "3", "first_on": "2026-03-05", "every": "monthly"}),
        ("claims_paid", "/p/abc/already-paid", {}),
    ],
)
def test_each_finds_the_form_it_came_for(played: Played, character: str, path: str, fields: dict[str, str]) -> None:
    played.house.pages["/p/abc"] = PORTAL
    played.debtor(character, instalments=3, after_chases=1)
    played.remind()
    played.advance(START + timedelta(hours=1, minutes=59))
    assert played.get("/sim/state")["answers"] == []
    played.advance(START + timedelta(hours=2))
    assert filled(played, path) == {"form": "k1plan"} | fields
    assert [answer["outcome"] for answer in played.get("/sim/state")["answers"]] == ["done"]


def test_a_refused_promise_is_made_and_kept_as_the_page_offers_it(played: Played) -> None:
    played.house.pages["/p/abc"] = PORTAL
    nearest = form(
        "promise", '<input type="hidden" name="on" value="2026-03-05"><input type="hidden" name="amount" value="90000">'
    )
    played.house.answers = [(200, "", {}), (422, nearest, {}), (200, "", {})]  # receipt, refusal, agreement
    played.debtor("promiser_keeper", promise_days=7)
    played.remind()
    played.play(10)
    assert [answer["outcome"] for answer in played.get("/sim/state")["answers"]] == ["done"]
    assert [payment["paid_on"] for payment in played.payments()] == ["2026-03-05"]


@pytest.mark.parametrize(
    ("agreed", "paid"),
    [
        ("", [3_333_334, 3_333_334, 3_333_333]),
        ("<table><tr><td>5 mar</td><td>$ 50.000,00</td></tr><tr><td>5 abr</td><td>$&nbsp;25.000,00</td></tr>"
         "<tr><td>5 may</td><td>$ 25.000,01</td></tr></table><p>Hasta el 7 de mayo.</p>", [5_000_000, 2_500_000, 2_500_001]),
    ],
)  # fmt: skip
def test_a_plan_is_paid_in_the_parts_that_the_page_shows(played: Played, agreed: str, paid: list[int]) -> None:
    played.house.pages["/p/abc"] = PORTAL
    played.house.answers = [(200, agreed, {})]
    played.debtor("negotiator", instalments=3, after_chases=1, keeps="all")
    played.outside.world.debtors["ana"].bills["F-100"].amount_minor = 10_000_001
    played.remind()
    played.play(90)
    assert [(payment["amount_minor"], payment["paid_on"]) for payment in played.payments()] == list(
        zip(paid, ["2026-03-05", "2026-04-05", "2026-05-05"], strict=True)
    )
