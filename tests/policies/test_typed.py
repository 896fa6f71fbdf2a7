"""A day is written as a day, and a text can be stored, or the request is refused at that place."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from policies.typed import Day, storable

_DAY: TypeAdapter[date] = TypeAdapter(Day)


def test_a_day_is_read_as_it_is_written() -> None:
    assert _DAY.validate_python("2026-03-16") == _DAY.validate_json('"2026-03-16"') == date(2026, 3, 16)
    assert _DAY.validate_python(date(2026, 3, 16)) == date(2026, 3, 16)


@pytest.mark.parametrize(
    "given", ["20260316", 20260316, 1773619200, "1773619200", "2026-03-16T00:00:00Z", "16/03/2026", "", True]
)
def test_what_could_be_read_as_another_day_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError, match="write the day as"):
        _DAY.validate_python(given)


def test_a_day_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(ValidationError):
        _DAY.validate_python("2026-02-30")


def test_ordinary_json_can_be_stored() -> None:
    value = {"ladder": [{"rung": "S1", "template": "pre_due"}], "n": 1, "none": None, "name": "línea\tuna\nlínea dos 😀"}
    assert storable(value) is value


@pytest.mark.parametrize("given", ["a\x00b", {"a\x00": 1}, {"a": ["b", {"c": "\x07"}]}, "half \ud83d"])
def test_a_text_that_no_column_can_keep_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="leave it out"):
        storable(given)


def test_nesting_has_an_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="levels deep"):
        storable(deep)
