"""The sentences that never leave the house: the rules of lint_rules.yaml and the words of lint_es, lint_pt and lint_en."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from messages.lint_ideas import said_together
from messages.lint_readings import plain, readings, without_markup
from messages.lint_tone import sounds_refused
from messages.registers import LANGUAGES

__all__ = ["Finding", "Rule", "plain", "refused", "rules", "sentences", "sounding"]

_SENTENCE = re.compile(r"(?<=[\w)\u00bb\"%][\w)\u00bb\"%][.!?;])\s+|\n\s*\n")
_ADDRESS = re.compile(r"https?://\S+|\S+@\S+\.\w+")
_NUMBER = re.compile(r"(?<![^\W\d])\d+(?:[.,/]\d+)*(?![^\W\d])")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: the rule's id, the words it was found in, and why it is refused."""

    rule: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A refused kind of sentence and why; by language its patterns, and the harmless uses that they do not read."""

    id: str
    why: str
    patterns: dict[str, re.Pattern[str]]
    spare: dict[str, re.Pattern[str] | None]
    except_stage: str
    except_templates: frozenset[str]
    final_allowed: bool

    def find(self, read: str, language: str) -> str | None:
        """The refused words in one reading of a text, or None."""
        return self._phrase(read, language) or said_together(self.id, read, language)

    def _phrase(self, read: str, language: str) -> str | None:
        match = self.patterns[language].search(read)
        spare = self.spare[language]
        if match is None or spare is None:
            return match[0] if match is not None else None
        match = self.patterns[language].search(spare.sub("\u00b7", read))
        return match[0] if match is not None else None


def refused(text: str, language: str) -> dict[str, str]:
    """By the id of each rule that refuses something in a text, the words of its first finding, in whichever way it is read."""
    found: dict[str, str] = {}
    for sentence in _SENTENCE.split(without_markup(text)):
        for index in _judged(_NUMBER.sub("7", sentence), language):
            rule = rules()[index]
            where = next(filter(None, (rule.find(read, language) for read in readings(sentence))), sentence)
            found.setdefault(rule.id, where)
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a text as they are weighed: plain, without addresses, every number alike."""
    return [plain(_NUMBER.sub("7", sentence)) for sentence in _SENTENCE.split(_ADDRESS.sub(" ", without_markup(text)))]


def sounding(text: str, language: str) -> str | None:
    """The weightiest words of the first sentence that sounds like those refused, or None."""
    said = _SENTENCE.split(_ADDRESS.sub(" ", without_markup(text)))
    return next(filter(None, (_sounding(_NUMBER.sub("7", sentence), language) for sentence in said)), None)


@lru_cache(maxsize=8192)
def _sounding(sentence: str, language: str) -> str | None:
    return sounds_refused(plain(sentence), language)


@lru_cache(maxsize=8192)
def _judged(sentence: str, language: str) -> tuple[int, ...]:
    """The places of the rules that refuse a sentence. Numbers are alike to every rule, so messages share what was judged."""
    reads = readings(sentence)
    return tuple(i for i, rule in enumerate(rules()) if any(rule.find(read, language) is not None for read in reads))


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Every rule; raises ValueError naming the rule and language whose pattern cannot be read."""
    words = {language: _read(f"lint_{language}.yaml") for language in LANGUAGES}
    return tuple(_rule(entry, words) for entry in _read("lint_rules.yaml"))


def _read(name: str) -> Any:
    return yaml.safe_load(files("messages").joinpath(name).read_text(encoding="utf-8"))


def _rule(entry: dict[str, Any], words: dict[str, Any]) -> Rule:
    patterns, spare = {}, {}
    for language in LANGUAGES:
        told = words[language]["rules"][entry["id"]]
        try:
            patterns[language] = _compiled(told["refuse"], words[language]["words"])
            spare[language] = _compiled(told["spare"], words[language]["words"]) if told.get("spare") else None
        except (re.error, KeyError) as error:
            raise ValueError(f"lint_{language}.yaml, rule {entry['id']}: {error}") from None
    return Rule(
        id=entry["id"],
        why=entry["why"],
        patterns=patterns,
        spare=spare,
        except_stage=entry.get("except_stage", ""),
        except_templates=frozenset(entry.get("except_templates", ())),
        final_allowed=bool(entry.get("final_allowed", False)),
    )


def _compiled(patterns: list[str], groups: dict[str, str]) -> re.Pattern[str]:
    source = "|".join(f"(?:{pattern})" for pattern in patterns)
    while named := re.search(r"%([a-z]+)%", source):
        source = source.replace(named[0], groups[named[1]])
    return re.compile(source)
