"""The script of a call for one invoice: its words, what the law wants said, and the most that may be offered now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import text
from sqlalchemy.orm import Session

from activities.compose import CREDIT
from api import console_words as say
from ledger import agreements
from ledger.creditors import SAID
from ledger.whom_to_call import Callee
from messages.formats import day, money
from messages.notices import REVEALING
from messages.registers import LANGUAGES, register_for
from messages.scripts import Script, Situation, Spoken, law_says, script, stage_of
from policies.facts import InvoiceFacts
from policies.ladder import effective_due_on, local_day
from policies.law.notices import wording
from policies.manual import Manual
from policies.terms import Channel


class ScriptShown(NamedTuple):
    """What the page of a call shows of it."""

    stage: str
    language: str
    words: Script
    law: list[tuple[str, str]]
    offers: list[str]


def script_for(
    session: Session, facts: InvoiceFacts, manual: Manual, callee: Callee | None, situation: str, now: datetime
) -> ScriptShown:
    """The script in the customer's language and register, for the stage the invoice has reached."""
    row = session.execute(
        text(
            "select c.name, c.settings, a.language, a.register, a.country, a.kind, a.terms ->> 'loan_type' as loan_type,"
            " a.terms ->> 'debt_type' as debt_type, (select k.register from contact k where k.invoice_id = :invoice"
            " and k.register <> '' and k.state not in ('planned', 'failed') order by k.at_utc, k.id limit 1) as thread_register"
            " from account a join creditor c on c.id = a.creditor_id where a.id = :id"
        ),
        {"id": facts.account_id, "invoice": facts.invoice_id},
    ).one()
    settings = row.settings or {}
    spoken = callee.language if callee is not None and callee.language else row.language
    language = spoken if spoken in LANGUAGES else "en"
    # What was begun with a person in one register goes on in it, on the telephone too (playbook 6).
    credit = bool(row.loan_type) or row.debt_type in CREDIT
    register = register_for(language, row.thread_register or row.register, row.country, row.kind, credit=credit)
    today = local_day(now, facts.zone)
    owed = [each for each in facts.instalments if each.balance_minor > 0] or list(facts.instalments)
    due = min(effective_due_on(facts, manual, each) for each in owed)
    late_minor = sum(each.balance_minor for each in owed if each.due_on <= today) or facts.balance_minor
    reached = agreements.rung_reached(facts, manual)
    open_agreement = next((each for each in facts.agreements if each.state == "open"), None)
    missed = next((each for each in reversed(facts.agreements) if each.state in ("broken", "partly")), None)

    def sum_said(amount_minor: int) -> str:
        return money(amount_minor, facts.currency, language, row.country)

    def day_said(on: Any) -> str:
        return day(on, today, language, row.country)

    agreed = "" if open_agreement is None else _agreed(open_agreement, sum_said, day_said)
    short = settings.get("short_name") or row.name
    values = Spoken(
        person=callee.name if callee is not None else "", creditor=row.name, number=facts.order, amount=sum_said(late_minor),
        due=day_said(due), team=settings.get("team", ""), phone=settings.get("phone", ""),
        caller="" if REVEALING[language].search(short) else short,
        promised=day_said(missed.milestones[-1].due_on) if missed is not None else "", agreed=agreed,
    )  # fmt: skip
    firm = reached is not None and manual.rung(reached).firm
    stage = stage_of((today - due).days, firm=firm, agreed=open_agreement is not None)
    wants = wording(facts.law, channel=Channel.VOICE, on=today, first_contact=not facts.contacts)
    said = {name: str(settings[name]) for name in SAID if settings.get(name)}
    law = law_says(wants, said, language, values)
    words = script(stage, cast("Situation", situation), language, register, values)
    return ScriptShown(stage, language, words, law, offers_now(session, facts, manual, now))


def offers_now(session: Session, facts: InvoiceFacts, manual: Manual, now: datetime) -> list[str]:
    """The most that may be offered at this rung and balance, in lines for the collector."""
    at = agreements.table(session, facts.invoice_id, now)
    missed = sum(1 for each in facts.agreements if each.state in ("broken", "partly"))
    left = manual.promise.count_max - missed
    until = say.day(at.today + timedelta(days=manual.promise.days_max))
    lines = [f"A day to pay, until {until}." if left > 0 else "No further date: too many were missed. Ask a lead."]
    offer = at.offer
    if offer is None:
        return lines
    if offer.extension_days_max:
        lines.append(f"More time for all of it, until {say.day(at.today + timedelta(days=offer.extension_days_max))}.")
    if offer.instalments_max > 1:
        share = f", the first at least {offer.first_share_min_pct} %" if offer.first_share_min_pct else ""
        lines.append(f"2 to {offer.instalments_max} payments{share}.")
    if offer.discount_max_pct and at.discount_until is not None and at.discount_until >= at.today:
        lines.append(f"{offer.discount_max_pct} % off for one payment by {say.day(at.discount_until)}.")
    return lines


def _agreed(agreement: Any, sum_said: Any, day_said: Any) -> str:
    first = agreement.milestones[0]
    return f"{sum_said(first.amount_minor)}, {day_said(first.due_on)}"
