"""`python -m tests.policies.law.campaign`: thousands of examples for the checker, and what they were, so that none is empty.

The examples are shared out between processes, each with its own seed; a failure is shrunk and shown by the process that met it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from rich.console import Console

from clock import monotonic
from tests.policies.law.agreement import Agreed, agree, agree_on_both
from tests.policies.law.examples import examples
from tests.policies.law.house_examples import house_examples

_PROJECT = Path(__file__).parents[3]
LEAST_SHARES = {"allow": 0.1, "deny, with next": 0.2, "never": 0.03, "crossed a clock change": 0.03}
"""The campaign fails where its examples are not of all kinds."""


def run(which: str, count: int, number: int) -> Counter[str]:
    """So many examples of the law alone or of both, with this seed; raises AssertionError at the smallest disagreement."""
    found: Counter[str] = Counter()
    settled = settings(
        max_examples=count, deadline=None, database=None, print_blob=False, verbosity=Verbosity.normal,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip

    def ask(compare: Callable[[Any], Agreed], example: Any) -> None:
        agreed = compare(example)
        found["examples"] += 1
        found[agreed.said] += 1
        found["crossed a clock change"] += agreed.crossed
        found["refused by several rules"] += agreed.rules > 1

    of_law = given(examples())(lambda example: ask(agree, example))
    of_both = given(house_examples())(lambda example: ask(agree_on_both, example))
    seed(number)(settled(of_law if which == "law" else of_both))()
    return found


def _shared_out(which: str, count: int, processes: int, first_seed: int) -> Counter[str] | None:
    """The counts of all processes; None when one of them found a disagreement, which it has shown."""
    share = -(-count // processes)
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.policies.law.campaign", "--only", which, str(share), "--seed", str(first_seed + index)],
            cwd=_PROJECT, stdout=subprocess.PIPE, text=True,
        )
        for index in range(processes)
    ]  # fmt: skip
    total: Counter[str] = Counter()
    for child in children:
        said, _ = child.communicate()
        if child.returncode == 0:
            total.update(json.loads(said.splitlines()[-1]))
        else:
            sys.stdout.write(said)
    return total if all(child.returncode == 0 for child in children) else None


def main() -> int:
    """Run and print; 1 where engine and checker differ, or where some kind of example hardly came up."""
    parser = argparse.ArgumentParser(prog="make law", description="Compare the law engine with a checker minute by minute.")
    parser.add_argument("examples", type=int, nargs="?", default=20_000, help="of the law alone; a tenth as many with the house")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("law", "both"), help="in this process, counts as JSON")
    asked = parser.parse_args()
    if asked.only:
        sys.stdout.write(json.dumps(run(asked.only, asked.examples, asked.seed)) + "\n")
        return 0
    console, missed = Console(width=130), False
    for which, count in (("law", asked.examples), ("both", asked.examples // 10)):
        began = monotonic()
        found = _shared_out(which, count, asked.processes, asked.seed)
        if found is None:
            return 1
        name = "law packs alone" if which == "law" else "house and law together"
        told = "; ".join(f"{found[kind]:,} {kind}" for kind in sorted(found) if kind != "examples")
        console.print(f"{name}: {found['examples']:,} examples agree in {monotonic() - began:.0f} s: {told}")
        for kind, least in LEAST_SHARES.items():
            if found[kind] < least * found["examples"]:
                missed = True
                console.print(f"[bold red]too few examples were[/] {kind}: {found[kind]:,}, least {least:.0%}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
