"""The truth cases that came with the law's sources: every one must be answered as it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies.law.cases import judged, read_cases, summary
from policies.law.packs import shipped_law

pytestmark = pytest.mark.shared


def test_every_shared_case_is_answered_as_it_says(shared_folder: Path) -> None:
    file = shared_folder / "law" / "cases.json"
    results = list(judged(shipped_law(), read_cases(json.loads(file.read_text(encoding="utf-8")), file.name)))
    differing = {result.case.id: result.differs for result in results if result.differs}
    assert differing == {}, summary(results)


def test_no_shared_case_states_a_fact_that_nobody_knows(shared_folder: Path) -> None:
    file = shared_folder / "law" / "cases.json"
    results = judged(shipped_law(), read_cases(json.loads(file.read_text(encoding="utf-8")), file.name))
    assert {result.case.id: result.unknown for result in results if result.unknown} == {}
