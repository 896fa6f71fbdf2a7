"""The simulator as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI

from clock import wall_now
from rehearsal.simulator import control
from rehearsal.simulator.courier import Courier
from rehearsal.simulator.faults import FaultDice
from rehearsal.simulator.happenings import run_on_the_wall_clock
from rehearsal.simulator.inlets import inlets
from rehearsal.simulator.keeping import load, save
from rehearsal.simulator.keys import SimulatedKeys, simulated_keys
from rehearsal.simulator.world import World, WorldConfig

_SAVED_EVERY_SECONDS = 10.0


def create_simulator(config: WorldConfig, keys: SimulatedKeys | None = None) -> FastAPI:
    """A simulator that calls `config.api_url` back; `keys` default to those of its seed. Its state is `app.state.world`."""
    app = FastAPI(title="Puntual simulator", lifespan=_life)
    dice = FaultDice(config.seed)
    courier = Courier(
        api_url=config.api_url, public_url=config.public_url or config.api_url, dice=dice, give_up_seconds=config.give_up_seconds
    )
    app.state.world = World(config, keys or simulated_keys(config.seed), dice, courier)
    app.router.routes.extend(inlets())
    app.include_router(control.router)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    world: World = app.state.world
    path = Path(world.config.state_file) if world.config.state_file else None
    at = load(world, path) if path and path.exists() else wall_now()
    if world.config.real_time:
        world.start_real_time(at if world.config.speed != 1 else wall_now())
    loops = [asyncio.create_task(run_on_the_wall_clock(world))] if world.config.real_time else []
    if path:
        loops.append(asyncio.create_task(_save_now_and_then(world, path)))
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
        if path:
            save(world, path)
        await world.courier.close()


async def _save_now_and_then(world: World, path: Path) -> None:
    before = (-1, -1)
    while True:
        await asyncio.sleep(_SAVED_EVERY_SECONDS)
        stands = (len(world.sent), sum(world.fired.values()))
        if stands != before:
            save(world, path)
            before = stands
