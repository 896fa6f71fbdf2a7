"""What providers and people say back: a message arrived or not, an address is dead, a person wants no more messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact, tell
from ledger.session import lock_debtor
from ledger.tasks import open_task
from policies.terms import Channel

FIX_CONTACT_WITHIN = timedelta(days=3)
"""How long a person has to find another way to reach the customer."""

Status = Literal["accepted", "delivered", "failed"]

_MOVES: dict[Status, tuple[str, ...]] = {
    "accepted": ("calling", "unknown"),
    "delivered": ("calling", "unknown", "accepted"),
    "failed": ("calling", "unknown", "accepted"),
}
"""From which states a receipt moves a contact. Delivered and failed are final, whatever comes later (design 2)."""


@dataclass(frozen=True)
class Applied:
    """`state` is the contact's after the receipt; `moved` says whether the receipt changed it."""

    contact_id: UUID
    state: str
    moved: bool
    retired: bool


def apply_receipt(
    session: Session,
    contact_id: UUID | str,
    status: Status,
    *,
    at: datetime,
    now: datetime,
    permanent: bool = False,
    reason: str = "",
    provider_ref: str = "",
) -> Applied | None:
    """Move a contact forward, never back, with all rungs that went in its message; None when there is no such contact here.

    A permanent failure retires the address and asks a person for another one, also when the message had been delivered first
    (a late bounce). A failed contact does not count (F36): the workflow asks again and the rung's next channel is tried.
    `reason` is the provider's code, without personal data.
    """
    account = session.execute(text("select account_id from contact where id = :id"), {"id": str(contact_id)}).scalar()
    if account is None:
        return None
    lock_debtor(session, account)
    rows = session.execute(
        text(
            "select id, creditor_id, account_id, invoice_id, address_id, key, channel, state, folded_into from contact"
            " where id = :id or folded_into = :id order by folded_into nulls first, invoice_id, key"
        ),
        {"id": str(contact_id)},
    ).all()
    row = rows[0]
    session.execute(
        text(
            "insert into receipt (creditor_id, contact_id, status, at_utc, detail)"
            " values (:creditor, :contact, :status, :at, :detail)"
        ),
        {"creditor": row.creditor_id, "contact": row.id, "status": status, "at": at, "detail": reason[:200]},
    )
    moving = [one for one in rows if one.state in _MOVES[status]]
    if moving:
        session.execute(
            text(
                "update contact set state = :state, why_failed = case when :failed then :reason else why_failed end,"
                " provider_ref = case when folded_into is null then coalesce(provider_ref, nullif(:ref, '')) end,"
                " settled_at = case when :state = 'accepted' then settled_at else cast(:now as timestamptz) end"
                " where id = any(cast(:ids as uuid[]))"
            ),
            {
                "state": status,
                "ref": provider_ref,
                "failed": status == "failed",
                "reason": reason[:200],
                "now": now,
                "ids": [str(one.id) for one in moving],
            },
        )
    retired = status == "failed" and permanent and retire_address(session, row.address_id, why=reason, now=now, contact_id=row.id)
    for one in rows:
        detail = {"contact": str(one.id), "key": one.key, "channel": one.channel, "status": status, "reason": reason}
        detail |= {"message": str(one.folded_into)} if one.folded_into is not None else {}
        moved = one in moving
        if retired:
            tell(session, one.invoice_id, at=now, kind="contact_failed", detail=detail)
        elif moved and (status == "failed" or one.state == "unknown"):
            kind = "contact_failed" if status == "failed" else "outcome_known"
            note_fact(session, one.invoice_id, at=now, kind=kind, detail=detail, note=f"{one.channel} {one.key} {status}")
        elif moved:
            tell(session, one.invoice_id, at=now, kind=f"contact_{status}", detail=detail)
    return Applied(row.id, status if row in moving else row.state, row in moving, retired)


def opt_out(
    session: Session, account_id: UUID | str, address_ids: Iterable[UUID], *, now: datetime, proof: str, actor: str = "customer",
    at: datetime | None = None, told: str | None = None,
) -> int:  # fmt: skip
    """Withdraw consent for these addresses of one account, at once also for slots already reserved or claimed (I11, F49).

    Returns how many had consent before. `proof` says by which way and event it came, without personal data; `at` is when it was
    said (left out: now), `told` what the timeline says instead of the proof.
    """
    lock_debtor(session, account_id)
    withdrawn = session.execute(
        text(
            "update address set consent = 'withdrawn', consent_at = :at, consent_proof = :proof"
            " where id = any(cast(:ids as uuid[])) and consent <> 'withdrawn' returning id, channel"
        ),
        {"at": at or now, "proof": proof[:200], "ids": [str(a) for a in address_ids]},
    ).all()
    if not withdrawn:
        return 0
    _void_slots(session, [row.id for row in withdrawn], "opted out", now)
    channels = sorted({row.channel for row in withdrawn})
    detail = {"channels": channels, "addresses": [str(row.id) for row in withdrawn], "proof": proof if told is None else told}
    _note_each(session, account_id, now, "opted_out", detail, f"opted out of {', '.join(channels)}", actor)
    return len(withdrawn)


def opt_in(
    session: Session, account_id: UUID | str, address_ids: Iterable[UUID], *, now: datetime, proof: str, actor: str = "customer",
    at: datetime | None = None, told: str | None = None, unknown_too: bool = False,
) -> int:  # fmt: skip
    """The person asks to hear from us again; returns for how many addresses that was news.

    `at` and `told` as for opt_out; `unknown_too`: also where nobody had asked yet, not only where it was withdrawn.
    """
    lock_debtor(session, account_id)
    given = session.execute(
        text(
            "update address set consent = 'given', consent_at = :at, consent_proof = :proof where id = any(cast(:ids as uuid[]))"
            " and (consent = 'withdrawn' or :unknown and consent = 'unknown') returning id, channel"
        ),
        {"at": at or now, "proof": proof[:200], "ids": [str(a) for a in address_ids], "unknown": unknown_too},
    ).all()
    if given:
        channels = sorted({row.channel for row in given})
        detail = {"channels": channels, "addresses": [str(row.id) for row in given], "proof": proof if told is None else told}
        _note_each(session, account_id, now, "opted_in", detail, f"asked to hear by {', '.join(channels)}", actor)
    return len(given)


def addresses_of(session: Session, person_id: UUID | str, channel: Channel | None = None) -> list[UUID]:
    """The ids of a person's addresses, of one channel or of all."""
    found = session.execute(
        text("select id from address where person_id = :person and (cast(:channel as text) is null or channel = :channel)"),
        {"person": str(person_id), "channel": None if channel is None else str(channel)},
    )
    return list(found.scalars())


def told_of(session: Session, address_ids: Iterable[UUID], contact_id: UUID | str | None = None) -> list[UUID]:
    """The invoices of one message, the one that carried it first: of the contact given, else of the last to these addresses.

    That is what a reply is about which names no invoice.
    """
    rows = session.execute(
        text(
            "with message as (select coalesce(k.folded_into, k.id) as id from contact k where case"
            "   when cast(:contact as uuid) is not null then k.id = :contact"
            "   else k.address_id = any(cast(:ids as uuid[])) and k.folded_into is null"
            "     and k.state in ('calling', 'accepted', 'delivered', 'unknown') end"
            "   order by k.at_utc desc, k.id limit 1)"
            " select k.invoice_id from contact k, message m where k.id = m.id or k.folded_into = m.id"
            " order by k.folded_into nulls first, k.id"
        ),
        {"ids": [str(a) for a in address_ids], "contact": str(contact_id) if contact_id else None},
    )
    return list(dict.fromkeys(rows.scalars()))


def retire_address(
    session: Session,
    address_id: UUID | str,
    *,
    why: str,
    now: datetime,
    contact_id: UUID | str | None = None,
    invoice_id: UUID | str | None = None,
) -> bool:
    """Never use an address again, ask a person for another, ring the account's open invoices; False when it was retired before.

    The caller holds the debtor's lock. `why` is the provider's code; `contact_id` or `invoice_id` say where it was found out.
    """
    row = session.execute(
        text(
            "update address a set retired_at = :now, retired_why = :why from person p"
            " where a.id = :id and a.retired_at is null and p.id = a.person_id"
            " returning a.id, a.channel, a.creditor_id, p.account_id"
        ),
        {"now": now, "why": why[:200] or "undeliverable", "id": str(address_id)},
    ).one_or_none()
    if row is None:
        return False
    _void_slots(session, [row.id], "the address is retired", now)
    _ask_for_address(session, row.creditor_id, row.account_id, row.id, row.channel, why, now)
    found = {"contact": contact_id, "invoice": invoice_id}
    detail = {"address": str(row.id), "channel": row.channel, "reason": why, **{k: str(v) for k, v in found.items() if v}}
    _note_each(session, row.account_id, now, "address_retired", detail, f"{row.channel} address retired: {why}")
    return True


def _void_slots(session: Session, address_ids: list[UUID], why: str, now: datetime) -> None:
    """Free the slots reserved for these addresses. A claim is void by the fact itself, which changes the invoice's revision."""
    session.execute(
        text(
            "update contact set state = 'failed', why_failed = :why, settled_at = :now"
            " where address_id = any(cast(:ids as uuid[])) and state = 'planned'"
        ),
        {"why": f"again: the slot is void, {why}", "now": now, "ids": [str(a) for a in address_ids]},
    )


def _ask_for_address(
    session: Session, creditor_id: UUID, account_id: UUID, address_id: UUID, channel: str, reason: str, now: datetime
) -> None:
    open_task(
        session, creditor_id=creditor_id, account_id=account_id, kind="fix_contact", key=str(address_id),
        why=f"the {channel} address does not work ({reason or 'no reason given'}): find another",
        due_at=now + FIX_CONTACT_WITHIN, now=now,
    )  # fmt: skip


def _note_each(
    session: Session,
    account_id: UUID | str,
    now: datetime,
    kind: str,
    detail: Mapping[str, object],
    note: str,
    actor: str = "puntual",
) -> None:
    """A person's or an address's fact concerns every open invoice of the account."""
    open_invoices = session.execute(
        text(
            "select i.id from account a join invoice i on i.account_id = a.id where :account in (a.id, a.payer_id)"
            " and i.outcome is null order by i.id"
        ),
        {"account": str(account_id)},
    ).scalars()
    for invoice_id in open_invoices.all():
        note_fact(session, invoice_id, at=now, kind=kind, detail=detail, actor=actor, note=note)
