"""The sentences that a law wants in a message and that the message does not say itself (F54); the words are in notices.yaml."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import yaml

from messages import sms
from messages.catalogue import TextError
from messages.registers import LANGUAGES
from messages.values import MessageValues
from policies.law.notices import Notice, Wording

SMS_SEGMENTS_MAX: Final = 3
"""An SMS that carries notices may take so many segments; without them it takes one."""
WHATSAPP_MAX: Final = 1024
"""A WhatsApp message with notices; the service takes no longer one."""
_OF_THE_AGENCY: Final = {"agency": "creditor_name", "agency_address": "address", "agency_phone": "phone"}
"""Where the creditor collects in its own name, it is itself the one who collects."""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """One item in three languages: the sentence, and the one for SMS. `calls`: the script of a call says it."""

    shown_by: tuple[str, ...]
    needs: tuple[str, ...]
    calls: bool
    words: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Texts:
    """The file. `before`: rules whose notices stand before the rest of a message. `version` is a digest of it all."""

    items: Mapping[str, NoticeText]
    before: frozenset[str]
    version: str


@lru_cache(maxsize=1)
def texts() -> Texts:
    """notices.yaml, read once; TextError naming the item and the language that is missing."""
    source = files("messages").joinpath("notices.yaml").read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.safe_load(source)
    items = {name: _text(name, entry) for name, entry in raw["items"].items()}
    return Texts(items, frozenset(raw["before"]), hashlib.sha256(source.encode()).hexdigest()[:12])


def _text(name: str, entry: Mapping[str, Any]) -> NoticeText:
    calls = bool(entry.get("calls", False))
    words: dict[str, tuple[str, str]] = {}
    for language in LANGUAGES:
        given = entry.get(language)
        if given is not None:
            both = given if isinstance(given, list) else [given, given]
            words[language] = (both[0], both[-1])
    if words and len(words) < len(LANGUAGES) or not words and not calls:
        raise TextError(f"notices.yaml: {name} needs es, pt and en; it has {', '.join(words) or 'none'}")
    return NoticeText(tuple(entry.get("shown_by", ())), tuple(entry.get("needs", ())), calls, words)


def text_of(notice: Notice) -> NoticeText:
    """The entry for an item, in the words of the rule's own jurisdiction where there are any; TextError when there is none."""
    items = texts().items
    found = items.get(f"{notice.item}@{notice.rule.partition('.')[0]}") or items.get(notice.item)
    if found is None:
        raise TextError(f"{notice.rule} wants {notice.item}, for which messages/notices.yaml has no words: add an entry")
    return found


def known(wording: Wording, said: Mapping[str, str], creditor_name: str) -> dict[str, str]:
    """What notices may name of creditor and agency: the creditor's own settings, and what stands for the rest."""
    found = dict.fromkeys(_NAMED, "") | {name: value for name, value in said.items() if value} | {"creditor_name": creditor_name}
    if wording.party == "first":
        found |= {name: found[own] for name, own in _OF_THE_AGENCY.items()}
    found["original_creditor"] = found["original_creditor"] or creditor_name
    found["business"] = business_name(wording, found)
    return found


_NAMED: Final = (
    "address", "tax_id", "phone", "permit_number", "registered_as", "agency", "agency_address", "agency_phone", "collector_name",
    "responsible_persons", "complaints_unit", "product", "original_creditor",
)  # fmt: skip


def missing(
    wording: Wording,
    text: str,
    values: MessageValues,
    language: str,
    *,
    small: bool,
    say: Callable[..., str],
    money: Callable[[int], str],
) -> tuple[str, str]:
    """What the law wants said and `text` does not say: before the rest, and after it; empty where nothing is missing.

    `say` fills a sentence in, `money` writes a sum. `small`: for an SMS. Raises TextError where the creditor has not told what a
    notice needs.
    """
    found: tuple[list[str], list[str]] = ([], [])
    told = known(wording, values.said, values.creditor_name)
    first_due = values.amount_minor if values.first_due_minor is None else values.first_due_minor
    more = {**told, "added": bool(values.interest_minor or values.costs_minor), "first_due": money(first_due)}
    for notice in wording.says:
        entry = text_of(notice)
        check_known(notice, told, values.slug)
        if any(shown and shown in text for shown in (say(source, **more) for source in entry.shown_by)):
            continue
        if not entry.words:
            raise TextError(f"{notice.rule} wants {notice.item}, which only a call can say")
        said = say(entry.words[language][small], **more)
        found[notice.rule not in texts().before].append(sms.to_gsm7(said) if small else said)
    return " ".join(found[0]), " ".join(found[1])


def check_call(wording: Wording, values: MessageValues, language: str) -> dict[str, str]:
    """What the script of a call may name; TextError where it cannot say what the law wants, or lets on about a debt."""
    told = known(wording, values.said, values.creditor_name)
    for notice in wording.says:
        if not text_of(notice).calls:
            raise TextError(f"{notice.rule} wants {notice.item}, which a call cannot say before the person is confirmed")
        check_known(notice, told, values.slug)
    if wording.nothing_else:
        _check_bare(wording, told, language, values.slug)
    return told


def check_known(notice: Notice, found: Mapping[str, str], slug: str) -> None:
    """TextError when the creditor has not told what this notice needs, with the command that does."""
    lacking = [need for need in text_of(notice).needs if not found[need]]
    if lacking:
        say = " ".join(f"--say {need}=..." for need in lacking)
        raise TextError(f"{notice.rule} wants {notice.item}: `puntual creditor set {slug or 'SLUG'} {say}`")


def _check_bare(wording: Wording, found: Mapping[str, str], language: str, slug: str) -> None:
    """TextError unless a call that may say nothing else has its name, its person to ask for and its number."""
    rule = next(ban.rule for ban in wording.never if ban.deed == "says_anything_else")
    needed = ("collector_name", "phone") if wording.party == "first" else ("agency", "collector_name", "phone")
    lacking = [need for need in needed if not found[need]]
    if lacking:
        say = " ".join(f"--say {need}=..." for need in lacking)
        raise TextError(f"{rule} allows a call nothing but a name and a number: `puntual creditor set {slug or 'SLUG'} {say}`")
    if REVEALING[language].search(business_name(wording, found)):
        raise TextError(f"{rule} lets a call reveal no debt, and the name of who calls does: no call is made")


def business_name(wording: Wording, found: Mapping[str, str]) -> str:
    """Who calls: the agency where there is one, else the creditor."""
    return found["creditor_name"] if wording.party == "first" else found["agency"]


_COLLECTS: Final = r"collect|recover|\bdebt|credit control|cobran|recupera|deuda|d[ií]vida|cr[eé]dit"
REVEALING: Final = {
    "es": re.compile(_COLLECTS + r"|factura|saldo|\bpag(o|a|u|ar)|vencid|adeud|moros|\bmora\b", re.IGNORECASE),
    "pt": re.compile(_COLLECTS + r"|fatura|saldo|\bpag(o|a|u|ar)|vencid|inadimpl|\bmora\b", re.IGNORECASE),
    "en": re.compile(_COLLECTS + r"|invoice|balance|\bpay|overdue|\bowe|\bbill\b|amount", re.IGNORECASE),
}
"""Words that tell a stranger of a debt."""
