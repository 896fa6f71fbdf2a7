"""What a collector says on the telephone: the words for a stage of the debt and a situation of the call (S49, playbook 6).

The texts are in scripts.yaml, in three languages and in the registers of messages/registers.py; tests lint each as they lint
messages. Until the right person is confirmed nothing tells of a debt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

import yaml
from jinja2 import Environment, StrictUndefined, UndefinedError

from messages.catalogue import TextError
from messages.notices import known, text_of
from messages.registers import LANGUAGES, in_register
from policies.law.notices import Wording

Stage = Literal["before", "early", "middle", "late", "formal", "agreed"]
Situation = Literal[
    "first_call", "promise_broken", "disputes", "says_paid", "no_money", "wrong_person", "third_party", "voicemail"
]  # fmt: skip
STAGES: Final[tuple[str, ...]] = get_args(Stage)
SITUATIONS: Final[tuple[str, ...]] = get_args(Situation)
TO_ANYBODY: Final = ("wrong_person", "third_party", "voicemail")
"""Situations in which the customer is not on the line: nothing is said but this, and nothing of a debt."""


@dataclass(frozen=True)
class Spoken:
    """What the words may name. Sums and days are written already; an empty one is replaced by a plain phrase."""

    person: str
    creditor: str
    number: str
    amount: str
    due: str
    team: str = ""
    phone: str = ""
    caller: str = ""
    """Who calls, in words that let on about no debt; the creditor where nothing else is said."""
    promised: str = ""
    agreed: str = ""


@dataclass(frozen=True)
class Script:
    """A call from its first word to its last. For somebody else than the customer only `opening` and `answer` are not empty."""

    opening: str
    check: str
    identify: str
    purpose: str
    answer: str
    closing: str
    never: tuple[str, ...]


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(files("messages").joinpath("scripts.yaml").read_text(encoding="utf-8"))
    return found


def stage_of(days_late: int, *, firm: bool, agreed: bool) -> Stage:
    """The stage of a call: by days after the due date (below 0: before it), the firmness reached, and an open agreement."""
    if agreed:
        return "agreed"
    if firm or days_late > 60:
        return "formal"
    if days_late <= 0:
        return "before"
    return "early" if days_late <= 10 else "middle" if days_late <= 30 else "late"


def script(stage: Stage, situation: Situation, language: str, register: str, values: Spoken) -> Script:
    """The words of one call; ValueError for a language or register that there is not."""
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}: scripts speak {', '.join(LANGUAGES)}")
    texts = _texts()
    named = {
        "person": values.person or texts["holder"][language], "creditor": values.creditor, "number": values.number,
        "amount": values.amount, "due": values.due, "team": values.team or texts["own_team"][language],
        "phone": values.phone or texts["own_number"][language], "caller": values.caller or values.creditor,
        "promised": values.promised or values.due, "agreed": values.agreed or texts["nothing_agreed"][language],
    }  # fmt: skip

    def say(words: Mapping[str, str]) -> str:
        return in_register(words[language], language, register).format_map(named)

    never = tuple(texts["never"][language])
    answer = say(texts["situations"][situation])
    if situation in TO_ANYBODY:
        opening = "" if situation == "voicemail" else say(texts["opening"])
        return Script(opening, "", "", "", answer, "", never)
    return Script(
        say(texts["opening"]), say(texts["check"]), say(texts["identify"]), say(texts["purpose"][stage]), answer,
        say(texts["closing"]), never,
    )  # fmt: skip


_SENTENCES: Final = Environment(undefined=StrictUndefined, autoescape=False)  # spoken words, never markup


def law_says(
    wording: Wording, said: Mapping[str, str], language: str, values: Spoken, *, count: int = 1
) -> list[tuple[str, str]]:
    """What the law of the customer's place wants said on the call, each with its citation.

    `said` are the creditor's own settings. What has no words for a call, or names what the creditor has not told, is named by
    its item, so that the collector knows that it is owed.
    """
    told = known(wording, said, values.creditor)
    lines = []
    for notice in wording.says:
        named = notice.item.replace("_", " ")
        try:
            words = text_of(notice).words.get(language)
            more = {"count": count, "number": values.number, "creditor": values.creditor, "asked": values.amount, "added": False}
            named = _SENTENCES.from_string(words[0]).render(**{**told, **more}) if words else named
        except (TextError, UndefinedError):
            pass
        lines.append((named, notice.citation))
    return lines
