"""What follows from a few frozen values is worked out once and kept: the policy is asked three times for a contact and thousands
of times for a forecast, mostly about values that have not changed in between.

A value is known again by its identity, which is free to compare; what is kept holds the values, so no other can take their place.
Kept are only answers that depend on nothing else, and only so many: what is asked cannot depend on what was asked before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Generic, TypeVar

from policies.facts import InvoiceFacts
from policies.manual_model import Manual

_T = TypeVar("_T")


class _Key(tuple[int, ...]):
    """The identities of the values; the values themselves, so that they live as long; and the question, while it is answered."""

    values: tuple[object, ...]
    question: tuple[InvoiceFacts, Manual] | None


class OncePerFacts(Generic[_T]):
    """Answers a question about the named fields of the facts and the manual; `size` answers are kept, the last used ones.

    `answer` may look at no other field: its answers must not be changed by whoever gets them.
    """

    def __init__(self, answer: Callable[[InvoiceFacts, Manual], _T], fields: tuple[str, ...], *, size: int) -> None:
        self._read = attrgetter(*fields)

        @lru_cache(maxsize=size)
        def kept(key: _Key) -> _T:
            assert key.question is not None, "a key that is looked for brings its question"
            found = answer(*key.question)
            key.question = None
            return found

        self._kept = kept
        self._last: tuple[InvoiceFacts, Manual, _T] | None = None

    def __call__(self, facts: InvoiceFacts, manual: Manual) -> _T:
        last = self._last
        if last is not None and last[0] is facts and last[1] is manual:
            return last[2]
        found = self._find(facts, manual)
        self._last = facts, manual, found
        return found

    def _find(self, facts: InvoiceFacts, manual: Manual) -> _T:
        values = (*self._read(facts), manual)
        key = _Key(map(id, values))
        key.values = values
        key.question = facts, manual
        return self._kept(key)
