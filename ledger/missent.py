"""A batch that should not have gone: who got it, one apology for each person, and the counters as they were before.

One person proposes what is done about it and a second one approves it. The messages stay in the timeline and the law goes on
counting them; the house's own limits do not, and their rungs may go out again where that was asked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.audit import note_act
from ledger.events import note_fact
from ledger.refusals import Refused, not_found
from ledger.tasks import close_task, open_task

TASK = "approve_missent"
DECIDE_WITHIN = timedelta(days=2)
APOLOGY_WITHIN = timedelta(days=10)
"""The law's weekly limits may hold it back; later it would only remind of the mistake."""
REACHES_BACK = timedelta(days=90)

_GOT_IT = """
    from contact k join account a on a.id = k.account_id
    where k.creditor_id = :creditor and k.at_utc >= :since and k.at_utc < :until and k.missent_id is null
        and k.state in ('accepted', 'delivered', 'unknown', 'calling') and k.template <> 'apology'
        and (:rung = '' or k.rung = :rung) and (:template = '' or k.template = :template)
        and (cast(:day as date) is null or exists (select 1 from approval p
            where p.invoice_id = k.invoice_id and p.key = k.key and p.for_day = :day))
"""


@dataclass(frozen=True)
class Batch:
    """Which contacts are meant: those that left from `since` until `until` (excluded), of a rung, a text or a day's list."""

    since: datetime
    until: datetime
    rung: str = ""
    template: str = ""
    list_day: date | None = None

    def given(self, creditor_id: UUID | str) -> dict[str, Any]:
        return {
            "creditor": str(creditor_id), "since": self.since, "until": self.until, "rung": self.rung,
            "template": self.template, "day": self.list_day,
        }  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Who got a batch: rows of contacts, oldest first, and counts of what people ask about."""

    rows: list[Row[Any]]

    @property
    def people(self) -> int:
        return len({row.person_id for row in self.rows})

    @property
    def messages(self) -> int:
        """Rungs that went in another's message are part of that one."""
        return sum(row.folded_into is None for row in self.rows)

    @property
    def accounts(self) -> list[str]:
        """The creditor's own references."""
        return sorted({row.account_ref for row in self.rows})

    @property
    def by_rung(self) -> list[tuple[str, str, int]]:
        """Rung, channel and how many."""
        counts = Counter((row.rung, row.channel) for row in self.rows)
        return [(rung, channel, count) for (rung, channel), count in sorted(counts.items())]


def find(session: Session, creditor_id: UUID | str, batch: Batch) -> Found:
    """Who got it. What failed reached nobody. Raises Refused `window` for one that ends before it begins or is too long."""
    if not timedelta() < batch.until - batch.since <= REACHES_BACK:
        raise Refused("window", f"the batch needs an end after its beginning, at most {REACHES_BACK.days} days later", status=422)
    columns = (
        "select k.id, k.invoice_id, k.account_id, k.person_id, k.key, k.rung, k.channel, k.template, k.state, k.at_utc,"
        " k.folded_into, a.ref as account_ref"
    )
    rows = session.execute(text(f"{columns} {_GOT_IT} order by k.at_utc, k.id"), batch.given(creditor_id)).all()
    return Found(list(rows))


def propose(
    session: Session, creditor_id: UUID | str, batch: Batch, *, apologise: bool, give_back: bool, reason: str, actor: str,
    now: datetime,
) -> UUID:  # fmt: skip
    """Ask a second person to approve what is done about a batch; returns its id.

    `give_back`: the rungs may go out again, rightly. `reason` is a sentence of the house without personal data. Raises Refused
    `window`, `nobody-got-it`.
    """
    found = find(session, creditor_id, batch)
    if not found.rows:
        raise Refused("nobody-got-it", "nobody got such a message in that time: look at the hours and the rung again", status=422)
    missent_id = uuid4()
    session.execute(
        text(
            "insert into missent (id, creditor_id, sent_from, sent_until, rung, template, list_day, apologise, give_back, reason,"
            " contacts, proposed_by, proposed_at) values (:id, :creditor, :since, :until, :rung, :template, :day, :apologise,"
            " :back, :reason, :contacts, :actor, :now)"
        ),
        {
            **batch.given(creditor_id), "id": missent_id, "apologise": apologise, "back": give_back, "reason": reason[:200],
            "contacts": len(found.rows), "actor": actor, "now": now,
        },
    )  # fmt: skip
    done = "an apology and " if apologise else ""
    open_task(
        session, creditor_id=creditor_id, kind=TASK, key=str(missent_id), due_at=now + DECIDE_WITHIN, now=now,
        why=f"{len(found.rows)} contacts went out by mistake: a second person approves {done}what is not counted",
    )  # fmt: skip
    detail = {"contacts": len(found.rows), "people": found.people, "apologise": apologise, "give_back": give_back}
    note_act(session, creditor_id, actor=actor, act="missent.propose", subject=f"missent:{missent_id}", detail=detail, now=now)
    return missent_id


def _waiting(session: Session, missent_id: UUID | str) -> Row[Any]:
    row = session.execute(text("select * from missent where id = :id for update"), {"id": str(missent_id)}).one_or_none()
    if row is None:
        raise not_found("batch", missent_id)
    if row.state != "proposed":
        raise Refused("decided-before", f"this batch was {row.state} by {row.decided_by}")
    return row


def approve(session: Session, missent_id: UUID | str, *, actor: str, now: datetime) -> Found:
    """Do it: the contacts that the batch now holds no longer count, and each person gets one apology by the same channel.

    Every invoice is told and asked again, also one that is closed. Raises Refused `not-found`, `decided-before`, `same-person`.
    """
    row = _waiting(session, missent_id)
    if actor == row.proposed_by:
        raise Refused("same-person", "a second person approves this: ask another lead or an admin", status=403)
    batch = Batch(row.sent_from, row.sent_until, row.rung, row.template, row.list_day)
    found = find(session, row.creditor_id, batch)
    session.execute(
        text("update contact set missent_id = :id, given_back = :back where id = any(cast(:ids as uuid[]))"),
        {"id": row.id, "back": row.give_back, "ids": [str(one.id) for one in found.rows]},
    )
    if row.apologise:
        _apologise(session, row, found, now)
    for invoice_id in sorted({one.invoice_id for one in found.rows}, key=str):
        keys = [one.key for one in found.rows if one.invoice_id == invoice_id]
        detail = {"missent": str(row.id), "keys": keys, "given_back": row.give_back, "apology": row.apologise}
        note_fact(session, invoice_id, at=now, kind="missent", detail=detail, actor=actor, note=", ".join(keys))
    _decided(session, row, "approved", len(found.rows), actor, now)
    return found


def decline(session: Session, missent_id: UUID | str, *, actor: str, now: datetime) -> None:
    """Leave everything as it is. Raises Refused `not-found`, `decided-before`."""
    row = _waiting(session, missent_id)
    _decided(session, row, "declined", row.contacts, actor, now)


def _apologise(session: Session, row: Row[Any], found: Found, now: datetime) -> None:
    # Messages first: an apology names the invoice of the message, not of what went along with it.
    for one in sorted(found.rows, key=lambda c: (c.folded_into is not None, c.at_utc, c.id)):
        if one.channel == "voice":
            continue  # a call without an answer told nothing that one could be sorry for
        session.execute(
            text(
                "insert into apology (id, creditor_id, missent_id, invoice_id, person_id, channel, until)"
                " values (:id, :creditor, :missent, :invoice, :person, :channel, :until) on conflict do nothing"
            ),
            {
                "id": uuid4(), "creditor": row.creditor_id, "missent": row.id, "invoice": one.invoice_id,
                "person": one.person_id, "channel": one.channel, "until": now + APOLOGY_WITHIN,
            },
        )  # fmt: skip


def _decided(session: Session, row: Row[Any], state: str, contacts: int, actor: str, now: datetime) -> None:
    session.execute(
        text(
            "update missent set state = :state, contacts = :contacts, decided_by = :actor, decided_at = :now where id = :id"
        ),
        {"state": state, "contacts": contacts, "actor": actor, "now": now, "id": row.id},
    )  # fmt: skip
    close_task(session, creditor_id=row.creditor_id, kind=TASK, key=str(row.id), outcome=state, now=now)
    note_act(
        session, row.creditor_id, actor=actor, act=f"missent.{state}", subject=f"missent:{row.id}",
        detail={"contacts": contacts}, now=now,
    )  # fmt: skip


def batches(session: Session, *, limit: int = 50) -> list[Row[Any]]:
    """The creditor's batches, newest first, each with how many of its apologies went out."""
    return list(
        session.execute(
            text(
                "select m.*, (select count(*) from apology x where x.missent_id = m.id) as apologies,"
                " (select count(*) from apology x join contact k on k.invoice_id = x.invoice_id and k.template = 'apology'"
                " and k.key = '0.0.apology-' || left(x.id::text, 8) || '.0' and k.state in ('accepted', 'delivered')"
                " where x.missent_id = m.id) as went from missent m order by m.proposed_at desc limit :limit"
            ),
            {"limit": limit},
        )
    )
