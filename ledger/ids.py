"""Ids in bulk: UUID version 7, so that rows of one batch lie side by side in their indexes."""

from __future__ import annotations

import os
import re
from uuid import UUID

from clock import wall_now

# As the ledger writes and reads them; Python's UUID would also take urn:uuid:, stray hyphens and the digits of other scripts.
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


def new_ids(count: int) -> list[str]:
    """`count` fresh ids as text, in ascending order of their millisecond."""
    stamp = int(wall_now().timestamp() * 1000).to_bytes(6, "big").hex()
    head = f"{stamp[:8]}-{stamp[8:]}-"
    noise = os.urandom(10 * count).hex()
    return [
        f"{head}7{noise[at + 1 : at + 4]}-{'89ab'[int(noise[at + 4], 16) & 3]}{noise[at + 5 : at + 8]}-{noise[at + 8 : at + 20]}"
        for at in range(0, 20 * count, 20)
    ]


def new_id() -> UUID:
    """One of them."""
    return UUID(new_ids(1)[0])


def is_id(value: str) -> bool:
    """Whether a word that came from outside can be one of our ids at all."""
    return _ID.fullmatch(value) is not None
