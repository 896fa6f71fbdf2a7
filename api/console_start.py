"""How the creditor starts, and mis-sent batches, at the console: a lead or an admin changes them, a second person approves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import console_pages as pages
from api.console_acting import Acting, acting, new_once
from api.console_session import NO_NUL, PATH, Looker, PageRoute, Who
from api.problems import Stop
from ledger import missent
from ledger.missent import Batch, Found
from ledger.overview import waiting_for_people
from ledger.refusals import Refused
from ledger.starting import read_start, set_start
from policies.start_model import STRICTEST_FIRST, StartMode

router = APIRouter(prefix=PATH, route_class=PageRoute, include_in_schema=False)
Lead = Annotated[Acting, acting("lead")]
ACCOUNTS_SHOWN = 200
_Field = Annotated[str, Form(max_length=120, pattern=NO_NUL)]
_Words = Annotated[str, Form(max_length=200, pattern=NO_NUL)]
_Typed = Annotated[str, Query(max_length=120, pattern=r"^[^\x00-\x1f]*$")]


def _frame(who: Looker, request: Request) -> dict[str, Any]:
    now: datetime = request.app.state.clock.now()
    waiting = waiting_for_people(who.session, now)
    return {"who": who, "now": now, "waiting": waiting, "stopped": pages.is_stopped(who.creditor, now), "once": new_once}


@router.get("/start")
def read_start_page(who: Who, request: Request) -> Response:
    """What is watched, approved and let go; ceilings and what stops by itself."""
    terms = read_start(who.session, who.creditor_id)
    return pages.page("start.html", **_frame(who, request), terms=terms, modes=STRICTEST_FIRST)


@router.post("/start")
def change_start(
    who: Lead, request: Request, default: _Field = "", what: _Field = "", mode: _Field = "", list_at: _Field = "",
    ceiling: _Field = "",
) -> Response:  # fmt: skip
    """Change what was filled in: the mode of everything, of one rung or segment (`what`), the list's hour, the ceiling.

    Only an admin lets go more than before for everything at once.
    """
    if not who.taken_before():
        now: datetime = request.app.state.clock.now()
        before = read_start(who.session, who.creditor_id)
        change: dict[str, Any] = {"default": default} if default else {}
        if default == StartMode.AUTO and before.default is not StartMode.AUTO and not who.may("admin"):
            raise Stop(403, "role-may-not", "An admin lets everything go by itself: ask one, or choose approve.")
        if what.strip():
            kind = "rungs" if what.startswith("rung:") else "segments"
            change[kind] = {what.strip().removeprefix("rung:"): mode}
        change |= {"list_at": list_at.strip()} if list_at.strip() else {}
        if ceiling.strip():
            change["ceiling_per_day"] = _number(ceiling.strip()) or None
        set_start(who.session, who.creditor_id, change, actor=who.actor, now=now)
        changed = {name: value for name, value in change.items() if isinstance(value, str | int)}
        who.note("start_form", f"creditor:{who.creditor_id}", changed, now)
    return RedirectResponse(f"{PATH}/start", 303)


def _number(given: str) -> int:
    if not (given.isascii() and given.isdigit()) or len(given) > 7:
        raise Refused("ceiling", "write the ceiling as a number of messages a day; 0 takes it away", status=422)
    return int(given)


@router.get("/missent")
def read_missent(
    who: Who, request: Request, since: _Typed = "", until: _Typed = "", rung: _Typed = "", template: _Typed = ""
) -> Response:
    """The batches of before, and who got what is asked for."""
    if not who.may("lead"):
        raise Stop(403, "role-may-not", "Mis-sent batches are for leads and admins: sign in with such a login.")
    found: Found | None = None
    if since and until:
        found = missent.find(who.session, who.creditor_id, _batch(who, since, until, rung, template))
    return pages.page(
        "missent.html", **_frame(who, request), found=found, batches=missent.batches(who.session),
        asked={"since": since, "until": until, "rung": rung, "template": template}, accounts_shown=ACCOUNTS_SHOWN,
    )  # fmt: skip


@router.post("/missent")
def propose_missent(
    who: Lead, request: Request, since: _Field, until: _Field, reason: _Words, rung: _Field = "",
    template: _Field = "", apologise: _Field = "", give_back: _Field = "",
) -> Response:  # fmt: skip
    """Propose what is done about a batch; a second person approves it."""
    if not who.taken_before():
        now: datetime = request.app.state.clock.now()
        if not reason.strip():
            raise Stop(422, "reason", "Say in a sentence what went wrong, without names: go back and send it again.")
        proposed = missent.propose(
            who.session, who.creditor_id, _batch(who, since, until, rung, template), apologise=bool(apologise),
            give_back=bool(give_back), reason=reason.strip(), actor=who.actor, now=now,
        )  # fmt: skip
        who.note("missent_form", f"missent:{proposed}", {"proposed": True}, now)
    return RedirectResponse(f"{PATH}/missent", 303)


@router.post("/missent/{missent_id}")
def decide_missent(missent_id: UUID, who: Lead, request: Request, do: _Field) -> Response:
    """`approve` (not by who proposed it) or `decline`."""
    if not who.taken_before():
        now: datetime = request.app.state.clock.now()
        if do == "approve":
            missent.approve(who.session, missent_id, actor=who.actor, now=now)
        elif do == "decline":
            missent.decline(who.session, missent_id, actor=who.actor, now=now)
        else:
            raise Stop(422, "unknown-choice", "Choose to approve or to decline: open the page again.")
        who.note("missent_form", f"missent:{missent_id}", {"do": do}, now)
    return RedirectResponse(f"{PATH}/missent", 303)


def _batch(who: Looker, since: str, until: str, rung: str, template: str) -> Batch:
    """Moments as a browser's form gives them, by the creditor's clock."""
    zone = ZoneInfo(who.creditor.zone)
    try:
        begins, ends = (datetime.fromisoformat(given).replace(tzinfo=zone) for given in (since, until))
    except ValueError:
        raise Stop(422, "window", "Give both moments, as 2026-03-19T09:00: go back and send it again.") from None
    return Batch(begins, ends, rung.strip(), template.strip())
