"""What a replay did: contacts.csv, and a summary with the limits counted over again from the contacts alone."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, TextClause, text
from sqlalchemy.orm import Session

from policies.manual import Manual
from policies.portfolio_rows import Entry
from rehearsal.replay import Played

COLUMNS = ("invoice", "debtor", "rung", "channel", "at_local", "amount_minor", "currency", "status")

_CONTACTS = text(
    """
    select i.number, k.rung, k.channel, k.at_local, k.local_date, k.amount_minor, k.currency, k.state,
        k.account_id::text as account, k.person_id::text as person, k.folded_into is not null as folded
    from contact k join invoice i on i.id = k.invoice_id
    where k.creditor_id = :creditor and k.state not in ('planned', 'failed') order by k.at_local, i.number
    """
)
_SKIPPED = text(
    "select coalesce(rules[array_upper(rules, 1)], kind) as why, count(*) from step"
    " where creditor_id = :creditor and kind = 'skip' group by 1 order by 1"
)
_HELD = text(
    """
    select coalesce(s.rules[array_upper(s.rules, 1)], s.kind) as why, count(*)
    from event e join step s on s.id = cast(e.detail ->> 'step' as bigint)
    where e.creditor_id = :creditor and e.kind = 'held_back' group by 1 order by 1
    """
)
_OUTCOMES = text("select coalesce(outcome, 'open'), count(*) from invoice where creditor_id = :creditor group by 1 order by 1")
_LOST = text(
    """
    select count(*) from invoice i cross join unnest(cast(:rungs as text[])) as r(rung)
    where i.creditor_id = :creditor and i.outcome = 'ladder_ended'
        and not exists (select 1 from contact k where k.invoice_id = i.id and k.rung = r.rung and k.state <> 'planned')
        and not exists (select 1 from step s where s.invoice_id = i.id and s.rung = r.rung and s.kind = 'skip')
    """
)


class Made(NamedTuple):
    """One contact, as the ledger has it."""

    invoice: str
    rung: str
    channel: str
    at_local: datetime
    local_date: date
    amount_minor: int
    currency: str
    status: str
    account: str
    person: str
    folded: bool = False
    """It went with the message of another invoice: limits and counts know that one (F38)."""


def contacts_made(engine: Engine, played: Played) -> list[Made]:
    """Every contact that was or may have been made, by local time and invoice."""
    with Session(engine) as session:
        return [Made(*row) for row in session.execute(_CONTACTS, {"creditor": played.creditor_id})]


def write_contacts(path: Path, made: Iterable[Made], entries: Sequence[Entry]) -> None:
    """contacts.csv, a row for each rung that went out; the debtor is named as the portfolio names it.

    Rungs that went in one message share debtor, channel and moment, and all have the message's status (F38).
    """
    debtors = {entry.invoice.number: entry.debtor for entry in entries}
    with path.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened, lineterminator="\n")
        rows.writerow(COLUMNS)
        for one in made:
            at = one.at_local.isoformat(timespec="seconds")
            about = (one.invoice, debtors[one.invoice], one.rung, one.channel)
            rows.writerow((*about, at, one.amount_minor, one.currency, one.status))


def summary(engine: Engine, played: Played, made: Sequence[Made], manual: Manual) -> dict[str, Any]:
    """Counts, reasons, pace and limits; plain JSON. `contacts` are messages; `folded` are rungs that went in another's."""
    rungs = [rung.rung for rung in manual.ladder if rung.action == "contact"]
    messages = [one for one in made if not one.folded]
    with Session(engine) as session:
        asked = {"creditor": played.creditor_id}
        skipped = _counts(session, _SKIPPED, asked)
        held = _counts(session, _HELD, asked)
        outcomes = _counts(session, _OUTCOMES, asked)
        lost = session.execute(_LOST, asked | {"rungs": rungs}).scalar_one()
        debtors = session.execute(text("select count(*) from account where creditor_id = :creditor"), asked).scalar_one()
    return {
        "manual": f"{manual.name} {manual.version}", "invoices": played.schedule.accepted, "debtors": debtors,
        "refused": len(played.schedule.refused), "paid": played.schedule.paid, "outcomes": outcomes,
        "contacts": len(messages), "folded": len(made) - len(messages),
        "by_status": dict(Counter(one.status for one in messages)),
        "by_rung": dict(sorted(Counter(one.rung for one in made).items())),
        "held_back": {"count": sum(held.values()), "by_reason": held},
        "skipped": {"count": sum(skipped.values()), "by_reason": skipped},
        "lost": lost, "limits": limits_kept(manual, messages), "played_until": played.until.isoformat(),
        "seconds": round(played.seconds, 1), "contacts_per_second": round(len(messages) / max(played.seconds, 0.001), 1),
    }  # fmt: skip


def _counts(session: Session, statement: TextClause, asked: Mapping[str, Any]) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in session.execute(statement, asked)}


def limits_kept(manual: Manual, made: Sequence[Made]) -> list[dict[str, Any]]:
    """For each cap of the manual the most contacts that really fell into any of its windows."""
    found = []
    for cap in manual.limits.contacts:
        channels = {channel.value for channel in cap.channels} if cap.channels else None
        days: Mapping[str, list[date]] = defaultdict(list)
        for one in made:
            if channels is None or one.channel in channels:
                days[one.account if cap.per == "account" else one.person].append(one.local_date)
        most = max((_most(sorted(each), cap.days) for each in days.values()), default=0)
        found.append({"max": cap.max, "days": cap.days, "per": str(cap.per), "most": most, "kept": most <= cap.max})
    return found


def _most(days: list[date], width: int) -> int:
    first, most = 0, 0
    for last, day in enumerate(days):
        while day - days[first] >= timedelta(days=width):
            first += 1
        most = max(most, last - first + 1)
    return most
