"""The customer's link: one for each invoice and person, the same in every message, never stale (F39, F40).

The token is 256 bits made again from the master key whenever a message needs it; the ledger keeps only its hash.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from sqlalchemy.orm import Session

from ledger.sealing import Sealer
from ledger.session import Prepared

_KEEP = Prepared(
    "keep_link",
    "insert into portal_link (token_hash, creditor_id, invoice_id, person_id, created_at)"
    " select :hash, creditor_id, id, :person, clock_timestamp() from invoice where id = :invoice on conflict do nothing",
    hash="bytea", person="uuid", invoice="uuid",
)  # fmt: skip


def portal_token(sealer: Sealer, invoice_id: UUID | str, person_id: UUID | str) -> str:
    """The token of this invoice and person; it opens nothing until `portal_url` has kept its hash."""
    return sealer.token("portal", f"{invoice_id}|{person_id}")


def portal_url(session: Session, sealer: Sealer, public_url: str, invoice_id: UUID | str, person_id: UUID | str) -> str:
    """The address of the customer's page, without a slash at its end; its link is kept when it is new."""
    token = portal_token(sealer, invoice_id, person_id)
    _KEEP.later(session, {"hash": token_hash(token), "invoice": str(invoice_id), "person": str(person_id)})
    return f"{public_url.rstrip('/')}/p/{token}"


def token_hash(token: str) -> bytes:
    """What the ledger knows of a token."""
    return hashlib.sha256(token.encode()).digest()
