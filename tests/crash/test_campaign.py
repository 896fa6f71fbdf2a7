"""Everything is killed, again and again, under load; afterwards the ledger, the outside and Temporal agree."""

from __future__ import annotations

import sys

import pytest

from stack import Stack
from tests.crash.campaign import Campaign
from tests.crash.checks import findings

SEED = 20260302


@pytest.mark.timeout(3600)
async def test_kills_at_random_moments_lose_nothing_and_repeat_nothing(
    played_stack: Stack, drilling: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    invoices, kills = (200, 200) if drilling else (60, 40)
    campaign = Campaign(played_stack, invoices=invoices, kills=kills, seed=SEED, patience=2.5 if drilling else 1.0)
    try:
        await campaign.run()
        found = findings(campaign.engine, campaign.outside, campaign.manual)
        with capsys.disabled():
            sys.stdout.write(f"\ncrash campaign: {campaign.figures}\n")
        assert not found
        assert campaign.figures.kills.total() >= kills
        # However slow the machine and dense the kills, a good deal was done under them.
        assert len(campaign.outside.answered) == invoices and len(campaign.outside.received) >= invoices // 2
    finally:
        await campaign.close()
