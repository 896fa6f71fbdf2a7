"""A player that waits in vain says for what."""

from __future__ import annotations

import pytest

from clock import monotonic
from rehearsal import advance


def test_a_player_that_waits_for_gateways_events_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advance, "STALLED_SECONDS", -1.0)
    with pytest.raises(advance.Stalled, match="2 events of gateways are not applied"):
        advance.Player._complain(monotonic(), [], 2)
    with pytest.raises(advance.Stalled, match="is the worker running"):
        advance.Player._complain(monotonic(), [])
