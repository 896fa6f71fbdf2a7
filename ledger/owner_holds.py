"""Stops that a person of the creditor sets: the account owner's hold, once per invoice, and a snooze of the next rung."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import invoices
from ledger.events import note_fact
from ledger.facts import gather
from ledger.holds import locked_invoice, must_owe
from ledger.refusals import Refused
from ledger.staff import may
from policies.calendars import add_working_days
from policies.facts import InvoiceFacts
from policies.ladder import day_start, local_day

OWNER_HOLD_WD_MAX = 5
"""Working days an account owner may hold an invoice, once (playbook 2 and 3)."""
SNOOZE_WD_MAX = 5
"""Working days for which a collector may put off the next rung; a lead may as long as the manual allows a pause."""
SNOOZES_MAX = 2
"""How often collectors may put off one invoice within `SNOOZES_WITHIN`; then a lead decides, so that no pause is for ever."""
SNOOZES_WITHIN = timedelta(days=30)
SNOOZED = "snoozed"

OwnerReason = Literal["sales_talk", "service_issue", "goods_return", "meeting", "agreement_ahead", "other"]
OWNER_REASONS: tuple[str, ...] = get_args(OwnerReason)


def hold_by_owner(
    session: Session, invoice_id: UUID | str, *, working_days: int, reason: str, actor: str, now: datetime
) -> datetime:
    """Hold an invoice for up to five working days, once; returns its end, the start of the day after the last of them.

    Raises Refused: `not-found`, `invoice-closed`, `owner-hold-days`, `owner-hold-reason`, `owner-hold-used`.
    """
    if not 1 <= working_days <= OWNER_HOLD_WD_MAX:
        said = f"an owner's hold lasts 1 to {OWNER_HOLD_WD_MAX} working days: choose fewer, or ask a lead for a pause"
        raise Refused("owner-hold-days", said, status=422)
    if reason not in OWNER_REASONS:
        raise Refused("owner-hold-reason", f"the reason is one of {', '.join(OWNER_REASONS)}", status=422)
    invoice = locked_invoice(session, invoice_id)
    must_owe(invoice)
    used = session.execute(
        text("select until from hold where invoice_id = :id and kind = 'owner' order by created_at limit 1"), {"id": invoice.id}
    ).scalar()
    if used is not None:
        said = f"invoice {invoice.number} was held by its owner before, until {used.date().isoformat()}, and once is the most"
        raise Refused("owner-hold-used", f"{said}: snooze it, open a dispute, or ask a lead for a pause")
    facts, _ = gather(session, invoice_id, now)
    last = add_working_days(local_day(now, facts.zone), working_days, facts.country, facts.region)
    until = day_start(last + timedelta(days=1), facts.zone).astimezone(UTC)
    hold_id = uuid4()
    session.execute(
        text(
            "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
            " values (:id, :creditor, :invoice, 'owner', :now, :until, :reason, :actor, :now)"
        ),
        {
            "id": hold_id, "creditor": invoice.creditor_id, "invoice": invoice.id, "now": now, "until": until, "reason": reason,
            "actor": actor,
        },
    )  # fmt: skip
    detail = {"hold": str(hold_id), "until": until.isoformat(), "reason": reason}
    note_fact(session, invoice.id, at=now, kind="owner_hold", detail=detail, actor=actor, note=f"until {last.isoformat()}")
    return until


def snooze_latest(facts: InvoiceFacts, pause_days_max: int, role: str, now: datetime) -> date:
    """The last day until which somebody of that role may put off the next rung of an invoice."""
    today = local_day(now, facts.zone)
    by_manual = today + timedelta(days=pause_days_max)
    if may(role, "lead"):
        return by_manual
    return min(add_working_days(today, SNOOZE_WD_MAX, facts.country, facts.region), by_manual)


def snooze(session: Session, invoice_id: UUID | str, *, until_on: date, role: str, actor: str, now: datetime) -> datetime:
    """Put off what comes next until the beginning of a day; it goes on by itself then. Returns that instant.

    Raises Refused: `not-found`, `invoice-closed`, `snooze-end`, `snoozed-often`.
    """
    invoice = locked_invoice(session, invoice_id)
    must_owe(invoice)
    facts, manual = gather(session, invoice_id, now)
    today, latest = local_day(now, facts.zone), snooze_latest(facts, manual.pauses.pause_days_max, role, now)
    if not today < until_on <= latest:
        said = f"put it off until a day from {(today + timedelta(days=1)).isoformat()} to {latest.isoformat()}"
        beyond = "" if may(role, "lead") else "; a lead may allow longer"
        raise Refused("snooze-end", said + beyond, status=422, more={"latest": latest.isoformat()})
    if not may(role, "lead"):
        times = session.execute(
            text(
                "select count(*) from hold where invoice_id = :id and kind = 'pause' and reason = :reason and created_at > :since"
            ),
            {"id": invoice.id, "reason": SNOOZED, "since": now - SNOOZES_WITHIN},
        ).scalar_one()
        if times >= SNOOZES_MAX:
            said = f"invoice {invoice.number} was put off {times} times within {SNOOZES_WITHIN.days} days"
            raise Refused("snoozed-often", f"{said}: ask a lead, or agree a date with the customer")
    until = datetime.combine(until_on, datetime.min.time(), ZoneInfo(facts.zone)).astimezone(UTC)
    invoices.pause(session, invoice.id, until=until, reason=SNOOZED, now=now, actor=actor)
    return until


def go_on(session: Session, invoice_id: UUID | str, *, actor: str, now: datetime) -> None:
    """End the present pause, snooze or owner's hold before its time. Raises Refused `not-found`, `nothing-to-resume`."""
    invoice = locked_invoice(session, invoice_id)
    resumed = invoices.resume(session, invoice.id, now=now, reason="resumed", actor=actor)
    released = session.execute(
        text(
            "update hold set released_at = :now, release_why = 'resumed' where invoice_id = :id and kind = 'owner'"
            " and released_at is null and until > :now returning id"
        ),
        {"now": now, "id": invoice.id},
    ).scalar()
    if released is not None:
        note_fact(session, invoice.id, at=now, kind="owner_hold_ended", detail={"hold": str(released)}, actor=actor)
    if not resumed and released is None:
        raise Refused("nothing-to-resume", f"invoice {invoice.number} is neither paused nor held by its owner")
