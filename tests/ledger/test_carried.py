"""An invoice that another system collected before: what it brings along counts, and nothing is asked twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from ledger.acceptance import accept
from ledger.facts import gather
from policies.facts import InvoiceFacts
from policies.forecast import settle
from policies.intake import Unreadable
from policies.intake_model import InvoiceIn
from policies.manual import Manual
from policies.next_step import next_step
from policies.steps import Contact, Skip
from tests import cast
from tests.conftest import Database


def _known(database: Database, invoice_id: UUID, now: datetime = cast.NOW) -> tuple[InvoiceFacts, Manual]:
    with Session(database.worker) as session:
        return gather(session, invoice_id, now)


def _over(database: Database, carried: dict[str, Any], slug: str = "brill", **change: Any) -> UUID:
    brill = cast.creditor_brill(database.worker, slug=slug)
    # Due three weeks before it came over: S3, on the tenth day, is long past.
    body = {"issued_on": "2026-01-10", "due_on": "2026-02-26", "carried": carried} | change
    return cast.accepted_invoice(database.worker, brill, **body)


def test_what_is_open_is_owed_and_the_rest_was_paid_before(database: Database) -> None:
    facts, _ = _known(database, _over(database, {"balance_minor": 10_000_000}))
    assert facts.balance_minor == 10_000_000
    assert [(p.amount_minor, p.paid_on.isoformat()) for p in facts.payments] == [(15_000_000, "2026-01-10")]


def test_a_paid_invoice_comes_in_as_history_and_nobody_is_contacted(database: Database) -> None:
    facts, manual = _known(database, _over(database, {"settled_on": "2026-02-28"}))
    step = next_step(facts, manual, cast.NOW)
    assert (step.kind, getattr(step, "outcome", "")) == ("close", "paid")
    assert [p.paid_on.isoformat() for p in facts.payments] == ["2026-02-28"]


def test_the_ladder_goes_on_behind_the_stage_and_a_rung_to_come_that_was_used_is_passed_too(database: Database) -> None:
    """S2 falls on the day before it came over, S3 five days later: with S3 used, nothing is left to send."""
    of_stage = {}
    for stage in (None, "S2", "S3", 1, 2):
        carried = {} if stage is None else {"stage": stage}
        facts, manual = _known(database, _over(database, carried, f"stage-{stage}".lower(), due_on="2026-02-28"))
        assert facts.carried_stage == ("" if stage is None else str(stage))
        _, answers, obeyed = settle(facts, manual, cast.NOW)
        skips = {a.rung: a.rules for _, a in answers if isinstance(a, Skip)}
        of_stage[stage] = skips, obeyed.rung if isinstance(obeyed, Contact) else obeyed.kind
    assert of_stage[None][1] == "S2"
    assert of_stage["S2"][1] == of_stage[1][1] == "S3"
    assert of_stage["S3"][1] == of_stage[2][1] == "close"
    assert of_stage["S3"][0] == {"S1": ("ladder.carried",), "S2": ("ladder.carried",), "S3": ("ladder.carried",)}


def test_the_last_contact_counts_in_the_budget_and_delays_what_follows_a_contact(database: Database) -> None:
    facts, _ = _known(database, _over(database, {"last_contact_on": "2026-03-01", "last_contact_channel": "sms"}))
    assert [(e.channel, e.local_date.isoformat(), e.manual) for e in facts.budget] == [("sms", "2026-03-01", True)]
    assert facts.last_conversation_on is not None and facts.last_conversation_on.isoformat() == "2026-03-01"


def test_promise_dispute_and_hold_come_along_with_their_ends(database: Database) -> None:
    carried = {
        "promised_on": "2026-03-05", "promised_minor": 5_000_000, "disputed": "quality", "hold_until": "2026-03-20",
        "hold_reason": "agreed_with_sales",
    }  # fmt: skip
    facts, _ = _known(database, _over(database, carried))
    agreement = facts.agreements[0]
    assert (agreement.state, agreement.milestones[0].amount_minor, str(agreement.milestones[0].due_on)) == (
        "open", 5_000_000, "2026-03-05",
    )  # fmt: skip
    held = {hold.kind: (hold.reason, hold.until) for hold in facts.holds}
    assert held["dispute"] == ("quality", cast.NOW + timedelta(days=30))
    assert held["pause"][0] == "agreed_with_sales" and held["pause"][1].isoformat() == "2026-03-21T05:00:00+00:00"


def test_a_promise_whose_day_has_passed_was_broken_before_and_begins_no_new_cycle(database: Database) -> None:
    facts, manual = _known(database, _over(database, {"promised_on": "2026-02-20"}))
    assert [a.state for a in facts.agreements] == ["broken"]
    assert settle(facts, manual, cast.NOW)[0].cycle == 1


@pytest.mark.parametrize(
    ("carried", "pointer"),
    [
        ({"balance_minor": 99_000_000}, "/carried/balance_minor"),
        ({"balance_minor": 0}, "/carried/balance_minor"),
        ({"settled_on": "2026-03-09"}, "/carried/settled_on"),
        ({"settled_on": "2026-02-01", "disputed": "quality"}, "/carried/disputed"),
        ({"stage": "S9"}, "/carried/stage"),
        ({"last_contact_on": "2026-04-01"}, "/carried/last_contact_on"),
        ({"promised_minor": 5}, "/carried/promised_on"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_place(database: Database, carried: dict[str, Any], pointer: str) -> None:
    brill = cast.creditor_brill(database.worker)
    body = InvoiceIn.model_validate(cast.invoice_body(issued_on="2026-01-10", due_on="2026-02-10", carried=carried))
    with Session(database.worker) as session, pytest.raises(Unreadable) as refused:
        accept(session, brill.id, body, now=cast.NOW, sealer=cast.sealer())
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
