"""What comes with accepted invoices beside their sums: delivery, documents, and the invoices they replace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.delivery import add_told
from ledger.documents import keep_documents
from ledger.refusals import not_found
from ledger.replacing import Wanted, look_up, replace
from ledger.sealing import Sealer
from policies.due_terms import TermsTable
from policies.intake import Intake, Problem


class Posted(NamedTuple):
    """An invoice on its way into the ledger."""

    id: str
    account_id: str
    intake: Intake


def terms_table(settings: Mapping[str, Any] | None) -> TermsTable | None:
    """The creditor's own table of terms; None where it has none, and the one that ships is used."""
    kept = (settings or {}).get("terms")
    return None if kept is None else TermsTable.model_validate(kept)


def set_terms_table(session: Session, creditor_id: UUID | str, table: TermsTable) -> None:
    """Keep a table for invoices that come from now on; raises Refused `not-found`."""
    kept = json.dumps({"terms": table.model_dump(mode="json", exclude_defaults=True)})
    done = session.execute(
        text("update creditor set settings = settings || cast(:kept as jsonb) where id = :id returning id"),
        {"kept": kept, "id": str(creditor_id)},
    ).scalar()
    if done is None:
        raise not_found("creditor", creditor_id)


def wrong_replacements(session: Session, creditor_id: str, posted: Sequence[Posted]) -> dict[str, Problem]:
    """By invoice id why a replacement cannot be; two of one batch cannot replace the same invoice."""
    asking = [one for one in posted if one.intake.papers.replaces]
    if not asking:
        return {}
    wanted = [Wanted(one.intake.papers.replaces, one.account_id, one.intake.currency) for one in asking]
    found: dict[str, Problem] = {}
    taken: set[str] = set()
    for one, known in zip(asking, look_up(session, creditor_id, wanted), strict=True):
        why = known.why_not or ("another invoice of this batch replaces it" if known.id in taken else "")
        taken.add(known.id)
        if why:
            found[one.id] = Problem("/replaces", why)
    return found


def keep_papers(
    session: Session, sealer: Sealer, creditor_id: str, posted: Sequence[Posted], *, now: datetime, actor: str
) -> None:
    """Store what came with invoices that were just added; the caller holds their accounts."""
    for one in sorted(posted, key=lambda p: (p.account_id, p.intake.number)):
        papers = one.intake.papers
        if papers.documents:
            keep_documents(session, sealer, one.id, papers.documents, now=now)
        if papers.replaces:
            wanted = Wanted(papers.replaces, one.account_id, one.intake.currency)
            old = look_up(session, creditor_id, [wanted])[0]
            replace(session, old.id, one.id, keep_age=papers.keep_age, now=now, actor=actor)
        for told in papers.told:
            add_told(session, one.id, told.kind, told.on, source=told.source, actor=actor, now=now)
