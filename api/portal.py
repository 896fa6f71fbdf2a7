"""The customer's page behind the link of each message (F39, F40, F67): what is owed now, and what can be done about it.

The link is the key (design 4). Reading changes nothing, because mail scanners open links; every change is a POST that carries
the link's own form token, except the one-click stop of mail programs (RFC 8058).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, get_args
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Row, text
from sqlalchemy.orm import Session
from starlette.datastructures import State

from api import portal_people as people
from api import portal_view as view
from api import portal_wishes as wishes
from api.limits import guard_portal
from ledger import agreements, holders, holds, receipts, stops
from ledger.holds import DisputeReason
from ledger.links import token_hash
from ledger.preferences import set_preferences
from ledger.reasons import give_reason
from ledger.refusals import Refused
from ledger.session import as_creditor
from policies import negotiation
from policies.money import exponent
from policies.reasons import reasons_for
from policies.terms import Channel, DebtorKind

router = APIRouter(prefix="/p", tags=["Customer's page"], include_in_schema=False, dependencies=[Depends(guard_portal)])

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_STYLE = base64.b64encode(hashlib.sha256(view.CSS.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE}'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'",
    "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
}  # fmt: skip
_REASONS = {
    "negotiation.past": "refused_past", "negotiation.amount": "refused_amount", "negotiation.promise_count": "refused_used_up",
    "negotiation.plan_count": "refused_used_up", "negotiation.open_agreement": "refused_open_agreement",
    "negotiation.nothing_owed": "refused_nothing_owed", "negotiation.placed": "refused_placed",
}  # fmt: skip
_CODES = {"said-before": "refused_before", "already-disputed": "refused_disputed", "invoice-closed": "refused_nothing_owed",
          "disputed-before": "refused_disputed_before", "hours-unreadable": "refused_hours_unreadable",
          "hours-outside": "refused_hours", "no-such-channel": "refused_input", "reason-needs": "refused_input",
          "not-found": "refused_input"}  # fmt: skip


_NO_WISH = {"wish": None, "wished": ""}


class _Unread(ValueError):
    """A field is missing or does not say what it must."""


@dataclass(frozen=True)
class Link:
    """An open link: one invoice, one person, one transaction."""

    session: Session
    state: State
    token: str
    invoice_id: UUID
    person_id: UUID
    now: datetime
    about: Row[Any]
    speaker: view.Speaker

    @property
    def base(self) -> str:
        """The page's path."""
        return f"/p/{self.token}"

    @property
    def form_token(self) -> str:
        """Only a page that we made knows it."""
        made: str = self.state.sealer.token("portal form", self.token)
        return made

    def frame(self, name: str) -> dict[str, Any]:
        """What every view needs."""
        return view.frame(self.about, self.speaker, base=self.base, form_token=self.form_token, view=name)


@router.get("/{token}")
def show(token: str, request: Request) -> Response:
    """The invoice as it is at this moment; a paid one is its own receipt."""
    with opened(request, token) as link:
        if link is None:
            return unknown_link(request)
        said = view.invoice_view(link.session, link.about, link.speaker, link.now)
        if said["choices"]:
            said["choices"] += people.more_choices(
                link.session, link.state.sealer, link.invoice_id, link.person_id, link.speaker, link.now
            )
        others = view.others(link.session, link.invoice_id, link.person_id, link.speaker, link.state.sealer)
        wish = wishes.wish_view(link.session, link.invoice_id, link.person_id, link.speaker) if said["owes"] else _NO_WISH
        return _html(link.frame("invoice") | said | wish | {"others": others})


@router.get("/{token}/stop")
def show_stop(token: str, request: Request) -> Response:
    """Asks which messages to stop; stops nothing by itself."""
    with opened(request, token) as link:
        return unknown_link(request) if link is None else _stop_page(link)


@router.post("/{token}/stop")
async def stop(token: str, request: Request) -> Response:
    """Stop one channel or all; `List-Unsubscribe=One-Click` is a mail program's own button and stops e-mail."""
    form = read_form(await request.body())
    return await run_in_threadpool(_stop, token, request, form)


@router.post("/{token}/{verb}")
async def choose(token: str, verb: str, request: Request) -> Response:
    """A promise, an extension, a plan, a discount, a dispute, "I already paid", or how and when to be written to."""
    form = read_form(await request.body())
    return await run_in_threadpool(_choose, token, verb, request, form)


@contextmanager
def opened(request: Request, token: str) -> Iterator[Link | None]:
    """The transaction of a link's creditor, committed when the page is made; None for a link that opens nothing."""
    state = request.app.state
    now = state.clock.now()
    with Session(state.engine) as session, session.begin():
        row = None
        if _TOKEN.fullmatch(token):
            row = session.execute(
                text("select creditor_id, invoice_id, person_id from door_portal(:hash)"), {"hash": token_hash(token)}
            ).one_or_none()
        if row is None:
            yield None
            return
        as_creditor(session, row.creditor_id)
        about = view.about_invoice(session, row.invoice_id, row.person_id)
        yield Link(session, state, token, row.invoice_id, row.person_id, now, about, view.Speaker(about, now))


def _choose(token: str, verb: str, request: Request, form: Mapping[str, str]) -> Response:
    with opened(request, token) as link:
        if link is None or verb not in _VERBS:
            return unknown_link(request)
        if not hmac.compare_digest(form.get("form", "").encode(), link.form_token.encode()):
            return said_page(link, link.speaker.t["stale"], status=409, tone="note")
        try:
            # What is refused leaves nothing behind; the page that says so is made in the same transaction.
            with link.session.begin_nested():
                _VERBS[verb](link, form)
            holders.heard_by_link(link.session, link.invoice_id, link.person_id, now=link.now)
        except _Unread:
            t = link.speaker.t
            return said_page(link, t["refused_input"], title=t["refused_title"], status=422, tone="note")
        except Refused as refused:
            if refused.code == "said-before":
                holds.look_again(link.session, link.invoice_id, now=link.now)
            return _refused(link, refused)
        return RedirectResponse(link.base, status_code=303, headers=HEADERS)


def _stop(token: str, request: Request, form: Mapping[str, str]) -> Response:
    with opened(request, token) as link:
        if link is None:
            return unknown_link(request)
        one_click = form.get("List-Unsubscribe") == "One-Click"
        if not one_click and not hmac.compare_digest(form.get("form", "").encode(), link.form_token.encode()):
            return said_page(link, link.speaker.t["stale"], status=409, tone="note")
        named = "email" if one_click else form.get("channel", "")
        if named != "all" and named not in tuple(Channel):
            return said_page(link, link.speaker.t["refused_input"], status=422, tone="note")
        ids = receipts.addresses_of(link.session, link.person_id, None if named == "all" else Channel(named))
        stops.stop_writing_to(link.session, ids, now=link.now, proof="one-click" if one_click else "portal")
        if one_click:
            return Response(status_code=200, headers=HEADERS)
        return _stop_page(link)


def _stop_page(link: Link) -> Response:
    ways = link.session.execute(
        text(
            "select channel, bool_or(consent <> 'withdrawn' and retired_at is null) as active,"
            " bool_or(consent = 'withdrawn') as gone from address where person_id = :person"
            " group by channel order by min(position), channel"
        ),
        {"person": link.person_id},
    ).all()
    t, speaker = link.speaker.t, link.speaker
    gone = [t[w.channel] for w in ways if w.gone and not w.active]
    return _html(
        link.frame("stop")
        | {
            "ways": [(w.channel, speaker.say("stop_channel", channel=t[w.channel])) for w in ways if w.active],
            "stopped": speaker.say("stop_done", channels=", ".join(gone)) if gone else "",
            "heading": t["stop_title"],
            "headline": t["stop_title"],
        }
    )


def _promise(link: Link, form: Mapping[str, str]) -> None:
    amount = _amount(form, "amount", link)
    _ask(link, negotiation.Promise(on=_day(form, "on"), amount_minor=amount))


def _extension(link: Link, form: Mapping[str, str]) -> None:
    _ask(link, negotiation.Extension(until=_day(form, "until")))


def _plan(link: Link, form: Mapping[str, str]) -> None:
    every: Any = {"monthly": "monthly", "every_15": 15, "every_7": 7}.get(form.get("every", "monthly"))
    count = form.get("count", "")
    if every is None or not count.isascii() or not count.isdigit() or len(count) > 3:
        raise _Unread
    first = _amount(form, "first_amount", link)
    _ask(link, negotiation.Plan(count=int(count), first_on=_day(form, "first_on"), every_days=every, first_amount_minor=first))


def _discount(link: Link, form: Mapping[str, str]) -> None:
    _ask(link, negotiation.Discount(pay_on=_day(form, "pay_on")))


def _dispute(link: Link, form: Mapping[str, str]) -> None:
    reason: Any = form.get("reason", "")
    if reason not in get_args(DisputeReason):
        raise _Unread
    amount = _amount(form, "amount", link)
    holds.open_dispute(link.session, link.invoice_id, reason=reason, actor="customer", now=link.now, amount_minor=amount)


def _already_paid(link: Link, form: Mapping[str, str]) -> None:
    holds.say_already_paid(link.session, link.invoice_id, actor="customer", now=link.now)


def _reason(link: Link, form: Mapping[str, str]) -> None:
    try:
        kinds = reasons_for(DebtorKind(link.about.kind))
        said = people.read_reason(form, kinds, _amount(form, "amount", link))
    except ValueError:
        raise _Unread from None
    give_reason(link.session, link.invoice_id, said, source="portal", actor="customer", now=link.now)


def _phone(link: Link, form: Mapping[str, str]) -> None:
    try:
        people.answer_for_phone(link.session, link.person_id, form, link.now)
    except ValueError:
        raise _Unread from None


def _preference(link: Link, form: Mapping[str, str]) -> None:
    try:
        wanted = wishes.read_wish(form)
    except ValueError:
        raise _Unread from None
    set_preferences(link.session, link.invoice_id, link.person_id, wanted, now=link.now)


_VERBS = {
    "promise": _promise, "extension": _extension, "plan": _plan, "discount": _discount, "dispute": _dispute,
    "already-paid": _already_paid, "preference": _preference, "reason": _reason, "phone": _phone,
}  # fmt: skip


def _ask(link: Link, request: negotiation.Request) -> None:
    agreements.ask(link.session, link.invoice_id, request, source="portal", actor="customer", now=link.now)


def _refused(link: Link, refused: Refused) -> Response:
    """The same in the customer's words, with the nearest that can be agreed and a button for it."""
    rules: list[str] = refused.more.get("rules", [])
    key = next((_REASONS[rule] for rule in rules if rule in _REASONS), _CODES.get(refused.code, "refused"))
    if refused.code == "amount":
        key = "refused_amount"
    nearest = refused.more.get("nearest")
    more = {} if nearest is None else {"nearest": _nearest(link, nearest)}
    title = link.speaker.t["refused_title"]
    hours = {name: str(refused.more[name]) for name in ("first", "last") if name in refused.more}
    return said_page(link, link.speaker.say(key, **hours), title=title, status=refused.status, tone="note", **more)


def _nearest(link: Link, terms: dict[str, Any]) -> dict[str, Any]:
    speaker, parts = link.speaker, terms["milestones"]
    days = [date.fromisoformat(part["due_on"]) for part in parts]
    rows = [(speaker.day(d), speaker.sum(p["amount_minor"]), "") for d, p in zip(days, parts, strict=True)]
    first, amount = parts[0]["due_on"], view.plain(parts[0]["amount_minor"], speaker.currency)
    fields: list[tuple[str, str]]
    if terms["kind"] == "plan":
        gap = (days[1] - days[0]).days
        every = {15: "every_15", 7: "every_7"}.get(gap, "monthly")
        fields = [("count", str(len(parts))), ("first_on", first), ("every", every), ("first_amount", amount)]
    else:
        fields = {
            "promise": [("on", first), ("amount", amount)], "extension": [("until", first)], "discount": [("pay_on", first)],
        }[terms["kind"]]  # fmt: skip
    note = speaker.say("agreed_waived", sum=speaker.sum(terms["waived_minor"])) if terms["waived_minor"] else ""
    return {"rows": rows, "note": note, "fields": fields, "action": f"{link.base}/{terms['kind']}"}


def said_page(link: Link, said: str, *, status: int, tone: str, title: str = "", **more: Any) -> Response:
    """A page of one sentence, with the way back."""
    frame = link.frame("message") | {"said": said, "title": title, "tone": tone, "home": link.base, "nearest": None} | more
    return _html(frame, status)


def unknown_link(request: Request) -> Response:
    """One page for every link that opens nothing, in the language of the browser."""
    wanted = request.headers.get("accept-language", "es")[:2].lower()
    language = wanted if wanted in ("es", "pt", "en") else "es"
    t = view.texts(language, "usted", False)
    frame = {
        "t": t, "lang": language, "css": view.STYLE, "creditor": "", "base": "", "contact": "",
        "heading": t["not_found_title"],
        "headline": t["not_found_title"], "view": "message", "tone": "", "title": "", "said": t["not_found_text"],
        "nearest": None, "home": "", "form_token": "",
    }  # fmt: skip
    return _html(frame, 404)


def _html(values: dict[str, Any], status: int = 200) -> Response:
    return HTMLResponse(view.page().render(values), status, HEADERS)


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form; none where the body is none."""
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=30))
    except ValueError:
        return {}


def _day(form: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(form.get(name, ""))
    except ValueError:
        raise _Unread from None


def _amount(form: Mapping[str, str], name: str, link: Link) -> int | None:
    said = form.get(name, "").strip()
    return read_amount(said, link.about.currency) if said else None


def read_amount(said: str, currency: str) -> int:
    """`120.000,50`, `120,000.50`, `120000.5` or `120 000` in minor units; raises ValueError when it is none of them.

    The last mark is a decimal mark when fewer than three digits follow it; three digits follow a mark of thousands.
    """
    digits = exponent(currency)
    bare = re.sub(r"[\s\u00a0']", "", said)
    # Where the currency has three decimals, three digits after the only mark are decimals and not thousands.
    shape = (
        r"(\d{1,3}(?:[.,]?\d{3})*?|\d+)(?:[.,](\d{1,3}))?" if digits == 3 else r"(\d{1,3}(?:[.,]?\d{3})*|\d+)(?:[.,](\d{1,2}))?"
    )
    found = re.fullmatch(shape, bare)
    if found is None or len(bare) > 24:
        raise _Unread
    whole, cents = re.sub(r"[.,]", "", found[1]), found[2] or "0"
    try:
        minor = Decimal(f"{whole}.{cents}").scaleb(digits)
    except InvalidOperation:
        raise _Unread from None
    if minor != minor.to_integral_value():
        raise _Unread
    return int(minor)
