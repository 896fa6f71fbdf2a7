"""What the relay still has to tell Temporal, and what reconcile finds untold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

TOLD_KEPT_DAYS = 7
"""How long a told ring is kept for whoever looks for it."""
UNSEEN_SECONDS = 60
"""A fact that no decision has seen for so long is rung again."""
OVERDUE = timedelta(minutes=5)
"""A step whose moment passed so long ago is rung again."""


class Ring(NamedTuple):
    """One workflow to start or to ring."""

    id: int
    invoice_id: str
    workflow_id: str
    signal: str | None
    note: str
    creditor: str
    account: str
    number: str
    currency: str


_PENDING = text(
    """
    select o.id, o.invoice_id::text, o.workflow_id, o.signal, o.note, c.slug as creditor, a.ref as account, i.number, i.currency
    from (select * from outbox where done_at is null order by tries, id limit :limit for update skip locked) o
        join invoice i on i.id = o.invoice_id join creditor c on c.id = o.creditor_id join account a on a.id = i.account_id
    """
)


def pending(session: Session, *, limit: int) -> list[Ring]:
    """The oldest untold rings, locked until this transaction ends so that two relays do not tell them twice."""
    return [Ring(*row) for row in session.execute(_PENDING, {"limit": limit})]


def told(session: Session, ids: Sequence[int]) -> None:
    """Mark rings as told."""
    if ids:
        session.execute(text("update outbox set done_at = clock_timestamp() where id = any(:ids)"), {"ids": list(ids)})


def forget_told(session: Session) -> None:
    """Drop rings that were told long ago, oldest first and a bounded number at a time; the timeline keeps the facts."""
    session.execute(
        text(
            "delete from outbox where id in (select id from (select id, done_at from outbox order by id limit 5000) oldest"
            " where done_at < clock_timestamp() - make_interval(days => :days))"
        ),
        {"days": TOLD_KEPT_DAYS},
    )


def not_told(session: Session, ids: Sequence[int], *, why: str) -> None:
    """Keep rings for later, behind those that were never tried; `why` is the class of the error, without data."""
    if ids:
        session.execute(
            text("update outbox set tries = tries + 1, last_error = :why where id = any(:ids)"), {"ids": list(ids), "why": why}
        )


def reconcile(session: Session, *, now: datetime) -> int:
    """Ring what was not seen, what is overdue and what was never started (I1, I12); returns how many.

    The same invoice is rung again after ever longer pauses, at most an hour: its activity may be waiting for a provider.
    `now` is business time; how long a fact was unseen is wall time.
    """
    rung = session.execute(
        text(
            """
            insert into outbox (creditor_id, invoice_id, workflow_id, signal, note)
            select i.creditor_id, i.id, 'invoice:' || c.slug || ':' || i.number, 'reconcile',
                case when i.seen_revision = 0 then 'never started' when i.revision > i.seen_revision then 'a fact was not seen'
                    else 'its moment has passed' end
            from invoice i join creditor c on c.id = i.creditor_id
            where ((i.revision > i.seen_revision and i.changed_at < clock_timestamp() - make_interval(secs => :unseen))
                or (i.outcome is null and i.next_at < :overdue))
                and not exists (select 1 from outbox o where o.invoice_id = i.id and o.done_at is null)
                and not exists (select 1 from outbox o where o.invoice_id = i.id and o.signal = 'reconcile'
                    and o.created_at > clock_timestamp() - least(interval '1 hour',
                        greatest(make_interval(secs => :unseen), (clock_timestamp() - i.changed_at) / 10)))
            """
        ),
        {"unseen": UNSEEN_SECONDS, "overdue": now - OVERDUE},
    )
    session.execute(
        text(
            """
            insert into task (id, creditor_id, invoice_id, account_id, kind, key, why, due_at, created_at)
            select gen_random_uuid(), k.creditor_id, k.invoice_id, k.account_id, 'unknown_outcome', k.id::text,
                'It is not known whether ' || k.key || ' went out by ' || k.channel || '; it counts and is not repeated.',
                cast(:now as timestamptz) + interval '2 days', :now
            from contact k where k.state = 'unknown' and k.at_utc < cast(:now as timestamptz) - interval '24 hours'
            on conflict (creditor_id, kind, key) do nothing
            """
        ),
        {"now": now},
    )
    return int(rung.rowcount)  # type: ignore[attr-defined]


def ring_missing(session: Session, running: Sequence[str]) -> int:
    """Ring each open invoice whose workflow is not among those that run (I1): ended by hand, or lost with Temporal's data.

    An invoice that still waits to be told of is left to its own ring; one too many does no harm.
    """
    rung = session.execute(
        text(
            """
            insert into outbox (creditor_id, invoice_id, workflow_id, signal, note)
            select i.creditor_id, i.id, w.id, 'reconcile', 'no workflow was running'
            from invoice i join creditor c on c.id = i.creditor_id,
                lateral (select 'invoice:' || c.slug || ':' || i.number as id) w
            where i.outcome is null and i.seen_revision > 0 and not w.id = any(:running)
                and not exists (select 1 from outbox o where o.invoice_id = i.id and o.done_at is null)
            """
        ),
        {"running": list(running)},
    )
    return int(rung.rowcount)  # type: ignore[attr-defined]


def ring_lost(session: Session, invoice_id: UUID | str) -> None:
    """Ring one invoice whose workflow was found not to run, unless it waits to be told of anyway."""
    session.execute(
        text(
            "insert into outbox (creditor_id, invoice_id, workflow_id, signal, note)"
            " select i.creditor_id, i.id, 'invoice:' || c.slug || ':' || i.number, 'reconcile', 'no workflow was running'"
            " from invoice i join creditor c on c.id = i.creditor_id where i.id = :id"
            " and not exists (select 1 from outbox o where o.invoice_id = i.id and o.done_at is null)"
        ),
        {"id": str(invoice_id)},
    )
