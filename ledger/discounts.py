"""A discount was granted for a payment: without that payment there is no discount."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import tell

_UNPAID = text(
    """
    select g.id, g.waived_minor, paid.minor as paid_minor from agreement g,
        lateral (select sum(s.amount_minor) as minor from milestone s where s.agreement_id = g.id) promised,
        lateral (select coalesce(-sum(e.amount_minor), 0) as minor from entry e join payment p on p.id = e.payment_id
            where e.invoice_id = g.invoice_id and p.recorded_at >= g.made_at) paid
    where g.invoice_id = :invoice and g.kind = 'discount' and g.state = 'kept' and paid.minor < promised.minor
    """
)
_CHARGE_AGAIN = text(
    "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on, recorded_at,"
    " cause)"
    " select creditor_id, account_id, invoice_id, instalment, 'discount', -sum(amount_minor), currency, :day, :now, :cause"
    " from entry where invoice_id = :invoice and kind = 'discount' and cause = :cause"
    " group by creditor_id, account_id, invoice_id, instalment, currency having sum(amount_minor) < 0"
)


def take_back_unpaid(session: Session, invoice_id: UUID, *, now: datetime, dated_on: date) -> None:
    """Charge again what kept discounts forgave, where the payment they were kept by has gone back; the agreement is judged anew.

    Called under the debtor's lock when money went back, before the allocations are settled.
    """
    for row in session.execute(_UNPAID, {"invoice": invoice_id}).all():
        cause = f"agreement {row.id}"
        session.execute(_CHARGE_AGAIN, {"invoice": invoice_id, "day": dated_on, "now": now, "cause": cause})
        verdict = "partly" if row.paid_minor > 0 else "broken"
        session.execute(
            text("update agreement set state = :state, judged_at = :now, paid_minor = :paid where id = :id"),
            {"state": verdict, "now": now, "paid": row.paid_minor, "id": row.id},
        )
        detail = {"agreement": str(row.id), "charged_again_minor": row.waived_minor, "paid_minor": int(row.paid_minor)}
        tell(session, invoice_id, at=now, kind=f"discount_{verdict}", detail=detail)
