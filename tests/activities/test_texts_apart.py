"""Texts are versioned apart from ladders: a correction serves running invoices at once, and each contact keeps its version."""

from __future__ import annotations

from importlib.resources import files
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger.facts import gather
from messages import render
from messages.catalogue import Template, parse_template, template
from policies.terms import AttemptState
from tests.activities.house import House

WRONG, RIGHT = "Aún no vemos [tu|su|tu] pago", "Todavía no encontramos [tu|su|tu] pago"


def planned(house: House) -> UUID:
    """An invoice of Ana whose first overdue reminder is planned and not sent."""
    house.at("2026-03-17 08:00")
    invoice = house.owes(now=house.tools.clock.now())
    house.plan(invoice)
    return invoice


def corrected(name: str) -> Template:
    """The catalogue after a release in which one text of it was corrected."""
    if name != "first_reminder":
        return template(name)
    source = files("messages").joinpath("texts/first_reminder.yaml").read_text(encoding="utf-8")
    assert WRONG in source
    return parse_template(name, source.replace(WRONG, RIGHT))


@pytest.mark.parametrize("is_corrected", [False, True])
def test_an_invoice_planned_before_a_correction_is_told_the_corrected_text(
    house: House, monkeypatch: pytest.MonkeyPatch, is_corrected: bool
) -> None:
    invoice = planned(house)
    if is_corrected:
        monkeypatch.setattr(render, "template", corrected)
    house.at("2026-03-19 09:00")
    assert house.contact(invoice).did.startswith("S2 by email")
    said = str(house.outside.world.sent[-1])
    version = house.rows("select text_version from contact where invoice_id = :i", i=invoice)[0].text_version
    assert ("encontramos" in said) is is_corrected
    now_in_force, before = corrected("first_reminder").sections["es"].version, template("first_reminder").sections["es"].version
    assert version == (now_in_force if is_corrected else before) and now_in_force != before


def test_what_a_person_was_told_is_among_the_facts(house: House) -> None:
    invoice = planned(house)

    def told() -> list[tuple[str, bool]]:
        with Session(house.worker) as session:
            facts = gather(session, invoice, house.tools.clock.now())[0]
        return [
            (c.template, c.person_id == facts.reach[0].person_id) for c in facts.contacts if c.state is not AttemptState.PLANNED
        ]

    assert told() == []
    house.at("2026-03-19 09:00")
    house.contact(invoice)
    assert told() == [("first_reminder", True)]
