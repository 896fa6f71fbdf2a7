"""Debts that go to an agency: a person's decision, the file that goes with them, and the notice that takes them back (F86-F88).

A file is written once, sealed under the master key because it names the debtor, and read back as it was written.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.holds import locked_invoice, must_owe
from ledger.people import person_card
from ledger.refusals import Refused
from ledger.sealing import Sealer
from policies.facts import PERMANENT_STOPS

Decision = Literal["approved", "declined"]

_HEAD = text(
    "select p.id, p.state, p.creditor_id, p.invoice_id, p.figures, p.placed_at, p.return_by, p.ended_at, p.decided_at,"
    " i.number, i.currency, i.issued_on, i.balance_minor - i.apart_minor as balance_minor, i.status, i.account_id, a.ref,"
    " a.kind, a.country, a.language,"
    " c.name as creditor,"
    " (select coalesce(-sum(e.amount_minor), 0) from entry e where e.invoice_id = i.id and e.kind in ('payment', 'reversal')"
    "   and p.placed_at is not null and e.recorded_at >= p.placed_at) as paid_there_minor,"
    " (select count(*) from contact k where k.invoice_id = i.id and k.state in ('accepted', 'delivered')) as contacts"
    " from placement p join invoice i on i.id = p.invoice_id join account a on a.id = i.account_id"
    " join creditor c on c.id = p.creditor_id where p.id = :id"
)

_PROPOSAL = text(
    "select p.id, p.state, p.decide_by,"
    " exists (select 1 from agreement g where g.invoice_id = i.id and g.state = 'open') as agreed,"
    " exists (select 1 from hold h where h.invoice_id = i.id and h.released_at is null and h.until > :now) or"
    " exists (select 1 from suppression s where s.account_id = i.account_id and s.lifted_at is null"
    "   and (s.until > :now or s.reason = any(:permanent))) as held"
    " from placement p join invoice i on i.id = p.invoice_id where i.id = :id"
    " and (p.cycle = i.cycle or p.state in ('approved', 'placed')) order by p.cycle desc limit 1"
)


def decide(session: Session, invoice_id: UUID | str, decision: Decision, *, actor: str, now: datetime) -> UUID:
    """Approve or decline the open proposal before its deadline; returns the placement's id.

    The same decision again is no error. Raises Refused `not-found`, `no-proposal`, `decided` (the other way) and `too-late`; and,
    for an approval, `invoice-closed`, `agreed` and `held`: what is paid, agreed, disputed or stopped does not go to an agency.
    """
    invoice = locked_invoice(session, invoice_id)
    row = session.execute(_PROPOSAL, {"id": invoice.id, "now": now, "permanent": sorted(PERMANENT_STOPS)}).one_or_none()
    if row is None:
        raise Refused("no-proposal", f"nothing is proposed for invoice {invoice.number}: the ladder has not ended")
    placement_id: UUID = row.id
    if row.state == decision or (decision == "approved" and row.state in ("placed", "recalled", "returned")):
        return placement_id
    if row.state != "proposed":
        raise Refused("decided", f"the proposal is {row.state} already")
    if now >= row.decide_by:
        raise Refused("too-late", f"the proposal ended at {row.decide_by.isoformat()} and counts as declined")
    if decision == "approved":
        must_owe(invoice)
        if row.agreed:
            raise Refused("agreed", f"the customer has agreed terms for invoice {invoice.number}: they must end first")
        if row.held:
            raise Refused("held", f"invoice {invoice.number} is held or its account stopped: that must end first")
    session.execute(
        text("update placement set state = :state, decided_by = :actor, decided_at = :now where id = :id"),
        {"state": decision, "actor": actor, "now": now, "id": placement_id},
    )
    session.execute(
        text(
            "update task set done_at = :now, outcome = :outcome where creditor_id = :creditor and kind = 'approve_placement'"
            " and key = :key and done_at is null"
        ),
        {"now": now, "outcome": decision, "creditor": invoice.creditor_id, "key": str(placement_id)},
    )
    detail = {"placement": str(placement_id)}
    note_fact(session, invoice.id, at=now, kind=decision, detail=detail, actor=actor, note=f"placement {placement_id}")
    return placement_id


def write_files(session: Session, sealer: Sealer, placement_id: UUID | str, *, now: datetime) -> list[str]:
    """Write what is due and not yet written: the placement file of a placed debt, the notice of one taken back.

    Returns the kinds written now. Runs with the worker's role, under the debtor's lock.
    """
    state = session.execute(
        text(
            "select p.state, p.placed_at, array(select f.kind from placement_file f where f.placement_id = p.id) as written"
            " from placement p where p.id = :id"
        ),
        {"id": str(placement_id)},
    ).one()
    due = [] if state.placed_at is None else ["placement"]
    if state.placed_at is not None and state.state in ("recalled", "returned"):
        due.append("recall")
    missing = [kind for kind in due if kind not in state.written]
    if not missing:
        return []
    head = session.execute(_HEAD, {"id": str(placement_id)}).one()
    for kind in missing:
        document = _placement(session, sealer, head) if kind == "placement" else _recall(head)
        session.execute(
            text(
                "insert into placement_file (placement_id, creditor_id, kind, csv, json, written_at)"
                " values (:id, :creditor, :kind, :csv, :json, :now) on conflict do nothing"
            ),
            {
                "id": head.id, "creditor": head.creditor_id, "kind": kind, "now": now, "csv": sealer.seal(_csv(document)),
                "json": sealer.seal(json.dumps(document, ensure_ascii=False, indent=1).encode()),
            },
        )  # fmt: skip
    return missing


def read_file(session: Session, sealer: Sealer, invoice_id: UUID | str, kind: str, form: Literal["csv", "json"]) -> bytes:
    """The latest file of an invoice, byte for byte as written; raises Refused `not-found`."""
    row = session.execute(
        text(
            "select f.csv, f.json from placement_file f join placement p on p.id = f.placement_id"
            " where p.invoice_id = :id and f.kind = :kind order by p.cycle desc limit 1"
        ),
        {"id": str(invoice_id), "kind": kind},
    ).one_or_none()
    if row is None:
        raise Refused("not-found", f"no {kind} file was written for this invoice", status=404)
    return sealer.unseal(row.csv if form == "csv" else row.json)


def _common(head: Row[Any]) -> dict[str, Any]:
    return {
        "schema_version": 1, "placement_id": str(head.id), "creditor": head.creditor, "account_ref": head.ref,
        "invoice": head.number, "currency": head.currency,
    }  # fmt: skip


def _placement(session: Session, sealer: Sealer, head: Row[Any]) -> dict[str, Any]:
    instalments = session.execute(
        text(
            "select t.number, t.due_on, t.amount_minor, coalesce((select sum(e.amount_minor) from entry e"
            " where e.invoice_id = t.invoice_id and e.instalment = t.number), 0) as owed from instalment t"
            " where t.invoice_id = :id and t.superseded_at is null order by t.due_on, t.number"
        ),
        {"id": head.invoice_id},
    ).all()
    return _common(head) | {
        "kind": "placement", "placed_at": head.placed_at.isoformat(),
        "return_by": head.return_by.isoformat() if head.return_by else None, "account_kind": head.kind, "country": head.country,
        "language": head.language, "issued_on": head.issued_on.isoformat(),
        "amount_minor": sum(t.amount_minor for t in instalments), "balance_minor": head.balance_minor,
        "contacts_made": head.contacts, "figures": head.figures,
        "instalments": [
            {"number": t.number, "due_on": t.due_on.isoformat(), "amount_minor": t.amount_minor, "balance_minor": int(t.owed)}
            for t in instalments
        ],
        "people": _people(session, sealer, head.account_id),
    }  # fmt: skip


def _people(session: Session, sealer: Sealer, account_id: UUID) -> list[dict[str, Any]]:
    """Who may be reached and how; an address that was withdrawn or does not work is not passed on."""
    rows = session.execute(
        text(
            "select p.id, p.role, p.language, array_agg(a.id::text order by a.position) filter (where a.id is not null) as ids,"
            " array_agg(a.channel order by a.position) filter (where a.id is not null) as channels from person p"
            " left join address a on a.person_id = p.id and a.consent <> 'withdrawn' and a.retired_at is null"
            " where p.account_id = :account and p.erased_at is null group by p.id order by p.created_at, p.id"
        ),
        {"account": account_id},
    ).all()
    people = []
    for row in rows:
        card = person_card(session, sealer, row.id)
        ways = zip(row.ids or [], row.channels or [], strict=True)
        reach = [{"channel": channel, "address": card.addresses[way]} for way, channel in ways if way in card.addresses]
        people.append({"name": card.name, "role": row.role, "language": row.language, "addresses": reach})
    return people


def _recall(head: Row[Any]) -> dict[str, Any]:
    """Stop collecting: the debt was settled with us, or the agency's time is over."""
    return _common(head) | {
        "kind": "recall", "recalled_at": head.ended_at.isoformat() if head.ended_at else None,
        "reason": "settled" if head.state == "recalled" else "time_over", "balance_minor": head.balance_minor,
        "paid_since_placement_minor": int(head.paid_there_minor), "figures": head.figures,
    }  # fmt: skip


def _csv(document: dict[str, Any]) -> bytes:
    """One row for each instalment (or one for a recall), people in the last columns; no cell begins a formula."""
    plain = {key: value for key, value in document.items() if not isinstance(value, list | dict)}
    instalments = document.get("instalments") or [{}]
    people = document.get("people", [])
    reach = "; ".join(f"{way['channel']} {way['address']}" for person in people for way in person["addresses"])
    named = {"names": "; ".join(p["name"] for p in people), "addresses": reach} if "people" in document else {}
    rows = [plain | {f"instalment_{k}": v for k, v in part.items()} | named for part in instalments]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
