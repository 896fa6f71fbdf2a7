"""How fast invoices are accepted, and webhooks acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Engine
from standardwebhooks import Webhook

from clock import monotonic, wall_now
from policies.manual import builtin_manual
from rehearsal.bench_house import (
    WEBHOOK_SECRET,
    Creditor,
    Figure,
    House,
    Sizes,
    add_bench_creditor,
    count,
    every_day,
    invoice,
    middle,
)
from rehearsal.bench_http import Connection, Load, Request, at_rate, flat_out
from supervise import free_port

JSON = "application/json"
CALLERS = 8
INVOICES_EACH = 5
"""Open invoices of one account, in batches."""
PER_SECOND = 50.0
P99_MS = 25.0


def post(path: str, key: str, body: object) -> Request:
    """A request of a billing system."""
    return path, {"Authorization": f"Bearer {key}", "Content-Type": JSON}, json.dumps(body).encode()


def make_batch(creditor: Creditor, start: int, size: int) -> Request:
    """So many new invoices, a few for each account."""
    due_on = (wall_now() + timedelta(days=60)).date()
    bodies = [invoice(f"B-{n}", f"C-{n // INVOICES_EACH}", due_on) for n in range(start, start + size)]
    return post("/v1/invoices/batch", creditor.keys[start % len(creditor.keys)], {"invoices": bodies})


def acceptance(house: House, sizes: Sizes) -> tuple[list[Figure], float]:
    """Figures of the door for billing systems, and the batch rate in invoices a second."""
    database = house.database("acceptance")
    engine = house.engine(database)
    creditor = add_bench_creditor(engine, house.sealer, builtin_manual("b2b_sme"))
    due_on = (wall_now() + timedelta(days=60)).date()
    keys = itertools.cycle(creditor.keys)
    singles = [post("/v1/invoices", next(keys), invoice(f"S-{n}", f"S-{n}", due_on)) for n in range(sizes.singles)]
    batches = [make_batch(creditor, round_ * sizes.batch, sizes.batch) for round_ in range(sizes.batches)]

    async def measure(port: int) -> tuple[Load, list[float]]:
        await flat_out(port, singles[:CALLERS], connections=CALLERS)  # the same again: connections and caches are warm
        singly = await flat_out(port, singles, connections=CALLERS)
        connection, rates = Connection(port), []
        for batch in batches:
            began = monotonic()
            status, answer = await connection.post(batch)
            rates.append(sizes.batch / (monotonic() - began))
            if status != 200 or json.loads(answer)["created"] != sizes.batch:
                raise RuntimeError(f"a batch was not accepted: {status} {answer[:300]!r}")
        connection.close()
        return singly, rates

    with house.api(database) as port:
        singly, rates = asyncio.run(measure(port))
    waiting = count(engine, "select count(*) from outbox where done_at is null")
    if singly.refused or waiting != sizes.singles + sizes.batch * len(batches):
        raise RuntimeError(f"{singly.refused} single invoices were refused, or some have no start waiting")
    engine.dispose()
    batch_rate = middle(rates)
    return [
        Figure("invoices accepted singly", f"{singly.rate:,.0f}/s", f"{CALLERS} callers, p50 {singly.share_ms(0.5):.1f} ms"),
        Figure("invoices accepted by batch", f"{batch_rate:,.0f}/s", f"{sizes.batch:,} at a time, median of {len(rates)}"),
    ], batch_rate


def payments(creditor: Creditor, numbers: list[str]) -> Callable[[], Request]:
    """Signed payments by Standard Webhooks, one after the other over these invoices, each a part of the sum."""
    webhook, turn = Webhook(WEBHOOK_SECRET), itertools.cycle(numbers)
    path = f"/webhooks/payments/{creditor.token}"

    def make() -> Request:
        event_id, at = f"evt_{uuid4().hex}", wall_now()
        data = {
            "id": event_id, "amount_minor": 10_000, "currency": "COP", "invoice": next(turn), "paid_on": at.date().isoformat(),
        }  # fmt: skip
        body = json.dumps({"type": "payment.succeeded", "timestamp": at.isoformat(), "data": data})
        signature = webhook.sign(event_id, at, body)
        headers = {
            "webhook-id": event_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature,
            "Content-Type": JSON,
        }  # fmt: skip
        return path, headers, body.encode()

    return make


def bare(make: Callable[[], Request]) -> Callable[[], Request]:
    """The same requests for the handler that only inserts."""

    def made() -> Request:
        _, headers, body = make()
        return "/bare", headers, body

    return made


def webhooks(house: House, sizes: Sizes) -> list[Figure]:
    """Acknowledgements beside a bare insert: flat out, at 50 a second alone, and at 50 a second while invoices are started."""
    database = house.database("webhooks")
    engine = house.engine(database)
    creditor = add_bench_creditor(engine, house.sealer, every_day(5), slug="hooks")
    house.stack.postgres.query(
        "create table bench_inbox (id bigint generated always as identity primary key, body bytea);"
        " grant insert on bench_inbox to puntual_worker", database,
    )  # fmt: skip
    bare_port = free_port()
    command = ["rehearsal.bench_worker", "bare", str(bare_port)]
    with house.api(database) as port, house.child("bare", command, house.environment(database), bare_port):
        return asyncio.run(_webhooks(house, sizes, database, engine, creditor, (port, bare_port)))


async def _webhooks(
    house: House, sizes: Sizes, database: str, engine: Engine, creditor: Creditor, ports: tuple[int, int]
) -> list[Figure]:
    port, bare_port = ports
    paid = 600
    connection = Connection(port)
    await connection.post(make_batch(creditor, 0, paid))
    make = payments(creditor, [f"B-{n}" for n in range(paid)])
    plain = bare(make)
    for warm_port, warm in ((port, make), (bare_port, plain)):
        await at_rate(warm_port, warm, per_second=PER_SECOND, seconds=min(2.0, sizes.webhook_seconds))
    most = await flat_out(port, [make() for _ in range(sizes.webhooks_closed)], connections=CALLERS)
    most_bare = await flat_out(bare_port, [plain() for _ in range(sizes.webhooks_closed)], connections=CALLERS)
    alone = await _in_turn(sizes, port, make, bare_port, plain)
    before = count(engine, "select count(*) from outbox where done_at is not null")
    backlog = int(300 * (4 * sizes.webhook_seconds * sizes.webhook_rounds + 10))
    with house.worker(database, "whole"):
        for start in range(paid, paid + backlog, 10_000):
            await connection.post(make_batch(creditor, start, min(10_000, paid + backlog - start)))
        began = monotonic()
        busy = await _in_turn(sizes, port, make, bare_port, plain)
        took = monotonic() - began
        told = count(engine, "select count(*) from outbox where done_at is not null") - before
    connection.close()
    refused = sum(load.refused for pair in (*alone, *busy) for load in pair) + most.refused
    if refused:
        raise RuntimeError(f"{refused} webhooks were refused")
    return [
        Figure("webhooks acknowledged, flat out", f"{most.rate:,.0f}/s", f"a bare insert: {most_bare.rate:,.0f}/s"),
        _shares("webhooks at 50/s, alone", alone),
        _shares(f"webhooks at 50/s, beside {told / took:,.0f} starts/s", busy, goal=True),
    ]


async def _in_turn(
    sizes: Sizes, port: int, make: Callable[[], Request], bare_port: int, plain: Callable[[], Request]
) -> list[tuple[Load, Load]]:
    """Ours and the bare one in turn, so that both meet the same machine."""
    loads = []
    for _ in range(sizes.webhook_rounds):
        ours = await at_rate(port, make, per_second=PER_SECOND, seconds=sizes.webhook_seconds)
        loads.append((ours, await at_rate(bare_port, plain, per_second=PER_SECOND, seconds=sizes.webhook_seconds)))
    return loads


def _shares(what: str, loads: list[tuple[Load, Load]], *, goal: bool = False) -> Figure:
    (p50, p99), (bare50, bare99) = (
        tuple(middle([pair[place].share_ms(share) for pair in loads]) for share in (0.5, 0.99)) for place in (0, 1)
    )
    return Figure(
        what, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", f"a bare insert: p50 {bare50:.1f} ms, p99 {bare99:.1f} ms",
        f"p99 under {P99_MS:.0f} ms" if goal else "", p99 < P99_MS if goal else None,
    )  # fmt: skip
