"""The copy of the invoice on the customer's page, behind a button: opening a page proves nothing, mail scanners do that."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from api import portal
from api.limits import guard_portal
from api.papers import as_download
from ledger.delivery import add_told
from ledger.documents import File, pdf_of
from policies.ladder import local_day

router = APIRouter(prefix="/p", include_in_schema=False, dependencies=[Depends(guard_portal)])


@router.post("/{token}/copy")
async def copy(token: str, request: Request) -> Response:
    """The invoice's PDF; that the customer took it is evidence that they have it (F42)."""
    form = portal.read_form(await request.body())
    return await run_in_threadpool(_copy, token, request, form.get("form", ""))


def _copy(token: str, request: Request, form_token: str) -> Response:
    with portal.opened(request, token) as link:
        if link is None:
            return portal.unknown_link(request)
        if not hmac.compare_digest(form_token.encode(), link.form_token.encode()):
            return portal.said_page(link, link.speaker.t["stale"], status=409, tone="note")
        found = pdf_of(link.session, link.state.sealer, link.invoice_id)
        if found is None:
            return portal.said_page(link, link.speaker.t["no_copy"], status=404, tone="note")
        if link.about.status == "open":
            today = local_day(link.now, link.about.zone)
            add_told(link.session, link.invoice_id, "delivered", today, source="downloaded", actor="customer", now=link.now)
        return _download(found)


def _download(found: File) -> Response:
    return Response(found.content, media_type=found.media_type, headers={**portal.HEADERS, **as_download(found.name)})
