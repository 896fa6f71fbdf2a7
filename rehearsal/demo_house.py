"""The sample portfolio brought in as its creditors would: keys, webhook endpoints, invoices by the batch, decisions by API."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from ledger.creditors import SCOPES, NewKey, add_creditor, create_api_key, create_webhook_endpoint, describe_creditor
from ledger.sealing import Sealer
from ledger.staff import ROLES, add_staff
from policies.manual import builtin_manual
from rehearsal import sample
from rehearsal.outside import SimulatedOutside

_PATHS = {"standard": "payments", "stripe": "stripe"}


@dataclass(frozen=True)
class House:
    """One creditor of the sample, ready to post."""

    slug: str
    id: UUID
    key: NewKey
    webhook: dict[str, str]


def open_houses(engine: Engine, sealer: Sealer, api_url: str, now: datetime) -> dict[str, House]:
    """Add the creditors with their manuals, keys and webhook endpoints, as `puntual creditor` and `puntual key` do."""
    houses = {}
    for given in sample.CREDITORS:
        secret = "whsec_" + base64.b64encode(hashlib.sha256(given.slug.encode()).digest()).decode()
        with Session(engine) as session, session.begin():
            manual = builtin_manual(given.manual)
            creditor_id = add_creditor(
                session, given.slug, given.name, given.country, given.zone, given.language, manual, now, start="rehearsal"
            )
            describe_creditor(session, creditor_id, given.settings, {})
            key = create_api_key(session, creditor_id, "demo", SCOPES, now)
            for role in ROLES:
                add_staff(session, creditor_id, f"{role}-1", role, now)  # their passwords are nobody's: the demo's own door opens
            token = create_webhook_endpoint(session, sealer, creditor_id, given.gateway, secret, now)
        webhook = {"url": f"{api_url}/webhooks/{_PATHS[given.gateway]}/{token}", "secret": secret, "gateway": given.gateway}
        houses[given.slug] = House(given.slug, creditor_id, key, webhook)
    return houses


async def post_day(http: httpx.AsyncClient, outside: SimulatedOutside, houses: dict[str, House], day: int) -> int:
    """Let the debtors of that day's invoices know them, then post each creditor's batch; returns how many were new."""
    debtors = [
        sample.simulated(debtor, bills, houses[debtor.creditor].webhook)
        for debtor in sample.DEBTORS
        if (bills := [bill for bill in debtor.bills if max(bill.issued_day, 0) == day])
    ]
    await outside.register(debtors)
    batches: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for slug, body in sample.posted_on(day):
        batches[slug].append(body)
    new = 0
    for slug, bodies in batches.items():
        answer = await http.post("/v1/invoices/batch", json={"invoices": bodies}, headers=_as(houses[slug]))
        answer.raise_for_status()
        told = answer.json()
        refused = [result["problem"] for result in told["results"] if result["problem"]]
        if refused:
            raise RuntimeError(f"the sample of {slug} was refused: {json.dumps(refused[0])}")
        new += int(told["created"])
    return new


async def decide_placements(http: httpx.AsyncClient, engine: Engine, houses: dict[str, House]) -> int:
    """A person's yes to every placement that the figures recommend; returns how many."""
    with Session(engine) as session:
        waiting = session.execute(
            text(
                "select c.slug, p.invoice_id::text as invoice from placement p join creditor c on c.id = p.creditor_id"
                " where p.state = 'proposed' and p.recommend = 'place' order by p.proposed_at, p.id"
            )
        ).all()
    for row in waiting:
        answer = await http.post(
            f"/v1/invoices/{row.invoice}/placement/approve", json={"by": "ops"}, headers=_as(houses[row.slug])
        )
        answer.raise_for_status()
    return len(waiting)


def _as(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.key.key}"}
