"""Who did what: one row for each act and each refusal at the console, only ever added to. Never personal data."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from ledger.refusals import Refused

_ADD = text(
    "insert into audit (creditor_id, at_utc, actor, act, subject, detail, once) values (:creditor, :at, :actor, :act, :subject,"
    " :detail, :once) on conflict (creditor_id, once) do nothing returning id"
).bindparams(bindparam("detail", type_=JSONB))


@dataclass(frozen=True)
class AuditPage:
    """Some of the audit, newest first, and where it goes on; None at the end."""

    rows: Sequence[Row[Any]]
    cursor: str | None


def note_act(
    session: Session, creditor_id: UUID | str, *, actor: str, act: str, subject: str, detail: Mapping[str, Any], now: datetime,
    once: str | None = None,
) -> bool:  # fmt: skip
    """Record an act in the transaction that does it: False when the form `once` names was taken before, and nothing is written.

    `actor` is `staff:<login>` or `key <prefix>`; `subject` an id such as `invoice:<uuid>`; `detail` holds ids, sums, dates and
    states. A form that was pressed twice waits here for the first press and then does nothing.
    """
    added = session.execute(
        _ADD,
        {
            "creditor": str(creditor_id), "at": now, "actor": actor, "act": act, "subject": subject, "detail": dict(detail),
            "once": once,
        },
    )  # fmt: skip
    return added.scalar() is not None


def audit_of(
    session: Session, *, actor: str = "", act: str = "", subject: str = "", limit: int = 100, cursor: str | None = None
) -> AuditPage:
    """The audit, newest first, filtered by the start of who, what and on what. Raises Refused `bad-cursor`."""
    rows = session.execute(
        text(
            "select id, at_utc, actor, act, subject, detail from audit"
            " where (:actor = '' or starts_with(actor, :actor)) and (:act = '' or starts_with(act, :act))"
            " and (:subject = '' or starts_with(subject, :subject)) and (cast(:before as bigint) is null or id < :before)"
            " order by id desc limit :limit"
        ),
        {
            "actor": actor, "act": act, "subject": subject, "limit": limit + 1,
            "before": _read_cursor(cursor) if cursor is not None else None,
        },
    ).all()  # fmt: skip
    return AuditPage(rows[:limit], _cursor(rows[limit - 1].id) if len(rows) > limit else None)


def _cursor(row_id: int) -> str:
    return base64.urlsafe_b64encode(str(row_id).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        row_id = int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if 0 <= row_id < 2**63:
            return row_id
    except (binascii.Error, ValueError):
        pass
    raise Refused("bad-cursor", "this cursor was not made here: start the list again without one", status=422)
