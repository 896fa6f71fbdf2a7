"""Where a list goes on: a place by time and id, which rows that come later do not shift."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from uuid import UUID

from ledger.refusals import Refused


def cursor_after(at: datetime, row_id: UUID) -> str:
    """The cursor for what comes after this row; opaque to who gets it."""
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(row_id)]).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """The row that the cursor stands after. Raises Refused `bad-cursor`."""
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(at).astimezone(UTC), str(UUID(row_id))
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError):
        raise Refused("bad-cursor", "this cursor was not made here: start the list again without one", status=422) from None
