"""Rules of a pack about money added to a debt and about the time after which it can no longer be claimed."""

from __future__ import annotations

from typing import Literal

from policies.law.base import Rule


class InterestRule(Rule):
    """Late interest."""

    kind: Literal["interest"]


class FeeRule(Rule):
    """Fixed sums and collection costs."""

    kind: Literal["fee"]


class LimitationRule(Rule):
    """When a debt can no longer be claimed in court."""

    kind: Literal["limitation"]
