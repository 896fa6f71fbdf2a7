"""One open invoice of Ana in Bogota, and small builders around it, for the policy tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from policies.facts import Agreement, BudgetEntry, Instalment, InvoiceFacts, Milestone, PastContact, PaymentFact
from policies.hours import local_date_of
from policies.terms import AttemptState, Channel, DebtorKind

BOGOTA = "America/Bogota"
TODAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
"""Tuesday 10 March 2026, 10:00 in Bogota."""
MADE_AT = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)


def invoice(balance_minor: int = 100_000, currency: str = "USD", **changes: Any) -> InvoiceFacts:
    """An open invoice due on 1 March 2026; `changes` replace fields."""
    fields: dict[str, Any] = {
        "invoice_id": "inv-1",
        "creditor_id": "cre-1",
        "account_id": "acc-1",
        "order": "F-001",
        "currency": currency,
        "issued_on": date(2026, 2, 1),
        "entered_at": datetime(2026, 2, 1, 15, 0, tzinfo=UTC),
        "status": "open",
        "cycle": 1,
        "cycle_started_at": datetime(2026, 2, 1, 15, 0, tzinfo=UTC),
        "revision": 1,
        "instalments": (Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=balance_minor, balance_minor=balance_minor),),
        "kind": DebtorKind.CONSUMER,
        "country": "CO",
        "zone": BOGOTA,
        "place_of_payment": "CO",
        "creditor_zone": BOGOTA,
        "creditor_country": "CO",
        "manual_id": "m",
    }
    return InvoiceFacts(**(fields | changes))


def agreement(
    *sums: tuple[date, int], kind: str = "promise", state: str = "open", grace_days: int = 2, made_at: datetime = MADE_AT
) -> Agreement:
    """An agreement of 1 March 2026 with these (date, sum) milestones."""
    milestones = tuple(Milestone(number=i, due_on=on, amount_minor=amount) for i, (on, amount) in enumerate(sums, 1))
    fields: dict[str, Any] = {"kind": kind, "state": state}
    return Agreement(id="agr-1", made_at=made_at, made_on=made_at.date(), grace_days=grace_days, milestones=milestones, **fields)


def paid(on: date, amount_minor: int, recorded_at: datetime | None = None) -> PaymentFact:
    """Money of that payer's date, recorded at noon of it unless said otherwise."""
    at = recorded_at or datetime(on.year, on.month, on.day, 17, 0, tzinfo=UTC)
    return PaymentFact(paid_on=on, recorded_at=at, amount_minor=amount_minor)


def past(key: str, on: date, state: AttemptState = AttemptState.DELIVERED, channel: Channel = Channel.EMAIL) -> PastContact:
    """A contact of this invoice at 10:00 in Bogota."""
    at = datetime(on.year, on.month, on.day, 15, 0, tzinfo=UTC)
    return PastContact(key=key, channel=channel, state=state, at=at, local_date=on)


def entry(
    at: datetime,
    *,
    zone: str = BOGOTA,
    person: str = "ana",
    channel: Channel = Channel.EMAIL,
    state: AttemptState = AttemptState.DELIVERED,
    invoice_id: str = "other",
    key: str = "1.1.S3.0",
) -> BudgetEntry:
    """A contact of the same account on another invoice."""
    return BudgetEntry(
        invoice_id=invoice_id, key=key, person_id=person, channel=channel, state=state, at=at, local_date=local_date_of(at, zone)
    )


def every(days: int, count: int, first: datetime) -> Sequence[BudgetEntry]:
    """`count` contacts, `days` apart."""
    return [entry(first + timedelta(days=days * i)) for i in range(count)]
