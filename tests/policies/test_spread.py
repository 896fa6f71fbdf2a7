"""Ten thousand debtors due at the opening minute are spread over the hour that the manual names, and nobody leaves the window."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from policies.facts import InvoiceFacts, SkippedRung
from policies.manual import Manual, builtin_manual
from policies.spread import own_seconds, spread_out
from policies.steps import Contact
from tests.policies.test_next_step import ana, at, manual, obey

DAY, OPENS = date(2026, 3, 5), datetime(2026, 3, 5, 14, 0, tzinfo=UTC)
ACCOUNTS = [str(UUID(int=n)) for n in range(10_000)]


def moments(spread_minutes: int, window_minutes: int) -> list[datetime]:
    ends = OPENS + timedelta(minutes=window_minutes)
    spread = timedelta(minutes=spread_minutes)
    return [spread_out(OPENS, starts=[OPENS], ends=ends, account_id=a, day=DAY, spread=spread) for a in ACCOUNTS]


@pytest.mark.parametrize(("spread_minutes", "window_minutes", "buckets"), [(45, 600, 45), (45, 20, 20)])
def test_ten_thousand_contacts_of_the_opening_minute_are_spread_evenly_inside_the_window(
    spread_minutes: int, window_minutes: int, buckets: int
) -> None:
    found = moments(spread_minutes, window_minutes)
    assert all(OPENS <= moment < OPENS + timedelta(minutes=buckets) for moment in found)
    minutes = Counter(int((moment - OPENS).total_seconds()) // 60 for moment in found)
    expected = len(found) / buckets
    chi_square = sum((minutes[n] - expected) ** 2 / expected for n in range(buckets))
    assert chi_square < buckets + 4 * (2 * buckets) ** 0.5, "four standard deviations above what chance gives"


def test_another_day_is_another_moment_and_the_same_day_the_same() -> None:
    spread = timedelta(minutes=45)
    again = [own_seconds(account, DAY, spread) for account in ACCOUNTS[:200]]
    assert again == [own_seconds(account, DAY, spread) for account in ACCOUNTS[:200]]
    tomorrow = [own_seconds(account, DAY + timedelta(days=1), spread) for account in ACCOUNTS[:200]]
    assert sum(a == b for a, b in zip(again, tomorrow, strict=True)) < 5


def owed(**change: Any) -> InvoiceFacts:
    """Ana's invoice after its first rung: S2 asks for 5 March, 09:00."""
    return ana(skipped=(SkippedRung(key="1.1.S1.0", why="too late"),), **change)


def spread_manual(minutes: int = 45) -> Manual:
    limits = manual().limits.model_copy(update={"spread_minutes": minutes})
    return manual().model_copy(update={"limits": limits})


def test_the_contact_goes_at_its_own_moment_and_asking_again_changes_nothing() -> None:
    by, asked = spread_manual(), at("2026-03-05 09:00")
    step = obey(owed(), at("2026-03-04 12:00"), by)
    assert isinstance(step, Contact) and asked < step.at < asked + timedelta(minutes=45) and step.rung_at == step.at
    for moment in (asked, step.at - timedelta(seconds=1), step.at):
        again = obey(owed(), moment, by)
        assert isinstance(again, Contact) and again.at == step.at
    late = obey(owed(), at("2026-03-05 15:00"), by)
    assert isinstance(late, Contact) and late.at == at("2026-03-05 15:00"), "what is late waits no longer"


def test_every_invoice_of_a_debtor_has_the_same_moment() -> None:
    found = {obey(owed(invoice_id=f"i-{n}", order=f"F-{n}"), at("2026-03-04 12:00"), spread_manual()).at for n in range(5)}
    assert len(found) == 1


@pytest.mark.parametrize("name", ["b2c_subscription", "b2c_credit", "b2b_sme", "b2b_corporate"])
def test_the_manuals_for_customers_spread_and_fold(name: str) -> None:
    limits = builtin_manual(name).limits
    assert limits.spread_minutes == 45 and limits.fold
