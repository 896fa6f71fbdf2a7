"""Accepting invoices: each is new, the same again, different from the one accepted, or refused; one never harms another.

One transaction writes account, people, invoice, instalments, charges, event and the start of the workflow (I1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import bulk, deductions
from ledger.canonical import Difference, canonical_account, canonical_body, canonical_hash, canonical_text, differences
from ledger.carried import Carrying, carry_over, check_carried
from ledger.events import ACCOUNT_CHANGED, note_accounts
from ledger.ids import new_ids
from ledger.papers import Posted, keep_papers, terms_table, wrong_replacements
from ledger.people import save_people
from ledger.pinning import Pinner
from ledger.refusals import not_found
from ledger.sealing import Sealer
from ledger.structure import Hung, hang
from policies.due_terms import TermsTable
from policies.intake import Debtor, Intake, Problem, Unreadable, later_terms, read_account, read_invoice
from policies.intake_model import AccountIn, InvoiceIn

PART = 2_000
"""Invoices written by one round of statements."""
Verdict = Literal["new", "same", "different", "refused"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one posted invoice. `id` is missing only when it was refused."""

    verdict: Verdict
    id: UUID | None = None
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every part of a batch is written with."""

    session: Session
    creditor_id: str
    slug: str
    pinner: Pinner
    now: datetime
    sealer: Sealer
    actor: str


class _Accounts:
    """What the accounts of a batch come to: read once for all invoices that come with the same account object."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._read: dict[int, tuple[AccountIn, Debtor]] = {}
        """By identity; the object is kept, so that no other gets its number."""
        self._bodies: dict[int, dict[str, Any]] = {}

    def debtor(self, account: AccountIn) -> Debtor:
        """As `read_account`."""
        if id(account) not in self._read:
            self._read[id(account)] = account, read_account(account)
        return self._read[id(account)][1]

    def body(self, account: AccountIn, intake: Intake) -> dict[str, Any]:
        """As `canonical_body`; `intake` came of an invoice of this account."""
        if id(account) not in self._bodies:
            self._bodies[id(account)] = canonical_account(intake, self._sealer)
        return canonical_body(intake, self._sealer, self._bodies[id(account)])


@dataclass(slots=True)
class _Item:
    index: int
    intake: Intake
    body: dict[str, Any]
    text: str
    hash: bytes
    id: str
    manual_id: str = ""
    account_id: str = ""

    @property
    def links(self) -> dict[str, str]:
        """References by link of the accounts that this one hangs on."""
        found: dict[str, str] = self.body["account"].get("links", {})
        return found

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
    session: Session,
    creditor_id: UUID | str,
    bodies: Iterable[InvoiceIn | Unreadable],
    *,
    now: datetime,
    sealer: Sealer,
    actor: str = "api",
) -> list[Accepted]:
    """One result for each body, in order; an Unreadable among them is refused and the rest goes on.

    `actor` names who posted: `api`, `import`, `replay`, a key. While the server writes one part, the next is read and checked.
    """
    creditor = session.execute(
        text("select slug, country, manual_id, settings from creditor where id = :id"), {"id": str(creditor_id)}
    ).one_or_none()
    if creditor is None:
        raise not_found("creditor", creditor_id)
    pinner = Pinner(session, creditor_id, creditor.manual_id, now=now)
    desk = _Desk(session, str(creditor_id), creditor.slug, pinner, now, sealer, actor)
    terms = terms_table(creditor.settings)
    parts, accounts = iter(bodies), _Accounts(sealer)
    results: list[Accepted] = []
    with ThreadPoolExecutor(1) as pool:
        writing: Future[list[Accepted]] | None = None
        while part := list(islice(parts, PART)):
            refused: dict[int, Accepted] = {}
            items = _read(part, creditor.country, terms, accounts, refused)
            if writing is None and len(part) < PART:
                return _accept_part(desk, items, refused, len(part))
            if writing is not None:
                results += writing.result()
            writing = pool.submit(_accept_part, desk, items, refused, len(part))
        if writing is not None:
            results += writing.result()
    return results


def _accept_part(desk: _Desk, items: list[_Item], results: dict[int, Accepted], count: int) -> list[Accepted]:
    first: dict[str, _Item] = {}
    again: list[_Item] = []
    for item in items:
        if item.intake.number in first:
            again.append(item)
        else:
            first[item.intake.number] = item
    known = bulk.known_invoices(desk.session, desk.creditor_id, list(first))
    tried = _write(desk, [item for number, item in first.items() if number not in known], results)
    lost = [item.intake.number for item in tried if item.index not in results]
    if lost:
        known.update(bulk.known_invoices(desk.session, desk.creditor_id, lost))
    repeated = [item for number, item in first.items() if number in known and item.index not in results]
    _compare(desk.session, repeated, {number: (str(row.id), bytes(row.accepted_hash)) for number, row in known.items()}, results)
    _compare_in_batch(again, first, results)
    return [results[index] for index in range(count)]


def _read(
    bodies: Sequence[InvoiceIn | Unreadable],
    country: str,
    terms: TermsTable | None,
    accounts: _Accounts,
    results: dict[int, Accepted],
) -> list[_Item]:
    items: list[_Item] = []
    ids = new_ids(len(bodies))
    for index, given in enumerate(bodies):
        try:
            if isinstance(given, Unreadable):
                raise given
            intake = read_invoice(given, creditor_country=country, terms=terms, account_of=accounts.debtor)
        except Unreadable as wrong:
            results[index] = Accepted("refused", problems=tuple(wrong.problems))
            continue
        body = accounts.body(given.account, intake)
        written = canonical_text(body)
        items.append(_Item(index, intake, body, written, canonical_hash(written), ids[index]))
    return items


def _write(desk: _Desk, items: list[_Item], results: dict[int, Accepted]) -> list[_Item]:
    """Write what is new; returns what was tried. An item without a result afterwards lost a race for its number."""
    if not items:
        return []
    session, creditor, pinner, now = desk.session, desk.creditor_id, desk.pinner, desk.now
    there = bulk.accounts(session, creditor, sorted({item.ref for item in items}.union(*(item.links.values() for item in items))))
    items = _pinned(items, {ref: (row.manual_name, row.manual_patch) for ref, row in there.items()}, pinner, results)
    wanted: dict[str, _Item] = {}
    for item in items:
        if item.ref not in there:
            wanted.setdefault(item.ref, item)
    named = {ref: item for item in items for ref in item.links.values() if ref not in there and ref not in wanted}
    new = [_account_row(item) for item in wanted.values()] + [_named_row(ref, item) for ref, item in named.items()]
    new = [{**row, "id": account_id} for row, account_id in zip(new, new_ids(len(new)), strict=True)]
    made = bulk.add_accounts(session, creditor, new, now=now)
    others = sorted({item.ref for item in items}.union(*(item.links.values() for item in items)) - set(made))
    held = bulk.accounts(session, creditor, others, lock=True) if others else {}
    if held:
        items = _pinned(items, {ref: (row.manual_name, row.manual_patch) for ref, row in held.items()}, pinner, results)
    pinner.store()
    for item in items:
        item.account_id = made[item.ref] if item.ref in made else str(held[item.ref].id)
    items = _replacing(desk, _hanging(desk, items, made, held, results), results)
    if not items:
        return []
    _add_terms(desk, items, wanted, made, held)
    due_ids = iter(new_ids(sum(len(item.intake.dues) for item in items)))
    dues = [
        bulk.DueRow(next(due_ids), item.id, *due, item.intake.papers.due_source, item.intake.papers.due_terms)
        for item in items
        for due in item.intake.dues
    ]
    rows = [_invoice_row(item) for item in sorted(items, key=lambda item: item.intake.number)]
    won = bulk.add_invoices(session, creditor, desk.slug, rows, dues, now=now, actor=desk.actor)
    deductions.add(session, creditor, [(item.id, item.intake) for item in items if item.id in won], now=now)
    for item in items:
        if item.id in won:
            results[item.index] = Accepted("new", UUID(item.id))
    groups = [(item.account_id, item.intake.people) for item in items if item.id in won and item.intake.people]
    save_people(session, creditor, groups, fresh=made.values(), now=now, sealer=desk.sealer, actor=desk.actor)
    papers = [Posted(item.id, item.account_id, item.intake) for item in items if item.id in won]
    keep_papers(session, desk.sealer, creditor, papers, now=now, actor=desk.actor)
    carry_over(session, [Carrying(each.id, each.account_id, each.intake) for each in items if each.id in won], now=now)
    return items


def _hanging(
    desk: _Desk, items: list[_Item], made: dict[str, str], held: dict[str, Row[Any]], results: dict[int, Accepted]
) -> list[_Item]:
    """Link accounts to those that pay for them, and refuse what makes no sense; their open invoices are asked again."""
    ids = made | {ref: str(row.id) for ref, row in held.items()}
    hung = [Hung(i.id, i.account_id, {name: ids[ref] for name, ref in i.links.items()}) for i in items if i.links]
    wrong, paid = hang(desk.session, hung)
    if known := paid - set(made.values()):
        details = {account: {"changed": ["payer"]} for account in known}
        note = "told with a later invoice"
        note_accounts(desk.session, details, at=desk.now, kind=ACCOUNT_CHANGED, actor=desk.actor, note=note)
    results |= {item.index: Accepted("refused", problems=(wrong[item.id],)) for item in items if item.id in wrong}
    return [item for item in items if item.id not in wrong]


def _replacing(desk: _Desk, items: list[_Item], results: dict[int, Accepted]) -> list[_Item]:
    """Refuse what would replace an invoice that cannot be replaced."""
    posted = [Posted(item.id, item.account_id, item.intake) for item in items]
    wrong = wrong_replacements(desk.session, desk.creditor_id, posted)
    for item in items:
        if item.id in wrong:
            results[item.index] = Accepted("refused", problems=(wrong[item.id],))
    return [item for item in items if item.id not in wrong]


def _add_terms(
    desk: _Desk, items: list[_Item], wanted: dict[str, _Item], made: dict[str, str], held: dict[str, Row[Any]]
) -> None:
    """What a later invoice says of its account and nobody said before; the other open invoices are asked again."""
    now_known: dict[str, tuple[str, dict[str, Any]]] = {}
    changed: dict[str, set[str]] = {}
    for item in items:
        first = wanted.get(item.ref) if item.ref in made else None
        if item is first:
            continue
        before = (first.intake.zone, first.intake.terms) if first else (held[item.ref].zone, held[item.ref].terms)
        zone, terms = now_known.get(item.account_id, before)
        after = later_terms(zone, terms, item.intake)
        if after != terms:
            now_known[item.account_id] = zone, after
            changed.setdefault(item.account_id, set()).update(name for name in after if after[name] != terms.get(name))
    if not changed:
        return
    bulk.set_terms(desk.session, {account: now_known[account][1] for account in changed})
    details = {account: {"changed": sorted(names)} for account, names in changed.items()}
    note_accounts(desk.session, details, at=desk.now, kind=ACCOUNT_CHANGED, actor=desk.actor, note="told with a later invoice")


def _pinned(
    items: list[_Item], stored: dict[str, tuple[str | None, Any]], pinner: Pinner, results: dict[int, Accepted]
) -> list[_Item]:
    """Resolve each item's manual with what the account already says, else with what the item says of it."""
    kept: list[_Item] = []
    for item in items:
        name, patch = stored.get(item.ref) or (item.intake.manual, item.intake.account_patch)
        try:
            item.manual_id = pinner.pin(name, patch, item.intake.invoice_patch)
            if item.intake.carried is not None:
                check_carried(item.intake, pinner.manual(item.manual_id), pinner.now)
        except Unreadable as wrong:
            results[item.index] = Accepted("refused", problems=tuple(wrong.problems))
            continue
        kept.append(item)
    return kept


def _named_row(ref: str, item: _Item) -> dict[str, Any]:
    """An account that is only named so far, as the payer of another: its own first invoice brings its people."""
    return _account_row(item) | {"ref": ref, "register": "", "manual": None, "patch": None, "terms": {}}


def _account_row(item: _Item) -> dict[str, Any]:
    intake = item.intake
    return {
        "ref": item.ref, "kind": intake.kind, "country": intake.country, "region": intake.region,
        "zone": intake.zone, "language": intake.language, "register": intake.register, "manual": intake.manual,
        "patch": intake.account_patch, "terms": intake.terms,
    }  # fmt: skip


def _invoice_row(item: _Item) -> bulk.InvoiceRow:
    intake = item.intake
    return bulk.InvoiceRow(
        item.id, item.account_id, intake.number, intake.currency, intake.issued_on, intake.place, intake.place_region,
        item.manual_id, item.hash.hex(), item.text, sum(amount for _, _, amount in intake.dues),
    )  # fmt: skip


def _compare(session: Session, items: list[_Item], known: dict[str, tuple[str, bytes]], results: dict[int, Accepted]) -> None:
    changed: list[_Item] = []
    for item in items:
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
