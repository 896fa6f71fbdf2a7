"""Every template against the law of every pack: the notices are said, nothing forbidden is done, and a planted bug is caught."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Literal, get_args

import pytest

from messages.catalogue import TEMPLATES, TextError, speaks_of
from messages.lint import lint
from messages.lint_packs import pack_words
from messages.notices import texts
from messages.render import MessageValues, Rendered, render
from policies.facts import LawTerms
from policies.law.base import LAW_CHANNELS
from policies.law.model import Content, MustSay
from policies.law.notices import NO_LAW, Speaks, Wording, wording
from policies.law.packs import packs_for, shipped_packs
from policies.law.wish import law_channel
from policies.terms import Channel, DebtorKind
from tests.messages.samples import ANA, TWELVE

TODAY = date(2026, 12, 8)
SAID = {
    "address": "Calle 93 # 14-20, Bogotá", "tax_id": "12.345.678/0001-95", "agency": "Andes Servicios", "phone": "+57 601 555 0110",
    "agency_address": "Av. Reforma 500, México", "agency_phone": "+52 55 5555 0110", "collector_name": "Ana Torres",
    "responsible_persons": "Luis Vega", "complaints_unit": "quejas@gimnasioandes.co", "permit_number": "700123",
    "registered_as": "ON 4711", "product": "gym membership",
}  # fmt: skip
SPOKEN = {"BR": ("pt", "voce"), "US": ("en", "none"), "CA": ("en", "none"), "GB": ("en", "none"), "AU": ("en", "none"),
          "IN": ("en", "none"), "ZA": ("en", "none"), "AR": ("es", "vos"), "ES": ("es", "tu"), "MX": ("es", "tu")}  # fmt: skip
MONEY = {"BR": "BRL", "US": "USD", "CA": "CAD", "CL": "CLP", "MX": "MXN", "CO": "COP", "ES": "EUR", "GB": "GBP"}
VALUES = replace(ANA, said=SAID, phone=SAID["phone"], slug="andes")


def values_in(country: str, **change: object) -> MessageValues:
    return replace(VALUES, country=country, currency=MONEY.get(country, "USD"), **change)  # type: ignore[arg-type]


def bound(
    place: str, *, party: Literal["first", "third"] = "third", channel: Channel = Channel.EMAIL, first: bool = True,
    kind: DebtorKind = DebtorKind.CONSUMER, speaks: Speaks = "claim", on: date = TODAY, **facts: str,
) -> Wording:  # fmt: skip
    law = LawTerms(packs=packs_for(*place.split("-")), zones=("UTC",), party=party, debtor=kind, facts=dict(facts))
    return wording(law, channel=channel, on=on, first_contact=first, speaks=speaks)


def items(found: Wording) -> set[str]:
    return {notice.item for notice in found.says}


def written(
    name: str, channel: Channel, law: Wording, country: str, values: MessageValues | None = None, language: str = ""
) -> Rendered:
    spoken = {"es": ("es", "tu"), "pt": ("pt", "voce"), "en": ("en", "none")}.get(language) or SPOKEN.get(country, ("es", "usted"))
    return render(
        name, channel=channel, language=spoken[0], register=spoken[1], values=values or values_in(country), wording=law
    )


# -- every pack, every template


def _places() -> Iterator[tuple[str, str]]:
    for pack in shipped_packs():
        if pack.country and any(isinstance(rule, MustSay) for rule in pack.rules):
            region = f"-{pack.region.removeprefix(pack.country + '-')}" if pack.region else ""
            yield pack.country + region, pack.country


PLACES = sorted(set(_places()))


@pytest.mark.parametrize(("place", "country"), PLACES)
@pytest.mark.parametrize("party", ["first", "third"])
def test_every_template_says_what_the_place_wants_or_leaves_the_channel(
    place: str, country: str, party: Literal["first", "third"]
) -> None:
    wrong, seen = [], set()
    for name in TEMPLATES:
        for channel in Channel:
            for first in (True, False):
                law = bound(place, party=party, channel=channel, first=first, speaks=speaks_of(name))
                key = (name, channel, frozenset(items(law)), law.nothing_else)
                if key in seen or law is NO_LAW:
                    continue
                seen.add(key)
                values = values_in(country, first_contact=first)
                try:
                    message = written(name, channel, law, country, values)
                except TextError as error:
                    room = channel in (Channel.VOICE, Channel.SMS, Channel.WHATSAPP)
                    if not room or "cannot say before" not in str(error) and "segments" not in str(error):
                        wrong.append(f"{name} {channel}: {error}")
                    continue
                language = SPOKEN.get(country, ("es", ""))[0]
                wrong += [f"{name} {channel}: {f}" for f in lint(message, channel, language, name, values=values, wording=law)]
    assert wrong == []


def _nevers() -> Iterator[tuple[str, str, Literal["first", "third"]]]:
    for pack in shipped_packs():
        if pack.country and any(isinstance(rule, Content) for rule in pack.rules):
            region = f"-{pack.region.removeprefix(pack.country + '-')}" if pack.region else ""
            yield pack.country + region, pack.country, "third"


@pytest.mark.parametrize("language", ["es", "pt", "en"])
def test_no_template_does_what_any_pack_of_its_language_forbids(language: str) -> None:
    facts = {"creditor_type": "bank", "debt_type": "consumer_credit"}
    wrong = []
    for place, country, party in sorted(set(_nevers())):
        if SPOKEN.get(country, ("es", ""))[0] != language:
            continue
        law = bound(place, party=party, **facts)._replace(says=())
        for name in TEMPLATES:
            for channel in (Channel.EMAIL, Channel.WHATSAPP, Channel.SMS):
                message = _plain(name, channel, language)
                found = lint(message, channel, language, name, values=VALUES, wording=law)
                wrong += [f"{place} {name} {channel}: {finding}" for finding in found]
    assert wrong == []


_KEPT: dict[tuple[str, Channel, str], Rendered] = {}


def _plain(name: str, channel: Channel, language: str) -> Rendered:
    key = (name, channel, language)
    if key not in _KEPT:
        _KEPT[key] = written(name, channel, NO_LAW, "CO", VALUES, language)
    return _KEPT[key]


def test_every_item_and_every_deed_of_the_packs_is_known_to_the_texts_and_to_the_linter() -> None:
    deeds, signs = pack_words()
    ours = {law_channel(channel) for channel in Channel}
    for pack in shipped_packs():
        for rule in pack.rules:
            if isinstance(rule, Content):
                assert set(rule.never) <= set(deeds), rule.id
            if isinstance(rule, MustSay) and ours & set(rule.channels or LAW_CHANNELS):
                for item in rule.items:
                    assert item in signs, f"{rule.id}: {item}"
                    assert item in texts().items or f"{item}@{pack.jurisdiction}" in texts().items, f"{rule.id}: {item}"
    assert set(get_args(Speaks)) == {speaks_of(name) for name in TEMPLATES}
