"""What is known about an invoice having reached its customer (F42): what was told, and what the customer did with it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from policies.terms import Instant, Model

TOLD = ("delivered", "accepted", "rejected", "waived")
"""What a billing system or a person may say of an invoice's delivery."""
DeliveryKind = Literal["delivered", "accepted", "rejected", "waived"]


class DeliveryFact(Model):
    """One piece of evidence. `known`: the customer acted on the invoice; `not_received`: the customer says that it never came."""

    kind: Literal["delivered", "accepted", "rejected", "waived", "known", "not_received"]
    at: Instant
    """When it was recorded: a later word counts more than an earlier one."""
    on: date | None = None
    """The day it happened, where it was told; else the local day of `at`."""
    source: str = ""


DELIVERY_CHECK = "delivery_check"
"""The message that asks whether the invoice was received, and the rung under which it goes outside the ladder."""
