"""Learns the weights of messages/lint_tone.py from the example sentences here and the shipped texts: run it when they change.

    .venv/bin/python -m tests.messages.learn_tone

A logistic regression by hand, for it is small and then the same everywhere. The threshold of a language is where one in a hundred
of the harmless examples is above it when weighed by weights learnt without it, and never below any shipped text.
"""

from __future__ import annotations

import json
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml

from messages.catalogue import TEMPLATES
from messages.lint import _given
from messages.lint_tone import Weights, features, sounding
from messages.lint_words import sentences
from messages.registers import LANGUAGES
from messages.render import render
from messages.scripts import SITUATIONS, STAGES, script
from policies.terms import Channel
from tests.messages.samples import SAMPLES, SPEAKERS
from tests.messages.test_scripts import SPOKEN

HERE: Final = Path(__file__).parent
ROOM: Final = HERE.parents[1] / "messages"
REFUSED: Final = ("lint_refused.yaml", "lint_refused_more.yaml")
PASSED: Final = ("lint_passed.yaml", "lint_passed_more.yaml")
NOT_OF_TONE: Final = frozenset({"gendered", "shouting", "relative_time", "court_words", "last_notice"})
ROUNDS, STEP, SHRINK = 40, 0.3, 2e-3
FOLDS, FALSE_SHARE, MARGIN = 8, 0.01, 0.15


def examples(language: str) -> tuple[list[str], list[str]]:
    """The refused and the harmless sentences of a language, read as the linter reads them."""
    bad = [t for name in REFUSED for rule, texts in _yaml(name)[language].items() if rule not in NOT_OF_TONE for t in texts]
    good = [t for name in PASSED for t in _yaml(name)[language]]
    return _read(bad), _read(good)


def shipped(language: str) -> list[str]:
    """Every sentence of the texts and the call scripts that ship."""
    said = []
    for name, (spoken, register), channel, values in product(TEMPLATES, SPEAKERS, Channel, SAMPLES.values()):
        if spoken == language:
            message = render(name, channel=channel, language=language, register=register, values=values)
            said.append(_unnamed(message.subject + "\n\n" + message.text, _given(values)))
    for stage, situation, (spoken, register) in product(STAGES, SITUATIONS, SPEAKERS):
        if spoken == language:
            said += [part for part in astuple(script(stage, situation, language, register, SPOKEN))[:-1] if part]  # type: ignore[arg-type]
    return _read(said)


def noticed(language: str) -> list[str]:
    """Every sentence of the notices that the laws want said."""
    raw = yaml.safe_load((ROOM / "notices.yaml").read_text(encoding="utf-8"))
    return _read([re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "\u00b7", text) for text in _strings_of(raw, language)])


def learn(bad: list[str], good: list[str]) -> tuple[dict[str, float], float]:
    """Feature weights and bias; the order of learning is fixed, so the same examples give the same weights."""
    told = [(features(read), 1.0) for read in bad] + [(features(read), 0.0) for read in good]
    often = Counter(feature for heard, _ in told for feature in heard)
    rows = [(sorted(f for f in heard if often[f] > 1), y) for heard, y in told]
    order = random.Random(0)  # a fixed shuffle, nothing secret
    weights: dict[str, float] = {}
    bias = 0.0
    for turn in range(ROUNDS):
        order.shuffle(rows)
        step = STEP / (1 + turn * 0.2)
        for heard, y in rows:
            size = math.sqrt(len(heard) + 1)
            sum_ = bias + sum(weights.get(f, 0.0) for f in heard) / size
            off = y - 1 / (1 + math.exp(-sum_))
            bias += step * off * 0.1
            for f in heard:
                weights[f] = weights.get(f, 0.0) * (1 - step * SHRINK) + step * off / size
    return weights, bias


def threshold(bad: list[str], good: list[str], always: list[str]) -> float:
    """Where `FALSE_SHARE` of `good` is above it, each weighed without its own part of the examples."""
    away = []
    for fold in range(FOLDS):
        weights, bias = learn(
            [r for i, r in enumerate(bad) if i % FOLDS != fold], [r for i, r in enumerate(good) if i % FOLDS != fold] + always
        )
        away += [sounding(r, Weights(bias, 0.0, weights)) for i, r in enumerate(good) if i % FOLDS == fold]
    return sorted(away, reverse=True)[int(len(away) * FALSE_SHARE)]


def main() -> None:
    for language in LANGUAGES:
        bad, good = examples(language)
        always = shipped(language)
        told = always + noticed(language)
        weights, bias = learn(bad, good + told)
        kept = {f: round(w * 100) for f, w in sorted(weights.items()) if abs(w) >= 0.02}
        rounded = Weights(round(bias, 4), 0.0, {f: w / 100 for f, w in kept.items()})
        least = max(sounding(read, rounded) for read in [*always, *good]) + MARGIN
        over = round(max(threshold(bad, good, told), least), 2)
        sys.stdout.write(
            f"{language}: {len(bad)} refused, {len(good) + len(told)} harmless, threshold {over}, shipped {least:.2f}\n"
        )
        out = {"bias": rounded.bias, "threshold": over, "hundredths": kept}
        (ROOM / f"lint_tone_{language}.json").write_text(json.dumps(out, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(read for text in texts for read in sentences(text)))


def _unnamed(text: str, names: list[str]) -> str:
    for name in names:
        text = text.replace(name, "\u00b7")
    return text


def _strings_of(raw: Any, language: str) -> Iterator[str]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key == language:
                yield from _every_string(value)
            else:
                yield from _strings_of(value, language)
    elif isinstance(raw, list):
        for value in raw:
            yield from _strings_of(value, language)


def _every_string(raw: Any) -> Iterator[str]:
    if isinstance(raw, str):
        yield raw
    for value in raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ():
        yield from _every_string(value)


def _yaml(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
