"""From a decision to a message ready to leave: who, in which words, with which links. Personal data ends here and in the seal."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from activities import short
from activities.papers import papers_for
from channels import Attachment, Outgoing
from ledger.contacts import keep_body
from ledger.creditors import SAID
from ledger.links import portal_url
from ledger.people import open_card
from ledger.sealing import Sealer
from ledger.session import Prepared
from messages.catalogue import common, speaks_of
from messages.formats import letter_day
from messages.registers import register_for
from messages.render import render
from messages.statement import statement_csv, statement_pdf
from messages.values import Line, MessageValues, Rendered
from policies.facts import InvoiceFacts, Milestone
from policies.forecast import Rider
from policies.judgement import judge
from policies.ladder import local_day
from policies.law.notices import wording
from policies.manual import Manual
from policies.messages import STATEMENT, firmness, text_for_several
from policies.negotiation import discount_until, offer_at
from policies.steps import Contact

_WORDS = Prepared(
    "words",
    """
    select c.name as creditor, c.slug, c.settings,
        i.number, i.issued_on, a.country, a.language as account_language, a.register, a.kind,
        a.terms ->> 'short_name' as short_name, a.terms ->> 'debt_type' as debt_type, a.terms ->> 'loan_type' as loan_type,
        (select k.register from contact k where k.person_id = p.id and k.invoice_id = any(:invoices) and k.register <> ''
            and k.state not in ('planned', 'failed') order by k.at_utc, k.id limit 1) as thread_register,
        p.language, p.data_key, p.sealed, p.erased_at,
        (select min(t.due_on) from instalment t where t.invoice_id = i.id and t.superseded_at is null
            and (t.number = :instalment or :instalment = 0)) as due_on,
        (select count(*) from instalment t where t.invoice_id = i.id and t.superseded_at is null) as instalments,
        not exists (select 1 from contact k where k.account_id = a.id and k.state in ('accepted', 'delivered')
            and k.template <> 'holder_check') as first_contact,
        exists (select 1 from unnest(:invoices) u(id) where not exists (select 1 from contact k where k.invoice_id = u.id
            and k.state in ('accepted', 'delivered') and k.channel <> 'voice' and k.template <> 'holder_check')) as first_of_debt,
        (select coalesce(sum(e.amount_minor), 0) from entry e
            where e.invoice_id = i.id and e.instalment < 1001 and e.kind in ('charge', 'amendment')) as first_due,
        (select json_build_object(
            'interest', coalesce(sum(e.amount_minor) filter (where e.kind = 'interest'), 0),
            'fee', coalesce(sum(e.amount_minor) filter (where e.kind = 'fee'), 0),
            'paid', coalesce(-sum(e.amount_minor) filter (where e.kind in ('payment', 'reversal') and e.recorded_at >=
                (select min(x.recorded_at) from entry x where x.invoice_id = e.invoice_id and x.kind in ('interest', 'fee'))), 0))
         from entry e where e.invoice_id = any(:invoices) and e.currency = i.currency
            and e.instalment < 1001 and (e.instalment <= :instalment or :instalment = 0)) as added
    from invoice i join creditor c on c.id = i.creditor_id join person p on p.id = :person join account a on a.id = p.account_id
    where i.id = :invoice
    """,
    invoice="uuid",
    person="uuid",
    instalment="int",
    invoices="uuid[]",
)

_OPEN_ITEMS = text(
    """
    select i.number, t.number as instalment, t.due_on,
        (select count(*) from instalment n where n.invoice_id = i.id and n.superseded_at is null) as instalments,
        (select coalesce(sum(e.amount_minor), 0) from entry e where e.invoice_id = i.id and e.instalment = t.number) as owed
    from invoice i join instalment t on t.invoice_id = i.id and t.superseded_at is null
    where i.account_id in (select g.id from account g where :account in (g.id, g.payer_id)) and i.currency = :currency
        and i.status = 'open' and i.balance_minor > 0
    order by t.due_on, i.number, t.number
    """
)
CREDIT = frozenset({"regulated_credit"})
"""Kinds of debt that count as consumer credit for the register; any `loan_type` does too."""
STATEMENTS = frozenset(
    ("open_items", "due_soon_statement", "decision_maker", "last_agreement", "statement_lines", "formal_demand", STATEMENT)
)
"""Texts that speak of everything the customer owes in the invoice's currency, not of this invoice alone (playbook 4.3)."""


def _agreed(facts: InvoiceFacts, today: date) -> Milestone | None:
    """The date and sum that the text speaks of: the next one of an open agreement, else the one that was missed last."""
    spoken_of = [a for a in facts.agreements if a.state in ("open", "partly", "broken")]
    if not spoken_of:
        return None
    return judge(max(spoken_of, key=lambda a: (a.state == "open", a.made_at)), facts.received, today).milestone


def _open_items(session: Session, facts: InvoiceFacts) -> tuple[Line, ...]:
    rows = session.execute(_OPEN_ITEMS, {"account": facts.account_id, "currency": facts.currency})
    return tuple(
        Line(
            invoice_number=row.number,
            due_on=row.due_on,
            amount_minor=row.owed,
            instalment=f"{row.instalment}/{row.instalments}" if row.instalments > 1 else "",
        )  # fmt: skip
        for row in rows
        if row.owed > 0
    )


def _added(added: dict[str, int], asked_minor: int) -> tuple[int, int]:
    """Interest and costs inside a sum that is asked; a payment since they began to be added met costs first, then interest."""
    left = max(added["paid"], 0)
    costs = max(added["fee"] - left, 0)
    interest = max(added["interest"] - max(left - added["fee"], 0), 0)
    costs = min(costs, asked_minor)
    return min(interest, asked_minor - costs), costs


class _Told(NamedTuple):
    """One rung that the message tells of."""

    facts: InvoiceFacts
    manual: Manual
    step: Contact

    @property
    def due_on(self) -> date:
        open_ones = [i.due_on for i in self.facts.instalments if i.number == self.step.instalment]
        return min(open_ones or [i.due_on for i in self.facts.instalments])

    @property
    def firmness(self) -> int:
        return firmness(self.step.template, firm=self.step.firm)


def _several(told: Sequence[_Told]) -> tuple[Line, ...]:
    """A line for each invoice. What a later instalment asks holds what the earlier ones ask."""
    found: dict[str, Line] = {}
    for one in sorted(told, key=lambda t: (t.due_on, t.facts.order)):
        facts, before = one.facts, found.get(one.facts.invoice_id)
        if before is None or one.step.amount_minor > before.amount_minor:
            parts = len(facts.instalments)
            found[facts.invoice_id] = Line(
                invoice_number=facts.order, due_on=before.due_on if before else one.due_on, amount_minor=one.step.amount_minor,
                instalment=f"{one.step.instalment}/{parts}" if parts > 1 and one.step.instalment else "", currency=facts.currency,
            )  # fmt: skip
    return tuple(found.values())


def _attached(
    rendered: Rendered, *, language: str, sender: str, country: str, today: date, sheet: bool
) -> tuple[Attachment, ...]:  # fmt: skip
    """The whole statement, where the message lists only its oldest lines; the statement of the month as a sheet too."""
    if rendered.whole is None:
        return ()
    title = common()[language[:2]]["statement"]
    pdf = statement_pdf(
        rendered.whole, language=language, sender=sender, title=title, date_line=letter_day(today, language[:2], country),
        dated=today,
    )  # fmt: skip
    name = f"{title.lower().replace(' ', '-')}-{today.isoformat()}"
    lines = (Attachment(f"{name}.csv", "text/csv", statement_csv(rendered.whole)),) if sheet else ()
    return (Attachment(f"{name}.pdf", "application/pdf", pdf), *lines)


@dataclass(frozen=True)
class Message:
    """What leaves, and the version of the text it was made from."""

    outgoing: Outgoing
    rendered: Rendered
    version: str
    register: str
    key: bytes = field(repr=False)
    """The person's, under which the message is kept."""


class Composer:
    """Turns a Contact into a message. `public_url` is where the customer's links lead."""

    def __init__(self, sealer: Sealer, public_url: str) -> None:
        self._sealer = sealer
        self._public_url = public_url.rstrip("/")

    def compose(
        self, session: Session, facts: InvoiceFacts, manual: Manual, step: Contact, contact_id: UUID, along: Sequence[Rider] = ()
    ) -> Message:
        """Read the person's card, write the text in their language and register, and address it.

        With `along`, the message is for those rungs too (F38): the firmest gives the tone and the words, all are listed.
        """
        told = [_Told(facts, manual, step), *(_Told(r.facts, r.entry.manual, r.step) for r in along)]
        voice = min(told, key=lambda t: (-t.firmness, t.due_on, t.facts.order))
        lines = _several(told) if along else ()
        several = (t.step.template for t in told)
        template = text_for_several(several, firmest=voice.firmness) if along else voice.step.template
        given = {
            "invoice": voice.facts.invoice_id, "person": step.person_id, "instalment": 0 if along else voice.step.instalment,
            "invoices": [one.facts.invoice_id for one in told],
        }  # fmt: skip
        row = _WORDS.ask(session, given).one()
        card = open_card(self._sealer, step.person_id, row)
        # Each invoice of the message has its own page, and they lead to one another.
        links = {
            one.facts.invoice_id: portal_url(session, self._sealer, self._public_url, one.facts.invoice_id, step.person_id)
            for one in told
        }
        link = links[voice.facts.invoice_id]
        language = row.language or row.account_language
        values = self._values(session, voice, row, link, lines or self._listed(session, voice, template), several=bool(along))
        # What was begun with a person in one register goes on in it (playbook 6).
        credit = bool(row.loan_type) or row.debt_type in CREDIT
        register = register_for(language, row.thread_register or row.register, row.country, row.kind, credit=credit)
        rendered = render(
            template,
            channel=step.channel,
            language=language,
            values=replace(
                values,
                salutation=card.salutation or row.short_name or "",
                deductions=() if along else short.deduction_lines(voice.facts),
                conversions=short.conversions(session, (one.facts for one in told), values.today, template),
            ),
            register=register,
            wording=wording(
                facts.law, channel=step.channel, on=values.today, first_contact=row.first_of_debt, speaks=speaks_of(template)
            ),
        )
        settings = row.settings or {}
        outgoing = Outgoing(
            contact_id=str(contact_id),
            to=card.addresses[step.address_id],
            sender_name=row.creditor,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            language=language,
            status_url=f"{self._public_url}/webhooks/twilio/status/{contact_id}",
            stop_url=link + "/stop",
            reply_to=settings.get("reply_to", ""),
            category=template,
            attachments=(
                *papers_for(session, self._sealer, ((one.facts, one.step) for one in told), contact_id),
                *_attached(
                    rendered,
                    language=language,
                    sender=row.creditor,
                    country=row.country,
                    today=values.today,
                    sheet=template == STATEMENT,
                ),
            ),
        )
        return Message(outgoing, rendered, rendered.version, register, card.key)

    @staticmethod
    def _listed(session: Session, voice: _Told, template: str) -> tuple[Line, ...]:
        return _open_items(session, voice.facts) if template in STATEMENTS else ()

    @staticmethod
    def _values(
        session: Session, voice: _Told, row: Row[Any], link: str, lines: tuple[Line, ...], *, several: bool
    ) -> MessageValues:
        facts, manual, step = voice
        today = local_day(step.at, facts.zone)
        settings = row.settings or {}
        rung = step.rung if any(r.rung == step.rung for r in manual.ladder) and not several else None
        agreed = _agreed(facts, today)
        asked_minor = sum(line.amount_minor for line in lines) if several else step.amount_minor
        interest, costs = _added(row.added, asked_minor)
        own = next((line.amount_minor for line in lines if line.invoice_number == facts.order), step.amount_minor)
        return MessageValues(
            creditor_name=row.creditor, creditor_short=settings.get("short_name", ""), team=settings.get("team", ""),
            reply_to=settings.get("reply_to", ""), phone=settings.get("phone", ""), check_url=settings.get("check_url", ""),
            country=row.country, invoice_number=row.number, issued_on=row.issued_on,
            due_on=row.due_on, amount_minor=own if several else step.amount_minor, currency=facts.currency,
            days_late=max((today - row.due_on).days, 0), today=today, pay_url=link, answer_url=link, stop_url=link + "/stop",
            offer=offer_at(manual, rung, facts.balance_minor, facts.currency) if rung else None,
            offer_until=discount_until(facts, manual, rung, today) if rung else None,
            instalment_number=step.instalment if row.instalments > 1 else 0,
            instalments_count=row.instalments if row.instalments > 1 else 0,
            agreement_date=agreed.due_on if agreed else None, agreement_amount_minor=agreed.amount_minor if agreed else None,
            lines=lines, amount_total_minor=None if several else sum(line.amount_minor for line in lines) or None,
            first_contact=row.first_contact, several=several, slug=row.slug, first_due_minor=row.first_due,
            interest_minor=interest, costs_minor=costs, said={name: str(settings[name]) for name in SAID if settings.get(name)},
        )  # fmt: skip

    def keep(self, session: Session, facts: InvoiceFacts, step: Contact, contact_id: UUID, message: Message) -> None:
        """Keep the message as sent, sealed under the person's key."""
        body: dict[str, Any] = {
            "subject": message.rendered.subject, "text": message.rendered.text, "html": message.rendered.html,
        }  # fmt: skip
        if message.outgoing.attachments:
            body["attachments"] = [
                {"name": a.name, "type": a.media_type, "content": base64.b64encode(a.content).decode()}
                for a in message.outgoing.attachments
            ]
        keep_body(
            session, self._sealer, contact_id, creditor_id=facts.creditor_id, person_id=step.person_id, key=message.key,
            body=json.dumps(body),
        )  # fmt: skip
