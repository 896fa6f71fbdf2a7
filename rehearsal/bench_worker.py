"""The child processes of the bench: `python -m rehearsal.bench_worker KIND PORT`, ready once PORT listens.

told      the worker without its relay, which runs in the bench beside the loop it is compared with
whole     the worker as it is in production, with its relay
daily     a worker on whose clock a day passes every two seconds, with real timers
noop      a worker for a workflow of the same shape that does nothing
bare      an HTTP handler that does nothing but one INSERT, on the API's server
"""

from __future__ import annotations

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from temporalio.worker import Worker

import worker
from clock import wall_now
from ledger.session import make_engine
from rehearsal.bench_noop import NOOP_QUEUE, Noop, noop
from settings import Settings

DAY = timedelta(days=1)
DAY_LASTS = timedelta(seconds=2)
NINE_IN_BOGOTA = timedelta(hours=14)
"""After midnight UTC: when the rungs of the bench fall due."""


class DailyClock:
    """Days that last two seconds: every two seconds it jumps to the next nine o'clock, and in between it runs at normal pace.

    So real timers fire, two seconds apart, and what must happen within five seconds of business time has its five seconds.
    """

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._first = datetime.combine(began.date(), datetime.min.time(), UTC) + NINE_IN_BOGOTA

    def now(self) -> datetime:
        days, rest = divmod(wall_now() - self._began, DAY_LASTS)
        return self._first + days * DAY + rest

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        days, rest = divmod(at - self._first, DAY)
        return self._began + (days if rest < DAY_LASTS else days + 1) * DAY_LASTS + (rest if rest < DAY_LASTS else timedelta(0))


async def _listen(port: int) -> None:
    await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)


async def _noop(settings: Settings, port: int) -> None:
    client = await worker.connect(settings)
    with ThreadPoolExecutor(worker.THREADS) as pool:
        running = Worker(
            client, task_queue=NOOP_QUEUE, workflows=[Noop], activities=[noop], activity_executor=pool,
            max_concurrent_activities=worker.THREADS, max_cached_workflows=2_000,
        )  # fmt: skip
        await _listen(port)
        await running.run()


async def _invoices(settings: Settings, port: int, *, relay: bool, daily: bool) -> None:
    if daily:
        began = wall_now()
        worker.build_clock = lambda settings, engine: DailyClock(began)
    await _listen(port)
    await worker.serve(settings, relay=relay)


def bare_app(engine: Engine) -> FastAPI:
    """Read the body, insert it, answer: what any webhook must cost at least."""
    app = FastAPI()

    def insert(body: bytes) -> None:
        with Session(engine) as session, session.begin():
            session.execute(text("insert into bench_inbox (body) values (:body)"), {"body": body})

    @app.post("/bare")
    async def take(request: Request) -> dict[str, bool]:
        await run_in_threadpool(insert, await request.body())
        return {"received": True}

    return app


def main() -> None:
    """Run one kind until stopped."""
    kind, port = sys.argv[1], int(sys.argv[2])
    logging.basicConfig(level=logging.WARNING)
    settings = Settings.from_environment()
    if kind == "bare":
        engine = make_engine(settings.worker_url, pool_size=20, name="puntual-bare")
        uvicorn.run(bare_app(engine), host="127.0.0.1", port=port, log_level="warning", access_log=False)
    elif kind == "noop":
        asyncio.run(_noop(settings, port))
    else:
        asyncio.run(_invoices(settings, port, relay=kind != "told", daily=kind == "daily"))


if __name__ == "__main__":
    main()
