"""The life of one contact: claimed, calling, accepted, delivered, failed or unknown, forward only (design I2, I3).

A message may be for several rungs (F38): one row leads, the others are folded into it and go its way; each of these invoices is
told, so that its workflow asks what comes next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact, tell
from ledger.sealing import Sealer
from ledger.session import Prepared
from ledger.steps import local_columns
from policies.facts import InvoiceFacts
from policies.steps import Contact

CLAIM_SECONDS = 5
"""A call that has not begun so long after its claim must be checked again (I3)."""
AGAIN = "again: "
"""Begins why_failed of an attempt that surely did not go out, so that its channel may be tried again."""

_CLAIM = Prepared(
    "claim",
    """
    insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel, template,
        state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min, claim_until, claim_revision, late_days,
        provider, step_id, folded_into)
    values (:id, :creditor, :account, :invoice, :person, :address, :key,
        (select coalesce(max(attempt), 0) + 1 from contact where invoice_id = :invoice and key = :key),
        :rung, :channel, :template, 'claimed', :amount, :currency, :at, :zone, :local, :day, :offset, :until, :revision, :late,
        :provider, :step, :into)
    """,
    id="uuid", creditor="uuid", account="uuid", invoice="uuid", person="uuid", address="uuid", key="text", rung="text",
    channel="text", template="text", amount="bigint", currency="text", at="timestamptz", zone="text", local="timestamp",
    day="date", offset="int", until="timestamptz", revision="bigint", late="int", provider="text", step="bigint", into="uuid",
)  # fmt: skip

_CALL = Prepared(
    "call",
    """
    update contact k set state = 'calling', text_version = :version, register = :register
    where (k.id = :id or k.folded_into = :id) and k.state = 'claimed' and not exists (
        select 1 from contact o join invoice i on i.id = o.invoice_id where (o.id = :id or o.folded_into = :id)
            and (o.state <> 'claimed' or o.claim_until <= :now or i.revision <> o.claim_revision))
        and not exists (select 1 from inbox b where b.creditor_id = k.creditor_id and b.result is null and (b.account_id is null
            or b.account_id in (select o.account_id from contact o where o.id = :id or o.folded_into = :id)))
    returning k.id
    """,
    id="uuid", version="text", register="text", now="timestamptz",
)  # fmt: skip

_FINISH = Prepared(
    "finish",
    """
    with old as (select id, state from contact where id = :id or folded_into = :id order by id for update)
    update contact k set state = :state, why_failed = nullif(:why, ''), settled_at = :now,
        provider_ref = case when k.folded_into is null then nullif(:ref, '') end
    from old where k.id = old.id and old.state in ('calling', 'unknown')
    returning old.state as was, k.id, k.folded_into, k.invoice_id, k.key, k.rung, k.channel, k.amount_minor, k.currency,
        k.late_days
    """,
    id="uuid", state="text", ref="text", why="text", now="timestamptz",
)  # fmt: skip

_LEFT = Prepared(
    "leftovers",
    """
    with lead as (select id from contact where invoice_id = :invoice and folded_into is null and state = 'calling')
    update contact k set state = 'unknown', settled_at = :now, why_failed = 'the worker stopped during the call'
    where k.state = 'calling' and (k.id in (select id from lead) or k.folded_into in (select id from lead))
    returning k.id, k.folded_into, k.invoice_id, k.key, k.rung, k.channel
    """,
    invoice="uuid", now="timestamptz",
)  # fmt: skip
_VOID = text(
    "update contact set state = 'failed', why_failed = :why, settled_at = :now"
    " where (id = :id or folded_into = :id) and state = 'claimed'"
    " returning id, folded_into, invoice_id, key, rung, channel, state"
)
_KEEP_BODY = Prepared(
    "keep_body",
    "insert into message_body (contact_id, creditor_id, person_id, sealed) values (:contact, :creditor, :person, :sealed)",
    contact="uuid", creditor="uuid", person="uuid", sealed="bytea",
)  # fmt: skip


class Claimed(NamedTuple):
    """A right to make one call, until `until`."""

    id: UUID
    until: datetime
    provider: str


class Settled(NamedTuple):
    """How an attempt ended, and whether the ladder had meanwhile taken it for unknown."""

    was: str
    invoice_id: UUID


def settle_leftovers(session: Session, invoice_id: UUID | str, now: datetime) -> None:
    """What a killed worker left behind: a call that had begun has an unknown outcome; a claim went with its transaction.

    Called under the debtor's lock by the only activity that runs for this invoice. A zombie that still runs settles the unknown
    by its own result. A rung that went with another invoice's message is settled with that one.
    """
    for row in _LEFT.ask(session, {"invoice": str(invoice_id), "now": now}).all():
        if str(row.invoice_id) != str(invoice_id):
            _ring(session, row, "outcome_unknown", _about(row), now)
        else:
            tell(session, invoice_id, at=now, kind="outcome_unknown", detail=_about(row))


def _about(row: Row[Any]) -> dict[str, Any]:
    """Which attempt an event is about, and of which message it is a part."""
    about: dict[str, Any] = {"contact": str(row.id), "key": row.key, "channel": row.channel}
    return about | ({"message": str(row.folded_into)} if row.folded_into is not None else {})


def _ring(session: Session, row: Row[Any], kind: str, detail: dict[str, Any], now: datetime) -> None:
    """Tell an invoice whose rung went with another's message what became of it: its own workflow does not know."""
    note_fact(session, row.invoice_id, at=now, kind=kind, detail=detail, note=f"{row.rung} by {row.channel}, in one message")


def claim(
    session: Session,
    facts: InvoiceFacts,
    step: Contact,
    step_id: int,
    *,
    provider: str,
    now: datetime,
    into: Claimed | None = None,
) -> Claimed:
    """Take the right to make this contact, under the debtor's lock; the unique key refuses a second one (I2).

    `into`: this rung goes with that message, which was claimed in the same transaction, and is good for as long.
    """
    until = into.until if into else min(step.window_ends, now + timedelta(seconds=CLAIM_SECONDS))
    contact_id = uuid4()
    _CLAIM.later(
        session,
        {
            "id": str(contact_id),
            "creditor": facts.creditor_id,
            "account": facts.account_id,
            "invoice": facts.invoice_id,
            "person": step.person_id,
            "address": step.address_id,
            "key": step.key,
            "rung": step.rung,
            "channel": step.channel.value,
            "template": step.template,
            "amount": step.amount_minor,
            "currency": facts.currency,
            "until": until,
            "revision": facts.revision,
            "late": step.late_days,
            "provider": provider,
            "step": step_id,
            "into": str(into.id) if into else None,
            **local_columns(now, facts.zone),
        },
    )
    return Claimed(contact_id, until, provider)


def went_along(session: Session, invoice_id: UUID | str, now: datetime) -> str:
    """Why an invoice whose moment has come has nothing to send: its rung is part of another's message; empty when it is not."""
    row = session.execute(
        text(
            "select k.rung, k.channel, i.number from contact k join contact m on m.id = k.folded_into"
            " join invoice i on i.id = m.invoice_id where k.invoice_id = :invoice and k.state <> 'failed'"
            " and k.at_utc > :since order by k.at_utc desc limit 1"
        ),
        {"invoice": str(invoice_id), "since": now - timedelta(hours=1)},
    ).one_or_none()
    return f"{row.rung} by {row.channel} is in the message about {row.number}" if row is not None else ""


def start_call(session: Session, contact_id: UUID, *, text_version: str, now: datetime, register: str = "") -> bool:
    """Mark the call as begun; False when the claim has run out by `now`, or a fact came in on any invoice of the message.

    The caller then takes the claim back with its transaction and asks again. `register`: how the text addresses the person.
    """
    given = {"id": str(contact_id), "version": text_version, "register": register, "now": now}
    return _CALL.ask(session, given).first() is not None


def void_claim(session: Session, contact_id: UUID, *, why: str, now: datetime) -> None:
    """Give an unused claim back; it surely did not go out. The caller holds the debtor's lock when others went with it."""
    for row in session.execute(_VOID, {"id": str(contact_id), "why": AGAIN + why, "now": now}).all():
        if row.folded_into is not None:
            _ring(session, row, "claim_void", _about(row), now)


def give_up(session: Session, contact_id: UUID, *, why: str, now: datetime) -> None:
    """End a claim whose call cannot be made on this channel at all; it is not tried again there."""
    for row in session.execute(_VOID, {"id": str(contact_id), "why": why, "now": now}).all():
        detail = _about(row) | {"rung": row.rung, "why": why}
        if row.folded_into is None:
            tell(session, row.invoice_id, at=now, kind="contact_failed", detail=detail)
        else:
            _ring(session, row, "contact_failed", detail, now)


def finish(
    session: Session,
    contact_id: UUID,
    *,
    state: str,
    now: datetime,
    provider_ref: str = "",
    why: str = "",
    again_at: datetime | None = None,
) -> Settled | None:
    """Record how the call ended: accepted, failed or unknown; None when a receipt was quicker and said more.

    `again_at`: the provider asked to be tried again then. Who went with the message waits for that and is not woken before.
    """
    given = {"id": str(contact_id), "state": state, "ref": provider_ref, "why": why, "now": now}
    rows = _FINISH.ask(session, given).all()
    settled: Settled | None = None
    for row in sorted(rows, key=lambda r: (r.folded_into is not None, r.invoice_id, r.key)):
        if row.folded_into is None:
            settled = Settled(row.was, row.invoice_id)
        _say_how_it_ended(session, row, state=state, why=why, now=now, again_at=again_at)
    if settled is None:
        session.execute(
            text("update contact set provider_ref = coalesce(provider_ref, nullif(:ref, '')) where id = :id"),
            {"id": str(contact_id), "ref": provider_ref},
        )
    return settled


def _say_how_it_ended(session: Session, row: Row[Any], *, state: str, why: str, now: datetime, again_at: datetime | None) -> None:
    detail = _about(row) | {"rung": row.rung}
    kind = {"accepted": "contacted", "failed": "contact_failed", "unknown": "outcome_unknown"}[state]
    if state == "accepted":
        detail |= {"amount_minor": row.amount_minor, "currency": row.currency}
        if row.late_days:
            detail["late_days"] = row.late_days
    else:
        detail["why"] = why
    if row.was == "unknown" and state != "unknown":
        note_fact(session, row.invoice_id, at=now, kind="outcome_known", detail=detail, note=f"{row.key} {state}")
    elif row.folded_into is None:
        tell(session, row.invoice_id, at=now, kind=kind, detail=detail)
    elif again_at is None:
        _ring(session, row, kind, detail, now)
    else:
        tell(session, row.invoice_id, at=now, kind=kind, detail=detail)
        # No ring: the message that is tried again takes it along, and reconcile asks it should that not come to pass.
        session.execute(text("update invoice set next_at = :at where id = :id"), {"at": again_at, "id": row.invoice_id})


def keep_body(
    session: Session, sealer: Sealer, contact_id: UUID, *, creditor_id: str, person_id: str, key: bytes, body: str
) -> None:  # fmt: skip
    """Keep a message as it was sent, sealed under its person's `key`; erasing the person makes it unreadable."""
    sealed = sealer.seal_under(key, body.encode())
    _KEEP_BODY.later(session, {"contact": str(contact_id), "creditor": creditor_id, "person": person_id, "sealed": sealed})
