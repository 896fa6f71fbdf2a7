"""The day that a message names is never later than the day on which its manual may act."""

from __future__ import annotations

import pytest

from messages.catalogue import template
from policies.manual import BUILTIN, builtin_manual


@pytest.mark.parametrize("name", BUILTIN)
def test_nothing_is_done_before_the_day_that_its_notice_names(name: str) -> None:
    told = {(c.notice, c.kind): (c.wait_days, template(c.notice).deadline_days) for c in builtin_manual(name).consequences}
    assert [what for what, (wait_days, named_days) in told.items() if wait_days < named_days] == []
