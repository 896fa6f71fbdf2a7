"""`puntual demo`: the whole product on this machine, ninety days of the sample portfolio played, then left running."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from clock import monotonic, read_ledger_clock, set_ledger_clock
from embedded import Postgres, home_folder
from ledger.links import portal_url
from ledger.sealing import Sealer
from ledger.session import make_engine
from rehearsal import sample
from rehearsal.advance import Player, Stalled
from rehearsal.demo_feed import Feed, summary
from rehearsal.demo_house import House, decide_placements, open_houses, post_day
from rehearsal.outside import SimulatedOutside
from settings import Settings
from stack import Ports, Stack, refuse_wrong_settings
from supervise import Trouble
from worker import Relay, connect

LOOK_EVERY_DAYS = 5
DECIDES_UNTIL_DAY = 80
"""Placements proposed later wait for the visitor."""
_PAUSE_SECONDS = 0.008
_OUTSIDE_EVERY_SECONDS = 2.0


@dataclass(frozen=True)
class Demo:
    """What the play works with."""

    settings: Settings
    engine: Engine
    http: httpx.AsyncClient
    outside: SimulatedOutside
    houses: dict[str, House]


def run(ports: Ports, *, once: bool, out: Console, err: Console) -> None:
    """Bring everything up, play, show; stay up until Ctrl-C unless `once`. Raises Trouble."""
    home = home_folder() / "demo"
    stack = Stack(home, ports, say=lambda line: err.print(line, markup=False), played=True)
    stack.supervisor.lock()
    refuse_wrong_settings(played=True)
    _forget_last_time(home)
    stack.postgres = Postgres(home, durable=False)  # what is played can be played again
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stack.supervisor.ask_to_stop())
    try:
        with out.status("starting PostgreSQL and Temporal"):
            stack.start_servers(services=True)
            environment = {name: value for name, value in stack.environment().items() if name.startswith("PUNTUAL_")}
            settings = Settings(**{name.removeprefix("PUNTUAL_").lower(): value for name, value in environment.items()})
            engine = make_engine(settings.worker_url, pool_size=4, name="puntual-demo")
            with engine.begin() as connection:
                set_ledger_clock(connection, sample.STARTS - timedelta(hours=1), frozen=True)
        with out.status("starting the outside world, the worker and the API"):
            stack.start_services()
        uvloop.run(_main(stack, settings, engine, once=once, out=out))
    finally:
        stack.stop()


def _forget_last_time(home: Path) -> None:
    """The lock is held, so nobody plays here; only the lock's own folder stays."""
    for entry in home.iterdir():
        if entry.name == "run":
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


async def _main(stack: Stack, settings: Settings, engine: Engine, *, once: bool, out: Console) -> None:
    sealer = Sealer(settings.master_key)
    stopped = asyncio.create_task(asyncio.to_thread(stack.supervisor.wait))
    try:
        async with httpx.AsyncClient(base_url=stack.api_url, timeout=60.0) as http:
            houses = await asyncio.to_thread(open_houses, engine, sealer, stack.api_url, sample.STARTS - timedelta(hours=1))
            demo = Demo(settings, engine, http, SimulatedOutside(stack.simulator_url), houses)
            playing = asyncio.create_task(_play(demo, out))
            await asyncio.wait([playing, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                with suppress(asyncio.CancelledError):
                    await playing
                return
            try:
                seconds = playing.result()
            except Stalled as stalled:
                raise Trouble(f"{stalled}; the logs are in {stack.home / 'log'}") from None
            out.print(summary(engine))
            out.print(f"{sample.DAYS} days played in {seconds:.0f} s.\n")
            _show_addresses(stack, demo, sealer, out)
            if not once:
                await _stay(demo, stopped, out)
            await demo.outside.close()
    finally:
        stack.supervisor.ask_to_stop()
        await stopped
        engine.dispose()


async def _play(demo: Demo, out: Console) -> float:
    """Ninety days with a progress bar and a running feed; returns the seconds it took."""
    client = await connect(demo.settings)
    relay = Relay(client, demo.engine, console_url=demo.settings.public_url)
    feed, began = Feed(demo.engine), monotonic()
    with Progress(
        TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[counts]}"), TimeElapsedColumn(),
        console=out, transient=True,
    ) as bar:  # fmt: skip
        show = _shower(bar, bar.add_task("", total=sample.DAYS, counts=""), feed)

        async def look(now: datetime) -> None:
            await asyncio.to_thread(show, now)

        player = Player(demo.engine, client, relay, outside=demo.outside, on_instant=look, pause=_pause)
        await player.start(sample.STARTS)
        posting = set(sample.posting_days())
        for day in sorted(posting | set(range(0, sample.DAYS, LOOK_EVERY_DAYS))):
            now = sample.STARTS + timedelta(days=day)
            await player.advance(now)
            await demo.outside.play(now)
            if day in posting:
                await post_day(demo.http, demo.outside, demo.houses, day)
            if day < DECIDES_UNTIL_DAY:
                await decide_placements(demo.http, demo.engine, demo.houses)
        ends = sample.STARTS + timedelta(days=sample.DAYS)
        await player.advance(ends)
        await look(ends)
    return monotonic() - began


def _shower(bar: Progress, task: TaskID, feed: Feed) -> Callable[[datetime], None]:
    def show(now: datetime) -> None:
        for line in feed.lines():
            if bar.console.is_terminal:
                bar.console.print(line, overflow="ellipsis", no_wrap=True, highlight=False)
            else:
                bar.console.print(line, soft_wrap=True, highlight=False)
        counts = f"{feed.accepted} invoices, {feed.contacts} sent, {feed.paid} payments"
        days = (now - sample.STARTS).total_seconds() / 86_400
        bar.update(task, completed=days, description=f"{now:%a %d %b %Y}", counts=counts)

    return show


async def _pause() -> None:
    await asyncio.sleep(_PAUSE_SECONDS)


def _show_addresses(stack: Stack, demo: Demo, sealer: Sealer, out: Console) -> None:
    house = next(iter(demo.houses.values()))
    with Session(demo.engine) as session, session.begin():
        row = session.execute(_WORTH_SEEING).one_or_none()
        links = {"Temporal UI": f"{stack.temporal.ui_url}/namespaces/default/workflows"}
        if row is not None:
            number = row.workflow.replace(":", "%3A")
            links["  one invoice there"] = f"{stack.temporal.ui_url}/namespaces/default/workflows/{number}"
            links["A customer's page"] = portal_url(session, sealer, stack.api_url, row.id, row.person)
    for slug, each in demo.houses.items():
        links[f"Console of {slug}"] = f"{stack.api_url}/console/demo/{each.key.prefix}"
    links |= {"API docs": f"{stack.api_url}/docs", f"API key of {house.slug}": house.key.key, "Logs": str(stack.home / "log")}
    for what, where in links.items():
        out.print(f"{what:24}{where}", markup=False, soft_wrap=True, highlight=False)


_WORTH_SEEING = text(
    """
    select i.id, 'invoice:' || c.slug || ':' || i.number as workflow,
        (select p.id from person p where p.account_id = i.account_id order by p.created_at, p.id limit 1) as person
    from invoice i join creditor c on c.id = i.creditor_id
    where i.outcome is null and i.next_kind in ('contact', 'wait')
        and not exists (select 1 from placement p where p.invoice_id = i.id and p.state in ('approved', 'placed'))
    order by (select count(*) from event e where e.invoice_id = i.id and e.kind <> 'rung_skipped') desc, i.number limit 1
    """
)


async def _stay(demo: Demo, stopped: asyncio.Task[None], out: Console) -> None:
    """Let time run at its normal pace, inside and outside, until Ctrl-C."""
    await asyncio.to_thread(_let_it_run, demo.engine)
    out.print("\nTime now runs at its normal pace. Ctrl-C ends the demo.", highlight=False)
    while not stopped.done():
        now = await asyncio.to_thread(_now, demo.engine)
        with suppress(httpx.HTTPError):
            await demo.outside.play(now)
        await asyncio.wait([stopped], timeout=_OUTSIDE_EVERY_SECONDS)


def _let_it_run(engine: Engine) -> None:
    with engine.begin() as connection:
        set_ledger_clock(connection, read_ledger_clock(connection), frozen=False)


def _now(engine: Engine) -> datetime:
    with engine.connect() as connection:
        return read_ledger_clock(connection)
