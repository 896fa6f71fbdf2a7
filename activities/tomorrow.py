"""Drawing the list for the next working day: what would go if all were approved, each with its text as it would go."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from activities.compose import Composer
from clock import Clock
from ledger import approvals
from ledger.approvals import Creditor, Shown
from ledger.facts import gather_book
from ledger.sealing import Sealer
from ledger.session import lock_debtor
from messages.catalogue import TextError
from policies.facts import InvoiceFacts
from policies.forecast import BookEntry, Planned, Rider, forecast
from policies.ladder import day_start, local_day
from policies.start import APPROVED, list_due, mode_of
from policies.start_model import StartMode
from policies.steps import Contact

_TOKEN = re.compile(r"(/p/)[A-Za-z0-9_-]{43}")
"""The customer's own link opens the customer's page: a list shows that there is one, not where it leads."""


def draw_lists(engine: Engine, clock: Clock, composer: Composer, sealer: Sealer) -> int:
    """Draw every list that is due and not drawn yet; returns how many contacts were put on them. One transaction an account."""
    with Session(engine) as session:
        creditors = approvals.creditors_with_lists(session)
        session.rollback()
        drawn = 0
        for creditor in creditors:
            now = clock.now()
            day = list_due(now, creditor.terms.list_at, creditor.zone, creditor.country)
            if day is not None:
                drawn += draw_list(session, creditor, day, now, composer=composer, sealer=sealer)
    return drawn


def draw_list(session: Session, creditor: Creditor, day: date, now: datetime, *, composer: Composer, sealer: Sealer) -> int:
    """The list of that working day, once: what stands on it already stays as it was shown. Commits."""
    if not approvals.begin_list(session, creditor.id, day, now):
        session.rollback()
        return 0
    session.commit()
    ends = day_start(day + timedelta(days=1), creditor.zone)
    begins = local_day(now, creditor.zone) + timedelta(days=1)
    count = 0
    for account_id in approvals.accounts_ahead(session, creditor.id, ends):
        lock_debtor(session, account_id)
        for shown in _account(session, account_id, begins, now=now, ends=ends, composer=composer):
            count += approvals.propose(session, sealer, shown, for_day=day, now=now)
        session.commit()
    approvals.end_list(session, creditor.id, day, now)
    session.commit()
    return count


def _account(
    session: Session, account_id: UUID, begins: date, *, now: datetime, ends: datetime, composer: Composer
) -> list[Shown]:
    """What one debtor would get until `ends`, and has not been approved yet."""
    book = gather_book(session, account_id, now)
    entries = {entry.facts.invoice_id: entry for entry in book}
    # What is held for an approval waits for the next list: it is asked at once, as if it had one.
    assumed = [BookEntry(_assumed(entry, begins), entry.manual, now) for entry in book]
    messages: dict[tuple[datetime, str], list[Planned]] = defaultdict(list)
    for planned in forecast(assumed, now=now, until=ends):
        if isinstance(planned.step, Contact) and planned.at < ends:
            messages[planned.at, planned.together_with or planned.invoice_id].append(planned)
    return [shown for parts in messages.values() for shown in _message(session, entries, parts, composer)]


def _assumed(entry: BookEntry, begins: date) -> InvoiceFacts:
    start = entry.facts.start
    if start is None:
        return entry.facts
    return entry.facts.model_copy(update={"start": start.model_copy(update={"assumed_from": begins})})


def _message(session: Session, entries: dict[str, BookEntry], parts: list[Planned], composer: Composer) -> list[Shown]:
    """The contacts of one message that need an approval or are only watched: each may go in it or alone."""
    asked = [p for p in parts if _mode(entries[p.invoice_id], p) is not StartMode.AUTO]
    if not asked:
        return []
    lead = next((p for p in parts if not p.together_with), parts[0])
    subject, text, version = _written(session, entries, composer, lead, [p for p in parts if p is not lead])
    found = []
    for planned in asked:
        alone = version if len(parts) == 1 else _written(session, entries, composer, planned, [])[2]
        versions = tuple(dict.fromkeys(v for v in (alone, version) if v))
        facts = entries[planned.invoice_id].facts
        assert isinstance(planned.step, Contact)
        watched = _mode(entries[planned.invoice_id], planned) is StartMode.WATCH
        found.append(Shown(facts, planned.step, versions, subject, text, "" if planned is lead else lead.invoice_id, watched))
    return found


def _mode(entry: BookEntry, planned: Planned) -> StartMode:
    """How this contact starts; what was approved already goes by itself."""
    step = planned.step
    assert isinstance(step, Contact)
    return StartMode.AUTO if APPROVED in step.rules else mode_of(entry.facts, step.rung)


def _written(
    session: Session, entries: dict[str, BookEntry], composer: Composer, lead: Planned, along: list[Planned]
) -> tuple[str, str, str]:
    """Subject, text and version; without a version where the text cannot be written, which is then what is shown."""
    entry, riders = entries[lead.invoice_id], []
    assert isinstance(lead.step, Contact)
    for planned in along:
        other = entries[planned.invoice_id]
        assert isinstance(planned.step, Contact)
        riders.append(Rider(other, [], other.facts, planned.step))
    try:
        message = composer.compose(session, entry.facts, entry.manual, lead.step, uuid4(), riders)
    except TextError as error:
        return "", f"The text cannot be written: {error}", ""
    return message.rendered.subject, _TOKEN.sub(r"\1…", message.rendered.text), message.version
