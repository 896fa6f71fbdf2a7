"""What an invoice brings along from the system that collected it before: sums, contacts, stage, promise, dispute, hold.

It is told once, with the invoice; what is accepted afterwards are facts of our own.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from policies.manual_model import Manual, parse_day
from policies.terms import Model
from policies.typed import Day

_Sum = Annotated[StrictInt, Field(le=10**15)]
DisputeWord = Literal["wrong_amount", "not_received", "quality", "already_credited", "not_mine", "other"]
CarriedChannel = Literal["email", "sms", "whatsapp", "voice", "letter", "visit"]
CARRIED = "ladder.carried"
"""The rule of a rung that the system before had already passed."""


class CarriedIn(Model):
    """Where an invoice stands when it comes over from another system."""

    balance_minor: Annotated[_Sum, Field(ge=0)] | None = Field(
        None, description="what is still open of it, in minor units; the rest was paid before"
    )
    settled_on: Day | None = Field(
        None, description="the day it was paid in full: it comes in as history and nobody is contacted", examples=["2025-11-30"]
    )
    last_contact_on: Day | None = Field(None, description="when somebody last wrote or spoke to the customer about it (F6)")
    last_contact_channel: CarriedChannel | None = None
    stage: Annotated[StrictInt, Field(ge=0, le=99)] | Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = Field(
        None, description="the last rung that was used, by the manual's id, or how many reminders were sent after the due date"
    )
    promised_on: Day | None = Field(None, description="the day on which the customer promised to pay")
    promised_minor: Annotated[_Sum, Field(gt=0)] | None = Field(None, description="the sum promised; left out, all that is open")
    disputed: DisputeWord | None = None
    hold_until: Day | None = Field(None, description="the last day of a hold that was agreed before")
    hold_reason: str = Field("", pattern=r"^[a-z0-9_]{0,40}$", description="a word of the creditor's own list, nothing personal")


def wrong_in(carried: CarriedIn, total_minor: int, issued_on: date) -> list[tuple[str, str]]:
    """What makes no sense in it: (member, what is wrong)."""
    wrong: list[tuple[str, str]] = []
    if carried.balance_minor is not None and carried.balance_minor > total_minor:
        wrong.append(
            ("balance_minor", f"{carried.balance_minor} are open of an invoice of {total_minor}: are the two exchanged?")
        )
    if carried.settled_on is not None:
        if carried.balance_minor:
            wrong.append(("settled_on", f"it is said to be paid in full and {carried.balance_minor} are open"))
        if carried.settled_on.year < issued_on.year - 1:
            wrong.append(("settled_on", "it was paid more than a year before it was issued: is the year right?"))
        later = [name for name in ("promised_on", "disputed", "hold_until") if getattr(carried, name) is not None]
        wrong += [(name, "a paid invoice has none") for name in later]
    elif carried.balance_minor == 0:
        wrong.append(("balance_minor", "nothing is open: give settled_on, the day it was paid, and it comes in as history"))
    if carried.promised_minor is not None and carried.promised_on is None:
        wrong.append(("promised_on", "a promised sum needs its day"))
    if carried.promised_minor is not None and carried.promised_minor > (carried.balance_minor or total_minor):
        wrong.append(("promised_minor", "more is promised than is open"))
    if carried.last_contact_channel is not None and carried.last_contact_on is None:
        wrong.append(("last_contact_on", "a channel needs the day of that contact"))
    return wrong


def stage_position(manual: Manual, stage: str) -> int:
    """The place in the ladder of the last rung that was used before; -1 for none.

    `stage` is a rung's id or how many reminders were sent. Reminders are the rungs after the due date that contact the customer:
    two sent means that the second of them is behind us. Raises ValueError for a rung that the manual does not have.
    """
    if not stage:
        return -1
    ids = [rung.rung for rung in manual.ladder]
    if stage in ids:
        return ids.index(stage)
    if not stage.isdigit():
        raise ValueError(f"the manual has no rung {stage!r}: it has {', '.join(ids)}")
    reminders = [at for at, rung in enumerate(manual.ladder) if rung.action == "contact" and _after_due(rung.day)]
    sent = min(int(stage), len(reminders))
    return reminders[sent - 1] if sent else -1


def _after_due(day: str) -> bool:
    offset = parse_day(day)
    return offset.anchor != "issued" and offset.days > 0
