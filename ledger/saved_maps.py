"""The maps of a creditor's files, each kept under the header it was guessed for and confirmed with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from policies.portfolio_map import PortfolioMap

_SAVE = text(
    "update creditor set settings = settings || jsonb_build_object('import_maps',"
    " coalesce(settings -> 'import_maps', '{}') || jsonb_build_object(cast(:header as text), :map)) where id = :creditor"
).bindparams(bindparam("map", type_=JSONB))


def saved_map(session: Session, creditor_id: UUID | str, header: str) -> tuple[PortfolioMap, str] | None:
    """The map that was confirmed for a header (by its fingerprint) and the day of that; None when there is none to be read."""
    kept = session.execute(
        text("select settings -> 'import_maps' -> cast(:header as text) from creditor where id = :creditor"),
        {"header": header, "creditor": str(creditor_id)},
    ).scalar()
    if kept is None:
        return None
    try:
        return PortfolioMap.model_validate(kept["map"]), str(kept["on"])
    except ValidationError:
        return None  # an older version's: it is guessed and confirmed anew


def save_map(session: Session, creditor_id: UUID | str, header: str, how: PortfolioMap, *, now: datetime) -> None:
    """Keep a confirmed map for files with this header; one for the same header is replaced."""
    given = {"map": how.model_dump(mode="json", exclude_unset=True), "on": now.date().isoformat()}
    session.execute(_SAVE, {"header": header, "map": given, "creditor": str(creditor_id)})
