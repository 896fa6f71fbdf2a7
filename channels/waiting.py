"""How long a busy provider asks us to wait."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

_LONGEST_WAIT = timedelta(hours=1)


class _Headers(Protocol):
    def get(self, name: str, /) -> object: ...


def retry_after(headers: _Headers | None, otherwise: timedelta) -> timedelta:
    """Retry-After in seconds, between one second and an hour; `otherwise` when it is missing or a date."""
    given = headers.get("Retry-After") if headers is not None else None
    if given is None or not str(given).strip().isdigit():
        return otherwise
    return min(max(timedelta(seconds=int(str(given))), timedelta(seconds=1)), _LONGEST_WAIT)
