"""Truth cases of our own, reasoned from the texts: every pack, both sides of every boundary."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policies.law.cases import Result, judged, read_cases
from policies.law.packs import HOUSE, shipped_law, shipped_packs

FILE = Path(__file__).with_name("own_cases.json")


@cache
def _given() -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(FILE.read_text(encoding="utf-8")))


@cache
def _results() -> dict[str, Result]:
    read = read_cases(list(_given()), FILE.name)
    return {result.case.id: result for result in judged(shipped_law(), read)}


@cache
def _places() -> dict[str, str]:
    return {each["id"]: each["jurisdiction"] for each in _given()}


@pytest.mark.parametrize("code", sorted(pack.jurisdiction for pack in shipped_packs() if pack.jurisdiction != HOUSE))
def test_every_own_case_of_a_pack_is_answered_as_it_says(code: str) -> None:
    mine = {name: result for name, result in _results().items() if _places()[name] == code}
    assert mine, f"own_cases.json has no case for {code}"
    assert {name: result.differs or result.unknown for name, result in mine.items() if result.differs or result.unknown} == {}


def test_a_refused_case_is_refused_by_the_rule_that_it_names() -> None:
    wrong = {
        each["id"]: _results()[each["id"]].verdict.rules
        for each in _given()
        if each["expect"] == "deny" and not _names(each["rule"], _results()[each["id"]].verdict.rules)
    }
    assert wrong == {}


def _names(rule: str, refusing: tuple[str, ...]) -> bool:
    return any(each == rule or each.startswith(f"{rule}.") for each in refusing)


def test_an_allowed_case_states_no_later_moment_and_ids_are_unique() -> None:
    assert len({each["id"] for each in _given()}) == len(_given())
    assert [each["id"] for each in _given() if each["expect"] == "allow" and each["next_allowed_local"]] == []


def test_what_a_pack_forbids_is_found_in_some_case_of_its_own() -> None:
    """Every rule of contact that is law or guidance refuses at least one case."""
    refusing = {rule for result in _results().values() for rule in result.verdict.rules}
    silent = [
        rule.id
        for pack in shipped_packs()
        for rule in pack.rules
        if rule.basis != "house"
        and not rule.setting
        and rule.kind not in ("interest", "fee", "limitation")
        and rule.id not in refusing
    ]
    assert silent == []
