"""Some stops have a day of review and no end: a person lifts them, time does not (playbook 3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies.facts import PERMANENT_STOPS, Suppression
from policies.forecast import BookEntry, forecast
from policies.reachable import contactability
from policies.steps import Contact, Wait
from policies.terms import Channel
from tests.policies.test_next_step import ana, at, manual, obey


@pytest.mark.parametrize("reason", sorted(PERMANENT_STOPS))
def test_a_permanent_stop_holds_beyond_its_review_date_and_each_wait_has_an_end(reason: str) -> None:
    review = at("2026-03-20 00:00")
    stopped = ana(suppressions=(Suppression(reason=reason, until=review),))
    for asked, again in ((review, 30), (review + timedelta(days=29), 30), (review + timedelta(days=30), 60)):
        step = obey(stopped, asked)
        assert isinstance(step, Wait) and step.at == review + timedelta(days=again)
        assert step.rules == (f"suppression.{reason}",) and "waits for a person to review it" in step.why
    planned = forecast(
        [BookEntry(facts=stopped, manual=manual(), next_at=review)], now=review, until=review + timedelta(days=200)
    )
    assert not any(isinstance(each.step, Contact) for each in planned)
    (answer,) = contactability(stopped, manual(), Channel.EMAIL, at("2026-03-10 09:00"))
    assert not answer.allowed and answer.at is None and f"suppression.{reason}" in answer.rules


def test_a_stop_with_an_end_ends_then() -> None:
    end = at("2026-03-20 00:00")
    assert isinstance(obey(ana(suppressions=(Suppression(reason="complaint", until=end),)), end), Contact)
