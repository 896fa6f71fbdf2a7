"""Paper with a maturity that the creditor holds for a debt: a post-dated cheque, a promissory note, a bill, a confirming.

The debt (or the part that the paper covers) rests until maturity and clearing. Cleared, its payment is recorded as any other;
returned, the ladder opens again at its first firm rung, with the bank's cost where it may be asked for (playbook 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import allocation
from ledger.events import note_fact
from ledger.facts import gather
from ledger.holds import locked_invoice, must_owe
from ledger.refusals import Refused, not_found
from ledger.tasks import open_task
from policies.clearing import instrument_clears_by
from policies.ladder import rung_day
from policies.money import written
from policies.terms import DebtorKind

Kind = Literal["cheque", "post_dated_cheque", "promissory_note", "bill_of_exchange", "confirming"]
MATURES_WITHIN = timedelta(days=366)


@dataclass(frozen=True)
class Held:
    """The paper's id, until when the debt rests for it, and whether it was told before."""

    id: UUID
    until: datetime
    new: bool


def hold_instrument(
    session: Session, invoice_id: UUID | str, *, kind: Kind, ref: str, amount_minor: int, matures_on: date, actor: str,
    now: datetime,
) -> Held:  # fmt: skip
    """The creditor holds this paper: the sum it covers rests until maturity and its clearing time. Told again, the same.

    Raises Refused: `not-found`; `invoice-closed`; `amount` when it is not from 1 to the balance; `matures-on` when it lies in
    the past by more than its clearing, or more than 366 days ahead; `instrument-differs` when the ref was told with other terms.
    """
    invoice = locked_invoice(session, invoice_id)
    known = session.execute(
        text(
            "select n.id, n.invoice_id, n.kind, n.amount_minor, n.matures_on, h.until from instrument n"
            " join hold h on h.id = n.hold_id where n.creditor_id = :creditor and n.ref = :ref"
        ),
        {"creditor": invoice.creditor_id, "ref": ref},
    ).one_or_none()
    if known is not None:
        if (known.invoice_id, known.kind, known.amount_minor, known.matures_on) != (invoice.id, kind, amount_minor, matures_on):
            raise Refused("instrument-differs", f"instrument {ref} was told with other terms: give another one its own ref")
        return Held(known.id, known.until, new=False)
    must_owe(invoice)
    if not 0 < amount_minor <= invoice.balance_minor:
        raise Refused("amount", f"the sum must be from 1 to {invoice.balance_minor}, the balance in minor units", status=422)
    until = instrument_clears_by(
        kind, matures_on, invoice.zone, invoice.place_of_payment, invoice.place_of_payment_region
    )  # fmt: skip
    if until <= now or matures_on > (now + MATURES_WITHIN).date():
        raise Refused("matures-on", "it must not have matured and cleared already, nor mature over 366 days from now", status=422)
    hold_id, instrument_id = uuid4(), uuid4()
    session.execute(
        text(
            "insert into hold (id, creditor_id, invoice_id, kind, starts_at, until, amount_minor, reason, money_ref, actor,"
            " created_at) values (:id, :creditor, :invoice, 'instrument', :now, :until, :amount, :reason, :ref, :actor, :now)"
        ),
        {
            "id": hold_id, "creditor": invoice.creditor_id, "invoice": invoice.id, "now": now, "until": until,
            "amount": None if amount_minor >= invoice.payable_minor else amount_minor,
            "reason": f"{kind} that matures on {matures_on.isoformat()}", "ref": str(instrument_id), "actor": actor,
        },
    )  # fmt: skip
    session.execute(
        text(
            "insert into instrument (id, creditor_id, invoice_id, ref, kind, amount_minor, currency, matures_on, state, hold_id,"
            " recorded_at) values (:id, :creditor, :invoice, :ref, :kind, :amount, :currency, :matures, 'held', :hold, :now)"
        ),
        {
            "id": instrument_id, "creditor": invoice.creditor_id, "invoice": invoice.id, "ref": ref, "kind": kind,
            "amount": amount_minor, "currency": invoice.currency, "matures": matures_on, "hold": hold_id, "now": now,
        },
    )  # fmt: skip
    open_task(
        session, creditor_id=invoice.creditor_id, invoice_id=invoice.id, account_id=invoice.account_id,
        kind="present_instrument", key=str(instrument_id), due_at=until, now=now,
        why=f"{kind.replace('_', ' ')} {ref} matures on {matures_on.isoformat()}: present it, then say whether it was paid",
    )  # fmt: skip
    detail = {"instrument": str(instrument_id), "kind": kind, "amount_minor": amount_minor, "until": until.isoformat()}
    note = f"{written(amount_minor, invoice.currency)} by {kind}, matures {matures_on.isoformat()}"
    note_fact(session, invoice.id, at=now, kind="instrument_held", detail=detail, actor=actor, note=note)
    return Held(instrument_id, until, new=True)


def end_instrument(
    session: Session, invoice_id: UUID | str, instrument_id: UUID | str, *, how: Literal["cleared", "returned", "given_back"],
    actor: str, now: datetime, bank_cost_minor: int = 0,
) -> None:  # fmt: skip
    """The paper was paid, came back unpaid, or was given back to the customer; said again, nothing more happens.

    Returned, the ladder reopens at its first firm rung, and the bank's cost is added to a business's debt. Raises Refused:
    `not-found`; `instrument-ended` when it ended otherwise; `bank-cost` for a consumer, who may owe none without a law that
    says so.
    """
    invoice = locked_invoice(session, invoice_id)
    row = session.execute(
        text("select * from instrument where id = :id and invoice_id = :invoice"),
        {"id": str(instrument_id), "invoice": invoice.id},
    ).one_or_none()
    if row is None:
        raise not_found("instrument", instrument_id)
    if row.state == how:
        return
    if row.state != "held":
        raise Refused("instrument-ended", f"instrument {row.ref} is {row.state} already")
    facts, manual = gather(session, invoice.id, now)
    if bank_cost_minor and (how != "returned" or facts.kind is DebtorKind.CONSUMER):
        raise Refused(
            "bank-cost", "a bank's cost is added only to a business's debt, when the paper came back unpaid", status=422
        )
    session.execute(
        text("update instrument set state = :how, ended_at = :now, bank_cost_minor = :cost where id = :id"),
        {"how": how, "now": now, "cost": bank_cost_minor, "id": row.id},
    )
    session.execute(
        text("update hold set released_at = :now, release_why = :how where id = :id and released_at is null"),
        {"now": now, "how": how, "id": row.hold_id},
    )
    session.execute(
        text(
            "update task set done_at = :now, outcome = :how where creditor_id = :creditor and kind = 'present_instrument'"
            " and key = :key and done_at is null"
        ),
        {"now": now, "how": how, "creditor": row.creditor_id, "key": str(row.id)},
    )
    if how == "returned" and invoice.status == "open" and invoice.balance_minor > 0:
        if bank_cost_minor:
            _charge_cost(session, invoice, row, bank_cost_minor, now)
        firm = next((rung for rung in manual.ladder if rung.firm and rung.action == "contact"), None)
        shift = 0
        if firm is not None:
            today = now.astimezone(ZoneInfo(facts.zone)).date()
            late = [i for i in facts.instalments if i.balance_minor > 0]
            shift = (today - rung_day(facts, manual, late[0], firm)).days
        _reopen_firm(session, invoice.id, shift, now)
    detail = {"instrument": str(row.id), "how": how, "bank_cost_minor": bank_cost_minor}
    note = f"{row.kind} {row.ref} {how.replace('_', ' ')}"
    note_fact(session, invoice.id, at=now, kind=f"instrument_{how}", detail=detail, actor=actor, note=note)


def instruments_of(session: Session, invoice_id: UUID | str) -> list[Row[Any]]:
    """The papers of an invoice, oldest first, each with the end of its hold."""
    return list(
        session.execute(
            text(
                "select n.*, h.until from instrument n left join hold h on h.id = n.hold_id where n.invoice_id = :invoice"
                " order by n.recorded_at, n.id"
            ),
            {"invoice": str(invoice_id)},
        )
    )


def _charge_cost(session: Session, invoice: Row[Any], row: Row[Any], cost_minor: int, now: datetime) -> None:
    session.execute(
        text(
            "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
            " recorded_at, cause) select :c, :a, :i, (select max(number) from instalment where invoice_id = :i"
            " and superseded_at is null), 'fee', :m, :y, :d, :now, :cause"
        ),
        {
            "c": invoice.creditor_id, "a": invoice.account_id, "i": invoice.id, "m": cost_minor, "y": invoice.currency,
            "d": now.astimezone(ZoneInfo(invoice.zone)).date(), "now": now, "cause": f"bank cost of returned {row.kind}",
        },
    )  # fmt: skip
    allocation.refresh_balance(session, invoice.id)


def _reopen_firm(session: Session, invoice_id: UUID, shift_days: int, now: datetime) -> None:
    """A new cycle in which the first firm rung falls today; what stands before it is overtaken by it."""
    session.execute(
        text(
            "update invoice set cycle = cycle + 1, cycle_started_at = :now, cycle_notice = 'instrument_returned',"
            " shift_days = shift_days + :shift, outcome = null, outcome_at = null where id = :id"
        ),
        {"now": now, "shift": shift_days, "id": invoice_id},
    )
