"""What every rule of a law pack says about itself: its source, whom it binds, since when, and on which facts it hangs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from policies.law.vocabulary import FACTS, plain
from policies.terms import Model

Party = Literal["first", "third"]
"""Who collects: the creditor in its own name, or an agency, servicer or buyer of the debt."""
LawChannel = Literal["call", "visit", "sms", "email", "whatsapp", "chat", "letter", "fax", "social"]
LAW_CHANNELS: tuple[LawChannel, ...] = ("call", "visit", "sms", "email", "whatsapp", "chat", "letter", "fax", "social")
Basis = Literal["law", "guidance", "house"]
Confidence = Literal["high", "medium", "low"]
Day = Annotated[date, BeforeValidator(lambda value: date.fromisoformat(value) if isinstance(value, str) else value)]
Condition = dict[str, Any]
"""Fact name -> the value, or the list of values, at which the condition holds."""


def _known_facts(condition: Condition) -> Condition:
    for name in condition:
        if name not in FACTS:
            raise ValueError(f"{name!r} is not a fact of the vocabulary (policies/law/vocabulary.py): correct it or add it there")
    return condition


Facts = Annotated[Condition, BeforeValidator(_known_facts)]


class Binds(Model):
    """Whom a rule binds; an empty list means everyone."""

    party: tuple[Party, ...] = ("first", "third")
    debtor: tuple[Literal["consumer", "business"], ...] = ("consumer", "business")
    creditor_types: tuple[str, ...] = ()
    debt_types: tuple[str, ...] = ()
    loan_types: tuple[str, ...] = ()
    days_past_due_over: int | None = None
    """Only debts that are more days past due than this."""


class Rule(Model):
    """The part that all kinds of rule share."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: str = Field(pattern=r"^[A-Z][A-Z-]*(\.[a-z0-9_]+)+$")
    text: str = Field(min_length=10, description="the rule in one plain sentence; it is what a refusal says")
    basis: Basis
    citation: str = Field(min_length=2)
    source: str = Field(min_length=2)
    confidence: Confidence
    from_: Day | None = Field(default=None, alias="from", description="first day in force; none: longer than we look back")
    until: Day | None = Field(default=None, description="last day in force")
    binds: Binds = Binds()
    channels: tuple[LawChannel, ...] = Field(default=(), description="none: every channel")
    when: Facts = Field(default={}, description="the rule speaks only where all of these facts hold")
    unless: tuple[Facts, ...] = Field(default=(), description="the rule is silent where any of these holds")
    setting: str = Field(default="", description="the pack setting on which the rule hangs")
    value: str = Field(default="", description="the value of the setting at which the rule speaks")
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if bool(self.setting) != bool(self.value):
            raise ValueError("setting and value go together: name both or neither")
        if self.from_ is not None and self.until is not None and self.until < self.from_:
            raise ValueError("until is before from")
        return self

    def binds_this(self, party: str, debtor: str, facts: Mapping[str, Any]) -> bool:
        """Whether the rule speaks to this collector about this debt."""
        binds = self.binds
        if party not in binds.party or debtor not in binds.debtor:
            return False
        for name, wanted in (
            ("creditor_type", binds.creditor_types),
            ("debt_type", binds.debt_types),
            ("loan_type", binds.loan_types),
        ):
            if wanted and facts.get(name) not in wanted:
                return False
        late = facts.get("days_past_due")
        if binds.days_past_due_over is not None and late is not None and late <= binds.days_past_due_over:
            return False
        return holds(self.when, facts) and not any(holds(condition, facts) for condition in self.unless)


def holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    """Whether every fact of the condition has its value (a fact not given has its ordinary value)."""
    for name, wanted in condition.items():
        value = plain(name, facts)
        if isinstance(wanted, (list, tuple)):
            if not any(_equal(value, each) for each in wanted):
                return False
        elif not _equal(value, wanted):
            return False
    return True


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return wanted in value
    return bool(value == wanted)
