"""The setting that says how many messages a second a provider takes."""

from __future__ import annotations

import pytest

from channels.paces import channel_rates
from policies.terms import Channel


def test_rates_are_read_by_channel() -> None:
    assert channel_rates("") == {}
    assert channel_rates("email=50, sms=0.5") == {Channel.EMAIL: 50.0, Channel.SMS: 0.5}


@pytest.mark.parametrize(
    "text", ["email", "email=", "fax=3", "email=0", "email=-1", "email=nan", "email=inf", "sms=1 email=1e999"]
)
def test_what_is_no_rate_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="PUNTUAL_CHANNEL_RATES has .*: write messages a second by channel, as email=50 sms=10"):
        channel_rates(text)
