"""Credit notes as files bring them: money that the creditor owes back, kept as the payer's credit and never as a debt below 0.

It stands among the payments with source `credit_note`, once by its number, so that it is applied, listed and asked about as an
unapplied receipt is. It counts in no promise and in no punctuality: nobody paid it.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import payments, unmatched
from ledger.acceptance import Accepted
from ledger.sealing import Sealer
from policies.addresses import is_personal_ref
from policies.intake import Problem
from policies.portfolio_rows import Credit

SOURCE = "credit_note"


def accept_credit(session: Session, creditor_id: UUID | str, credit: Credit, *, now: datetime, sealer: Sealer) -> Accepted:
    """Keep a credit note for its customer, and apply it where it names the invoice; the same number again is the same credit."""
    known = session.execute(
        text(
            "select id, amount_minor, currency from payment where creditor_id = :creditor and source = :source"
            " and source_ref = :number and kind = 'payment'"
        ),
        {"creditor": str(creditor_id), "source": SOURCE, "number": credit.number},
    ).one_or_none()
    if known is not None:
        if (known.amount_minor, known.currency) == (credit.amount_minor, credit.currency):
            return Accepted("same", known.id)
        return _refused("/amount_minor", "this credit was accepted before with another sum: give the new one its own number")
    account = session.execute(
        text("select id from account where creditor_id = :creditor and ref = :ref"),
        {"creditor": str(creditor_id), "ref": _ref(credit, sealer)},
    ).scalar()
    if account is None:
        return _refused(
            "/debtor", "no invoice of this customer is here, so nobody can be credited: add the customer's invoices first"
        )
    invoice = session.execute(
        text(
            "select id from invoice where creditor_id = :creditor and account_id = :account and number = :number"
            " and currency = :currency"
        ),
        {
            "creditor": str(creditor_id), "account": account, "number": credit.applies_to, "currency": credit.currency,
        },
    ).scalar()  # fmt: skip
    if invoice is not None:
        done = payments.record_payment(
            session, creditor_id, source=SOURCE, source_ref=credit.number, amount_minor=credit.amount_minor,
            currency=credit.currency, paid_on=credit.issued_on, value_on=credit.issued_on, now=now, invoice_id=invoice,
        )  # fmt: skip
        return Accepted("new", done.payment_id)
    kept = session.execute(
        text(
            "insert into payment (id, creditor_id, account_id, source, source_ref, kind, amount_minor, currency, paid_on,"
            " value_on, recorded_at, reason, unallocated_minor) values (:id, :creditor, :account, :source, :number, 'payment',"
            " :amount, :currency, :day, :day, :now, 'credit note', :amount) returning *"
        ),
        {
            "id": uuid4(), "creditor": str(creditor_id), "account": account, "source": SOURCE, "number": credit.number,
            "amount": credit.amount_minor, "currency": credit.currency, "day": credit.issued_on, "now": now,
        },
    ).one()  # fmt: skip
    unmatched.ask_whose(session, kept, now)
    return Accepted("new", kept.id)


def _ref(credit: Credit, sealer: Sealer) -> str:
    account = credit.account
    personal = account.ref_is_personal
    if personal is None:
        personal = is_personal_ref(account.ref, account.kind, account.country)
    return sealer.opaque_ref(account.ref) if personal else account.ref


def _refused(pointer: str, detail: str) -> Accepted:
    return Accepted("refused", problems=(Problem(pointer, detail),))
