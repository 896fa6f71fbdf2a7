"""A choice of channel and hours moves what was already planned, at once (F34)."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.preferences import Preferences, set_preferences
from policies.terms import Channel
from tests.activities.house import House


def test_a_contact_already_planned_moves_to_the_chosen_channel_and_hours(house: House) -> None:
    house.at("2026-03-12 10:00")
    invoice = house.owes()
    planned = house.plan(invoice)
    assert (planned.channel, planned.when) == ("email", "Fri 13 Mar 2026 09:00 (America/Bogota)")
    with Session(house.worker) as session, session.begin():
        person = session.execute(text("select id from person")).scalar_one()
        set_preferences(session, invoice, person, Preferences(Channel.SMS, ("15:00", "18:00")), now=house.tools.clock.now())
    house.at("2026-03-13 09:00")
    moved = house.contact(invoice)
    assert (moved.did, moved.channel, moved.when) == ("", "sms", "Fri 13 Mar 2026 15:00 (America/Bogota)")
    house.at("2026-03-13 15:00")
    assert "by sms" in house.contact(invoice).did and house.contacts(invoice)[-1][1:] == ("sms", "accepted")
