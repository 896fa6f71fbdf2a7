"""What is wrong with a value, in plain words: what to write instead, and never the value, a class or a pattern of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.typed import NUMBER, ONE_LINE, STORABLE

_OBJECT = 'write an object here: {"name": value, ...}'
_LIST = "write a list here: [..., ...]"
_TEXT = "write this as text, in quotation marks"
_WHOLE = "write a whole number, without a point and without quotation marks"
_INSTANT = "write the instant with its zone, like 2026-12-08T09:00:00-05:00"
_DAY = "write the day as 2026-12-08, as text and without a time"
_ID = "this is not an id: write it as it was given, like 01a200e7-0eb2-7844-8efd-31b0bd5406bf"
_SAID: dict[str, str] = {
    "missing": "this is missing",
    "extra_forbidden": "there is no such member here: correct its name or leave it out",
    "none_required": "leave this empty (null)",
    "string_type": _TEXT, "string_unicode": _TEXT,
    "int_type": _WHOLE, "int_from_float": _WHOLE, "int_parsing": _WHOLE, "int_parsing_size": _WHOLE,
    "float_type": "write a number", "float_parsing": "write a number", "finite_number": "write a number that has an end",
    "decimal_type": "write a number", "decimal_parsing": "write a number",
    "bool_type": "write true or false", "bool_parsing": "write true or false",
    "list_type": _LIST, "tuple_type": _LIST, "set_type": _LIST, "frozen_set_type": _LIST, "iterable_type": _LIST,
    "uuid_type": _ID, "uuid_parsing": _ID, "uuid_version": _ID,
    "timezone_aware": _INSTANT,
}  # fmt: skip
_PATTERNS: dict[str, str] = {
    STORABLE: "this holds a control character: leave it out",
    r"^[A-Z]{3}$": "write the currency as three capital letters, like COP (ISO 4217)",
    r"^[A-Z]{2}$": "write the country as two capital letters, like CO (ISO 3166-1)",
    r"^[A-Z]{2}(-[A-Z0-9]{1,6})?$": "write the place as a country or a region, like CO or CO-ANT (ISO 3166)",
    r"^(es|pt|en)(-[A-Z]{2})?$": "write the language as es, pt or en, with a country if need be: es-MX",
    r"^[a-zúê]{0,20}$": "write one word in small letters, like usted",
    r"^[a-z][a-z0-9_]{0,39}$": "write one word in small letters, digits and _, like payables",
    r"^[a-z][a-z0-9_]{1,39}$": "write one word in small letters, digits and _, like asked_for_copy",
    r"^[A-Za-z0-9._:/-]+$": "write it in letters, digits and . _ : / - only, like call-2026-118",
    r"^[A-Za-z0-9_.-]{0,40}$": "write it in letters, digits and _ . - only, at most 40, like staff-17",
    ONE_LINE: "write it on one line, without a blank at its beginning or end",
    NUMBER: "write it on one line, without @ and without a blank at its ends",
}
_LIMITS: dict[str, tuple[str, str]] = {
    "greater_than": ("gt", "this must be above {}"),
    "greater_than_equal": ("ge", "this must be at least {}"),
    "less_than": ("lt", "this must be below {}"),
    "less_than_equal": ("le", "this must be at most {}"),
    "multiple_of": ("multiple_of", "this must be a multiple of {}"),
    "string_too_short": ("min_length", "this is too short: write at least {} characters"),
    "string_too_long": ("max_length", "this is too long: write at most {} characters"),
    "too_short": ("min_length", "there are too few: give at least {}"),
    "too_long": ("max_length", "there are too many: give at most {}"),
    "decimal_max_digits": ("max_digits", "this has too many digits: write at most {}"),
    "decimal_max_places": ("decimal_places", "this has too many decimals: write at most {}"),
}


def plain(error: Mapping[str, Any]) -> str:
    """One of Pydantic's errors (of `errors()`, with its context) as a sentence for the person who sent the value."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind in _SAID:
        return _SAID[kind]
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in _LIMITS:
        name, sentence = _LIMITS[kind]
        return sentence.format(_count(context.get(name, "")))
    if kind in ("literal_error", "enum"):
        return f"this is not one of those there are: write {_listed(context.get('expected', ''))}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context.get("pattern", "")), "this is not written in the way that is described for it")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        which = str(context.get("discriminator", "")).strip("'")
        known = context.get("expected_tags")
        return f"say with `{which}` which it is" + (f": {_listed(known)}" if known else "")
    if kind.startswith(("model_", "dict_", "dataclass_", "mapping_")):
        return _OBJECT
    if kind.startswith("datetime"):
        return _INSTANT
    return _DAY if kind.startswith("date_") else "this is not written in the way that is described for it"


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)


def _listed(expected: object) -> str:
    """`'a', 'b' or 'c'` without its quotation marks."""
    return str(expected).replace("'", "")
