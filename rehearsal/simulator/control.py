"""The simulator's own doors under /sim: register debtors, move time, ask what was received, and make things go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict

from rehearsal.simulator.faults import Faults
from rehearsal.simulator.happenings import fire_until
from rehearsal.simulator.people import DebtorIn
from rehearsal.simulator.world import Sent, World

router = APIRouter(prefix="/sim")
_PAGE_MAX = 10_000


class Advance(BaseModel):
    """Where to move the outside's time."""

    model_config = ConfigDict(extra="forbid")

    now: AwareDatetime


def world_of(request: Request) -> World:
    """The one world of this service."""
    world: World = request.app.state.world
    return world


@router.get("/keys")
async def keys(request: Request) -> dict[str, str]:
    """What to configure so that our webhooks believe this simulator."""
    held = world_of(request).keys
    return {
        "sendgrid_webhook_key": held.sendgrid_webhook_key,
        "twilio_account_sid": held.twilio_account_sid,
        "twilio_auth_token": held.twilio_auth_token,
        "carrier_secret": held.carrier_secret,
    }


@router.post("/debtors")
async def register(request: Request, given: DebtorIn | list[DebtorIn]) -> dict[str, Any]:
    """Add one debtor or many; the same `ref` adds addresses and invoices to the debtor that is there."""
    world = world_of(request)
    for one in given if isinstance(given, list) else [given]:
        unknown = {payment.number for payment in one.payments} - {bill.number for bill in one.invoices}
        if unknown:
            raise HTTPException(422, f"payments of {one.ref} name invoices it was not given: {', '.join(sorted(unknown))}")
        world.register(one)
    return {"debtors": len(world.debtors), "next_at": world.next_at()}


@router.get("/debtors/{ref:path}")
async def debtor(request: Request, ref: str) -> dict[str, Any]:
    """One debtor's character and bills, with what it believes to owe."""
    found = world_of(request).debtors.get(ref)
    if found is None:
        raise HTTPException(404, f"no debtor has the ref {ref!r}")
    bills = [
        {
            "number": bill.number, "currency": bill.currency, "amount_minor": bill.amount_minor, "owed_minor": bill.owed_minor,
            "paid": bill.paid, "chased": bill.chased,
        }
        for bill in found.bills.values()
    ]  # fmt: skip
    return {"ref": found.ref, "character": found.character, "bills": bills}


@router.post("/advance")
async def advance(request: Request, asked: Advance) -> dict[str, Any]:
    """Move time and let everything due happen, each acknowledged before the next. Call it at each move of the business clock."""
    world = world_of(request)
    if world.config.real_time:
        raise HTTPException(409, "this simulator runs on the wall clock: start it without --real-time to move its time")
    if asked.now < world.played_now:
        raise HTTPException(
            409, f"the outside stands at {world.played_now.isoformat()} and never goes back to {asked.now.isoformat()}"
        )
    fired = await fire_until(world, asked.now)
    return {"fired": fired, "now": world.now(), "next_at": world.next_at(), "given_up": len(world.courier.given_up)}


@router.get("/next")
async def next_event(request: Request) -> dict[str, Any]:
    """When something happens next outside, or null."""
    world = world_of(request)
    return {"next_at": world.next_at(), "now": world.now()}


@router.get("/sent")
async def sent(
    request: Request, contact_id: str | None = None, to: str | None = None, after: int = 0, limit: int = 1000
) -> dict[str, Any]:
    """The messages the outside really got, in order; `after` and `limit` page through them by number."""
    world = world_of(request)
    if contact_id is not None:
        places: Sequence[int] = world.places.get(contact_id, [])
    else:
        places = range(after, len(world.sent))
    found = [(place, world.sent[place]) for place in places if to is None or world.sent[place].to == to]
    page = found[: min(limit, _PAGE_MAX)]
    return {"count": len(found), "total": len(world.sent), "messages": [_shown(place, one) for place, one in page]}


@router.get("/sent/counts")
async def sent_counts(request: Request) -> dict[str, int]:
    """How many messages came in for each contact id: more than one is a breach of I2."""
    return dict(world_of(request).counts)


@router.get("/money")
async def money(request: Request) -> list[dict[str, Any]]:
    """Everything that customers paid or took back so far, told to us or not yet."""
    return [{"kind": kind, "ref": ref, "amount_minor": sum_} for (kind, ref), sum_ in world_of(request).money.items()]


def _shown(place: int, one: Sent) -> dict[str, Any]:
    return {
        "n": place, "channel": one.channel, "contact_id": one.contact_id, "provider_ref": one.ref, "to": one.to,
        "subject": one.subject, "text": one.text, "at": one.at,
    }  # fmt: skip


@router.post("/faults")
async def set_faults(request: Request, faults: Faults) -> Faults:
    """Replace all faults; `{}` ends them."""
    world_of(request).dice.faults = faults
    return faults


@router.post("/redeliver")
async def redeliver(request: Request) -> dict[str, int]:
    """Send again the webhooks that were given up, as one does by hand in a gateway's dashboard."""
    world = world_of(request)
    return {"acknowledged": await world.courier.redeliver(), "given_up": len(world.courier.given_up)}


@router.get("/state")
async def state(request: Request) -> dict[str, Any]:
    """Counts: what came in, what was refused, what happened, what was told and what nobody acknowledged."""
    world = world_of(request)
    courier = world.courier
    return {
        "now": world.now(), "next_at": world.next_at(), "waiting": len(world.queue), "debtors": len(world.debtors),
        "sent": len(world.sent), "sent_twice": sum(1 for count in world.counts.values() if count > 1),
        "refused": dict(world.refused), "fired": dict(world.fired), "answers": world.answers[-200:],
        "webhooks": {
            "acknowledged": courier.acknowledged, "attempts": courier.attempts,
            "given_up": [call.event_id for call in courier.given_up], "last_error": courier.last_error,
        },
    }  # fmt: skip
