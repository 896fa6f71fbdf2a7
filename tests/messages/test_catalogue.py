"""The names that the manuals know and the texts there are."""

from __future__ import annotations


def test_the_manuals_know_exactly_the_messages_there_are() -> None:
    from messages.catalogue import TEMPLATES
    from policies.messages import MESSAGES

    assert MESSAGES == frozenset(TEMPLATES)
