"""The sentences that never leave the house: the rules of lint_rules.yaml, read once."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from messages.registers import LANGUAGES


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: the rule's id, the words it was found in, and why it is refused."""

    rule: str
    where: str
    why: str


def plain(text: str) -> str:
    """Lower case, no accents, single spaces: what the patterns read."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return " ".join(bare.replace("’", "'").split())


@dataclass(frozen=True, slots=True)
class Rule:
    """A refused kind of sentence, why, and one pattern per language, for lower-case text without accents."""

    id: str
    why: str
    patterns: dict[str, re.Pattern[str]]
    except_stage: str
    except_templates: frozenset[str]
    final_allowed: bool


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Every rule; raises ValueError naming the rule and language whose pattern cannot be read."""
    source = files("messages").joinpath("lint_rules.yaml").read_text(encoding="utf-8")
    raw: list[dict[str, Any]] = yaml.safe_load(source)
    return tuple(_rule(entry) for entry in raw)


def _rule(entry: dict[str, Any]) -> Rule:
    patterns = {}
    for language in LANGUAGES:
        try:
            patterns[language] = re.compile("|".join(f"(?:{p})" for p in entry[language]))
        except re.error as error:
            raise ValueError(f"lint_rules.yaml, rule {entry['id']}, {language}: {error}") from None
    return Rule(
        id=entry["id"],
        why=entry["why"],
        patterns=patterns,
        except_stage=entry.get("except_stage", ""),
        except_templates=frozenset(entry.get("except_templates", ())),
        final_allowed=bool(entry.get("final_allowed", False)),
    )
