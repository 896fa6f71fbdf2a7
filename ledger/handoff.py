"""Keeping or placing a debt: proposed by the policy, decided by a person, written once, taken back when it is paid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from policies.facts import InvoiceFacts


def propose(
    session: Session, facts: InvoiceFacts, *, recommend: str, figures: Mapping[str, int], decide_by: datetime, now: datetime
) -> str:
    """Open the question for this cycle; returns its id, the same when it was opened before."""
    row = session.execute(
        text(
            "insert into placement (id, creditor_id, invoice_id, cycle, state, recommend, figures, proposed_at, decide_by)"
            " values (:id, :c, :i, :cycle, 'proposed', :recommend, :figures, :now, :by)"
            " on conflict (invoice_id, cycle) do update set recommend = placement.recommend returning id"
        ).bindparams(bindparam("figures", type_=JSONB)),
        {
            "id": str(uuid4()),
            "c": facts.creditor_id,
            "i": facts.invoice_id,
            "cycle": facts.cycle,
            "recommend": recommend,
            "figures": dict(figures),
            "now": now,
            "by": decide_by,
        },
    )
    return str(row.scalar_one())


def place(session: Session, facts: InvoiceFacts, *, return_by: datetime, now: datetime) -> None:
    """The debt leaves: chasing stops in this transaction; the file is written by `placements.write_files`, once."""
    assert facts.placement is not None
    session.execute(
        text("update placement set state = 'placed', placed_at = :now, return_by = :by where id = :id and state = 'approved'"),
        {"id": facts.placement.id, "now": now, "by": return_by},
    )


def recall(session: Session, facts: InvoiceFacts, *, now: datetime) -> None:
    """The debt comes back: paid (or cancelled) there, or its time with the agency is over."""
    assert facts.placement is not None
    state = "recalled" if facts.balance_minor == 0 or facts.status != "open" else "returned"
    session.execute(
        text("update placement set state = :state, ended_at = :now where id = :id and state = 'placed'"),
        {"id": facts.placement.id, "state": state, "now": now},
    )
