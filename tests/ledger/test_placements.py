"""A person decides before the deadline; the file is written once, sealed; a debt taken back has its notice (F86-F88)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import agreements, holds, placements, stops
from ledger.receipts import addresses_of, opt_out
from ledger.refusals import Refused
from policies import negotiation
from policies.terms import Channel
from tests.cast import ANA_EMAIL, ANA_NAME, ANA_PHONE, NOW, Creditor, accepted_invoice, account_of, creditor_brill, sealer
from tests.conftest import Database
from tests.ledger.money import pay, rings
from tests.ledger.people import address

DEADLINE = NOW + timedelta(days=10)


class Stage(NamedTuple):
    """An invoice whose ladder has ended with a proposal."""

    database: Database
    creditor: Creditor
    invoice: UUID
    placement: UUID
    session: Session


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor = creditor_brill(database.worker)
    invoice, placement = accepted_invoice(database.worker, creditor), uuid4()
    with Session(database.worker) as session:
        session.execute(
            text(
                "insert into placement (id, creditor_id, invoice_id, cycle, state, recommend, figures, proposed_at, decide_by)"
                " values (:id, :c, :i, 1, 'proposed', 'place', '{\"commission_minor\": 7}', :now, :by)"
            ),
            {"id": placement, "c": creditor.id, "i": invoice, "now": NOW, "by": DEADLINE},
        )
        yield Stage(database, creditor, invoice, placement, session)


def become(stage: Stage, state: str) -> None:
    stage.session.execute(
        text("update placement set state = :s, placed_at = :now, return_by = :by, ended_at = :now"),
        {"s": state, "now": NOW, "by": NOW + timedelta(days=180)},
    )


def read(stage: Stage, kind: str = "placement") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(placements.read_file(stage.session, sealer(), stage.invoice, kind, "json"))
    return loaded


def test_it_is_decided_until_the_deadline_and_not_at_it(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        placements.decide(stage.session, stage.invoice, "approved", actor="key", now=DEADLINE)
    assert refused.value.code == "too-late"
    at = DEADLINE - timedelta(seconds=1)
    assert placements.decide(stage.session, stage.invoice, "approved", actor="key", now=at) == stage.placement
    assert rings(stage.session, stage.invoice)[-1] == ("approved", f"placement {stage.placement}")
    assert placements.decide(stage.session, stage.invoice, "approved", actor="key", now=at) == stage.placement
    with pytest.raises(Refused, match="approved already"):
        placements.decide(stage.session, stage.invoice, "declined", actor="key", now=at)


def test_nothing_is_decided_where_nothing_is_proposed(stage: Stage) -> None:
    stage.session.execute(text("delete from placement"))
    with pytest.raises(Refused, match="the ladder has not ended"):
        placements.decide(stage.session, stage.invoice, "approved", actor="key", now=NOW)


def test_no_file_is_written_before_the_debt_is_placed(stage: Stage) -> None:
    assert placements.write_files(stage.session, sealer(), stage.placement, now=NOW) == []
    become(stage, "declined")
    stage.session.execute(text("update placement set placed_at = null"))
    assert placements.write_files(stage.session, sealer(), stage.placement, now=NOW) == []


def test_the_file_names_the_debtor_and_is_written_once(stage: Stage) -> None:
    become(stage, "placed")
    assert placements.write_files(stage.session, sealer(), stage.placement, now=NOW) == ["placement"]
    said = read(stage)
    assert (said["invoice"], said["balance_minor"], said["currency"], said["account_ref"]) == (
        "F-1001",
        25_000_000,
        "COP",
        "C-1001",
    )
    assert said["people"][0]["name"] == ANA_NAME
    assert said["instalments"] == [{"number": 1, "due_on": "2026-03-16", "amount_minor": 25_000_000, "balance_minor": 25_000_000}]
    pay(stage.session, stage.creditor.id, "p1", 100, stage.invoice)
    assert placements.write_files(stage.session, sealer(), stage.placement, now=NOW) == []
    assert read(stage) == said


def test_the_csv_says_the_same_and_begins_no_formula(stage: Stage) -> None:
    stage.session.execute(text("update account set ref = '=HYPERLINK(1)'"))
    become(stage, "placed")
    placements.write_files(stage.session, sealer(), stage.placement, now=NOW)
    content = placements.read_file(stage.session, sealer(), stage.invoice, "placement", "csv").decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(content))
    assert (row["invoice"], row["names"], row["account_ref"]) == ("F-1001", ANA_NAME, "'=HYPERLINK(1)")
    assert row["addresses"] == f"email {ANA_EMAIL}; sms {ANA_PHONE}"


def test_an_address_that_was_withdrawn_is_not_passed_on(stage: Stage) -> None:
    person = address(stage.session, "sms").person_id
    account = account_of(stage.database.worker, stage.invoice)
    opt_out(stage.session, account, addresses_of(stage.session, person, Channel.SMS), now=NOW, proof="x")
    become(stage, "placed")
    placements.write_files(stage.session, sealer(), stage.placement, now=NOW)
    assert [way["channel"] for way in read(stage)["people"][0]["addresses"]] == ["email"]


def test_the_stored_file_is_sealed(stage: Stage) -> None:
    become(stage, "placed")
    placements.write_files(stage.session, sealer(), stage.placement, now=NOW)
    row = stage.session.execute(text("select csv, json from placement_file")).one()
    assert ANA_NAME.encode() not in bytes(row.csv) + bytes(row.json)


def test_a_debt_taken_back_has_its_notice_beside_the_first_file(stage: Stage) -> None:
    become(stage, "placed")
    placements.write_files(stage.session, sealer(), stage.placement, now=NOW)
    pay(stage.session, stage.creditor.id, "p1", 25_000_000, stage.invoice)
    become(stage, "recalled")
    assert placements.write_files(stage.session, sealer(), stage.placement, now=NOW) == ["recall"]
    said = read(stage, "recall")
    assert (said["reason"], said["balance_minor"], said["paid_since_placement_minor"]) == ("settled", 0, 25_000_000)
    assert "people" not in said


def test_a_debt_that_is_paid_is_not_approved_for_the_agency(stage: Stage) -> None:
    pay(stage.session, stage.creditor.id, "p1", 25_000_000, stage.invoice)
    with pytest.raises(Refused) as refused:
        placements.decide(stage.session, stage.invoice, "approved", actor="t", now=NOW)
    assert refused.value.code == "invoice-closed"
    placements.decide(stage.session, stage.invoice, "declined", actor="t", now=NOW)


def test_a_customer_who_has_agreed_terms_is_not_sent_to_the_agency(stage: Stage) -> None:
    wish = negotiation.Promise(on=NOW.date() + timedelta(days=3))
    agreements.ask(stage.session, stage.invoice, wish, source="portal", actor="customer", now=NOW)
    with pytest.raises(Refused) as refused:
        placements.decide(stage.session, stage.invoice, "approved", actor="t", now=NOW)
    assert refused.value.code == "agreed"


def test_a_proposal_of_an_earlier_cycle_is_no_longer_open(stage: Stage) -> None:
    stage.session.execute(text("update invoice set cycle = 2"))
    with pytest.raises(Refused) as refused:
        placements.decide(stage.session, stage.invoice, "approved", actor="t", now=NOW)
    assert refused.value.code == "no-proposal"


@pytest.mark.parametrize("what", ["dispute", "suppression"])
def test_a_debt_that_is_disputed_or_stopped_is_not_sent_to_the_agency(stage: Stage, what: str) -> None:
    if what == "dispute":
        holds.open_dispute(stage.session, stage.invoice, reason="quality", actor="customer", now=NOW)
    else:
        account = account_of(stage.database.worker, stage.invoice)
        stops.suppress(stage.session, account, reason="deceased", evidence="e", until=DEADLINE, actor="t", now=NOW)
    with pytest.raises(Refused) as refused:
        placements.decide(stage.session, stage.invoice, "approved", actor="t", now=NOW)
    assert refused.value.code == "held"
