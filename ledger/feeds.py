"""Where a creditor's payments are told, and how far each source has told (playbook 3, row 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.refusals import Refused
from ledger.tasks import open_task
from policies.facts import Feed
from policies.feeds import is_late, said

LATE, CAUGHT_UP = "late_feed", "payment_data_told"
SEEN_EVERY = timedelta(minutes=1)
"""A source that speaks more often than this is not written down each time."""
AHEAD_MAX = timedelta(days=1)

# Those whose present step waits for payment data; a ring to a few too many does no harm.
_RING_WAITING = text(
    """
    with mine as materialized (
        select i.id from invoice i join step s on s.id = i.next_step_id
        where i.creditor_id = :creditor and i.outcome is null and s.rules && array['feed.late', 'promise.bank_day']
        order by i.id for no key update of i
    ), changed as (
        update invoice i set revision = i.revision + 1, changed_at = clock_timestamp() from mine where i.id = mine.id
        returning i.id, i.creditor_id, i.number
    ), told as (
        insert into event (creditor_id, invoice_id, at_utc, kind, detail, actor)
        select creditor_id, id, :at, :kind, cast(:detail as jsonb), :actor from changed order by id
    ), rung as (
        insert into outbox (creditor_id, invoice_id, workflow_id, signal, note)
        select c.creditor_id, c.id, 'invoice:' || k.slug || ':' || c.number, :kind, :note
        from changed c join creditor k on k.id = c.creditor_id order by c.id
    )
    select count(*) from changed
    """
)
_TELL = text(
    "update payment_source set complete_to = greatest(complete_to, cast(:to as date)),"
    " seen_at = greatest(seen_at, cast(:now as timestamptz)) where creditor_id = :creditor and name = :name"
    " returning name, kind, complete_to, seen_at, fresh_minutes, expected_by"
)


@dataclass(frozen=True)
class Told:
    """A source after it told something, and how many waiting invoices were rung."""

    feed: Feed
    rung: int


def declare(
    session: Session, creditor_id: UUID | str, *, name: str, kind: Literal["bank", "gateway", "erp"], fresh_minutes: int,
    expected_by: str, now: datetime,
) -> Feed:  # fmt: skip
    """Rely on a source from now on; declared again, its terms change and what it told is kept.

    A bank counts as complete up to the day before it was declared, a gateway as seen now: no past is held against anybody.
    Raises Refused `source-kind` when it was declared as another kind.
    """
    row = session.execute(
        text(
            "insert into payment_source (id, creditor_id, name, kind, complete_to, seen_at, fresh_minutes, expected_by,"
            " declared_at) values (:id, :creditor, :name, :kind, :complete, :seen, :fresh, :by, :now)"
            " on conflict (creditor_id, name) do update set fresh_minutes = excluded.fresh_minutes,"
            " expected_by = excluded.expected_by where payment_source.kind = excluded.kind"
            " returning name, kind, complete_to, seen_at, fresh_minutes, expected_by"
        ),
        {
            "id": uuid4(), "creditor": str(creditor_id), "name": name, "kind": kind, "fresh": fresh_minutes, "by": expected_by,
            "now": now, "complete": (now - timedelta(days=1)).date() if kind == "bank" else None,
            "seen": None if kind == "bank" else now,
        },
    ).one_or_none()  # fmt: skip
    if row is None:
        raise Refused("source-kind", f"{name} was declared as another kind of source: give this one another name")
    return Feed(**row._mapping)


def told(
    session: Session, creditor_id: UUID | str, name: str, *, now: datetime, complete_to: date | None = None, actor: str
) -> Told:
    """A source told how far it is: bank days up to `complete_to`, or only that it is there. Never goes back.

    What waited for it is asked again; the task about its lateness is done. Raises Refused `no-source`, `complete-to` for a day
    that has not come, or for a source that is no bank.
    """
    known = {feed.name: feed for feed in feeds_of(session, creditor_id)}
    if name not in known:
        raise Refused("no-source", f"{name} is no declared source: there are {', '.join(known) or 'none'}", status=404)
    if (known[name].kind == "bank") != (complete_to is not None):
        wants = (
            "give complete_to, the last bank day of which all is known" if known[name].kind == "bank" else "only banks have it"
        )
        raise Refused("complete-to", f"{name} is a {known[name].kind}: {wants}", status=422)
    if complete_to is not None and complete_to > (now + AHEAD_MAX).date():
        raise Refused("complete-to", f"{complete_to} has not come yet: nothing of it can be complete", status=422)
    row = session.execute(_TELL, {"creditor": str(creditor_id), "name": name, "to": complete_to, "now": now}).one()
    feed = Feed(**row._mapping)
    moved = feed.complete_to != known[name].complete_to if feed.kind == "bank" else True
    rung = ring_waiting(session, creditor_id, now=now, actor=actor, note=name) if moved else 0
    session.execute(
        text(
            "update task set done_at = :now, outcome = 'caught up' where creditor_id = :creditor and kind = :kind"
            " and starts_with(key, :key) and done_at is null"
        ),
        {"now": now, "creditor": str(creditor_id), "kind": LATE, "key": f"{name}:"},
    )
    return Told(feed, rung)


def seen(session: Session, creditor_id: UUID | str, names: Sequence[str], *, now: datetime) -> None:
    """A genuine webhook came: the gateways of these names are there. Written at most once a minute, so that it costs nothing."""
    session.execute(
        text(
            "update payment_source set seen_at = :now where creditor_id = :creditor and name = any(:names) and kind = 'gateway'"
            " and (seen_at is null or seen_at < :before)"
        ),
        {"now": now, "creditor": str(creditor_id), "names": list(names), "before": now - SEEN_EVERY},
    )


def feeds_of(session: Session, creditor_id: UUID | str) -> list[Feed]:
    """The declared sources, by name."""
    rows = session.execute(
        text(
            "select name, kind, complete_to, seen_at, fresh_minutes, expected_by from payment_source"
            " where creditor_id = :creditor order by name"
        ),
        {"creditor": str(creditor_id)},
    )
    return [Feed(**row._mapping) for row in rows]


def withdraw(session: Session, creditor_id: UUID | str, name: str, *, now: datetime, actor: str) -> int:
    """Rely on a source no more; returns how many invoices that waited for it were rung. Raises Refused `no-source`."""
    gone = session.execute(
        text("delete from payment_source where creditor_id = :creditor and name = :name returning name"),
        {"creditor": str(creditor_id), "name": name},
    ).scalar()
    if gone is None:
        raise Refused("no-source", f"{name} is no declared source", status=404)
    return ring_waiting(session, creditor_id, now=now, actor=actor, note=f"{name} withdrawn")


def ring_waiting(session: Session, creditor_id: UUID | str, *, now: datetime, actor: str, note: str) -> int:
    """Ask again every invoice of a creditor that waits for payment data; returns how many."""
    detail = to_json({"source": note}).decode()
    given = {"creditor": str(creditor_id), "at": now, "kind": CAUGHT_UP, "detail": detail, "actor": actor, "note": note}
    return int(session.execute(_RING_WAITING, given).scalar_one())


def tell_operations(session: Session, creditor_id: UUID | str, late: Sequence[Feed], *, zone: str, now: datetime) -> None:
    """Ask a person to see to late sources: once for each lateness of each."""
    for feed in late:
        since = feed.complete_to.isoformat() if feed.complete_to else feed.seen_at.isoformat() if feed.seen_at else "never"
        open_task(
            session, creditor_id=creditor_id, kind=LATE, key=f"{feed.name}:{since}", due_at=now + timedelta(hours=4), now=now,
            why=f"payments are not all known: {said([feed], zone)}; overdue rungs and verdicts on promises wait for it",
        )  # fmt: skip


def watch(session: Session, *, now: datetime) -> int:
    """Tell operations of every source that is late now, though no invoice waits yet; returns how many are."""
    rows = session.execute(
        text(
            "select f.creditor_id, c.zone, c.country, f.name, f.kind, f.complete_to, f.seen_at, f.fresh_minutes, f.expected_by"
            " from payment_source f join creditor c on c.id = f.creditor_id order by f.creditor_id, f.name"
        )
    ).all()
    late = 0
    for row in rows:
        feed = Feed(**{name: row._mapping[name] for name in Feed.model_fields})
        if is_late(feed, now, row.zone, row.country):
            tell_operations(session, row.creditor_id, [feed], zone=row.zone, now=now)
            late += 1
    return late
