"""A creditor is checked when it is added: a zone or a country that nobody knows would stop each of its invoices later."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.creditors import add_creditor, create_webhook_endpoint, describe_creditor
from ledger.refusals import Refused
from tests import cast
from tests.conftest import Database

_FINE: dict[str, Any] = {"slug": "acme", "name": "Acme SAS", "country": "CO", "zone": "America/Bogota", "language": "es"}


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        ("slug", "Acme_1", "small letters"),
        ("slug", "a", "small letters"),
        ("name", "  ", "empty"),
        ("name", "Brill\nBcc: eva@x.example", "line break"),
        ("name", "B" * 121, "over 120 letters"),
        ("country", "ZZ", "ISO 3166"),
        ("country", "co", "ISO 3166"),
        ("zone", "Bogota", "IANA"),
        ("language", "fr", "es, pt or en"),
    ],
)
def test_a_creditor_that_could_not_work_is_refused(database: Database, part: str, given: str, said: str) -> None:
    with Session(database.worker) as session, session.begin():
        with pytest.raises(Refused, match=said) as refused:
            add_creditor(session, **(_FINE | {part: given}), manual=cast.manual_brill(), now=cast.NOW)
        assert refused.value.code == "invalid-creditor"
        add_creditor(session, **_FINE, manual=cast.manual_brill(), now=cast.NOW)


def test_what_the_law_needs_of_a_creditor_is_kept_and_merged(database: Database) -> None:
    with Session(database.worker) as session, session.begin():
        creditor = add_creditor(session, **_FINE, manual=cast.manual_brill(), now=cast.NOW)
        describe_creditor(session, creditor, {"reply_to": "a@acme.co"}, {"party": "third"})
        describe_creditor(session, creditor, {"tax_id": "900.1"}, {"settings": {"CO": {"week": "calendar"}}})
        kept = session.execute(text("select settings from creditor")).scalar_one()
    assert (kept["reply_to"], kept["tax_id"]) == ("a@acme.co", "900.1")
    assert kept["law"] == {"party": "third", "settings": {"CO": {"week": "calendar"}}}


@pytest.mark.parametrize(
    ("said", "law", "what"),
    [
        ({"colour": "red"}, {}, "colour"),
        ({}, {"party": "second"}, "party"),
        ({}, {"settings": {"CO": {"week": "lunar"}}}, "CO.week=lunar"),
        ({}, {"settings": {"XX": {"week": "either"}}}, "XX.week"),
    ],
)
def test_what_cannot_be_said_of_a_creditor_is_refused(
    database: Database, said: dict[str, str], law: dict[str, Any], what: str
) -> None:
    with Session(database.worker) as session, session.begin():
        creditor = add_creditor(session, **_FINE, manual=cast.manual_brill(), now=cast.NOW)
        with pytest.raises(Refused, match=what):
            describe_creditor(session, creditor, said, law)


def test_a_webhooks_token_is_never_taken_for_an_option(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.creditors.secrets.token_urlsafe", lambda size: "-x" * size)
    with Session(database.worker) as session, session.begin():
        creditor = add_creditor(session, **_FINE, manual=cast.manual_brill(), now=cast.NOW)
        token = create_webhook_endpoint(session, cast.sealer(), creditor, "standard", "whsec_" + "a" * 32, cast.NOW)
    assert not token.startswith("-")
