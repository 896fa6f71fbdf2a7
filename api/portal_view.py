"""What the customer's page says: the invoice as it is now, and the choices the manual leaves open. No personal data is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import jinja2
import yaml
from markupsafe import Markup
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from api import portal_short
from ledger.agreements import Table, table
from ledger.links import portal_token
from ledger.sealing import Sealer
from messages.formats import day
from messages.registers import effective_register, in_register, register_for
from messages.short import units
from policies import negotiation
from policies.money import exponent

PAGES = Path(__file__).parent / "pages"
CSS = (PAGES / "portal.css").read_text(encoding="utf-8")
STYLE = Markup(CSS)
DISPUTES = ("wrong_amount", "not_received", "quality", "already_credited", "not_mine", "other")
EVERY = ("monthly", "every_15", "every_7")

_ABOUT = text(
    "select i.id, i.number, i.currency, i.status, i.outcome, i.balance_minor, c.name as creditor, c.settings, a.country, a.kind,"
    " a.zone, coalesce(nullif(p.language, ''), a.language) as language,"
    " coalesce((select k.register from contact k where k.invoice_id = i.id and k.person_id = p.id and k.register <> ''"
    " order by k.at_utc, k.id limit 1), a.register) as register from invoice i"
    " join creditor c on c.id = i.creditor_id join person p on p.id = :person join account a on a.id = p.account_id"
    " where i.id = :invoice"
)
_PAYMENTS = text(
    "select p.paid_on, -sum(e.amount_minor) filter (where e.kind = 'payment') as came,"
    " coalesce(sum(e.amount_minor) filter (where e.kind = 'reversal'), 0) as went from entry e"
    " join payment p on p.id = e.payment_id where e.invoice_id = :invoice group by p.id, p.paid_on order by p.paid_on, p.id"
)


# Only what this person was written to about: the link of each was made with a message to them.
_OTHERS = text(
    "select i.id, i.number, i.currency, i.balance_minor - i.apart_minor as balance_minor,"
    " (select min(t.due_on) from instalment t where t.invoice_id = i.id"
    " and t.superseded_at is null) as due_on from invoice i join portal_link l on l.invoice_id = i.id and l.revoked_at is null"
    " where l.person_id = :person and i.id <> :invoice and i.status = 'open'"
    " and i.balance_minor > i.apart_minor order by due_on, i.number"
)


@dataclass(frozen=True)
class Field:
    """One thing a form asks."""

    name: str
    label: str
    type: str = "text"
    value: str = ""
    least: str = ""
    most: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Choice:
    """One thing the customer may do, and what it asks."""

    verb: str
    label: str
    help: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Card:
    """Something that is so: an agreement, a review, a settled invoice."""

    tone: str
    title: str
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = field(default=())


@lru_cache(maxsize=1)
def _texts() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load((PAGES / "portal.yaml").read_text(encoding="utf-8"))
    return loaded


@lru_cache(maxsize=32)
def texts(language: str, register: str, company: bool) -> dict[str, str]:
    """The page's texts in one language and register; unknown languages read Spanish."""
    known = language[:2] if language[:2] in _texts() else "es"
    spoken = register if known != "es" or register in ("tu", "usted", "vos") else "usted"
    form = effective_register(known, spoken, company=company)
    return {key: in_register(source, known, form) for key, source in _texts()[known].items()}


@lru_cache(maxsize=1)
def page() -> jinja2.Template:
    """The one template."""
    loader = jinja2.FileSystemLoader(PAGES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("portal.html.j2")


class Speaker:
    """Money, days and texts as this customer reads them."""

    def __init__(self, about: Row[Any], now: datetime) -> None:
        self.language = about.language[:2]
        self.country, self.currency = about.country, about.currency
        register = register_for(self.language, about.register, about.country, about.kind)
        self.t = texts(about.language, register, about.kind == "business")
        self.today = now.astimezone(ZoneInfo(about.zone)).date()
        self.zone = ZoneInfo(about.zone)

    def sum(self, amount_minor: int) -> str:
        """A sum with its currency."""
        return units(amount_minor, self.currency, self.language, self.country)

    def day(self, when: date) -> str:
        """A day in words."""
        return day(when, self.today, self.language, self.country)

    def last_day(self, until: datetime) -> str:
        """The last whole day before an instant."""
        return self.day((until.astimezone(self.zone) - timedelta(seconds=1)).date())

    def say(self, key: str, **values: str) -> str:
        """A text with its blanks filled."""
        return self.t[key].format(**values)


def about_invoice(session: Session, invoice_id: UUID, person_id: UUID) -> Row[Any]:
    """The row behind the page."""
    return session.execute(_ABOUT, {"invoice": invoice_id, "person": person_id}).one()


def frame(about: Row[Any], speaker: Speaker, *, base: str, form_token: str, view: str) -> dict[str, Any]:
    """What every view of the page has."""
    settings = about.settings or {}
    ways = " · ".join(str(settings[key]) for key in ("reply_to", "phone") if settings.get(key))
    return {
        "t": speaker.t, "lang": about.language, "css": STYLE, "creditor": about.creditor, "base": base,
        "heading": speaker.say("title", n=about.number, creditor=about.creditor),
        "headline": speaker.say("headline", n=about.number), "form_token": form_token, "view": view,
        "contact": speaker.say("contact", ways=ways) if ways else "",
    }  # fmt: skip


def invoice_view(session: Session, about: Row[Any], speaker: Speaker, now: datetime) -> dict[str, Any]:
    """The invoice as it is now: state, sums, history and choices."""
    at = table(session, about.id, now)
    owes = about.status == "open" and at.facts.balance_minor > 0
    payments = session.execute(_PAYMENTS, {"invoice": about.id}).all()
    at_agency = at.facts.placement is not None and at.facts.placement.state == "placed"
    parts = sorted(at.facts.instalments, key=lambda i: (i.due_on, i.number))
    open_parts = [part.due_on for part in parts if part.balance_minor > 0]
    due_on = min(open_parts, default=parts[0].due_on)
    settings = about.settings or {}
    worth, to_pay = portal_short.worth(session, at.facts, speaker.today, speaker.language, speaker.country, speaker.day)
    return {
        "owes": owes, "has_copy": at.facts.has_document,
        "owed": speaker.sum(at.facts.balance_minor), "cards": _cards(at, speaker, about, payments, owes, now),
        "due": speaker.say("due" if due_on >= speaker.today else "was_due", date=speaker.day(due_on)), "may_pay": not at_agency,
        "instalments": [
            (
                speaker.say("instalment", k=str(part.number)),
                speaker.sum(part.balance_minor) if part.balance_minor > 0 else speaker.t["settled"], speaker.day(part.due_on),
            )
            for part in parts
        ],
        "payments": [_paid_row(p, speaker) for p in payments if p.came],
        "pay_text": _pay_text(settings, speaker), "pay_url": _pay_url(settings, about.number, to_pay),
        "deducted": portal_short.deducted(at.facts, speaker.language, speaker.t["settled"], speaker.sum), "worth": worth,
        "choices": choices(at, speaker, now) if owes and not at_agency else [],
    }  # fmt: skip


def others(
    session: Session, invoice_id: UUID, person_id: UUID, speaker: Speaker, sealer: Sealer
) -> list[tuple[str, str, str, str]]:
    """The same person's other open invoices that they were written to about: number, due date, balance, and the page of each."""
    rows = session.execute(_OTHERS, {"invoice": invoice_id, "person": person_id}).all()
    return [
        (
            row.number, speaker.day(row.due_on), units(row.balance_minor, row.currency, speaker.language, speaker.country),
            f"/p/{portal_token(sealer, row.id, person_id)}",
        )
        for row in rows
    ]  # fmt: skip


def _paid_row(payment: Row[Any], speaker: Speaker) -> tuple[str, str, str]:
    went = f"{speaker.t['reversed']}: {speaker.sum(int(payment.went))}" if payment.went else ""
    return speaker.day(payment.paid_on), speaker.sum(int(payment.came)), went


def _cards(at: Table, speaker: Speaker, about: Row[Any], payments: list[Any] | Any, owes: bool, now: datetime) -> list[Card]:
    if not owes:
        net = sum(int(p.came or 0) - int(p.went) for p in payments)
        missing = portal_short.documents_missing(at.facts, speaker.language)
        if missing:
            return [Card("note", speaker.t["document_title"], (speaker.say("document_text", what=missing),))]
        if about.status == "open" and net > 0:
            return [Card("good", speaker.t["paid_title"], (speaker.say("paid_text", sum=speaker.sum(net)),))]
        return [Card("good", speaker.t["closed_title"], (speaker.t["closed_text"],))]
    cards: list[Card] = []
    if at.facts.placement is not None and at.facts.placement.state == "placed":
        cards.append(Card("note", speaker.t["agency_title"], (speaker.t["agency_text"],)))
    for agreement in at.facts.agreements:
        if agreement.state == "open":
            waived = (speaker.say("agreed_waived", sum=speaker.sum(agreement.waived_minor)),) if agreement.waived_minor else ()
            rows = tuple((speaker.day(m.due_on), speaker.sum(m.amount_minor), "") for m in agreement.milestones)
            cards.append(Card("good", speaker.t["agreed_title"], (speaker.t["agreed_text"], *waived), rows))
    for hold in at.facts.holds:
        if not hold.starts_at <= now < hold.until:
            continue
        until = speaker.last_day(hold.until)
        if hold.kind == "dispute":
            part = (speaker.say("dispute_part", sum=speaker.sum(hold.amount_minor)),) if hold.amount_minor else ()
            cards.append(Card("note", speaker.t["dispute_title"], (speaker.say("dispute_text", date=until), *part)))
        elif hold.kind == "already_paid":
            cards.append(Card("note", speaker.t["searching_title"], (speaker.say("searching_text", date=until),)))
        elif hold.kind == "payment_in_process":
            cards.append(Card("note", speaker.t["process_title"], (speaker.t["process_text"],)))
    return cards


def choices(at: Table, speaker: Speaker, now: datetime) -> list[Choice]:
    """What the customer may do now; nothing that the policy would refuse outright."""
    t, held = speaker.t, {h.kind for h in at.facts.holds if h.starts_at <= now < h.until}
    found: list[Choice] = []
    if not any(a.state == "open" for a in at.facts.agreements):
        found += _dates(at, speaker)
        found += _terms(at, speaker)
    if "dispute" not in held:
        reasons = tuple((key, t[key]) for key in DISPUTES)
        part = Field("amount", speaker.say("field_part", currency=speaker.currency))
        found.append(
            Choice("dispute", t["dispute"], t["dispute_help"], (Field("reason", t["field_reason"], options=reasons), part))
        )
    if "already_paid" not in held:
        days = str(at.manual.pauses.already_paid_wd)
        found.append(Choice("already-paid", t["paid"], speaker.say("paid_help", days=days)))
    return found


def _dates(at: Table, speaker: Speaker) -> list[Choice]:
    t, found = speaker.t, []
    last = speaker.today + timedelta(days=at.manual.promise.days_max)
    amount = Field(
        "amount", speaker.say("field_amount", currency=speaker.currency), value=plain(at.facts.balance_minor, speaker.currency)
    )
    if _grants(negotiation.Promise(on=last), at):
        when = Field("on", t["field_date"], "date", speaker.today.isoformat(), speaker.today.isoformat(), last.isoformat())
        found.append(Choice("promise", t["promise"], speaker.say("promise_help", date=speaker.day(last)), (when, amount)))
    extended = speaker.today + timedelta(days=at.offer.extension_days_max if at.offer else 0)
    if extended > last and _grants(negotiation.Extension(until=extended), at):
        until = Field("until", t["field_date"], "date", extended.isoformat(), speaker.today.isoformat(), extended.isoformat())
        found.append(Choice("extension", t["extension"], speaker.say("extension_help", date=speaker.day(extended)), (until,)))
    return found


def _terms(at: Table, speaker: Speaker) -> list[Choice]:
    t, found, today = speaker.t, [], speaker.today
    most = at.offer.instalments_max if at.offer else 0
    if most > 1 and _grants(negotiation.Plan(count=2, first_on=today), at):
        last = today + timedelta(days=at.manual.promise.days_max)
        count = Field("count", t["field_count"], options=tuple((str(n), str(n)) for n in range(2, most + 1)))
        first = Field("first_on", t["field_first"], "date", today.isoformat(), today.isoformat(), last.isoformat())
        every = Field("every", t["field_every"], options=tuple((key, t[key]) for key in EVERY))
        help_text = speaker.say("plan_help", most=str(most))
        if at.offer and at.offer.first_share_min_pct:
            least = -(-at.facts.balance_minor * at.offer.first_share_min_pct // 100)
            help_text += " " + speaker.say("plan_first", sum=speaker.sum(least))
        found.append(Choice("plan", t["plan"], help_text, (count, first, every)))
    if at.discount_until is not None and at.discount_until >= today:
        granted = _answer(negotiation.Discount(pay_on=at.discount_until), at)
        if isinstance(granted, negotiation.Accepted):
            label = speaker.say("discount", sum=speaker.sum(granted.milestones[0].amount_minor))
            help_text = speaker.say(
                "discount_help", date=speaker.day(at.discount_until), waived=speaker.sum(granted.waived_minor)
            )
            day_field = Field(
                "pay_on", t["field_date"], "date", at.discount_until.isoformat(), today.isoformat(), at.discount_until.isoformat()
            )
            found.append(Choice("discount", label, help_text, (day_field,)))
    return found


def _answer(request: negotiation.Request, at: Table) -> negotiation.Answer:
    start = datetime.combine(at.today, datetime.min.time(), ZoneInfo(at.facts.zone))
    return negotiation.answer(request, facts=at.facts, manual=at.manual, rung_id=at.rung_id, today=at.today, now=start)


def _grants(request: negotiation.Request, at: Table) -> bool:
    return isinstance(_answer(request, at), negotiation.Accepted)


def plain(amount_minor: int, currency: str) -> str:
    """A sum as it is typed: no separators, no cents when there are none."""
    digits = exponent(currency)
    amount = Decimal(amount_minor).scaleb(-digits)
    return f"{amount:f}" if amount != amount.to_integral_value() else f"{int(amount)}"


def _pay_text(settings: dict[str, Any], speaker: Speaker) -> str:
    said = settings.get("pay_text")
    if isinstance(said, dict):
        said = said.get(speaker.language) or next(iter(said.values()), "")
    return str(said) if said else speaker.t["pay_help"]


def _pay_url(settings: dict[str, Any], number: str, to_pay: tuple[int, str] | None) -> str:
    """The creditor's own payment page; only https, so that a mistyped setting is no script."""
    url = str(settings.get("pay_url") or "")
    if not url.startswith("https://") or to_pay is None:
        return ""
    values = {"{invoice}": number, "{amount_minor}": str(to_pay[0]), "{currency}": to_pay[1]}
    for blank, value in values.items():
        url = url.replace(blank, quote(value, safe=""))
    return url
