"""What the demo prints: a line for each thing that happens, and a table at the end. It reads rows only, and names no person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine, Row, text
from sqlalchemy.orm import Session

from api.console_words import channel, money, words
from policies.terms import days_said

_EVENTS = text(
    """
    select e.id, e.at_utc, e.kind, e.detail, c.slug, a.ref, a.zone, i.number, i.currency, s.why
    from event e join invoice i on i.id = e.invoice_id join account a on a.id = i.account_id
        join creditor c on c.id = i.creditor_id left join step s on s.id = cast(e.detail ->> 'step' as bigint)
    where e.id > :after order by e.id
    """
)
_TOTALS = text(
    """
    select c.slug, c.name, count(*) as invoices, count(*) filter (where i.outcome = 'paid') as paid,
        count(*) filter (where i.outcome is null) as open,
        (select count(*) from task t where t.creditor_id = c.id and t.done_at is null) as tasks,
        (select count(*) from agreement g where g.creditor_id = c.id and g.state = 'kept') as kept,
        (select count(*) from agreement g where g.creditor_id = c.id and g.state in ('broken', 'partly')) as broken,
        (select count(*) from placement p where p.creditor_id = c.id and p.state = 'placed') as placed
    from creditor c join invoice i on i.creditor_id = c.id group by c.id order by c.created_at, c.slug
    """
)
_OWED = text(
    "select c.slug, i.currency, sum(i.balance_minor) from invoice i join creditor c on c.id = i.creditor_id"
    " where i.balance_minor > 0 group by 1, 2 order by 1, 2"
)
_CHANNELS = text(
    "select c.slug, k.channel, count(*) from contact k join creditor c on c.id = k.creditor_id"
    " where k.folded_into is null and k.state not in ('planned', 'failed') group by 1, 2 order by 1, 3 desc"
)
_HELD = text(
    """
    select c.slug, s.rules[array_upper(s.rules, 1)] as rule, count(*)
    from event e join step s on s.id = cast(e.detail ->> 'step' as bigint) join creditor c on c.id = e.creditor_id
    where e.kind = 'held_back' group by 1, 2 order by 1, 3 desc, 2
    """
)

# kind: (word, colour)
_WORDS: dict[str, tuple[str, str]] = {
    "contacted": ("sent", "green"), "contact_failed": ("failed", "red"), "held_back": ("held back", "yellow"),
    "rung_skipped": ("skipped", "yellow"), "payment_received": ("paid", "bold cyan"),
    "payment_reversed": ("reversed", "bold red"), "opted_out": ("opted out", "magenta"),
    "address_retired": ("retired", "magenta"), "reopened": ("reopened", "red"), "task_opened": ("task", "blue"),
    "placement_proposed": ("agency?", "blue"), "placed": ("at agency", "blue"), "placement_recalled": ("recalled", "blue"),
    "dispute_opened": ("disputed", "magenta"), "already_paid_said": ("says paid", "cyan"), "closed": ("closed", "dim"),
}  # fmt: skip
_NOT_SHOWN = frozenset({"accepted", "contact_accepted", "contact_delivered", "message_replied"})


@dataclass
class Feed:
    """Reads the ledger's timeline from where it left off."""

    engine: Engine
    accepted: int = field(default=0, init=False)
    contacts: int = field(default=0, init=False)
    paid: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)

    def lines(self) -> list[str]:
        """What happened since the last time, as rich markup."""
        with Session(self.engine) as session:
            rows = session.execute(_EVENTS, {"after": self._seen}).all()
        return list(self._told(rows))

    def _told(self, rows: Sequence[Row[Any]]) -> Iterator[str]:
        for row in rows:
            self._seen = row.id
            self.accepted += row.kind == "accepted"
            self.contacts += row.kind == "contacted"
            self.paid += row.kind == "payment_received"
            if row.kind in _NOT_SHOWN:
                continue
            what, colour = _WORDS.get(row.kind, (words(row.kind), "cyan"))
            at: datetime = row.at_utc.astimezone(ZoneInfo(row.zone))
            yield f"[dim]{at:%d %b %H:%M}[/] {row.number:<9} [{colour}]{what:<9}[/] {escape(_detail(row))}"


def _detail(row: Row[Any]) -> str:
    detail: dict[str, Any] = row.detail
    amount = f"{row.currency} {money(int(detail['amount_minor']), row.currency)}" if "amount_minor" in detail else ""
    if row.kind == "contacted":
        late = f", {days_said(detail['late_days'])} late" if detail.get("late_days") else ""
        return f"{_rung(detail)}, {amount}{late}"
    if row.kind == "contact_failed":
        return f"{_rung(detail)}: {detail.get('why') or detail.get('reason', '')}"
    if row.kind == "payment_received":
        left = int(detail.get("balance_minor", 0))
        return amount + (f", {money(left, row.currency)} still owed" if left else ", nothing owed any more")
    if row.kind in ("promise_made", "agreement_made"):
        parts = ", ".join(f"{money(m['amount_minor'], row.currency)} by {m['due_on']}" for m in detail.get("milestones", []))
        return f"{detail.get('kind', '')}: {row.currency} {parts}"
    if row.why:
        return str(row.why)
    return amount or ", ".join(f"{words(key)} {value}" for key, value in detail.items() if key in ("channel", "reason", "until"))


def _rung(detail: dict[str, Any]) -> str:
    rung = detail.get("rung") or str(detail.get("key", "...")).split(".")[2]
    return f"{rung} by {channel(detail.get('channel'))}"


def summary(engine: Engine) -> Table:
    """One row for each creditor."""
    with Session(engine) as session:
        totals = session.execute(_TOTALS).all()
        owed, channels, held = (_by_creditor(session.execute(query).all()) for query in (_OWED, _CHANNELS, _HELD))
    table = Table("", *(row.name for row in totals), title="Ninety days", show_lines=True)
    lines: dict[str, Callable[[Row[Any]], str]] = {
        "invoices": lambda row: f"{row.invoices}: {row.paid} paid, {row.open} open",
        "still owed": lambda row: _stacked((c, money(n, c)) for c, n in owed.get(row.slug, [])),
        "contacts": lambda row: _stacked((channel(name), str(count)) for name, count in channels.get(row.slug, [])),
        "held back by": lambda row: _stacked((rule, str(count)) for rule, count in held.get(row.slug, [])),
        "agreements": lambda row: f"{row.kept} kept, {row.broken} broken",
        "at an agency": lambda row: str(row.placed),
        "tasks for people": lambda row: str(row.tasks),
    }
    for what, line in lines.items():
        table.add_row(what, *(line(row) for row in totals))
    return table


def _stacked(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{left} {right}" for left, right in pairs) or "-"


def _by_creditor(rows: Sequence[Row[Any]]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        slug, what, count = tuple(row)
        found.setdefault(slug, []).append((str(what), int(count)))
    return found
