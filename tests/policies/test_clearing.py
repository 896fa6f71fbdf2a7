"""How long money is on its way, and what gateways mean by their words (playbook 3, row 3)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from policies.clearing import clears_by, instrument_clears_by, meaning

FRIDAY = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
"""15:00 in Bogota and in Madrid's evening."""


@pytest.mark.parametrize(
    ("method", "ends"),
    [
        ("pse", datetime(2026, 3, 10, 5, 0, tzinfo=UTC)),
        ("boleto", datetime(2026, 3, 12, 5, 0, tzinfo=UTC)),
        ("cheque", datetime(2026, 3, 14, 5, 0, tzinfo=UTC)),
        ("sepa_debit", datetime(2026, 3, 17, 5, 0, tzinfo=UTC)),
        ("seashells", datetime(2026, 3, 14, 5, 0, tzinfo=UTC)),
    ],
)
def test_clearing_counts_working_days_and_ends_with_the_last_of_them(method: str, ends: datetime) -> None:
    assert clears_by(method, FRIDAY, "America/Bogota", "CO") == ends


def test_a_holiday_is_no_bank_day() -> None:
    # 23 March 2026 is a holiday in Colombia and a plain Monday in Chile
    friday = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
    assert clears_by("pse", friday, "America/Bogota", "CO").date() == date(2026, 3, 25)
    assert clears_by("pse", friday, "America/Santiago", "CL").date() == date(2026, 3, 24)


def test_a_paper_is_presented_on_the_first_working_day_from_its_maturity_on() -> None:
    saturday = date(2026, 3, 7)
    ends = instrument_clears_by("post_dated_cheque", saturday, "America/Bogota", "CO")
    assert ends == datetime(2026, 3, 17, 5, 0, tzinfo=UTC), "Monday 9 and five working days: the end of Monday 16"


@pytest.mark.parametrize(
    ("gateway", "state", "method", "meant"),
    [
        ("stripe", "processing", "sepa_debit", "in_process"),
        ("stripe", "requires_action", "oxxo", "issued"),
        ("wompi", "PENDING", "PSE", "in_process"),
        ("wompi", "PENDING", "BANCOLOMBIA_COLLECT", "issued"),
        ("wompi", "DECLINED", "CARD", "failed"),
        ("mercado_pago", "in_process", "", "in_process"),
        ("mercado_pago", "pending", "ticket", "issued"),
        ("mercado_pago", "approved", "", "paid"),
        ("mercado_pago", "dreaming", "", "unknown"),
        ("nobody", "processing", "", "unknown"),
    ],
)
def test_what_gateways_mean(gateway: str, state: str, method: str, meant: str) -> None:
    assert meaning(gateway, state, method) == meant
