"""How each character behaves: what follows from owning an invoice, and from reading a message about it.

Traits (given at registration, else drawn from the seed): `days` and `hour` of a payment, `share_pct` of a first part, `rest`
later or never, `promise_days`, `pays_after_chases`, `reversal_days`, `instalments`, `keeps` all, first or none, `after_chases`,
`reaction_seconds` (real delay instead of days, for runs on the wall clock).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rehearsal.simulator.people import Bill, Debtor, Event, event

NEVER = 10_000


@dataclass(frozen=True)
class Message:
    """What a customer holds in the hand."""

    channel: str
    to: str
    text: str
    links: tuple[str, ...]
    stop_link: str
    contact_id: str
    at: datetime


def on_registered(debtor: Debtor, bill: Bill, now: datetime) -> list[Event]:
    """What follows from owning an invoice, without any message: only the punctual act by themselves."""
    if debtor.character != "punctual":
        return []
    day = bill.due_on - timedelta(days=debtor.drawn("days", bill, 0, 3))
    at = debtor.on(day, debtor.drawn("hour", bill, 9, 18))
    if at <= now:
        at = debtor.on(debtor.local_date(now) + timedelta(days=1), 12)
    return [pay(debtor, bill, at, "all")]


def on_message(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    """What follows from one message about one invoice. `bill.chased` already counts it when it came after the due date."""
    character = debtor.character
    if character == "stopper":
        return _stop(debtor, message)
    if character == "wrong_number" and message.channel != "email":
        return _say_wrong_number(debtor, message)
    if bill.owed_minor == 0 or bill.chased == 0:
        return []
    return _OVERDUE.get(character, _nothing)(debtor, bill, message)


def pay(debtor: Debtor, bill: Bill, at: datetime, amount: int | str) -> Event:
    """A payment of so much, or of `all` that is still owed when it happens."""
    return event(at, "payment", debtor.ref, f"{bill.number}|pay|{at.isoformat()}|{amount}", number=bill.number, amount=amount)


def days_later(debtor: Debtor, bill: Bill, now: datetime, days: int) -> datetime:
    """So many days after `now` at the debtor's hour, or `reaction_seconds` after it when that trait is given."""
    if "reaction_seconds" in debtor.traits:
        return now + timedelta(seconds=int(debtor.traits["reaction_seconds"]) * max(days, 1))
    at = debtor.on(debtor.local_date(now) + timedelta(days=days), debtor.drawn("hour", bill, 9, 18))
    return max(at, now + timedelta(hours=1))


def _soon(debtor: Debtor, now: datetime) -> datetime:
    """When somebody who answers does so."""
    return now + (
        timedelta(seconds=int(debtor.traits["reaction_seconds"])) if "reaction_seconds" in debtor.traits else timedelta(hours=2)
    )


def _once(bill: Bill, mark: str) -> bool:
    """True the first time only."""
    if mark in bill.marks:
        return False
    bill.marks[mark] = "done"
    return True


def _nothing(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    return []


def _pay_soon(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    if not _once(bill, "pays"):
        return []
    return [pay(debtor, bill, days_later(debtor, bill, message.at, debtor.drawn("days", bill, 1, 6)), "all")]


def _pay_part(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    """A share after the first message; the rest, where it comes at all, after two more."""
    at = days_later(debtor, bill, message.at, debtor.drawn("days", bill, 1, 6))
    if _once(bill, "pays a part"):
        share = bill.amount_minor * debtor.drawn("share_pct", bill, 30, 70) // 100
        return [pay(debtor, bill, at, max(share, 1))]
    rest = str(debtor.traits.get("rest") or ("later" if debtor.drawn("rest_draw", bill, 0, 1) else "never"))
    if (
        rest == "later"
        and bill.paid
        and bill.chased >= debtor.drawn("pays_after_chases", bill, 3, 4)
        and _once(bill, "pays the rest")
    ):
        return [pay(debtor, bill, at, "all")]
    return []


def _promise(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    """A promise through the portal. Who keeps it pays on the day agreed there (happenings.py); the breaker forgets it and gives
    in, if ever, after being chased again."""
    if _once(bill, "promises"):
        at = _soon(debtor, message.at)
        day = debtor.local_date(at) + timedelta(days=debtor.drawn("promise_days", bill, 3, 7))
        return [_answer(debtor, bill, message, at, "promise", on=day.isoformat(), amount_minor=bill.owed_minor)]
    gives_in = debtor.drawn("pays_after_chases", bill, 3, 6)
    if debtor.character == "promiser_breaker" and gives_in < NEVER and bill.chased >= gives_in and _once(bill, "pays"):
        return [pay(debtor, bill, days_later(debtor, bill, message.at, 2), "all")]
    return []


def _dispute(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    if not _once(bill, "disputes"):
        return []
    events = [_answer(debtor, bill, message, _soon(debtor, message.at), "dispute", amount_minor=bill.owed_minor)]
    days = debtor.drawn("days", bill, 15, 40)
    return events if days >= NEVER else [*events, pay(debtor, bill, days_later(debtor, bill, message.at, days), "all")]


def _claim_paid(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    """Says that it is paid. Half of them have paid, and the money arrives some days later."""
    if not _once(bill, "claims"):
        return []
    at = _soon(debtor, message.at)
    words = {"pt": "Já paguei", "en": "I already paid"}.get(debtor.language[:2], "Ya pagué")
    if message.channel in ("sms", "whatsapp"):
        said = _reply(debtor, message, at, words)
    else:
        said = _answer(debtor, bill, message, at, "paid", paid_on=debtor.local_date(message.at).isoformat())
    days = debtor.drawn("days", bill, 2, 4) if debtor.drawn("has_paid", bill, 0, 1) else NEVER
    return [said] if days >= NEVER else [said, pay(debtor, bill, days_later(debtor, bill, message.at, days), "all")]


def _negotiate(debtor: Debtor, bill: Bill, message: Message) -> list[Event]:
    if bill.chased < debtor.drawn("after_chases", bill, 2, 3) or not _once(bill, "negotiates"):
        return []
    parts = debtor.drawn("instalments", bill, 2, 3)
    return [_answer(debtor, bill, message, _soon(debtor, message.at), "plan", instalments=parts, amount_minor=bill.owed_minor)]


def _stop(debtor: Debtor, message: Message) -> list[Event]:
    if debtor.marks.get(f"stop {message.channel}"):
        return []
    debtor.marks[f"stop {message.channel}"] = "done"
    at = _soon(debtor, message.at)
    if message.channel in ("sms", "whatsapp"):
        return [_reply(debtor, message, at, {"pt": "SAIR", "en": "STOP"}.get(debtor.language[:2], "BAJA"))]
    link = message.stop_link or next((link for link in message.links if link.rstrip("/").endswith("/stop")), "")
    return [event(at, "portal", debtor.ref, f"stop|{message.channel}", purpose="stop", link=link)] if link else []


def _say_wrong_number(debtor: Debtor, message: Message) -> list[Event]:
    if message.channel not in ("sms", "whatsapp") or debtor.marks.get("wrong"):
        return []
    debtor.marks["wrong"] = "done"
    words = {"pt": "Número errado", "en": "Wrong number"}.get(debtor.language[:2], "Número equivocado")
    return [_reply(debtor, message, _soon(debtor, message.at), words)]


def _reply(debtor: Debtor, message: Message, at: datetime, words: str) -> Event:
    tie = f"{message.channel}|{words}|{at.isoformat()}"
    return event(
        at, "reply", debtor.ref, tie, channel=message.channel, sender=message.to, text=words, contact_id=message.contact_id
    )


def _answer(debtor: Debtor, bill: Bill, message: Message, at: datetime, purpose: str, **values: object) -> Event:
    return event(
        at, "portal", debtor.ref, f"{bill.number}|{purpose}",
        purpose=purpose, number=bill.number, links=list(message.links), channel=message.channel, sender=message.to,
        contact_id=message.contact_id, values=values,
    )  # fmt: skip


_OVERDUE: dict[str, Callable[[Debtor, Bill, Message], list[Event]]] = {
    "punctual": _pay_soon,
    "forgetful": _pay_soon,
    "charges_back": _pay_soon,
    "bouncer": _pay_soon,
    "wrong_number": _pay_soon,
    "partial": _pay_part,
    "promiser_keeper": _promise,
    "promiser_breaker": _promise,
    "disputer": _dispute,
    "claims_paid": _claim_paid,
    "negotiator": _negotiate,
}
