"""Stops wider than one invoice, each with a date: an account or a person not to be written to (F50), an exemption (F23), a
creditor's global stop (F93)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.receipts import opt_out
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor
from ledger.tasks import open_task
from policies.facts import PERMANENT_STOPS

REVIEW_DAYS_MAX = 366
"""The longest an account or a creditor may be stopped before a person looks again (I7)."""


def suppress(
    session: Session, account_id: UUID | str, *, reason: str, evidence: str, until: datetime, actor: str, now: datetime,
    person_id: UUID | str | None = None, opened_on: date | None = None, claim_by: datetime | None = None,
) -> UUID:  # fmt: skip
    """Stop all contact with an account (or one of its people) until a review date; returns the stop's id.

    The reasons of PERMANENT_STOPS hold beyond that date until they are lifted: a task `review_stop` asks a person to look by
    then. The same stop made again renews it: the older one ends with it, so that one `lift` ends both.
    `reason` is a word of holds.SuppressionReason, `evidence` a reference without personal data. An insolvency has the day it was
    opened on: debts issued until then stop, later ones go on, and a person is asked to file the claim by `claim_by` (where
    nobody knows the deadline: to find it out within a week). Raises Refused `not-found` (also for a person who is not of this
    account), `until` when the end is not in the next 366 days.
    """
    _check_until(until, now)
    row = session.execute(text("select id, creditor_id from account where id = :id"), {"id": str(account_id)}).one_or_none()
    if row is None:
        raise not_found("account", account_id)
    lock_debtor(session, row.id)
    if person_id is not None:
        known = text("select 1 from person where id = :person and account_id = :account")
        if session.execute(known, {"person": str(person_id), "account": row.id}).one_or_none() is None:
            raise not_found("person", person_id)
    stop_id = uuid4()
    renewed = reason in PERMANENT_STOPS and _renew(session, row.id, reason, person_id, opened_on, now)
    session.execute(
        text(
            "insert into suppression (id, creditor_id, account_id, person_id, reason, evidence, opened_on, starts_at, until,"
            " created_at) values (:id, :creditor, :account, :person, :reason, :evidence, :opened, :now, :until, :now)"
        ),
        {
            "id": stop_id, "creditor": row.creditor_id, "account": row.id, "person": str(person_id) if person_id else None,
            "reason": reason, "evidence": evidence[:200], "until": until, "now": now, "opened": opened_on,
        },
    )  # fmt: skip
    _void_slots(session, row.id, "suppressed", now)
    detail: dict[str, object] = {"suppression": str(stop_id), "reason": reason, "until": until.isoformat()}
    if person_id is not None:
        detail["person"] = str(person_id)
    if reason in PERMANENT_STOPS:
        open_task(
            session, creditor_id=row.creditor_id, account_id=row.id, kind="review_stop", key=str(stop_id), due_at=until, now=now,
            why=f"{reason}: contact stays stopped until a person lifts the stop or renews it",
        )  # fmt: skip
    if reason == "insolvency":
        detail["opened_on"] = opened_on.isoformat() if opened_on else None
        if claim_by or not renewed:
            _ask_for_claim(session, row, stop_id, claim_by, now)
    _note_open(session, row.id, now, "suppressed", detail, actor, f"{reason} until {until.date().isoformat()}")
    return stop_id


def _renew(
    session: Session, account_id: UUID, reason: str, person_id: UUID | str | None, opened_on: date | None, now: datetime
) -> bool:
    """End the stops that the new one covers, with their reviews; whether there were any."""
    rows = session.execute(
        text(
            "update suppression set lifted_at = :now where account_id = :account and reason = :reason and lifted_at is null"
            " and person_id is not distinct from cast(:person as uuid)"
            " and (cast(:opened as date) is null or opened_on <= cast(:opened as date)) returning id"
        ),
        {
            "now": now,
            "account": account_id,
            "reason": reason,
            "person": str(person_id) if person_id else None,
            "opened": opened_on,
        },
    )
    covered = rows.scalars().all()
    for each in covered:
        _reviewed(session, each, "renewed", now)
    return bool(covered)


def _reviewed(session: Session, suppression_id: UUID, outcome: str, now: datetime) -> None:
    session.execute(
        text(
            "update task set done_at = :now, outcome = :outcome where kind = 'review_stop' and key = :key and done_at is null"
            " and creditor_id = (select creditor_id from suppression where id = :id)"
        ),
        {"now": now, "outcome": outcome, "key": str(suppression_id), "id": suppression_id},
    )


def _void_slots(session: Session, account_id: UUID, why: str, now: datetime) -> None:
    session.execute(
        text(
            "update contact set state = 'failed', why_failed = 'again: the slot is void, ' || :why, settled_at = :now"
            " where account_id = :account and state = 'planned'"
        ),
        {"account": account_id, "why": why, "now": now},
    )


def exempt(session: Session, account_id: UUID, *, until: datetime, reason: str, actor: str, now: datetime) -> int:
    """Send an account no reminders until then (F23); returns how many open invoices it holds. Said again, the new date holds.

    `reason` holds no personal data. Raises Refused `not-found`, `until` when the end is not in the next 366 days.
    """
    _check_until(until, now)
    _exempt_until(session, account_id, until, reason[:200])
    _void_slots(session, account_id, "exempt", now)
    detail = {"until": until.isoformat(), "reason": reason[:200]}
    return _note_open(session, account_id, now, "exempted", detail, actor, f"until {until.date().isoformat()}")


def end_exemption(session: Session, account_id: UUID, *, actor: str, now: datetime) -> int:
    """End an exemption before its date; returns how many open invoices go on. Raises Refused `not-found`, `not-exempt`."""
    before = _exempt_until(session, account_id, None, None)
    if before is None or before <= now:
        raise Refused("not-exempt", "this account is not exempt from reminders")
    detail = {"until": before.isoformat()}
    return _note_open(session, account_id, now, "exemption_ended", detail, actor, "reminders go on")


def _exempt_until(session: Session, account_id: UUID, until: datetime | None, why: str | None) -> datetime | None:
    """Set it under the debtor's lock; returns what it was."""
    asked = {"id": str(account_id), "until": until, "why": why}
    # The row before the debtor's lock, as an invoice that comes in takes them.
    row = session.execute(text("select exempt_until from account where id = :id for no key update"), asked).one_or_none()
    if row is None:
        raise not_found("account", account_id)
    lock_debtor(session, account_id)
    session.execute(text("update account set exempt_until = :until, exempt_why = :why where id = :id"), asked)
    before: datetime | None = row.exempt_until
    return before


def stop_writing_to(session: Session, address_ids: Sequence[UUID], *, now: datetime, proof: str) -> int:
    """Withdraw consent for these addresses wherever this creditor knows them: the same address of another of its accounts or
    people is the same mailbox or telephone (I11). Returns how many had consent before."""
    rows = session.execute(
        text(
            "select a.id, p.account_id from address a join person p on p.id = a.person_id where exists (select 1 from address w"
            " where w.id = any(cast(:ids as uuid[])) and w.creditor_id = a.creditor_id and w.lookup = a.lookup"
            " and w.channel = a.channel) order by p.account_id, a.id"
        ),
        {"ids": [str(each) for each in address_ids]},
    )
    accounts: dict[UUID, list[UUID]] = {}
    for row in rows:
        accounts.setdefault(row.account_id, []).append(row.id)
    return sum(opt_out(session, account, ids, now=now, proof=proof) for account, ids in accounts.items())


def _ask_for_claim(session: Session, account: Row[Any], stop_id: UUID, claim_by: datetime | None, now: datetime) -> None:
    known = "file the claim for what is owed from before the opening"
    why = known if claim_by else f"find out by when claims must be filed, and {known}"
    open_task(
        session, creditor_id=account.creditor_id, account_id=account.id, kind="insolvency_claim", key=str(stop_id),
        why=f"insolvency: {why}", due_at=claim_by or now + timedelta(days=7), now=now,
    )  # fmt: skip


def account_by_ref(session: Session, creditor_id: UUID | str, refs: Sequence[str]) -> UUID | None:
    """The account of one of these references (a personal one was made opaque when it came in), or None."""
    found: UUID | None = session.execute(
        text("select id from account where creditor_id = :creditor and ref = any(:refs) limit 1"),
        {"creditor": str(creditor_id), "refs": list(refs)},
    ).scalar()
    return found


def lift(session: Session, suppression_id: UUID | str, *, actor: str, now: datetime) -> None:
    """End a stop before its date; raises Refused `not-found`, `already-lifted`."""
    row = session.execute(
        text("select id, account_id, lifted_at, reason from suppression where id = :id"), {"id": str(suppression_id)}
    ).one_or_none()
    if row is None:
        raise not_found("suppression", suppression_id)
    lock_debtor(session, row.account_id)
    done = session.execute(
        text("update suppression set lifted_at = :now where id = :id and lifted_at is null returning id"),
        {"id": row.id, "now": now},
    ).scalar()
    if done is None:
        raise Refused("already-lifted", "this stop was lifted before, or ended with the one that renewed it")
    _reviewed(session, row.id, "lifted", now)
    detail = {"suppression": str(row.id), "reason": row.reason}
    _note_open(session, row.account_id, now, "suppression_lifted", detail, actor, str(row.reason))


def stop_creditor(session: Session, creditor_id: UUID | str, *, until: datetime, reason: str, actor: str, now: datetime) -> int:
    """Send nothing for this creditor until then, from the next send on (F93); returns how many open invoices it holds.

    Raises Refused `until`.
    """
    _check_until(until, now)
    session.execute(
        text("update creditor set stopped_until = :until, stopped_why = :why where id = :id"),
        {"until": until, "why": reason[:200], "id": str(creditor_id)},
    )
    return _note_creditor(session, creditor_id, now, "stopped", {"until": until.isoformat(), "reason": reason}, actor, reason)


def resume_creditor(session: Session, creditor_id: UUID | str, *, actor: str, now: datetime) -> int:
    """End the creditor's stop; returns how many open invoices go on. Raises Refused `not-stopped`."""
    done = session.execute(
        text("update creditor set stopped_until = null, stopped_why = null where id = :id and stopped_until > :now returning id"),
        {"id": str(creditor_id), "now": now},
    ).scalar()
    if done is None:
        raise Refused("not-stopped", "sending is not stopped")
    return _note_creditor(session, creditor_id, now, "resumed", {"scope": "creditor"}, actor, "sending goes on")


def _check_until(until: datetime, now: datetime) -> None:
    if not now < until <= now + timedelta(days=REVIEW_DAYS_MAX):
        raise Refused("until", f"a stop needs an end after now and within {REVIEW_DAYS_MAX} days", status=422)


def _note_open(
    session: Session, account_id: UUID, now: datetime, kind: str, detail: Mapping[str, object], actor: str, note: str
) -> int:
    """Every open invoice of the account; returns how many."""
    rows = session.execute(
        text(
            "select i.id from account a join invoice i on i.account_id = a.id where :account in (a.id, a.payer_id)"
            " and i.outcome is null order by i.id"
        ),
        {"account": account_id},
    )
    invoices = rows.scalars().all()
    for invoice_id in invoices:
        note_fact(session, invoice_id, at=now, kind=kind, detail=detail, actor=actor, note=note)
    return len(invoices)


def _note_creditor(
    session: Session, creditor_id: UUID | str, now: datetime, kind: str, detail: Mapping[str, object], actor: str, note: str
) -> int:
    """Every open invoice in id order, so that two such runs never wait for each other."""
    rows = session.execute(
        text("select id from invoice where creditor_id = :c and outcome is null order by id"), {"c": str(creditor_id)}
    )
    invoices = rows.scalars().all()
    for invoice_id in invoices:
        note_fact(session, invoice_id, at=now, kind=kind, detail=detail, actor=actor, note=note)
    return len(invoices)
