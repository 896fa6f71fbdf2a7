"""Which money lies on which instalment: the waterfall, oldest due date first, and the entries that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger import deductions
from policies.deductions import PARTS_FROM


class Move(NamedTuple):
    """Apply `amount_minor` more of a payment to an instalment, or take so much of it away when below 0."""

    payment_id: UUID
    instalment: int
    amount_minor: int


class Settled(NamedTuple):
    """`applied_minor` in all and by payment, the balance after it, and whether a hold waits for it or late charges hang on it."""

    applied_minor: int
    by_payment: dict[UUID, int]
    balance_minor: int
    held: bool
    charged: bool = False
    ceded: bool = False


_STATE = text(
    """
    select i.status, i.balance_minor,
        exists (select 1 from hold h where h.invoice_id = i.id and h.released_at is null
            and h.kind in ('already_paid', 'payment_in_process', 'unapplied')) as held,
        exists (select 1 from cession n where n.invoice_id = i.id and n.ended_at is null) as ceded,
        exists (select 1 from late_charge l where l.invoice_id = i.id) as charged,
        (select coalesce(json_agg(t.number order by t.due_on, t.number), '[]') from instalment t
            where t.invoice_id = i.id and t.superseded_at is null) as parts,
        (select coalesce(json_agg(json_build_array(g.instalment, g.payment_id, g.paid_on, g.amount) order by g.last), '[]') from (
            select e.instalment, e.payment_id, p.paid_on, sum(e.amount_minor) as amount, max(e.id) as last
            from entry e left join payment p on p.id = e.payment_id
            where e.invoice_id = i.id and (e.instalment < 1001 or e.kind <> 'deduction')
            group by e.instalment, e.payment_id, p.paid_on) g) as entries,
        (select coalesce(json_agg(json_build_array(d.instalment,
                case when d.where_paid like 'state_bank:%' then 'detraccion' else '' end,
                d.certificate_on is null and d.state = 'declared') order by d.number), '[]')
            from deduction d where d.invoice_id = i.id and d.released_on is null) as deducted,
        (select coalesce(json_agg(json_build_array(p.id, p.unallocated_minor, p.paid_on, p.destination)
                order by p.recorded_at, p.id), '[]')
            from payment p where (p.invoice_id = i.id or p.id = :lend) and p.kind = 'payment' and p.unallocated_minor > 0) as pool
    from invoice i where i.id = :invoice
    """
)
_MOVE = text(
    """
    with moves as (
        select * from json_to_recordset(cast(:moves as json))
            as m(at int, payment uuid, instalment int, amount bigint, dated_on date, cause text)
    ), entered as (
        insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, payment_id, dated_on,
            recorded_at, cause)
        select i.creditor_id, i.account_id, i.id, m.instalment, 'payment', -m.amount, i.currency, m.payment, m.dated_on, :now,
            m.cause
        from moves m join invoice i on i.id = :invoice order by m.at
    ), kept as (
        update payment p set unallocated_minor = p.unallocated_minor - s.amount
        from (select payment, sum(amount) as amount from moves group by payment) s where p.id = s.payment
    )
    update invoice set balance_minor = balance_minor - (select sum(amount) from moves),
        apart_minor = apart_minor - coalesce((select sum(amount) from moves where instalment >= 1001), 0)
    where id = :invoice returning balance_minor
    """
)


@dataclass(frozen=True)
class TakenBack:
    """Where a reversal's money came from; `left_minor` is what the payment no longer had."""

    invoices: list[UUID]
    allocated_minor: int
    left_minor: int


def waterfall(
    owed: Sequence[tuple[int, int]], applied: Mapping[tuple[UUID, int], int], free: Iterable[tuple[UUID, int]]
) -> list[Move]:
    """The fewest moves that leave all of the money on the oldest instalments.

    `owed` is (instalment, minor units charged) in the order of due dates; `applied` what each payment has on each instalment,
    in the order applied; `free` what payments have left, oldest first. Pure; what is left over stays free.
    """
    pool = list(free)
    have: dict[int, int] = {number: 0 for number, _ in owed}
    for (_, number), amount in applied.items():
        have[number] = have.get(number, 0) + amount
    money = sum(have.values()) + sum(left for _, left in pool)
    target = dict.fromkeys(have, 0)
    for number, charged in owed:
        target[number] = min(max(charged, 0), money)
        money -= target[number]
    moves: list[Move] = []
    for (payment, number), amount in reversed(list(applied.items())):
        surplus = min(have[number] - target[number], amount)
        if surplus > 0:
            moves.append(Move(payment, number, -surplus))
            have[number] -= surplus
            pool.insert(0, (payment, surplus))
    for number, _ in owed:
        for at, (payment, left) in enumerate(pool):
            part = min(target[number] - have[number], left)
            if part > 0:
                moves.append(Move(payment, number, part))
                have[number] += part
                pool[at] = (payment, left - part)
    return moves


def settle(session: Session, invoice_id: UUID, *, now: datetime, lend: UUID | None = None) -> int:
    """Bring an open invoice's allocations to the waterfall; returns the minor units newly applied (below 0: set free).

    Used are the payments matched to it, and the one that `lend` names. Call it under the debtor's lock, also after an amendment
    or a credit, then `refresh_balance`.
    """
    return settle_all(session, invoice_id, now=now, lend=lend).applied_minor


def settle_all(session: Session, invoice_id: UUID, *, now: datetime, lend: UUID | None = None) -> Settled:
    """`settle`, and what else a payment has to know. One question and, when money moves, one answer: webhooks wait for it."""
    row = session.execute(_STATE, {"invoice": invoice_id, "lend": lend}).one()
    if row.status != "open":
        return Settled(0, {}, row.balance_minor, row.held)
    charged: dict[int, int] = dict.fromkeys(row.parts, 0)
    applied: dict[tuple[UUID, int], int] = {}
    dates: dict[UUID, str] = {}
    for number, payment, paid_on, amount in row.entries:
        if payment is None:
            charged[number] = charged.get(number, 0) + int(amount)
        elif amount:
            applied[(UUID(payment), number)] = -int(amount)
            dates[UUID(payment)] = paid_on
    dates.update({UUID(payment): paid_on for payment, _, paid_on, _ in row.pool})
    moves = [move for owed, on_them, pool in _destinations(row, charged, applied) for move in waterfall(owed, on_them, pool)]
    balance_minor = row.balance_minor
    if moves:
        written = [
            {"at": at, "payment": str(move.payment_id), "instalment": move.instalment, "amount": move.amount_minor,
             "dated_on": dates[move.payment_id], "cause": "" if move.amount_minor > 0 else "moved to the oldest open instalment"}
            for at, move in enumerate(moves)
        ]  # fmt: skip
        balance_minor = session.execute(_MOVE, {"invoice": invoice_id, "moves": json.dumps(written), "now": now}).scalar_one()
    by_payment: dict[UUID, int] = {}
    for move in moves:
        by_payment[move.payment_id] = by_payment.get(move.payment_id, 0) + move.amount_minor
    applied_minor = sum(by_payment.values())
    if row.deducted:
        balance_minor += deductions.settle(session, invoice_id, now=now)
    if row.deducted or (applied_minor > 0 and balance_minor > 0):
        deductions.propose(session, invoice_id, now=now)
    return Settled(applied_minor, by_payment, int(balance_minor), row.held, row.charged, row.ceded)


_Applied = dict[tuple[UUID, int], int]
_Owed = list[tuple[int, int]]


def _destinations(
    row: Row[Any], charged: dict[int, int], applied: _Applied
) -> list[tuple[_Owed, _Applied, list[tuple[UUID, int]]]]:
    """What is owed and what money there is, for each of the creditor's accounts: its own, and the one at the state bank.

    Money for its own account that covers what should have been withheld too shows that nothing was withheld.
    """
    there = {int(part) for part, destination, _ in row.deducted if destination}
    here = [(number, minor) for number, minor in charged.items() if number < PARTS_FROM]
    free: dict[str, list[tuple[UUID, int]]] = {"": [], "detraccion": []}
    for payment, left, _, destination in row.pool:
        free[destination].append((UUID(payment), int(left)))
    money = sum(left for _, left in free[""]) + sum(minor for (_, place), minor in applied.items() if place not in there)
    money -= sum(max(minor, 0) for _, minor in here)
    for part, destination, withheld in row.deducted:
        if not destination and part >= PARTS_FROM:
            covered = charged.get(part, 0) if withheld and money >= charged.get(part, 0) else 0
            here.append((part, covered))
            money -= covered
    elsewhere = [(part, charged.get(part, 0)) for part in sorted(there)]
    groups = [(here, {key: minor for key, minor in applied.items() if key[1] not in there}, free[""])]
    if there:
        groups.append((elsewhere, {key: minor for key, minor in applied.items() if key[1] in there}, free["detraccion"]))
    return groups


def take_back(session: Session, payment: Row[Any], reversal: Row[Any], *, now: datetime) -> TakenBack:
    """Take a reversal's sum from what the payment has not applied, then from its latest allocations."""
    left: int = reversal.amount_minor
    idle = session.execute(text("select unallocated_minor from payment where id = :id"), {"id": payment.id}).scalar_one()
    left -= min(left, idle)
    session.execute(
        text("update payment set unallocated_minor = unallocated_minor - :taken where id = :id"),
        {"taken": reversal.amount_minor - left, "id": payment.id},
    )
    allocations = session.execute(
        text(
            "select invoice_id, instalment, -sum(amount_minor) as applied from entry where payment_id = :id"
            " group by invoice_id, instalment having sum(amount_minor) < 0 order by max(id) desc"
        ),
        {"id": payment.id},
    ).all()
    invoices: dict[UUID, None] = {}
    taken = 0
    for row in allocations:
        part = min(left, int(row.applied))
        if part == 0:
            break
        _enter(
            session,
            row.invoice_id,
            row.instalment,
            "reversal",
            part,
            payment.id,
            reversal.paid_on,
            now,
            f"reversal {reversal.id}",
        )
        invoices[row.invoice_id] = None
        left -= part
        taken += part
    return TakenBack(list(invoices), taken, left)


def absorb(session: Session, invoice_id: UUID, status: str, *, now: datetime, dated_on: date) -> None:
    """Money went back on a cancelled or written-off invoice: it still asks for nothing, so the sum joins what was given up."""
    owed, applied, _ = _present(session, invoice_id)
    for number, charged in owed:
        open_minor = charged - sum(amount for (_, where), amount in applied.items() if where == number)
        if open_minor > 0:
            kind = "cancellation" if status == "cancelled" else "write_off"
            _enter(session, invoice_id, number, kind, -open_minor, None, dated_on, now, "money went back after the end")


def refresh_balance(session: Session, invoice_id: UUID) -> int:
    """Keep the cached balance equal to the sum of the entries; returns it in minor units."""
    return int(
        session.execute(
            text(
                "update invoice set balance_minor = (select coalesce(sum(amount_minor), 0) from entry where invoice_id = :id),"
                " apart_minor = (select coalesce(sum(amount_minor), 0) from entry where invoice_id = :id and instalment >= 1001)"
                " where id = :id returning balance_minor"
            ),
            {"id": invoice_id},
        ).scalar_one()
    )


def _present(session: Session, invoice_id: UUID) -> tuple[list[tuple[int, int]], dict[tuple[UUID, int], int], dict[UUID, date]]:
    due = session.execute(
        text("select number from instalment where invoice_id = :id and superseded_at is null order by due_on, number"),
        {"id": invoice_id},
    ).scalars()
    charged: dict[int, int] = dict.fromkeys(due, 0)
    applied: dict[tuple[UUID, int], int] = {}
    dates: dict[UUID, date] = {}
    rows = session.execute(
        text(
            "select e.instalment, e.payment_id, p.paid_on, sum(e.amount_minor) as amount from entry e"
            " left join payment p on p.id = e.payment_id where e.invoice_id = :id"
            " group by e.instalment, e.payment_id, p.paid_on order by max(e.id)"
        ),
        {"id": invoice_id},
    )
    for row in rows:
        if row.payment_id is None:
            charged[row.instalment] = charged.get(row.instalment, 0) + int(row.amount)
        elif row.amount:
            applied[(row.payment_id, row.instalment)] = -int(row.amount)
            dates[row.payment_id] = row.paid_on
    return list(charged.items()), applied, dates


def _enter(
    session: Session, invoice_id: UUID, instalment: int, kind: str, amount_minor: int, payment_id: UUID | None, dated_on: date,
    now: datetime, cause: str,
) -> None:  # fmt: skip
    session.execute(
        text(
            "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, payment_id,"
            " dated_on, recorded_at, cause) select creditor_id, account_id, id, :instalment, :kind, :amount, currency, :payment,"
            " :dated_on, :now, :cause from invoice where id = :invoice"
        ),
        {
            "invoice": invoice_id, "instalment": instalment, "kind": kind, "amount": amount_minor, "payment": payment_id,
            "dated_on": dated_on, "now": now, "cause": cause,
        },
    )  # fmt: skip
