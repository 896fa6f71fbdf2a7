"""A rendered message against the law of its debtor's place: every notice said, nothing done that a pack forbids (F43)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from messages import formats, sms
from messages.lint_words import Finding, plain
from messages.notices import REVEALING, known
from messages.registers import LANGUAGES
from messages.values import MessageValues, Rendered
from policies.law.notices import Ban, Notice, Wording


@dataclass(frozen=True, slots=True)
class Deed:
    """How one deed of the packs shows in words. `only`: nothing but this may be said. `not_words`: why no text can do it."""

    house: frozenset[str]
    patterns: Mapping[str, re.Pattern[str]]
    only: Mapping[str, re.Pattern[str]]
    reveals: bool
    not_words: str


@dataclass(frozen=True, slots=True)
class Sign:
    """How one item of the packs shows in a message: by a pattern, by a value it names, or by the sum."""

    pattern: re.Pattern[str] | None
    value: str
    amount: bool


@lru_cache(maxsize=1)
def pack_words() -> tuple[Mapping[str, Deed], Mapping[str, Sign]]:
    """The deeds and the items that the linter can see, from lint_packs.yaml."""
    raw: dict[str, Any] = yaml.safe_load(files("messages").joinpath("lint_packs.yaml").read_text(encoding="utf-8"))
    deeds = {
        name: Deed(
            frozenset(entry.get("house", ())),
            {language: re.compile("|".join(entry[language])) for language in LANGUAGES if language in entry},
            {language: re.compile(pattern) for language, pattern in entry.get("only", {}).items()},
            bool(entry.get("reveals", False)),
            entry.get("not_words", ""),
        )
        for name, entry in raw["never"].items()
    }
    signs = {
        name: Sign(
            re.compile(entry["pattern"]) if "pattern" in entry else None, entry.get("value", ""), bool(entry.get("amount", False))
        )
        for name, entry in raw["says"].items()
    }
    return deeds, signs


def lint_law(
    rendered: Rendered, language: str, wording: Wording, values: MessageValues, *, own: str, house: Iterable[Finding]
) -> Iterator[Finding]:
    """Findings `must_say` and the deeds' own names. `own` has names as `·`; `house` is what the house's rules find in it."""
    for ban in wording.never:
        yield from _done(ban, language, own, {finding.rule: finding for finding in house})
    for notice in wording.says:
        if not _said(notice, rendered, language, wording, values):
            yield Finding("must_say", notice.item, f"{notice.rule} wants it said ({notice.citation})")


def _done(ban: Ban, language: str, own: str, house: Mapping[str, Finding]) -> Iterator[Finding]:
    deed = pack_words()[0].get(ban.deed)
    why = f"{ban.rule} forbids it ({ban.citation})"
    if deed is None:
        yield Finding(ban.deed, "", f"{ban.rule} names a deed that lint_packs.yaml does not know")
        return
    read = plain(own)
    for rule in sorted(deed.house & set(house)):
        yield Finding(ban.deed, house[rule].where, why)
    if language in deed.patterns and (match := deed.patterns[language].search(read)):
        yield Finding(ban.deed, match[0], why)
    if deed.reveals and (match := REVEALING[language].search(own)):
        yield Finding(ban.deed, match[0], why)
    if deed.only and not deed.only[language].fullmatch(read):
        yield Finding(ban.deed, read[:60], why)


def _said(notice: Notice, rendered: Rendered, language: str, wording: Wording, values: MessageValues) -> bool:
    sign = pack_words()[1].get(notice.item)
    whole = rendered.subject + "\n" + rendered.text
    if sign is None:
        return False
    if sign.pattern is not None:
        return bool(sign.pattern.search(plain(whole)))
    if sign.amount:
        sums = {values.amount_minor, values.amount_total_minor, values.agreement_amount_minor} - {None}
        said = (formats.money(s, values.currency, language, values.country, plain=p) for s in sums for p in (False, True) if s)
        return any(each in whole for each in said)
    told = known(wording, values.said, values.creditor_name)
    told |= {"pay_url": values.pay_url, "invoice_number": values.invoice_number}
    named = [told[sign.value]] + ([values.creditor_short] if sign.value == "creditor_name" and values.creditor_short else [])
    return any(name and (name in whole or sms.to_gsm7(name) in whole) for name in named)
