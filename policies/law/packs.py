"""Reads the law packs that come with the product, and says which of them speak for a place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import get_args

from pydantic import ValidationError

from policies.calendars import coverage
from policies.law.base import Rule
from policies.law.engine import Law
from policies.law.model import AnyRule, Pack
from policies.yaml_lines import read_yaml

CONSENT_RULES = frozenset((
    "CO.authorised_channel", "US-DC.electronic.consent", "US-NY.email_consent", "US-NYC.electronic_consent",
    "US-NYC.electronic_consent.creditor",
))  # fmt: skip
"""Rules that are satisfied by asking the customer, which a person has to do."""
HOUSE = "HOUSE"
"""The pack that speaks everywhere: what the debtor asked for is heeded also where no law says so."""
_EUROPEAN_UNION = frozenset("AT BE BG HR CY CZ DE DK EE ES FI FR GR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
_OTHER_NAMES = {"GB": "UK"}
_TWO_LETTERS = {"UK": "GB"}
_REGIONS_SAID = {
    ("AR", "CABA"): "C",
    ("AR", "CIUDAD AUTÓNOMA DE BUENOS AIRES"): "C",
    ("AR", "CIUDAD AUTONOMA DE BUENOS AIRES"): "C",
}
_OTHER_CITIES = {
    "US-NYC": frozenset(
        ("buffalo", "rochester", "yonkers", "syracuse", "albany", "new rochelle", "mount vernon", "schenectady", "utica",
         "white plains", "hempstead", "troy", "niagara falls", "binghamton", "ithaca", "poughkeepsie", "saratoga springs")
    ),
}  # fmt: skip
"""Cities of a region that surely lie outside a pack of one city; any other spelling leaves the place in doubt, and it speaks."""


class PackError(ValueError):
    """A pack that cannot be used; the text names file, line, field and what is wrong."""


def read_pack(text: str, source: str) -> Pack:
    """One pack from its YAML. Raises PackError with every problem and its line."""
    document = read_yaml(text)
    problems = [f"{source}:{line}: {'.'.join(map(str, loc))}: {what}" for line, loc, what in document.problems]
    if problems or not isinstance(document.data, dict):
        raise PackError("\n".join(problems) or f"{source}:1: a law pack is a mapping; begin with jurisdiction:")
    try:
        return Pack.model_validate(document.data)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            loc = tuple(part for part in problem["loc"] if part not in _KINDS)
            problems.append(f"{source}:{document.line_of(loc)}: {'.'.join(map(str, loc))}: {problem['msg']}")
        raise PackError("\n".join(problems)) from None


_KINDS = frozenset(get_args(rule.model_fields["kind"].annotation)[0] for rule in get_args(get_args(AnyRule)[0]))
"""Pydantic names the kind inside the path of an error; a reader of YAML does not look for it there."""


@cache
def shipped_packs() -> tuple[Pack, ...]:
    """Every pack of policies/jurisdictions, by code. Raises PackError for one that cannot be read or names an unknown layer."""
    found: list[Pack] = []
    for entry in sorted(files("policies").joinpath("jurisdictions").iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml"):
            pack = read_pack(entry.read_text(encoding="utf-8"), entry.name)
            if entry.name != f"{pack.jurisdiction}.yaml":
                raise PackError(f"{entry.name}:1: jurisdiction: the file must bear the code {pack.jurisdiction}")
            found.append(pack)
    codes = {pack.jurisdiction for pack in found}
    for pack in found:
        for outer in pack.within:
            if outer not in codes:
                raise PackError(f"{pack.jurisdiction}.yaml:1: within: there is no pack {outer}")
    return tuple(found)


@cache
def pack_versions() -> Mapping[str, str]:
    """For each shipped pack the day it was reviewed and a digest of its content, kept with every decision."""
    return {
        pack.jurisdiction: f"{pack.reviewed_on.isoformat()}:{sha256(pack.model_dump_json().encode()).hexdigest()[:12]}"
        for pack in shipped_packs()
    }


@cache
def rule_index() -> Mapping[str, Rule]:
    """Every rule of the shipped packs by its id; of several dated entries the newest."""
    return {rule.id: rule for pack in shipped_packs() for rule in pack.rules}


@cache
def limits_of_law() -> frozenset[str]:
    """Ids of the rules that count contacts: a slot they moved is reserved, as one that the house's own caps moved."""
    return frozenset(
        rule.id for pack in shipped_packs() for rule in pack.rules if rule.kind in ("cap", "spacing", "cross_channel")
    )


@cache
def _law(settings: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Law:
    return Law(shipped_packs(), {code: dict(chosen) for code, chosen in settings})


def shipped_law(settings: Mapping[str, Mapping[str, str]] | None = None) -> Law:
    """The law of the shipped packs, with a creditor's choices for their settings (pack code -> setting -> value).

    Raises PackError for a choice that a pack does not offer.
    """
    if not settings:
        return _law(())
    chosen = settings
    packs = {pack.jurisdiction: pack for pack in shipped_packs()}
    for code, values in chosen.items():
        for name, value in values.items():
            offered = packs[code].settings.get(name) if code in packs else None
            if offered is None or value not in offered.choices:
                raise PackError(
                    f"law setting {code}.{name}={value} is not offered: `puntual rules show {code}` lists the settings"
                )
    return _law(tuple(sorted((code, tuple(sorted(values.items()))) for code, values in chosen.items())))


@cache
def packs_for(country: str, region: str = "", city: str = "") -> tuple[str, ...]:
    """The codes of the packs that speak for a place, HOUSE first; where the region is not known, those of every region."""
    country = _OTHER_NAMES.get(country.upper(), country.upper())
    region, city = region.upper().removeprefix(f"{country}-"), " ".join(city.casefold().split())
    region = _REGIONS_SAID.get((country, region), region)
    if region and not coverage(_TWO_LETTERS.get(country, country), region).region_known:
        region = ""  # what nobody knows is in doubt: every region speaks
    found = [HOUSE]
    for pack in shipped_packs():
        if _OTHER_NAMES.get(pack.country, pack.country) != country:
            continue
        inside = not pack.region or not region or pack.region == region
        if inside and (not pack.city or city not in _OTHER_CITIES.get(pack.jurisdiction, ())):
            found.append(pack.jurisdiction)
    if country in _EUROPEAN_UNION:
        found.append("EU")
    return tuple(dict.fromkeys(found))
