"""What goes wrong on purpose: lost answers, refusals, delays, repeated and shuffled webhooks. Shares are percentages."""

from __future__ import annotations

import random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["accept", "drop_before", "drop_after", "busy", "error"]


class Faults(BaseModel):
    """What `POST /sim/faults` sets; each call replaces all of it, and `{}` ends every fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop_after_accept_pct: float = Field(default=0, ge=0, le=100)
    """The message is taken and the connection is cut without an answer: the sender cannot know."""
    drop_before_accept_pct: float = Field(default=0, ge=0, le=100)
    """The connection is cut and nothing is taken: to the sender it looks the same."""
    busy_pct: float = Field(default=0, ge=0, le=100)
    """429 with Retry-After."""
    error_pct: float = Field(default=0, ge=0, le=100)
    """500, and nothing is taken."""
    retry_after_seconds: int = Field(default=1, ge=1)
    delay_ms: int = Field(default=0, ge=0)
    channels: tuple[str, ...] = ()
    """Only these channels suffer; empty is all."""
    duplicate_webhooks_pct: float = Field(default=0, ge=0, le=100)
    lose_receipts_pct: float = Field(default=0, ge=0, le=100)
    shuffle_webhooks: bool = False
    """What is due at one advance is sent in a random order, also a reversal before its payment."""


class FaultDice:
    """Draws from the present faults with a seed of its own."""

    def __init__(self, seed: int) -> None:
        self.faults = Faults()
        self._random = random.Random(f"{seed}|faults")

    def on_message(self, channel: str) -> Verdict:
        """What happens to a message that just came in."""
        faults = self.faults
        if faults.channels and channel not in faults.channels:
            return "accept"
        drawn = self._random.uniform(0, 100)
        shares: tuple[tuple[float, Verdict], ...] = (
            (faults.drop_after_accept_pct, "drop_after"),
            (faults.drop_before_accept_pct, "drop_before"),
            (faults.busy_pct, "busy"),
            (faults.error_pct, "error"),
        )
        for share, verdict in shares:
            if drawn < share:
                return verdict
            drawn -= share
        return "accept"

    def duplicate(self) -> bool:
        """Whether this webhook is sent twice."""
        return self._hits(self.faults.duplicate_webhooks_pct)

    def lose_receipt(self) -> bool:
        """Whether this receipt never comes."""
        return self._hits(self.faults.lose_receipts_pct)

    def place(self) -> float:
        """A random place in the order."""
        return self._random.random()

    def _hits(self, share: float) -> bool:
        return share > 0 and self._random.uniform(0, 100) < share
