"""What a customer chose on the page: channel and hours to be written in (F34, S16), and the consent that goes with it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.events import note_fact
from ledger.facts import gather
from ledger.receipts import opt_in
from ledger.refusals import Refused, not_found
from ledger.session import lock_debtor_of
from policies.manual_model import parse_window
from policies.preferences import hours_refused
from policies.terms import Channel

PROOF = "portal"

_OF_INVOICE = "join account b on a.id = coalesce(b.payer_id, b.id) join invoice i on i.account_id = b.id where i.id = :id"
"""The account that pays for an invoice: its people are written to, so its wishes count."""


class Preferences(NamedTuple):
    """What an account prefers; None: no wish. `hours` are `HH:MM` by the debtor's clock."""

    channel: Channel | None = None
    hours: tuple[str, str] | None = None


def preferences_of(session: Session, invoice_id: UUID | str) -> Preferences:
    """What the account of an invoice prefers now; raises Refused `not-found`."""
    terms = session.execute(text(f"select a.terms from account a {_OF_INVOICE}"), {"id": str(invoice_id)}).scalar()
    if terms is None:
        raise not_found("invoice", invoice_id)
    return _read(terms)


def ways_of(session: Session, person_id: UUID | str) -> list[Channel]:
    """The channels by which a person can be reached, also those they closed: choosing one opens it again."""
    rows = session.execute(
        text(
            "select channel from address where person_id = :person and retired_at is null group by channel order by min(position)"
        ),
        {"person": str(person_id)},
    )
    return [Channel(channel) for channel in rows.scalars()]


def set_preferences(
    session: Session,
    invoice_id: UUID | str,
    person_id: UUID | str,
    wanted: Preferences,
    *,
    now: datetime,
    actor: str = "customer",
) -> bool:
    """Keep what the customer prefers, for every invoice of the account and from the next plan on; false when it was so before.

    A chosen channel is consent to it: the person's addresses of that channel are given, with this moment and `portal` as proof.
    Raises Refused `not-found`, `no-such-channel`, `hours-unreadable`, and `hours-outside` (with `first` and `last` of hours
    that would do) where law or house allow no moment in the wished hours; the caller rolls back.
    """
    if wanted.hours is not None:
        _check_readable(wanted.hours)
    # The row before the debtor's lock, as an invoice that comes in takes them.
    session.execute(
        text(f"select a.id from account a {_OF_INVOICE} for no key update of a"),
        {"id": str(invoice_id)},
    )
    lock_debtor_of(session, invoice_id)
    before = preferences_of(session, invoice_id)
    if wanted.channel is not None and wanted.channel not in ways_of(session, person_id):
        raise Refused("no-such-channel", f"there is no address for {wanted.channel}: choose one that is offered", status=422)
    if wanted == before:
        return False
    account_id = session.execute(
        text(
            "update account a set terms = (a.terms - 'channel' - 'hours') || cast(:terms as jsonb) from invoice i"
            " join account b on b.id = i.account_id where i.id = :invoice and a.id = coalesce(b.payer_id, b.id) returning a.id"
        ),
        {"terms": json.dumps(_terms(wanted)), "invoice": str(invoice_id)},
    ).scalar_one()
    if wanted.channel is not None and wanted.channel is not before.channel:
        _consent(session, account_id, person_id, wanted.channel, now)
    if wanted.hours is not None:
        facts, manual = gather(session, invoice_id, now)
        instead = hours_refused(facts, manual, now, channel=wanted.channel)
        if instead is not None:
            more = {"first": instead.first, "last": instead.last}
            raise Refused("hours-outside", f"nobody may write in these hours; {' to '.join(instead)} would do", more=more)
    _note(session, account_id, wanted, now, actor)
    return True


def _read(terms: dict[str, Any]) -> Preferences:
    hours = terms.get("hours")
    return Preferences(Channel(terms["channel"]) if terms.get("channel") else None, (hours[0], hours[1]) if hours else None)


def _terms(wanted: Preferences) -> dict[str, Any]:
    given = {"channel": wanted.channel and wanted.channel.value, "hours": wanted.hours and list(wanted.hours)}
    return {name: value for name, value in given.items() if value}


def _check_readable(hours: tuple[str, str]) -> None:
    try:
        parse_window("-".join(hours))
    except ValueError as error:
        raise Refused("hours-unreadable", f"the hours cannot be read: {error}", status=422) from None


def _consent(session: Session, account_id: UUID, person_id: UUID | str, channel: Channel, now: datetime) -> None:
    rows = session.execute(
        text("select id, consent from address where person_id = :person and channel = :channel and retired_at is null"),
        {"person": str(person_id), "channel": channel.value},
    ).all()
    # A closed address stays closed while another of that channel is open: only the wish for the channel itself opens it.
    if rows and all(row.consent == "withdrawn" for row in rows):
        opt_in(session, account_id, [row.id for row in rows], now=now, proof=PROOF)
        return
    session.execute(
        text(
            "update address set consent = 'given', consent_at = :now, consent_proof = :proof"
            " where person_id = :person and channel = :channel and retired_at is null and consent <> 'withdrawn'"
        ),
        {"now": now, "proof": PROOF, "person": str(person_id), "channel": channel.value},
    )


def _note(session: Session, account_id: UUID, wanted: Preferences, now: datetime, actor: str) -> None:
    detail = _terms(wanted)
    said = [str(wanted.channel)] if wanted.channel else []
    said += [" to ".join(wanted.hours)] if wanted.hours else []
    rows = session.execute(
        text(
            "select i.id from account a join invoice i on i.account_id = a.id where :account in (a.id, a.payer_id)"
            " and i.outcome is null order by i.id"
        ),
        {"account": account_id},
    )
    for invoice_id in rows.scalars().all():
        note = ", ".join(said) or "no preference any more"
        note_fact(session, invoice_id, at=now, kind="preference_set", detail=detail, actor=actor, note=note)
