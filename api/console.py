"""For ops staff: what is owed, what comes next and why, and what waits for a person. Read-only, without script.

Nothing personal is shown: invoices and accounts go by the creditor's own references.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Row
from sqlalchemy.orm import Session

from api import console_pages as pages
from api import console_words as say
from api.console_acting import new_once
from api.console_invoice import invoice_page
from api.console_session import (
    NO_NUL,
    PATH,
    Looker,
    PageRoute,
    Who,
    close_session,
    from_our_own_page,
    is_demo_at_home,
    key_for_sign_in,
    know_browser,
    live_key,
    open_session,
    safe_way_back,
)
from api.console_staff import staff_for_sign_in, staff_of_demo
from api.console_tasks import OUTCOMES, OUTCOMES_OF
from api.problems import Stop
from ledger import overview
from ledger.lateness import first_days
from ledger.overview import SORTS, Wanted
from ledger.own_promises import OWN
from ledger.task_acts import ENDS_ELSEWHERE
from ledger.unmatched import unmatched
from policies.calendars import effective_due

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)

PAGE_ROWS = 50
LIST_MAX = 500
"""The longest list of tasks or payments on one page."""
_STATES = ("open", "closed", "all", *say.OUTCOMES)
_Secret = Annotated[str, Form(max_length=200, pattern=NO_NUL)]
_Typed = Annotated[str, Query(max_length=120, pattern=r"^[^\x00-\x1f]*$")]
_Tick = Annotated[str, Query(pattern="^1?$")]


class Shown(NamedTuple):
    """One line of the list: the row, what stands beside it, and what was computed for it."""

    row: Row[Any]
    beside: Row[Any]
    due_on: date | None
    late: say.Tag | None
    state: say.Tag
    held_why: str


@router.get("")
def read_list(
    who: Who, request: Request, state: _Typed = "open", overdue: _Tick = "", account: _Typed = "", following: _Typed = "",
    held: _Tick = "", person: _Tick = "", q: _Typed = "", sort: _Typed = "due", cursor: _Typed = "",
) -> Response:  # fmt: skip
    """The invoices, filtered, 50 at a time."""
    if state not in _STATES or sort not in SORTS:
        raise Stop(404, "not-found", "There is no such list.")
    now: datetime = request.app.state.clock.now()
    today = now.astimezone(ZoneInfo(who.creditor.zone)).date()
    not_late_from = first_days(who.session, today)
    wanted = Wanted(
        not_late_from, state, overdue == "1", _refs(request, account), following, held == "1", person == "1",
        tuple(dict.fromkeys([q.strip(), *_refs(request, q)])) if q.strip() else (),
    )  # fmt: skip
    found = overview.listed(who.session, wanted, sort=sort, limit=PAGE_ROWS, cursor=cursor or None)
    asked = {
        "state": state, "overdue": overdue, "account": account, "following": following, "held": held, "person": person, "q": q,
        "sort": sort,
    }  # fmt: skip
    plain = wanted == Wanted(not_late_from)
    sums = overview.sums(who.session, wanted)
    everything = sums if plain else overview.sums(who.session, Wanted(not_late_from))
    return pages.page(
        "list.html", **_frame(who, now), asked=asked, sums=sums, all_sums=everything, plain=plain,
        rows=[_shown(row, found.more[row.id], today) for row in found.rows], rungs=overview.rungs_ahead(who.session),
        following_page=_address(asked, cursor=found.cursor) if found.cursor else None,
        first_page=_address(asked) if cursor else None,
        sorted_by=lambda by: _address({**asked, "sort": by}), outcomes=say.OUTCOMES,
    )  # fmt: skip


@router.get("/invoices/{invoice_id}")
def read_invoice(invoice_id: UUID, who: Who, request: Request, plan: _Tick = "") -> Response:
    """One invoice: where it stands, what comes next and why, and everything that happened."""
    now: datetime = request.app.state.clock.now()
    settings = request.app.state.settings
    workflows = f"{settings.temporal_ui_url.rstrip('/')}/namespaces/{quote(settings.temporal_namespace, safe='')}/workflows"
    shown = invoice_page(who.session, invoice_id, now=now, today=_today(who, now), whole_book=plan == "1")
    return pages.page(
        "invoice.html", **_frame(who, now), **shown, workflow_url=f"{workflows}/{quote(shown['row'].workflow_id, safe='')}"
    )


@router.get("/tasks")
def read_tasks(who: Who, request: Request, mine: _Tick = "") -> Response:
    """What waits for a person: what we promised first, then the most urgent."""
    now: datetime = request.app.state.clock.now()
    tasks = overview.open_tasks(who.session, limit=LIST_MAX, login=who.login if mine == "1" and who.role else None)
    return pages.page(
        "tasks.html", **_frame(who, now), tasks=tasks, list_max=LIST_MAX, mine=mine == "1", once=new_once,
        elsewhere=ENDS_ELSEWHERE, outcomes=OUTCOMES, outcomes_of=OUTCOMES_OF, own=OWN,
    )  # fmt: skip


@router.get("/payments")
def read_payments(who: Who, request: Request) -> Response:
    """Money that is on no invoice, oldest first."""
    now: datetime = request.app.state.clock.now()
    payments = unmatched(who.session, who.creditor_id, request.app.state.sealer, limit=LIST_MAX)
    totals: dict[str, int] = {}
    for payment in payments:
        signed = payment.unallocated_minor if payment.kind == "payment" else -payment.unallocated_minor
        totals[payment.currency] = totals.get(payment.currency, 0) + signed
    return pages.page("payments.html", **_frame(who, now), payments=payments, totals=totals, list_max=LIST_MAX)


@router.get("/sign-in")
def read_sign_in(request: Request, back: _Typed = PATH) -> Response:
    """The forms for a login and for an API key. From another site the strict cookie does not travel: a link goes on with it."""
    elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
    return pages.page("sign_in.html", back=safe_way_back(back), elsewhere=elsewhere, wrong="")


@router.post("/sign-in")
def sign_in(
    request: Request, key: _Secret = "", creditor: _Secret = "", login: _Secret = "", password: _Secret = "",
    back: Annotated[str, Form(max_length=500)] = PATH,
) -> Response:  # fmt: skip
    """Take a person's password or an API key once; what stays in the browser is a signed cookie."""
    if not from_our_own_page(request):
        raise Stop(403, "not-our-form", "This form came from another site: open the console and sign in there.")
    by_login = bool(login or password)
    prefix = staff_for_sign_in(request, creditor, login, password) if by_login else key_for_sign_in(request, key)
    if prefix is None:
        wrong = "login" if by_login else "key"
        return pages.page("sign_in.html", status=401, back=safe_way_back(back), elsewhere=False, wrong=wrong)
    response = RedirectResponse(safe_way_back(back), 303)
    open_session(request, response, prefix)
    if by_login:
        know_browser(request, response, prefix)
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """Forget who looks."""
    if not from_our_own_page(request):
        raise Stop(403, "not-our-form", "This form came from another site.")
    response = RedirectResponse(f"{PATH}/sign-in", 303)
    close_session(response)
    return response


@router.get("/demo/{prefix}")
def demo_sign_in(prefix: str, request: Request, back: _Typed = PATH, role: _Typed = "") -> Response:
    """Without a key, by its prefix: only in the demo, and only on this machine; with a role, as somebody who has it."""
    if is_demo_at_home(request):
        with Session(request.app.state.engine) as session:
            key = live_key(request, session, prefix)
            person = staff_of_demo(session, key.creditor_id, role) if key is not None and role else None
            if key is not None and (person is not None or not role):
                response = RedirectResponse(safe_way_back(back), 303)
                open_session(request, response, person or prefix)
                return response
    raise Stop(404, "not-found", "There is nothing at this address.")


@router.get("/console.css")
def read_style() -> Response:
    """The look of every page; its address carries its version."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(pages.STYLE, media_type="text/css", headers=headers)


def _frame(who: Looker, now: datetime) -> dict[str, Any]:
    """What every page shows around its own: whose it is, what time it is, what waits."""
    stopped = pages.is_stopped(who.creditor, now)
    return {"who": who, "now": now, "waiting": overview.waiting_for_people(who.session, now), "stopped": stopped}


def _today(who: Looker, now: datetime) -> date:
    return now.astimezone(ZoneInfo(who.creditor.zone)).date()


def _refs(request: Request, account: str) -> tuple[str, ...]:
    """A reference that is personal was made opaque when it came in; both forms find the account."""
    given = account.strip()
    return (given, request.app.state.sealer.opaque_ref(given)) if given else ()


def _shown(row: Row[Any], beside: Row[Any], today: date) -> Shown:
    due_on = row.due_on
    if due_on is not None:
        due_on = effective_due(due_on, row.basis, row.place_of_payment, row.place_of_payment_region)
    held = row.next_why if row.is_held else ""
    return Shown(row, beside, due_on, say.lateness(due_on, today), say.invoice_state(row, beside), held)


def _address(asked: dict[str, str], **more: str | None) -> str:
    """The list with these filters; what is as usual is left out."""
    usual = {"state": "open", "sort": "due"}
    kept = {name: value for name, value in {**asked, **more}.items() if value and usual.get(name) != value}
    return PATH + (f"?{urlencode(kept)}" if kept else "")
