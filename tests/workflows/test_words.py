"""What the list of the Temporal UI shows: an attribute is written when it changed, and never in an event that old lives lack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.wire import Next
from embedded import SEARCH_ATTRIBUTES
from workflows import words

AT = datetime(2026, 3, 19, 14, 0, tzinfo=UTC)


def contact(rung: str, channel: str, **more: Any) -> Next:
    given = {"wake": AT, "when": "then", "why": "so", "owed_major": 250_000.0, "step": 1} | more
    return Next(kind="contact", rung=rung, channel=channel, **given)


def written(step: Next, shown: words.Shown) -> tuple[words.Shown, dict[str, object]]:
    now, updates = words.attributes(step, shown)
    return now, {update.key.name: update.value for update in updates}


def test_the_first_look_writes_every_attribute_that_a_start_does_not() -> None:
    _, first = written(contact("S1", "email"), {})
    given = {pair.key.name for pair in words.started_with(creditor="brill", account="C-1", currency="COP")}
    assert first.keys() | given == SEARCH_ATTRIBUTES.keys() and not first.keys() & given
    assert first["PuntualChannel"] == "email"


def test_the_channel_is_written_with_the_rung_when_it_is_another_one() -> None:
    shown, _ = written(contact("S1", "email"), {})
    shown, same = written(contact("S2", "email", wake=AT + timedelta(days=3)), shown)
    assert same.keys() == {"PuntualRung", "PuntualNextAt"}, "the same channel costs nothing"
    shown, other = written(contact("S3", "sms", wake=AT + timedelta(days=6)), shown)
    assert other["PuntualChannel"] == "sms"


def test_a_channel_that_alone_changed_waits_for_the_next_change() -> None:
    shown, _ = written(contact("S1", "email"), {})
    shown, alone = written(contact("S1", "sms"), shown)
    assert alone == {}, "lives of before the channel was written have no event there"
    _, later = written(contact("S1", "sms", wake=AT + timedelta(hours=1)), shown)
    assert later["PuntualChannel"] == "sms"


@pytest.mark.parametrize("kind", ["wait", "close"])
def test_where_no_contact_comes_there_is_no_channel(kind: Any) -> None:
    shown, _ = written(contact("S1", "email"), {})
    _, ended = written(Next(kind=kind, step=2, wake=AT, when="-", why="so"), shown)
    assert ended["PuntualChannel"] == "-"
