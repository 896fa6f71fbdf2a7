"""A customer who says that they are insolvent: heard at once, held for two working days, and looked at by a person.

Anybody who holds a link to the customer's page can say it. Only a person's yes makes it a stop that lasts (playbook 3); without
one the claim ends by itself, and said again it stops nothing more until somebody has looked.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import stops
from ledger.refusals import Refused
from ledger.tasks import open_task
from policies.calendars import add_working_days
from policies.facts import InvoiceFacts
from policies.ladder import day_start, local_day

CLAIMED = "insolvency_claimed"
TASK = "confirm_insolvency"
REVIEW_WD = 2
"""Working days of the customer's place until which a person looks, and for which the account is held."""
REVIEW_DAYS = 90
ANSWERS = ("confirmed", "not_confirmed")


def claim(session: Session, facts: InvoiceFacts, *, opened_on: date, actor: str, now: datetime) -> bool:
    """Hold the account while a person looks; False where a claim was held before, or a stop stands: that opens a task only.

    Takes the debtor's lock.
    """
    before = session.execute(
        text(
            "select exists (select 1 from suppression where account_id = :account and (reason = :claimed"
            " or reason = 'insolvency' and lifted_at is null))"
        ),
        {"account": facts.account_id, "claimed": CLAIMED},
    ).scalar_one()
    last = add_working_days(local_day(now, facts.zone), REVIEW_WD, facts.country, facts.region)
    until = day_start(last + timedelta(days=1), facts.zone).astimezone(UTC)
    if not before:
        stops.suppress(
            session, facts.account_id, reason=CLAIMED, evidence="said by the customer", until=until, actor=actor, now=now,
            opened_on=opened_on,
        )  # fmt: skip
    held = "nothing is sent until then" if not before else "it was held for that before, and is not held again"
    open_task(
        session, creditor_id=facts.creditor_id, invoice_id=facts.invoice_id, account_id=facts.account_id, kind=TASK,
        key=f"{facts.account_id}:{local_day(now, facts.zone).isoformat()}", due_at=until, now=now,
        why=f"the customer says that insolvency was opened on {opened_on.isoformat()}: look it up and say; {held}",
    )  # fmt: skip
    return not before


def answered(session: Session, account_id: UUID | str, outcome: str, *, actor: str, now: datetime) -> None:
    """A person looked: confirmed, it is a stop until it is lifted; not confirmed, the account goes on at once.

    Raises Refused `task-outcome`.
    """
    if outcome not in ANSWERS:
        raise Refused("task-outcome", f"say what you found: {' or '.join(ANSWERS)}", status=422)
    claims = session.execute(
        text(
            "select id, opened_on, lifted_at from suppression where account_id = :account and reason = :claimed"
            " order by created_at desc"
        ),
        {"account": str(account_id), "claimed": CLAIMED},
    ).all()
    if outcome == "confirmed":
        opened_on = claims[0].opened_on if claims else None
        stops.suppress(
            session, account_id, reason="insolvency", evidence="confirmed by a person", until=now + timedelta(days=REVIEW_DAYS),
            actor=actor, now=now, opened_on=opened_on,
        )  # fmt: skip
    for each in claims:
        if each.lifted_at is None:
            stops.lift(session, each.id, actor=actor, now=now)
