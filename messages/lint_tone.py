"""How much a sentence sounds like those the house refuses, where no rule knows it: words weighed by example.

Rules know what has been thought of. This weighs every word and every four letters of a sentence by how often they stood in
refused and in harmless examples; above the threshold of its language a sentence is refused and a person looks at it. The weights
are learnt by tests/messages/learn_tone.py from the example sentences there; nothing is learnt while the service runs.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from messages.registers import LANGUAGES

WORDS_MIN: Final = 3
_WORD: Final = re.compile(r"[a-z']+|\?")
_NOT_LETTERS: Final = re.compile(r"[^a-z?]+")
_STEM: Final = 6
_LETTERS: Final = 4


@dataclass(frozen=True, slots=True)
class Weights:
    """What is added for each feature of a sentence, to start from `bias`; above `threshold` it sounds refused."""

    bias: float
    threshold: float
    of: dict[str, float]


def sounds_refused(read: str, language: str) -> str | None:
    """The three weightiest words of a sentence (lower case, no accents) that sounds like those refused, else None."""
    told = weights(language)
    if len(re.findall(r"[a-z]{2,}", read)) < WORDS_MIN or sounding(read, told) <= told.threshold:
        return None
    heard = {word: sum(told.of.get(feature, 0.0) for feature in features(word)) for word in re.findall(r"[a-z']{2,}", read)}
    first = sorted(heard, key=lambda word: -heard[word])[:3]
    return " ".join(word for word in heard if word in first)


def sounding(read: str, told: Weights) -> float:
    """How much a sentence sounds refused: 0 is as much as not; longer sentences are not louder for their length."""
    heard = features(read)
    return told.bias + sum(told.of.get(feature, 0.0) for feature in heard) / math.sqrt(len(heard) + 1)


def features(read: str) -> frozenset[str]:
    """The words of a sentence by their first six letters, and every four letters in a row."""
    row = f" {_NOT_LETTERS.sub(' ', read).strip()} "
    return frozenset(
        [f"w:{word[:_STEM]}" for word in _WORD.findall(read)] + [row[i : i + _LETTERS] for i in range(len(row) - _LETTERS + 1)]
    )


@lru_cache(maxsize=len(LANGUAGES))
def weights(language: str) -> Weights:
    """The weights of a language, read once."""
    raw = json.loads(files("messages").joinpath(f"lint_tone_{language}.json").read_text(encoding="utf-8"))
    return Weights(raw["bias"], raw["threshold"], {feature: value / 100 for feature, value in raw["hundredths"].items()})
