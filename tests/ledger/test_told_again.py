"""What a later invoice says of a known account: a later word about consent counts, and what was not known is added."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.acceptance import accept_batch
from ledger.facts import gather
from ledger.tasks import close_task, open_task
from policies.intake_model import InvoiceIn
from tests import cast
from tests.conftest import Database
from tests.ledger.people import address, write_to

BEFORE, LATER, MUCH_LATER = (cast.NOW + timedelta(days=days) for days in (-1, 1, 2))


def _ask(database: Database, sql: str) -> list[Any]:
    with database.worker.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql)).all()]


def _ana(consent: str, at: datetime | None = None, **change: Any) -> dict[str, Any]:
    way = {"channel": "email", "address": cast.ANA_EMAIL, "consent": consent, "consent_at": at and at.isoformat()}
    return cast.debtor_ana(contacts=[{"role": "holder", "name": cast.ANA_NAME, "channels": [way]}], **change)


@pytest.mark.parametrize(
    ("first", "again", "then"),
    [
        (("given", None), ("withdrawn", None), "withdrawn"),
        (("given", BEFORE), ("withdrawn", LATER), "withdrawn"),
        (("given", cast.NOW), ("withdrawn", BEFORE), "given"),
        (("withdrawn", cast.NOW), ("given", LATER), "given"),
        (("withdrawn", cast.NOW), ("given", BEFORE), "withdrawn"),
        (("withdrawn", None), ("given", None), "withdrawn"),
        (("withdrawn", BEFORE), ("given", MUCH_LATER + timedelta(days=1)), "withdrawn"),
        (("unknown", None), ("given", None), "given"),
        (("given", None), ("unknown", LATER), "given"),
    ],
)
def test_the_later_word_about_a_known_address_counts(
    database: Database, first: tuple[str, datetime | None], again: tuple[str, datetime | None], then: str
) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor, account=_ana(*first))
    cast.accepted_invoice(database.worker, creditor, "F-2", now=MUCH_LATER, account=_ana(*again))
    assert _ask(database, "select consent from address") == [(then,)]
    told = _ask(database, "select count(*) from outbox where signal in ('opted_in', 'opted_out')")
    assert told == [(2 if then != first[0] else 0,)], "both open invoices are rung, and only for news"


def test_a_withdrawal_told_with_an_invoice_voids_the_slot_and_closes_the_same_mailbox_elsewhere(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    first = cast.accepted_invoice(database.worker, creditor)
    cast.accepted_invoice(database.worker, creditor, "F-2", account=cast.debtor_ana(ref="C-2"))
    with Session(database.worker) as session, session.begin():
        write_to(session, first, state="planned")
    cast.accepted_invoice(database.worker, creditor, "F-3", now=LATER, account=_ana("withdrawn"))
    assert _ask(database, "select consent from address where channel = 'email'") == [("withdrawn",)] * 2
    assert _ask(database, "select consent from address where channel = 'sms'") == [("given",)] * 2
    assert _ask(database, "select state from contact") == [("failed",)]
    with Session(database.worker) as session:
        facts, _ = gather(session, first, LATER)
    assert not any(reach.channel == "email" and reach.permitted for reach in facts.reach)


def test_the_last_word_of_one_batch_counts_and_a_withdrawal_keeps_its_date_on_a_new_address(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor, account=_ana("withdrawn", cast.NOW))
    cast.accepted_invoice(database.worker, creditor, "F-0", account=_ana("given", BEFORE, ref="C-2"))
    assert _ask(database, "select distinct consent, consent_at from address") == [("withdrawn", cast.NOW)]
    bodies = [
        InvoiceIn.model_validate(cast.invoice_body(number, account=account))
        for number, account in (
            ("F-2", _ana("given", MUCH_LATER)), ("F-3", _ana("withdrawn", LATER)), ("F-4", _ana("given", BEFORE, ref="C-2")),
        )
    ]  # fmt: skip
    with Session(database.worker) as session, session.begin():
        accept_batch(session, creditor.id, bodies, now=MUCH_LATER, sealer=cast.sealer())
    rows = _ask(database, "select t.ref, a.consent, a.consent_at from address a join person p on p.id = a.person_id"
                          " join account t on t.id = p.account_id order by 1")  # fmt: skip
    assert rows == [("C-1001", "given", MUCH_LATER), ("C-2", "withdrawn", LATER)]


def test_the_later_word_of_one_contact_counts_when_it_names_an_address_twice(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    twice = _ana("unknown")
    said = {"channel": "email", "address": cast.ANA_EMAIL.upper(), "consent": "given", "consent_at": BEFORE.isoformat()}
    twice["contacts"][0]["channels"].append(said)
    cast.accepted_invoice(database.worker, creditor, account=twice)
    assert _ask(database, "select consent, consent_at from address") == [("given", BEFORE)]


def test_consent_told_with_an_invoice_completes_the_task_to_ask_for_it(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    account = cast.account_of(database.worker, cast.accepted_invoice(database.worker, creditor, account=_ana("unknown")))
    task: dict[str, Any] = {"creditor_id": creditor.id, "kind": "get_consent", "key": str(account), "now": cast.NOW}
    with Session(database.worker) as session, session.begin():
        open_task(session, account_id=account, why="ask", due_at=LATER, **task)
    cast.accepted_invoice(database.worker, creditor, "F-2", account=_ana("given"))
    assert _ask(database, "select done_at, outcome from task") == [(cast.NOW, "consent given")]
    with Session(database.worker) as session, session.begin():
        assert not close_task(session, outcome="again", **task)
        assert address(session, "email").consent == "given"


def test_what_a_later_invoice_says_of_its_account_is_added_and_nothing_is_overwritten(database: Database) -> None:
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor, account=cast.debtor_ana(debt_type="trade"))
    later = {"debt_type": "regulated_credit", "city": "Cali", "notice_sent_on": "2026-02-01", "loan_type": "microcredit",
             "preferences": {"hours": ["10:00", "12:00"], "channel": "email"}}  # fmt: skip
    for number, extra in (("F-2", later), ("F-3", later), ("F-4", {"city": "Neiva"}), ("F-5", {})):
        cast.accepted_invoice(database.worker, creditor, number, account=cast.debtor_ana(**extra))
    terms = {"debt_type": "trade", "city": "Cali", "notice_sent": "2026-02-01", "loan_type": "microcredit",
             "hours": ["10:00", "12:00"], "channel": "email"}  # fmt: skip
    assert _ask(database, "select terms from account") == [(terms,)]
    rung = "select i.number, o.signal from outbox o join invoice i on i.id = o.invoice_id where o.signal is not null"
    assert _ask(database, rung) == [("F-1001", "account_changed")], "once, for what was open before"


def test_a_telephone_of_another_zone_on_a_later_invoice_leaves_the_place_in_doubt(database: Database) -> None:
    def account(**change: Any) -> dict[str, Any]:
        return cast.debtor_luis(**{"country": "US", "region": "NY", **change})

    phone = [{"name": "Luis", "channels": [{"channel": "sms", "address": "+13105550123"}]}]
    creditor = cast.creditor_brill(database.worker)
    cast.accepted_invoice(database.worker, creditor, account=account())
    bodies = [
        InvoiceIn.model_validate(cast.invoice_body(number, account=given))
        for number, given in (("F-2", account(contacts=phone)), ("F-3", account(region="IL")))
    ]
    bodies += [InvoiceIn.model_validate(cast.invoice_body(n, account=account(ref="N-1", region=r))) for n, r in
               (("F-4", "NY"), ("F-5", "IL"))]  # fmt: skip
    with Session(database.worker) as session, session.begin():
        accept_batch(session, creditor.id, bodies, now=cast.NOW, sealer=cast.sealer())
    assert _ask(database, "select zone, terms -> 'zones' from account order by ref") == [
        ("America/New_York", ["America/Chicago", "America/Los_Angeles"]), ("America/New_York", ["America/Chicago"]),
    ]  # fmt: skip
