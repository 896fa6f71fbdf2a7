"""What happened to an invoice, in order, each with its reason, rule ids and versions (I9); read from rows only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_HISTORY = text(
    """
    select e.id, e.at_utc, e.kind, e.actor, e.detail, s.why, s.rules, s.versions,
        k.rung, k.key, k.channel, k.state, k.amount_minor, k.currency, k.at_local, k.zone, k.late_days, k.template,
        k.text_version, k.provider, k.attempt
    from event e
        left join contact k on k.id = cast(e.detail ->> 'contact' as uuid)
        left join step s on s.id = coalesce(cast(e.detail ->> 'step' as bigint), k.step_id)
    where e.invoice_id = :invoice order by e.id
    """
)

_RECEIPTS = text(
    "select k.id as contact_id, r.status, r.at_utc, r.detail from contact k"
    " join receipt r on r.contact_id = coalesce(k.folded_into, k.id)"
    " where k.invoice_id = :invoice order by r.id"
)

_SAYS_WHY = {"dispute_closed": "outcome", "reply_answered": "outcome", "cession_ended": "how"}
"""The member of an event's detail that is its reason, where it is not called `reason`."""


def history(session: Session, invoice_id: UUID | str) -> list[dict[str, Any]]:
    """The timeline: what, when (business time), by whom, why, by which rules and versions, and each contact with its receipts."""
    receipts: dict[str, list[dict[str, Any]]] = {}
    for row in session.execute(_RECEIPTS, {"invoice": str(invoice_id)}):
        receipts.setdefault(str(row.contact_id), []).append({"status": row.status, "at": row.at_utc, "reason": row.detail})
    timeline = []
    for row in session.execute(_HISTORY, {"invoice": str(invoice_id)}):
        contact_id = row.detail.get("contact")
        known = {key: value for key, value in row.detail.items() if key not in ("step", "contact", "why", "versions")}
        item: dict[str, Any] = {
            "id": row.id, "at": row.at_utc, "what": row.kind, "by": row.actor, "why": row.why or _why(row.kind, row.detail),
            "rules": row.rules or row.detail.get("rules", []), "versions": row.versions or row.detail.get("versions", {}),
            "detail": known,
        }  # fmt: skip
        if contact_id is not None and row.key is not None:
            item["contact"] = {
                "id": contact_id, "key": row.key, "rung": row.rung, "channel": row.channel, "state": row.state,
                "amount_minor": row.amount_minor, "currency": row.currency, "at_local": row.at_local, "zone": row.zone,
                "late_days": row.late_days, "template": row.template, "text_version": row.text_version, "provider": row.provider,
                "attempt": row.attempt, "receipts": receipts.get(contact_id, []),
            }  # fmt: skip
        timeline.append(item)
    return timeline


def _why(kind: str, detail: Mapping[str, Any]) -> str:
    """The reason of what no step decided, as people or the negotiation gave it; empty where nobody gave one."""
    said = detail.get("why") or detail.get("reason") or detail.get(_SAYS_WHY.get(kind, ""))
    return str(said or "")
