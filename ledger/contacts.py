"""The life of one contact: claimed, calling, accepted, delivered, failed or unknown, forward only (design I2, I3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact, tell
from ledger.sealing import Sealer
from ledger.steps import local_columns
from policies.facts import InvoiceFacts
from policies.steps import Contact

CLAIM_SECONDS = 5
"""A call that has not begun so long after its claim must be checked again (I3)."""
AGAIN = "again: "
"""Begins why_failed of an attempt that surely did not go out, so that its channel may be tried again."""

_CLAIM = text(
    """
    insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel, template,
        state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min, claim_until, claim_revision, late_days,
        provider, step_id)
    values (:id, :creditor, :account, :invoice, :person, :address, :key,
        (select coalesce(max(attempt), 0) + 1 from contact where invoice_id = :invoice and key = :key),
        :rung, :channel, :template, 'claimed', :amount, :currency, :at, :zone, :local, :day, :offset, :until, :revision, :late,
        :provider, :step)
    """
)

_CALL = text(
    """
    update contact k set state = 'calling', text_version = :version
    from invoice i where k.id = :id and k.state = 'claimed' and k.claim_until > :now and i.id = k.invoice_id
        and i.revision = k.claim_revision
    returning k.id
    """
)


class Claimed(NamedTuple):
    """A right to make one call, until `until`."""

    id: UUID
    until: datetime


class Settled(NamedTuple):
    """How an attempt ended, and whether the ladder had meanwhile taken it for unknown."""

    was: str
    invoice_id: UUID


def settle_leftovers(session: Session, invoice_id: UUID | str, now: datetime) -> None:
    """What a killed worker left behind: an unused claim is void; a call that had begun has an unknown outcome.

    Called under the debtor's lock by the only activity that runs for this invoice. A zombie that still runs finds its claim
    void, or settles the unknown by its own result.
    """
    left = session.execute(
        text(
            "update contact set state = case state when 'claimed' then 'failed' else 'unknown' end, settled_at = :now,"
            " why_failed = case state when 'claimed' then cast(:void as text) else 'the worker stopped during the call' end"
            " where invoice_id = :invoice and state in ('claimed', 'calling') returning id, key, channel, state"
        ),
        {"invoice": str(invoice_id), "now": now, "void": AGAIN + "the claim was never used"},
    ).all()
    for row in left:
        if row.state == "unknown":
            detail = {"contact": str(row.id), "key": row.key, "channel": row.channel}
            tell(session, invoice_id, at=now, kind="outcome_unknown", detail=detail)


def claim(session: Session, facts: InvoiceFacts, step: Contact, step_id: int, *, provider: str, now: datetime) -> Claimed:
    """Take the right to make this contact, under the debtor's lock; the unique key refuses a second one (I2)."""
    until = min(step.window_ends, now + timedelta(seconds=CLAIM_SECONDS))
    contact_id = uuid4()
    session.execute(
        _CLAIM,
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
            **local_columns(now, facts.zone),
        },
    )
    return Claimed(contact_id, until)


def start_call(session: Session, contact_id: UUID, *, text_version: str, now: datetime) -> bool:
    """Mark the call as begun; False when the claim has run out or a fact came in between: then it is void and asked again."""
    return session.execute(_CALL, {"id": str(contact_id), "version": text_version, "now": now}).one_or_none() is not None


def void_claim(session: Session, contact_id: UUID, *, why: str, now: datetime) -> None:
    """Give an unused claim back; it surely did not go out."""
    session.execute(
        text("update contact set state = 'failed', why_failed = :why, settled_at = :now where id = :id and state = 'claimed'"),
        {"id": str(contact_id), "why": AGAIN + why, "now": now},
    )


def give_up(session: Session, contact_id: UUID, *, why: str, now: datetime) -> None:
    """End a claim whose call cannot be made on this channel at all; it is not tried again there."""
    row = session.execute(
        text(
            "update contact set state = 'failed', why_failed = :why, settled_at = :now where id = :id and state = 'claimed'"
            " returning invoice_id, key, rung, channel"
        ),
        {"id": str(contact_id), "why": why, "now": now},
    ).one_or_none()
    if row is not None:
        detail = {"contact": str(contact_id), "key": row.key, "rung": row.rung, "channel": row.channel, "why": why}
        tell(session, row.invoice_id, at=now, kind="contact_failed", detail=detail)


def finish(
    session: Session, contact_id: UUID, *, state: str, now: datetime, provider_ref: str = "", why: str = ""
) -> Settled | None:
    """Record how the call ended: accepted, failed or unknown; None when a receipt was quicker and said more."""
    row = session.execute(
        text(
            """
            with old as (select id, state from contact where id = :id for update)
            update contact k set state = :state, provider_ref = nullif(:ref, ''), why_failed = nullif(:why, ''), settled_at = :now
            from old where k.id = old.id and old.state in ('calling', 'unknown')
            returning old.state as was, k.invoice_id, k.key, k.rung, k.channel, k.amount_minor, k.currency, k.late_days
            """
        ),
        {"id": str(contact_id), "state": state, "ref": provider_ref, "why": why, "now": now},
    ).one_or_none()
    if row is None:
        session.execute(
            text("update contact set provider_ref = coalesce(provider_ref, nullif(:ref, '')) where id = :id"),
            {"id": str(contact_id), "ref": provider_ref},
        )
        return None
    detail: dict[str, Any] = {"contact": str(contact_id), "key": row.key, "rung": row.rung, "channel": row.channel}
    kind = {"accepted": "contacted", "failed": "contact_failed", "unknown": "outcome_unknown"}[state]
    if state == "accepted":
        detail |= {"amount_minor": row.amount_minor, "currency": row.currency}
        if row.late_days:
            detail["late_days"] = row.late_days
    else:
        detail["why"] = why
    if row.was == "unknown" and state != "unknown":
        note_fact(session, row.invoice_id, at=now, kind="outcome_known", detail=detail, note=f"{row.key} {state}")
    else:
        tell(session, row.invoice_id, at=now, kind=kind, detail=detail)
    return Settled(row.was, row.invoice_id)


def keep_body(session: Session, sealer: Sealer, contact_id: UUID, *, creditor_id: str, person_id: str, body: str) -> None:
    """Keep a message as it was sent, sealed under its person's key; erasing the person makes it unreadable."""
    wrapped = session.execute(text("select data_key from person where id = :id"), {"id": person_id}).scalar_one()
    sealed = sealer.seal_under(sealer.unwrap(wrapped), body.encode())
    session.execute(
        text("insert into message_body (contact_id, creditor_id, person_id, sealed) values (:k, :c, :p, :sealed)"),
        {"k": str(contact_id), "c": creditor_id, "p": person_id, "sealed": sealed},
    )
