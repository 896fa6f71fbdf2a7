"""Every part of the bench still runs and says what it should; how fast it was is nobody's business here."""

from __future__ import annotations

import pytest

from rehearsal.bench import PARTS, measure, table
from rehearsal.bench_house import Figure, Sizes

EXPECTED = {
    "intake": {
        "invoices accepted singly", "invoices accepted by batch", "batch acceptance beside bare starts",
        "workflows started by the relay, no worker", "the same with the worker on", "the ledger",
    },
    "webhooks": {"webhooks acknowledged, flat out", "webhooks at 50/s, alone"},
    "contacts": {"events of one contact", "bytes of one contact", "billable actions of one contact"},
    "played": {"contacts played"},
    "law": {"verdicts on one core, CO", "verdicts on one core, BR-SP", "one verdict in a decision", "one verdict in a contact"},
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_the_bench_runs_and_gives_its_figures(part: str) -> None:
    [(_, figures)] = measure(Sizes.tiny(), [part])
    assert EXPECTED[part] <= {figure.what for figure in figures}
    assert all(figure.value for figure in figures)


def test_the_report_says_which_goal_was_missed() -> None:
    shown = table([Figure("a", "1", "", "at most 2", True), Figure("b", "3", "", "at most 2", False), Figure("c", "4")])
    assert [list(column.cells) for column in shown.columns][3] == ["reached: at most 2", "[bold red]MISSED[/]: at most 2", ""]
