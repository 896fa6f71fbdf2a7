"""How accounts hang together: who pays for whom, to whom invoices are made out, whose branch an account is.

Only the payer changes what happens: its contacts are written to, its limits count, its lock is taken, and the invoices of all it
pays for go in one message. It pays for itself, so that chains and cycles of payers cannot be; a chain of parents never closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.refusals import Refused
from policies.account_model import LINKS, WhoChange
from policies.intake import Problem

_COLUMN = {"payer": "payer_id", "bill_to": "bill_to_id", "parent": "parent_id"}
_STATE = text(
    "select a.id, a.payer_id, a.bill_to_id, a.parent_id, exists (select 1 from account b where b.payer_id = a.id) as pays"
    " from account a where a.id = any(cast(:ids as uuid[]))"
)
_ABOVE = text(
    "with recursive above as (select id, parent_id from account where id = :id union select a.id, a.parent_id from account a"
    " join above on a.id = above.parent_id) select id from above"
)


class Hung(NamedTuple):
    """One account and the accounts it names: ids by link. `at` finds the one who named them."""

    at: str
    account_id: str
    links: Mapping[str, str]


class Shape(NamedTuple):
    """The structure around an account, as references."""

    payer: str | None
    bill_to: str | None
    parent: str | None
    pays_for: list[str]
    branches: list[str]


def hang(session: Session, given: Sequence[Hung]) -> tuple[dict[str, Problem], set[str]]:
    """Write links that nobody said before; the caller holds the rows of all accounts named.

    Returns what is wrong, by `at` (an account that is refused keeps what it had), and the accounts that have a payer now.
    """
    wrong: dict[str, Problem] = {}
    paid: set[str] = set()
    if not given:
        return wrong, paid
    known = _known(session, {hung.account_id for hung in given} | {other for hung in given for other in hung.links.values()})
    for hung in given:
        missing = {name: other for name, other in hung.links.items() if known[hung.account_id][_COLUMN[name]] is None}
        problem = next((p for p in (_why_not(session, known, hung.account_id, n, o) for n, o in missing.items()) if p), None)
        if problem is not None:
            wrong[hung.at] = problem
            continue
        for name, other in missing.items():
            _write(session, known, hung.account_id, name, other)
        paid.update({hung.account_id} if "payer" in missing else ())
    return wrong, paid


def change_links(session: Session, creditor_id: UUID | str, account_id: UUID | str, change: WhoChange) -> list[str]:
    """Set or forget the links that were given; returns which changed. The caller holds the account's row, and locks its debtor.

    Raises Refused: `unknown-account` for a ref that nobody posted, `account-links` for a cycle.
    """
    named = {name: getattr(change, name) for name in LINKS if name in change.model_fields_set}
    if not named:
        return []
    refs = sorted({ref for ref in named.values() if ref})
    rows = session.execute(
        text("select id, ref from account where creditor_id = :creditor and ref = any(:refs) order by ref for no key update"),
        {"creditor": str(creditor_id), "refs": refs},
    ).all()
    ids = {row.ref: str(row.id) for row in rows}
    known = _known(session, {str(account_id), *ids.values()})
    changed: list[str] = []
    for name, ref in named.items():
        if ref and ref not in ids:
            raise Refused("unknown-account", f"{name}: there is no account {ref}: post an invoice of it first, or name it there",
                          status=422)  # fmt: skip
        other = ids[ref] if ref else None
        if known[str(account_id)][_COLUMN[name]] == other:
            continue
        problem = _why_not(session, known, str(account_id), name, other) if other else None
        if problem is not None:
            raise Refused("account-links", f"{name}: {problem.detail}", status=422)
        _write(session, known, str(account_id), name, other)
        changed.append(name)
    return changed


def shape_of(session: Session, account_id: UUID | str) -> Shape:
    """What hangs on an account, and what it hangs on."""
    row = session.execute(
        text(
            "select p.ref as payer, b.ref as bill_to, o.ref as parent,"
            " array(select x.ref from account x where x.payer_id = a.id order by x.ref) as pays_for,"
            " array(select x.ref from account x where x.parent_id = a.id order by x.ref) as branches"
            " from account a left join account p on p.id = a.payer_id left join account b on b.id = a.bill_to_id"
            " left join account o on o.id = a.parent_id where a.id = :id"
        ),
        {"id": str(account_id)},
    ).one()
    return Shape(row.payer, row.bill_to, row.parent, list(row.pays_for), list(row.branches))


def _known(session: Session, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    rows = session.execute(_STATE, {"ids": sorted(ids)})
    return {
        str(row.id): {"pays": row.pays, **{column: _text(getattr(row, column)) for column in _COLUMN.values()}} for row in rows
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _why_not(session: Session, known: dict[str, dict[str, Any]], account: str, name: str, other: str) -> Problem | None:
    where = f"/account/{name}"
    if account == other:
        return Problem(where, "an account is not its own payer, bill-to or parent: leave it out")
    if name == "payer" and known[other]["payer_id"] is not None:
        return Problem(where, "that account is itself paid for by another: name the account that pays in the end")
    if name == "payer" and known[account]["pays"]:
        return Problem(where, "this account pays for others, so nobody pays for it: point those at the new payer first")
    if name == "parent" and account in {str(row.id) for row in session.execute(_ABOVE, {"id": other})}:
        return Problem(where, "that account is a branch of this one: a branch cannot be its own parent's parent")
    return None


def _write(session: Session, known: dict[str, dict[str, Any]], account: str, name: str, other: str | None) -> None:
    column = _COLUMN[name]
    session.execute(text(f"update account set {column} = :other where id = :id"), {"other": other, "id": account})
    known[account][column] = other
    if name == "payer" and other is not None:
        known[other]["pays"] = True


def speaks_for(session: Session, account_id: UUID | str) -> UUID:
    """The account whose people are written to and called about another's invoices: its payer where somebody of it is known."""
    found: UUID = session.execute(
        text(
            "select coalesce((select p.id from account p where p.id = a.payer_id and exists (select 1 from person n"
            " where n.account_id = p.id and n.erased_at is null)), a.id) from account a where a.id = :id"
        ),
        {"id": str(account_id)},
    ).scalar_one()
    return found
