"""Stripe's events in the ledger: one payment under its several names, refunds as a running total, disputes by their id."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from api.incoming import Incoming, invoice_named, local_today
from channels.gateways import GatewayEvent
from ledger import holds
from ledger.payments import record_payment, record_reversal

SOURCE = "stripe"


def apply_stripe(come: Incoming, event: GatewayEvent) -> str:
    """Apply one event that came for the first time; returns what became of it in a word or two."""
    if event.what == "nothing":
        return f"stored only: {event.why}"
    if event.what in ("in_process", "not_paid"):
        invoice = invoice_named(come, event.references)
        if invoice is None:
            return "no such invoice"
        change = holds.hold_in_process if event.what == "in_process" else holds.release_in_process
        change(come.session, invoice, money=event.money, now=come.now)
        return event.what
    if event.what == "paid":
        return _paid(come, event)
    known = _known(come, event)
    if event.what == "given_back":
        return _given_back(come, event, known[1])
    refund = event.what == "refunded_total"
    done = record_reversal(
        come.session, come.creditor_id, source=SOURCE, source_ref="refund" if refund else f"dispute:{event.reversal}",
        payment_ref=known[0], amount_minor=event.amount_minor, currency=event.currency, reversed_on=local_today(come, event.at),
        now=come.now, reason="refund" if refund else "chargeback", running_total=refund,
    )  # fmt: skip
    return done.verdict


def _paid(come: Incoming, event: GatewayEvent) -> str:
    day = local_today(come, event.at)
    done = record_payment(
        come.session, come.creditor_id, source=SOURCE, source_ref=event.money, amount_minor=event.amount_minor,
        currency=event.currency, paid_on=day, value_on=day, now=come.now, invoice_id=invoice_named(come, event.references),
        hint=next(iter(event.references), event.money), names=(event.money, *event.aliases),
    )  # fmt: skip
    return done.verdict


def _given_back(come: Incoming, event: GatewayEvent, invoice: UUID | None) -> str:
    """A dispute was won: the money that was taken back is here again."""
    day = local_today(come, event.at)
    done = record_payment(
        come.session, come.creditor_id, source=SOURCE, source_ref=f"reinstated:{event.reversal}", amount_minor=event.amount_minor,
        currency=event.currency, paid_on=day, value_on=day, now=come.now, invoice_id=invoice, hint=event.money,
    )  # fmt: skip
    return done.verdict


def _known(come: Incoming, event: GatewayEvent) -> tuple[str, UUID | None]:
    """Under which name the payment is kept and on which invoice; the event's own name while it has not come."""
    row = come.session.execute(
        text(
            "select source_ref, invoice_id from payment where creditor_id = :creditor and source = :source and kind = 'payment'"
            " and source_ref = any(:names) order by recorded_at, id limit 1"
        ),
        {"creditor": come.creditor_id, "source": SOURCE, "names": [event.money, *event.aliases]},
    ).one_or_none()
    return (event.money, None) if row is None else (row.source_ref, row.invoice_id)
