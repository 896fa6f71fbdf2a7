"""The texts: one YAML file per template, its three languages side by side, so that nobody can add one and forget the others.

`texts/README.md` tells a collections manager how to write them. Texts are versioned apart from ladders: a corrected text
serves running invoices at once, and each contact keeps the version it was written from (playbook 1).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

import yaml

from messages.registers import LANGUAGES, in_register
from policies.law.notices import Speaks

TEMPLATES: Final = (
    "delivery_check", "pre_due", "due_soon_statement", "first_reminder", "offer_ways", "direct_talk", "suspension_notice",
    "suspended", "come_back", "final_balance", "instalment_reminder", "statement_lines", "affordable_plan", "record_notice",
    "last_days", "final_demand", "scheduled_question", "open_items", "decision_maker", "interest_notice", "formal_demand",
    "last_agreement", "promise_reminder", "certificate_request", "missed_promise", "reopened",
    "instrument_returned", "monthly_statement", "paid_receipt", "apology", "holder_check",
    "guarantor_notice", "several_due_soon", "several_overdue", "several_firm", "still_open", "taken_up_again",
    "still_open_firm",
)  # fmt: skip
"""Every message name a manual may use. `holder_check` is for an address whose holder is not confirmed yet (playbook 6)."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECTION_KEYS: Final = frozenset({"subject", "email", "letter", "whatsapp", "sms", "voice"})
_FORMS: Final = {"es": ("tu", "usted", "vos", "ustedes"), "pt": ("voce", "voces"), "en": ("none",)}


class TextError(ValueError):
    """A text is missing, malformed, or needs a value that was not given; the message says which."""


@dataclass(frozen=True, slots=True)
class Section:
    """One template in one language. WhatsApp and SMS hold candidates, best first; `letter` falls back to `email`."""

    subject: str
    email: str
    letter: str
    whatsapp: tuple[str, ...]
    sms: tuple[str, ...]
    voice: str
    version: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template's traits and its sections by language.

    `address` company: the text speaks to a company in the plural. `asks`: which button comes first. `table`: what is listed.
    `stage`: formal texts may name a formal consequence, final ones may call themselves the last notice.
    `about_agreement`: the sum and the date shown are the agreement's.
    `private` texts go to an address whose holder is not confirmed: no link, no team, no invoice.
    """

    name: str
    tone: Literal["friendly", "helpful", "clear", "firm", "formal", "thanks"]
    stage: Literal["early", "middle", "late", "formal", "after"]
    address: Literal["person", "company"]
    asks: Literal["payment", "answer", "nothing"]
    table: Literal["summary", "lines", "breakdown", "documents", "none"]
    final: bool
    private: bool
    about_agreement: bool
    deadline_days: int
    sections: dict[str, Section]


@lru_cache(maxsize=1)
def common() -> dict[str, dict[str, str]]:
    """The shared sentences (greeting, ways to pay and answer, footer, voice script) by language."""
    source = files("messages").joinpath("texts/_common.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = yaml.load(source, Loader=_LOADER)
    for language, sentences in found.items():
        for key, text in sentences.items():
            _check_forms(text, language, f"_common.yaml {language}.{key}")
    missing = {k for language in LANGUAGES for k in found["es"] if k not in found.get(language, {})}
    if missing:
        raise TextError(f"_common.yaml lacks {', '.join(sorted(missing))} in one of es, pt, en")
    return found


@lru_cache(maxsize=256)
def template(name: str) -> Template:
    """The template of that name, read once and checked whole; TextError when there is none or a translation is missing."""
    if name not in TEMPLATES:
        raise TextError(f"no message template {name!r}; there are: {', '.join(TEMPLATES)}")
    source = files("messages").joinpath(f"texts/{name}.yaml").read_text(encoding="utf-8")
    return parse_template(name, source)


def speaks_of(name: str) -> Speaks:
    """What the law may bind this text by: a claim, a receipt, or a question to somebody who is not confirmed."""
    text = template(name)
    if text.private:
        return "nobody"
    return "receipt" if text.asks == "nothing" else "claim"


def parse_template(name: str, source: str) -> Template:
    """A template from its YAML; TextError naming file, language and key where something is missing."""
    raw: dict[str, Any] = yaml.load(source, Loader=_LOADER)
    if raw.get("template") != name:
        raise TextError(f"{name}.yaml says template: {raw.get('template')!r}; it must say {name}")
    sections: dict[str, Section] = {}
    for language in LANGUAGES:
        if language not in raw:
            raise TextError(f"{name}.yaml has no {language}: every text exists in es, pt and en")
        sections[language] = _section(name, language, raw[language])
    return Template(
        name=name,
        tone=raw["tone"],
        stage=raw["stage"],
        address=raw.get("address", "person"),
        asks=raw.get("asks", "payment"),
        table=raw.get("table", "summary"),
        final=bool(raw.get("final", False)),
        private=bool(raw.get("private", False)),
        about_agreement=bool(raw.get("about_agreement", False)),
        deadline_days=int(raw.get("deadline_days", 10)),
        sections=sections,
    )


def _section(name: str, language: str, raw: dict[str, Any]) -> Section:
    where = f"{name}.yaml {language}"
    unknown = set(raw) - _SECTION_KEYS
    absent = {"subject", "email", "whatsapp", "sms"} - set(raw)
    if unknown or absent:
        raise TextError(f"{where}: unknown {sorted(unknown)}, missing {sorted(absent)}")
    shared = common()[language]
    texts: dict[str, tuple[str, ...]] = {}
    for key in _SECTION_KEYS & set(raw):
        given = raw[key]
        texts[key] = tuple(str(t).strip() for t in (given if isinstance(given, list) else [given]))
        for text in texts[key]:
            if not text:
                raise TextError(f"{where}.{key} is empty")
            _check_forms(text, language, f"{where}.{key}")
    digest = hashlib.sha256(json.dumps([raw, shared, layout_source()], ensure_ascii=False, sort_keys=True).encode())
    return Section(
        subject=texts["subject"][0],
        email=texts["email"][0],
        letter=texts.get("letter", texts["email"])[0],
        whatsapp=texts["whatsapp"],
        sms=texts["sms"],
        voice=texts.get("voice", (shared["voice"],))[0],
        version=digest.hexdigest()[:12],
    )


@lru_cache(maxsize=1)
def layout_source() -> str:
    """The HTML frame of emails and letters."""
    return files("messages").joinpath("layout/message.html.j2").read_text(encoding="utf-8")


def _check_forms(text: str, language: str, where: str) -> None:
    try:
        for register in _FORMS[language]:
            in_register(text, language, register)
    except ValueError as error:
        raise TextError(f"{where}: {error}") from None
