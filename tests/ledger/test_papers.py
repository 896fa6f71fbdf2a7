"""What comes with an invoice: terms, evidence of delivery, documents and the invoice it replaces, as the ledger keeps them."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.acceptance import accept, accept_batch
from ledger.agreements import ask
from ledger.charges import post_charges
from ledger.delivery import record_delivery, told_of_delivery
from ledger.documents import documents_of, file_name, pdf_of, read_document
from ledger.due_dates import confirm_due_date
from ledger.facts import gather
from ledger.holds import open_dispute, say_already_paid
from ledger.invoices import amend, pause
from ledger.papers import set_terms_table
from ledger.payments import record_payment
from ledger.people import erase_person
from ledger.refusals import Refused
from ledger.replacing import links_of
from ledger.session import as_creditor
from policies import negotiation
from policies.due_terms import load_table
from policies.facts import InvoiceFacts
from policies.intake import Unreadable
from policies.intake_model import InvoiceIn
from tests import cast
from tests.conftest import Database

PDF = b"%PDF-1.4 invoice of Ana"
NOW = cast.NOW


class Desk:
    """A creditor, and what is posted to it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.creditor = cast.creditor_brill(database.worker)

    def post(self, number: str = "F-1", **change: Any) -> UUID:
        return cast.accepted_invoice(self.database.worker, self.creditor, number, **change)

    def again(self, number: str = "F-1", **change: Any) -> Any:
        body = InvoiceIn.model_validate(cast.invoice_body(number, **change))
        with Session(self.database.worker) as session, session.begin():
            return accept(session, self.creditor.id, body, now=NOW, sealer=cast.sealer())

    def do(self, verb: Any, *args: Any, **more: Any) -> Any:
        with Session(self.database.worker) as session, session.begin():
            return verb(session, *args, **more)

    def as_api(self, verb: Any, *args: Any, **more: Any) -> Any:
        with Session(self.database.api) as session, session.begin():
            as_creditor(session, self.creditor.id)
            return verb(session, *args, **more)

    def facts(self, invoice: UUID) -> InvoiceFacts:
        found: InvoiceFacts = self.do(lambda session: gather(session, invoice, NOW)[0])
        return found

    def one(self, sql: str, **values: Any) -> Any:
        with self.database.worker.connect() as connection:
            return connection.execute(text(sql), values).scalar_one()

    def pay(self, invoice: UUID, amount_minor: int, ref: str = "p-1", now: Any = NOW) -> None:
        self.do(
            record_payment, self.creditor.id, source="standard", source_ref=ref, amount_minor=amount_minor, currency="COP",
            paid_on=date(2026, 3, 2), value_on=date(2026, 3, 2), now=now, invoice_id=invoice,
        )  # fmt: skip


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def dues(desk: Desk, invoice: UUID) -> list[tuple[int, str, int, bool]]:
    return [(i.number, i.due_on.isoformat(), i.amount_minor, i.due_assumed) for i in desk.facts(invoice).instalments]


def test_terms_make_the_due_dates_and_nothing_makes_an_assumed_one(desk: Desk) -> None:
    assert dues(desk, desk.post("F-1", due_on=None, terms="Net 45")) == [(1, "2026-04-15", 25_000_000, False)]
    thirds = dues(desk, desk.post("F-2", due_on=None, terms="30/60/90", amount_minor=10_000))
    assert thirds == [(1, "2026-03-31", 3_333, False), (2, "2026-04-30", 3_333, False), (3, "2026-05-30", 3_334, False)]
    assert dues(desk, desk.post("F-3", due_on=None)) == [(1, "2026-03-31", 25_000_000, True)]
    assert dues(desk, desk.post("F-4", terms="Net 45")) == [(1, "2026-03-16", 25_000_000, False)]  # the stated date wins
    kept = desk.one("select string_agg(due_source || ':' || due_terms, ' ' order by due_source, due_terms) from instalment")
    assert kept == "assumed:house.30 stated:Net 45 terms:30/60/90 terms:30/60/90 terms:30/60/90 terms:Net 45"


def test_the_creditors_own_code_is_read_and_a_changed_table_makes_no_other_invoice(desk: Desk) -> None:
    desk.do(set_terms_table, desk.creditor.id, load_table("codes: {Z9: {days: 9}}", "t"))
    assert dues(desk, desk.post("F-1", due_on=None, terms="z9"))[0][1] == "2026-03-10"
    desk.do(set_terms_table, desk.creditor.id, load_table("codes: {Z9: {days: 10}}", "t"))
    assert desk.again("F-1", due_on=None, terms="z9").verdict == "same"
    assert desk.again("F-1", due_on=None, terms="Net 10").verdict == "different"


def test_a_term_nobody_knows_is_refused_unless_the_law_supposes_one(desk: Desk) -> None:
    with pytest.raises(Unreadable, match="/terms: this term of payment is not known"):
        desk.again("F-1", due_on=None, terms="as agreed")
    company = desk.post("F-2", due_on=None, terms="as agreed", account=cast.debtor_luis())
    assert dues(desk, company) == [(1, "2026-04-15", 25_000_000, True)]  # Colombia supposes 45 days between businesses


def test_a_term_from_receipt_without_that_day_is_a_guess_until_it_is_confirmed(desk: Desk) -> None:
    known = desk.post("F-1", due_on=None, terms="30R", received_on="2026-03-02")
    assert dues(desk, known) == [(1, "2026-04-01", 25_000_000, False)]
    guessed = desk.post("F-2", due_on=None, terms="30R")
    assert dues(desk, guessed) == [(1, "2026-03-31", 25_000_000, True)]


def test_a_person_confirms_an_assumed_date_as_it_stands_or_corrected(desk: Desk) -> None:
    one, other = desk.post("F-1", due_on=None), desk.post("F-2", due_on=None)
    desk.do(amend, one, [(1, date(2026, 3, 31), 24_000_000)], reason="less", now=NOW)
    assert dues(desk, one) == [(1, "2026-03-31", 24_000_000, True)]  # another sum makes the date no surer
    assert desk.as_api(confirm_due_date, one, now=NOW)
    assert not desk.as_api(confirm_due_date, one, now=NOW)
    assert desk.as_api(confirm_due_date, other, due_on=date(2026, 4, 10), now=NOW)
    assert dues(desk, one)[0][3] is False and dues(desk, other) == [(1, "2026-04-10", 25_000_000, False)]


def test_an_assumed_due_date_bears_no_interest_until_it_is_confirmed(database: Database) -> None:
    accepted, february = datetime(2025, 11, 3, 9, tzinfo=UTC), datetime(2026, 2, 2, 9, tzinfo=UTC)
    spain = cast.creditor_brill(database.worker, country="ES", now=accepted, late_charges={"interest": "statutory"})
    invoice = cast.accepted_invoice(
        database.worker, spain, now=accepted, currency="EUR", issued_on="2025-11-01", due_on=None, amount_minor=1_000_000,
        account=cast.debtor_luis(country="ES", region="ES-MD", ref="B-34"),
    )  # fmt: skip
    with Session(database.worker) as session:
        assert post_charges(session, invoice, now=february).added_minor == 0
        confirm_due_date(session, invoice, due_on=date(2025, 12, 31), now=february)
        assert post_charges(session, invoice, now=february).added_minor == 8_621  # 10.15 % of 10,000.00 over 31 days


def test_what_is_told_of_delivery_is_known_to_the_policy_once(desk: Desk) -> None:
    told = desk.post("F-1", delivered_on="2026-03-01", accepted_on="2026-03-02", delivery_source="tax_authority")
    plain = desk.post("F-2")
    assert [(f.kind, f.on, f.source) for f in desk.facts(told).delivery] == [
        ("delivered", date(2026, 3, 1), "tax_authority"), ("accepted", date(2026, 3, 2), "tax_authority"),
    ]  # fmt: skip
    assert desk.facts(plain).delivery == ()
    more = {"source": "person", "actor": "key x", "now": NOW}
    assert desk.as_api(record_delivery, plain, "delivered", date(2026, 3, 2), **more)
    assert not desk.as_api(record_delivery, plain, "delivered", date(2026, 3, 2), **more)
    assert len(desk.do(told_of_delivery, plain)) == 1


@pytest.mark.parametrize(
    ("kind", "on", "reason", "code"),
    [("delivered", "2026-03-03", "", "delivery-day"), ("delivered", "2026-02-28", "", "delivery-day"),
     ("waived", "2026-03-02", "", "delivery-reason")],
)  # fmt: skip
def test_delivery_has_a_possible_day_and_a_waiver_has_a_reason(desk: Desk, kind: Any, on: str, reason: str, code: str) -> None:
    invoice = desk.post()
    with pytest.raises(Refused) as refused:
        desk.do(record_delivery, invoice, kind, cast.day(on), source="person", actor="key x", now=NOW, reason=reason)
    assert refused.value.code == code
    assert desk.do(record_delivery, invoice, kind, date(2026, 3, 2), source="person", actor="k", now=NOW, reason="it was shown")


def test_a_rejected_invoice_rests_until_it_is_accepted_after_all(desk: Desk) -> None:
    invoice = desk.post(rejected_on="2026-03-02")
    assert [(h.kind, h.reason) for h in desk.facts(invoice).holds] == [("dispute", "not_accepted")]
    assert desk.one("select count(*) from task where kind = 'reissue' and done_at is null") == 1
    desk.as_api(record_delivery, invoice, "accepted", date(2026, 3, 2), source="person", actor="k", now=NOW + timedelta(hours=1))
    assert desk.facts(invoice).holds == ()
    assert desk.one("select count(*) from task where kind = 'reissue' and done_at is null") == 0


def test_what_the_customer_does_with_the_invoice_shows_that_it_came(desk: Desk) -> None:
    wrong, missing, paid, ours = (desk.post(f"F-{n}") for n in range(1, 5))
    desk.do(open_dispute, wrong, reason="wrong_amount", actor="customer", now=NOW)
    desk.do(open_dispute, missing, reason="not_received", actor="customer", now=NOW)
    desk.do(say_already_paid, paid, actor="customer", now=NOW)
    desk.do(open_dispute, ours, reason="wrong_amount", actor="key x", now=NOW)
    assert [[f.kind for f in desk.facts(one).delivery] for one in (wrong, missing, paid, ours)] == [
        ["known"], ["not_received"], ["known"], [],
    ]  # fmt: skip


def document(content: bytes = PDF, kind: str = "pdf", **more: Any) -> dict[str, Any]:
    """A document as it is posted."""
    return {"kind": kind, "name": "Factura Ana.pdf", "content_base64": base64.b64encode(content).decode(), **more}


def test_documents_are_sealed_and_known_by_their_hash_and_the_number(desk: Desk) -> None:
    digest = hashlib.sha256(PDF).hexdigest()
    invoice = desk.post("F/1 a", documents=[document(sha256=digest), document(b"<a/>", "xml")])
    bare = desk.post("F-2")
    assert (desk.facts(invoice).has_document, desk.facts(bare).has_document) == (True, False)
    rows = desk.as_api(documents_of, invoice)
    assert [(row.kind, row.bytes) for row in rows] == [("pdf", len(PDF)), ("xml", 4)]
    found = desk.as_api(pdf_of, cast.sealer(), invoice)
    assert (found.name, found.media_type, found.content) == ("F-1-a.pdf", "application/pdf", PDF)
    assert PDF not in bytes(desk.one("select sealed from document where kind = 'pdf'"))
    assert desk.again("F/1 a", documents=[document(), document(b"<a/>", "xml")]).verdict == "same"
    assert desk.again("F/1 a", documents=[document()]).verdict == "different"
    assert file_name("..", "xml") == "invoice.xml"


@pytest.mark.parametrize(("kind", "left"), [("consumer", [None]), ("business", [PDF])])
def test_with_a_consumers_last_person_the_documents_go_and_their_hash_stays(desk: Desk, kind: str, left: list[Any]) -> None:
    contacts = [
        {"role": role, "channels": [{"channel": "email", "address": f"{role}@correo.example.com", "consent": "given"}]}
        for role in ("holder", "guardian")
    ]
    invoice = desk.post("F-1", documents=[document()], account=cast.debtor_ana(kind=kind, contacts=contacts))
    people = desk.do(lambda session: session.execute(text("select id from person order by id")).scalars().all())
    for person, there in zip(people, ([PDF], left), strict=True):
        desk.do(erase_person, cast.sealer(), person, now=NOW)
        sealed = desk.one("select sealed from document")
        assert [sealed and cast.sealer().unseal(bytes(sealed))] == there
    assert desk.facts(invoice).has_document == (left == [PDF])
    (row,) = desk.as_api(documents_of, invoice)
    assert (row.erased, bytes(row.sha256).hex()) == (left == [None], hashlib.sha256(PDF).hexdigest())
    if row.erased:
        assert desk.as_api(pdf_of, cast.sealer(), invoice) is None
        with pytest.raises(Refused, match="erased"):
            desk.as_api(read_document, cast.sealer(), invoice, row.id)


BOMB = b'<!DOCTYPE a [<!ENTITY x "ha">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (document(b"<html>"), "not a PDF"), (document(BOMB, "xml"), "entities"), (document(b"<a>", "xml"), "well-formed"),
        (document(sha256="0" * 64), "another sha256"), (document() | {"content_base64": "%%%%"}, "base64"),
        (document(b"%PDF-" + b"x" * (2 * 1024 * 1024)), "2 MB"),
    ],
)  # fmt: skip
def test_a_document_that_is_not_what_it_says_is_refused(desk: Desk, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        desk.again(documents=[given])


def test_a_reissued_invoice_carries_on_where_the_old_one_stood(desk: Desk) -> None:
    old = desk.post("F-1", delivered_on="2026-03-01")
    desk.pay(old, 5_000_000)
    later = NOW + timedelta(minutes=5)
    desk.do(
        ask, old, negotiation.Promise(on=date(2026, 3, 6), amount_minor=20_000_000), source="portal", actor="customer", now=later
    )
    desk.do(pause, old, until=NOW + timedelta(days=5), reason="asked", now=later)
    new = desk.post("F-2", now=later + timedelta(minutes=5), due_on="2026-04-20", amount_minor=15_000_000, replaces="F-1")
    facts, before = desk.facts(new), desk.facts(old)
    assert before.status == "cancelled" and before.balance_minor == 0 and before.holds == ()
    assert facts.age_from == date(2026, 3, 16) and facts.balance_minor == 10_000_000
    assert [h.kind for h in facts.holds] == ["pause"]
    (promise,) = facts.agreements
    assert [m.amount_minor for m in promise.milestones] == [10_000_000] and promise.state == "open"
    assert facts.payments[0].recorded_at < promise.made_at  # what was paid before the promise does not keep it
    assert facts.delivery == () and facts.cycle == before.cycle
    assert desk.one("select sum(unallocated_minor) from payment") == 0
    assert [row and row.number for row in desk.as_api(links_of, new)] == ["F-1", None]
    assert [row and row.number for row in desk.as_api(links_of, old)] == [None, "F-2"]
    again = desk.again("F-2", due_on="2026-04-20", amount_minor=15_000_000, replaces="F-1")
    assert (again.verdict, again.id) == ("same", new)
    kinds = "select array_agg(kind order by id) from event where invoice_id = :id"
    assert {"cancelled", "replaced"} <= set(desk.one(kinds, id=old)) and "replaces" in desk.one(kinds, id=new)


def test_money_beyond_the_new_sum_stays_free_and_the_promise_ends_with_it(desk: Desk) -> None:
    old = desk.post("F-1")
    desk.pay(old, 5_000_000)
    desk.do(ask, old, negotiation.Promise(on=date(2026, 3, 6)), source="portal", actor="customer", now=NOW)
    new = desk.post("F-2", amount_minor=4_000_000, replaces="F-1", keep_age=False)
    facts = desk.facts(new)
    assert (facts.balance_minor, facts.age_from) == (0, None)
    assert desk.one("select sum(unallocated_minor) from payment") == 1_000_000
    assert [a.state for a in facts.agreements] == ["withdrawn"]
    desk.do(amend, new, [(1, date(2026, 3, 16), 4_500_000)], reason="more", now=NOW)
    assert desk.facts(new).balance_minor == 0  # the rest of the old payment belongs to this invoice now
    assert desk.one("select sum(unallocated_minor) from payment") == 500_000


def test_what_was_said_about_the_old_invoice_is_known_of_the_new_one_through_a_chain(desk: Desk) -> None:
    old = desk.post("F-1")
    with desk.database.worker.begin() as connection:
        connection.execute(
            text(
                "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung,"
                " channel, template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
                " select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, r.id, '1.1.S1.0', 1, 'S1', 'email',"
                " 'pre_due', 'delivered', 1, 'COP', i.entered_at, 'America/Bogota', '2026-03-02 10:00', '2026-03-02', -300"
                " from invoice i join person p on p.account_id = i.account_id join address r on r.person_id = p.id"
                " and r.channel = 'email' where i.id = :id"
            ),
            {"id": old},
        )
    desk.post("F-2", replaces="F-1")
    third = desk.post("F-3", replaces="F-2")
    assert [(c.key, c.earlier) for c in desk.facts(third).contacts] == [("1.1.S1.0", True)]
    assert [(c.key, c.earlier) for c in desk.facts(old).contacts] == [("1.1.S1.0", False)]
    assert desk.facts(third).age_from == date(2026, 3, 16)


def test_what_cannot_be_replaced_is_refused_and_harms_no_other(desk: Desk) -> None:
    desk.post("F-1")
    desk.post("F-2", replaces="F-1")
    bodies = [
        cast.invoice_body("F-3", replaces="F-9"), cast.invoice_body("F-4", replaces="F-2", account=cast.debtor_luis()),
        cast.invoice_body("F-5", replaces="F-1"), cast.invoice_body("F-6", replaces="F-2", currency="USD"),
        cast.invoice_body("F-7"), cast.invoice_body("F-8", replaces="F-2"), cast.invoice_body("F-9", replaces="F-2"),
    ]  # fmt: skip
    with Session(desk.database.worker) as session, session.begin():
        found = accept_batch(
            session, desk.creditor.id, [InvoiceIn.model_validate(b) for b in bodies], now=NOW, sealer=cast.sealer()
        )
    assert [one.verdict for one in found] == ["refused"] * 4 + ["new", "new", "refused"]
    words = ["no invoice of that number", "another account", "replaced before", "is in COP"]
    assert all(word in one.problems[0].detail for word, one in zip(words, found, strict=False))
    with pytest.raises(Unreadable, match="itself"):
        desk.again("F-10", replaces="F-10")
