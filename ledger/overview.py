"""What the console lists: invoices with what they owe, how late they are, what comes next and who must act; sums by currency.

What is overdue is said in ledger/lateness.py.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import lateness
from ledger.lateness import Place
from ledger.refusals import Refused

Sort = Literal["due", "next", "number"]
SORTS: tuple[Sort, ...] = ("due", "next", "number")
_NEVER = "9999-12-31"
_SORT_KEY = {
    "due": f"coalesce(u.due_on, date '{_NEVER}')::text",
    "next": f"to_char(coalesce(i.next_at, timestamptz '{_NEVER} 00:00+00'), 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
    "number": "i.number",
}
_HELD = "(i.outcome is null and i.held_why is not null and i.held_why = i.next_why)"
_TASKS = "from task t where t.done_at is null and (t.invoice_id = i.id or (t.invoice_id is null and t.account_id = i.account_id))"
_FROM = f" from invoice i join account a on a.id = i.account_id join creditor c on c.id = i.creditor_id {lateness.JOIN} "
_COLUMNS = f"""
    i.id, i.number, i.currency, i.balance_minor - i.apart_minor as balance_minor, i.status, i.outcome, i.outcome_at, i.next_kind,
    i.next_at, i.next_why, i.next_rung,
    i.next_channel, i.manual_id, i.place_of_payment, i.place_of_payment_region, k.basis, u.due_on,
    coalesce(u.overdue_minor, 0) as overdue_minor, a.ref as account_ref, a.zone as account_zone, a.country as account_country,
    a.kind as account_kind, {_HELD} as is_held
"""


@dataclass(frozen=True)
class Wanted:
    """What the list is narrowed to. `not_late_from` is, by place, the first due date that is not yet overdue."""

    not_late_from: dict[Place, date]
    state: str = "open"
    overdue: bool = False
    account_refs: tuple[str, ...] = ()
    following: str = ""
    """`contact`, `wait`, or `rung:S3`: what the next step is."""
    held: bool = False
    needs_person: bool = False
    search: tuple[str, ...] = ()
    """Beginnings of an invoice number or of an account reference; any of them."""


class Sum(NamedTuple):
    """What is in one currency, in minor units."""

    currency: str
    invoices: int
    owed_minor: int
    overdue_count: int
    overdue_minor: int
    held_count: int


@dataclass(frozen=True)
class Listed:
    """A page of the list; `more` holds, by invoice, what stands beside it."""

    rows: list[Row[Any]]
    more: dict[UUID, Row[Any]]
    cursor: str | None


def sums(session: Session, wanted: Wanted) -> list[Sum]:
    """What the whole list holds, one line for each currency, the largest count first."""
    where, values = _where(wanted)
    rows = session.execute(
        text(
            "select i.currency, count(*) as invoices, coalesce(sum(greatest(i.balance_minor - i.apart_minor, 0)), 0) as owed,"
            f" count(*) filter (where {lateness.IS_OVERDUE}) as overdue_count, coalesce(sum(u.overdue_minor), 0) as overdue,"
            f" count(*) filter (where {_HELD}) as held_count {_FROM} {where} group by i.currency order by 2 desc, 1"
        ),
        values,
    )
    return [Sum(r.currency, r.invoices, int(r.owed), r.overdue_count, int(r.overdue), r.held_count) for r in rows]


def listed(session: Session, wanted: Wanted, *, sort: Sort, limit: int, cursor: str | None) -> Listed:
    """A page in the order of `sort`; what comes in later never shifts a page. Raises Refused `bad-cursor`."""
    where, values = _where(wanted)
    key = _SORT_KEY[sort]
    if cursor is not None:
        values["after"], values["after_id"] = _read_cursor(cursor, sort)
        where += f" and ({key}, i.id) > (:after, cast(:after_id as uuid))"
    rows = session.execute(
        text(f"select {_COLUMNS}, {key} as sort_key {_FROM} {where} order by {key}, i.id limit :limit"),
        {**values, "limit": limit + 1},
    ).all()
    onward = len(rows) > limit
    rows = rows[:limit]
    return Listed(list(rows), beside(session, [row.id for row in rows]), _cursor(sort, rows[-1]) if onward else None)


def beside(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """By invoice: the last contact, the open agreement, the agency, what holds it, open tasks, and the next rung's text."""
    return {row.id: row for row in session.execute(_BESIDE, {"ids": [str(each) for each in invoice_ids]})}


_BESIDE = text(
    f"""
    select i.id,
        (select json_build_object('rung', k.rung, 'channel', k.channel, 'state', k.state, 'at_local', k.at_local,
             'template', k.template) from contact k
         where k.invoice_id = i.id and k.state not in ('planned', 'claimed') order by k.at_utc desc, k.attempt desc limit 1)
            as last_contact,
        (select json_build_object('kind', g.kind, 'due_on', (select min(s.due_on) from milestone s where s.agreement_id = g.id))
         from agreement g where g.invoice_id = i.id and g.state = 'open') as agreement,
        (select p.state from placement p where p.invoice_id = i.id and p.state in ('proposed', 'approved', 'placed')
         order by p.cycle desc limit 1) as placement,
        (select string_agg(distinct h.kind, ',') from hold h
         where h.invoice_id = i.id and h.released_at is null and i.next_kind = 'wait' and h.until >= i.next_at) as holds,
        (select string_agg(distinct t.kind, ',') {_TASKS}) as tasks,
        (select l ->> 'template' from manual m, jsonb_array_elements(m.content -> 'ladder') l
         where m.creditor_id = i.creditor_id and m.id = i.manual_id and l ->> 'rung' = i.next_rung) as next_template
    from invoice i where i.id = any(cast(:ids as uuid[]))
    """
)


def rungs_ahead(session: Session) -> list[Row[Any]]:
    """The rungs that are next on open invoices, with their counts."""
    return list(
        session.execute(
            text(
                "select next_rung as rung, count(*) as count from invoice where outcome is null and next_rung is not null"
                " group by next_rung order by next_rung"
            )
        )
    )


def waiting_for_people(session: Session, now: datetime) -> Row[Any]:
    """How much waits for a person: open tasks, those past their day, and money that is on no invoice."""
    return session.execute(
        text(
            "select (select count(*) from task where done_at is null) as tasks,"
            " (select count(*) from task where done_at is null and due_at < :now) as tasks_late,"
            " (select count(*) from payment where unallocated_minor > 0) as payments"
        ),
        {"now": now},
    ).one()


def open_tasks(session: Session, *, limit: int, invoice_id: UUID | None = None, login: str | None = None) -> list[Row[Any]]:
    """What waits for a person: what we promised first, then the most urgent; of one invoice, or of who does it, when given."""
    return list(
        session.execute(
            text(
                "select t.id, t.kind, t.key, t.why, t.due_at, t.created_at, t.assigned_to, t.invoice_id, i.number, i.currency,"
                " i.balance_minor, i.outcome, a.ref as account_ref, a.zone from task t left join invoice i on i.id = t.invoice_id"
                " left join account a on a.id = coalesce(t.account_id, i.account_id)"
                " where t.done_at is null and (cast(:invoice as uuid) is null or t.invoice_id = :invoice"
                " or (t.invoice_id is null and t.account_id = (select account_id from invoice where id = :invoice)))"
                " and (cast(:login as text) is null or t.assigned_to = :login)"
                " order by not starts_with(t.kind, 'own_'), t.due_at, t.id limit :limit"
            ),
            {"limit": limit, "login": login, "invoice": None if invoice_id is None else str(invoice_id)},
        )
    )


def agreements_of(session: Session, invoice_id: UUID) -> list[Row[Any]]:
    """Every agreement of an invoice with its parts, newest first."""
    return list(
        session.execute(
            text(
                "select g.id, g.kind, g.made_at, g.grace_days, g.waived_minor, g.state, g.judged_at, g.paid_minor, g.source,"
                " (select json_agg(json_build_object('due_on', s.due_on, 'amount_minor', s.amount_minor) order by s.number)"
                " from milestone s where s.agreement_id = g.id) as parts"
                " from agreement g where g.invoice_id = :id order by g.made_at desc, g.id"
            ),
            {"id": str(invoice_id)},
        )
    )


def placement_of(session: Session, invoice_id: UUID) -> Row[Any] | None:
    """The latest comparison of keeping and placing the debt, and what became of it."""
    return session.execute(
        text(
            "select state, recommend, figures, proposed_at, decide_by, decided_by, decided_at, placed_at, return_by, ended_at"
            " from placement where invoice_id = :id order by cycle desc limit 1"
        ),
        {"id": str(invoice_id)},
    ).one_or_none()


def place_of(session: Session, invoice_id: UUID) -> tuple[str, str]:
    """Country and region in which an invoice is paid."""
    row = session.execute(
        text("select place_of_payment, place_of_payment_region from invoice where id = :id"), {"id": str(invoice_id)}
    ).one()
    return row.place_of_payment, row.place_of_payment_region


def siblings(session: Session, account_id: UUID) -> int:
    """How many open invoices the account has."""
    return int(
        session.execute(
            text("select count(*) from invoice where account_id = :id and outcome is null"), {"id": str(account_id)}
        ).scalar_one()
    )


def book_size(session: Session, account_id: UUID) -> int:
    """How many open invoices the forecast plays for an account: its own and those of all whom its payer pays for."""
    return int(
        session.execute(
            text(
                "select count(*) from account me join account g on coalesce(me.payer_id, me.id) in (g.id, g.payer_id)"
                " join invoice i on i.account_id = g.id where me.id = :id and i.outcome is null"
            ),
            {"id": str(account_id)},
        ).scalar_one()
    )


def _where(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    values = lateness.values(wanted.not_late_from)
    clauses = ["true"]
    if wanted.state == "open":
        clauses.append("i.outcome is null")
    elif wanted.state == "closed":
        clauses.append("i.outcome is not null")
    elif wanted.state != "all":
        clauses.append("i.outcome = :state")
        values["state"] = wanted.state
    if wanted.overdue:
        clauses.append(lateness.IS_OVERDUE)
    if wanted.account_refs:
        clauses.append("a.ref = any(cast(:accounts as text[]))")
        values["accounts"] = list(wanted.account_refs)
    if wanted.following.startswith("rung:"):
        clauses.append("i.outcome is null and i.next_rung = :rung")
        values["rung"] = wanted.following.removeprefix("rung:")
    elif wanted.following:
        clauses.append("i.outcome is null and i.next_kind = :following")
        values["following"] = wanted.following
    if wanted.held:
        clauses.append(_HELD)
    if wanted.needs_person:
        clauses.append(f"exists (select 1 {_TASKS})")
    if wanted.search:
        clauses.append("(i.number ilike any(cast(:search as text[])) or a.ref ilike any(cast(:search as text[])))")
        values["search"] = [_beginning(words) for words in wanted.search]
    return f"where {' and '.join(clauses)}", values


def _beginning(words: str) -> str:
    """A LIKE pattern in which what was typed stands for itself."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _cursor(sort: Sort, row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort, row.sort_key, str(row.id)]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, sort: Sort) -> tuple[str, str]:
    try:
        made_for, key, invoice_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if made_for != sort or not isinstance(key, str) or "\0" in key:
            raise ValueError("another order")
        return key, str(UUID(invoice_id))
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise Refused("bad-cursor", "this page was not made here: start the list again", status=422) from None
