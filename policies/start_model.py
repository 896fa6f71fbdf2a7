"""How a creditor starts: what is only watched, what a person approves first, how much goes out in a day, and when all stops.

The creditor's settings hold a `StartTerms` under `start`; the ledger gives the policy the part that concerns one invoice.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from policies.terms import Channel, Instant, MinorUnits, Model

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}|(kind:(consumer|business))|(debt_type:[a-z_]{1,40})|(from:[A-Z]{3}:\d{1,15})")
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class StartMode(StrEnum):
    """What happens to a contact whose moment has come."""

    WATCH = "watch"
    """Nothing is sent: the rung is passed over and it is written down what would have gone."""
    APPROVE = "approve"
    """A person has seen it on the list of the day before and approved it; else it is held."""
    AUTO = "auto"
    """It goes."""


STRICTEST_FIRST = (StartMode.WATCH, StartMode.APPROVE, StartMode.AUTO)


def _segment(value: str) -> str:
    if not _SEGMENT.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a segment: write kind:consumer, debt_type:trade, from:COP:100000000 (owed at least, minor units)"
            " or the account's own segment word such as key"
        )
    return value


def _hour(value: str) -> str:
    if not _HOUR.fullmatch(value):
        raise ValueError(f"{value!r} is not an hour of the day: write it as 15:00")
    return value


class StopLimits(Model):
    """When sending stops by itself: shares of the contacts of the last 24 hours, or of the last `contacts` (playbook 7)."""

    sample_min: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Fewer contacts than these prove nothing."""
    contacts: Annotated[int, Field(ge=1, le=10_000)] = 200
    bounces_pct: Annotated[float, Field(gt=0, le=100)] = 5
    already_paid_pct: Annotated[float, Field(gt=0, le=100)] = 3
    opt_outs_pct: Annotated[float, Field(gt=0, le=100)] = 2
    stop_wd: Annotated[int, Field(ge=1, le=20)] = 2
    """Working days of the creditor for which it stops; a person may end it before."""


class StartTerms(Model):
    """What a creditor has chosen; of the modes that apply to a contact the strictest wins."""

    default: StartMode = StartMode.AUTO
    rungs: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")], StartMode] = {}
    segments: dict[Annotated[str, AfterValidator(_segment)], StartMode] = {}
    list_at: Annotated[str, AfterValidator(_hour)] = "15:00"
    """The creditor's local hour at which the list for the next working day is drawn."""
    ceiling_per_day: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """The most messages of one local day of the creditor, by all channels."""
    ceilings: dict[Channel, Annotated[int, Field(ge=1, le=10_000_000)]] = {}
    """The most by one channel."""
    stop: StopLimits | None = StopLimits()
    """None: nothing stops by itself."""

    @property
    def asks(self) -> bool:
        """Whether anything of this creditor needs a person's approval."""
        return StartMode.APPROVE in (self.default, *self.rungs.values(), *self.segments.values())

    @property
    def lists(self) -> bool:
        """Whether anything of this creditor stands on a list: to be approved, or to see what would go."""
        return self.asks or StartMode.WATCH in (self.default, *self.rungs.values(), *self.segments.values())

    @property
    def is_plain(self) -> bool:
        """Whether everything goes by itself and without a ceiling."""
        modes = {self.default, *self.rungs.values(), *self.segments.values()}
        return modes == {StartMode.AUTO} and self.ceiling_per_day is None and not self.ceilings


class Approval(Model):
    """What a person was shown of one contact, and what they said."""

    key: str
    channel: Channel
    person_id: str
    amount_minor: MinorUnits
    state: Literal["proposed", "approved", "declined", "expired"]
    planned_at: Instant
    """The moment for which it was shown; it does not go before."""
    for_day: date
    """The list that it stands on: a working day of the creditor."""
    good_until: Instant | None = None
    """An approval is good for three working days."""
    decided_by: str = ""


class CeilingUse(Model):
    """How much of a daily ceiling is used; `channel` None means all channels together."""

    channel: Channel | None = None
    day: date
    """The creditor's local day that was counted."""
    per_day: int
    used: int


class StartFacts(Model):
    """What the start of its creditor means for one invoice."""

    default: StartMode
    rungs: dict[str, StartMode] = {}
    segments: dict[str, StartMode] = {}
    segment: str = ""
    """The account's own segment word."""
    list_at: str = "15:00"
    approvals: tuple[Approval, ...] = ()
    """The latest word on each key."""
    ceilings: tuple[CeilingUse, ...] = ()
    assumed_from: date | None = None
    """Only while a list is drawn: what is watched or needs an approval is taken as approved, from this local day on."""
