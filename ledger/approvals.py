"""Tomorrow's list: what a person is shown before it goes, what they said of it, and whether what goes is what was shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Session

from ledger.audit import note_act
from ledger.events import note_fact
from ledger.refusals import Refused
from ledger.sealing import Sealer
from policies.facts import InvoiceFacts
from policies.ladder import local_day
from policies.start import APPROVED, good_until
from policies.start_model import StartTerms
from policies.steps import Contact

_PROPOSE = text(
    """
    insert into approval (id, creditor_id, account_id, invoice_id, person_id, key, rung, channel, template, amount_minor,
        currency, for_day, planned_at, why, versions, sealed, goes_with, proposed_at, state)
    values (:id, :creditor, :account, :invoice, :person, :key, :rung, :channel, :template, :amount, :currency, :day, :planned,
        :why, :versions, :sealed, :with, :now, :state)
    on conflict (invoice_id, key, for_day) do nothing returning id
    """
).bindparams(bindparam("versions", type_=ARRAY(TEXT)))

_LISTED = text(
    """
    select p.id, p.invoice_id, p.person_id, p.key, p.rung, p.channel, p.template, p.amount_minor, p.currency, p.for_day,
        p.planned_at, p.why, p.goes_with, p.state, p.proposed_at, p.decided_by, p.decided_at, p.good_until, p.sealed, n.data_key,
        i.number, i.balance_minor, i.outcome, i.next_kind, i.next_why, a.ref as account_ref, a.zone, a.id as account_id,
        w.number as with_number, (select k.state from contact k where k.invoice_id = p.invoice_id and k.key = p.key
            and k.state not in ('planned', 'failed') order by k.attempt desc limit 1) as went
    from approval p join invoice i on i.id = p.invoice_id join account a on a.id = p.account_id
        join person n on n.id = p.person_id left join invoice w on w.id = p.goes_with
    where p.creditor_id = :creditor and p.for_day = :day
    order by p.rung, a.ref, i.number, p.key
    """
)


class Creditor(NamedTuple):
    """A creditor whose contacts may need a person's approval."""

    id: UUID
    zone: str
    country: str
    terms: StartTerms


class Shown(NamedTuple):
    """One contact as it stands on a list: its message, the versions of text it may go with, and the message it is part of."""

    facts: InvoiceFacts
    step: Contact
    versions: Sequence[str]
    subject: str
    text: str
    goes_with: str = ""
    watched: bool = False
    """Nothing of it will go; a person looks only."""


def creditors_with_lists(session: Session) -> list[Creditor]:
    """Every creditor of which something needs an approval, or is only watched."""
    rows = session.execute(
        text("select id, zone, country, settings -> 'start' as start from creditor where settings ? 'start' order by id")
    )
    found = (Creditor(row.id, row.zone, row.country, StartTerms.model_validate(row.start)) for row in rows)
    return [creditor for creditor in found if creditor.terms.lists]


def begin_list(session: Session, creditor_id: UUID | str, day: date, now: datetime) -> bool:
    """Whether the list of that day has still to be drawn; what earlier lists left unanswered is no longer on them.

    A list that was cut off half-way is gone on with.
    """
    session.execute(
        text(
            "insert into approval_list (creditor_id, for_day, drawn_at) values (:creditor, :day, :now) on conflict do nothing"
        ),
        {"creditor": str(creditor_id), "day": day, "now": now},
    )  # fmt: skip
    finished = session.execute(
        text("select finished_at from approval_list where creditor_id = :creditor and for_day = :day for update"),
        {"creditor": str(creditor_id), "day": day},
    ).scalar()
    if finished is not None:
        return False
    session.execute(
        text("update approval set state = 'expired' where creditor_id = :creditor and for_day < :day and state = 'proposed'"),
        {"creditor": str(creditor_id), "day": day},
    )
    return True


def end_list(session: Session, creditor_id: UUID | str, day: date, now: datetime) -> None:
    """Every account was looked at."""
    session.execute(
        text("update approval_list set finished_at = :now where creditor_id = :creditor and for_day = :day"),
        {"creditor": str(creditor_id), "day": day, "now": now},
    )


def accounts_ahead(session: Session, creditor_id: UUID | str, until: datetime) -> list[UUID]:
    """The accounts with an invoice that has something to do before `until`."""
    rows = session.execute(
        text(
            "select distinct coalesce(a.payer_id, a.id) as account_id from invoice i join account a on a.id = i.account_id"
            " where i.creditor_id = :creditor and i.outcome is null"
            " and (i.next_at <= :until or i.revision > i.seen_revision) order by account_id"
        ),
        {"creditor": str(creditor_id), "until": until},
    )
    return list(rows.scalars())


def propose(session: Session, sealer: Sealer, shown: Shown, *, for_day: date, now: datetime) -> bool:
    """Put a contact on a list, with its message sealed under its person's key; False when it stands there, or nobody is left."""
    facts, step = shown.facts, shown.step
    wrapped = session.execute(text("select data_key from person where id = :id"), {"id": step.person_id}).scalar()
    if wrapped is None:
        return False
    body = json.dumps({"subject": shown.subject, "text": shown.text}).encode()
    added = session.execute(
        _PROPOSE,
        {
            "id": uuid4(), "creditor": facts.creditor_id, "account": facts.account_id, "invoice": facts.invoice_id,
            "person": step.person_id, "key": step.key, "rung": step.rung, "channel": step.channel.value,
            "template": step.template, "amount": step.amount_minor, "currency": facts.currency, "day": for_day,
            "planned": step.at, "why": step.why, "versions": list(shown.versions), "with": shown.goes_with or None, "now": now,
            "sealed": sealer.seal_under(sealer.unwrap(wrapped), body), "state": "watched" if shown.watched else "proposed",
        },
    )  # fmt: skip
    return added.scalar() is not None


def listed(session: Session, creditor_id: UUID | str, day: date) -> list[Row[Any]]:
    """What stands on the list of a day, by rung, account and invoice; `went` is what became of a contact that was made."""
    return list(session.execute(_LISTED, {"creditor": str(creditor_id), "day": day}))


def message_of(sealer: Sealer, row: Row[Any]) -> tuple[str, str]:
    """Subject and text as they were shown; both empty once the person was erased."""
    if row.data_key is None:
        return "", ""
    body = json.loads(sealer.unseal_under(sealer.unwrap(row.data_key), row.sealed))
    return body["subject"], body["text"]


def last_list(session: Session, creditor_id: UUID | str) -> date | None:
    """The day of the latest list; None before the first."""
    found: date | None = session.execute(
        text("select max(for_day) from approval_list where creditor_id = :creditor"), {"creditor": str(creditor_id)}
    ).scalar()
    return found


def has_list(session: Session, creditor_id: UUID | str, day: date) -> bool:
    """Whether the list of that day was drawn, or begun."""
    return (
        session.execute(
            text("select 1 from approval_list where creditor_id = :creditor and for_day = :day"),
            {"creditor": str(creditor_id), "day": day},
        ).first()
        is not None
    )


def decide(
    session: Session, creditor_id: UUID | str, day: date, *, approve: Iterable[UUID] | None, decline: Iterable[UUID] = (),
    actor: str, now: datetime, once: str | None = None,
) -> tuple[int, int]:  # fmt: skip
    """Approve (None: all that is left) and decline contacts of a day's list; returns how many of each changed.

    What was approved may still be declined until it has gone; what was declined was passed over and stays so. Each invoice is
    told and asked again; the decision is audited, with the form it came by (`once`). Raises Refused `list-over` for a day that
    has passed.
    """
    row = session.execute(
        text("select zone, country from creditor where id = :id"), {"id": str(creditor_id)}
    ).one()  # fmt: skip
    if day < local_day(now, row.zone):
        raise Refused("list-over", f"the list of {day.isoformat()} is over: what was left stands on the next one")
    given: dict[str, Any] = {"creditor": str(creditor_id), "day": day, "actor": actor, "now": now}
    no = {str(each) for each in decline}
    declined = _mark(session, "declined", ("proposed", "approved"), sorted(no), given | {"good": None})
    yes = None if approve is None else sorted({str(each) for each in approve} - no)
    approved = _mark(session, "approved", ("proposed",), yes, given | {"good": good_until(now, row.zone, row.country)})
    for state, rows in (("contact_declined", declined), ("contact_approved", approved)):
        for one in sorted(rows, key=lambda r: (str(r.invoice_id), r.key)):
            detail = {"approval": str(one.id), "key": one.key, "rung": one.rung, "channel": one.channel, "day": day.isoformat()}
            note_fact(
                session, one.invoice_id, at=now, kind=state, detail=detail, actor=actor, note=f"{one.rung} by {one.channel}"
            )
    if approved or declined or once:
        detail = {"approved": len(approved), "declined": len(declined)}
        subject = f"list:{day.isoformat()}"
        note_act(session, creditor_id, actor=actor, act="list_decided", subject=subject, detail=detail, now=now, once=once)
    return len(approved), len(declined)


def _mark(
    session: Session, state: str, before: tuple[str, ...], ids: Sequence[str] | None, given: dict[str, Any]
) -> Sequence[Row[Any]]:
    if ids is not None and not ids:
        return []
    return session.execute(
        text(
            "update approval set state = :state, decided_by = :actor, decided_at = :now, good_until = :good"
            " where creditor_id = :creditor and for_day = :day and state = any(:before)"
            " and (cast(:ids as text[]) is null or id = any(cast(:ids as uuid[])))"
            " returning id, invoice_id, key, rung, channel"
        ),
        {**given, "state": state, "before": list(before), "ids": None if ids is None else list(ids)},
    ).all()


def unlike_shown(session: Session, going: Iterable[tuple[str, Contact]], version: str) -> list[tuple[str, Contact]]:
    """Of the contacts that leave in one message (invoice id and step), the approved ones to which another text was shown."""
    found = []
    for invoice_id, step in going:
        if APPROVED not in step.rules:
            continue
        versions = session.execute(
            text(
                "select versions from approval where invoice_id = :invoice and key = :key order by for_day desc limit 1"
            ),
            {"invoice": invoice_id, "key": step.key},
        ).scalar()  # fmt: skip
        if version not in (versions or ()):
            found.append((invoice_id, step))
    return found


def text_changed(session: Session, invoice_id: str, step: Contact, now: datetime) -> None:
    """The approved text is no longer the one that would go: back to the list with it."""
    session.execute(
        text("update approval set state = 'expired' where invoice_id = :invoice and key = :key and state = 'approved'"),
        {"invoice": invoice_id, "key": step.key},
    )
    detail = {"key": step.key, "rung": step.rung, "channel": step.channel.value, "why": "its text is not the one that was shown"}
    note_fact(session, invoice_id, at=now, kind="approval_void", detail=detail, note=f"{step.rung} by {step.channel}")
