"""Credit notes as files bring them: money that the creditor owes back, kept as the payer's credit and never as a debt below 0.

It stands among the payments with source `credit_note`, once by its number, so that it is applied, listed and asked about as an
unapplied receipt is. It counts in no promise and in no punctuality: nobody paid it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
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


def follow_credit(
    session: Session, creditor_id: UUID | str, credit: Credit, *, as_of: date, now: datetime, sealer: Sealer
) -> Accepted:
    """A credit as a list of open items shows it: what the creditor's own system has used of it is taken off ours.

    What was applied here already is not taken back: then the list does not know of that yet.
    """
    known = session.execute(
        text(
            "select * from payment where creditor_id = :creditor and source = :source and source_ref = :number"
            " and kind = 'payment' and currency = :currency"
        ),
        {"creditor": str(creditor_id), "source": SOURCE, "number": credit.number, "currency": credit.currency},
    ).one_or_none()
    if known is None or credit.amount_minor > known.amount_minor:
        return accept_credit(session, creditor_id, credit, now=now, sealer=sealer)
    _lower(session, known, credit.amount_minor, as_of=as_of, now=now)
    return Accepted("same", known.id)


def use_up_absent(session: Session, run_id: UUID, creditor_id: UUID | str, *, as_of: date, ends: datetime, now: datetime) -> int:
    """Credits that were known by the end of a list's day and that it does not have are used up there; returns how many."""
    rows = session.execute(
        text(
            "select p.* from payment p where p.creditor_id = :creditor and p.source = :source and p.kind = 'payment'"
            " and p.unallocated_minor > 0 and p.paid_on <= :as_of and p.recorded_at < :ends and not exists (select 1"
            " from snapshot_item s where s.run_id = :run and s.number = p.source_ref) order by p.account_id, p.id"
        ),
        {"creditor": str(creditor_id), "source": SOURCE, "as_of": as_of, "ends": ends, "run": run_id},
    ).all()
    for row in rows:
        _lower(session, row, 0, as_of=as_of, now=now)
    return len(rows)


def _lower(session: Session, credit: Row[Any], left_minor: int, *, as_of: date, now: datetime) -> None:
    used = credit.unallocated_minor - left_minor
    if used <= 0:
        return
    payments.record_reversal(
        session, credit.creditor_id, source=SOURCE, source_ref=f"{credit.source_ref}:{as_of}:{left_minor}",
        payment_ref=credit.source_ref, amount_minor=used, currency=credit.currency, reversed_on=as_of, now=now,
        reason="used in the creditor's own system",
    )  # fmt: skip
    if not left_minor:
        unmatched.settled(session, credit, now, "used in the creditor's own system")


def _ref(credit: Credit, sealer: Sealer) -> str:
    account = credit.account
    personal = account.ref_is_personal
    if personal is None:
        personal = is_personal_ref(account.ref, account.kind, account.country)
    return sealer.opaque_ref(account.ref) if personal else account.ref


def _refused(pointer: str, detail: str) -> Accepted:
    return Accepted("refused", problems=(Problem(pointer, detail),))
