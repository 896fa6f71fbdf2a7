"""What an accepted invoice brings along from the system before becomes rows of ours: money, contacts, stage, promise, hold.

They are written in the transaction that accepts the invoice, before anybody plans for it. What they limit (F6, the budget, the
ladder's entry) is read from the same rows as our own contacts and holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import holds, payments
from ledger.events import note_fact
from ledger.facts import gather
from ledger.ids import new_id
from ledger.session import lock_debtor
from ledger.steps import local_columns
from policies.carried import CarriedIn, stage_position
from policies.intake import Intake, Problem, Unreadable
from policies.ladder import day_start
from policies.manual import Manual

SOURCE = "carried"
"""Where payments, contacts, promises and holds come from that the system before knew."""
LONGEST_HOLD = timedelta(days=366)


class Carrying(NamedTuple):
    """One accepted invoice that brings something along."""

    id: str
    account_id: str
    intake: Intake


_CONTACT = text(
    "insert into manual_contact (id, creditor_id, account_id, invoice_id, person_id, ref, channel, direction, outcome, at_utc,"
    " zone, at_local, local_date, utc_offset_min, recorded_at, recorded_by)"
    " select :id, i.creditor_id, i.account_id, i.id, (select n.id from person n where n.account_id = i.account_id"
    " order by n.created_at, n.id limit 1), :ref, :channel, 'out', :outcome, :at, :zone, :local, :day, :offset, :now, :by"
    " from invoice i where i.id = :invoice on conflict (creditor_id, ref) do nothing"
)
_PROMISE = text(
    "with made as (insert into agreement (id, creditor_id, invoice_id, kind, made_at, made_on, grace_days, state, judged_at,"
    " paid_minor, source, actor) select :id, creditor_id, id, 'promise', :now, :today, :grace, :state,"
    " case when :state = 'open' then null else cast(:now as timestamptz) end,"
    " case when :state = 'open' then null else 0 end, :by, :by from invoice where id = :invoice returning id, creditor_id)"
    " insert into milestone (agreement_id, creditor_id, number, due_on, amount_minor) select id, creditor_id, 1, :due, :amount"
    " from made"
)
_HOLD = text(
    "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, reason, actor, created_at)"
    " select :id, creditor_id, id, 'pause', :now, :until, :reason, :by, :now from invoice where id = :invoice"
)


def check_carried(intake: Intake, manual: Manual, now: datetime) -> None:
    """Raises Unreadable for a stage that the manual does not have, and for days that lie in the future."""
    carried = intake.carried
    if carried is None:
        return
    wrong: list[Problem] = []
    try:
        stage_position(manual, str(carried.stage) if carried.stage is not None else "")
    except ValueError as error:
        wrong.append(Problem("/carried/stage", str(error)))
    today = now.astimezone(ZoneInfo(intake.zone)).date()
    for member in ("settled_on", "last_contact_on"):
        day: date | None = getattr(carried, member)
        if day is not None and day > today:
            wrong.append(Problem(f"/carried/{member}", f"it lies in the future ({today} is today): has it happened?"))
    if wrong:
        raise Unreadable(wrong)


def carry_over(session: Session, given: Iterable[Carrying], *, now: datetime) -> None:
    """Write what accepted invoices bring along; takes the debtors' locks in one order."""
    for item in sorted(given, key=lambda each: (each.account_id, each.id)):
        carried = item.intake.carried
        if carried is None:
            continue
        lock_debtor(session, item.account_id)
        _money(session, item, carried, now)
        if carried.last_contact_on is not None:
            _contact(session, item, carried, carried.last_contact_on, now)
        if carried.stage is not None:
            session.execute(
                text("update invoice set carried_stage = :stage where id = :id"), {"stage": str(carried.stage), "id": item.id}
            )
        if carried.promised_on is not None:
            _promise(session, item, carried, carried.promised_on, now)
        if carried.disputed is not None:
            holds.open_dispute(session, item.id, reason=carried.disputed, actor=SOURCE, now=now)
        if carried.hold_until is not None:
            _hold(session, item, carried, carried.hold_until, now)
        detail: dict[str, Any] = carried.model_dump(mode="json", exclude_defaults=True)
        note_fact(session, item.id, at=now, kind="carried_over", detail=detail, actor=SOURCE, note=", ".join(sorted(detail)))


def _money(session: Session, item: Carrying, carried: CarriedIn, now: datetime) -> None:
    """What was paid before. Nobody knows on which day a part came: it counts from the day of issue, in the customer's favour."""
    intake = item.intake
    total = sum(amount for _, _, amount in intake.dues)
    paid = (
        total if carried.settled_on is not None else total - (total if carried.balance_minor is None else carried.balance_minor)
    )
    if paid <= 0:
        return
    on = carried.settled_on or intake.issued_on
    payments.record_payment(
        session, _creditor_of(session, item.id), source=SOURCE, source_ref=intake.number, amount_minor=paid,
        currency=intake.currency, paid_on=on, value_on=on, now=now, invoice_id=item.id,
    )  # fmt: skip


def _contact(session: Session, item: Carrying, carried: CarriedIn, on: date, now: datetime) -> None:
    zone = item.intake.zone
    noon = datetime.combine(on, time(12), ZoneInfo(zone)).astimezone(UTC)
    channel = carried.last_contact_channel or "email"
    spoken = channel in ("voice", "visit")
    session.execute(
        _CONTACT,
        {
            "id": new_id(), "invoice": item.id, "ref": f"{SOURCE}:{item.intake.number}", "channel": channel, "by": SOURCE,
            "outcome": "conversation" if spoken else "delivered", "now": now, **local_columns(min(noon, now), zone),
        },
    )  # fmt: skip


def _promise(session: Session, item: Carrying, carried: CarriedIn, on: date, now: datetime) -> None:
    """A promise that is still to be kept is open; one whose day has passed with money open was broken before."""
    facts, manual = gather(session, item.id, now)
    today = now.astimezone(ZoneInfo(facts.zone)).date()
    grace = manual.promise.grace_days
    state = "open" if on + timedelta(days=grace) >= today else "broken"
    session.execute(
        _PROMISE,
        {
            "id": uuid4(), "invoice": item.id, "now": now, "today": min(today, on), "grace": grace, "state": state, "by": SOURCE,
            "due": on, "amount": min(carried.promised_minor or facts.balance_minor, facts.balance_minor),
        },
    )  # fmt: skip


def _hold(session: Session, item: Carrying, carried: CarriedIn, last_day: date, now: datetime) -> None:
    until = min(day_start(last_day + timedelta(days=1), item.intake.zone), now + LONGEST_HOLD)
    if until > now:
        reason = carried.hold_reason or "agreed_before"
        session.execute(_HOLD, {"id": new_id(), "invoice": item.id, "now": now, "until": until, "reason": reason, "by": SOURCE})


def _creditor_of(session: Session, invoice_id: str) -> UUID:
    found: UUID = session.execute(text("select creditor_id from invoice where id = :id"), {"id": invoice_id}).scalar_one()
    return found
