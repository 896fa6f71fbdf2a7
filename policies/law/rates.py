"""Official figures by date: the shipped table, and the creditor's own beside it. An unknown figure is never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import Field, TypeAdapter, model_validator

from policies.law.base import Day
from policies.law.charges_model import Figure, Reference
from policies.terms import Model


class DatedFigure(Model):
    """A figure and the days for which it holds, the last included."""

    from_: Day = Field(alias="from")
    until: Day
    value: Figure = Field(ge=0)
    source: str = Field(min_length=2)

    @model_validator(mode="after")
    def _in_order(self) -> DatedFigure:
        if self.until < self.from_:
            raise ValueError(f"until {self.until} is before from {self.from_}")
        return self


class Series(Model):
    """One reference over time."""

    name: str = ""
    source: str = ""
    entries: tuple[DatedFigure, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> Series:
        spans = sorted((entry.from_, entry.until) for entry in self.entries)
        for before, after in zip(spans, spans[1:], strict=False):
            if after[0] <= before[1]:
                raise ValueError(f"{after[0]} is covered twice: end the earlier figure before it")
        return self


_TABLE: TypeAdapter[dict[Reference, Series]] = TypeAdapter(dict[Reference, Series])


class ReferenceRates:
    """The figures that are known; the creditor's own go before the shipped ones."""

    def __init__(self, *tables: Mapping[Reference, Sequence[DatedFigure]]) -> None:
        self._tables = tables

    def on(self, reference: Reference, day: date) -> Decimal | None:
        """The figure that holds on a day, or None when nobody has given it."""
        for table in self._tables:
            for entry in table.get(reference, ()):
                if entry.from_ <= day <= entry.until:
                    return entry.value
        return None

    def with_own(self, given: Mapping[str, Any]) -> ReferenceRates:
        """These with a creditor's own figures before them, `{co_ibc: [{from, until, value, source}]}`.

        Raises ValueError (pydantic's) for an unknown series, a figure without dates or source, or a day covered twice.
        """
        if not given:
            return self
        own = _TABLE.validate_python({name: {"entries": entries} for name, entries in given.items()})
        return ReferenceRates({name: series.entries for name, series in own.items()}, *self._tables)


@cache
def shipped_rates() -> ReferenceRates:
    """The table that comes with the product, policies/law/reference_rates.yaml."""
    text = files("policies").joinpath("law", "reference_rates.yaml").read_text(encoding="utf-8")
    table = _TABLE.validate_python(yaml.safe_load(text))
    return ReferenceRates({name: series.entries for name, series in table.items()})
