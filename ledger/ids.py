"""Ids in bulk: UUID version 7, so that rows of one batch lie side by side in their indexes, in the order they came in."""

from __future__ import annotations

import os
import re
from threading import Lock
from uuid import UUID

from clock import wall_now

# As the ledger writes and reads them; Python's UUID would also take urn:uuid:, stray hyphens and the digits of other scripts.
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)

_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))
"""Makes the first byte of the random half say that this is a UUID of RFC 9562."""
_lock = Lock()
_last = 0
"""The milliseconds and the 12 bits below them of the latest id of this process."""


def new_ids(count: int) -> list[str]:
    """`count` fresh ids as text, each above all that this process made before; 62 bits of each are random.

    The 12 bits below the milliseconds count. Where 4,096 ids of one millisecond are not enough, or the clock went back, the
    ids run ahead of the clock.
    """
    global _last
    with _lock:
        first = max(int(wall_now().timestamp() * 1000) << 12, _last + 1)
        _last = first + count - 1
    tails = bytearray(os.urandom(8 * count))
    tails[::8] = tails[::8].translate(_VARIANT)
    tail, ids = tails.hex(), []
    for at, tick in enumerate(range(first, first + count)):
        if at == 0 or tick & 0xFFF == 0:
            head = f"{tick >> 28:08x}-{tick >> 12 & 0xFFFF:04x}-7"
        place = 16 * at
        ids.append(f"{head}{tick & 0xFFF:03x}-{tail[place : place + 4]}-{tail[place + 4 : place + 16]}")
    return ids


def new_id() -> UUID:
    """One of them."""
    return UUID(new_ids(1)[0])


def is_id(value: str) -> bool:
    """Whether a word that came from outside can be one of our ids at all."""
    return _ID.fullmatch(value) is not None
