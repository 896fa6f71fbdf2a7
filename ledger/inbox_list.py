"""For people: gateways' events that were acknowledged and are not applied, and another try for one that was given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.inbox import TRIES
from ledger.refusals import Refused, not_found

EventState = Literal["waiting", "failed"]

_LIST = (
    "select b.id, b.source, b.event_id, a.ref as account_ref, b.received_at, b.tries, b.result as why from inbox b"
    " left join account a on a.id = b.account_id where {which} and b.id > :after order by b.id limit :limit"
)
_WHICH = {"waiting": "b.result is null", "failed": "b.applied_at is null and b.result is not null"}


def listed(session: Session, *, state: EventState, after: int, limit: int) -> Sequence[Row[Any]]:
    """Events in that state with an id above `after`, in the order of arrival."""
    return session.execute(text(_LIST.format(which=_WHICH[state])), {"after": after, "limit": limit}).all()


def try_again(session: Session, inbox_id: int) -> None:
    """Let an event that was given up be applied after all: one more try, within seconds.

    Its task stays open until that succeeds. Raises Refused `not-found`; `not-failed` when it was applied or still waits;
    `emptied` when its content was forgotten after its time.
    """
    row = session.execute(
        text("select applied_at, result, payload is not null as whole from inbox where id = :id for update"), {"id": inbox_id}
    ).one_or_none()
    if row is None:
        raise not_found("event", inbox_id)
    if row.applied_at is not None or row.result is None:
        raise Refused("not-failed", f"event {inbox_id} {'waits to be applied' if row.result is None else 'was applied'}")
    if not row.whole:
        raise Refused("emptied", f"the content of event {inbox_id} is no longer kept: look it up at its gateway")
    session.execute(
        text("update inbox set result = null, tries = :tries, try_at = clock_timestamp() where id = :id"),
        {"id": inbox_id, "tries": TRIES - 1},
    )
