"""The list of mistakes to plant does not rot: each quotes a text that stands exactly once in its file."""

from __future__ import annotations

import pytest

from tests.policies.law.mutations import MUTATIONS, PROJECT, QUICK_TESTS


@pytest.mark.parametrize("file", sorted({mutation.file for mutation in MUTATIONS}))
def test_every_quoted_text_stands_once_in_its_file_and_is_changed(file: str) -> None:
    text = (PROJECT / file).read_text(encoding="utf-8")
    quoted = [mutation for mutation in MUTATIONS if mutation.file == file]
    assert [each.old for each in quoted if text.count(each.old) != 1] == []
    assert all(each.old != each.new for each in quoted)


def test_at_least_forty_mistakes_are_planted_and_none_twice() -> None:
    assert len(set(MUTATIONS)) == len(MUTATIONS) >= 40
    assert all((PROJECT / path).is_file() for path in QUICK_TESTS)
