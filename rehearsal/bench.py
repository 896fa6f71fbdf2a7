"""`python -m rehearsal.bench`: the figures that the README quotes, measured in one run; docs/benchmarks.md says how.

Absolute figures are this machine's at this minute; what holds elsewhere is how they stand to the baselines beside them, which
are measured in turn with them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from rehearsal.bench_contacts import histories, played
from rehearsal.bench_house import Figure, House, Sizes, house
from rehearsal.bench_intake import acceptance, webhooks
from rehearsal.bench_law import law
from rehearsal.bench_starts import starts

BATCH_TIMES_STARTS = 30.0
PARTS = ("intake", "webhooks", "contacts", "played", "law")
"""`intake` is acceptance and starts, which are compared with each other."""


def _intake(given: House, sizes: Sizes) -> list[Figure]:
    accepted, batch_rate = acceptance(given, sizes)
    started, bare_rate = starts(given, sizes)
    times = batch_rate / bare_rate
    compared = Figure(
        "batch acceptance beside bare starts", f"{times:,.0f} times", f"{batch_rate:,.0f}/s to {bare_rate:,.0f}/s",
        f"at least {BATCH_TIMES_STARTS:.0f} times", times >= BATCH_TIMES_STARTS,
    )  # fmt: skip
    return [*accepted, compared, *started]


def _in_a_house(measured: Callable[[House, Sizes], list[Figure]]) -> Callable[[Sizes], list[Figure]]:
    def measure_it(sizes: Sizes) -> list[Figure]:
        with house() as given:
            return measured(given, sizes)

    return measure_it


_MEASURES: dict[str, Callable[[Sizes], list[Figure]]] = {
    "intake": _in_a_house(_intake), "webhooks": _in_a_house(webhooks), "contacts": _in_a_house(histories), "played": played,
    "law": _in_a_house(law),
}  # fmt: skip


def measure(sizes: Sizes, parts: Sequence[str] = PARTS) -> Iterator[tuple[str, list[Figure]]]:
    """Each part on a stack of its own, so that none carries the load or the rows of another; a part with its figures."""
    for part in parts:
        yield part, _MEASURES[part](sizes)


def table(figures: Sequence[Figure]) -> Table:
    """The report."""
    shown = Table("measured", "figure", "beside", "to reach", box=None, pad_edge=False, header_style="bold")
    for figure in figures:
        mark = {None: "", True: "reached: ", False: "[bold red]MISSED[/]: "}[figure.met]
        shown.add_row(figure.what, f"[bold]{figure.value}[/]", figure.beside, mark + figure.goal)
    return shown


def main() -> int:
    """Measure and print; 1 when something to reach was missed."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Puntual on this machine.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, when none is named")
    parser.add_argument("--tiny", action="store_true", help="only show that everything runs; the figures mean nothing")
    asked = parser.parse_args()
    out, progress = Console(highlight=False, width=150), Console(stderr=True, highlight=False)
    figures: list[Figure] = []
    for part, found in measure(Sizes.tiny() if asked.tiny else Sizes(), asked.parts or PARTS):
        progress.print(f"{part}: done")
        figures += found
    out.print(table(figures))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    out.print(f"{os.cpu_count()} processors, load {load}; PostgreSQL with fsync (not for contacts played), Temporal's dev server")
    return int(not asked.tiny and any(figure.met is False for figure in figures))


if __name__ == "__main__":
    raise SystemExit(main())
