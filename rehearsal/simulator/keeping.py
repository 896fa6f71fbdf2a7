"""The world on disk between two runs: one JSON file, written whole and moved into place."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rehearsal.simulator.people import Bill, Debtor, Event
from rehearsal.simulator.world import Sent, World

VERSION = 1


def save(world: World, path: Path) -> None:
    """Write the state. Webhooks given up are not kept: their events have happened."""
    kept = {
        "version": VERSION,
        "seed": world.config.seed,
        "now": world.now(),
        "debtors": [asdict(debtor) for debtor in world.debtors.values()],
        "by_address": [[*key, refs] for key, refs in world.by_address.items()],
        "sent": [asdict(one) for one in world.sent],
        "blocked": sorted(world.blocked),
        "refused": world.refused,
        "queue": [asdict(one) for one in [*world.firing, *world.queue]],
    }
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(kept, ensure_ascii=False, default=_plain), encoding="utf-8")
    fresh.replace(path)


def load(world: World, path: Path) -> datetime:
    """Fill a new world from the file and return its time; raises ValueError when it is damaged, or of another version or seed."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is damaged: remove it; the simulated outside world begins anew, the ledger keeps all") from None
    if kept.get("version") != VERSION or kept.get("seed") != world.config.seed:
        raise ValueError(f"{path} is of another version or seed: remove it, or start with --seed {kept.get('seed')}")
    for one in kept["debtors"]:
        bills = {number: Bill(**{**bill, "due_on": date.fromisoformat(bill["due_on"])}) for number, bill in one["bills"].items()}
        world.debtors[one["ref"]] = Debtor(**{**one, "bills": bills})
    world.by_address = {(channel, value): refs for channel, value, refs in kept["by_address"]}
    for place, one in enumerate(kept["sent"]):
        message = Sent(**{**one, "at": datetime.fromisoformat(one["at"])})
        world.sent.append(message)
        world.counts[message.contact_id] += 1
        world.places.setdefault(message.contact_id, []).append(place)
    world.blocked = {(channel, value) for channel, value in kept["blocked"]}
    world.refused = Counter(kept["refused"])
    world.plan(Event(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in kept["queue"])
    world.played_now = datetime.fromisoformat(kept["now"])
    return world.played_now


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written to the simulator's file")
