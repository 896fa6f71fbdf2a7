"""The stage of the journeys, for recording, and one outside world for real timers."""

from __future__ import annotations

from tests.activities.conftest import outside
from tests.journeys.conftest import short_stage, stage

__all__ = ["outside", "short_stage", "stage"]
