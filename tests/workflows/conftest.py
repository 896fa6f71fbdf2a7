"""The stage of the journeys, for recording."""

from __future__ import annotations

from tests.journeys.conftest import stage

__all__ = ["stage"]
