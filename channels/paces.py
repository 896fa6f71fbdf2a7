"""How many messages a second each channel's provider takes, as the setting says it."""

from __future__ import annotations

from math import inf

from policies.terms import Channel

__all__ = ["channel_rates"]


def channel_rates(text: str) -> dict[Channel, float]:
    """Read `email=50 sms=10`: messages a second; ValueError that says how to write it."""
    found: dict[Channel, float] = {}
    for part in text.replace(",", " ").split():
        name, _, rate = part.partition("=")
        try:
            found[Channel(name)] = float(rate)
        except ValueError:
            found = {}
        if not found or not 0 < found[Channel(name)] < inf:
            raise ValueError(
                f"PUNTUAL_CHANNEL_RATES has {part!r}: write messages a second by channel, as email=50 sms=10;"
                f" the channels are {', '.join(Channel)}"
            )
    return found
