"""What the tests of charges share: rules as a pack writes them, known reference rates, and debts in few words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from policies.law.base import Rule
from policies.law.charges import LateDebt, Movement
from policies.law.charges_model import FeeRule, InterestRule, LimitationRule
from policies.law.rates import DatedFigure, ReferenceRates
from policies.manual_model import LateCharges

_RULE: TypeAdapter[InterestRule | FeeRule | LimitationRule] = TypeAdapter(InterestRule | FeeRule | LimitationRule)
_COMMON = {"text": "A rule of the tests.", "basis": "law", "citation": "tests", "source": "tests", "confidence": "high"}


def rule(id: str, kind: str, **fields: Any) -> Rule:
    """A rule of a pack, in the words of its file."""
    return _RULE.validate_python({"id": id, "kind": kind, **_COMMON, **fields})


BUSINESS = {"debtor": ["business"]}
EU = rule("EU.interest", "interest", use="statutory", reference="ecb_main", points_pct=8, binds=BUSINESS)
EU_FIXED = rule("EU.fixed_sum", "fee", what="fixed_sum", currency="EUR", bands=[{"amount_minor": 4000}], binds=BUSINESS)
UK = rule(
    "UK.interest", "interest", use="statutory", reference="boe_base", points_pct=8, fixed_at_start=True, rounding="day",
    binds=BUSINESS,
)  # fmt: skip
UK_FIXED = rule(
    "UK.fixed_sum", "fee", what="fixed_sum", currency="GBP", contract_wins=True, binds=BUSINESS,
    bands=[
        {"up_to_minor": 99_999, "amount_minor": 4000}, {"up_to_minor": 999_999, "amount_minor": 7000}, {"amount_minor": 10_000},
    ],
)  # fmt: skip
CO = rule("CO.interest", "interest", use="statutory", reference="co_ibc", factor="1.5", compounding="effective")
CO_CAP = rule("CO.usury", "interest", use="cap", reference="co_ibc", factor="1.5", compounding="effective", forfeits=True)
CL = rule(
    "CL.cost", "fee", what="collection_cost", currency="CLP", unit="cl_uf", from_day=21, only_work_done=True,
    no_notice_less_units="0.2",
    unit_bands=[{"up_to_units": 10, "pct": 9}, {"up_to_units": 50, "pct": 6}, {"pct": 3}],
)  # fmt: skip
BR = rule("BR.late_fine", "fee", what="late_fine", max_pct=2, binds={"debtor": ["consumer"]})
CA = rule("CA-FED.fees", "fee", what="only", allowed=["legal", "nsf"], binds={"creditor_types": ["bank"]})
US = rule("US-FED.amounts", "interest", use="contract_only")


def known(**figures: str) -> ReferenceRates:
    """Rates that hold for all of 2000 to 2099."""
    always = {"from": "2000-01-01", "until": "2099-12-31", "source": "tests"}
    return ReferenceRates({name: (DatedFigure.model_validate({**always, "value": v}),) for name, v in figures.items()})  # type: ignore[misc]


def debt(amount_minor: int, currency: str = "EUR", *, due: str = "2026-01-01", **change: Any) -> LateDebt:
    """A debt of a business that fell due on New Year's Day; `paid` lists (value date, minor units)."""
    paid = [Movement(date.fromisoformat(on), -minor) for on, minor in change.pop("paid", ())]
    due_on = date.fromisoformat(due)
    moves = (Movement(due_on, amount_minor), *paid)
    return LateDebt(**{"currency": currency, "due_on": due_on, "movements": moves, "debtor": "business", **change})


def contract(rate: str, **more: Any) -> LateCharges:
    """Interest at the contract's yearly rate."""
    return LateCharges(interest="contract", contract_rate_pct=Decimal(rate), **more)


STATUTORY = LateCharges(interest="statutory", fixed_sum=True)
