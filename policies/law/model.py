"""A law pack: one jurisdiction's rules as data that a lawyer can read, checked when it is loaded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from policies.law.base import Day, Facts, LawChannel, Rule
from policies.law.charges_model import FeeRule, InterestRule, LimitationRule
from policies.manual_model import WEEKDAYS, Weekday, parse_window
from policies.terms import Model

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
_CONSENT = "local dates for which `prior_consent_at` lifts the rule, its own day the first; a later conversation uses it up"
_WINDOWS = dict[Weekday, tuple[str, ...]]


def _week(given: Any) -> Any:
    """`{mon-fri: [...], sat: [...]}` written out by weekday."""
    if not isinstance(given, dict):
        return given
    found: dict[str, Any] = {}
    for key, windows in given.items():
        first, _, last = str(key).partition("-")
        if first not in WEEKDAYS or (last and last not in WEEKDAYS):
            raise ValueError(f"{key!r} is not a weekday or a run of them: write mon, sat or mon-fri")
        for day in WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last or first) + 1]:
            found[day] = windows
    for window in (each for windows in found.values() for each in windows):
        parse_window(window)
    return found


class Hours(Rule):
    """When a contact may be made by the debtor's clock: half-open windows by weekday; a weekday not named is closed."""

    kind: Literal["hours"]
    windows: Annotated[_WINDOWS, BeforeValidator(_week)]
    holidays: Literal["open", "closed"] = Field(default="closed", description="what the pack's calendar of holidays does")
    agreed: Facts | None = Field(default=None, description="facts at which the hours in `agreed_hours` are open as well")


class Cap(Rule):
    """At most `max` contacts in a period. Attempts to send count too unless `counts` says contacts."""

    kind: Literal["cap"]
    max: int = Field(ge=0)
    days: int | None = Field(default=None, ge=1, description="every run of so many local dates, the day itself included")
    period: Literal["week", "calendar_week", "calendar_month", "ever"] | None = Field(
        default=None, description="week: calendar week and seven days, both must agree"
    )
    counts: Literal["attempts", "contacts"] = "attempts"
    also: tuple[Word, ...] = Field(default=(), description="outcomes that count although nobody was reached")
    free: tuple[Word, ...] = Field(default=("not_connected_to_number",), description="outcomes that never count")
    per: Literal["debt", "person_debt", "account", "person", "creditor"] = "person"
    of: tuple[LawChannel, ...] = Field(default=(), description="channels that are counted; none: those the rule binds")
    same_channel: bool = Field(default=False, description="only contacts by the channel that is asked about are counted")
    after_conversation: bool = Field(default=False, description="nothing is counted before a first conversation")
    consent_days: int | None = Field(default=None, ge=1, description=_CONSENT)

    @model_validator(mode="after")
    def _one_period(self) -> Cap:
        if (self.days is None) == (self.period is None):
            raise ValueError("a cap needs days or period, and not both")
        return self


class Spacing(Rule):
    """How long after a contact the next may follow: by local dates or by hours."""

    kind: Literal["spacing"]
    days: int | None = Field(default=None, ge=1, description="from the contact's date plus so many days on")
    hours: int | None = Field(default=None, ge=1)
    after: Literal["attempt", "contact", "conversation"] = "contact"
    per: Literal["debt", "person_debt", "account", "person", "creditor"] = "person"
    of: tuple[LawChannel, ...] = ()
    consent_days: int | None = Field(default=None, ge=1, description=_CONSENT)

    @model_validator(mode="after")
    def _one_length(self) -> Spacing:
        if (self.days is None) == (self.hours is None):
            raise ValueError("a spacing needs days or hours, and not both")
        return self


class CrossChannel(Rule):
    """After a contact by one channel every other channel is closed for a period."""

    kind: Literal["cross_channel"]
    period: Literal["day", "week", "calendar_week", "seven_days"]


class Bar(Rule):
    """No contact at all while the facts in `when` hold; waiting does not help."""

    kind: Literal["bar"]


class Channels(Rule):
    """Only where the debtor has not closed the channel, or has opened it."""

    kind: Literal["opt_out"]


class Addressee(Rule):
    """Who may be reached; anyone else is refused."""

    kind: Literal["addressee"]
    allowed: tuple[Word, ...]
    only_if_debt_mentioned: bool = False


class Content(Rule):
    """What a message may not do."""

    kind: Literal["content"]
    never: tuple[Word, ...] = Field(min_length=1)


class MustSay(Rule):
    """What a message has to state."""

    kind: Literal["must_say"]
    items: tuple[Word, ...] = Field(min_length=1)


class NoticeWait(Rule):
    """A notice must have been sent, and so many days passed: allowed from the day of sending plus `days` on."""

    kind: Literal["notice_wait"]
    notice: Literal["notice_sent", "action_notice_sent"] = "notice_sent"
    days: int = Field(ge=0)


class Moratorium(Rule):
    """No contact from the day `start` states for so many days (it is day one), or until `days` after the day `end` states."""

    kind: Literal["moratorium"]
    start: Literal["breathing_space_start", "workplace_stop_at"]
    days: int = Field(ge=1)
    end: Literal["breathing_space_end"] | None = None


class Wishes(Rule):
    """The hours that the debtor wants or does not want."""

    kind: Literal["wishes"]


AnyRule = Annotated[
    Hours | Cap | Spacing | CrossChannel | Bar | Channels | Addressee | Content | MustSay | NoticeWait | Moratorium | Wishes
    | InterestRule | FeeRule | LimitationRule,
    Field(discriminator="kind"),
]  # fmt: skip


class DayEntry(Model):
    """A day the general calendar lacks, or has and the pack drops; `mon>=05-18` is the first Monday from 18 May on."""

    day: str = Field(
        pattern=r"^(\d\d-\d\d|\d{4}-\d\d-\d\d|easter[+-]\d{1,2}|sunday|saturday|(mon|tue|wed|thu|fri|sat|sun)>=\d\d-\d\d)$"
    )
    name: str
    from_: Day | None = Field(default=None, alias="from")
    until: Day | None = None


class Calendar(Model):
    """Holidays of the pack: those of the pinned `holidays` package for country and region, plus and minus its own."""

    country: str = ""
    region: str = ""
    extra: tuple[DayEntry, ...] = ()
    drop: tuple[DayEntry, ...] = ()


class Setting(Model):
    """A reading that others dispute, or a choice where the text is silent. `safe` is in force unless the creditor chooses."""

    safe: str
    choices: dict[str, str] = Field(min_length=2)

    @model_validator(mode="after")
    def _safe_is_a_choice(self) -> Setting:
        if self.safe not in self.choices:
            raise ValueError(f"the safe value {self.safe!r} is not among the choices")
        return self


class Pack(Model):
    """One jurisdiction."""

    jurisdiction: str = Field(pattern=r"^([A-Z]{2}(-[A-Z]+)?|HOUSE)$")
    name: str
    country: str = ""
    region: str = ""
    city: str = ""
    within: tuple[str, ...] = Field(default=(), description="packs of the larger places whose rules apply as well")
    reviewed_on: Day
    summary: str
    assumes: dict[str, Any] = Field(default={}, description="facts taken for granted where this pack itself is asked about")
    calendar: Calendar = Calendar()
    settings: dict[str, Setting] = {}
    rules: tuple[AnyRule, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Pack:
        seen: set[tuple[str, Any]] = set()
        for rule in self.rules:
            if not rule.id.startswith(f"{self.jurisdiction}."):
                raise ValueError(f"rule {rule.id} must begin with {self.jurisdiction}.")
            if (rule.id, rule.from_) in seen:
                raise ValueError(f"rule {rule.id} stands twice with the same date: give the new entry its own from")
            seen.add((rule.id, rule.from_))
            if rule.setting and (rule.setting not in self.settings or rule.value not in self.settings[rule.setting].choices):
                raise ValueError(f"rule {rule.id} hangs on setting {rule.setting}={rule.value}, which the pack does not offer")
        return self
