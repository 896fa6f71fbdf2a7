"""I1 to I6 in plain SQL, against what the outside really got and what clients and senders were really answered.

Each check returns findings, one line each; none is a kept promise. What the outside knows comes in as three temporary tables:
`received` (a row for each message), `told` (each payment event that was acknowledged), `answered` (each accepted invoice) and
`running` (each open workflow). "Before" between two transactions is their commit order, so the server must keep commit times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from clock import read_ledger_clock
from policies.manual import Manual


@dataclass(frozen=True)
class Told:
    """A payment or reversal that a sender was told to have been taken. `event_id` is empty where the sender does not say it."""

    ref: str
    kind: str
    amount_minor: int
    event_id: str = ""


@dataclass
class Outside:
    """What is known without the ledger."""

    received: list[str] = field(default_factory=list)
    """The contact id of each message that really arrived outside, as often as it arrived."""
    told: list[Told] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)
    """Invoice number -> id, for each POST that was answered 201 or 200."""
    running: list[str] = field(default_factory=list)
    """Ids of the open workflows in Temporal."""


Check = Callable[[Connection, Manual], list[str]]
_CHECKS: dict[str, Check] = {}


def _check(name: str) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        _CHECKS[name] = check
        return check

    return keep


def findings(engine: Engine, outside: Outside, manual: Manual) -> dict[str, list[str]]:
    """Every check's findings, by the check's name; the names without findings are left out."""
    with engine.connect() as connection:
        _bring(connection, outside)
        found = {name: check(connection, manual) for name, check in _CHECKS.items()}
        connection.rollback()
    return {name: lines for name, lines in found.items() if lines}


def _bring(connection: Connection, outside: Outside) -> None:
    for table in (
        "received (contact_id uuid)", "told (ref text, kind text, amount_minor bigint, event_id text)",
        "answered (number text, id uuid)", "running (workflow_id text)", "span (weekday int, opens text, closes text)",
    ):  # fmt: skip
        connection.execute(text(f"create temporary table {table} on commit drop"))
    _fill(connection, "received (contact_id) values (:contact_id)", ({"contact_id": one} for one in outside.received))
    _fill(connection, "told values (:ref, :kind, :amount_minor, :event_id)", (vars(one) for one in outside.told))
    _fill(connection, "answered values (:number, :id)", ({"number": n, "id": i} for n, i in outside.answered.items()))
    _fill(connection, "running values (:workflow_id)", ({"workflow_id": one} for one in outside.running))


def _fill(connection: Connection, into: str, rows: Iterable[dict[str, object]]) -> None:
    given = list(rows)
    if given:
        connection.execute(text(f"insert into {into}"), given)


def _lines(connection: Connection, sql: str, **values: object) -> list[str]:
    rows = connection.execute(text(sql), values)
    return [", ".join(f"{name} {value}" for name, value in row._mapping.items()) for row in rows]


def _now(connection: Connection) -> datetime:
    return read_ledger_clock(connection)


# -- I1: never without workflow or outcome


@_check("I1 an accepted invoice exists once, and is the one that was answered")
def _kept(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        "select a.number, a.id, count(i.id) as invoices from answered a"
        " left join invoice i on i.number = a.number and i.id = a.id group by a.number, a.id having count(i.id) <> 1"
        " union all select number, null, count(*) from invoice group by creditor_id, number having count(*) > 1",
    )


@_check("I1 an open invoice has its workflow and a step to come, with a reason")
def _alive(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        select i.number, i.next_kind, i.next_at, r.workflow_id
        from invoice i join creditor c on c.id = i.creditor_id
            left join running r on r.workflow_id = 'invoice:' || c.slug || ':' || i.number
        where i.outcome is null and (r.workflow_id is null or i.next_at is null or i.next_at <= :now or i.next_why is null)
        """,
        now=_now(connection),
    )


@_check("I1 every fact was seen by a decision, and every ring was told")
def _seen(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        "select number, revision, seen_revision from invoice where revision > seen_revision"
        " union all select workflow_id, id, tries from outbox where done_at is null",
    )


# -- I2: never two, none missing


@_check("I2 no message was received twice")
def _message_once(connection: Connection, manual: Manual) -> list[str]:
    return _lines(connection, "select contact_id, count(*) as times from received group by 1 having count(*) > 1")


@_check("I2 no rung of an invoice was delivered twice")
def _key_once(connection: Connection, manual: Manual) -> list[str]:
    # What bounced was not delivered: the next channel of the same rung may follow it.
    return _lines(
        connection,
        """
        select i.number, k.key, count(*) as times, string_agg(k.channel || ' ' || k.state, ' + ' order by k.attempt) as attempts
        from received r join contact k on coalesce(k.folded_into, k.id) = r.contact_id join invoice i on i.id = k.invoice_id
        where not (k.state = 'failed' and exists (select 1 from receipt p
            where p.contact_id = r.contact_id and p.status = 'failed'))
        group by i.number, k.invoice_id, k.key having count(*) > 1
        """,
    )


@_check("I2 what the ledger says was sent was received, and what was received is in the ledger")
def _none_missing(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        select 'not received' as wrong, k.id, k.key, k.channel, k.state from contact k
        where k.state in ('accepted', 'delivered')
            and not exists (select 1 from received r where r.contact_id = coalesce(k.folded_into, k.id))
        union all
        select 'not in the ledger', r.contact_id, null, null, null from received r
        where not exists (select 1 from contact k where k.id = r.contact_id and k.folded_into is null)
        union all
        select 'said not to have gone out', k.id, k.key, k.channel, k.state from contact k
        where k.state in ('planned', 'claimed', 'calling', 'failed')
            and exists (select 1 from received r where r.contact_id = coalesce(k.folded_into, k.id))
            and not (k.state = 'failed' and exists (select 1 from receipt p
                where p.contact_id = coalesce(k.folded_into, k.id) and p.status = 'failed'))
        """,
    )


@_check("I2 every rung of a message has its fate, its person and its channel")
def _one_fate(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        select m.id as message, m.state, k.id as rung, k.key, k.state as other
        from contact k join contact m on m.id = k.folded_into
        where m.folded_into is not null
            or (m.state, m.account_id, m.person_id, m.address_id, m.channel, m.at_utc)
                is distinct from (k.state, k.account_id, k.person_id, k.address_id, k.channel, k.at_utc)
        """,
    )


@_check("I2 nothing is left half done, and each unknown of more than a day has a task")
def _unknowns_listed(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        select k.id, k.key, k.state from contact k where k.state in ('claimed', 'calling')
        union all
        select k.id, k.key, k.state from contact k
        where k.state = 'unknown' and k.at_utc < cast(:now as timestamptz) - interval '24 hours'
            and not exists (select 1 from task t where t.kind = 'unknown_outcome' and t.key = k.id::text)
        """,
        now=_now(connection),
    )


@_check("I2 each rung before the latest one of its cycle was tried or passed over with a reason")
def _no_rung_lost(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        with trace as (
            select invoice_id, key from contact where state <> 'planned'
            union select invoice_id, key from step where kind in ('skip', 'ask') and key is not null and why <> ''
        ), dealt as (
            select distinct invoice_id, split_part(key, '.', 1) as instalment, split_part(key, '.', 2) as cycle,
                split_part(key, '.', 3) as rung from trace
        ), ladder as (
            select m.creditor_id, m.id as manual_id, r.rung ->> 'rung' as rung, r.place
            from manual m, jsonb_array_elements(m.content -> 'ladder') with ordinality as r(rung, place)
        ), latest as (
            select d.invoice_id, d.instalment, d.cycle, max(l.place) as place
            from dealt d join invoice i on i.id = d.invoice_id
                join ladder l on l.creditor_id = i.creditor_id and l.manual_id = i.manual_id and l.rung = d.rung
            group by 1, 2, 3
        )
        select i.number, t.cycle, l.rung as lost
        from latest t join invoice i on i.id = t.invoice_id
            join ladder l on l.creditor_id = i.creditor_id and l.manual_id = i.manual_id and l.place < t.place
            left join dealt d on d.invoice_id = t.invoice_id and d.instalment = t.instalment and d.cycle = t.cycle
                and d.rung = l.rung
        where d.rung is null
        """,
    )


# -- I3: claims and payments


_CLAIMS = """
    with claim as (
        -- The decision is written in the transaction of its claim and never changed, so its commit is the claim's.
        select k.*, pg_xact_commit_timestamp(s.xmin) as committed from contact k join step s on s.id = k.step_id
        where k.state <> 'planned'
    ), owed as (
        select c.*, (select coalesce(sum(e.amount_minor), 0) from entry e
            where e.invoice_id = c.invoice_id and e.instalment < 1001
                and pg_xact_commit_timestamp(e.xmin) <= c.committed) as balance
        from claim c
    )
"""


@_check("I3 no claim commits after the payment that settles, and each asks the balance of its moment")
def _asks_the_balance(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        _CLAIMS
        + """
        select i.number, o.key, o.state, o.amount_minor as asked, o.balance
        from owed o join invoice i on i.id = o.invoice_id
        where case o.template when 'certificate_request' then o.balance > 0 else o.balance <= 0 or o.amount_minor > o.balance
            or (o.amount_minor <> o.balance and o.template <> 'promise_reminder') end
        """,
    )


# -- I4: limits


@_check("I4 caps hold on local dates")
def _caps(connection: Connection, manual: Manual) -> list[str]:
    found: list[str] = []
    for cap in manual.limits.contacts:
        whom = "person_id" if cap.per == "person" else "account_id"
        found += _lines(
            connection,
            f"""
            with counted as (
                select * from contact where state in ('claimed', 'calling', 'accepted', 'delivered', 'unknown')
                    and folded_into is null
                    and (cast(:channels as text[]) is null or channel = any(cast(:channels as text[])))
            )
            select c.{whom}, c.local_date, count(*) as contacts, :most as most, :days as days
            from (select distinct {whom}, local_date from counted) c
                join counted o on o.{whom} = c.{whom} and o.local_date > c.local_date - :days and o.local_date <= c.local_date
            group by c.{whom}, c.local_date having count(*) > :most
            """,
            most=cap.max, days=cap.days, channels=None if cap.channels is None else list(cap.channels),
        )  # fmt: skip
    return found


@_check("I4 every contact falls into a window, on the local time of its zone")
def _windows(connection: Connection, manual: Manual) -> list[str]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    spans = [
        {"weekday": names.index(day) + 1, "opens": opens, "closes": closes}
        for day, windows in manual.limits.windows.items()
        for opens, closes in (window.split("-") for window in windows)
    ]
    _fill(connection, "span values (:weekday, :opens, :closes)", spans)
    outside = _lines(
        connection,
        "select key, at_local from contact k where k.state not in ('planned', 'failed') and not exists (select 1 from span s"
        " where s.weekday = extract(isodow from k.at_local) and to_char(k.at_local, 'HH24:MI') >= s.opens"
        " and to_char(k.at_local, 'HH24:MI') < s.closes)",
    )
    wrong: list[str] = []
    for row in connection.execute(text("select key, at_utc, zone, at_local, local_date from contact")):
        real = row.at_utc.astimezone(ZoneInfo(row.zone)).replace(tzinfo=None)
        if (real, real.date()) != (row.at_local, row.local_date):
            wrong.append(f"key {row.key}, at {row.at_utc}, local {row.at_local}")
    return outside + wrong


@_check("I4 nobody is contacted at an address after opting out of it")
def _consent(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        _CLAIMS
        + """
        select c.key, c.channel, c.state, c.at_utc
        from claim c join event e on e.kind = 'opted_out' and e.invoice_id = c.invoice_id
            and e.detail -> 'addresses' ? c.address_id::text and pg_xact_commit_timestamp(e.xmin) < c.committed
        """,
    )


# -- I5: each event applied once


@_check("I5 an acknowledged event is stored once and applied")
def _stored_once(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        "select t.event_id, t.ref, count(b.id) as stored, count(b.applied_at) as applied from told t"
        " left join inbox b on b.event_id = t.event_id where t.event_id <> '' group by 1, 2"
        " having count(b.id) <> 1 or count(b.applied_at) <> 1",
    )


@_check("I5 what senders were told is the money in the ledger, each sum once")
def _applied_once(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        select t.ref, t.kind, t.amount_minor as told, count(p.id) as rows, sum(p.amount_minor) as recorded
        from told t left join payment p on p.source_ref = t.ref and p.kind = t.kind
        group by 1, 2, 3 having count(p.id) <> 1 or sum(p.amount_minor) <> t.amount_minor
        union all
        select p.source_ref, p.kind, null, 1, p.amount_minor from payment p
        where not exists (select 1 from told t where t.ref = p.source_ref and t.kind = p.kind)
        """,
    )


@_check("I5 each fact rang its workflow once for each time it was recorded")
def _rang(connection: Connection, manual: Manual) -> list[str]:
    # A fact raises the revision by one and leaves one ring; `reconcile` rings beside them.
    return _lines(
        connection,
        "select i.number, i.revision, count(o.id) as rings from invoice i left join outbox o on o.invoice_id = i.id"
        " and o.signal is not null and o.signal <> 'reconcile' group by i.id, i.number, i.revision"
        " having i.revision <> 1 + count(o.id)",
    )


# -- I6: money


@_check("I6 what came in is allocated, unallocated or taken back, to the last minor unit")
def _sums(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        """
        select p.source_ref, p.amount_minor,
            (select coalesce(-sum(e.amount_minor), 0) from entry e where e.payment_id = p.id) as allocated, p.unallocated_minor,
            (select coalesce(sum(r.amount_minor - r.unallocated_minor), 0) from payment r where r.reverses = p.id) as taken_back
        from payment p where p.kind = 'payment' and p.amount_minor <>
            (select coalesce(-sum(e.amount_minor), 0) from entry e where e.payment_id = p.id) + p.unallocated_minor
            + (select coalesce(sum(r.amount_minor - r.unallocated_minor), 0) from payment r where r.reverses = p.id)
        """,
    )


@_check("I6 the balance of an invoice is the sum of its entries, in one currency")
def _balances(connection: Connection, manual: Manual) -> list[str]:
    return _lines(
        connection,
        "select i.number, i.balance_minor, coalesce(sum(e.amount_minor), 0) as entries from invoice i"
        " left join entry e on e.invoice_id = i.id group by i.id, i.number, i.balance_minor, i.currency"
        " having i.balance_minor <> coalesce(sum(e.amount_minor), 0)"
        " or i.apart_minor <> coalesce(sum(e.amount_minor) filter (where e.instalment >= 1001), 0)"
        " or count(*) filter (where e.currency <> i.currency) > 0",
    )


CHECKS = tuple(_CHECKS)
"""The names of all checks."""
