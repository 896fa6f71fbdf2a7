"""Accepting invoices: each is new, the same again, different from the one accepted, or refused; one never harms another.

One transaction writes account, people, invoice, instalments, charges, event and the start of the workflow (I1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import bulk
from ledger.canonical import Difference, canonical_body, canonical_hash, differences
from ledger.ids import new_ids
from ledger.people import save_people
from ledger.pinning import Pinner
from ledger.refusals import not_found
from ledger.sealing import Sealer
from policies.intake import Intake, InvoiceIn, Problem, Unreadable, read_invoice

Verdict = Literal["new", "same", "different", "refused"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one posted invoice. `id` is missing only when it was refused."""

    verdict: Verdict
    id: UUID | None = None
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Item:
    index: int
    intake: Intake
    body: dict[str, Any]
    hash: bytes
    id: str
    manual_id: str = ""
    account_id: str = ""

    @property
    def ref(self) -> str:
        ref: str = self.body["account"]["ref"]
        return ref


def accept(
    session: Session, creditor_id: UUID | str, body: InvoiceIn, *, now: datetime, sealer: Sealer, actor: str = "api"
) -> Accepted:
    """Accept one invoice; raises Unreadable when it makes no sense."""
    result = accept_batch(session, creditor_id, [body], now=now, sealer=sealer, actor=actor)[0]
    if result.verdict == "refused":
        raise Unreadable(list(result.problems))
    return result


def accept_batch(
    session: Session, creditor_id: UUID | str, bodies: Sequence[InvoiceIn], *, now: datetime, sealer: Sealer, actor: str = "api"
) -> list[Accepted]:
    """One result for each body, in order. `actor` names who posted: `api`, `import`, `replay`, a key's prefix."""
    creditor = session.execute(
        text("select slug, country, manual_id from creditor where id = :id"), {"id": str(creditor_id)}
    ).one_or_none()
    if creditor is None:
        raise not_found("creditor", creditor_id)
    results: dict[int, Accepted] = {}
    items = _read(bodies, creditor.country, sealer, results)
    first: dict[str, _Item] = {}
    again: list[_Item] = []
    for item in items:
        (again.append(item) if item.intake.number in first else first.__setitem__(item.intake.number, item))
    known = bulk.known_invoices(session, creditor_id, list(first))
    fresh = [item for number, item in first.items() if number not in known]
    pinner = Pinner(session, creditor_id, creditor.manual_id, now=now)
    fresh = _write(session, creditor_id, creditor.slug, fresh, results, pinner, now=now, sealer=sealer, actor=actor)
    lost = [item for item in fresh if item.index not in results]
    known.update(bulk.known_invoices(session, creditor_id, [item.intake.number for item in lost]) if lost else {})
    repeated = [item for number, item in first.items() if number in known]
    _compare(session, repeated, {number: (str(row.id), bytes(row.accepted_hash)) for number, row in known.items()}, results)
    _compare_in_batch(again, first, results)
    return [results[index] for index in range(len(bodies))]


def _read(bodies: Sequence[InvoiceIn], country: str, sealer: Sealer, results: dict[int, Accepted]) -> list[_Item]:
    items: list[_Item] = []
    ids = new_ids(len(bodies))
    for index, given in enumerate(bodies):
        try:
            intake = read_invoice(given, creditor_country=country)
        except Unreadable as wrong:
            results[index] = Accepted("refused", problems=tuple(wrong.problems))
            continue
        body = canonical_body(intake, sealer)
        items.append(_Item(index, intake, body, canonical_hash(body), ids[index]))
    return items


def _write(
    session: Session,
    creditor_id: UUID | str,
    slug: str,
    items: list[_Item],
    results: dict[int, Accepted],
    pinner: Pinner,
    *,
    now: datetime,
    sealer: Sealer,
    actor: str,
) -> list[_Item]:
    """Write what is new; returns what was tried. An item without a result afterwards lost a race for its number."""
    if not items:
        return []
    there = bulk.accounts(session, creditor_id, sorted({item.ref for item in items}))
    items = _pinned(items, {ref: (row.manual_name, row.manual_patch) for ref, row in there.items()}, pinner, results)
    wanted: dict[str, _Item] = {}
    for item in items:
        if item.ref not in there:
            wanted.setdefault(item.ref, item)
    made = bulk.add_accounts(session, creditor_id, [_account_row(item) for item in wanted.values()], now=now)
    others = sorted({item.ref for item in items} - set(made))
    held = bulk.accounts(session, creditor_id, others, lock=True) if others else {}
    items = _pinned(items, {ref: (row.manual_name, row.manual_patch) for ref, row in held.items()}, pinner, results)
    pinner.store()
    for item in items:
        item.account_id = made[item.ref] if item.ref in made else str(held[item.ref].id)
    if not items:
        return []
    due_ids = iter(new_ids(sum(len(item.intake.dues) for item in items)))
    dues = [
        {"id": next(due_ids), "invoice": item.id, "number": number, "due_on": due_on, "amount": amount}
        for item in items
        for number, due_on, amount in item.intake.dues
    ]
    won = bulk.add_invoices(session, creditor_id, slug, [_invoice_row(item) for item in items], dues, now=now, actor=actor)
    for item in items:
        if item.id in won:
            results[item.index] = Accepted("new", UUID(item.id))
    groups = [(item.account_id, item.intake.people) for item in items if item.id in won and item.intake.people]
    save_people(session, creditor_id, groups, fresh=made.values(), now=now, sealer=sealer)
    return items


def _pinned(
    items: list[_Item], stored: dict[str, tuple[str | None, Any]], pinner: Pinner, results: dict[int, Accepted]
) -> list[_Item]:
    """Resolve each item's manual with what the account already says, else with what the item says of it."""
    kept: list[_Item] = []
    for item in items:
        name, patch = stored.get(item.ref) or (item.intake.manual, item.intake.account_patch)
        try:
            item.manual_id = pinner.pin(name, patch, item.intake.invoice_patch)
        except Unreadable as wrong:
            results[item.index] = Accepted("refused", problems=tuple(wrong.problems))
            continue
        kept.append(item)
    return kept


def _account_row(item: _Item) -> dict[str, Any]:
    intake = item.intake
    return {
        "id": new_ids(1)[0], "ref": item.ref, "kind": intake.kind, "country": intake.country, "region": intake.region,
        "zone": intake.zone, "language": intake.language, "register": intake.register, "manual": intake.manual,
        "patch": intake.account_patch,
    }  # fmt: skip


def _invoice_row(item: _Item) -> dict[str, Any]:
    intake = item.intake
    return {
        "id": item.id, "account": item.account_id, "number": intake.number, "currency": intake.currency,
        "issued_on": intake.issued_on, "place": intake.place, "place_region": intake.place_region, "manual": item.manual_id,
        "hash": item.hash.hex(), "body": item.body, "total": sum(amount for _, _, amount in intake.dues),
    }  # fmt: skip


def _compare(
    session: Session, items: list[_Item], known: dict[str, tuple[str, bytes]], results: dict[int, Accepted]
) -> None:
    changed: list[_Item] = []
    for item in items:
        if item.index in results:
            continue
        invoice_id, accepted_hash = known[item.intake.number]
        if accepted_hash == item.hash:
            results[item.index] = Accepted("same", UUID(invoice_id))
        else:
            changed.append(item)
    if not changed:
        return
    bodies = bulk.accepted_bodies(session, [known[item.intake.number][0] for item in changed])
    for item in changed:
        invoice_id = known[item.intake.number][0]
        results[item.index] = _verdict(differences(bodies[invoice_id], item.body), invoice_id)


def _compare_in_batch(items: list[_Item], first: dict[str, _Item], results: dict[int, Accepted]) -> None:
    for item in items:
        original = first[item.intake.number]
        result = results[original.index]
        if result.id is None:
            results[item.index] = Accepted(
                "refused", problems=(Problem("/number", f"the same number stands at index {original.index}, which was refused"),)
            )
        elif result.verdict == "different":
            results[item.index] = result
        else:
            results[item.index] = _verdict(differences(original.body, item.body), str(result.id))


def _verdict(found: list[Difference], invoice_id: str) -> Accepted:
    return Accepted("different" if found else "same", UUID(invoice_id), tuple(found))
