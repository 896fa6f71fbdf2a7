"""How an act of the console is done: once, audited, with the plan before and after, or refused in plain words on its own page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Row, text

from api import console_words as say
from api.console_acting import Acting
from api.console_session import PATH, Looker
from api.plan import plan_of
from ledger import overview
from ledger.facts import gather_book
from ledger.reading import find_invoice
from ledger.refusals import Refused
from policies.money import exponent

OUTLOOK = timedelta(days=90)
OUTLOOK_STEPS = 3
BOOK_MAX = 60
"""Open invoices of one account beyond which what comes next is not played for an act."""


@dataclass(frozen=True)
class Refusal:
    """What was refused, with what was typed, so that the form can be sent again."""

    act: str
    detail: str
    status: int
    typed: Mapping[str, str]


def do(
    who: Acting, request: Request, invoice_id: UUID, act: str, deed: Callable[[datetime], str],
    again: Callable[[Refusal], Response], *, typed: Mapping[str, str], detail: Mapping[str, Any], back: str,
) -> Response:  # fmt: skip
    """Do an act on an invoice and lead to the page that says what changed.

    `deed` does it and says it in one sentence; `again` shows the form with a refusal; `detail` is audited and holds nothing
    personal. Raises Refused `not-found` for an invoice of somebody else.
    """
    now: datetime = request.app.state.clock.now()
    row = find_invoice(who.session, invoice_id).row
    if who.taken_before():
        return RedirectResponse(f"{back}?done={who.once}", 303)
    before = outlook(who, row, now)
    try:
        with who.session.begin_nested():
            said = deed(now)
    except Refused as refused:
        if refused.status == 404:
            raise
        who.note_refused(f"invoice:{invoice_id}", {"act": act, "why": refused.code}, now)
        return again(Refusal(act, say.sentence(refused.detail), refused.status, typed))
    after = outlook(who, row, now)
    who.note(act, f"invoice:{invoice_id}", {**detail, "said": said, "before": before, "after": after}, now)
    return RedirectResponse(f"{back}?done={who.once}", 303)


def outlook(who: Looker, row: Row[Any], now: datetime) -> list[str]:
    """What comes next for an invoice, at most three steps, each in one line; nothing personal."""
    if overview.book_size(who.session, row.account_id) > BOOK_MAX:
        return ["Not drawn: this account has many open invoices."]
    book = gather_book(who.session, row.account_id, now)
    if not any(entry.facts.invoice_id == str(row.id) for entry in book):
        return ["Nothing: the invoice is closed."]
    steps = plan_of(book, str(row.id), now=now, until=now + OUTLOOK)
    telling = [step for step in steps if step.what != "skip"][:OUTLOOK_STEPS]
    return [_line(step, row.account_zone) for step in telling] or ["Nothing within 90 days."]


def _line(step: Any, zone: str) -> str:
    if step.what == "judge":  # the forecast plays on without a payment: its verdict is not what will be
        return f"{say.moment(step.at, zone)}: the agreement is judged; kept, it goes on as agreed, else the ladder does."
    what = f"{step.rung} by {say.channel(step.channel)}" if step.what == "contact" else say.plan_step(step)
    return f"{say.moment(step.at, zone)}: {what}. {step.why}"


def done_before(who: Looker, once: str) -> dict[str, Any] | None:
    """What an act of this form changed, for its page; None where there is none of this creditor."""
    row = who.session.execute(text("select act, detail from audit where once = :once"), {"once": once}).one_or_none()
    return None if row is None else {"act": row.act, **row.detail}


def minor(typed: str, currency: str) -> int | None:
    """A sum typed in major units (`1250.50`) in minor units; None for an empty field. Raises Refused `amount`."""
    if not typed.strip():
        return None
    try:
        amount = Decimal(typed.strip()).scaleb(exponent(currency))
    except DecimalException:
        raise Refused("amount", "write the sum as 1250.50", status=422) from None
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 < amount < 10**15:
        raise Refused("amount", f"the sum must be above 0, with {exponent(currency)} decimals at most", status=422)
    return int(amount)


def page_of(invoice_id: UUID, name: str) -> str:
    """The address of an invoice's page of that name."""
    return f"{PATH}/invoices/{invoice_id}/{name}"
