"""Kinds of refused sentence that no order of words hides: the ideas of lint_ideas.yaml that stand together in one sentence.

A pattern knows a phrase; this knows what a phrase says. Each idea is a group of words of a language, and a kind of sentence is
the ideas that must stand near one another in it, less those that make it harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import yaml

from messages.registers import LANGUAGES

_NEAR: Final = 90
_CLAUSE: Final = "[^.!?;]"


@dataclass(frozen=True, slots=True)
class Together:
    """Ideas that make a refused sentence when each of `ideas` stands within `within` characters of the first.

    `asks`: the sentence is a question; `ordered`: the first idea comes first.
    """

    ideas: tuple[str, ...]
    unless: tuple[str, ...]
    within: int
    asks: bool
    ordered: bool


@dataclass(frozen=True, slots=True)
class Ideas:
    """One language: what is not read at all, and the words of each idea."""

    aside: re.Pattern[str]
    words: dict[str, re.Pattern[str]]


def said_together(rule: str, read: str, language: str) -> str | None:
    """The words from the first to the last idea of a refused kind in one reading of a sentence, or None."""
    ways = _together().get(rule)
    if ways is None:
        return None
    told = ideas(language)
    bare = told.aside.sub("\u00b7", read)

    def spans(idea: str) -> tuple[tuple[int, int], ...]:
        return _spans(bare, language, idea)

    for way in ways:
        if (found := _found(way, bare, spans)) is not None:
            return bare[found[0] : found[1]]
    return None


def _found(way: Together, bare: str, spans: Callable[[str], tuple[tuple[int, int], ...]]) -> tuple[int, int] | None:
    if way.asks and "?" not in bare:
        return None
    for first in spans(way.ideas[0]):
        near = [first]
        for idea in way.ideas[1:]:
            beside = next((span for span in spans(idea) if _beside(first, span, way)), None)
            if beside is None:
                break
            near.append(beside)
        else:
            if any(spans(idea) for idea in way.unless):
                return None
            return min(start for start, _ in near), max(end for _, end in near)
    return None


def _beside(one: tuple[int, int], other: tuple[int, int], way: Together) -> bool:
    """Whether two spans do not overlap and are near enough, and in their order where that counts."""
    gap = max(other[0] - one[1], one[0] - other[1])
    return 0 <= gap <= way.within and (not way.ordered or one[0] < other[0])


@lru_cache(maxsize=16384)
def _spans(bare: str, language: str, idea: str) -> tuple[tuple[int, int], ...]:
    return tuple(match.span() for match in ideas(language).words[idea].finditer(bare))


@lru_cache(maxsize=1)
def _together() -> dict[str, tuple[Together, ...]]:
    """By rule, the kinds of sentence; raises ValueError for an idea that a language has no words for."""
    kinds = {
        rule: tuple(
            Together(
                tuple(way["all"]),
                tuple(way.get("unless", ())),
                way.get("within", _NEAR),
                way.get("asks", False),
                way.get("ordered", False),
            )
            for way in ways
        )
        for rule, ways in _read("lint_ideas.yaml").items()
    }
    named = {idea for ways in kinds.values() for way in ways for idea in (*way.ideas, *way.unless)}
    for language in LANGUAGES:
        if named ^ set(ideas(language).words):
            raise ValueError(
                f"lint_ideas_{language}.yaml and lint_ideas.yaml differ in {sorted(named ^ set(ideas(language).words))}"
            )
    return kinds


@lru_cache(maxsize=len(LANGUAGES))
def ideas(language: str) -> Ideas:
    """The ideas of a language; raises ValueError naming the idea whose words cannot be read."""
    raw = _read(f"lint_ideas_{language}.yaml")
    try:
        words = {idea: _compiled(patterns) for idea, patterns in raw["ideas"].items()}
        return Ideas(_compiled(raw["aside"]), words)
    except re.error as error:
        raise ValueError(f"lint_ideas_{language}.yaml: {error} in {error.pattern!r}") from None


def _compiled(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns).replace("%n%", _CLAUSE))


def _read(name: str) -> Any:
    return yaml.safe_load(files("messages").joinpath(name).read_text(encoding="utf-8"))
