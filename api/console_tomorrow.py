"""Tomorrow's list: what goes on the next working day with its words, and a person who approves all of it, some or none."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Row, text

from api import console_pages as pages
from api.console_acting import Acting, acting, new_once
from api.console_session import NO_NUL, PATH, Looker, PageRoute, Who
from api.problems import Stop
from ledger import approvals
from ledger.overview import waiting_for_people
from ledger.starting import read_start
from policies.ladder import local_day

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)
Lead = Annotated[Acting, acting("lead")]
SHOWN_MAX = 900
"""Contacts whose words are on one page, and the most that one form decides; narrow the list to see the others."""
HELD_MAX = 40
STATES = ("proposed", "approved", "declined", "expired", "watched")
_Typed = Annotated[str, Query(max_length=120, pattern=r"^[^\x00-\x1f]*$")]
_Once = Annotated[str, Query(max_length=40, pattern="^[0-9a-f]*$")]
_Field = Annotated[str, Form(max_length=120, pattern=NO_NUL)]


class Asked(NamedTuple):
    """What the list is narrowed to."""

    rung: str = ""
    state: str = ""
    q: str = ""

    def holds(self, row: Row[Any]) -> bool:
        """Whether a contact is on the narrowed list; `q` begins an invoice number or an account reference."""
        found = self.q.casefold()
        return (
            (not self.rung or row.rung == self.rung)
            and (not self.state or row.state == self.state)
            and (not found or row.number.casefold().startswith(found) or row.account_ref.casefold().startswith(found))
        )

    @property
    def query(self) -> dict[str, str]:
        return {name: value for name, value in self._asdict().items() if value}


class Shown(NamedTuple):
    """One contact on the page; without words for whoever may not read them."""

    row: Row[Any]
    subject: str
    text: str
    elsewhere: bool
    """Its words stand with the invoice in whose message it goes."""


class Group(NamedTuple):
    """The contacts of one rung, by customer, and their sum in each currency."""

    rung: str
    template: str
    channels: dict[str, int]
    sums: dict[str, int]
    left: int
    customers: dict[str, list[Shown]]


@router.get("/tomorrow")
def read_tomorrow(
    who: Who, request: Request, day: _Typed = "", rung: _Typed = "", state: _Typed = "", q: _Typed = "", done: _Once = ""
) -> Response:
    """The latest list, or that of a day."""
    if state and state not in STATES:
        raise Stop(404, "not-found", "There is no such list.")
    now: datetime = request.app.state.clock.now()
    wanted = _day(day) if day else approvals.last_list(who.session, who.creditor_id)
    asked = Asked(rung, state, q.strip())
    everything = approvals.listed(who.session, who.creditor_id, wanted) if wanted is not None else []
    rows = [row for row in everything if asked.holds(row)]
    reads = who.may("collector")
    sealer = request.app.state.sealer
    here = {row.invoice_id for row in rows[:SHOWN_MAX] if row.goes_with is None}
    shown = [
        Shown(row, *(approvals.message_of(sealer, row) if reads else ("", "")), row.goes_with in here) for row in rows[:SHOWN_MAX]
    ]
    over = wanted is not None and wanted < local_day(now, who.creditor.zone)
    return pages.page(
        "tomorrow.html", who=who, now=now, waiting=waiting_for_people(who.session, now),
        stopped=pages.is_stopped(who.creditor, now), day=wanted, asked=asked, groups=_groups(shown), reads=reads,
        totals=_totals(rows), counts=_counts(everything), rungs=sorted({row.rung for row in everything}), states=STATES,
        may_decide=who.may("lead") and not over, over=over, left_out=max(len(rows) - SHOWN_MAX, 0), once=new_once,
        held=_held(who), terms=read_start(who.session, who.creditor_id), done=_done(who, done), shown_count=len(rows),
        seen=_mark_of(rows),
    )  # fmt: skip


@router.post("/tomorrow")
def decide_tomorrow(
    who: Lead, request: Request, day: _Field, do: _Field, yes: Annotated[list[UUID] | None, Form()] = None,
    rung: _Field = "", state: _Field = "", q: _Field = "", seen: _Field = "",
) -> Response:  # fmt: skip
    """`do`: `approve_all` (of what the narrowed list shows), `approve` or `decline` what is ticked, `decline_all`.

    Nothing is decided unseen: what came onto the list after the page was made (`seen`), or did not fit on it, stays.
    """
    now: datetime = request.app.state.clock.now()
    wanted, asked = _day(day), Asked(rung, state, q.strip())
    query = {"day": wanted.isoformat(), **asked.query}
    if not who.taken_before():
        rows = approvals.listed(who.session, who.creditor_id, wanted)
        narrowed = [row for row in rows if asked.holds(row)]
        if do.endswith("_all") and seen and seen != _mark_of(narrowed):
            raise Stop(409, "list-changed", "The list changed since you opened it: open it again and read what is new.")
        ids = [row.id for row in narrowed[:SHOWN_MAX]] if do.endswith("_all") else list(yes or ())
        if do not in ("approve", "approve_all", "decline", "decline_all"):
            raise Stop(422, "unknown-choice", "Choose to approve or to decline: open the list again.")
        if not ids:
            raise Stop(422, "nothing-ticked", "Nothing was ticked: go back, tick what you mean, and send it again.")
        no = do.startswith("decline")
        approvals.decide(
            who.session, who.creditor_id, wanted, approve=() if no else ids, decline=ids if no else (), actor=who.actor, now=now,
            once=who.once,
        )  # fmt: skip
    return RedirectResponse(f"{PATH}/tomorrow?{urlencode({**query, 'done': who.once})}", 303)


def _mark_of(rows: Sequence[Row[Any]]) -> str:
    """What stands on a narrowed list, in a word that changes with it."""
    return hashlib.sha256("".join(sorted(row.id.hex for row in rows)).encode()).hexdigest()[:16]


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise Stop(404, "not-found", "There is no list of that day.") from None


def _groups(shown: Sequence[Shown]) -> list[Group]:
    groups: dict[tuple[str, str], Group] = {}
    for one in shown:
        row = one.row
        group = groups.setdefault(
            (row.rung, row.template), Group(row.rung, row.template, defaultdict(int), defaultdict(int), 0, defaultdict(list))
        )
        group.channels[row.channel] += 1
        group.sums[row.currency] += row.amount_minor
        group.customers[row.account_ref].append(one)
    return [
        group._replace(left=sum(s.row.state == "proposed" for each in group.customers.values() for s in each))
        for group in groups.values()
    ]


def _totals(rows: Sequence[Row[Any]]) -> dict[str, tuple[int, int]]:
    """By currency: how many contacts and what they ask together."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        count, amount_minor = found.get(row.currency, (0, 0))
        found[row.currency] = (count + 1, amount_minor + row.amount_minor)
    return found


def _counts(rows: Sequence[Row[Any]]) -> dict[str, int]:
    counts = dict.fromkeys(STATES, 0)
    for row in rows:
        counts[row.state] += 1
    return counts


def _held(who: Looker) -> list[Row[Any]]:
    """What holds others back: open invoices whose next contact is held, the longest overdue first."""
    return list(
        who.session.execute(
            text(
                "select i.id, i.number, i.next_why, i.next_at, a.ref as account_ref, a.zone from invoice i"
                " join account a on a.id = i.account_id where i.creditor_id = :creditor and i.outcome is null"
                " and i.held_why is not null and i.held_why = i.next_why order by i.next_at, i.number limit :limit"
            ),
            {"creditor": who.creditor_id, "limit": HELD_MAX},
        )
    )


def _done(who: Looker, once: str) -> dict[str, Any] | None:
    if not once:
        return None
    row = who.session.execute(
        text("select detail from audit where once = :once and act = 'list_decided'"), {"once": once}
    ).one_or_none()  # fmt: skip
    return None if row is None else dict(row.detail)
