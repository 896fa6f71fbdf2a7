"""A promise is judged by what came in time, also when nobody looked before all of it was paid (F66)."""

from __future__ import annotations

from datetime import date

import pytest

from policies.facts import Instalment
from policies.manual import builtin_manual
from policies.next_step import next_step
from policies.steps import Close, Judge
from tests.policies.samples import NOW, agreement, invoice, paid

_MANUAL = builtin_manual("b2c_subscription")
_SETTLED = (Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=0),)
_PROMISE = agreement((date(2026, 3, 3), 100_000))  # two days of grace: until the end of 5 March


@pytest.mark.parametrize(
    ("came", "verdict", "in_time"),
    [
        ([(date(2026, 3, 5), 100_000)], "kept", 100_000),
        ([(date(2026, 3, 6), 100_000)], "broken", 0),
        ([(date(2026, 3, 4), 40_000), (date(2026, 3, 6), 60_000)], "partly", 40_000),
    ],
)
def test_money_of_the_day_after_grace_does_not_keep_a_promise(came: list[tuple[date, int]], verdict: str, in_time: int) -> None:
    facts = invoice(agreements=(_PROMISE,), instalments=_SETTLED, payments=tuple(paid(on, amount) for on, amount in came))
    step = next_step(facts, _MANUAL, NOW)
    assert isinstance(step, Judge)
    assert (step.verdict, step.paid_minor, step.promised_minor) == (verdict, in_time, 100_000)


def test_what_was_credited_meanwhile_breaks_no_promise() -> None:
    step = next_step(invoice(agreements=(_PROMISE,), instalments=_SETTLED), _MANUAL, NOW)
    assert isinstance(step, Judge) and step.verdict == "kept"


def test_once_judged_the_paid_invoice_closes() -> None:
    broken = agreement((date(2026, 3, 3), 100_000), state="broken")
    facts = invoice(agreements=(broken,), instalments=_SETTLED, payments=(paid(date(2026, 3, 6), 100_000),), cycle=2)
    step = next_step(facts, _MANUAL, NOW)
    assert isinstance(step, Close) and step.outcome == "paid"
