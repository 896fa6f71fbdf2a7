"""Events of gateways that were stored and acknowledged: each applied once, by whoever comes first (I3, I5).

The API applies what it stored at once; the worker what the API left behind, and before any claim or judgement what gateways have
told of that customer. So a customer whose payment was acknowledged is not written to, whichever of the two is slow or dead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Row
from sqlalchemy.orm import Session

from activities.gateway_events import apply_gateway
from activities.incoming import Incoming
from activities.payment_events import apply_standard, read_standard
from channels import gateways, wompi
from ledger import inbox
from ledger.refusals import Refused
from ledger.sealing import Sealer
from ledger.session import as_creditor
from ledger.tasks import close_task, open_task

log = logging.getLogger("puntual.arrived")

LOOK_WITHIN = timedelta(days=1)
"""How long a person has to look at an event that could not be applied."""
_KINDS: dict[str, tuple[Callable[[bytes], Any], Callable[[Incoming, Any], str]]] = {
    "standard": (read_standard, apply_standard),
    "stripe": (gateways.read_stripe, partial(apply_gateway, source="stripe")),
    "wompi": (wompi.read_wompi, partial(apply_gateway, source="wompi")),
}


def apply_event(engine: Engine, sealer: Sealer, creditor_id: UUID, inbox_id: int) -> str:
    """Apply one stored event, as of the moment it came; returns what became of it.

    Empty when another was quicker. What cannot be applied is tried again later, and in the end given to a person.
    """
    try:
        with Session(engine) as session, session.begin():
            row = inbox.take(session, creditor_id, inbox_id)
            if row is None:
                return ""
            read, apply = _KINDS[row.source]
            result = apply(Incoming(session, sealer, creditor_id, row.received_at), read(sealer.unseal(row.payload)))
            inbox.applied(session, row.id, result, now=row.received_at)
            if row.tries:
                close_task(
                    session, creditor_id=creditor_id, kind="read_event", key=str(row.id), outcome="applied", now=row.received_at
                )
            return result
    except Exception as error:  # whatever it is, those behind it must be applied
        why = f"refused, {error.code}" if isinstance(error, Refused) else type(error).__name__
        log.warning("event %s could not be applied: %s; it is kept", inbox_id, why)
        return _try_again(engine, creditor_id, inbox_id, why)


def _try_again(engine: Engine, creditor_id: UUID, inbox_id: int, why: str) -> str:
    try:
        with Session(engine) as session, session.begin():
            as_creditor(session, creditor_id)
            if inbox.not_applied(session, inbox_id, why=why):
                now = inbox.received_at(session, inbox_id)
                open_task(
                    session, creditor_id=creditor_id, kind="read_event", key=str(inbox_id), due_at=now + LOOK_WITHIN, now=now,
                    why=f"event {inbox_id} of a payment gateway could not be applied ({why}): record it by hand, or try it again",
                )  # fmt: skip
                return f"failed: {why}"
    except Exception as error:  # the ledger is away: it is tried again, and the try does not count
        log.warning("event %s waits: %s", inbox_id, type(error).__name__)
    return "kept"


def apply_waiting(engine: Engine, sealer: Sealer, *, rested_seconds: float = 0.0) -> int:
    """Apply what waits of all creditors, by a role that sees all, in the order of arrival; returns how many were applied."""
    with Session(engine) as session:
        found = inbox.waiting(session, rested_seconds=rested_seconds)
    return _apply_each(engine, sealer, found)


def apply_waiting_for(engine: Engine, sealer: Sealer, invoice_id: UUID | str) -> int:
    """Apply what waits and may be about the customer who owes that invoice; returns how many were applied."""
    with Session(engine) as session:
        found = inbox.waiting_for(session, invoice_id)
    return _apply_each(engine, sealer, found)


def _apply_each(engine: Engine, sealer: Sealer, found: Sequence[Row[Any]]) -> int:
    done = [apply_event(engine, sealer, row.creditor_id, row.id) for row in found]
    return sum(result not in ("", "kept") for result in done)
