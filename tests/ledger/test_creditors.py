"""A creditor is checked when it is added: a zone or a country that nobody knows would stop each of its invoices later."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from ledger.creditors import add_creditor
from ledger.refusals import Refused
from tests import cast
from tests.conftest import Database

_FINE = {"slug": "acme", "name": "Acme SAS", "country": "CO", "zone": "America/Bogota", "language": "es"}


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        ("slug", "Acme_1", "small letters"),
        ("slug", "a", "small letters"),
        ("name", "  ", "empty"),
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
