"""Accounts and the people behind them: added to, never overwritten, sealed one by one, and forgotten for good."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.people import PersonCard, erase_person, person_card, retire_address, withdraw_consent
from ledger.refusals import Refused
from tests import cast
from tests.conftest import Database


def _ask(database: Database, sql: str, **values: Any) -> list[Any]:
    with database.worker.connect() as connection:
        return list(connection.execute(text(sql), values).all())


def _people(database: Database) -> list[UUID]:
    return [row.id for row in _ask(database, "select id from person order by created_at, id")]


def _card(database: Database, person: UUID) -> PersonCard:
    with Session(database.worker) as session:
        return person_card(session, cast.sealer(), person)


def _channels(card: PersonCard) -> list[str]:
    return sorted(card.addresses.values())


def test_a_card_opens_to_name_salutation_and_canonical_addresses(database: Database) -> None:
    cast.accepted_invoice(database.worker, cast.creditor_brill(database.worker))
    card = _card(database, _people(database)[0])
    assert (card.name, card.salutation) == (cast.ANA_NAME, "Ana")
    assert _channels(card) == sorted([cast.ANA_PHONE, cast.ANA_EMAIL])
    assert cast.ANA_EMAIL not in repr(card)


def test_no_table_but_the_sealed_cards_holds_personal_data(database: Database) -> None:
    account = cast.debtor_ana(ref=cast.ANA_PHONE)
    cast.accepted_invoice(database.worker, cast.creditor_brill(database.worker), account=account)
    tables = [row.tablename for row in _ask(database, "select tablename from pg_tables where schemaname = 'public'")]
    for table in tables:
        rows = _ask(database, f"select t::text as whole from {table} t")
        hexed = [word.encode().hex() for word in cast.PERSONAL]
        assert not [row for row in rows for word in (*cast.PERSONAL, *hexed) if word in row.whole], table


def test_a_second_invoice_adds_missing_addresses_and_people_and_overwrites_nothing(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor)
    account = cast.debtor_ana(kind="business", language="en", register="tu")
    ana = account["contacts"][0]
    ana["name"] = "A. R. G."
    ana["channels"].append({"channel": "whatsapp", "address": cast.ANA_PHONE})
    ana["channels"].append({"channel": "email", "address": "ana2@correo.example.com"})
    account["contacts"].append(cast.debtor_luis()["contacts"][0])
    cast.accepted_invoice(database.worker, creditor, "F-1002", account=account)
    cast.accepted_invoice(database.worker, creditor, "F-1003", account=account)
    people = _people(database)
    assert len(people) == 2
    card = _card(database, people[0])
    assert card.name == cast.ANA_NAME
    assert _channels(card) == sorted([cast.ANA_EMAIL, cast.ANA_PHONE, cast.ANA_PHONE, "ana2@correo.example.com"])
    assert [(r.kind, r.language, r.register) for r in _ask(database, "select * from account")] == [("consumer", "es", "usted")]
    stored = {str(row.id) for row in _ask(database, "select id from address where person_id = :id", id=people[0])}
    assert stored == set(card.addresses)


def test_two_people_who_share_a_switchboard_stay_two(database: Database) -> None:
    phone = {"channel": "voice", "address": "+576015550123"}
    contacts = [
        {"name": "Uno", "channels": [phone, {"channel": "email", "address": "uno@andina.example.com"}]},
        {"name": "Dos", "channels": [phone, {"channel": "email", "address": "dos@andina.example.com"}]},
    ]
    creditor = cast.creditor_brill(database.worker)
    for number in ("F-1", "F-2"):
        account = cast.debtor_luis(country="CO", region="", contacts=contacts)
        cast.accepted_invoice(database.worker, creditor, number, account=account)
        contacts.reverse()
    assert sorted(_card(database, person).name for person in _people(database)) == ["Dos", "Uno"]


def test_a_withdrawn_or_retired_address_stays_so_when_the_account_is_posted_again(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor)
    person = _people(database)[0]
    email = _ask(database, "select id from address where channel = 'email'")[0].id
    with Session(database.worker) as session, session.begin():
        assert withdraw_consent(session, person, "sms", proof="reply STOP", now=cast.NOW) == 1
        assert withdraw_consent(session, person, "sms", proof="reply STOP", now=cast.NOW) == 0
        assert retire_address(session, email, why="hard bounce", now=cast.NOW)
        assert not retire_address(session, email, why="again", now=cast.NOW)
    cast.accepted_invoice(database.worker, creditor, "F-1002")
    rows = _ask(database, "select channel, consent, retired_why from address order by channel")
    assert [tuple(row) for row in rows] == [("email", "given", "hard bounce"), ("sms", "withdrawn", None)]


def test_erasure_forgets_the_person_and_keeps_every_sum(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor)
    person = _people(database)[0]
    lookups = {bytes(row.lookup) for row in _ask(database, "select lookup from address")}
    with Session(database.worker) as session, session.begin():
        erase_person(session, cast.sealer(), person, now=cast.NOW)
    with Session(database.worker) as session, session.begin():
        erase_person(session, cast.sealer(), person, now=cast.NOW)
    row = _ask(database, "select data_key, sealed, erased_at from person")[0]
    assert (row.data_key, row.sealed, row.erased_at) == (None, None, cast.NOW)
    assert all(r.retired_at is not None and bytes(r.lookup) not in lookups for r in _ask(database, "select * from address"))
    assert _ask(database, "select balance_minor from invoice")[0].balance_minor == 25_000_000
    assert _ask(database, "select sum(amount_minor) as total from entry")[0].total == 25_000_000
    body = str(_ask(database, "select accepted_body from invoice")[0].accepted_body)
    assert body.count("#erased") == 4 and cast.sealer().fingerprint(cast.ANA_NAME) not in body
    with pytest.raises(Refused, match="no person"):
        _card(database, person)


def test_a_repeat_after_an_erasure_is_still_the_same_invoice(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session, session.begin():
        erase_person(session, cast.sealer(), _people(database)[0], now=cast.NOW)
    with pytest.raises(AssertionError):
        cast.accepted_invoice(database.worker, creditor)  # it asserts "new", and the verdict is "same"
    assert _ask(database, "select count(*) as n from invoice")[0].n == 1
    assert _ask(database, "select count(*) as n from person where erased_at is null")[0].n == 0
