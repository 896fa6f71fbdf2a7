"""Money that came in, and money that went back.

Entries are only added (I6). A payment keeps what it has not applied; of each payment: amount = allocated + unallocated +
taken back. The oldest instalment is filled first, always, also after a reversal, so payments, reversals and repeats lead to
the same balances in whatever order they arrive (I5). The locks are taken in one order: the payment's reference, then the
debtor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import allocation, cessions, charges, discounts, index_values, same_money, snapshot_adjust, unapplied, unmatched
from ledger.events import note_fact, tell
from ledger.payment_locks import lock_and_read, lock_refs, read_invoice
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor
from policies.money import written

Verdict = Literal["applied", "duplicate", "unmatched", "pending"]


@dataclass(frozen=True)
class PaymentResult:
    """What became of one report of money; sums in minor units.

    `unmatched` money has no invoice yet; a `pending` reversal waits for its payment. `balance_minor` is the invoice's after it.
    """

    payment_id: UUID
    verdict: Verdict
    invoice_id: UUID | None = None
    allocated_minor: int = 0
    unallocated_minor: int = 0
    balance_minor: int | None = None


_INSERT = text(
    "insert into payment (id, creditor_id, account_id, invoice_id, source, source_ref, kind, reverses, reverses_ref,"
    " amount_minor, currency, paid_on, value_on, recorded_at, payer_ref, reason, hint_sealed, unallocated_minor)"
    " values (:id, :creditor, :account, :invoice, :source, :ref, :kind, :reverses,"
    " :reverses_ref, :amount, :currency, :paid_on, :value_on, :now, :payer, :reason, :hint, :amount)"
    " on conflict (creditor_id, source, source_ref, kind) do nothing returning *,"
    " exists (select 1 from payment r where r.creditor_id = :creditor and r.source = :source and r.reverses_ref = any(:names)"
    " and r.kind = 'reversal' and r.reverses is null) as waiting"
)
_FIND = text("select * from payment where creditor_id = :creditor and source = :source and source_ref = :ref and kind = :kind")


def record_payment(
    session: Session,
    creditor_id: UUID | str,
    *,
    source: str,
    source_ref: str,
    amount_minor: int,
    currency: str,
    paid_on: date,
    value_on: date,
    now: datetime,
    invoice_id: UUID | str | None = None,
    hint_sealed: bytes = b"",
    payer_ref: str = "",
    names: Sequence[str] = (),
    destination: Literal["", "detraccion"] = "",
) -> PaymentResult:
    """Record money once by (source, source_ref) and apply it to the oldest open instalment first.

    What is left over stays on the payment as the account's credit. Without an invoice, or in another currency, it is kept
    unmatched with its hint (sealed: it may be personal) and a task; a later report of the same money that names the invoice
    applies it. A closed or cancelled invoice takes nothing. `names`, `source_ref` first, are all under which a gateway may report
    the same money, `payer_ref` its id of the customer (same_money.py). `destination` detraccion went to
    the creditor's account at the state bank and settles that part only. Money for an indexed debt is converted at the value of
    `paid_on`; while that is not known it stays unmatched. Raises Refused `amount` for a sum that is not above 0.
    """
    _check_amount(amount_minor)
    names = names or (source_ref,)
    if len(names) == 1 and source != "stripe":
        invoice, known = lock_and_read(session, creditor_id, source, names[0], invoice_id)
    else:
        lock_refs(session, creditor_id, source, names)
        invoice = read_invoice(session, invoice_id) if invoice_id is not None else None
        known = _known(
            session, creditor_id, source, names, invoice_id=invoice.id if invoice is not None else None, payer_ref=payer_ref,
            amount_minor=amount_minor, currency=currency, now=now,
        )  # fmt: skip
        if invoice is not None:
            lock_debtor(session, invoice.account_id)
    told = (amount_minor, currency)
    (amount_minor, currency), converted = index_values.as_kept(session, creditor_id, invoice, told, paid_on)
    fits = invoice is not None and invoice.currency == currency
    if known is None:
        reason = "" if invoice is None or fits else index_values.why_not(invoice, currency, paid_on)
        known = session.execute(
            _INSERT,
            {
                "id": uuid4(), "creditor": creditor_id, "source": source, "account": _account_of(invoice),
                "invoice": invoice.id if invoice is not None and fits else None,
                "ref": source_ref, "kind": "payment", "reverses": None, "reverses_ref": "", "amount": amount_minor,
                "currency": currency, "paid_on": paid_on, "value_on": value_on, "now": now, "reason": reason, "payer": payer_ref,
                "hint": (hint_sealed or None) if invoice is None else None, "names": list(names),
            },
        ).one()  # fmt: skip
        index_values.note_conversion(session, known.id, converted, destination)
        if known.waiting:
            _apply_waiting_reversals(session, known, names, now)
            known = session.execute(text("select * from payment where id = :id"), {"id": known.id}).one()
        if invoice is not None and fits:
            return _settled(session, known, invoice, now)
    elif index_values.told_as(known) not in (told, (amount_minor, currency)):
        unmatched.ask_which_sum(session, known, *told, now)
        return PaymentResult(known.id, "duplicate", known.invoice_id, 0, known.unallocated_minor)
    elif known.invoice_id is not None or not fits:
        return PaymentResult(known.id, "duplicate", known.invoice_id, 0, known.unallocated_minor)
    if invoice is None or not fits:
        held = unapplied.hold_what_it_may_be(session, known, destination=destination, now=now)
        unmatched.ask_whose(session, known, now, held.said)
        return PaymentResult(known.id, "unmatched", None, 0, known.unallocated_minor)
    return _match(session, index_values.convert_kept(session, known, invoice), invoice, now)


def _known(
    session: Session, creditor_id: UUID | str, source: str, names: Sequence[str], *, invoice_id: UUID | None, payer_ref: str,
    amount_minor: int, currency: str, now: datetime,
) -> Row[Any] | None:  # fmt: skip
    known = same_money.find_same(
        session, creditor_id, source, names, invoice_id=invoice_id, payer_ref=payer_ref, amount_minor=amount_minor,
        currency=currency, at=now,
    )  # fmt: skip
    if known is None or same_money.stronger(names[0], known.source_ref) == known.source_ref:
        return known
    if known.account_id is not None:
        lock_debtor(session, known.account_id)
    same_money.rename(session, known.id, names[0])
    known = _find(session, creditor_id, source, names[0], "payment")
    assert known is not None
    _apply_waiting_reversals(session, known, names, now)
    return known


def apply_payment(
    session: Session, creditor_id: UUID | str, payment_id: UUID | str, invoice_id: UUID | str, *, now: datetime, actor: str
) -> PaymentResult:
    """Apply unmatched money, or an account's credit, to an invoice: a person's decision.

    Raises Refused: `not-found`; `nothing-to-apply` when the payment has nothing left; `currency`; `other-account` when it is
    another account's credit; `invoice-closed` when the invoice takes no money.
    """
    payment = session.execute(
        text("select * from payment where id = :id and creditor_id = :creditor and kind = 'payment'"),
        {"id": str(payment_id), "creditor": str(creditor_id)},
    ).one_or_none()
    if payment is None:
        raise not_found("payment", payment_id)
    lock_refs(session, creditor_id, payment.source, [payment.source_ref])
    invoice = read_invoice(session, invoice_id)
    lock_debtor(session, invoice.account_id)
    payment = session.execute(text("select * from payment where id = :id"), {"id": payment.id}).one()
    invoice = read_invoice(session, invoice_id)
    payment = index_values.convert_kept(session, payment, invoice)
    if payment.unallocated_minor == 0:
        raise Refused("nothing-to-apply", f"payment {payment.id} has nothing left to apply")
    if payment.currency != invoice.currency:
        raise Refused(
            "currency", f"the payment is in {payment.currency}, the invoice in {invoice.currency}: nothing is converted"
        )
    matched = payment.invoice_id is not None
    if matched and payment.account_id != invoice.account_id:
        raise Refused("other-account", "this credit belongs to another account: refund it there and record it again here")
    if invoice.status != "open" or invoice.balance_minor <= 0:
        raise Refused("invoice-closed", f"invoice {invoice.number} takes no money: it is {invoice.outcome or invoice.status}")
    unmatched.settled(session, payment, now, f"applied to {invoice.number}")
    if not matched:
        return _match(session, payment, invoice, now, actor=actor)
    return _settled(session, payment, invoice, now, actor=actor, lend=True)


def record_reversal(
    session: Session,
    creditor_id: UUID | str,
    *,
    source: str,
    source_ref: str,
    payment_ref: str,
    amount_minor: int,
    currency: str,
    reversed_on: date,
    now: datetime,
    reason: str = "reversed",
    running_total: bool = False,
    names: Sequence[str] = (),
) -> PaymentResult:
    """Record once that money went back (refund, chargeback, bounced debit), whole or in part.

    It is taken from what the payment had not applied, then from its latest allocations. A closed invoice that owes again
    reopens at the same rung with fresh notice (F13). A reversal that comes before its payment waits for it. With
    `running_total`, `amount_minor` is what went back so far under refs that begin with `source_ref` (Stripe's amount_refunded)
    and only the difference counts. `names`: all under which a gateway may have reported the payment. Raises Refused `amount`.
    """
    _check_amount(amount_minor)
    names = names or (payment_ref,)
    lock_refs(session, creditor_id, source, names)
    payment = same_money.named(session, creditor_id, source, names)
    if payment is not None and payment.account_id is not None:
        lock_debtor(session, payment.account_id)
        payment = same_money.named(session, creditor_id, source, names)
    if running_total:
        before = _taken_so_far(session, creditor_id, source, names, source_ref)
        if amount_minor <= before:
            same = _find(session, creditor_id, source, f"{source_ref}:{before}", "reversal")
            assert same is not None
            return PaymentResult(same.id, "duplicate", payment.invoice_id if payment is not None else None)
        source_ref, amount_minor = f"{source_ref}:{amount_minor}", amount_minor - before
    amount_minor, currency = index_values.taken_back(payment, amount_minor, currency)
    fits = payment is None or payment.currency == currency
    reversal = session.execute(
        _INSERT,
        {
            "id": uuid4(), "creditor": creditor_id, "source": source, "account": _account_of(payment), "invoice": None,
            "ref": source_ref, "kind": "reversal", "reverses": None, "reverses_ref": payment_ref, "amount": amount_minor,
            "currency": currency, "paid_on": reversed_on, "value_on": reversed_on, "now": now, "reason": reason[:200],
            "payer": "", "hint": None, "names": [],
        },
    ).one_or_none()  # fmt: skip
    if reversal is None:
        same = _find(session, creditor_id, source, source_ref, "reversal")
        assert same is not None
        return PaymentResult(same.id, "duplicate", payment.invoice_id if payment is not None else None)
    if payment is None or not fits:
        return PaymentResult(reversal.id, "pending", None, 0, amount_minor)
    return _take_back(session, payment, reversal, now)


def _match(session: Session, payment: Row[Any], invoice: Row[Any], now: datetime, *, actor: str = "puntual") -> PaymentResult:
    session.execute(
        text("update payment set invoice_id = :invoice, account_id = :account, hint_sealed = null where id = :id"),
        {"invoice": invoice.id, "account": invoice.account_id, "id": payment.id},
    )
    unmatched.settled(session, payment, now, "matched")
    unapplied.release(session, payment.id, now=now, why="the receipt found its invoice")
    return _settled(session, payment, invoice, now, actor=actor)


def _settled(
    session: Session, payment: Row[Any], invoice: Row[Any], now: datetime, *, actor: str = "puntual", lend: bool = False
) -> PaymentResult:
    """Apply a payment that has found its invoice, end the holds that waited for it, and say so."""
    lent, invoice_id = payment.id if lend else None, invoice.id
    if invoice.adjusted:
        snapshot_adjust.give_back(session, payment, invoice_id, now=now)
    done = allocation.settle_all(session, invoice_id, now=now, lend=lent)
    given = done.by_payment.get(payment.id, 0)
    if done.charged and charges.correct(session, invoice_id, now=now):
        done = allocation.settle_all(session, invoice_id, now=now, lend=lent)
        given += done.by_payment.get(payment.id, 0)
    if done.ceded and given > 0:
        cessions.forward_if_ceded(
            session, invoice_id, payment_id=payment.id, amount_minor=given, currency=payment.currency, now=now
        )
    if done.held:
        session.execute(
            text(
                "update hold set released_at = :now, release_why = 'payment received' where invoice_id = :invoice"
                " and kind in ('already_paid', 'payment_in_process', 'unapplied') and released_at is null"
            ),
            {"now": now, "invoice": invoice_id},
        )
        session.execute(
            text(
                "update task set done_at = :now, outcome = 'payment received' where invoice_id = :invoice"
                " and kind = 'find_payment' and done_at is null"
            ),
            {"now": now, "invoice": invoice_id},
        )
    detail = {
        "payment": str(payment.id), "source": payment.source, "amount_minor": payment.amount_minor, "currency": payment.currency,
        "applied_minor": given, "balance_minor": done.balance_minor, "paid_on": payment.paid_on.isoformat(),
        "value_on": payment.value_on.isoformat(),
    }  # fmt: skip
    note = f"{written(payment.amount_minor, payment.currency)}, owed now {written(done.balance_minor, payment.currency)}"
    note_fact(session, invoice_id, at=now, kind="payment_received", detail=detail, actor=actor, note=note)
    left = payment.unallocated_minor - given
    return PaymentResult(payment.id, "applied", invoice_id, given, left, done.balance_minor)


def _apply_waiting_reversals(session: Session, payment: Row[Any], names: Sequence[str], now: datetime) -> None:
    waiting = session.execute(
        text(
            "select * from payment where creditor_id = :creditor and source = :source and reverses_ref = any(:names)"
            " and kind = 'reversal' and reverses is null and currency = :currency order by recorded_at, id"
        ),
        {"creditor": payment.creditor_id, "source": payment.source, "names": list(names), "currency": payment.currency},
    ).all()
    for reversal in waiting:
        _take_back(session, payment, reversal, now)


def _take_back(session: Session, payment: Row[Any], reversal: Row[Any], now: datetime) -> PaymentResult:
    taken = allocation.take_back(session, payment, reversal, now=now)
    if payment.invoice_id is None:
        unapplied.release(session, payment.id, now=now, why="the receipt went back")
    session.execute(
        text("update payment set reverses = :payment, account_id = :account, unallocated_minor = :left where id = :id"),
        {"payment": payment.id, "account": payment.account_id, "left": taken.left_minor, "id": reversal.id},
    )
    for invoice_id in taken.invoices or ([payment.invoice_id] if payment.invoice_id is not None else []):
        invoice = read_invoice(session, invoice_id)
        if invoice.status != "open":
            allocation.absorb(session, invoice_id, invoice.status, now=now, dated_on=reversal.paid_on)
        else:
            discounts.take_back_unpaid(session, invoice_id, now=now, dated_on=reversal.paid_on)
            allocation.settle(session, invoice_id, now=now)
            if charges.correct(session, invoice_id, now=now):
                allocation.settle(session, invoice_id, now=now)
        balance = allocation.refresh_balance(session, invoice_id)
        if invoice.status == "open" and invoice.outcome is not None and balance > 0:
            _reopen(session, invoice, now)
        detail = {
            "payment": str(payment.id), "reversal": str(reversal.id), "amount_minor": reversal.amount_minor,
            "currency": reversal.currency, "balance_minor": balance, "reason": reversal.reason,
        }  # fmt: skip
        note = f"{written(reversal.amount_minor, reversal.currency)}, owed now {written(balance, reversal.currency)}"
        note_fact(session, invoice_id, at=now, kind="payment_reversed", detail=detail, note=note)
    first = taken.invoices[0] if taken.invoices else payment.invoice_id
    balance_minor = read_invoice(session, first).balance_minor if first is not None else None
    return PaymentResult(reversal.id, "applied", first, -taken.allocated_minor, taken.left_minor, balance_minor)


def _reopen(session: Session, invoice: Row[Any], now: datetime) -> None:
    zone = ZoneInfo(invoice.zone)
    closed_at: datetime = invoice.outcome_at or now
    days = (now.astimezone(zone).date() - closed_at.astimezone(zone).date()).days
    session.execute(
        text(
            "update invoice set outcome = null, outcome_at = null, cycle = cycle + 1, cycle_started_at = :now,"
            " cycle_notice = 'reopened', shift_days = shift_days + :days where id = :id"
        ),
        {"now": now, "days": max(days, 0), "id": invoice.id},
    )
    tell(session, invoice.id, at=now, kind="reopened", detail={"was": invoice.outcome, "days_closed": max(days, 0)})


def _check_amount(amount_minor: int) -> None:
    if amount_minor <= 0:
        raise Refused("amount", f"the amount is {amount_minor}: give minor units above 0; a refund is a reversal", status=422)


def _find(session: Session, creditor_id: UUID | str, source: str, ref: str, kind: str) -> Row[Any] | None:
    return session.execute(_FIND, {"creditor": str(creditor_id), "source": source, "ref": ref, "kind": kind}).one_or_none()


def _account_of(row: Row[Any] | None) -> UUID | None:
    return None if row is None else row.account_id


def _taken_so_far(session: Session, creditor_id: UUID | str, source: str, names: Sequence[str], series: str) -> int:
    return int(
        session.execute(
            text(
                "select coalesce(sum(amount_minor), 0) from payment where creditor_id = :creditor and source = :source"
                " and reverses_ref = any(:names) and kind = 'reversal' and starts_with(source_ref, :series)"
            ),
            {"creditor": str(creditor_id), "source": source, "names": list(names), "series": f"{series}:"},
        ).scalar_one()
    )
