"""Rules of a law pack that speak of money: late interest, fees, and the time after which a debt can no longer be sued for.

Rates are percent a year unless a name says otherwise; sums are minor units of the currency that stands beside them. Figures in a
pack are read as exact decimals: write `"0.2"` or `8`, never a binary fraction.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from policies.law.base import Rule
from policies.terms import Currency, MinorUnits, Model


def _exact(value: object) -> object:
    return str(value) if isinstance(value, float) else value


Figure = Annotated[Decimal, BeforeValidator(_exact)]
"""An exact decimal; a YAML 0.2 is read as it is written."""
Reference = Literal["ecb_main", "boe_base", "co_ibc", "cl_uf"]
"""A dated series of official figures (policies/law/reference_rates.yaml, or the creditor's own)."""
LimitationEvent = Literal["acknowledgement", "written_acknowledgement", "part_payment", "creditor_demand", "suit"]


class InterestRule(Rule):
    """Late interest: what is owed where the contract is silent, the most a contract may ask, or only what a contract says.

    The yearly rate is `factor` times the reference, plus `points_pct`. Without a reference it is `points_pct` alone.
    """

    kind: Literal["interest"] = "interest"
    use: Literal["statutory", "cap", "contract_only"]
    reference: Reference | None = None
    factor: Figure = Decimal(1)
    points_pct: Figure = Decimal(0)
    currency: Currency | None = Field(default=None, description="statutory only: for debts in this currency")
    fixed_at_start: bool = Field(default=False, description="true: the reference at the first day of interest holds to the end")
    starts_after_days: int = Field(default=1, ge=1, description="days after the due date at which the first day of interest lies")
    year_days: Literal[360, 365] = 365
    compounding: Literal["simple", "effective"] = Field(default="simple", description="effective: (1 + rate) ^ (days / year) - 1")
    rounding: Literal["line", "day"] = Field(default="line", description="day: each day's interest is rounded, then multiplied")
    contract_wins: bool = Field(default=True, description="statutory only: none where the contract sets a rate of its own")
    forfeits: bool = Field(default=False, description="cap only: who asks for more loses all interest")

    @model_validator(mode="after")
    def _has_a_rate(self) -> InterestRule:
        if self.use != "contract_only" and self.reference is None and self.points_pct <= 0:
            raise ValueError("an interest rule needs a reference, or points_pct above 0; or use: contract_only")
        return self


class SumBand(Model):
    """A fixed sum for debts of up to `up_to_minor` (null: any larger one)."""

    up_to_minor: MinorUnits | None = None
    amount_minor: MinorUnits


class UnitBand(Model):
    """A percentage of the part of the debt that lies below `up_to_units` (null: of the rest) and above the band before."""

    up_to_units: Figure | None = None
    pct: Figure


class FeeRule(Rule):
    """A sum beside the debt: fixed by law, capped by law, or the only kinds that may be asked.

    `fixed_sum` is owed once per invoice by its size; `late_fine` caps a contract's late fee in percent of the debt;
    `collection_cost` caps what collecting may cost by bands in a unit of account; `only` lists the kinds there may be.
    """

    kind: Literal["fee"] = "fee"
    what: Literal["fixed_sum", "late_fine", "collection_cost", "only"]
    currency: Currency | None = None
    bands: tuple[SumBand, ...] = ()
    max_pct: Figure | None = None
    unit: Reference | None = None
    unit_bands: tuple[UnitBand, ...] = ()
    from_day: int = Field(default=1, ge=1, description="days after the due date from which it may be asked")
    contract_wins: bool = Field(default=False, description="fixed_sum only: none where the contract sets an interest rate")
    only_work_done: bool = Field(default=False, description="only for work that was really done")
    free_notice_days: int = Field(default=0, ge=0, description="one free notice must go out within so many days of the delay")
    no_notice_less_units: Figure = Field(default=Decimal(0), description="what the cap loses without that notice")
    allowed: tuple[Literal["legal", "nsf", "late_fee", "fixed_sum", "collection_cost"], ...] = ()

    @model_validator(mode="after")
    def _whole_fee(self) -> FeeRule:
        needs = {
            "fixed_sum": self.currency is not None and bool(self.bands),
            "late_fine": self.max_pct is not None,
            "collection_cost": self.currency is not None and self.unit is not None and bool(self.unit_bands),
            "only": True,
        }
        if not needs[self.what]:
            raise ValueError(f"{self.what} lacks its figures: currency and bands, max_pct, or currency, unit and unit_bands")
        return self


class LimitationRule(Rule):
    """How long a debt may be sued for, counted from its due date. `renewed_by` events begin the period anew.

    `stopped_by` events end the count for good: after a suit the date is the court's and not ours.
    """

    kind: Literal["limitation"] = "limitation"
    years: int = Field(ge=0, le=30)
    months: int = Field(default=0, ge=0, le=11)
    renewed_by: tuple[LimitationEvent, ...] = ()
    stopped_by: tuple[LimitationEvent, ...] = ("suit",)

    @model_validator(mode="after")
    def _some_time(self) -> LimitationRule:
        if self.years == 0 and self.months == 0:
            raise ValueError("a limitation period is longer than nothing: give years or months")
        return self
