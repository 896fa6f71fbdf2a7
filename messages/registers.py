"""Registers: how a customer is addressed. One message speaks one register, and a thread keeps it (playbook 6).

In the text files `[Puedes|Puede|Podés]` holds the three Spanish registers tú, usted and vos. A fourth is for ustedes: where a
text speaks to a company (`address: company`) its second form is written in the plural. Portuguese may hold two (você, vocês).
"""

from __future__ import annotations

import re
from typing import Final

LANGUAGES: Final = ("es", "pt", "en")
REGISTERS: Final[dict[str, tuple[str, ...]]] = {"es": ("tu", "usted", "vos"), "pt": ("voce",), "en": ("none",)}

_CONSUMER: Final = {"ES": "tu", "MX": "tu", "CL": "tu", "AR": "vos", "UY": "vos"}
_CREDIT: Final = {"MX": "usted", "CL": "usted"}
_CHOICE: Final = re.compile(r"\[([^\[\]{}]*\|[^\[\]{}]*)\]")
_FORMS: Final = {"es": (3, 4), "pt": (2,), "en": ()}


def default_register(language: str, country: str, kind: str, *, credit: bool = False) -> str:
    """The house's register for a country (ISO code) and a kind of account: `consumer` or `business` (playbook 6, table).

    `credit` is for consumer credit, which is more formal in Mexico and Chile.
    """
    language = language[:2].lower()
    if language != "es":
        return REGISTERS.get(language, ("none",))[0]
    country = country.upper()
    if kind == "business":
        return "usted"
    if credit and country in _CREDIT:
        return _CREDIT[country]
    return _CONSUMER.get(country, "usted")


def register_for(language: str, chosen: str, country: str, kind: str, *, credit: bool = False) -> str:
    """The register to speak: the one chosen for the customer where the language has it, else the house's for the country."""
    there = REGISTERS.get(language[:2].lower(), ("none",))
    return chosen if chosen in there else default_register(language, country, kind, credit=credit)


def effective_register(language: str, register: str, *, company: bool) -> str:
    """The register a text really speaks: usted becomes ustedes, and você vocês, where the text addresses a company."""
    if language == "es":
        if register not in REGISTERS["es"]:
            raise ValueError(f"no Spanish register {register!r}: use tu, usted or vos")
        return "ustedes" if company and register == "usted" else register
    if language == "pt":
        return "voces" if company else "voce"
    return "none"


def in_register(source: str, language: str, register: str) -> str:
    """The text with each `[a|b|c]` replaced by its form for an effective register; ValueError where a form is missing."""

    def pick(match: re.Match[str]) -> str:
        forms = match[1].split("|")
        if len(forms) not in _FORMS[language]:
            raise ValueError(f"{match[0]!r} has {len(forms)} forms; {language} needs {' or '.join(map(str, _FORMS[language]))}")
        if language == "pt":
            return forms[1 if register == "voces" else 0]
        place = {"tu": 0, "usted": 1, "vos": 2, "ustedes": len(forms) - 1 if len(forms) == 4 else 1}[register]
        return forms[place]

    return _CHOICE.sub(pick, source)
