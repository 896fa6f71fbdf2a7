"""Late charges and the limitation date as a billing system reads them: line by line, known or unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from ledger.charges import post_charges
from tests.api.conftest import House
from tests.cast import accepted_invoice, creditor_brill, debtor_luis
from tests.ledger.test_charges import ACCEPTED, FEBRUARY, JANUARY_MINOR, SPAIN


def test_charges_are_listed_line_by_line_in_three_languages(house: House) -> None:
    spanish = creditor_brill(
        house.database.worker, slug="norte", country="ES", now=ACCEPTED, late_charges={"interest": "statutory"}
    )
    invoice = accepted_invoice(house.database.worker, spanish, now=ACCEPTED, **SPAIN)
    with Session(house.database.worker) as session, session.begin():
        post_charges(session, invoice, now=FEBRUARY)
    key = {"Authorization": f"Bearer {spanish.key.key}"}
    answer = house.public.get(f"/v1/invoices/{invoice}/charges", headers=key).json()
    assert (answer["total_minor"], answer["currency"]) == (JANUARY_MINOR, "EUR")
    line = answer["charges"][0]["lines"][0]
    assert (line["rule"], line["days"], line["rate_pct"], line["amount_minor"]) == ("ES.interest", 31, "10.15", JANUARY_MINOR)
    assert line["said"]["es"].startswith("Interés de 86,21 EUR sobre 10.000,00 EUR al 10,15 % anual, 31 días")
    assert house.client.get(f"/v1/invoices/{invoice}/charges").status_code == 404


def test_the_limitation_date_is_shown_with_its_rule_or_as_unknown(house: House) -> None:
    colombian = accepted_invoice(house.database.worker, house.creditor)
    known = house.client.get(f"/v1/invoices/{colombian}/limitation").json()
    assert (known["state"], known["last_day"], known["rule"], known["basis"]) == ("known", "2031-03-16", "CO.limitation", "house")
    mexican = accepted_invoice(house.database.worker, house.creditor, "F-1002", currency="MXN", account=debtor_luis())
    unknown = house.client.get(f"/v1/invoices/{mexican}/limitation").json()
    assert (unknown["state"], unknown["last_day"]) == ("unknown", None)
    assert unknown["why"] == "the law packs of this place give no limitation period for this debt"
    assert house.client.get(f"/v1/invoices/{uuid4()}/limitation").status_code == 404


def test_nothing_was_added_is_an_empty_list(house: House) -> None:
    invoice = accepted_invoice(house.database.worker, house.creditor, now=datetime(2026, 3, 2, 15, 0, tzinfo=UTC))
    assert house.client.get(f"/v1/invoices/{invoice}/charges").json()["charges"] == []
