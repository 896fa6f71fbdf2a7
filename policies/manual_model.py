"""The schema of the collections manual, as an operator writes it in YAML (F15). Import it from `policies.manual`.

Sums are minor units of the currency they stand under; days are calendar days unless a name ends in `wd` (working days);
hours of the day are local to the debtor.
"""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from policies.terms import Channel, Currency, MinorUnits, Model

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Percent = Annotated[int, Field(ge=0, le=100)]
Days = Annotated[int, Field(ge=0, le=3660)]

_DAY = re.compile(r"^(?:([DIR])(?:([+-])(\d{1,3})(wd)?)?|(M)(\+)(\d{1,2})(wd))$")
_WINDOW = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
_TIME = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$")
_MONTH_DAY = re.compile(r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")
_ISO_DAY = re.compile(r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")


Anchor = Literal["due", "issued", "run", "month"]
_ANCHORS: dict[str, Anchor] = {"D": "due", "I": "issued", "R": "run", "M": "month"}


class RungDay(NamedTuple):
    """A day of the ladder: so many days, calendar or working, from the effective due date, the day of issue or the payment run.

    The run is the payer's first on or after the due date, and the due date itself where its payment days are not known. `month`
    counts the working days of each month from its first one on, and stands beside the ladder: a statement overtakes nothing.
    """

    anchor: Anchor
    days: int
    working: bool


@lru_cache(maxsize=1024)
def parse_day(text: str) -> RungDay:
    """Read `D`, `D-5`, `D+6wd`, `I+2wd` or `M+1wd`; raises ValueError that says how to write it (playbook 1, F3)."""
    found = _DAY.fullmatch(text)
    if found is None:
        said = (
            "write D, D-5, D+14, D+6wd, I+2wd, R+2wd or M+1wd"
            " (D due date, I issue date, R payment run, M each month, wd working days)"
        )
        raise ValueError(f"{text!r} is not a day: {said}")
    if found[5]:
        return RungDay("month", max(int(found[7]), 1), True)
    anchor = _ANCHORS[found[1]]
    days = int(found[3] or 0)
    return RungDay(anchor, -days if found[2] == "-" else days, found[4] is not None)


@lru_cache(maxsize=1024)
def parse_window(text: str) -> tuple[int, int]:
    """Read `09:00-19:00` into minutes of the day, opening included, closing excluded; raises ValueError."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a window: write HH:MM-HH:MM, as 09:00-19:00 (24:00 ends the day)")
    opens, closes = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if closes > 24 * 60:
        raise ValueError(f"{text!r} ends after 24:00: end it at 24:00 and open another on the next day")
    if closes <= opens:
        raise ValueError(f"{text!r} never opens: it must close after it opens; split a window over midnight into two days")
    return opens, closes


@lru_cache(maxsize=256)
def parse_time(text: str) -> tuple[int, int]:
    """Read `09:00` into (hour, minute); raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time of day: write HH:MM, as 09:00")
    return int(found[1]), int(found[2])


def _day_text(text: str) -> str:
    parse_day(text)
    return text


def _window_text(text: str) -> str:
    parse_window(text)
    return text


def _time_text(text: str) -> str:
    parse_time(text)
    return text


def _closed_text(text: str) -> str:
    ends = text.split("..")
    if text == "good_friday" or _ISO_DAY.fullmatch(text) or (len(ends) <= 2 and all(_MONTH_DAY.fullmatch(end) for end in ends)):
        return text
    raise ValueError(f"{text!r} is not a closed day: write MM-DD, MM-DD..MM-DD, good_friday or a date as 2026-12-24")


def _apart(windows: tuple[str, ...]) -> tuple[str, ...]:
    spans = sorted(parse_window(window) for window in windows)
    if any(later[0] < earlier[1] for earlier, later in zip(spans, spans[1:], strict=False)):
        raise ValueError(f"windows overlap: {', '.join(windows)}; write them apart or as one")
    return windows


DayText = Annotated[str, AfterValidator(_day_text), Field(json_schema_extra={"pattern": _DAY.pattern})]
WindowText = Annotated[str, AfterValidator(_window_text), Field(json_schema_extra={"pattern": _WINDOW.pattern})]
TimeText = Annotated[str, AfterValidator(_time_text), Field(json_schema_extra={"pattern": _TIME.pattern})]
ClosedText = Annotated[str, AfterValidator(_closed_text)]
Windows = dict[Weekday, Annotated[tuple[WindowText, ...], AfterValidator(_apart)]]


class Cap(Model):
    """At most `max` contacts in any `days` local dates in a row, the day itself included (1 = per calendar day)."""

    max: int = Field(ge=0, le=1000)
    days: int = Field(ge=1, le=366)
    per: Literal["person", "account"] = "person"
    channels: tuple[Channel, ...] | None = Field(default=None, min_length=1, description="null counts every channel")
    by: Literal["anyone", "machine", "person"] = Field(
        default="anyone", description="whose contacts it limits and counts: what goes out by itself, or what people do"
    )
    outcome: Literal["attempt", "conversation"] = Field(
        default="attempt", description="conversation: only contacts in which a person spoke with the customer count"
    )


def _all_day() -> Windows:
    return dict.fromkeys(WEEKDAYS, ("00:00-24:00",))


class Limits(Model):
    """When a contact may start and how many there may be: the house's own limits, inside the law (playbook 2)."""

    windows: Windows = Field(default_factory=_all_day, description="local windows; a weekday that is not named is closed")
    channel_windows: dict[Channel, Windows] = Field(default={}, description="windows of one channel, for the weekdays it names")
    holidays: bool = Field(default=False, description="true: none on a public holiday of the payer's or the sender's place")
    closed_days: tuple[ClosedText, ...] = ()
    firm_days: tuple[Weekday, ...] = Field(default=WEEKDAYS, min_length=1, description="weekdays on which a firm rung may go")
    firm_closed_days: tuple[ClosedText, ...] = Field(default=(), description="more closed days, for firm rungs only")
    firm_eves: bool = Field(default=True, description="false: no firm rung on the day before a public holiday")
    contacts: tuple[Cap, ...] = ()
    gap_hours: int | None = Field(default=None, ge=1, le=2400, description="least hours between two contacts to one person")
    spread_minutes: int = Field(
        default=0, ge=0, le=600, description="minutes from the opening or send_at over which debtors are spread"
    )
    fold: bool = Field(default=True, description="true: what one person is due by one channel in one window is one message (F38)")
    text_once: bool = Field(default=False, description="true: no reminder goes twice in the same words to a person for one debt")


class Repeat(Model):
    """Say a rung again `every_days` after it went out, `at_most` times in all, the first included (F5).

    A rung of each month (`M+1wd`) goes on its day of the next month; its `every_days` is 28.
    """

    every_days: int = Field(ge=1, le=366)
    at_most: int = Field(ge=2, le=60)


class Offer(Model):
    """The most that may be granted from this rung on, until a later rung states another (playbook 1, 5)."""

    extension_days_max: Days = 0
    instalments_max: int = Field(default=0, ge=0, le=60)
    first_share_min_pct: Percent = 0
    discount_max_pct: Percent = 0
    discount_days: Days = Field(default=0, description="days after the contact within which a discount must be paid")
    plan_days_max: Days | None = Field(default=None, description="days from today within which a plan must end")


class Rung(Model):
    """One step of the ladder; at most one real contact each time it is due."""

    rung: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,30}$", description="its id; never reuse one for another meaning")
    day: DayText
    after_contact_days: Days | None = Field(default=None, description="not before so many days after the last contact (F6)")
    repeat: Repeat | None = None
    channels: tuple[Channel, ...] = Field(default=(), description="tried in this order")
    roles: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], ...] = Field(
        default=(), max_length=8, description="whom to write to, in this order (F85); then payables, holder, anybody who may be"
    )
    action: Literal["contact", "task", "decision"] = "contact"
    template: str = Field(default="", description="the message it sends, or for a task what the person is to do")
    tone: str = ""
    firm: bool = False
    minimum: dict[Currency, MinorUnits] | None = Field(default=None, description="least balance for this rung (F17)")
    offer: Offer | None = None
    expires_days: int = Field(default=30, ge=1, le=366, description="skipped when it could not go out for so long")
    legal_notice: bool = Field(
        default=False, description="the law requires this notice: an opt-out of messages does not silence it (F33)"
    )
    call_first_wd: int | None = Field(
        default=None, ge=1, le=20,
        description="a person is asked to call first; the message goes when nobody was spoken with in so many working days",
    )  # fmt: skip
    unless_spoken_days: int | None = Field(
        default=None, ge=0, le=60, description="skipped when somebody spoke with the customer so many days before it, or since"
    )
    unmoved: bool = Field(default=False, description="a task with somebody else's deadline: no hold, pause or promise moves it")
    requires: str | None = Field(default=None, description="the rung that must have gone out before: an announcement, a notice")


class PromiseRules(Model):
    """What a customer may promise, and how a promise is followed (F64-F66)."""

    days_max: Days = 10
    count_max: int = Field(default=2, ge=0, le=100, description="how many may be missed on one invoice")
    grace_days: int = Field(default=1, ge=0, le=30)
    remind_day_before: bool = True
    runs_max: int = Field(
        default=0, ge=0, le=12, description="where the payer's runs are known: the longest promise is that many runs away"
    )


class Band(Model):
    """Guard-rails for balances up to `up_to_minor` (null: all above); no offer exceeds them (F77)."""

    currency: Currency
    up_to_minor: MinorUnits | None = None
    extension_days_max: Days
    instalments_max: int = Field(ge=0, le=60)
    first_share_min_pct: Percent
    discount_max_pct: Percent


class Pauses(Model):
    """How long each kind of stop may last; every one has an end (I7, F74)."""

    already_paid_wd: int = Field(default=3, ge=1, le=60)
    dispute_days_max: int = Field(default=30, ge=1, le=366)
    pause_days_max: int = Field(default=30, ge=1, le=366)
    unapplied_wd: int = Field(default=3, ge=1, le=60, description="for money that is not applied yet and may be for an invoice")
    reply_wd: int = Field(default=5, ge=1, le=60, description="no rung while a reply waits for an answer, so long at most")
    part_payment_pct: Percent | None = Field(default=30, description="a part payment from this share on brings peace; null: none")
    silence_days: int | None = Field(
        default=180, ge=30, le=1100, description="without any sign of the customer for so long nothing more is sent; null: no end"
    )
    part_payment_days: int = Field(default=5, ge=1, le=60, description="of peace: calendar days, working days for businesses")


class Agency(Model):
    """The figures behind keeping or placing a debt (F87). A currency without a minimum is never placed by itself."""

    commission_pct: Percent
    recover_agency_pct: Percent
    recover_house_pct: Percent
    house_cost_minor: dict[Currency, MinorUnits] = {}
    minimum: dict[Currency, MinorUnits] = {}
    approve_within_days: int = Field(default=10, ge=1, le=90)
    return_after_days: int = Field(default=180, ge=1, le=1100)


def _exact(value: object) -> object:
    return str(value) if isinstance(value, float) else value


YearlyPercent = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, le=1000, max_digits=9)]


class LateCharges(Model):
    """Late interest and fees, posted only where the law pack of the debtor's place and the contract allow them (F63)."""

    interest: Literal["statutory", "contract", "none"] = "none"
    contract_rate_pct: YearlyPercent | None = Field(default=None, description="percent a year that the contract sets, if it does")
    fixed_sum: bool = Field(default=False, description="the fixed sum of late-payment laws, once per invoice")
    fee_minor: dict[Currency, Annotated[int, Field(gt=0)]] = Field(default={}, description="late fee of the contract, once")
    fee_pct: YearlyPercent | None = Field(default=None, description="late fee of the contract in percent of the late sum, once")
    fee_after_days: int = Field(default=1, ge=1, le=3660, description="days after the due date at which the fee is owed")
    post: Literal["monthly"] = "monthly"

    @model_validator(mode="after")
    def _one_of_each(self) -> LateCharges:
        if self.interest == "contract" and self.contract_rate_pct is None:
            raise ValueError("interest: contract needs contract_rate_pct, the percent a year that the contract sets")
        if self.fee_minor and self.fee_pct is not None:
            raise ValueError("give fee_minor or fee_pct, not both")
        return self


ConsequenceKind = Literal["suspension", "order_hold", "contract_end", "interest", "credit_record", "protest", "decision"]


class Consequence(Model):
    """What this house really does to a debt, after which notice, how many days later, and whether a payment undoes it."""

    kind: ConsequenceKind
    notice: str = Field(description="the message that announces it")
    wait_days: Days = Field(description="least calendar days between the notice and the act")
    done_by: str = Field(description="the rung that does it, or late_charges for interest")
    undone_on_payment: bool = Field(default=True, description="a payment in full opens a task to undo what was done")


class Manual(Model):
    """One resolved manual. `id` names its content: two manuals with the same id say the same."""

    name: str = Field(min_length=1, max_length=80)
    version: int = Field(ge=1)
    deadline_basis: Literal["effective", "as_stated"] = "effective"
    delivery: Literal["assumed", "required"] = Field(
        default="assumed", description="required: no overdue rung before the invoice is shown to have reached its customer (F42)"
    )
    send_at: TimeText = Field(default="09:00", description="local time at which a rung asks to go out")
    limits: Limits = Limits()
    minimums: dict[Channel, dict[Currency, MinorUnits]] = Field(default={}, description="least balance per channel (F17)")
    ladder: tuple[Rung, ...] = Field(min_length=1)
    promise: PromiseRules = PromiseRules()
    bands: tuple[Band, ...] = ()
    pauses: Pauses = Pauses()
    agency: Agency | None = None
    late_charges: LateCharges | None = Field(default=None, description="null: nothing is ever added to a debt")
    consequences: tuple[Consequence, ...] = Field(
        default=(), description="what a message may announce, because it is really done"
    )

    @property
    def id(self) -> str:
        """sha256 (hex) of the canonical JSON of the whole content."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def rung(self, rung_id: str) -> Rung:
        """The rung of that id; raises KeyError with the ids there are."""
        for rung in self.ladder:
            if rung.rung == rung_id:
                return rung
        raise KeyError(f"manual {self.name} has no rung {rung_id!r}: it has {', '.join(r.rung for r in self.ladder)}")
