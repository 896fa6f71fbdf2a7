"""What a creditor may say of an account beyond its place: who pays for it, what must be heeded, and how it pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from policies.greeting import why_not_short_name
from policies.manual_model import Weekday
from policies.terms import DebtorKind, Model
from policies.typed import ONE_LINE, STORABLE

Ref = Annotated[str, Field(min_length=1, max_length=120, pattern=ONE_LINE)]
Related = Literal["employee", "related_party", "shareholder"]
LINKS = ("payer", "bill_to", "parent")
"""How accounts hang together; only `payer` changes who is written to."""


def _one_kind(days: tuple[Weekday | int, ...]) -> tuple[Weekday | int, ...]:
    if len({type(day) for day in days}) > 1:
        raise ValueError("give weekdays (fri) or days of the month (10, 25), not both")
    return days


class PortalIn(Model):
    """Where the payer wants its invoices handed in."""

    name: str = Field(min_length=1, max_length=60, pattern=STORABLE, examples=["Ariba"])
    url: str | None = Field(None, max_length=200, pattern=r"^https://[^\s]+$")


Segment = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$", examples=["key"])]


class HabitsIn(Model):
    """How the payer pays."""

    payment_days: Annotated[
        tuple[Weekday | Annotated[int, Field(ge=1, le=31)], ...], AfterValidator(_one_kind), Field(max_length=10)
    ] = Field((), description="its payment runs: weekdays, or days of the month (31: the last one)", examples=[["fri"]])
    cut_off_wd: int = Field(0, ge=0, le=30, description="working days before a run by which an invoice must be registered")
    portal: PortalIn | None = None


class WhoIn(Model):
    """The members of an account that say who pays, who may be written to, and how it pays."""

    payer: Ref | None = Field(None, description="ref of the account that pays: its contacts are written to, its limits count")
    bill_to: Ref | None = Field(None, description="ref of the account that the invoices are made out to")
    parent: Ref | None = Field(None, description="ref of the account that this one is a branch of")
    minor: bool = Field(False, description="true: only a contact with the role guardian is written to")
    related: Related | None = Field(None, description="of your own house: reminders only, a person does whatever is firm")
    short_name: str = Field(
        "", max_length=60, pattern=STORABLE, description="business only: greets where a contact has no salutation"
    )
    segment: Segment | None = Field(None, description="a word of your own; `key`: each firm rung needs a person's yes")
    habits: HabitsIn | None = None


class WhoChange(Model):
    """What may be corrected of it."""

    treatment: Literal["tu", "usted", "vos", "voce"] | None = Field(
        None, alias="register", description="how to address this customer; what has begun in another register ends in it"
    )
    payer: Ref | None = None
    bill_to: Ref | None = None
    parent: Ref | None = None
    minor: bool | None = None
    related: Related | None = None
    short_name: str | None = Field(None, max_length=60, pattern=STORABLE)
    segment: Segment | None = None
    habits: HabitsIn | None = None


def who_terms(said: WhoIn | WhoChange) -> dict[str, Any]:
    """The account's terms that these members make; a member that says nothing is None."""
    habits = said.habits.model_dump(mode="json", exclude_defaults=True) if said.habits else None
    return {
        "minor": said.minor or None, "related": said.related, "short_name": (said.short_name or "").strip() or None,
        "habits": habits or None, "segment": said.segment or None,
    }  # fmt: skip


def changed_terms(known: Mapping[str, Any], change: WhoChange) -> dict[str, Any]:
    """The terms after a correction: only the members given, null or empty forgets one."""
    said = {name: value for name, value in who_terms(change).items() if name in change.model_fields_set}
    return {name: value for name, value in {**known, **said}.items() if value}


def links_of(said: WhoIn) -> tuple[tuple[str, str], ...]:
    """The accounts named, as (link, ref)."""
    return tuple((name, ref) for name in LINKS if (ref := getattr(said, name)) is not None)


def wrong_with(said: WhoIn, ref: str, kind: DebtorKind, say: Callable[[str, str], object]) -> None:
    """Tell `say(pointer, detail)` what makes no sense."""
    for name, other in links_of(said):
        if other == ref:
            say(f"/account/{name}", "an account is not its own payer, bill-to or parent: leave it out")
    if said.short_name and kind is DebtorKind.CONSUMER:
        say("/account/short_name", "only a business has a short name; a consumer is greeted by the contact's salutation")
    elif said.short_name and (why := why_not_short_name(said.short_name)):
        say("/account/short_name", why)
