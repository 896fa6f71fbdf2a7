"""How a creditor starts: reading and changing what is watched, approved or let go, and counting under a daily ceiling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.audit import note_act
from ledger.events import note_fact
from ledger.refusals import Refused, not_found
from policies.facts import InvoiceFacts
from policies.start_model import CeilingUse, StartFacts, StartMode, StartTerms
from policies.steps import Contact

_APPROVALS = text(
    """
    select distinct on (key) key, channel, person_id::text, amount_minor, state, planned_at, for_day, good_until, decided_by
    from approval where invoice_id = :invoice and state <> 'watched' order by key, for_day desc
    """
)
# What surely did not go out leaves its room to others.
_USED = text(
    """
    select count(*) as every, count(*) filter (where s.channel = :channel) as one
    from counted_send s join contact k on k.id = s.contact_id
    where s.creditor_id = :creditor and s.day = :day
        and not (k.state = 'failed' and coalesce(k.why_failed, '') like 'again:%')
    """
)


def read_start(session: Session, creditor_id: UUID | str) -> StartTerms:
    """What the creditor has chosen; raises Refused `not-found`."""
    row = session.execute(
        text("select settings -> 'start' as start from creditor where id = :id"), {"id": str(creditor_id)}
    ).one_or_none()
    if row is None:
        raise not_found("creditor", creditor_id)
    return StartTerms.model_validate(row.start or {})


def set_start(session: Session, creditor_id: UUID | str, change: Mapping[str, Any], *, actor: str, now: datetime) -> StartTerms:
    """Change the members given; rungs and segments are merged, and one that is `auto` is forgotten. Every plan follows.

    Audited. Raises Refused `not-found`, `invalid-start`.
    """
    row = session.execute(text("select settings from creditor where id = :id for update"), {"id": str(creditor_id)}).one_or_none()
    if row is None:
        raise not_found("creditor", creditor_id)
    before = row.settings.get("start") or {}
    merged = {**before, **change}
    for name in ("rungs", "segments"):
        both = {**before.get(name, {}), **change.get(name, {})}
        merged[name] = {key: mode for key, mode in both.items() if mode != StartMode.AUTO}
    try:
        terms = StartTerms.model_validate(merged)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise Refused("invalid-start", wrong, status=422) from None
    kept = terms.model_dump(mode="json")
    session.execute(
        text("update creditor set settings = settings || cast(:settings as jsonb) where id = :id"),
        {"settings": json.dumps({"start": kept}), "id": str(creditor_id)},
    )
    if kept != StartTerms.model_validate(before).model_dump(mode="json"):
        detail = {"default": terms.default.value, "rungs": kept["rungs"], "segments": kept["segments"]}
        limits = {"ceiling_per_day": terms.ceiling_per_day, "ceilings": kept["ceilings"], "list_at": terms.list_at}
        note_act(
            session, creditor_id, actor=actor, act="start", subject=f"creditor:{creditor_id}", detail=detail | limits, now=now
        )
        _note_open(session, creditor_id, {"default": terms.default.value}, actor, now)
    return terms


def _note_open(session: Session, creditor_id: UUID | str, detail: Mapping[str, Any], actor: str, now: datetime) -> None:
    rows = session.execute(
        text("select id from invoice where creditor_id = :c and outcome is null order by id"), {"c": str(creditor_id)}
    )
    for invoice_id in rows.scalars().all():
        note_fact(
            session, invoice_id, at=now, kind="start_changed", detail=detail, actor=actor, note=f"starts in {detail['default']}"
        )


def start_of(
    session: Session, given: Mapping[str, Any] | None, *, invoice_id: str, creditor_id: str, zone: str, segment: str,
    now: datetime,
) -> StartFacts | None:  # fmt: skip
    """The part of a creditor's start that concerns one invoice; None where everything goes by itself.

    `given` is StartTerms as data, `zone` the creditor's, `segment` the account's own word.
    """
    if not given:
        return None
    terms = StartTerms.model_validate(given)
    if terms.is_plain:
        return None
    approvals = session.execute(_APPROVALS, {"invoice": invoice_id}).mappings().all() if terms.asks else []
    return StartFacts.model_validate(
        {
            "default": terms.default, "rungs": terms.rungs, "segments": terms.segments, "segment": segment,
            "list_at": terms.list_at, "approvals": [dict(row) for row in approvals],
            "ceilings": _ceilings(session, terms, creditor_id, now.astimezone(ZoneInfo(zone)).date()),
        }
    )  # fmt: skip


def _ceilings(session: Session, terms: StartTerms, creditor_id: str, day: date) -> list[CeilingUse]:
    found: list[CeilingUse] = []
    if terms.ceiling_per_day is not None:
        used = session.execute(_USED, {"creditor": creditor_id, "day": day, "channel": ""}).one().every
        found.append(CeilingUse(day=day, per_day=terms.ceiling_per_day, used=used))
    for channel, per_day in sorted(terms.ceilings.items()):
        used = session.execute(_USED, {"creditor": creditor_id, "day": day, "channel": channel.value}).one().one
        found.append(CeilingUse(channel=channel, day=day, per_day=per_day, used=used))
    return found


def with_room(session: Session, facts: InvoiceFacts) -> InvoiceFacts:
    """The facts with the ceilings counted anew under the creditor's own lock, held until the call may begin.

    Two claims never use the same room. It is taken last, after the debtor's lock: who holds it waits for nobody else.
    """
    start = facts.start
    if start is None or not start.ceilings:
        return facts
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:id, 3))"), {"id": facts.creditor_id})
    counted = []
    for use in start.ceilings:
        given = {"creditor": facts.creditor_id, "day": use.day, "channel": use.channel.value if use.channel else ""}
        row = session.execute(_USED, given).one()
        counted.append(use.model_copy(update={"used": row.one if use.channel else row.every}))
    return facts.model_copy(update={"start": start.model_copy(update={"ceilings": tuple(counted)})})


def count_send(session: Session, facts: InvoiceFacts, step: Contact, contact_id: UUID) -> None:
    """Use one of the day's messages, in the transaction of its claim; nothing where the creditor has no ceiling."""
    if facts.start is not None and facts.start.ceilings:
        session.execute(
            text("insert into counted_send (contact_id, creditor_id, day, channel) values (:id, :creditor, :day, :channel)"),
            {
                "id": contact_id, "creditor": facts.creditor_id, "day": facts.start.ceilings[0].day, "channel": step.channel.value
            },
        )  # fmt: skip
