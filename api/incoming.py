"""What receipts and replies change, and whose they are."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Row, text
from sqlalchemy.orm import Session
from starlette.datastructures import State

from channels import Receipt, Reply
from channels.reasons import read_reason
from ledger import holders, holds, inbox, receipts, replies
from ledger.ids import is_id
from ledger.refusals import Refused
from ledger.session import as_creditor, lock_debtor
from ledger.tasks import open_task

Came = Receipt | Reply
ANSWER_WITHIN = timedelta(days=1)
"""How long a person has to read a reply that no rule understands."""

_OF_CONTACT = text(
    "select k.creditor_id, k.address_id, k.person_id from contact k join door_contact(:id) d on d.creditor_id = k.creditor_id"
    " where k.id = :id"
)

_OF_THE_ADDRESS = ("stop", "start", "wrong_number")
"""What is said of the address itself, and so to all who write to it."""
_LAST_WRITTEN = text(
    "select (select max(at_utc) from contact where address_id = any(cast(:ids as uuid[]))"
    " and state in ('calling', 'accepted', 'delivered', 'unknown')) as at,"
    " exists (select 1 from inbox where source = :source and event_id = :event) as had"
)


def take_receipt(state: State, source: str, receipt: Receipt, now: datetime) -> str:
    """Store and apply one receipt; returns what became of it."""
    if not is_id(receipt.contact_id):
        return "unknown contact"
    with Session(state.engine) as session, session.begin():
        creditor = _creditor_of_contact(session, receipt.contact_id)
        if creditor is None:
            return "unknown contact"
        row = inbox.store(session, state.sealer, creditor, source, receipt.event_id, to_json(asdict(receipt)), now=now)
        if row is None:
            return "duplicate"
        done = receipts.apply_receipt(
            session, receipt.contact_id, receipt.status, at=receipt.at, now=now, permanent=receipt.permanent,
            reason=receipt.reason, provider_ref=receipt.provider_ref,
        )  # fmt: skip
        result = "unknown contact" if done is None else done.state if done.moved else "no change"
        inbox.applied(session, row, result, now=now)
    return result


def take_reply(state: State, source: str, reply: Reply, now: datetime) -> str:
    """Store and apply one reply, for each creditor whose customer has that address; returns what was understood."""
    lookup = state.sealer.lookup(reply.channel, reply.from_address) if reply.from_address else b""
    with Session(state.engine) as session, session.begin():
        known = session.execute(
            text("select creditor_id, address_id from door_address(:lookup) order by creditor_id, address_id"), {"lookup": lookup}
        ).all()
        creditor = _creditor_of_contact(session, reply.contact_id) if is_id(reply.contact_id) else None
        owners = dict.fromkeys([*([creditor] if creditor else []), *(row.creditor_id for row in known)])
        if creditor is not None:
            # the provider says which message was answered: other creditors' customers have nothing to do with it
            owners = {creditor: None}
        elif reply.keyword not in _OF_THE_ADDRESS and len(owners) > 1:
            owners = _who_wrote_last(session, source, reply, [(row.creditor_id, row.address_id) for row in known], owners)
        for owner in owners:
            as_creditor(session, owner)
            row = inbox.store(session, state.sealer, owner, source, reply.event_id, to_json(asdict(reply)), now=now)
            if row is None:
                continue
            ids = [item.address_id for item in known if item.creditor_id == owner]
            result = _answer(session, owner, reply, ids, now)
            inbox.applied(session, row, result, now=now)
    return "unknown sender" if not owners else reply.keyword


def _who_wrote_last(
    session: Session, source: str, reply: Reply, known: list[tuple[UUID, UUID]], owners: dict[UUID, None]
) -> dict[UUID, None]:
    """Whose message an answer without a reference is about: the creditor's who wrote to that address last; all while none did.

    Sent again, it stays with whom it was given to, also when another has written meanwhile.
    """
    newest: tuple[datetime, UUID] | None = None
    for owner in owners:
        as_creditor(session, owner)
        ids = [str(address) for creditor, address in known if creditor == owner]
        row = session.execute(_LAST_WRITTEN, {"ids": ids, "source": source, "event": reply.event_id}).one()
        if row.had:
            return {owner: None}
        if row.at is not None and (newest is None or row.at > newest[0]):
            newest = (row.at, owner)
    return owners if newest is None else {newest[1]: None}


def _answer(session: Session, creditor: UUID, reply: Reply, ids: list[UUID], now: datetime) -> str:
    contact = reply.contact_id if is_id(reply.contact_id) else None
    rows = session.execute(
        text(
            "select a.id, a.channel, p.account_id from address a join person p on p.id = a.person_id"
            " where a.creditor_id = :creditor and (a.id = any(cast(:ids as uuid[])) or a.id ="
            " (select k.address_id from contact k where k.id = cast(:contact as uuid))) order by p.account_id, a.id"
        ),
        {"creditor": creditor, "ids": [str(i) for i in ids], "contact": contact},
    ).all()
    here = [row for row in rows if row.channel == reply.channel] or list(rows)
    result = _of_the_holder(session, reply, here, contact, now) or _understood(session, creditor, reply, here, contact, now)
    if reply.keyword not in ("wrong_number", "not_me"):
        # After the debtor's locks, which whoever changes an address takes first.
        holders.heard(session, [row.id for row in here], now=now)
    return result


def _understood(session: Session, creditor: UUID, reply: Reply, here: list[Row[Any]], contact: str | None, now: datetime) -> str:
    proof = f"{reply.channel} reply {reply.event_id}"
    if reply.keyword == "stop":
        for account, addresses in _by_account(here):
            receipts.opt_out(session, account, addresses, now=now, proof=proof)
    elif reply.keyword == "start":
        for account, addresses in _by_account(here):
            receipts.opt_in(session, account, addresses, now=now, proof=proof)
    elif reply.keyword == "wrong_number":
        for account, addresses in _by_account(here):
            lock_debtor(session, account)
            for address in addresses:
                receipts.retire_address(session, address, why="wrong_number", now=now)
    else:
        return _talk(session, creditor, reply, here, contact, now)
    return reply.keyword


def _of_the_holder(session: Session, reply: Reply, here: list[Row[Any]], contact: str | None, now: datetime) -> str:
    """The answer to the question whose telephone it is; empty where the reply says something else."""
    accounts = {row.id: row.account_id for row in here}
    question = holders.last_question(session, accounts, contact)
    asked = question is not None and question.asked_holder and question.address_id in accounts
    if reply.keyword == "not_me" or (reply.keyword == "no" and asked):
        # Where many share a number, the one who was written to is not there; the others may be.
        meant = [question.address_id] if question is not None and question.address_id in accounts else list(accounts)
        for address in sorted(meant, key=lambda each: (accounts[each], each)):
            holders.deny(session, accounts[address], address, now=now)
        return "not their telephone"
    if reply.keyword in ("yes", "start") and question is not None and asked:
        holders.confirm(session, accounts[question.address_id], question.address_id, by="reply", actor="customer", now=now)
        return "confirmed" if reply.keyword == "yes" else ""
    return ""


def _talk(session: Session, creditor: UUID, reply: Reply, here: list[Row[Any]], contact: str | None, now: datetime) -> str:
    """A reply about the invoices of one message: the one it answers, else the last one (F38)."""
    told = receipts.told_of(session, [row.id for row in here], contact)
    invoice = told[0] if told else None
    if reply.keyword == "paid" and told:
        said = [_say_paid(session, each, now) for each in told]
        if "held" in said:
            return "already paid"
        if "closed" in said:
            return "already paid: nothing is owed"
    reason = read_reason(reply.text).replace("_", " ")
    seems = f"; it seems to say: {reason}" if reason else ""
    open_task(
        session, creditor_id=creditor, invoice_id=invoice, account_id=here[0].account_id if here else None, kind="read_reply",
        key=reply.event_id, why=f"a customer answered by {reply.channel}: read it and answer{seems}",
        due_at=now + ANSWER_WITHIN, now=now,
    )  # fmt: skip
    if reply.keyword != "paid":  # said again without a payment: a person looks, and the ladder goes on
        for account, _ in _by_account(here):
            replies.hold_until_answered(session, account, reply=reply.event_id, now=now)
    return "for a person"


def _say_paid(session: Session, invoice: UUID, now: datetime) -> str:
    try:
        with session.begin_nested():
            holds.say_already_paid(session, invoice, actor="customer", now=now)
    except Refused as refused:
        return "closed" if refused.code == "invoice-closed" else "refused"
    return "held"


def _by_account(rows: list[Row[Any]]) -> list[tuple[UUID, list[UUID]]]:
    accounts: dict[UUID, list[UUID]] = {}
    for row in rows:
        accounts.setdefault(row.account_id, []).append(row.id)
    return sorted(accounts.items())


def _creditor_of_contact(session: Session, contact_id: str) -> UUID | None:
    creditor: UUID | None = session.execute(text("select creditor_id from door_contact(:id)"), {"id": contact_id}).scalar()
    if creditor is not None:
        as_creditor(session, creditor)
    return creditor
