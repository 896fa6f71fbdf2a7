"""The answers of the policy. The workflow obeys Contact, Wait and Close; the ledger applies the others at once and asks again.

Each carries `kind` (so that a union survives the wire), when, why in plain words, and the ids of the rules that decided.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from policies.terms import Channel, Instant, MinorUnits, Model


class _Step(Model):
    at: Instant
    """Business time at which this happens (or is decided)."""
    why: str
    """One plain sentence for the person who reads the history."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that decided, in order: `ladder.S3`, `hours.closed_day`, `budget.7d`, ..."""


class Contact(_Step):
    """Write, call or post once. At `at` it is allowed as far as is known now; it is checked again when it happens."""

    kind: Literal["contact"] = "contact"
    key: str
    rung: str
    channel: Channel
    person_id: str
    address_id: str
    template: str
    instalment: int
    amount_minor: MinorUnits
    rung_at: Instant
    """The moment the ladder asked for, before hours and limits moved it."""
    window_ends: Instant
    late_days: int = 0
    firm: bool = False
    reserve: bool = False
    """True when limits moved it: the ledger reserves the slot so that others see it as taken."""


class Wait(_Step):
    """Nothing to do before `at`; every wait has an end (I7)."""

    kind: Literal["wait"] = "wait"
    until: str
    """What is waited for: `pause`, `dispute`, `promise`, `approval`, `agency`, `receipt`, `stop`, `person`, ..."""


class Skip(_Step):
    """Pass a rung over for good, and say why."""

    kind: Literal["skip"] = "skip"
    key: str
    rung: str


class Judge(_Step):
    """An agreement's verdict is due. `broken` and `partly` begin a new cycle."""

    kind: Literal["judge"] = "judge"
    agreement_id: str
    verdict: Literal["kept", "partly", "broken"]
    paid_minor: MinorUnits
    promised_minor: MinorUnits


class Ask(_Step):
    """A task for a person, with a deadline."""

    kind: Literal["ask"] = "ask"
    task: str
    key: str
    """Makes the task unique: asked once, however often the policy says so."""
    due_at: Instant
    rung_key: str = ""
    """The rung that this task is, when it is one: it counts as dealt with."""


class HandOff(_Step):
    """The ladder has ended: propose to keep or to place the debt, with the figures, for a person to approve."""

    kind: Literal["handoff"] = "handoff"
    decide_by: Instant
    placement_id: str = ""
    """Given by the ledger when it records the proposal."""
    recommend: Literal["place", "keep"]
    figures: dict[str, int]


class Place(_Step):
    """Approved: write the placement file once and stop chasing."""

    kind: Literal["place"] = "place"
    placement_id: str
    return_by: Instant


class Recall(_Step):
    """Take the debt back from the agency: it was paid, or its time there is over."""

    kind: Literal["recall"] = "recall"
    placement_id: str


class Close(_Step):
    """The workflow ends. A later fact opens a new run that asks again."""

    kind: Literal["close"] = "close"
    outcome: Literal[
        "paid", "cancelled", "written_off", "credited", "ladder_ended", "recalled_paid", "returned", "settled_in_erp"
    ]  # fmt: skip


Step = Annotated[Contact | Wait | Skip | Judge | Ask | HandOff | Place | Recall | Close, Field(discriminator="kind")]
Obeyed = Annotated[Contact | Wait | Close, Field(discriminator="kind")]
"""What the workflow sees; the rest is applied by the ledger in the same transaction, and the policy is asked again."""
