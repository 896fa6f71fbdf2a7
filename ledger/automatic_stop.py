"""Sending that stops by itself: when bounces, "already paid" answers or opt-outs pass what the creditor allows (playbook 7).

Counted over the messages of the last 24 hours, and over the last so many, since the last such stop; too few prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.audit import note_act
from ledger.stops import stop_creditor
from ledger.tasks import open_task
from policies.calendars import add_working_days
from policies.ladder import day_start, local_day
from policies.start_model import StartTerms, StopLimits

TASK = "automatic_stop"
AUTOMATIC = "automatic: "
"""Begins the reason of a creditor's stop that nobody set by hand."""
_DAY = timedelta(hours=24)
_LOOKS_BACK = timedelta(days=14)
"""The last messages of a quiet creditor are not looked for any further back."""

_WATCHED = text(
    """
    select c.id, c.zone, c.country, c.settings -> 'start' as start, t.last
    from creditor c, lateral (select max(created_at) as last from task where creditor_id = c.id and kind = :task) t
    where (c.stopped_until is null or c.stopped_until <= :now)
        and exists (select 1 from contact k where k.creditor_id = c.id and k.at_utc > :since)
    order by c.id
    """
)

_COUNT = text(
    """
    with latest as (
        select k.id, k.at_utc, k.address_id from contact k
        where k.creditor_id = :creditor and k.at_utc > :since and k.folded_into is null and k.missent_id is null
            and k.state in ('accepted', 'delivered', 'unknown', 'failed') and coalesce(k.why_failed, '') not like 'again:%'
        order by k.at_utc desc limit :most
    )
    select count(*) as messages,
        count(*) filter (where exists (select 1 from receipt r where r.contact_id = l.id and r.status = 'failed')) as bounces,
        count(*) filter (where exists (select 1 from hold h join contact f on f.invoice_id = h.invoice_id
            where (f.id = l.id or f.folded_into = l.id) and h.kind = 'already_paid' and h.created_at >= l.at_utc))
            as already_paid,
        count(*) filter (where exists (select 1 from address a where a.id = l.address_id and a.consent = 'withdrawn'
            and a.consent_at >= l.at_utc)) as opt_outs
    from latest l
    """
)


@dataclass(frozen=True)
class Passed:
    """A limit that was passed: what, how many of how many messages, and the limit in percent."""

    what: str
    count: int
    messages: int
    limit_pct: float

    @property
    def said(self) -> str:
        """`3 of 40 messages bounced (7.5 %, at most 5 %)`."""
        verb = {"bounces": "bounced", "already_paid": "were answered with 'already paid'", "opt_outs": "brought an opt-out"}
        share = f"{100 * self.count / self.messages:.1f} %, at most {self.limit_pct:g} %"
        return f"{self.count} of {self.messages} messages {verb[self.what]} ({share})"


def stop_what_goes_wrong(session: Session, now: datetime) -> list[tuple[UUID, Passed]]:
    """Look at every creditor that sent lately and stop those that passed a limit; returns whom and why. One stop each."""
    found = []
    given = {"task": TASK, "now": now, "since": now - _LOOKS_BACK}
    for row in session.execute(_WATCHED, given).all():
        limits = StartTerms.model_validate(row.start or {}).stop
        passed = _passed(session, row, limits, now) if limits is not None else None
        if limits is not None and passed is not None:
            _stop(session, row, limits, passed, now)
            found.append((row.id, passed))
    return found


def _passed(session: Session, creditor: Row[Any], limits: StopLimits, now: datetime) -> Passed | None:
    """The first limit that is passed: of the last day, else of the last messages."""
    known = creditor.last or now - _LOOKS_BACK
    for since, most in ((max(known, now - _DAY), 1_000_000), (max(known, now - _LOOKS_BACK), limits.contacts)):
        counted = session.execute(_COUNT, {"creditor": creditor.id, "since": since, "most": most}).one()
        if counted.messages < limits.sample_min:
            continue
        for what, count, limit_pct in (
            ("bounces", counted.bounces, limits.bounces_pct),
            ("already_paid", counted.already_paid, limits.already_paid_pct),
            ("opt_outs", counted.opt_outs, limits.opt_outs_pct),
        ):
            if 100 * count > limit_pct * counted.messages:
                return Passed(what, count, counted.messages, limit_pct)
    return None


def _stop(session: Session, creditor: Row[Any], limits: StopLimits, passed: Passed, now: datetime) -> None:
    last = add_working_days(local_day(now, creditor.zone), limits.stop_wd, creditor.country)
    until = day_start(last + timedelta(days=1), creditor.zone)
    stop_creditor(session, creditor.id, until=until, reason=AUTOMATIC + passed.said, actor="puntual", now=now)
    open_task(
        session, creditor_id=creditor.id, kind=TASK, key=now.isoformat(), due_at=until, now=now,
        why=f"sending stopped by itself: {passed.said}; find out why, then let it go on",
    )  # fmt: skip
    detail = {"what": passed.what, "count": passed.count, "messages": passed.messages, "until": until.isoformat()}
    note_act(
        session, creditor.id, actor="puntual", act="stop.automatic", subject=f"creditor:{creditor.id}", detail=detail, now=now
    )
