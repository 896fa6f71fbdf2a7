"""The customer says by which channel and in which hours to write, and the next plan follows, inside the law (F34, S16)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.api.conftest import House
from tests.api.outside import change, one
from tests.api.test_portal import Page
from tests.cast import ANA_PHONE, NOW, PERSONAL, accepted_invoice, debtor_ana


@pytest.fixture
def page(house: House) -> Page:
    return Page(house, accepted_invoice(house.database.worker, house.creditor))


def first_contact(page: Page) -> tuple[str, str]:
    """Channel and local time of the next contact, as the plan has it."""
    steps: list[dict[str, Any]] = page.house.client.get(f"/v1/invoices/{page.invoice}/plan").json()["steps"]
    step = next(step for step in steps if step["what"] == "contact")
    return step["channel"], step["at_local"][:16]


def wish(page: Page, **fields: str) -> int:
    return page.send("preference", **fields).status_code


def consent(page: Page, channel: str) -> Any:
    with Session(page.house.database.worker) as session:
        return session.execute(
            text("select consent, consent_at, consent_proof from address where channel = :c"), {"c": channel}
        ).one()


def test_the_next_plan_takes_the_chosen_channel_and_waits_for_the_chosen_hours(page: Page) -> None:
    assert first_contact(page) == ("email", "2026-03-13T09:00")
    assert wish(page, channel="sms", **{"from": "15:00", "until": "18:00"}) == 303
    assert first_contact(page) == ("sms", "2026-03-13T15:00")
    assert "Elegido: por SMS, de 15:00 a 18:00." in page.text()


def test_the_wish_can_be_withdrawn_and_then_the_manual_decides_again(page: Page) -> None:
    wish(page, channel="sms", **{"from": "15:00", "until": "18:00"})
    withdraw = page.house.public.post(f"{page.path}/preference", data={"form": _token(page)}, follow_redirects=False)
    assert withdraw.status_code == 303 and "Elegido" not in page.text()
    assert first_contact(page) == ("email", "2026-03-13T09:00")
    assert consent(page, "sms").consent == "given", "who wants no channel first has closed none"


def _token(page: Page) -> str:
    form = page.get().text.split('name="form" value="', 1)[1]
    return form.split('"', 1)[0]


def test_it_is_one_event_for_each_open_invoice_with_a_ring_and_no_personal_data(page: Page) -> None:
    accepted_invoice(page.house.database.worker, page.house.creditor, "F-1002")
    for _ in range(2):
        assert wish(page, channel="sms") == 303
    told = "select count(*) from event where kind = 'preference_set'"
    assert one(page.house, told) == 2 == one(page.house, "select count(*) from outbox where signal = 'preference_set'")
    said = one(page.house, "select string_agg(detail::text || actor, ' ') from event where kind = 'preference_set'")
    assert '{"channel": "sms"}' in said and not any(personal in said for personal in PERSONAL)


def test_a_chosen_channel_is_consent_with_its_day_and_the_page_as_proof(page: Page) -> None:
    change(page.house, "update address set consent = 'unknown', consent_at = null, consent_proof = ''")
    wish(page, channel="sms")
    assert tuple(consent(page, "sms")) == ("given", NOW, "portal")
    assert consent(page, "email").consent == "unknown"


def test_choosing_a_channel_that_was_closed_opens_it_again(page: Page) -> None:
    page.send("stop", channel="sms")
    assert consent(page, "sms").consent == "withdrawn"
    wish(page, channel="sms")
    assert tuple(consent(page, "sms")) == ("given", NOW, "portal") and first_contact(page)[0] == "sms"
    assert one(page.house, "select count(*) from event where kind = 'opted_in'") == 1


def test_one_closed_address_stays_closed_while_another_of_the_channel_is_open(page: Page) -> None:
    second = debtor_ana()
    second["contacts"][0]["channels"] += [{"channel": "sms", "address": "+573001234568", "consent": "withdrawn"}]
    accepted_invoice(page.house.database.worker, page.house.creditor, "F-1002", account=second)
    wish(page, channel="sms")
    with Session(page.house.database.worker) as session:
        found = session.execute(text("select consent from address where channel = 'sms' order by position")).scalars().all()
    assert found == ["given", "withdrawn"]


def test_hours_outside_the_law_are_refused_with_hours_that_would_do(page: Page) -> None:
    for first, until in (("06:00", "07:00"), ("20:00", "23:00")):
        answer = page.send("preference", channel="sms", **{"from": first, "until": until})
        assert answer.status_code == 409 and "En ese horario no podemos escribir. De 09:00 a 19:00, sí." in answer.text
    assert "Elegido" not in page.text() and first_contact(page) == ("email", "2026-03-13T09:00")
    assert one(page.house, "select count(*) from event where kind = 'preference_set'") == 0


def test_hours_that_reach_beyond_the_law_are_kept_and_the_law_still_wins(page: Page) -> None:
    assert wish(page, **{"from": "18:00", "until": "22:00"}) == 303
    assert first_contact(page) == ("email", "2026-03-13T18:00")


UNREADABLE: tuple[tuple[dict[str, str], str], ...] = (
    ({"from": "18:00"}, "un comienzo y un final posterior"),
    ({"from": "18:00", "until": "10:00"}, "un comienzo y un final posterior"),
    ({"from": "x", "until": "y"}, "un comienzo y un final posterior"),
    ({"channel": "pigeon"}, "no se entiende"),
    ({"channel": "letter"}, "no se entiende"),
)


def test_what_cannot_be_read_or_has_no_token_of_the_page_changes_nothing(page: Page) -> None:
    for fields, said in UNREADABLE:
        answer = page.send("preference", **fields)
        assert answer.status_code == 422 and said in answer.text
    forged = page.house.public.post(f"{page.path}/preference", data={"form": "x", "channel": "sms"})
    assert forged.status_code == 409 and one(page.house, "select terms from account") == {}


def test_only_the_accounts_own_channels_are_offered_and_no_address_is_shown(page: Page) -> None:
    shown = page.text()
    assert "Canal preferido Sin preferencia correo electrónico SMS Desde" in shown and "WhatsApp" not in shown
    assert ANA_PHONE not in shown


@pytest.mark.parametrize(("language", "said"), [("pt", "Escolhido: por SMS, das 15:00 às 18:00."),
                                                ("en", "Chosen: by SMS, from 15:00 to 18:00.")])  # fmt: skip
def test_the_choice_is_said_in_the_customers_language(house: House, language: str, said: str) -> None:
    account = debtor_ana(language=language, register="")
    page = Page(house, accepted_invoice(house.database.worker, house.creditor, account=account))
    wish(page, channel="sms", **{"from": "15:00", "until": "18:00"})
    assert said in page.text()
