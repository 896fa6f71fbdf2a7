"""Payments in the plain format: what an event holds, how it is read, and what it does to the ledger."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter, ValidationError

from activities.incoming import Incoming, invoice_named, note_source, sealed_hint
from channels.gateways import BadBody
from ledger import holds
from ledger.payments import record_payment, record_reversal
from policies.plain_errors import plain
from policies.terms import Currency
from policies.typed import STORABLE, Day

_Ref = Annotated[str, Field(min_length=1, max_length=120, pattern=STORABLE)]
_Above0 = Annotated[StrictInt, Field(gt=0, le=10**15, description="minor units")]


class _Loose(BaseModel):
    """Gateways add members as they like: what is not known is left alone, what is needed is checked."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Data(_Loose):
    """What every payment event carries."""

    id: _Ref = Field(description="the sender's own id; the same money always has the same one")
    amount_minor: _Above0
    currency: Currency


EARLIEST = date(1990, 1, 1)
PAID_AHEAD, VALUE_AHEAD = timedelta(days=2), timedelta(days=31)
"""How far after now, in any zone, a payer's and a bank's date may lie."""


class PaidData(_Data):
    """Money that came in."""

    invoice: _Ref | None = Field(None, description="invoice number, or the id Puntual gave it")
    paid_on: Day = Field(description="the payer's date")
    value_on: Day | None = Field(None, description="the bank's date; left out, the payer's")
    reference: str = Field(
        "", max_length=140, pattern=STORABLE, description="what came with the money, kept when it matches no invoice"
    )
    destination: Literal["", "detraccion"] = Field(
        "", description="detraccion: it went to the creditor's account at the state bank, and settles that part only"
    )


class OnItsWayData(_Loose):
    """Money that was begun and has not come, or will not. A voucher that was only handed out is neither: do not send it."""

    id: _Ref
    invoice: _Ref
    amount_minor: _Above0 | None = None
    currency: Currency | None = None
    method: str = Field(
        "", max_length=40, pattern=r"^[a-z0-9_]*$", description="boleto, pse, sepa_debit, cheque, ...: says how long it may take"
    )


class ReversedData(_Data):
    """Money that went back."""

    reverses: _Ref = Field(description="the id of the payment it takes back, in whole or in part")
    paid_on: Day = Field(description="the day on which it went back")
    reason: Literal["refund", "chargeback", "bounced", "reversed"] = "reversed"


class Paid(_Loose):
    """payment.succeeded"""

    type: Literal["payment.succeeded"]
    timestamp: str = ""
    data: PaidData


class OnItsWay(_Loose):
    """payment.processing and payment.failed"""

    type: Literal["payment.processing", "payment.failed"]
    timestamp: str = ""
    data: OnItsWayData


class Reversed(_Loose):
    """payment.reversed"""

    type: Literal["payment.reversed"]
    timestamp: str = ""
    data: ReversedData


EVENTS: TypeAdapter[Paid | OnItsWay | Reversed] = TypeAdapter(Annotated[Paid | OnItsWay | Reversed, Field(discriminator="type")])
_TYPES = ("payment.succeeded", "payment.processing", "payment.failed", "payment.reversed")


def read_standard(body: bytes) -> Paid | OnItsWay | Reversed | str:
    """The event, or the name of a type that is only stored; raises BadBody naming the places that are wrong."""
    try:
        head = TypeAdapter(dict[str, Any]).validate_json(body)
    except ValidationError as error:
        raise BadBody("the body is not a JSON object") from error
    if head.get("type") not in _TYPES:
        return str(head.get("type", ""))[:60]
    try:
        return EVENTS.validate_json(body)
    except ValidationError as error:
        places = "; ".join(f"/{'/'.join(str(p) for p in e['loc'][1:])}: {plain(e)}" for e in error.errors())
        raise BadBody(places) from error


def refuse_strange_days(event: Paid | OnItsWay | Reversed | str, now: datetime) -> None:
    """A payer's day that has not come yet, or a bank's far ahead, would judge promises wrongly (F66): raises BadBody, so that the
    sender looks."""
    if isinstance(event, str | OnItsWay):
        return
    data = event.data
    days = [("paid_on", data.paid_on, PAID_AHEAD)]
    if isinstance(data, PaidData) and data.value_on is not None:
        days.append(("value_on", data.value_on, VALUE_AHEAD))
    for name, day, ahead in days:
        latest = (now + ahead).date()
        if not EARLIEST <= day <= latest:
            raise BadBody(f"/data/{name}: {day} is not between {EARLIEST} and {latest}; correct it and send again")


def named_by(event: Paid | OnItsWay | Reversed | str) -> tuple[str, ...]:
    """By which references an event names an invoice."""
    return (event.data.invoice,) if isinstance(event, Paid | OnItsWay) and event.data.invoice else ()


def apply_standard(come: Incoming, event: Paid | OnItsWay | Reversed | str) -> str:
    """Apply one event; returns what became of it in a word or two."""
    note_source(come, "standard")
    if isinstance(event, str):
        return f"stored only: {event}"
    data = event.data
    if isinstance(data, ReversedData):
        done = record_reversal(
            come.session, come.creditor_id, source="standard", source_ref=data.id, payment_ref=data.reverses,
            currency=data.currency, amount_minor=data.amount_minor, reversed_on=data.paid_on, now=come.now,
            reason=data.reason,
        )  # fmt: skip
        return done.verdict
    invoice = invoice_named(come, named_by(event))
    if isinstance(data, PaidData):
        done = record_payment(
            come.session, come.creditor_id, source="standard", source_ref=data.id, amount_minor=data.amount_minor, now=come.now,
            currency=data.currency, paid_on=data.paid_on, value_on=data.value_on or data.paid_on, invoice_id=invoice,
            destination=data.destination,
            hint_sealed=sealed_hint(come, invoice, data.invoice or data.reference),
        )  # fmt: skip
        return done.verdict
    if invoice is None:
        return "no such invoice"
    if event.type == "payment.processing":
        holds.hold_in_process(
            come.session, invoice, money=data.id, now=come.now, method=data.method, source="standard", names=(data.id,)
        )
    else:
        holds.release_in_process(come.session, invoice, money=(data.id,), now=come.now)
    return event.type
