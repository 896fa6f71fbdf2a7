"""The engine says what plain comparison says, minute by minute, of random packs, zones, histories and changes of the clocks."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.policies.law.agreement import agree, agree_on_both
from tests.policies.law.examples import Example, examples
from tests.policies.law.house_examples import HouseExample, house_examples

# Where mistakes are planted, that a test fails is all that is asked: then nothing is shrunk.
_PHASES = [Phase.generate] if os.environ.get("PUNTUAL_SHRINK") == "no" else [Phase.generate, Phase.shrink]
_EVERYDAY = settings(
    max_examples=400,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=_PHASES,
)


@seed(2300)
@_EVERYDAY
@given(examples())
def test_the_law_is_what_a_minute_by_minute_checker_reads(example: Example) -> None:
    agree(example)


@seed(2300)
@settings(_EVERYDAY, max_examples=120)
@given(house_examples())
def test_the_house_and_the_law_together_are_what_a_minute_by_minute_checker_reads(example: HouseExample) -> None:
    agree_on_both(example)
