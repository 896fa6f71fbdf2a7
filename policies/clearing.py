"""How long money of each kind is on its way: what was begun and has not settled holds overdue rungs for so long (playbook 3).

Working days of the place of payment. The figures are the house's: the longest that the method's operators commonly name for its
settlement, rounded up; a method that nobody named waits `DEFAULT_WD`. A voucher that was only issued is not money on its way.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from policies.calendars import add_working_days
from policies.ladder import day_start, local_day

DEFAULT_WD: Final = 5
CLEARING_WD: Final[dict[str, int]] = {
    "card": 1, "pse": 1, "pix": 1, "spei": 1, "bre_b": 1, "instant_transfer": 1, "wallet": 1,
    "oxxo": 2, "efecty": 2, "baloto": 2, "pago_facil": 2, "rapipago": 2, "pagoefectivo": 2, "cash_voucher": 2,
    "boleto": 3, "transfer": 3, "bank_transfer": 3, "bacs_debit": 4, "becs_debit": 4, "us_bank_account": 4, "ach": 4,
    "acss_debit": 5, "sepa_debit": 6, "direct_debit": 6, "pad": 5, "cheque": 5, "post_dated_cheque": 5, "promissory_note": 3,
    "bill_of_exchange": 3, "confirming": 2,
}  # fmt: skip
"""Working days from the day on which the money was begun until it must be here."""

DELAYED_DEBITS: Final = frozenset({"sepa_debit", "us_bank_account", "bacs_debit", "acss_debit", "au_becs_debit", "becs_debit"})
"""Methods that are on their way once the customer has agreed; of others, a session that is not paid is only an intention."""

_MEANT: Final[dict[str, dict[str, str]]] = {
    "stripe": {"processing": "in_process", "requires_capture": "in_process", "requires_action": "issued", "succeeded": "paid",
               "canceled": "failed", "requires_payment_method": "failed"},
    "wompi": {"PENDING": "in_process", "APPROVED": "paid", "DECLINED": "failed", "VOIDED": "failed", "ERROR": "failed"},
    "mercado_pago": {"in_process": "in_process", "authorized": "in_process", "pending": "issued", "approved": "paid",
                     "rejected": "failed", "cancelled": "failed", "in_mediation": "in_process"},
}  # fmt: skip
"""What the states of gateways mean. `issued`: a voucher or an action that nobody has paid or taken yet."""

_VOUCHERS: Final = frozenset(
    {
        "oxxo",
        "boleto",
        "efecty",
        "baloto",
        "pago_facil",
        "rapipago",
        "pagoefectivo",
        "cash_voucher",
        "bancolombia_collect",
        "ticket",
    }
)
"""Where pending means that the customer was only handed something to pay with."""


def meaning(gateway: str, state: str, method: str = "") -> str:
    """`in_process`, `issued`, `paid`, `failed` or `unknown`, of a gateway's own word for the state of a payment.

    A pending Wompi payment is on its way, unless its method is one that hands out a voucher; Mercado Pago says `pending` for
    those and `in_process` for what it reviews.
    """
    meant = _MEANT.get(gateway, {}).get(state, "unknown")
    if meant == "in_process" and method.lower() in _VOUCHERS:
        return "issued"
    return meant


def clears_by(method: str, begun: datetime, zone: str, country: str, region: str = "") -> datetime:
    """The end of the last working day on which money begun at `begun` may still come."""
    return _end_of(_working(local_day(begun, zone), method, country, region), zone)


def instrument_clears_by(kind: str, matures_on: date, zone: str, country: str, region: str = "") -> datetime:
    """The end of the clearing of an instrument that is presented on the first working day from its maturity on."""
    presented = add_working_days(matures_on, 0, country, region)
    return _end_of(_working(presented, kind, country, region), zone)


def _working(day: date, method: str, country: str, region: str) -> date:
    return add_working_days(day, CLEARING_WD.get(method.lower(), DEFAULT_WD), country, region)


def _end_of(day: date, zone: str) -> datetime:
    return day_start(day + timedelta(days=1), zone)
