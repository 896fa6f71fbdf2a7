"""The simulator as the player's outside world, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx


class SimulatedOutside:
    """One running simulator in played time."""

    def __init__(self, url: str) -> None:
        # One `advance` awaits every webhook of that instant, each of which may be repeated for a while.
        self.http = httpx.AsyncClient(base_url=url, timeout=300.0)

    async def register(self, debtors: Sequence[dict[str, Any]]) -> None:
        """Add debtors with their invoices, or invoices to debtors that are there."""
        await self._post("/sim/debtors", list(debtors))

    async def next_at(self) -> datetime | None:
        """When something happens outside."""
        answer = await self.http.get("/sim/next")
        answer.raise_for_status()
        at: str | None = answer.json()["next_at"]
        return datetime.fromisoformat(at) if at else None

    async def play(self, now: datetime) -> bool:
        """Tell it the time; returns whether anything happened."""
        fired: int = (await self._post("/sim/advance", {"now": now.isoformat()}))["fired"]
        return fired > 0

    async def state(self) -> dict[str, Any]:
        """The simulator's own counts."""
        answer = await self.http.get("/sim/state")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def close(self) -> None:
        """Let go of the connection."""
        await self.http.aclose()

    async def _post(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
