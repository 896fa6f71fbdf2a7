"""What the ledger refuses, in words a person can act on. The API turns it into problem+json (RFC 9457)."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Nothing was written (the caller rolls back).

    `code` ends the problem's stable type address, e.g. `invoice-closed`; `detail` says what, where and what to do, without
    personal data; `status` is the HTTP status (404 not this caller's, 409 not in this state, 422 not acceptable as given);
    `more` are further members of the problem document.
    """

    def __init__(self, code: str, detail: str, *, status: int = 409, more: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.more = more or {}


def not_found(what: str, ref: object) -> Refused:
    """The same answer for what does not exist and for what is another creditor's (I8)."""
    return Refused("not-found", f"there is no {what} {str(ref)!r} for this key", status=404)
