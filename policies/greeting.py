"""How a customer is greeted: by the salutation that was given, never by a name that we cut out of another (playbook 6)."""

from __future__ import annotations

import re

_OPENING = re.compile(r"^\s*(hola|olá|ola|hello|hi|dear|estimad[oa]s?|buen[oa]s (días|tardes))[\s,]+", re.IGNORECASE)
_CLOSING = re.compile(r"[\s:,;!]+$")
_BOTH_GENDERS = re.compile(r"\w/(a|o|as|os)\b|\b(sr|dr|d)\.?\s*/\s*(sra|dra|d)|[@]|\(a\)", re.IGNORECASE)
_ACRONYM_MAX = 5
_INITIALS_MAX = 2
_REGISTERS = {"tú": "tu", "você": "voce"}
REGISTERS = frozenset({"", "tu", "usted", "vos", "voce", "none"})


def bare_salutation(given: str) -> str:
    """`Ana` for `Hola, Ana:`: the texts bring their own greeting. Empty where nothing but a greeting was given."""
    bare = _CLOSING.sub("", given.strip())
    found = _OPENING.match(bare + " ")
    return bare[found.end() :].strip() if found else bare


def why_not_salutation(bare: str) -> str:
    """What is wrong with a salutation, and what to write instead; empty when it can be printed."""
    if _shouts(bare, _INITIALS_MAX):
        return "the salutation is all capitals: write it as it is to be read (Ana, Sra. Gómez), or leave it out"
    if _BOTH_GENDERS.search(bare):
        return "the salutation names two genders: write the one this person uses, or leave it out"
    return ""


def why_not_short_name(name: str) -> str:
    """The same for the short name of a company, which may be an acronym."""
    return (
        "the short name is all capitals: write it as the company does, Andina and not ANDINA"
        if _shouts(name, _ACRONYM_MAX)
        else ""
    )


def _shouts(text: str, allowed: int) -> bool:
    return any(sum(c.isalpha() for c in word) > allowed and word.isupper() for word in text.split())


def plain_register(given: str) -> str:
    """`tu` for `tú`; raises ValueError for a word that is no register."""
    word = _REGISTERS.get(given, given)
    if word not in REGISTERS:
        raise ValueError("use tu, usted or vos in Spanish, voce in Portuguese, or leave it out for the country's custom")
    return word
