"""A gateway's events in the ledger: one payment under its several names, refunds as a running total, disputes by their id."""

from __future__ import annotations

from uuid import UUID

from activities.incoming import Incoming, invoice_named, local_today, note_source, sealed_hint
from channels.gateways import GatewayEvent
from ledger import holds
from ledger.payments import record_payment, record_reversal
from ledger.same_money import named


def apply_gateway(come: Incoming, event: GatewayEvent, *, source: str) -> str:
    """Apply one event of `source`; returns what became of it in a word or two."""
    note_source(come, source)
    if event.what == "nothing":
        return f"stored only: {event.why}"
    if event.what in ("in_process", "not_paid"):
        invoice = invoice_named(come, event.references)
        if invoice is None:
            return "no such invoice"
        if event.what == "in_process":
            holds.hold_in_process(
                come.session, invoice, money=event.money, now=come.now, method=event.method, source=source,
                names=(event.money, *event.aliases),
            )  # fmt: skip
        else:
            holds.release_in_process(come.session, invoice, money=(event.money, *event.aliases), now=come.now)
        return event.what
    if event.what == "paid":
        return _paid(come, event, source)
    if event.what == "given_back":
        return _given_back(come, event, source)
    refund = event.what == "refunded_total"
    done = record_reversal(
        come.session, come.creditor_id, source=source, source_ref="refund" if refund else f"dispute:{event.reversal}",
        payment_ref=event.money, amount_minor=event.amount_minor, currency=event.currency,
        reversed_on=local_today(come, event.at), now=come.now, running_total=refund,
        reason="refund" if refund else "reversed" if event.reversal == "void" else "chargeback",
        names=(event.money, *event.aliases),
    )  # fmt: skip
    return done.verdict


def _paid(come: Incoming, event: GatewayEvent, source: str) -> str:
    day, invoice = local_today(come, event.at), invoice_named(come, event.references)
    done = record_payment(
        come.session, come.creditor_id, source=source, source_ref=event.money, amount_minor=event.amount_minor,
        currency=event.currency, paid_on=day, value_on=day, now=come.now, invoice_id=invoice, payer_ref=event.payer,
        hint_sealed=sealed_hint(come, invoice, next(iter(event.references), event.money)), names=(event.money, *event.aliases),
    )  # fmt: skip
    return done.verdict


def _given_back(come: Incoming, event: GatewayEvent, source: str) -> str:
    """A dispute was won: the money that was taken back is here again."""
    day = local_today(come, event.at)
    before = named(come.session, come.creditor_id, source, (event.money, *event.aliases))
    invoice: UUID | None = None if before is None else before.invoice_id
    done = record_payment(
        come.session, come.creditor_id, source=source, source_ref=f"reinstated:{event.reversal}", amount_minor=event.amount_minor,
        currency=event.currency, paid_on=day, value_on=day, now=come.now, invoice_id=invoice,
        hint_sealed=sealed_hint(come, invoice, event.money),
    )  # fmt: skip
    return done.verdict
