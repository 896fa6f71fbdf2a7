"""`python -m rehearsal.simulator`: the outside world on one port."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from rehearsal.simulator.app import create_simulator
from rehearsal.simulator.keys import simulated_keys
from rehearsal.simulator.server import make_server
from rehearsal.simulator.world import WorldConfig


def main() -> None:
    """Run until stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal.simulator", description="The providers, gateways and customers, played."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--api", default="http://127.0.0.1:8080", help="where our API is reached")
    parser.add_argument("--public-url", default="", help="the name our API signs with, where it differs from --api")
    parser.add_argument("--seed", type=int, default=1, help="decides the keys and everything customers draw by lot")
    parser.add_argument("--state", default="", metavar="FILE", help="keep the state here between runs")
    parser.add_argument("--receipts", choices=["instant", "delayed", "none"], default="instant")
    parser.add_argument("--last-status-only", action="store_true", help="leave out processed and sent")
    parser.add_argument("--real-time", action="store_true", help="run on the wall clock instead of POST /sim/advance")
    parser.add_argument("--speed", type=float, default=1.0, help="with --real-time: so many outside seconds in one")
    parser.add_argument("--give-up-seconds", type=float, default=120.0, help="how long a webhook is repeated")
    asked = parser.parse_args()
    for given in (asked.api, asked.public_url or asked.api):
        if urlsplit(given).scheme not in ("http", "https"):
            parser.error(f"{given!r} is not an http address")
    if asked.speed <= 0:
        parser.error("--speed must be above 0")
    config = WorldConfig(
        api_url=asked.api, public_url=asked.public_url, seed=asked.seed, receipts=asked.receipts,
        all_statuses=not asked.last_status_only, real_time=asked.real_time, speed=asked.speed,
        give_up_seconds=asked.give_up_seconds, state_file=asked.state,
    )  # fmt: skip
    keys = simulated_keys(asked.seed)
    make_server(create_simulator(config, keys), host=asked.host, port=asked.port).run()


if __name__ == "__main__":
    main()
